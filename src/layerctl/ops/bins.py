"""Numbers as the bins that they fall into, and ids as counts: no gradient but that of counts for their weights."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from layerctl.ops.elementwise import cast
from layerctl.ops.kernel import Call, kernel
from layerctl.ops.numpy_lines import NumpyLines, copied
from layerctl.ops.onnx_graph import OnnxGraph
from layerctl.ops.primitives import offset, share_low
from layerctl.ops.value import Node, Op, ShapeError, Type, Value, product, shown


@kernel
def bins_of(task: int, tasks: int, x: "T*", boundaries: "T*", y: "i32*", n: i64, count: i64):
    """y[i] = how many of the rising boundaries are not above x[i]; all of them for NaN."""
    for i in range(share_low(n, task, tasks), share_low(n, task + 1, tasks)):
        v = x[i]
        low, high = 0, count
        while low < high:
            middle = (low + high) // 2
            if v < boundaries[middle]:
                high = middle
            else:
                low = middle + 1
        y[i] = low


@kernel
def tallied(task: int, tasks: int, ids: "i32*", weights: "T*", y: "T*", rows: i64, n: i64, width: i64):
    """y[r, k] = sum of weights[r, j] where ids[r, j] is k; ids outside of 0..width-1 count for nothing."""
    for r in range(share_low(rows, task, tasks), share_low(rows, task + 1, tasks)):
        to = offset(y, r * width)
        for k in range(width):
            to[k] = 0
        for j in range(r * n, (r + 1) * n):
            k = ids[j]
            if k >= 0 and k < width:
                to[k] += weights[j]


@kernel
def untallied(task: int, tasks: int, g: "T*", ids: "i32*", y: "T*", rows: i64, n: i64, width: i64):
    """y[r, j] = g[r, ids[r, j]]; 0 for an id outside."""
    for r in range(share_low(rows, task, tasks), share_low(rows, task + 1, tasks)):
        for j in range(r * n, (r + 1) * n):
            k = ids[j]
            if k >= 0 and k < width:
                y[j] = g[r * width + k]
            else:
                y[j] = 0


class Bins(Op):
    """x (any shape), boundaries (n) in rising order -> the number of the bin, 0 to n, of each element (i32)."""

    name = "bins"
    no_gradient = "a bin's number does not move with x"

    def infer(self, x: Value, boundaries: Value) -> Type:
        if boundaries.rank != 1 or boundaries.dtype != x.dtype:
            raise ShapeError(f"bins: expected a vector of boundaries of dtype {x.dtype}, got {boundaries.dtype} {shown(boundaries.shape)}")
        return Type(x.shape, "i32")

    def gradient(self, node: Node, *grads: Value | None) -> Sequence[Value | None]:
        return [None, None]

    def calls(self, node: Node) -> list[Call]:
        (x, boundaries), (y,) = node.inputs, node.outputs
        n, count = int(product(x.shape)), int(boundaries.shape[0])
        return [Call(bins_of.at(T=x.dtype), (x, boundaries, y, n, count), tasks=max(n, 1), work=n * (2.0 + 2.0 * count.bit_length()))]

    def numpy(self, c: NumpyLines, node: Node) -> str:
        return f"np.searchsorted({c.name(node.inputs[1])}, {c.name(node.inputs[0])}, side='right').astype(np.int32)"

    def onnx(self, c: OnnxGraph, node: Node) -> None:
        x, boundaries = (c.name(v) for v in node.inputs)
        behind = c.row(-1)
        passed = c.add("Not", [c.add("Less", [c.add("Unsqueeze", [x, behind]), boundaries])])  # NaN is below none of them
        c.done(node, c.add("ReduceSum", [c.add("Cast", [passed], to=c.dtype("i32")), behind], keepdims=0))


class Tally(Op):
    """ids (..., n) i32 and weights (..., n) -> (..., width): the weights of each id added up."""

    name = "tally"

    def infer(self, ids: Value, weights: Value, *, width: int) -> Type:
        if ids.dtype != "i32" or tuple(map(int, ids.shape)) != tuple(map(int, weights.shape)):
            raise ShapeError(f"ids of shape {shown(ids.shape)} need as many weights, got {shown(weights.shape)}")
        return Type((*ids.shape[:-1], width), weights.dtype)

    def gradient(self, node: Node, *grads: Value | None) -> Sequence[Value | None]:
        return [None, None if grads[0] is None else Untally.apply(grads[0], node.inputs[0])]

    def calls(self, node: Node) -> list[Call]:
        (ids, weights), (y,) = node.inputs, node.outputs
        rows, n, width = int(product(ids.shape[:-1])), int(ids.shape[-1]), int(y.shape[-1])
        return [Call(tallied.at(T=y.dtype), (ids, weights, y, rows, n, width), tasks=max(rows, 1), work=rows * (2.0 * n + 0.1 * width))]

    def numpy(self, c: NumpyLines, node: Node) -> str:
        return f"np_tally({c.names(node)}, {int(node.attrs['width'])})"

    def onnx(self, c: OnnxGraph, node: Node) -> None:
        ids, weights = (c.name(v) for v in node.inputs)
        behind = c.row(-1)
        kinds = c.constant(np.arange(int(node.attrs["width"]), dtype=np.int32))
        hits = c.add("Cast", [c.add("Equal", [c.add("Unsqueeze", [ids, behind]), kinds])], to=c.dtype(node.inputs[1].dtype))
        c.done(node, c.add("ReduceSum", [c.add("Mul", [hits, c.add("Unsqueeze", [weights, behind])]), c.row(-2)], keepdims=0))


@copied
def np_tally(ids, weights, width):
    """The weights of each id from 0 to width - 1, added up along the last axis."""
    return np.where(np.arange(width) == ids[..., None], weights[..., None], weights.dtype.type(0)).sum(axis=-2, dtype=weights.dtype)


class Untally(Op):
    """g (..., width) and ids (..., n) -> (..., n): of each id the element of g."""

    name = "untally"
    no_form = "it serves training"

    def infer(self, g: Value, ids: Value) -> Type:
        return Type(ids.shape, g.dtype)

    def gradient(self, node: Node, *grads: Value | None) -> Sequence[Value | None]:
        g, ids = node.inputs
        return [None if grads[0] is None else Tally.apply(ids, grads[0], width=int(g.shape[-1])), None]

    def calls(self, node: Node) -> list[Call]:
        (g, ids), (y,) = node.inputs, node.outputs
        rows, n, width = int(product(ids.shape[:-1])), int(ids.shape[-1]), int(g.shape[-1])
        return [Call(untallied.at(T=y.dtype), (g, ids, y, rows, n, width), tasks=max(rows, 1), work=2.0 * rows * n)]


def bins(x: Value, boundaries: Value) -> Value:
    """The bin of each number: how many boundaries are not above it."""
    return Bins.apply(x, cast(boundaries, x.dtype))


def tally(ids: Value, weights: Value, width: int) -> Value:
    """The weights of each id from 0 to width - 1, added up along the last dimension."""
    return Tally.apply(cast(ids, "i32"), weights, width=width)
