"""Sums and extremes of neighbouring numbers: the plain Python twins. Sixteen lanes and a fixed tree, whatever the machine's vectors."""

from __future__ import annotations

import numpy as np

LANES = 16


def row_max(n: int, x: np.ndarray) -> float:
    """The largest of x[:n], NaN aside; -inf where there is none."""
    best = -np.inf
    for i in range(n):
        best = x[i] if x[i] > best else best
    return best


def row_sum(n: int, x: np.ndarray) -> float:
    """The sum of x[:n] in float64: lane i % 16 in ascending order, then the upper half of the lanes onto the lower, four times."""
    return _tree([float(x[i]) for i in range(n)])


def row_dot(n: int, a: np.ndarray, b: np.ndarray) -> float:
    """The sum of a[:n] * b[:n] in float64, the products too, in the order of `row_sum`."""
    return _tree([float(a[i]) * float(b[i]) for i in range(n)])


def _tree(terms: list[float]) -> float:
    lanes = [0.0] * LANES
    for i, term in enumerate(terms):
        lanes[i % LANES] += term
    width = LANES
    while width > 1:
        width //= 2
        lanes = [lanes[i] + lanes[i + width] for i in range(width)]
    return lanes[0]
