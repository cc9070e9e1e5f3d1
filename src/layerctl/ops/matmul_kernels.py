"""The matrix product on the register tile: one operand packed in panels, then strips of the result."""

from __future__ import annotations

import functools
import itertools
from typing import Any

from layerctl.ops.finish import PLAIN, Finish
from layerctl.ops.kernel import Call, Reduction, Scratch, kernel
from layerctl.ops.primitives import fma, offset, share_low
from layerctl.ops.tiles import fetching_strip, finish_line, pack_panel, padded, tile_width
from layerctl.ops.value import SIZE_OF, lasts

WIDEST_PANEL = 64
ROW_BLOCK, FEWEST_ROWS = 256, 24
"""Rows of a block: the largest, and about the smallest."""
WORTH_COPYING, FAR_APART, PAD = 128, 512, 16
"""Columns for which a block of a may be copied to lines next to each other, elements between its lines from which that pays, and those that
the copy's lines are further apart than they are long: a power of two would make them fall into the same sets of a cache again."""
DEPTH_BLOCK, DEEPEST, NARROW = 128, 1024, 16
"""Terms after which a product goes on with the next panel, so that the widest ones' stay in the nearest cache (32 KB of float32), and those of
panels of up to 16 columns, which come from the second cache in time."""
OWN = max(DEPTH_BLOCK * WIDEST_PANEL, DEEPEST * NARROW)
"""Elements of a panel that a share packs for itself."""
NEAR, FAR = 1 << 16, 1 << 19
"""Elements of a block of a that stay in the second cache, so that all of a panel's terms may be gone through before the next panel, and of a b that
comes from a farther one, so that the next panel is asked for while one is used."""
FEW_ROWS = 3
LONGEST_CHAIN = 4096
"""Terms of one chain of fma; longer products are cut into chunks of about half that, and the chunks' sums added in order in float64."""
MOST_PARTIAL = 1 << 24
"""Elements of the chunks' sums; where they would be more, the chunks are longer."""
SHARES, MANY, MOST_CUTS = 8, 64, 4096
"""Equal shares that a product is cut for (two threads take four each), and pieces of work so many that they need no care."""
READING_B = 0.05
"""Nanoseconds in which an element of b comes from a far cache: what bounds products of few rows."""
SHORTEST_CHUNK, ADDING = 256, 48
"""Terms of a chunk at least, where a transposed a (the gradient of weights) is cut into more chunks than have to be, and what an element of
a chunk's sum costs to be written and added, in multiply-accumulates."""
READING = 16
"""What reading an element of an operand from a far cache costs, in multiply-accumulates."""


@kernel
def pack(
    task: int, tasks: int, b: "T*", packed: "T*", batch: "i64", k: "i64", n: "i64", b_batch: "i64", b_row: "i64", b_column: "i64"
):  # fmt: skip
    """b (k, n) by its strides into panels (panels, k, width), zero-padded; shares are cut along all rows of all panels."""
    width = tile_width(packed)
    panels = (n + width - 1) // width
    at, high = share_low(batch * panels * k, task, tasks), share_low(batch * panels * k, task + 1, tasks)
    while at < high:
        panel = at // k
        row = at - panel * k
        rows = min(k - row, high - at)
        which = panel // panels
        first = (panel - which * panels) * width
        columns = min(width, n - first)
        pack_panel(
            rows, columns, offset(b, which * b_batch + row * b_row + first * b_column), b_row, b_column,
            offset(packed, panel * k * width + row * padded(columns, packed)),
        )  # fmt: skip
        at += rows


def deepest(width: int) -> int:
    """Terms of a panel that are gone through at once at most, for kernels."""
    return DEEPEST if width <= NARROW else DEPTH_BLOCK


def copy_lines(lines: int, length: int, source: Any, step: int, to: Any, to_step: int) -> None:
    """to[i * to_step + j] = source[i * step + j] for each of the lines."""
    for i in range(lines):
        line, into = offset(source, i * step), offset(to, i * to_step)
        for j in range(length):
            into[j] = line[j]


