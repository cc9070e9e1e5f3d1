"""Tiles of Winograd's convolution F(2×2, 3×3): the plain Python twins.

Four outputs of a 3×3 kernel, a square of two by two, take 16 products for each pair of channels in place of 36: the outputs are
Aᵀ [(G g Gᵀ) ⊙ (Bᵀ d B)] A of the weights g and the 4×4 elements d of the image (Lavin and Gray, "Fast algorithms for convolutional neural
networks", 2015). The sums over channels are products of matrices, one for each of the 16 places.
"""

from __future__ import annotations

import numpy as np

from layerctl.ops.patches import PIXEL
from layerctl.ops.primitives import offset

PLACES = 16


def winograd_weights(count: int, w: np.ndarray, first: int, tap: int, to: np.ndarray, place: int) -> None:
    """G g Gᵀ of `count` weights, a multiple of 16, whose taps are w[first + t tap + i]; to[p place + i] has place p of weight i."""
    for i in range(count):
        g = np.array([w[first + t * tap + i] for t in range(9)], w.dtype).reshape(3, 3)
        u = halves(halves(g).T).T
        for p in range(PLACES):
            to[p * place + i] = u[p // 4, p % 4]


def halves(g: np.ndarray) -> np.ndarray:
    """G g."""
    half = g.dtype.type(0.5)
    return np.stack([g[0], half * ((g[0] + g[2]) + g[1]), half * ((g[0] + g[2]) - g[1]), g[2]])


def winograd_input(
    channels: int, x: np.ndarray, line: int, column: int, lines: int, columns: int, zeros: np.ndarray, to: np.ndarray, step: int, sixteens: int
) -> None:  # fmt: skip
    """Bᵀ d B of the image x (lines, columns, channels), d from (line, column) on, zero outside.

    Place p of channel 16 s + j goes to to[p step + s sixteens + j]. `channels` is a multiple of 16; `zeros` are as many.
    """
    for k in range(channels):
        d = np.zeros((4, 4), x.dtype)
        for i in range(max(0, -line), min(4, lines - line)):
            for j in range(max(0, -column), min(4, columns - column)):
                d[i, j] = x[((line + i) * columns + column + j) * channels + k]
        rows = np.stack([d[0] - d[2], d[1] + d[2], d[2] - d[1], d[1] - d[3]])
        u = np.stack([rows[:, 0] - rows[:, 2], rows[:, 1] + rows[:, 2], rows[:, 2] - rows[:, 1], rows[:, 1] - rows[:, 3]], axis=1)
        for p in range(PLACES):
            to[p * step + k // PIXEL * sixteens + k % PIXEL] = u[p // 4, p % 4]


def winograd_output(filters: int, m: np.ndarray, step: int, y: np.ndarray, line_step: int) -> None:
    """Two by two outputs Aᵀ m A into y, lines `line_step` apart; place p of filter f is m[p step + f]. `filters` is a multiple of 16."""
    for f in range(filters):
        at = np.array([m[p * step + f] for p in range(PLACES)]).reshape(4, 4)
        rows = np.stack([at[0] + at[1] + at[2], at[1] - at[2] - at[3]])
        for i in range(2):
            to = offset(y, i * line_step + f)
            to[0] = rows[i, 0] + rows[i, 1] + rows[i, 2]
            to[filters] = rows[i, 1] - rows[i, 2] - rows[i, 3]
