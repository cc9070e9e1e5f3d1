"""Sums whose bits are the same on every machine (pairs of halves, down to single numbers); how many numbers are different, and which is most frequent."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np

from layerctl.randoms import total

_BLOCK = 1 << 17
_MIXING = np.uint64(0x9E3779B97F4A7C15)
MANY = 100_000
"""Different numbers up to which they are counted."""
_TOGETHER = 1 << 19
"""About so many different numbers are counted at a time: some 20 MB, whatever the length of a column."""


def mean_and_deviation(x: np.ndarray) -> tuple[float, float]:
    """(mean, standard deviation); a deviation of 0 becomes 1, so that a constant column stays finite."""
    n = max(x.size, 1)
    mean = total(x) / n
    spread = float(np.sqrt(total(x, lambda v: (v - mean) ** 2) / n))
    return mean, spread if spread > 1e-12 * max(1.0, abs(mean)) else 1.0


def median(x: np.ndarray) -> float:
    """The middle value, or the mean of the two middle ones."""
    ordered = np.sort(x.ravel())
    half = len(ordered) // 2
    return float(ordered[half]) if len(ordered) % 2 else float((ordered[half - 1] + ordered[half]) / 2.0)


def quantile(x: np.ndarray, q: float) -> float:
    """The value below which the share q of all values is, between the two nearest by a straight line (as numpy's default)."""
    ordered = np.sort(x.ravel())
    at = q * (len(ordered) - 1)
    low = int(at)
    high = min(low + 1, len(ordered) - 1)
    return float(ordered[low] + (ordered[high] - ordered[low]) * (at - low))


def middle_and_width(x: np.ndarray) -> tuple[float, float]:
    """(median, width of the middle half of the numbers), neither of which a few far numbers can move.

    Where more than half of the numbers are the same, the width is the median distance of the others from it; 1 for a constant column.
    """
    ordered = np.sort(x.ravel())
    middle, n = median(x), len(ordered)
    width = float(ordered[(3 * n - 1) // 4] - ordered[n // 4])
    if not width > 0.0:
        apart = np.abs(ordered - middle)
        apart = apart[apart > 0.0]
        width = median(apart) if len(apart) else 1.0
    return middle, width


def distinct(x: np.ndarray) -> int:
    """How many different numbers there are; none of them NaN. Of more than MANY no more are counted."""
    found = _merged(_block(x, low, 0, 1) for low in range(0, len(x), _BLOCK))
    return MANY if found is None else min(len(found[0]), MANY)


def most_frequent(x: np.ndarray) -> float:
    """The number that occurs most often, the least of several; none of them NaN."""
    best = (0, 0.0)
    for values, counts in _counted(x):
        at = int(np.argmax(counts))
        best = min(best, (-int(counts[at]), float(values[at])))
    return best[1]


def _counted(x: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """(different numbers, how often each occurs), together or, where there are many, in groups by their bits: equal numbers are in one group."""
    whole = _merged(_block(x, low, 0, 1) for low in range(0, len(x), _BLOCK))
    if whole is not None:
        yield whole
        return
    groups = 1 + len(x) // _TOGETHER
    for group in range(groups):
        found = _merged((_block(x, low, group, groups) for low in range(0, len(x), _BLOCK)), bounded=False)
        assert found is not None
        if len(found[0]):
            yield found


def _block(x: np.ndarray, low: int, group: int, groups: int) -> np.ndarray:
    """Of a block of numbers those that are in a group."""
    block = x[low : low + _BLOCK] + 0.0  # 0 and -0 are equal
    if groups == 1:
        return block
    return block[((block.view(np.uint64) * _MIXING) >> np.uint64(40)) % np.uint64(groups) == group]


def _merged(blocks: Iterable[np.ndarray], bounded: bool = True) -> tuple[np.ndarray, np.ndarray] | None:
    """(different numbers, counts) of all blocks; None where they are more than are kept at a time."""
    values, counts = np.zeros(0), np.zeros(0, np.int64)
    waiting: list[tuple[np.ndarray, np.ndarray]] = []
    for block in blocks:
        waiting.append(np.unique(block, return_counts=True))
        if sum(len(v) for v, _ in waiting) > len(values) + _BLOCK:
            values, counts = _joined([(values, counts), *waiting])
            waiting = []
        if bounded and len(values) > MANY:
            return None
    return _joined([(values, counts), *waiting])


def _joined(parts: list[tuple[np.ndarray, np.ndarray]]) -> tuple[np.ndarray, np.ndarray]:
    values = np.concatenate([v for v, _ in parts])
    order = np.argsort(values, kind="stable")
    ordered, counts = values[order], np.concatenate([c for _, c in parts])[order]
    first = np.flatnonzero(np.append(True, ordered[1:] != ordered[:-1])[: len(ordered)])
    return ordered[first], np.add.reduceat(counts, first) if len(first) else counts
