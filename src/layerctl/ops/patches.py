"""Tiles over windows of images: the plain Python twins, and strips of them.

What a share needs of an image is copied into its window first (ops/windowing.py). There a pixel has 16 elements, neighbours of one patch, so
that a tile's rows, neighbouring outputs, stand 16 apart whatever the image; `table` tells where each four of them are. Few channels stay as
they are in the image: there `table` tells where each line of taps is, and rows stand a stride's pixels apart. For the gradient of the
weights a tile's rows are neighbouring elements of a pixel, or of one on each of a few lines.
"""

from __future__ import annotations

import numpy as np

from layerctl.ops.primitives import fma, offset
from layerctl.ops.tiles import fetch_ahead, padded

QUAD, PIXEL = 4, 16
PLANES = 3
"""Planes of taps whose sums a tile of the weights' gradient holds together."""


def patch_rows(pointer: np.ndarray, columns: int) -> int:
    """Rows of the largest tile of `columns` columns."""
    return 6


def patch_size(pointer: np.ndarray, columns: int, rows: int) -> int:
    """Rows of the smallest tile of `columns` columns that holds some rows."""
    return (rows + 1) // 2 * 2


def patch_tile(
    rows: int, columns: int, a: np.ndarray, table: np.ndarray, quads: int, b: np.ndarray, c: np.ndarray, c_stride: int, keep: int
) -> None:  # fmt: skip
    """C[i] (+)= sum over q < quads and t < 4 of a[table[q] + 16 i + t] B[4 q + t]; `keep` adds to C, else it is overwritten."""
    run_tile(rows, columns, a, PIXEL, table, quads, QUAD, b, c, c_stride, keep)


def run_tile(
    rows: int, columns: int, a: np.ndarray, row_step: int, table: np.ndarray, runs: int, length: int, b: np.ndarray, c: np.ndarray,
    c_stride: int, keep: int,
) -> None:  # fmt: skip
    """C[i] (+)= sum over q < runs and t < length of a[table[q] + i row_step + t] B[q length + t]; `keep` as above."""
    width = padded(columns, b)
    for i in range(rows):
        for j in range(columns):
            at = i * c_stride + j
            if keep == 0:
                c[at] = 0
            for q in range(runs):
                for t in range(length):
                    c[at] = fma(a[table[q] + i * row_step + t], b[(q * length + t) * width + j], c[at])


def line_tile(
    rows: int, columns: int, a: np.ndarray, k_stride: int, line_step: int, lines: int, outputs: int, b: np.ndarray, b_step: int, c: np.ndarray,
    c_stride: int,
) -> None:  # fmt: skip
    """C[i] += sum over l < lines and o < outputs of a[l line_step + o k_stride + i] b[(l outputs + o) b_step]."""
    for i in range(rows):
        for j in range(columns):
            at = i * c_stride + j
            for line in range(lines):
                for o in range(outputs):
                    c[at] = fma(a[line * line_step + o * k_stride + i], b[(line * outputs + o) * b_step + j], c[at])


def planes_fit(pointer: np.ndarray, columns: int, each: int) -> int:
    """Whether there is a tile of `columns` columns and three planes of `each` rows."""
    return int(each == 3)


def planes_tile(
    each: int, columns: int, a: np.ndarray, plane_step: int, k_stride: int, line_step: int, lines: int, outputs: int, b: np.ndarray,
    b_step: int, c: np.ndarray, c_stride: int,
) -> None:  # fmt: skip
    """`line_tile` for three planes, a's `plane_step` apart, and their `each` rows of C one after the other; where they fit."""
    for plane in range(PLANES):
        line_tile(
            each, columns, offset(a, plane * plane_step), k_stride, line_step, lines, outputs, b, b_step, offset(c, plane * each * c_stride),
            c_stride,
        )  # fmt: skip


def spread_line(pixels: int, columns: int, to: np.ndarray, source: np.ndarray, step: int) -> None:
    """to[16 i + j] = source[i step + j] for i < pixels, j < columns <= 16; columns up to whole vectors and fours become 0."""
    for i in range(pixels):
        for j in range((columns + QUAD - 1) // QUAD * QUAD):
            to[i * PIXEL + j] = source[i * step + j] if j < columns else 0


def cut_rows(b: "T*", columns: int, rows: int) -> int:
    """Rows of the tiles that a strip is cut into: alike where that wastes no more than filling all but the last one."""
    most = patch_rows(b, columns)
    tiles = (rows + most - 1) // most
    even = patch_size(b, columns, (rows + tiles - 1) // tiles)
    rest = rows - most * (tiles - 1)
    return even if even * tiles <= most * (tiles - 1) + patch_size(b, columns, rest) else most


def patch_strip(
    rows: int, columns: int, a: "T*", table: "i64*", runs: int, length: int, row_step: int, b: "T*", c: "T*", c_stride: int,
    keep: int, x: "T*", ahead: int, each: int,
) -> None:  # fmt: skip
    """One panel of C for any number of rows, `row_step` elements of the window apart or, where that is 0, pixels.

    Meanwhile x from `ahead` on, `each` elements for a row, is brought nearer.
    """
    size = cut_rows(b, columns, rows)
    low = 0
    while low < rows:
        fetch_ahead(x, ahead + low * each, size * each)
        count, to = min(size, rows - low), offset(c, low * c_stride)
        if row_step == 0:
            patch_tile(count, columns, offset(a, low * PIXEL), table, runs, b, to, c_stride, keep)
        else:
            run_tile(count, columns, offset(a, low * row_step), row_step, table, runs, length, b, to, c_stride, keep)
        low += size


def line_strip(
    rows: int, columns: int, a: "T*", k_stride: int, line_step: int, lines: int, outputs: int, b: "T*", b_step: int, c: "T*", c_stride: int
) -> None:  # fmt: skip
    """One panel of C for any number of rows, summed over lines of outputs."""
    size = cut_rows(b, columns, rows)
    low = 0
    while low < rows:
        line_tile(
            min(size, rows - low), columns, offset(a, low), k_stride, line_step, lines, outputs, b, b_step, offset(c, low * c_stride), c_stride
        )  # fmt: skip
        low += size
