"""Attention a block of queries at a time: scores stay in cache, and the backward pass computes them again.

Queries are (batch, queries, heads, size), keys (batch, keys, heads, size), values (batch, keys, heads, width), read where they stand. A head
of one batch row is one unit of work, which one share does alone; sums over keys and over queries are single chains in ascending order.
Dao et al. 2022 (the recomputation); the gradient of softmax as row sums of dO * O is theirs too.
"""

from __future__ import annotations

from typing import Any

from layerctl.ops.kernel import kernel
from layerctl.ops.primitives import exp, narrowed, offset, share_low
from layerctl.ops.rows import row_dot, row_max, row_sum
from layerctl.ops.tiles import pack_panel, padded, strip, tile_width

BLOCK = 48
"""Queries of a block."""
LEAST = -3.4028235e38
"""The score of a key that a query does not see, as Keras has it."""


def pack_matrix(rows: int, columns: int, source: Any, row_stride: int, column_stride: int, to: Any) -> None:
    """(rows, columns), read through strides, into panels."""
    width = tile_width(to)
    for p in range((columns + width - 1) // width):
        count = min(width, columns - p * width)
        pack_panel(rows, count, offset(source, p * width * column_stride), row_stride, column_stride, offset(to, p * rows * width))


def multiply_packed(
    rows: int, depth: int, columns: int, a: Any, row_stride: int, k_stride: int, packed: Any, c: Any, c_stride: int, keep: int
) -> None:  # fmt: skip
    """c (rows, columns) (+)= a (rows, depth) @ packed."""
    width = tile_width(packed)
    for p in range((columns + width - 1) // width):
        count = min(width, columns - p * width)
        strip(rows, count, a, row_stride, k_stride, offset(packed, p * depth * width), depth, offset(c, p * width), c_stride, keep)


def panels_room(rows: int, columns: int, pointer: Any) -> int:
    """Elements of the panels of a matrix."""
    width = tile_width(pointer)
    whole = columns // width
    return rows * (whole * width + padded(columns - whole * width, pointer))


def hide(rows: int, keys: int, scores: Any, mask: Any, mask_row: int) -> None:
    """The scores (rows, keys) of keys that are not seen become the least."""
    for i in range(rows):
        line, seen = offset(scores, i * keys), offset(mask, i * mask_row)
        for j in range(keys):
            line[j] = line[j] if seen[j] != 0 else LEAST


@kernel
def forward(
    task: int, tasks: int, q: "T*", k: "T*", v: "T*", mask: "u8*", o: "T*", stats: "T*", room: "T*", room_size: "i64", batch: "i64",
    queries: "i64", keys: "i64", heads: "i64", size: "i64", width: "i64", masked: "i64", mask_batch: "i64", mask_head: "i64", mask_row: "i64",
):  # fmt: skip
    """o = softmax(q @ k.T where seen) @ v; stats (batch, heads, queries, 2) are each row's largest score and 1 / sum of exponentials."""
    keys_t = offset(room, task * room_size)
    values = offset(keys_t, panels_room(size, keys, room))
    scores = offset(values, panels_room(keys, width, room))
    for unit in range(share_low(batch * heads, task, tasks), share_low(batch * heads, task + 1, tasks)):
        b = unit // heads
        h = unit - b * heads
        pack_matrix(size, keys, offset(k, (b * keys * heads + h) * size), 1, heads * size, keys_t)
        pack_matrix(keys, width, offset(v, (b * keys * heads + h) * width), heads * width, 1, values)
        first = 0
        while first < queries:
            rows = min(BLOCK, queries - first)
            at = (b * queries + first) * heads + h
            multiply_packed(rows, size, keys, offset(q, at * size), heads * size, 1, keys_t, scores, keys, 0)
            if masked != 0:
                hide(rows, keys, scores, offset(mask, b * mask_batch + h * mask_head + first * mask_row), mask_row)
            own = offset(stats, 2 * (unit * queries + first))
            for i in range(rows):
                line = offset(scores, i * keys)
                top = row_max(keys, line)
                for j in range(keys):
                    line[j] = exp(line[j] - top)
                own[2 * i] = top
                own[2 * i + 1] = narrowed(room, 1.0 / row_sum(keys, line))
            out = offset(o, at * width)
            multiply_packed(rows, keys, width, scores, keys, 1, values, out, heads * width, 0)
            for i in range(rows):
                line, factor = offset(out, i * heads * width), own[2 * i + 1]
                for j in range(width):
                    line[j] = line[j] * factor
            first += rows


@kernel
def backward(
    task: int, tasks: int, g: "T*", q: "T*", k: "T*", v: "T*", mask: "u8*", o: "T*", stats: "T*", dq: "T*", dk: "T*", dv: "T*", room: "T*",
    room_size: "i64", batch: "i64", queries: "i64", keys: "i64", heads: "i64", size: "i64", width: "i64", masked: "i64", mask_batch: "i64",
    mask_head: "i64", mask_row: "i64",
):  # fmt: skip
    """With p = softmax(...): dv = p.T @ g, ds = p (g @ v.T - rows of g o summed) where seen, dq = ds @ k, dk = ds.T @ q."""
    keys_t = offset(room, task * room_size)
    values_t = offset(keys_t, panels_room(size, keys, room))
    own_keys = offset(values_t, panels_room(width, keys, room))
    some_q = offset(own_keys, panels_room(keys, size, room))
    some_g = offset(some_q, panels_room(BLOCK, size, room))
    p = offset(some_g, panels_room(BLOCK, width, room))
    ds = offset(p, BLOCK * keys)
    for unit in range(share_low(batch * heads, task, tasks), share_low(batch * heads, task + 1, tasks)):
        b = unit // heads
        h = unit - b * heads
        key_at = (b * keys * heads + h) * size
        value_at = (b * keys * heads + h) * width
        pack_matrix(size, keys, offset(k, key_at), 1, heads * size, keys_t)
        pack_matrix(width, keys, offset(v, value_at), 1, heads * width, values_t)
        pack_matrix(keys, size, offset(k, key_at), heads * size, 1, own_keys)
        first = 0
        while first < queries:
            rows = min(BLOCK, queries - first)
            at = (b * queries + first) * heads + h
            upstream, query = offset(g, at * width), offset(q, at * size)
            multiply_packed(rows, size, keys, query, heads * size, 1, keys_t, p, keys, 0)
            seen = offset(mask, b * mask_batch + h * mask_head + first * mask_row) if masked != 0 else mask
            if masked != 0:
                hide(rows, keys, p, seen, mask_row)
            multiply_packed(rows, width, keys, upstream, heads * width, 1, values_t, ds, keys, 0)
            own = offset(stats, 2 * (unit * queries + first))
            for i in range(rows):
                line, to = offset(p, i * keys), offset(ds, i * keys)
                top, factor = own[2 * i], own[2 * i + 1]
                for j in range(keys):
                    line[j] = exp(line[j] - top) * factor
                less = narrowed(room, row_dot(width, offset(upstream, i * heads * width), offset(o, (at + i * heads) * width)))
                for j in range(keys):
                    to[j] = line[j] * (to[j] - less)
                if masked != 0:
                    row = offset(seen, i * mask_row)
                    for j in range(keys):
                        to[j] = to[j] if row[j] != 0 else 0
            pack_matrix(rows, size, query, heads * size, 1, some_q)
            pack_matrix(rows, width, upstream, heads * width, 1, some_g)
            multiply_packed(rows, keys, size, ds, keys, 1, own_keys, offset(dq, at * size), heads * size, 0)
            multiply_packed(keys, rows, size, ds, 1, keys, some_q, offset(dk, key_at), heads * size, first)
            multiply_packed(keys, rows, width, p, 1, keys, some_g, offset(dv, value_at), heads * width, first)
            first += rows
