"""The order of rows: small data as a whole, large data piece by piece; the same from memory and from a mapped file; each row once."""

import mmap

import numpy as np
import pytest

from layerctl import randoms
from layerctl.data.rows import Dataset
from layerctl.training import order
from layerctl.training.order import Ahead, row_order, width_of


def rows(n, width=16):
    return Dataset.of_arrays({"x": np.zeros((n, width), np.float32)}, {"y": np.zeros(n, np.int32)})


@pytest.fixture
def small(monkeypatch):
    """Sizes at which a few thousand rows are large."""
    monkeypatch.setattr(order, "WHOLE", 1 << 16)
    monkeypatch.setattr(order, "PIECE", 1 << 12)
    monkeypatch.setattr(order, "WINDOW", 1 << 14)


def test_small_data_is_shuffled_as_a_whole():
    expected = randoms.permutation(randoms.key_of(7, "order"), 1000, 2)
    assert (row_order(7, rows(1000), 2, True) == expected).all()
    assert (row_order(7, rows(1000), 2, False) == np.arange(1000)).all()


@pytest.mark.parametrize("n", [965, 4096, 10_007])
def test_large_data_is_shuffled_in_windows_of_pieces(small, n):
    found = row_order(7, rows(n), 0, True)
    assert (np.sort(found) == np.arange(n)).all()
    piece = order.PIECE // width_of(rows(n))
    window = piece * (order.WINDOW // order.PIECE)
    for at in range(0, n - window, window):
        inside = found[at : at + window - piece]
        assert len(np.unique(inside // piece)) <= 2 * order.WINDOW // order.PIECE
    assert np.abs(np.diff(found[:window])).mean() > piece / 4
    assert (found != row_order(7, rows(n), 1, True)).any() and (found != row_order(8, rows(n), 0, True)).any()
    assert (found == row_order(7, rows(n), 0, True)).all()


def test_rows_are_asked_for_before_they_are_visited(small, tmp_path, monkeypatch):
    n, asked = 5000, []
    path = tmp_path / "rows"
    path.write_bytes(np.zeros((n, 16), np.float32).tobytes())
    with open(path, "rb") as file:
        x = np.frombuffer(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ), np.float32).reshape(n, 16)
    data = Dataset.of_arrays({"x": x}, {})
    visits = row_order(3, data, 0, True)
    real = order._advise()
    assert real is not None
    monkeypatch.setattr(order, "_advise", lambda: lambda *args: asked.append(args) or real(*args))
    ahead, address = Ahead(data, visits), x.ctypes.data
    for at in range(0, n, 100):
        ahead.reached(at)
        for row in visits[at : at + 100]:
            first, last = address + int(row) * 64, address + int(row) * 64 + 63
            assert any(low <= first and last < low + length for low, length, what in asked if what == mmap.MADV_WILLNEED)
    assert all(real(*args) == 0 for args in asked if args[2] == mmap.MADV_WILLNEED)
    assert sum(length for _, length, what in asked if what == mmap.MADV_WILLNEED) < 4 * x.nbytes


def test_rows_in_memory_and_small_files_are_not_asked_for(small, monkeypatch):
    asked = []
    monkeypatch.setattr(order, "_advise", lambda: lambda *args: asked.append(args))
    Ahead(rows(5000), row_order(1, rows(5000), 0, True)).reached(0)
    Ahead(rows(100), row_order(1, rows(100), 0, True)).reached(0)
    assert not asked
