"""JSON lines by the kernels against Python's json: the same tables, the same complaints, whatever the lines."""

import itertools
import json
import math

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from layerctl.data.faults import Faults
from layerctl.data.flat import flat_tables
from layerctl.data.jsonlines import json_tables
from layerctl.data.readers import read_table
from layerctl.data.table import joined
from layerctl.diagnostics import LayerctlError
from layerctl.spec.data import DataSpec

MISSING = frozenset(["?", ""])
TEXT = st.text(alphabet=st.sampled_from(list('ab1,"\\\n\t ?{}é \u2003€\U0001f600')), max_size=6)
VALUE = st.none() | st.booleans() | st.integers(-(10**20), 10**20) | st.floats() | TEXT
ROW = st.dictionaries(st.sampled_from(["a", "b", "kéy", "", "long name of a column that is a word and more"]), VALUE, max_size=5)


def told(make):
    """A table's columns and lines, or what is wrong with it."""
    try:
        found = [t for t in make if t is not None]
    except LayerctlError as error:
        return [d.render() for d in error.diagnostics]
    if not found:
        return None
    table = joined(found)
    texts = {n: table.texts(n) for n in sorted(table.columns)}
    return {n: c for n, c in texts.items() if any(v is not None for v in c)}, list(map(int, table.lines))


def both(data, cuts=()):
    """What Python's reader and the kernels make of bytes that come in some pieces."""
    marks = [0, *sorted(c for c in cuts if c < len(data)), len(data)]
    pieces = [data[a:b] for a, b in itertools.pairwise(marks) if a < b]
    return told(json_tables([data], "t", MISSING, None)), told(flat_tables(pieces, "t", MISSING))


@settings(max_examples=400, deadline=None)
@given(st.lists(ROW, min_size=1, max_size=6), st.sampled_from([(",", ":"), (", ", ": "), (" ,\t", " : ")]), st.booleans(),
       st.sampled_from(["\n", "\r\n", "\n\n"]), st.lists(st.integers(1, 200), max_size=3))  # fmt: skip
def test_what_json_writes_comes_back(rows, separators, escaped, end, cuts):
    data = "".join(json.dumps(r, separators=separators, ensure_ascii=escaped) + end for r in rows).encode()
    plain, native = both(data, cuts)
    assert native == plain
    if native is not None:
        for name, values in native[0].items():
            assert values == [written(r.get(name)) for r in rows]


def written(value):
    """A value as a table has it."""
    if value is None or (isinstance(value, float) and not math.isfinite(value)):
        return None
    text = value.strip() if isinstance(value, str) else json.dumps(value)
    return None if text in MISSING else text


LINE = st.text(alphabet=st.sampled_from(list('{}":,ab10.-+eE \\n\t[]tru')), max_size=30)


@settings(max_examples=600, deadline=None)
@given(st.lists(LINE | st.sampled_from(['{"a":1}', '{"a": "x", "b": 2.50}', '{"a":[1,2]}', '{"a":1,"a":2}', "\u2003"]), min_size=1, max_size=5),
       st.lists(st.integers(1, 60), max_size=2))  # fmt: skip
@example(['{"a":-0}', '{"a":01}', '{"a":1e999}', '{"a":1.}'], [])
@example(['{"a":1}', '{"a":1,}'], [9])
@example(['{"a":true}', '{"a":tru}', '{"a":null }'], [])
def test_any_lines_are_read_alike_or_refused(lines, cuts):
    plain, native = both("\n".join(lines).encode(), cuts)
    several = any("[" in line for line in lines) and isinstance(plain, list)  # of several mistakes lists are found in another order
    assert native == plain or (several and isinstance(native, list))


@pytest.mark.parametrize("text", ["0", "-1.50", "1e5", "1E-7", "12345678901234567890", "0.1000000000000000055", "9007199254740993", "123.456"])
def test_numbers_are_kept_as_they_are_written_and_rounded_as_python_rounds_them(text):
    table = joined([t for t in flat_tables([b'{"x":' + text.encode() + b"}\n"] * 3, "t", MISSING) if t is not None])
    assert table.texts("x") == [text] * 3 and table.numbers("x").tolist() == [float(text)] * 3 and table.is_numeric("x")


def test_keys_that_come_later_are_columns_and_bad_lines_are_passed_over():
    blocks = [b'{"a":1}\n' * 50, b'{"a":2,"b":"x"}\nno row\n', b'{"b":"y","a":3}\n' * 20]
    faults = Faults("skip")
    table = joined([t for t in flat_tables(blocks, "t", MISSING, faults) if t is not None])
    assert table.texts("a") == ["1"] * 50 + ["2", None] + ["3"] * 20 and table.texts("b") == [None] * 50 + ["x", None] + ["y"] * 20
    assert faults.count == 1 and faults.shown[0].span.line == 52 and list(table.lines) == list(range(1, 73))


def test_lists_are_arrays_all_the_way_or_not_at_all():
    rows = b'{"v":[1,2.5],"n":1.50}\n'
    table = joined([t for t in flat_tables([rows * 3, rows * 2], "t", MISSING) if t is not None])
    assert table.columns["v"].tolist() == [[1, 2.5]] * 5 and table.texts("n") == ["1.50"] * 5
    with pytest.raises(LayerctlError, match="holds lists in some rows only"):
        list(flat_tables([rows * 3, b'{"v":1,"n":2}\n'], "t", MISSING))


def test_many_names_and_few_values_take_no_more_room_than_the_text():
    wide = json.dumps({f"column {i}": i for i in range(2000)}).encode() + b"\n"
    table = joined([t for t in flat_tables([wide + b'{"column 7": 1}\n' * 5000], "t", MISSING) if t is not None])
    assert len(table) == 5001 and table.numbers("column 7")[-1] == 1 and np.isnan(table.numbers("column 8")[1:]).all()


@pytest.mark.parametrize("lines", [0, 20_000], ids=["python", "kernels"])
@pytest.mark.parametrize(("line", "column"), [
    ('{"a": 1, "b": 2, "a": 3}', 18), ('{"b": 2, "a": {"k": [1, {"k": 1}], "j": "}", "k" : 2}}', 46), (r'{"a": 1, "\u0061": "\""}', 10),
])  # fmt: skip
def test_a_key_twice(tmp_path, lines, line, column):
    path = tmp_path / "rows.jsonl"
    path.write_text('{"a": 1, "b": 2}\n' * lines + line + "\n")
    with pytest.raises(LayerctlError) as caught:
        read_table(str(path), DataSpec(source=str(path), features={"x": {}}).reading())
    (found,) = caught.value.diagnostics
    assert found.code == "data-duplicate-key" and (found.span.line, found.span.column) == (lines + 1, column) and found.hint


def test_half_of_a_character(tmp_path):
    path = tmp_path / "rows.jsonl"
    path.write_text('{"a": "\\ud83d\\ude00"}\n{"a": "\\ud83d"}\n')
    with pytest.raises(LayerctlError) as caught:
        read_table(str(path), DataSpec(source=str(path), features={"x": {}}).reading())
    assert caught.value.diagnostics[0].span.line == 2
    path.write_text('{"a": "\\ud83d\\ude00"}\n')
    assert read_table(str(path), DataSpec(source=str(path), features={"x": {}}).reading()).texts("a") == ["\U0001f600"]
