"""Attention with several heads as one op: softmax(q @ k.T) @ v without the matrix of scores in memory."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from layerctl.ops.attention_kernels import BLOCK, LEAST, backward, forward
from layerctl.ops.einsum import einsum
from layerctl.ops.elementwise import apply
from layerctl.ops.kernel import Call, Scratch
from layerctl.ops.matmul_kernels import LONGEST_CHAIN, packed_size
from layerctl.ops.numpy_lines import NumpyLines, copied
from layerctl.ops.reshape import expand_dims
from layerctl.ops.softmax import np_softmax, softmax
from layerctl.ops.value import SIZE_OF, Node, Op, ShapeError, Type, Value, current, product, shown

TASKS = 64
"""The most shares that one attention is cut into."""


class Attention(Op):
    """q (batch, queries, heads, size), k (batch, keys, heads, size), v (batch, keys, heads, width)[, mask (batch or 1, heads or 1, queries,
    keys)] -> (batch, queries, heads, width), and each row's largest score and 1 / sum of exponentials. `composition` is what it stands for."""

    name = "attention"
    results = 1

    def infer(self, q: Value, k: Value, v: Value, mask: Value | None = None) -> tuple[Type, ...]:
        fits = q.rank == k.rank == v.rank == 4 and tuple(map(int, k.shape[:3])) == tuple(map(int, v.shape[:3]))
        if not fits or [int(q.shape[i]) for i in (0, 2, 3)] != [int(k.shape[i]) for i in (0, 2, 3)]:
            raise ShapeError(f"attention: {shown(q.shape)}, {shown(k.shape)} and {shown(v.shape)} do not fit one another")
        if mask is not None:
            wanted = (q.shape[0], q.shape[2], q.shape[1], k.shape[1])
            if mask.rank != 4 or any(int(m) not in (1, int(w)) for m, w in zip(mask.shape, wanted, strict=True)) or mask.dtype != "bool":
                raise ShapeError(f"attention: a mask of shape {shown(mask.shape)} does not fit {shown(wanted)}")
        return Type((*q.shape[:3], v.shape[3]), q.dtype), Type((q.shape[0], q.shape[2], q.shape[1], 2), q.dtype)

    def gradient(self, node: Node, *grads: Value | None) -> Sequence[Value | None]:
        if grads[0] is None:
            return [None] * len(node.inputs)
        q, k, v, *mask = node.inputs
        found = AttentionGradient.apply(grads[0], q, k, v, *node.outputs, *mask)
        return [*found, *[None] * len(mask)]

    def calls(self, node: Node) -> list[Call]:
        (q, k, v, *mask), (o, stats) = node.inputs, node.outputs
        batch, queries, heads, size = map(int, q.shape)
        keys, width = int(k.shape[1]), int(v.shape[3])
        numbers = _numbers(batch, queries, keys, heads, size, width, mask)
        each = packed_size(q.dtype, 1, size, keys) + packed_size(q.dtype, 1, keys, width) + SIZE_OF[q.dtype] * BLOCK * keys
        room, each, tasks = _room(q.dtype, each, batch * heads)
        args = (q, k, v, mask[0] if mask else None, o, stats, room, each, *numbers)
        return [Call(forward.at(T=q.dtype), args, tasks=tasks, work=_work(node, 1.0))]

    def macs(self, node: Node) -> int:
        return _macs(node.inputs[0], node.inputs[1], node.inputs[2])

    def numpy(self, c: NumpyLines, node: Node) -> str:
        return f"np_attention({c.names(node)})"


@copied
def np_attention(q, k, v, mask=None):
    """softmax(q @ k.T) @ v for each head: q (rows, queries, heads, size), k and v (rows, keys, heads, ...)."""
    scores = np.einsum("btnh,bsnh->bnts", q, k)
    scores = scores if mask is None else np.where(mask, scores, scores.dtype.type(np.finfo(np.float32).min))
    return np.einsum("bnts,bsnw->btnw", np_softmax(scores, False), v)


