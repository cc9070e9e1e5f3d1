"""Pieces of streams: which batches they are cut into, who reads ahead, what bad rows become."""

import threading
import time

import pytest

from layerctl.data.dataset import load
from layerctl.data.faults import Faults
from layerctl.data.pieces import pieces
from layerctl.data.table import Table
from layerctl.diagnostics import Diagnostic, LayerctlError
from layerctl.predicting.ahead import ahead
from layerctl.predicting.sizes import runs
from layerctl.spec.data import DataSpec


@pytest.mark.parametrize("arriving", [False, True])
def test_batches_have_all_rows_and_streams_few_sizes(arriving):
    sizes = set()
    for n in range(1, 2000, 7):
        cut = runs(n, 256, arriving)
        assert sum(size * times for size, times in cut) == n
        sizes |= {size for size, _ in cut}
    assert len(sizes) == 9 if arriving else len(sizes) > 100


def test_pieces_come_in_order_and_are_made_ahead():
    threads = []

    def made():
        for i in range(20):
            threads.append(threading.current_thread().name)
            yield i

    assert list(ahead(made())) == list(range(20))
    assert threads[0] == "MainThread" and set(threads[1:]) == {"layerctl-reader"}
    assert list(ahead(iter(()))) == []


def test_an_error_comes_in_its_place_and_memory_is_bounded():
    begun = []

    def made():
        for i in range(100):
            begun.append(i)
            if i == 5:
                raise ValueError("five")
            yield i

    got = []
    with pytest.raises(ValueError, match="five"):
        for piece in ahead(made()):
            got.append(piece)
    assert got == [0, 1, 2, 3, 4]
    begun.clear()
    pieces = ahead(x for x in (begun.append(i) or i for i in range(100)))
    next(pieces)
    time.sleep(0.3)
    assert len(begun) <= 5
    pieces.close()
    assert not any(t.name == "layerctl-reader" for t in threading.enumerate())


def table(values):
    return Table("t", {"a": values}, list(range(2, 2 + len(values))))


def test_bad_rows_are_found_whether_or_not_the_mistake_names_them():
    def named(t):
        return t.numbers("a")

    def unnamed(t):
        try:
            return t.numbers("a")
        except LayerctlError as error:
            raise LayerctlError(error.diagnostics) from None

    values = ["1", "x", "3", "y", "5"]
    for use in (named, unnamed):
        faults = Faults("null")
        found, rows = faults.good(table(values), use)
        assert rows.tolist() == [0, 2, 4] and found.tolist() == [1.0, 3.0, 5.0] and faults.count == 2
        with pytest.raises(LayerctlError):
            Faults("fail").good(table(values), use)
    none, rows = Faults("skip").good(table(["x", "y"]), named)
    assert none is None and not len(rows)


def test_lines_that_were_no_rows_count_once():
    faults = Faults("skip")
    wrong = Diagnostic("data-ragged", "2 fields where 1 column is expected")
    assert faults.unread(wrong, 3) and faults.unread(wrong, 9) and not Faults("fail").unread(wrong, 3)
    _, rows = faults.good(table(["1", "2", "3"]), lambda t: t.numbers("a"))
    assert rows.tolist() == [0, 2] and faults.lines == [9] and faults.count == 2


@pytest.mark.parametrize(
    "name, text, place, says",
    [
        ("in.jsonl", '{"a": [1, 2], "b": 1}\n', ":1:1", r"column 'a': '\[1.0, 2.0\]' is a list, expected a number"),
        ("in.jsonl", '{"a": [], "b": 1}\n', ":1:1", r"column 'a': '\[\]' is a list, expected a number"),
        ("in.csv", "A,b\n", ":1:1", "lack the column 'a' of the feature 'x'; did you mean 'A'"),
        ("in.csv", "x,b\n", ":1:1", "lack the column 'a' of the feature 'x'"),
        ("in.csv", "a,b\n", None, ""),
    ],
)
def test_inputs_that_are_none_are_told_with_their_place(name, text, place, says, tmp_path):
    (tmp_path / "t.csv").write_text("a,b,y\n1,2,0\n2,3,1\n4,5,1\n")
    spec = DataSpec(source="t.csv", features={"x": {"columns": ["a", "b"]}}, target="y")
    schema = load(spec, 0, lambda *p: None, tmp_path, {}).schema
    (tmp_path / name).write_text(text)
    if place is None:
        assert list(pieces(str(tmp_path / name), schema, spec.reading(), 8)) == []
        return
    with pytest.raises(LayerctlError, match=says) as told:
        list(pieces(str(tmp_path / name), schema, spec.reading(), 8))
    assert str(told.value.diagnostics[0].span).endswith(name + place) and told.value.diagnostics[0].hint
