"""Maxima over windows of lines of channels, and their gradient: the plain Python twins."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import numpy as np


def max_line(
    columns: int, outputs: int, x: np.ndarray, x_step: int, planes: int, plane_step: int, rows: int, row_step: int, across: int, out: np.ndarray
) -> None:  # fmt: skip
    """out[o, c] = the largest of x[o x_step + p plane_step + r row_step + t columns + c], or NaN if one of them is."""
    for o, c in itertools.product(range(outputs), range(columns)):
        best = x[o * x_step + c]
        for at in places(o * x_step + c, columns, planes, plane_step, rows, row_step, across):
            best = best if best >= x[at] or best != best else x[at]
        out[o * columns + c] = best


def max_gradient_line(
    columns: int, outputs: int, x: np.ndarray, x_step: int, planes: int, plane_step: int, rows: int, row_step: int, across: int, g: np.ndarray,
    dx: np.ndarray, keep: int,
) -> None:  # fmt: skip
    """dx (+)= g[o, c] where x is the first largest of window o (a NaN is larger than all), else 0; places as in `max_line`."""
    for o, c in itertools.product(range(outputs), range(columns)):
        taps = list(places(o * x_step + c, columns, planes, plane_step, rows, row_step, across))
        taken = taps[0]
        for at in taps:
            taken = at if x[at] > x[taken] or (x[at] != x[at] and x[taken] == x[taken]) else taken
        for at in taps:
            here = g[o * columns + c] if at == taken else g.dtype.type(0)
            dx[at] = dx[at] + here if keep else here


def places(start: int, step: int, planes: int, plane_step: int, rows: int, row_step: int, across: int) -> Iterator[int]:
    """Elements of a window in order."""
    for p, r, t in itertools.product(range(planes), range(rows), range(across)):
        yield start + p * plane_step + r * row_step + t * step
