"""Sorting along the last axis, and elements taken along an axis by a tensor of places."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from layerctl.ops.elementwise import broadcast_to, cast
from layerctl.ops.kernel import Call, Scratch, kernel
from layerctl.ops.numpy_lines import NumpyLines, copied
from layerctl.ops.onnx_graph import OnnxGraph
from layerctl.ops.primitives import share_low
from layerctl.ops.slicing import slice_
from layerctl.ops.transpose import move_axis
from layerctl.ops.value import Node, Op, ShapeError, Type, Value, product, shown


@kernel
def argsorted(task: int, tasks: int, x: "T*", y: "i32*", spare: "i32*", rows: i64, width: i64, descending: i64):
    """y = the places of each row's elements in order, equal ones in the order of their places: a merge sort from the bottom up.

    NaN counts as the largest.
    """
    for row in range(share_low(rows, task, tasks), share_low(rows, task + 1, tasks)):
        at = row * width
        for j in range(width):
            y[at + j] = j
        run = 1
        while run < width:
            low = 0
            while low < width:
                middle, high = min(low + run, width), min(low + 2 * run, width)
                i, j, k = low, middle, low
                while k < high:
                    left = i < middle
                    if left and j < high:
                        a, b = x[at + y[at + i]], x[at + y[at + j]]
                        if descending != 0:
                            left = not (b > a or (b != b and a == a))
                        else:
                            left = not (b < a or (a != a and b == b))
                    if left:
                        spare[at + k] = y[at + i]
                        i += 1
                    else:
                        spare[at + k] = y[at + j]
                        j += 1
                    k += 1
                low = high
            for j in range(width):
                y[at + j] = spare[at + j]
            run = 2 * run


@kernel
def taken(task: int, tasks: int, x: "T*", ids: "i32*", y: "T*", rows: i64, width: i64, count: i64):
    """y[row, j] = x[row, ids[row, j]]; an id below 0 counts from the end, and ids are brought into 0..width-1."""
    for row in range(share_low(rows, task, tasks), share_low(rows, task + 1, tasks)):
        for j in range(count):
            k = ids[row * count + j]
            if k < 0:
                k += width
            y[row * count + j] = x[row * width + min(max(k, 0), width - 1)]


@kernel
def put_back(task: int, tasks: int, g: "T*", ids: "i32*", dx: "T*", rows: i64, width: i64, count: i64):
    """dx = 0; dx[row, ids[row, j]] += g[row, j] in ascending j."""
    for row in range(share_low(rows, task, tasks), share_low(rows, task + 1, tasks)):
        for j in range(width):
            dx[row * width + j] = 0
        for j in range(count):
            k = ids[row * count + j]
            if k < 0:
                k += width
            dx[row * width + min(max(k, 0), width - 1)] += g[row * count + j]


class Argsort(Op):
    """x (..., width) -> the places (..., width) i32 of its elements in order."""

    name = "argsort"
    no_gradient = "places are whole numbers"

    def infer(self, x: Value, *, descending: bool) -> Type:
        return Type(x.shape, "i32")

    def calls(self, node: Node) -> list[Call]:
        (x,), (y,) = node.inputs, node.outputs
        rows, width = int(product(x.shape[:-1])), int(x.shape[-1])
        args = (x, y, Scratch(4 * rows * width), rows, width, int(node.attrs["descending"]))
        return [Call(argsorted.at(T=x.dtype), args, tasks=rows, work=4.0 * rows * width * max(1, width.bit_length()))]

    def numpy(self, c: NumpyLines, node: Node) -> str:
        return f"np_argsort({c.names(node)}, {bool(node.attrs['descending'])})"

    def onnx(self, c: OnnxGraph, node: Node) -> None:
        (x,), largest = node.inputs, int(node.attrs["descending"])
        _, places = c.several("TopK", [c.name(x), c.row(int(x.shape[-1]))], 2, axis=-1, largest=largest, sorted=1)
        c.done(node, c.add("Cast", [places], to=c.dtype("i32")))


@copied
def np_argsort(x, descending):
    """The places of each row's elements in order, equal ones in theirs; NaN is the largest."""
    if not descending:
        return np.argsort(x, axis=-1, kind="stable").astype(np.int32)
    back = np.argsort(x[..., ::-1], axis=-1, kind="stable")[..., ::-1]
    return (x.shape[-1] - 1 - back).astype(np.int32)