@kernel
def multiply(
    task: int, tasks: int, a: "T*", b: "T*", packed: "T*", near: "T*", c: "T*", bias: "T*", how: "i64", batch: "i64", m: "i64",
    n: "i64", k: "i64", chunks: "i64", blocks: "i64", cuts: "i64", a_batch: "i64", a_row: "i64", a_column: "i64", b_batch: "i64", b_row: "i64",
    b_column: "i64", shared: "i64", own: "i64", room: "i64",
):  # fmt: skip
    """c[q, chunk] = a[q] @ packed[q] over each chunk of k; shares are cut along (batch, chunk, block of rows, cut of the panels).

    `own`: b is not packed beforehand; each share packs what it needs next into its own panel of `packed`, which stays in cache.
    `room`: each share copies the part of a that it needs to so many elements of `near` first, by lines as long as they are read; beside narrow
    panels only where a is transposed.
    What is ready is finished by `bias` and `how` (see ops/tiles.py) if `how` is not 0; there is one chunk then.
    """
    width = tile_width(packed)
    panels = (n + width - 1) // width
    units = batch * chunks * blocks * cuts
    packed_batch = 0 if shared != 0 else panels * k * width
    for unit in range(share_low(units, task, tasks), share_low(units, task + 1, tasks)):
        outer = unit // (blocks * cuts)
        inner = unit - outer * blocks * cuts
        block = inner // cuts
        cut = inner - block * cuts
        which = outer // chunks
        piece = outer - which * chunks
        top = share_low(m, block, blocks)
        rows = share_low(m, block + 1, blocks) - top
        start, end = share_low(k, piece, chunks), share_low(k, piece + 1, chunks)
        a0 = offset(a, which * a_batch + top * a_row)
        c0 = offset(c, (outer * m + top) * n)
        low, high = share_low(panels, cut, cuts), share_low(panels, cut + 1, cuts)
        most, copies = deepest(width), room != 0 and (width > NARROW or a_column != 1)
        if copies:
            most = min(most, room // (rows + PAD) - PAD)
        pieces = max((end - start + most - 1) // most, 1)
        depth_block = (end - start + pieces - 1) // pieces
        steps = (high - low) * pieces
        far, down = k * n >= FAR, not copies and rows * (end - start) <= NEAR
        p, k0, copied = low, start, start
        row_step, column_step = a_row, a_column
        for step in range(steps):
            depth = min(depth_block, end - k0)
            part = offset(a0, k0 * a_column)
            if copies and k0 == copied:
                lines, length, row_step, column_step = rows, depth, depth + PAD, 1
                if a_column != 1:
                    lines, length, row_step, column_step = depth, rows, 1, rows + PAD
                copy_lines(lines, length, part, max(a_row, a_column), offset(near, task * room), length + PAD)
                copied = k0 + depth
            if copies:
                part = offset(near, task * room)
            columns = min(width, n - p * width)
            next_p, next_k = p, k0 + depth
            if down and next_k >= end:
                next_p, next_k = p + 1, start
            if not down:
                next_p, next_k = p + 1, k0
                if next_p == high:
                    next_p, next_k = low, k0 + depth
            lines, length = min(depth_block, end - next_k), min(width, n - next_p * width)
            panel = offset(packed, task * OWN)
            if own != 0:
                pack_panel(depth, columns, offset(b, which * b_batch + k0 * b_row + p * width * b_column), b_row, b_column, panel)
                ahead, apart = offset(b, which * b_batch + next_k * b_row + next_p * width * b_column), b_row
                if b_row == 1:
                    lines, length, apart = length, lines, b_column
            else:
                panel = offset(packed, which * packed_batch + p * k * width + k0 * padded(columns, packed))
                length = padded(length, packed)
                ahead, apart = offset(packed, which * packed_batch + next_p * k * width + next_k * length), length
            fetching_strip(
                rows, columns, part, row_step, column_step, panel, depth, offset(c0, p * width), n, k0 - start,
                offset(bias, p * width), how if k0 + depth == end else 0, ahead, lines if far and step + 1 < steps else 0, length, apart,
            )  # fmt: skip
            p, k0 = next_p, next_k


@kernel
def few_rows(
    task: int, tasks: int, a: "T*", b: "T*", c: "T*", bias: "T*", how: "i64", batch: "i64", m: "i64", n: "i64", k: "i64",
    a_batch: "i64", a_row: "i64", a_column: "i64", b_batch: "i64",
):  # fmt: skip
    """c = a @ b for so few rows that packing b would cost more than reading it, finished; b is row-major. Shares are cut along columns."""
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
        if how != 0:
            finish_line(high - low, to, offset(bias, low), how)


@functools.cache
def cut(m: int, n: int, k: int, batch: int, chunks: int, most: int) -> tuple[int, int, int]:
    """(chunks of k, blocks of rows, cuts of the panels) of each product of a batch, by shapes alone: shares alike, and little to read twice.

    `chunks` are the fewest chunks, `most` so many times as many the most.
    """
    least, panels = -(-m // ROW_BLOCK), -(-n // WIDEST_PANEL)
    if batch * chunks * least >= MANY:
        return chunks, least, 1

    def cost(choice: tuple[int, int, int]) -> float:
        chunks, blocks, cuts = choice
        rows, columns, units = -(-m // blocks), WIDEST_PANEL * -(-panels // cuts), batch * chunks * blocks * cuts
        adding = 0 if chunks == 1 else ADDING * batch * chunks * m * n / SHARES
        return -(-units // SHARES) * (rows * columns + READING * (rows + columns)) * k / chunks + adding

    some = [chunks * more for more in (1, 2, 4, 8) if more <= most]
    return min(itertools.product(some, range(least, -(-m // FEWEST_ROWS) + 1), range(1, min(panels, MOST_CUTS) + 1)), key=cost)


def packed_size(dtype: str, batch: int, k: int, n: int) -> int:
    """Bytes of the panels on any target."""
    return SIZE_OF[dtype] * batch * k * -(-n // WIDEST_PANEL) * WIDEST_PANEL


def chunks_of(k: int, elements: int) -> int:
    """Into how many chunks k is cut for a result of some elements: by shapes alone."""
    if k <= LONGEST_CHAIN:
        return 1
    return max(-(-k // (16 * LONGEST_CHAIN)), min(-(-2 * k // LONGEST_CHAIN), MOST_PARTIAL // elements), 1)


def spread(rows: int, columns: int, a_strides: tuple[int, int, int]) -> bool:
    """Whether a block of a is copied before `columns` columns are made of it: lines far apart fall into few sets of the nearest cache."""
    return rows >= FEWEST_ROWS and columns >= WORTH_COPYING and min(a_strides[1:]) == 1 and max(a_strides[1:]) >= FAR_APART


def finishes(k: int) -> bool:
    """Whether a product of k terms finishes its result itself."""
    return k <= LONGEST_CHAIN


def plan_pack(dtype: str, batch: int, k: int, n: int, b: Any, b_strides: tuple[int, int, int], packed: Any) -> Call:
    """The call that packs b (k, n), `batch` times or once where its batch stride is 0, into `packed` of `packed_size` bytes."""
    packs = batch if b_strides[0] else 1
    slow = 0.1 if b_strides[2] == 1 else 0.4
    return Call(pack.at(T=dtype), (b, packed, packs, k, n, *b_strides), tasks=packs * k, work=packs * k * n * slow, prepares=b)


def plan_multiply(
    dtype: str, batch: int, m: int, n: int, k: int, a: Any, a_strides: tuple[int, int, int], b: Any, b_strides: tuple[int, int, int], c: Any,
    finish: Finish = PLAIN,
) -> list[Call]:  # fmt: skip
    """The calls of c (batch, m, n) = a @ b. b is packed beforehand where several shares read the same of it, or it never changes.

    `finish` is done where the product `finishes`.
    """
    size, out = SIZE_OF[dtype], []
    chunks = chunks_of(k, batch * m * n)
    chunks, blocks, cuts = cut(m, n, k, batch, chunks, max(1, k // chunks // SHORTEST_CHUNK) if a_strides[1] == 1 < a_strides[2] else 1)
    units, packs = batch * chunks * blocks * cuts, batch if b_strides[0] else 1
    own = blocks == 1 and packs == batch and not lasts(b)
    rows, copied = -(-m // blocks), spread(-(-m // blocks), -(-n // cuts), a_strides)
    deep = max(DEPTH_BLOCK, min(DEEPEST, NEAR // (rows + PAD) - PAD))
    room = (rows + PAD) * (min(deep, k) + PAD) if copied else 0
    tasks = min(units, MANY) if own or copied else units
    packed = Scratch(size * tasks * OWN if own else packed_size(dtype, packs, k, n))
    if not own:
        out.append(plan_pack(dtype, batch, k, n, b, b_strides, packed))
    to = c if chunks == 1 else Scratch(size * batch * chunks * m * n)
    args = (
        a, b, packed, Scratch(size * tasks * room) if copied else packed, to, *finish.args(to), batch, m, n, k, chunks, blocks, cuts,
        *a_strides, *b_strides, int(packs == 1), int(own), room
    )  # fmt: skip
    work = batch * n * k * max(0.02 * m, READING_B) * SIZE_OF[dtype] / 4
    whole = batch == chunks == cuts == 1 and m % blocks == 0 and a_strides[1:] == (k, 1)
    out.append(Call(multiply.at(T=dtype), args, tasks=tasks, work=work, steady=m <= FEW_ROWS, parts=blocks if whole else 0, along=(a,)))
    return out + add_chunks(dtype, batch, chunks, m * n, to, c)


def add_chunks(dtype: str, batch: int, chunks: int, n: int, partial: Any, out: Any) -> list[Call]:
    """The call that adds the chunks' sums, (batch, chunks, n), if there are several."""
    if chunks == 1:
        return []
    work = 0.1 * batch * chunks * n
    return [Call(Reduction("sum", dtype, dtype), (partial, out, batch, chunks, n), tasks=max(1, n // 64), work=work)]


def plan(
    dtype: str, batch: int, m: int, n: int, k: int, a: Any, a_strides: tuple[int, int, int], b: Any, b_strides: tuple[int, int, int], c: Any,
    finish: Finish = PLAIN,
) -> list[Call]:  # fmt: skip
    """The calls of c (batch, m, n) = a @ b. Strides are (batch, row, column) in elements; 0 for a batch that is shared."""
    if m <= FEW_ROWS and n >= WIDEST_PANEL and b_strides[1:] == (n, 1) and k <= LONGEST_CHAIN and not lasts(b):
        args = (a, b, c, *finish.args(c), batch, m, n, k, *a_strides, b_strides[0])
        return [Call(few_rows.at(T=dtype), args, tasks=max(1, n // 64), work=batch * m * n * k * 0.1)]
    return plan_multiply(dtype, batch, m, n, k, a, a_strides, b, b_strides, c, finish)
