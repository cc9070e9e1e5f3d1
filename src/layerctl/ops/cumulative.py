"""Running sums and products along an axis."""

from __future__ import annotations

from collections.abc import Sequence

from layerctl.ops.elementwise import cast
from layerctl.ops.kernel import Call, kernel
from layerctl.ops.numpy_lines import NumpyLines
from layerctl.ops.onnx_graph import OnnxGraph
from layerctl.ops.primitives import share_low
from layerctl.ops.transpose import move_axis
from layerctl.ops.value import Node, Op, ShapeError, Type, Value, product


@kernel
def sums(task: int, tasks: int, x: "T*", y: "T*", rows: i64, width: i64, reverse: i64):
    """y[row, j] = the sum of x[row, 0..j], or of x[row, j..width-1]; in that order."""
    for row in range(share_low(rows, task, tasks), share_low(rows, task + 1, tasks)):
        at = row * width
        if width > 0:
            last = width - 1 if reverse != 0 else 0
            y[at + last] = x[at + last]
            for k in range(1, width):
                j = width - 1 - k if reverse != 0 else k
                before = j + 1 if reverse != 0 else j - 1
                y[at + j] = y[at + before] + x[at + j]


@kernel
def products(task: int, tasks: int, x: "T*", y: "T*", rows: i64, width: i64):
    """y[row, j] = the product of x[row, 0..j]."""
    for row in range(share_low(rows, task, tasks), share_low(rows, task + 1, tasks)):
        at = row * width
        for j in range(width):
            y[at + j] = x[at + j] if j == 0 else y[at + j - 1] * x[at + j]


@kernel
def products_gradient(task: int, tasks: int, x: "T*", g: "T*", dx: "T*", rows: i64, width: i64):
    """dx[row, i] = the sum over j >= i of g[row, j] times the product of x[row, 0..j] without x[row, i]; exact where x is 0."""
    for row in range(share_low(rows, task, tasks), share_low(rows, task + 1, tasks)):
        at = row * width
        for i in range(width):
            rest = x[at] * 0 + 1
            for j in range(i):
                rest = rest * x[at + j]
            total = g[at + i] * rest
            for j in range(i + 1, width):
                rest = rest * x[at + j]
                total += g[at + j] * rest
            dx[at + i] = total


class CumulativeSum(Op):
    """Along the last axis; `reverse` sums from the end."""

    name = "cumulative_sum"

    def infer(self, x: Value, *, reverse: bool) -> Type:
        return x.type

    def gradient(self, node: Node, *grads: Value | None) -> Sequence[Value | None]:
        return [None if grads[0] is None else CumulativeSum.apply(grads[0], reverse=not node.attrs["reverse"])]

    def calls(self, node: Node) -> list[Call]:
        (x,), (y,) = node.inputs, node.outputs
        rows, width = int(product(x.shape[:-1])), int(x.shape[-1])
        return [Call(sums.at(T=x.dtype), (x, y, rows, width, int(node.attrs["reverse"])), tasks=rows, work=1.0 * rows * width)]

    def numpy(self, c: NumpyLines, node: Node) -> str:
        x, back = c.name(node.inputs[0]), "[..., ::-1]" if node.attrs["reverse"] else ""
        return f"np.cumsum({x}{back}, axis=-1, dtype={x}.dtype){back}"

    def onnx(self, c: OnnxGraph, node: Node) -> None:
        (x,) = node.inputs
        c.done(node, c.add("CumSum", [c.name(x), c.whole(x.rank - 1)], reverse=int(node.attrs["reverse"])))


class CumulativeProduct(Op):
    """Along the last axis."""

    name = "cumulative_product"

    def infer(self, x: Value) -> Type:
        return x.type

    def gradient(self, node: Node, *grads: Value | None) -> Sequence[Value | None]:
        return [None if grads[0] is None else CumulativeProductGradient.apply(node.inputs[0], grads[0])]

    def calls(self, node: Node) -> list[Call]:
        (x,), (y,) = node.inputs, node.outputs
        rows, width = int(product(x.shape[:-1])), int(x.shape[-1])
        return [Call(products.at(T=x.dtype), (x, y, rows, width), tasks=rows, work=1.0 * rows * width)]

    def numpy(self, c: NumpyLines, node: Node) -> str:
        x = c.name(node.inputs[0])
        return f"np.cumprod({x}, axis=-1, dtype={x}.dtype)"


class CumulativeProductGradient(Op):
    """The operand's gradient from the operand and the result's gradient."""

    name = "cumulative_product_gradient"
    no_gradient = "cumprod can be differentiated once only"
    no_form = "it serves training"

    def infer(self, x: Value, g: Value) -> Type:
        return x.type

    def calls(self, node: Node) -> list[Call]:
        (x, g), (dx,) = node.inputs, node.outputs
        rows, width = int(product(x.shape[:-1])), int(x.shape[-1])
        return [Call(products_gradient.at(T=x.dtype), (x, g, dx, rows, width), tasks=rows, work=0.7 * rows * width * width)]


def cumulative(kind: str, x: Value, axis: int = -1, reverse: bool = False) -> Value:
    """The running `sum` or `prod` along an axis; of booleans as integers.

    Raises:
        ShapeError: if the axis is outside of x.
    """
    if not -x.rank <= axis < x.rank:
        raise ShapeError(f"cum{kind}: axis {axis} is outside of a tensor with {x.rank} dimensions")
    x = move_axis(cast(x, "i32") if x.dtype == "bool" else x, axis, -1)
    y = CumulativeSum.apply(x, reverse=reverse) if kind == "sum" else CumulativeProduct.apply(x)
    return move_axis(y, -1, axis)
