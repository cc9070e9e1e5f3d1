"""Some rows of a source, from all over it, with what no row before had; their values and places are those of the whole table."""

import numpy as np
import pytest

from layerctl.data.examining import sampling
from layerctl.data.examining.dialect import guess
from layerctl.data.examining.sampling import looked_at
from layerctl.data.fields import merged
from layerctl.data.readers import read_table
from layerctl.data.table import joined


@pytest.fixture(params=["native", "python", "jsonl"])
def source(request, tmp_path):
    """20,000 rows whose words, numbers and gaps come late."""
    rng = np.random.default_rng(0)
    path = tmp_path / ("t.jsonl" if request.param == "jsonl" else "t.csv")
    rows = []
    for i in range(20_000):
        number = "" if i == 19_000 else "oops" if i == 18_000 else f"{rng.normal():.4f}"
        rows.append((number, "late" if i == 17_000 else "ab"[i % 2], str(7 if i == 16_000 else i % 2), f"say \"{i}\", he said"))
    names = ("x", "kind", "class", "text")
    if request.param == "jsonl":
        import json

        path.write_text("".join(json.dumps(dict(zip(names, r, strict=True))) + "\n" for r in rows))
    else:
        sign = "," if request.param == "native" else "¦"
        quoted = [(*r[:3], '"' + r[3].replace('"', '""') + '"') for r in rows]
        path.write_text("\n".join(sign.join(r) for r in [names, *quoted]) + "\n")
    return str(path), request.param


def reading_of(path, how):
    from dataclasses import replace

    found = guess(path).reading
    return replace(found, delimiter="¦", columns=None) if how == "python" else found


def test_rows_are_those_of_the_file(source):
    path, how = source
    reading = reading_of(path, how)
    whole = read_table(path, reading)
    some = looked_at(path, reading, 1500)
    assert some.whole == 20_000 and 600 < len(some) < 2500
    rows = np.searchsorted(np.asarray(whole.lines), np.asarray(some.lines))
    assert (np.diff(rows) > 0).all() and rows[-1] == 19_999
    for name in whole.columns:
        texts = whole.texts(name)
        assert some.texts(name) == [texts[i] for i in rows.tolist()]
        assert [some.columns[name][i] for i in range(0, len(some), 100)] == [texts[i] for i in rows[::100].tolist()]
    assert {16_000, 17_000, 18_000, 19_000} <= set(rows.tolist()), "a number, a word, a word among numbers, a gap that no row before had"
    assert abs(float(rows.mean()) - 10_000) < 1_500, "they are from all over the file"
    assert list(looked_at(path, reading, 1500).lines) == list(some.lines)


def test_few_rows_are_all(source):
    path, how = source
    found = looked_at(path, reading_of(path, how))
    assert found.whole is None and len(found) == 20_000


def test_of_targets_all_classes_are_among_them(tmp_path, monkeypatch):
    monkeypatch.setattr(sampling, "FOR_NEW", 0.0)
    path = tmp_path / "t.csv"
    path.write_text("x,y\n" + "".join(f"{i},{'rare' if i == 29_999 else 'common'}\n" for i in range(30_000)) + "1,common\n")
    reading = guess(str(path)).reading
    assert "rare" in looked_at(str(path), reading, 100, ["y"]).texts("y")


def test_blocks_as_one(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("a,b,c\n" + "".join(f'{i},"x ""{i % 7}""",{"" if i % 5 else i / 8}\n' for i in range(90_000)))
    reading = guess(str(path)).reading
    whole = read_table(str(path), reading)
    one = merged(whole)
    assert one is not whole, "the table has several blocks"
    for name in whole.columns:
        assert one.texts(name) == whole.texts(name) and one.having(name, frozenset({'x "3"', "5", "no"})) == whole.having(name, frozenset({'x "3"', "5", "no"}))
    np.testing.assert_array_equal(one.numbers("c"), whole.numbers("c"))
    assert joined([one, whole]).texts("b") == whole.texts("b") * 2
