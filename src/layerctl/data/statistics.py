"""Sums whose bits are the same on every machine: pairs of halves, down to single numbers."""

from __future__ import annotations

import numpy as np


def total(x: np.ndarray) -> float:
    """The sum of float64 numbers by a fixed tree."""
    x = x.astype(np.float64).ravel()
    while len(x) > 1:
        if len(x) % 2:
            x = np.append(x, 0.0)
        x = x[0::2] + x[1::2]
    return float(x[0]) if len(x) else 0.0


def mean_and_deviation(x: np.ndarray) -> tuple[float, float]:
    """(mean, standard deviation); a deviation of 0 becomes 1, so that a constant column stays finite."""
    n = max(x.size, 1)
    mean = total(x) / n
    spread = float(np.sqrt(total((x.ravel() - mean) ** 2) / n))
    return mean, spread if spread > 1e-12 * max(1.0, abs(mean)) else 1.0


def median(x: np.ndarray) -> float:
    """The middle value, or the mean of the two middle ones."""
    ordered = np.sort(x.ravel())
    half = len(ordered) // 2
    return float(ordered[half]) if len(ordered) % 2 else float((ordered[half - 1] + ordered[half]) / 2.0)
