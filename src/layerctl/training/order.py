"""The order in which training visits rows: all of them at random, or, of more than memory may hold, piece by piece, so that disks can follow.

Rows of `WHOLE` bytes and more are seen as pieces of neighbours. Each epoch takes the pieces in random order, as many at a time as make a
window, and within a window its rows in random order. The order depends on the seed, the epoch, the number of rows and their width alone: it is
the same whether rows are in memory or in a mapped file.
"""

from __future__ import annotations

import contextlib
import ctypes
import mmap
import os
from typing import Any

import numpy as np

from layerctl import randoms
from layerctl.data.rows import Dataset

WHOLE, PIECE, WINDOW = 1 << 28, 1 << 18, 1 << 25
"""Bytes: of rows that are shuffled as a whole, at most; of a piece; of the pieces that are shuffled together."""


def row_order(seed: int, rows: Dataset, epoch: int, shuffle: bool) -> np.ndarray:
    """The rows' numbers, (rows,) int64, as an epoch (from 0) visits them."""
    n, width = len(rows), width_of(rows)
    if not shuffle:
        return np.arange(n, dtype=np.int64)
    key = randoms.key_of(seed, "order")
    if n * width <= WHOLE:
        return randoms.permutation(key, n, epoch)
    piece = max(1, PIECE // width)
    pieces = randoms.permutation(randoms.key_of(seed, "order of pieces"), -(-n // piece), epoch)
    words, out, at = randoms.bits(key, n, epoch), np.empty(n, np.int64), 0
    for low in range(0, len(pieces), WINDOW // PIECE):
        firsts = pieces[low : low + WINDOW // PIECE] * piece
        inside = (firsts[:, None] + np.arange(piece)).reshape(-1)
        inside = inside[inside < n]
        end = at + len(inside)
        out[at:end] = inside[np.argsort(words[at:end], kind="stable")]
        at = end
    return out


def arrays_of(rows: Dataset) -> list[np.ndarray]:
    """All arrays of the rows."""
    return [*rows.inputs.values(), *rows.targets.values(), *([] if rows.weights is None else [rows.weights])]


def width_of(rows: Dataset) -> int:
    """Bytes of one row in all arrays; at least 1."""
    return max(1, sum(a.nbytes for a in arrays_of(rows)) // max(len(rows), 1))


_COLD = 20
"""Linux's MADV_COLD: pages that were used often are as free to be dropped as any. Where it is unknown it does nothing."""


class Ahead:
    """Has the system read the rows of mapped files that an epoch visits next, while those before are trained on, and drop these first."""

    def __init__(self, rows: Dataset, order: np.ndarray):
        self._arrays, self._order = [a for a in arrays_of(rows) if is_mapped(a)], order
        self._asked = self._left = 0
        width = width_of(rows)
        self._piece = max(1, PIECE // width)
        self._window = self._piece * (WINDOW // PIECE)
        self._advise = _advise() if len(rows) * width > WHOLE and self._arrays else None
        for array in self._arrays if self._advise is not None else ():
            self._say(array, 0, len(array), mmap.MADV_RANDOM)  # no reading around each row

    def reached(self, at: int) -> None:
        """Rows up to place `at` of the order were visited."""
        if self._advise is None:
            return
        while self._left + self._window <= at:
            self._tell(self._left, _COLD)
            self._left += self._window
        self._asked = max(self._asked, self._left)
        while self._asked < min(at + 2 * self._window, len(self._order)):
            self._tell(self._asked, mmap.MADV_WILLNEED)
            self._asked += self._window

    def _tell(self, place: int, what: int) -> None:
        """Tells the system about the pieces of the window at a place of the order."""
        for piece in np.unique(self._order[place : place + self._window] // self._piece):
            for array in self._arrays:
                self._say(array, int(piece) * self._piece, self._piece, what)

    def _say(self, array: np.ndarray, first: int, rows: int, what: int) -> None:
        """Tells the system about some rows of an array."""
        assert self._advise is not None
        start = array.ctypes.data + first * array.strides[0]
        end = min(start + rows * array.strides[0], array.ctypes.data + array.nbytes)
        low = start // mmap.PAGESIZE * mmap.PAGESIZE
        self._advise(low, end - low, what)


def is_mapped(array: np.ndarray) -> bool:
    """Whether an array's memory is a file's."""
    base: Any = array
    while isinstance(base, np.ndarray):
        base = base.base
    return isinstance(base.obj if isinstance(base, memoryview) else base, mmap.mmap)


def _advise() -> Any:
    """The system's `madvise`, where there is one."""
    if os.name != "posix" or not hasattr(mmap, "MADV_WILLNEED"):
        return None
    with contextlib.suppress(AttributeError, OSError):
        function = ctypes.CDLL(None).madvise
        function.argtypes, function.restype = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int], ctypes.c_int
        return function
    return None