class TakeAlong(Op):
    """x (..., width), ids (..., count) i32 -> (..., count): each row's elements at its own places."""

    name = "take_along"

    def infer(self, x: Value, ids: Value) -> Type:
        if ids.dtype != "i32" or tuple(map(int, ids.shape[:-1])) != tuple(map(int, x.shape[:-1])):
            raise ShapeError(f"places {ids.dtype} {shown(ids.shape)} do not fit {shown(x.shape)}: all but the last dimension must be equal")
        return Type(ids.shape, x.dtype)

    def gradient(self, node: Node, *grads: Value | None) -> Sequence[Value | None]:
        x, ids = node.inputs
        return [None if grads[0] is None else PutAlong.apply(grads[0], ids, width=x.shape[-1]), None]

    def calls(self, node: Node) -> list[Call]:
        (x, ids), (y,) = node.inputs, node.outputs
        rows, width, count = int(product(x.shape[:-1])), int(x.shape[-1]), int(ids.shape[-1])
        return [Call(taken.at(T=x.dtype), (x, ids, y, rows, width, count), tasks=rows, work=1.0 * rows * count)]

    def numpy(self, c: NumpyLines, node: Node) -> str:
        return f"np_take_along({c.names(node)})"

    def onnx(self, c: OnnxGraph, node: Node) -> None:
        c.done(node, c.add("GatherElements", [c.name(v) for v in node.inputs], axis=-1))


@copied
def np_take_along(x, ids):
    """Each row's elements at its own places along the last axis."""
    n = x.shape[-1]
    return np.take_along_axis(x, np.clip(np.where(ids < 0, ids + n, ids), 0, n - 1), -1)


class PutAlong(Op):
    """g (..., count), ids (..., count) i32 -> (..., width): zero but for the sums of what goes to each place."""

    name = "put_along"
    no_form = "it serves training"

    def infer(self, g: Value, ids: Value, *, width: int) -> Type:
        return Type((*g.shape[:-1], width), g.dtype)

    def gradient(self, node: Node, *grads: Value | None) -> Sequence[Value | None]:
        return [None if grads[0] is None else TakeAlong.apply(grads[0], node.inputs[1]), None]

    def calls(self, node: Node) -> list[Call]:
        (g, ids), (dx,) = node.inputs, node.outputs
        rows, width, count = int(product(dx.shape[:-1])), int(dx.shape[-1]), int(ids.shape[-1])
        return [Call(put_back.at(T=g.dtype), (g, ids, dx, rows, width, count), tasks=rows, work=1.0 * rows * (count + 0.1 * width))]


def argsort(x: Value, axis: int = -1, descending: bool = False) -> Value:
    """The places (int32) of x's elements along an axis in order; equal elements keep theirs, NaN is the largest."""
    _check(x, axis, "argsort")
    return move_axis(Argsort.apply(move_axis(x, axis, -1), descending=descending), -1, axis)


def sort(x: Value, axis: int = -1) -> Value:
    """x in ascending order along an axis."""
    _check(x, axis, "sort")
    last = move_axis(x, axis, -1)
    return move_axis(TakeAlong.apply(last, Argsort.apply(last, descending=False)), -1, axis)


def top_k(x: Value, k: int) -> tuple[Value, Value]:
    """The k largest elements along the last axis, the largest first, and their places (int32)."""
    _check(x, -1, "top_k")
    if not 1 <= k <= int(x.shape[-1]):
        raise ShapeError(f"top_k: k must be from 1 to {x.shape[-1]}, the size of the last dimension, got {k}")
    order = Argsort.apply(x, descending=True)
    places = slice_(order, [0] * x.rank, [*x.shape[:-1], k])
    return TakeAlong.apply(x, places), places


def take_along_axis(x: Value, ids: Value, axis: int = -1) -> Value:
    """x's elements at places given for each row: as numpy.take_along_axis."""
    _check(x, axis, "take_along_axis")
    if ids.rank != x.rank:
        raise ShapeError(f"take_along_axis: the places {shown(ids.shape)} must have the rank of {shown(x.shape)}")
    x, ids = move_axis(x, axis, -1), move_axis(cast(ids, "i32"), axis, -1)
    if x.shape[:-1] != ids.shape[:-1]:
        try:
            around = np.broadcast_shapes(tuple(map(int, x.shape[:-1])), tuple(map(int, ids.shape[:-1])))
        except ValueError:
            raise ShapeError(f"take_along_axis: the places {shown(ids.shape)} and the tensor {shown(x.shape)} do not broadcast") from None
        dims = [a if int(a) == n else b for n, a, b in zip(around, x.shape, ids.shape, strict=False)]
        x, ids = broadcast_to(x, (*dims, x.shape[-1])), broadcast_to(ids, (*dims, ids.shape[-1]))
    return move_axis(TakeAlong.apply(x, ids), -1, axis)


def _check(x: Value, axis: int, what: str) -> None:
    if not -x.rank <= axis < x.rank:
        raise ShapeError(f"{what}: axis {axis} is outside of a tensor with {x.rank} dimensions")
