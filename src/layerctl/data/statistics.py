"""Sums whose bits are the same on every machine: pairs of halves, down to single numbers."""

from __future__ import annotations

import numpy as np

from layerctl.randoms import total


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
