"""The matrix product on the register tile: one operand packed in panels, then strips of the result."""

from __future__ import annotations

from typing import Any

from layerctl.ops.kernel import Call, Reduction, Scratch, kernel
from layerctl.ops.primitives import fma, offset, share_low
from layerctl.ops.tiles import strip, tile_width
from layerctl.ops.value import SIZE_OF

WIDEST_PANEL = 64
ROW_BLOCK = 48
DEPTH_BLOCK = 256
LONGEST_CHAIN = 4096
"""Terms of one chain of fma; longer products are cut into chunks of half that, and the chunks' sums added in order in float64."""


@kernel
def pack(
    task: int, tasks: int, b: "T*", packed: "T*", batch: "i64", k: "i64", n: "i64", b_batch: "i64", b_row: "i64", b_column: "i64"
):  # fmt: skip
    """b (k, n) by its strides into panels (panels, k, width), zero-padded; shares are cut along all rows of all panels."""
    width = tile_width(packed)
    panels = (n + width - 1) // width
    low, high = share_low(batch * panels * k, task, tasks), share_low(batch * panels * k, task + 1, tasks)
    for at in range(low, high):
        panel = at // k
        row = at - panel * k
        which = panel // panels
        first = (panel - which * panels) * width
        to = offset(packed, at * width)
        source = offset(b, which * b_batch + row * b_row + first * b_column)
        columns = min(width, n - first)
        if b_column == 1:
            for j in range(columns):
                to[j] = source[j]
        else:
            for j in range(columns):
                to[j] = source[j * b_column]
        for j in range(width - columns):
            to[columns + j] = 0


@kernel
def multiply(
    task: int, tasks: int, a: "T*", packed: "T*", c: "T*", batch: "i64", m: "i64", n: "i64", k: "i64", chunk: "i64",
    a_batch: "i64", a_row: "i64", a_column: "i64", shared: "i64", row_block: "i64", depth_block: "i64",
):  # fmt: skip
    """c[q, chunk] = a[q] @ packed[q] over each chunk of k; shares are cut along (batch, chunk, block of rows)."""
    width = tile_width(packed)
    panels = (n + width - 1) // width
    blocks = (m + row_block - 1) // row_block
    chunks = (k + chunk - 1) // chunk
    units = batch * chunks * blocks
    packed_batch = 0 if shared != 0 else panels * k * width
    for unit in range(share_low(units, task, tasks), share_low(units, task + 1, tasks)):
        outer = unit // blocks
        which = outer // chunks
        piece = outer - which * chunks
        top = (unit - outer * blocks) * row_block
        rows = min(row_block, m - top)
        start = piece * chunk
        end = min(k, start + chunk)
        a0 = offset(a, which * a_batch + top * a_row)
        c0 = offset(c, (outer * m + top) * n)
        k0 = start
        while k0 < end:
            depth = min(depth_block, end - k0)
            for p in range(panels):
                strip(
                    rows, min(width, n - p * width), offset(a0, k0 * a_column), a_row, a_column,
                    offset(packed, which * packed_batch + (p * k + k0) * width), depth, offset(c0, p * width), n, k0 - start,
                )  # fmt: skip
            k0 += depth


@kernel
def few_rows(
    task: int, tasks: int, a: "T*", b: "T*", c: "T*", batch: "i64", m: "i64", n: "i64", k: "i64",
    a_batch: "i64", a_row: "i64", a_column: "i64", b_batch: "i64",
):  # fmt: skip
    """c = a @ b for so few rows that packing b would cost more than reading it; b is row-major. Shares are cut along columns."""
    low, high = share_low(n, task, tasks), share_low(n, task + 1, tasks)
    for row in range(batch * m):
        which = row // m
        source = offset(a, which * a_batch + (row - which * m) * a_row)
        to = offset(c, row * n + low)
        for j in range(high - low):
            to[j] = 0
        for x in range(k):
            factor = source[x * a_column]
            line = offset(b, which * b_batch + x * n + low)
            for j in range(high - low):
                to[j] = fma(factor, line[j], to[j])


def packed_size(dtype: str, batch: int, k: int, n: int) -> int:
    """Bytes of the panels on any target."""
    return SIZE_OF[dtype] * batch * k * -(-n // WIDEST_PANEL) * WIDEST_PANEL


def plan(
    dtype: str, batch: int, m: int, n: int, k: int, a: Any, a_strides: tuple[int, int, int], b: Any, b_strides: tuple[int, int, int], c: Any
) -> list[Call]:  # fmt: skip
    """The calls of c (batch, m, n) = a @ b. Strides are (batch, row, column) in elements; 0 for a batch that is shared."""
    ns = batch * m * n * k * (0.02 if dtype == "f32" else 0.04)
    if m <= 3 and b_strides[1:] == (n, 1) and k <= LONGEST_CHAIN:
        args = (a, b, c, batch, m, n, k, *a_strides, b_strides[0])
        return [Call(few_rows.at(T=dtype), args, tasks=max(1, n // 64), work=batch * m * n * k * 0.1)]
    shared = b_strides[0] == 0
    packs = 1 if shared else batch
    panels = Scratch(packed_size(dtype, packs, k, n))
    out = [Call(pack.at(T=dtype), (b, panels, packs, k, n, *b_strides), tasks=packs * k, work=packs * k * n * 0.3)]
    chunk = k if k <= LONGEST_CHAIN else LONGEST_CHAIN // 2
    chunks = -(-k // chunk)
    to = c if chunks == 1 else Scratch(SIZE_OF[dtype] * batch * chunks * m * n)
    args = (a, panels, to, batch, m, n, k, chunk, *a_strides, int(shared), ROW_BLOCK, DEPTH_BLOCK)
    out.append(Call(multiply.at(T=dtype), args, tasks=batch * chunks * -(-m // ROW_BLOCK), work=ns))
    if chunks > 1:
        out.append(Call(Reduction("sum", dtype, dtype), (to, c, batch, chunks, m * n), tasks=max(1, m * n // 64), work=0.1 * batch * chunks * m * n))
    return out