class AttentionGradient(Op):
    """The gradients of q, k and v from the output's, them, the output and its rows' statistics[, the mask]."""

    name = "attention_gradient"
    no_gradient = "second derivatives are those of the composition"
    no_form = "it serves training"

    def infer(self, g: Value, q: Value, k: Value, v: Value, o: Value, stats: Value, mask: Value | None = None) -> tuple[Type, ...]:
        return q.type, k.type, v.type

    def calls(self, node: Node) -> list[Call]:
        (g, q, k, v, o, stats, *mask), (dq, dk, dv) = node.inputs, node.outputs
        batch, queries, heads, size = map(int, q.shape)
        keys, width = int(k.shape[1]), int(v.shape[3])
        numbers = _numbers(batch, queries, keys, heads, size, width, mask)
        shapes = ((size, keys), (width, keys), (keys, size), (BLOCK, size), (BLOCK, width))
        each = sum(packed_size(q.dtype, 1, *s) for s in shapes) + 2 * SIZE_OF[q.dtype] * BLOCK * keys
        room, each, tasks = _room(q.dtype, each, batch * heads)
        args = (g, q, k, v, mask[0] if mask else None, o, stats, dq, dk, dv, room, each, *numbers)
        return [Call(backward.at(T=q.dtype), args, tasks=tasks, work=_work(node, 2.5))]

    def macs(self, node: Node) -> int:
        _, q, k, v, *_ = node.inputs
        batch, queries, heads, size = map(int, q.shape)
        return batch * heads * queries * int(k.shape[1]) * (3 * size + 2 * int(v.shape[3]))


def _numbers(batch: int, queries: int, keys: int, heads: int, size: int, width: int, mask: Sequence[Value]) -> tuple[int, ...]:
    """What both kernels are told: sizes, and the mask's steps from one batch row, head and query to the next."""
    steps = [0, 0, 0]
    if mask:
        step = int(mask[0].shape[3])
        for i in (2, 1, 0):
            steps[i] = step if int(mask[0].shape[i]) != 1 else 0
            step *= int(mask[0].shape[i])
    return (batch, queries, keys, heads, size, width, int(bool(mask)), *steps)


def _room(dtype: str, each: int, units: int) -> tuple[Scratch, int, int]:
    """Memory for each share, its elements, and how many shares there may be."""
    each = -(-each // 64) * 64
    tasks = min(units, TASKS)
    return Scratch(each * tasks), each // SIZE_OF[dtype], tasks


def _macs(q: Value, k: Value, v: Value) -> int:
    batch, queries, heads, size = map(int, q.shape)
    return batch * heads * queries * int(k.shape[1]) * (size + int(v.shape[3]))


def _work(node: Node, factor: float) -> float:
    q, k = (node.inputs[0], node.inputs[1]) if node.op.name == "attention" else (node.inputs[1], node.inputs[2])
    scores = int(product(q.shape[:3])) * int(k.shape[1])
    return factor * scores * (1.0 + 0.05 * int(q.shape[3]))


def composition(q: Value, k: Value, v: Value, mask: Value | None = None) -> Value:
    """`attention` of products and softmax, with the matrix of scores."""
    scores = einsum("btnh,bsnh->bnts", q, k)
    if mask is not None:
        scores = apply("where", mask, scores, LEAST)
    return einsum("bnts,bsnw->btnw", softmax(scores, -1), v)


def attention(q: Value, k: Value, v: Value, mask: Value | None = None) -> Value:
    """softmax(q @ k.T) @ v for each head; keys that the mask leaves out have the least score. Shapes as in `Attention`.

    Raises:
        ShapeError: if the operands do not fit.
    """
    if mask is not None:
        while mask.rank < 4:
            mask = expand_dims(mask, 0 if mask.rank < 3 else 1)
        if int(mask.shape[-1]) != int(k.shape[1]):
            return composition(q, k, v, mask)
    if current().compose or max(int(k.shape[1]), int(q.shape[1])) > LONGEST_CHAIN or q.dtype not in ("f32", "f64"):
        return composition(q, k, v, mask)
    found: Any = Attention.apply(q, k, v, *([] if mask is None else [mask]))
    return found[0]
