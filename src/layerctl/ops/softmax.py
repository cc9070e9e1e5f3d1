"""Softmax and its logarithm along the last axis, each one pass over a row while it is in cache."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from layerctl.ops.elementwise import FLOATING, apply, cast
from layerctl.ops.kernel import Call, kernel
from layerctl.ops.numpy_lines import NumpyLines, copied
from layerctl.ops.onnx_graph import OnnxGraph
from layerctl.ops.primitives import exp, log, narrowed, offset, share_low
from layerctl.ops.reduce import reduce
from layerctl.ops.rows import row_dot, row_max, row_sum
from layerctl.ops.transpose import move_axis
from layerctl.ops.value import Node, Op, ShapeError, Type, Value, product, shown


@kernel
def forward(task: int, tasks: int, x: "T*", y: "T*", rows: i64, width: i64, logarithm: i64):
    """y = exp(x - max) / sum, or x - max - log(sum), for each row of `width`. Sums in float64."""
    for row in range(share_low(rows, task, tasks), share_low(rows, task + 1, tasks)):
        source, to = offset(x, row * width), offset(y, row * width)
        top = row_max(width, source)
        for j in range(width):
            to[j] = exp(source[j] - top)
        total = row_sum(width, to)
        if logarithm != 0:
            less = narrowed(to, log(total))
            for j in range(width):
                to[j] = (source[j] - top) - less
        else:
            factor = narrowed(to, 1.0 / total)
            for j in range(width):
                to[j] = to[j] * factor


@kernel
def backward(task: int, tasks: int, g: "T*", y: "T*", dx: "T*", rows: i64, width: i64, logarithm: i64):
    """dx = y (g - sum(g y)), or g - exp(y) sum(g) for the logarithm."""
    for row in range(share_low(rows, task, tasks), share_low(rows, task + 1, tasks)):
        given, own, to = offset(g, row * width), offset(y, row * width), offset(dx, row * width)
        if logarithm != 0:
            total = narrowed(to, row_sum(width, given))
            for j in range(width):
                to[j] = given[j] - exp(own[j]) * total
        else:
            total = narrowed(to, row_dot(width, given, own))
            for j in range(width):
                to[j] = own[j] * (given[j] - total)


class Softmax(Op):
    """Along the last axis; `logarithm` gives log(softmax(x))."""

    name = "softmax"

    def infer(self, x: Value, *, logarithm: bool) -> Type:
        if x.rank < 1:
            raise ShapeError(f"softmax needs a dimension to go over, got {shown(x.shape)}")
        return x.type

    def gradient(self, node: Node, *grads: Value | None) -> Sequence[Value | None]:
        if grads[0] is None:
            return [None]
        return [SoftmaxGradient.apply(grads[0], node.outputs[0], logarithm=node.attrs["logarithm"])]

    def calls(self, node: Node) -> list[Call]:
        (x,), (y,) = node.inputs, node.outputs
        rows, width = int(product(x.shape[:-1])), int(x.shape[-1])
        args = (x, y, rows, width, int(node.attrs["logarithm"]))
        return [Call(forward.at(T=x.dtype), args, tasks=rows, work=rows * (20 + 0.6 * width), parts=rows, along=(x,))]

    def numpy(self, c: NumpyLines, node: Node) -> str:
        return f"np_softmax({c.names(node)}, {bool(node.attrs['logarithm'])})"

    def onnx(self, c: OnnxGraph, node: Node) -> None:
        c.done(node, c.add("LogSoftmax" if node.attrs["logarithm"] else "Softmax", [c.name(node.inputs[0])], axis=-1))


@copied
def np_softmax(x, logarithm):
    """softmax along the last axis, or its logarithm."""
    y = x - x.max(axis=-1, keepdims=True)
    e = np.exp(y)
    total = e.sum(axis=-1, keepdims=True, dtype=np.float64)
    return (y - np.log(total)).astype(x.dtype) if logarithm else (e / total).astype(x.dtype)


class SoftmaxGradient(Op):
    """The operand's gradient from the result and its gradient."""

    name = "softmax_gradient"
    no_form = "it serves training"

    def infer(self, g: Value, y: Value, *, logarithm: bool) -> Type:
        return y.type

    def gradient(self, node: Node, *grads: Value | None) -> Sequence[Value | None]:
        (dd,), (g, y) = grads, node.inputs
        if dd is None:
            return [None, None]
        if node.attrs["logarithm"]:
            p, total = apply("exp", y), reduce("sum", g, -1, keepdims=True)
            return [dd - reduce("sum", dd * p, -1, keepdims=True), -(dd * p * total)]
        inner = reduce("sum", g * y, -1, keepdims=True)
        outer = reduce("sum", dd * y, -1, keepdims=True)
        return [y * dd - y * outer, dd * (g - inner) - g * outer]

    def calls(self, node: Node) -> list[Call]:
        (g, y), (dx,) = node.inputs, node.outputs
        rows, width = int(product(y.shape[:-1])), int(y.shape[-1])
        args = (g, y, dx, rows, width, int(node.attrs["logarithm"]))
        return [Call(backward.at(T=y.dtype), args, tasks=rows, work=rows * (10 + 0.3 * width), parts=rows, along=(g, y))]


def softmax(x: Value, axis: int | Sequence[int] = -1, logarithm: bool = False) -> Value:
    """softmax(x), or its logarithm, along an axis."""
    x = x if x.dtype in FLOATING else cast(x, "f32")
    if not isinstance(axis, int):
        return softmax_over(x, tuple(axis))
    if not -x.rank <= axis < x.rank:
        raise ShapeError(f"softmax: axis {axis} is outside of {shown(x.shape)}")
    if axis % x.rank == x.rank - 1:
        return Softmax.apply(x, logarithm=logarithm)
    return move_axis(Softmax.apply(move_axis(x, axis, -1), logarithm=logarithm), -1, axis)


def softmax_over(x: Value, axes: tuple[int, ...]) -> Value:
    """softmax over several axes at once, as a composition."""
    e = apply("exp", x - reduce("max", x, axes, keepdims=True))
    return e / reduce("sum", e, axes, keepdims=True)
