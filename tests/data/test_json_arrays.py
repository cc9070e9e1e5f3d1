"""JSON arrays of objects are read as the same objects a line, however they are written and cut into pieces."""

import itertools
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from layerctl.data.jsonarrays import as_lines, begins_as_json
from layerctl.data.jsonlines import json_tables
from layerctl.data.readers import object_tables, read_table
from layerctl.data.table import joined
from layerctl.diagnostics import LayerctlError
from layerctl.spec.data import DataSpec

VALUE = st.none() | st.booleans() | st.integers(-1000, 1000) | st.floats(-1e6, 1e6) | st.text(st.characters(exclude_categories=["Cs"]), max_size=6)
ROWS = st.lists(st.fixed_dictionaries({"a": VALUE, "b \n\"": VALUE}), min_size=1, max_size=12)


def cut(data, places):
    """Data in pieces of UTF-8, cut between characters."""
    text = data.decode()
    bounds = [0, *sorted(p % (len(text) + 1) for p in places), len(text)]
    return [text[a:b].encode() for a, b in itertools.pairwise(bounds) if a < b]


def refusal(text):
    with pytest.raises(LayerctlError) as caught:
        list(as_lines([text.encode()], "t.json"))
    return caught.value.diagnostics[0].first_line()


@settings(max_examples=100, deadline=None)
@given(ROWS, st.sampled_from([None, 0, 2, "\t"]), st.booleans(), st.lists(st.integers(0, 10_000), max_size=8), st.sampled_from(["\n", "\r\n", "\r"]))
def test_an_array_is_its_elements_a_line(rows, indent, escaped, places, end):
    text = json.dumps(rows, indent=indent, ensure_ascii=escaped).replace("\n", end) + end
    found = joined([t for t in object_tables(cut(text.encode(), places), "t", frozenset({""}), None) if t is not None])
    wanted = joined(list(json_tables(["".join(json.dumps(r) + "\n" for r in rows).encode()], "t", frozenset({""}), None)))
    assert {n: found.texts(n) for n in found.columns} == {n: wanted.texts(n) for n in wanted.columns}
    if indent is not None:
        starts = [i for i, line in enumerate(text.replace("\r\n", "\n").replace("\r", "\n").split("\n"), 1) if line.strip() == "{"]
        assert list(found.lines) == starts


@pytest.mark.parametrize("text", ['{"a": 1}\n{"a": 2}\n', "a,b\n1,2\n", "\n\n", ""])
def test_all_else_is_as_it_is(text):
    assert b"".join(as_lines([text[:1].encode(), text[1:].encode()], "t")) == text.encode()


@pytest.mark.parametrize(("text", "says"), [
    ('[{"a": 1},\n {"a": }]', "t.json:2:8: error: this array is not JSON: Expecting value [data-syntax]"),
    ('[{"a": 1}\n {"a": 2}]', "t.json:2:2: error: this array is not JSON: a comma is missing between elements [data-syntax]"),
    ('[{"a": 1},, {"a": 2}]', "t.json:1:11: error: this array is not JSON: an element is missing before a comma [data-syntax]"),
    ('[{"a": 1},\n{"a": 2}', "t.json:2:9: error: this array is not JSON: the array is not closed [data-syntax]"),
    ('[{"a": 1}]\n[', "t.json:2:1: error: this array is not JSON: something stands behind the array's end [data-syntax]"),
    (f'[{"[" * 100_000}', "t.json:1:2: error: this array is not JSON: it is nested too deeply [data-syntax]"),
])  # fmt: skip
def test_arrays_that_are_none(text, says):
    assert refusal(text) == says


@pytest.mark.parametrize(("text", "says"), [
    ('[1, 2]', "t.json:1:1: error: a line must be a JSON object, got list"),
    ('{\n "data": [{"a": 1}]\n}', "t.json:1:1: error: this line is not JSON: an object begins here that goes on in other lines"),
    ('{"a": {"0": 1}, "b": {"0": 2}}', "t.json:1:1: error: the values of this object are objects: it has columns, and no rows"),
])  # fmt: skip
def test_json_without_rows(tmp_path, text, says):
    (tmp_path / "t.json").write_text(text)
    with pytest.raises(LayerctlError) as caught:
        read_table("t.json", DataSpec(source="t.json", features={"x": {}}).reading(), tmp_path)
    assert says in caught.value.diagnostics[0].first_line()


@pytest.mark.parametrize(("text", "is_json"), [
    ('[{"a"', True), ("[\n", True), (' {"a": 1}', True), ("{\n", True), ("\ufeff[[1]]", True), ("[a],b\n", False), ("{x},y\n", False), ("a,b\n[1]", False),
])  # fmt: skip
def test_what_begins_as_json(text, is_json):
    assert begins_as_json(text.encode()) == is_json
