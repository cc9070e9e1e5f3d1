"""Maxima over windows of lines of channels, and their gradient: the plain Python twins."""

from __future__ import annotations

import numpy as np


def max_line(
    columns: int, outputs: int, x: np.ndarray, x_step: int, planes: int, plane_step: int, rows: int, row_step: int, across: int, out: np.ndarray
) -> None:  # fmt: skip
    """out[o, c] = the largest of x[o x_step + p plane_step + r row_step + t columns + c], or NaN if one of them is."""
    for o in range(outputs):
        for c in range(columns):
            best = x[o * x_step + c]
            for p in range(planes):
                for r in range(rows):
                    for t in range(across):
                        value = x[o * x_step + p * plane_step + r * row_step + t * columns + c]
                        best = best if best >= value or best != best else value
            out[o * columns + c] = best


def max_gradient_line(
    columns: int, outputs: int, x: np.ndarray, x_step: int, planes: int, plane_step: int, rows: int, row_step: int, across: int, g: np.ndarray,
    dx: np.ndarray, keep: int,
) -> None:  # fmt: skip
    """dx (+)= g[o, c] where x is the first largest of window o (a NaN is larger than all), else 0; places as in `max_line`."""
    for o in range(outputs):
        for c in range(columns):
            taken = o * x_step + c
            for p in range(planes):
                for r in range(rows):
                    for t in range(across):
                        at = o * x_step + p * plane_step + r * row_step + t * columns + c
                        if x[at] > x[taken] or (x[at] != x[at] and x[taken] == x[taken]):
                            taken = at
                        if keep == 0:
                            dx[at] = 0
            dx[taken] += g[o * columns + c]
