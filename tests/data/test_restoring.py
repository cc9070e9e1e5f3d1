"""Lines that are no delimited text as they stand, ragged ones, and words that are missing values in one column alone: by the kernels and by Python."""

import csv
import io
import json
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from layerctl.data import readers
from layerctl.data.blocks import Block, Dictionary, Memory
from layerctl.data.delimited import Dialect, Heading, RaggedLines
from layerctl.data.native.objects import NOT_THERE
from layerctl.data.readers import delimited_tables, read_table, streamed
from layerctl.data.table import joined
from layerctl.diagnostics import LayerctlError
from layerctl.ops.bits import BEYOND
from layerctl.spec.reading import Reading

PLAIN = Reading(None, None, None, '"', None, None, ".", "utf-8", ["?", "NA", ""], [])
FIELD = st.text(alphabet='ab ",;x1é', min_size=1, max_size=6).map(str.strip).filter(bool)
ROWS = st.lists(st.tuples(FIELD, FIELD, FIELD), min_size=1, max_size=8)


@pytest.fixture(params=["python", "kernels"])
def way(request, monkeypatch):
    """Both readers."""
    monkeypatch.setattr(readers, "SMALL", 1 << 30 if request.param == "python" else 0)
    monkeypatch.setattr(readers, "COLD", 1 << 30 if request.param == "python" else 0)
    return request.param


def texts(table):
    return {n: table.texts(n) for n in table.columns}


def read(text, **changes):
    """A text as a table, in pieces of a few bytes."""
    heading = Heading(Dialect.of(replace(PLAIN, **changes), "t.csv"), "t.csv")
    found = [t for t in delimited_tables([text[i : i + 7].encode() for i in range(0, len(text), 7)], heading, 100) if t is not None]
    heading.end()
    return texts(joined(found))


def csv_of(rows, **options):
    out = io.StringIO()
    csv.writer(out, lineterminator="\n", **options).writerows([("p", "q", "r"), *rows])
    return out.getvalue()


@settings(max_examples=60, deadline=None)
@given(ROWS)
def test_lines_in_quotes(rows):
    inner = csv_of(rows)
    wrapped = "".join('"' + line.replace('"', '""') + '"\n' for line in inner.splitlines())
    assert read(wrapped, wrapped=True) == read(inner)


@settings(max_examples=60, deadline=None)
@given(ROWS)
def test_columns_of_fixed_widths(rows):
    text = "\n".join("".join(f.ljust(8) for f in row) for row in [("p", "q", "r"), *rows]) + "\r\n"
    assert read(text, widths=[8, 8, 8]) == {n: [r[i] for r in rows] for i, n in enumerate("pqr")}


@settings(max_examples=60, deadline=None)
@given(ROWS.map(lambda rows: [tuple(f.replace('"', "").strip() or "-" for f in r) for r in rows]))
def test_typographic_quotes(rows):
    text = "".join(",".join(f"“{f}”" for f in row) + "\n" for row in [("p", "q", "r"), *rows])
    assert read(text, quote="“”") == {n: [r[i].strip() for r in rows] for i, n in enumerate("pqr")}


RAGGED = "a,b,c\n" + "".join(f"{i},{i / 2},x\n" if i % 10 else f"{i}\n" if i % 20 else f"{i},1,x,2\n" for i in range(1, 100))


def test_ragged_lines(way, tmp_path):
    """Short ones are filled, long ones left out; both are left out; without a word both are refused, and counted."""
    path = tmp_path / "t.csv"
    path.write_text(RAGGED)
    filled = read_table(str(path), replace(PLAIN, ragged="fill"))
    assert len(filled) == 95 and filled.texts("a")[9] == "10" and filled.texts("b")[9] is None
    assert filled.missing("c").sum() == 5 and np.isnan(filled.numbers("b")).sum() == 5 and list(filled.lines[8:11]) == [10, 11, 12]
    assert len(read_table(str(path), replace(PLAIN, ragged="drop"))) == 90
    with pytest.raises(RaggedLines) as raised:
        read_table(str(path), PLAIN)
    assert (raised.value.lines, raised.value.rows, raised.value.short) == (9, 90, False)


def test_a_line_too_long_is_an_error_in_rows_to_predict(way, tmp_path):
    """Each row has its answer there; a short one is filled."""
    path = tmp_path / "t.csv"
    path.write_text("a,b\n1\n2,3\n")
    assert texts(next(streamed(str(path), replace(PLAIN, ragged="fill"), 10))) == {"a": ["1", "2"], "b": [None, "3"]}
    path.write_text("a,b\n1,2,3\n2,3\n")
    with pytest.raises(LayerctlError, match="3 fields where 2"):
        list(streamed(str(path), replace(PLAIN, ragged="fill"), 10))


@pytest.mark.parametrize("ending", ["csv", "jsonl"])
def test_words_missing_in_one_column(way, tmp_path, ending):
    """The same words are values in others; numbers and texts agree on what is missing."""
    rows = [{"n": "none" if i % 3 == 0 else "99" if i % 7 == 1 else str(i), "w": "none" if i % 2 else "99"} for i in range(200)]
    path = tmp_path / f"t.{ending}"
    lines = [json.dumps(r) for r in rows] if ending == "jsonl" else ["n,w", *(f"{r['n']},{r['w']}" for r in rows)]
    path.write_text("\n".join(lines) + "\n")
    own = replace(PLAIN, missing_in={"n": ["none", "99"], "elsewhere": ["1"]})
    for table in (read_table(str(path), own), next(streamed(str(path), own, 1000))):
        wanted = [None if r["n"] in ("none", "99") else r["n"] for r in rows]
        assert table.texts("n") == wanted and table.texts("w") == [r["w"] for r in rows]
        assert table.missing("n").tolist() == [v is None for v in wanted] == np.isnan(table.numbers("n")).tolist()


def test_texts_of_a_column_with_more_holes_than_letters():
    """There is room for all of them: a field that is not there takes none away."""
    word = b"abcdefgh" * 4
    data = np.frombuffer(word + bytes(BEYOND), np.uint8)
    starts, ends = np.zeros((4000, 1), np.int32), np.full((4000, 1), NOT_THERE, np.int32)
    ends[0] = len(word)
    words = Dictionary()
    codes = words.codes(Block(data, starts, ends, np.arange(4000), Dialect.of(PLAIN, "t"), Memory()), 0, 0, 4000)
    assert words.size + BEYOND <= len(words._texts)
    assert words.words() == [word.decode()] and codes[0] == 0 and (codes[1:] == -1).all()
