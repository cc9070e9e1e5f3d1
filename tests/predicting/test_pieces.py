"""Pieces of streams: which batches they are cut into, who reads ahead, what bad rows become."""

import threading
import time

import pytest

from layerctl.data.faults import Faults
from layerctl.data.table import Table
from layerctl.diagnostics import Diagnostic, LayerctlError
from layerctl.predicting.ahead import ahead
from layerctl.predicting.sizes import runs


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
