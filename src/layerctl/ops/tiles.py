"""The register tile's plain Python twins, and what is built of tiles: packed panels and strips.

A tile is a few rows by up to `tile_width(p)` columns of C (+)= A @ B. A is read through two strides, so that it may be transposed or a
window of an image. B is packed in panels of the width, k-major; the last panel's columns are padded with zeros to whole vectors. Every
element is one chain of fma in ascending k.
"""

from __future__ import annotations

import numpy as np

from layerctl.ops.primitives import fma, offset


def tile_rows(pointer: np.ndarray, columns: int) -> int:
    """Rows of the largest tile of `columns` columns."""
    return 6


def tile_width(pointer: np.ndarray) -> int:
    """Columns of a panel for the pointer's dtype: a divisor of 64."""
    return 16


def tile_lanes(pointer: np.ndarray) -> int:
    """Elements of a vector for the pointer's dtype."""
    return 8


def copy_line(columns: int, to: np.ndarray, source: np.ndarray) -> None:
    """`columns` elements, at most a panel's width, padded with zeros to whole vectors."""
    to[:columns] = source[:columns]
    to[columns : padded(columns, to)] = 0


def turn_lines(rows: int, columns: int, source: np.ndarray, stride: int, to: np.ndarray, step: int) -> None:
    """to[i * step + j] = source[i + j * stride] for i < rows, j < columns; columns up to a whole vector become 0."""
    for i in range(rows):
        for j in range(padded(columns, to)):
            to[i * step + j] = source[i + j * stride] if j < columns else 0


def fma_line(count: int, a: np.ndarray, b: np.ndarray, c: np.ndarray) -> None:
    """c[i] += a[i] * b[i], each rounded once."""
    for i in range(count):
        c[i] = fma(a[i], b[i], c[i])


def fetch_ahead(x: np.ndarray, start: int, elements: int) -> None:
    """Asks for x[start], …, of which nothing is read yet, to be brought into the second cache."""


def finish_line(columns: int, c: np.ndarray, bias: np.ndarray, how: int) -> None:
    """c[j] + bias[j] if `how` has bit 0, then 0 where that is not positive if `how` has bit 1; NaN stays."""
    for j in range(columns):
        value = c[j] + bias[j] if how & 1 else c[j]
        c[j] = 0 if how & 2 and value <= 0 else value


def tile(
    rows: int, columns: int, a: np.ndarray, row_stride: int, k_stride: int, b: np.ndarray, depth: int, c: np.ndarray, c_stride: int,
    keep: int,
) -> None:  # fmt: skip
    """C[:rows, :columns] (+)= A[:rows, :depth] @ B; `keep` adds to C, else it is overwritten. Strides in elements."""
    width = padded(columns, b)
    for i in range(rows):
        for j in range(columns):
            total = c[i * c_stride + j] if keep else c.dtype.type(0)
            for k in range(depth):
                total = fma(a[i * row_stride + k * k_stride], b[k * width + j], total)
            c[i * c_stride + j] = total


def padded(columns: int, pointer: np.ndarray) -> int:
    """A panel's columns, rounded up to whole vectors: the step from one k to the next."""
    lanes = tile_lanes(pointer)
    return (columns + lanes - 1) // lanes * lanes


def strip(
    rows: int, columns: int, a: np.ndarray, row_stride: int, k_stride: int, b: np.ndarray, depth: int, c: np.ndarray, c_stride: int, keep: int
) -> None:  # fmt: skip
    """One panel of C for any number of rows, cut evenly into tiles."""
    finished_strip(rows, columns, a, row_stride, k_stride, b, depth, c, c_stride, keep, c, 0)


def finished_strip(
    rows: int, columns: int, a: np.ndarray, row_stride: int, k_stride: int, b: np.ndarray, depth: int, c: np.ndarray, c_stride: int, keep: int,
    bias: np.ndarray, how: int,
) -> None:  # fmt: skip
    """A strip of which each tile is finished at once, if `how` is not 0."""
    most = tile_rows(b, columns)
    blocks = (rows + most - 1) // most
    low = 0
    for i in range(blocks):
        high = rows * (i + 1) // blocks
        into = offset(c, low * c_stride)
        tile(high - low, columns, offset(a, low * row_stride), row_stride, k_stride, b, depth, into, c_stride, keep)
        if how != 0:
            finish(high - low, columns, into, c_stride, bias, how)
        low = high


def fetching_strip(
    rows: int, columns: int, a: np.ndarray, row_stride: int, k_stride: int, b: np.ndarray, depth: int, c: np.ndarray, c_stride: int, keep: int,
    bias: np.ndarray, how: int, source: np.ndarray, lines: int, length: int, step: int,
) -> None:  # fmt: skip
    """A finished strip during which lines of `source`, `length` elements each and `step` apart, are brought nearer, and the next tile's place in c."""
    most = tile_rows(b, columns)
    blocks = (rows + most - 1) // most
    low = 0
    line = 0
    for i in range(blocks):
        high = rows * (i + 1) // blocks
        until = lines * (i + 1) // blocks
        while line < until:
            fetch_ahead(source, line * step, length)
            line += 1
        into = offset(c, low * c_stride)
        for below in range(high, min(rows, high + most)):
            fetch_ahead(c, below * c_stride, columns)
        tile(high - low, columns, offset(a, low * row_stride), row_stride, k_stride, b, depth, into, c_stride, keep)
        if how != 0:
            finish(high - low, columns, into, c_stride, bias, how)
        low = high


def finish(rows: int, columns: int, c: np.ndarray, c_stride: int, bias: np.ndarray, how: int) -> None:
    """c[i, j] + bias[j] where `how` has bit 0, and 0 where that is not positive and `how` has bit 1; NaN stays."""
    for i in range(rows):
        finish_line(columns, offset(c, i * c_stride), bias, how)


def pack_panel(
    rows: int, columns: int, source: np.ndarray, row_stride: int, column_stride: int, to: np.ndarray
) -> None:
    """Some rows of one panel: (rows, columns) read through strides. A transposed source is read along its own lines."""
    step = padded(columns, to)
    if column_stride == 1:
        for i in range(rows):
            copy_line(columns, offset(to, i * step), offset(source, i * row_stride))
    elif row_stride == 1:
        turn_lines(rows, columns, source, column_stride, to, step)
    else:
        for i in range(rows):
            line, into = offset(source, i * row_stride), offset(to, i * step)
            for j in range(step):
                into[j] = line[j * column_stride] if j < columns else 0
