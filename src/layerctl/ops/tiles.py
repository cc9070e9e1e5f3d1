"""The register tile's plain Python twins: what `kernels/tile.py` does in registers.

A tile is up to `tile_rows()` rows by `tile_width(p)` columns of C (+)= A @ B. A is read through two strides, so that it may be transposed or a
window of an image; B is packed in panels of the width, k-major, zero-padded. Every element is one chain of fma in ascending k.
"""

from __future__ import annotations

import numpy as np

from layerctl.ops.primitives import fma, offset


def tile_rows() -> int:
    """Rows of a full tile."""
    return 6


def tile_width(pointer: np.ndarray) -> int:
    """Columns of a panel for the pointer's dtype: a divisor of 64."""
    return 16


def tile_buffer(pointer: np.ndarray) -> np.ndarray:
    """Room for one tile of the pointer's dtype, on the stack."""
    return np.zeros(6 * 16, pointer.dtype)


def tile(
    rows: int, a: np.ndarray, row_stride: int, k_stride: int, b: np.ndarray, depth: int, c: np.ndarray, c_stride: int, keep: int
) -> None:  # fmt: skip
    """C[:rows, :width] (+)= A[:rows, :depth] @ B; `keep` adds to C, else it is overwritten. Strides in elements."""
    width = tile_width(b)
    for i in range(rows):
        for j in range(width):
            total = c[i * c_stride + j] if keep else c.dtype.type(0)
            for k in range(depth):
                total = fma(a[i * row_stride + k * k_stride], b[k * width + j], total)
            c[i * c_stride + j] = total


def strip(
    rows: int, columns: int, a: np.ndarray, row_stride: int, k_stride: int, b: np.ndarray, depth: int, c: np.ndarray, c_stride: int, keep: int
) -> None:  # fmt: skip
    """One panel of C for any number of rows; the last panel's missing columns are computed in a buffer and left out."""
    most, width = tile_rows(), tile_width(b)
    blocks = (rows + most - 1) // most
    for i in range(blocks):
        low, high = rows * i // blocks, rows * (i + 1) // blocks
        if columns == width:
            tile(high - low, offset(a, low * row_stride), row_stride, k_stride, b, depth, offset(c, low * c_stride), c_stride, keep)
        else:
            room = tile_buffer(b)
            if keep != 0:
                for r in range(high - low):
                    for j in range(columns):
                        room[r * width + j] = c[(low + r) * c_stride + j]
                    for j in range(width - columns):
                        room[r * width + columns + j] = 0
            tile(high - low, offset(a, low * row_stride), row_stride, k_stride, b, depth, room, width, keep)
            for r in range(high - low):
                for j in range(columns):
                    c[(low + r) * c_stride + j] = room[r * width + j]
