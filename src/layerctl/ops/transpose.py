"""Dimensions in another order."""

from __future__ import annotations

from collections.abc import Sequence

from layerctl.ops.copying import plan_copy, row_strides
from layerctl.ops.kernel import Call
from layerctl.ops.numpy_lines import NumpyLines
from layerctl.ops.onnx_graph import OnnxGraph
from layerctl.ops.value import Node, Op, ShapeError, Type, Value


class Transpose(Op):
    """Result dimension i is operand dimension axes[i]."""

    name = "transpose"

    def infer(self, x: Value, *, axes: tuple[int, ...]) -> Type:
        if sorted(axes) != list(range(x.rank)):
            raise ShapeError(f"transpose: {axes} is no order of {x.rank} dimensions")
        return Type(tuple(x.shape[a] for a in axes), x.dtype)

    def gradient(self, node: Node, *grads: Value | None) -> Sequence[Value | None]:
        axes = node.attrs["axes"]
        return [None if grads[0] is None else transpose(grads[0], [axes.index(i) for i in range(len(axes))])]

    def calls(self, node: Node) -> list[Call]:
        (x,), (y,) = node.inputs, node.outputs
        strides = row_strides(x.shape)
        return [plan_copy(x, y, y.shape, tuple(strides[a] for a in node.attrs["axes"]), row_strides(y.shape))]

    def numpy(self, c: NumpyLines, node: Node) -> str:
        return f"np.transpose({c.name(node.inputs[0])}, {tuple(node.attrs['axes'])})"

    def onnx(self, c: OnnxGraph, node: Node) -> None:
        c.done(node, c.add("Transpose", [c.name(node.inputs[0])], perm=list(node.attrs["axes"])))


def transpose(x: Value, axes: Sequence[int] | None = None) -> Value:
    """x with its dimensions in the order `axes` (reversed by default)."""
    order = tuple(reversed(range(x.rank))) if axes is None else tuple(a % x.rank if x.rank else a for a in axes)
    return x if order == tuple(range(x.rank)) else Transpose.apply(x, axes=order)


def swap_axes(x: Value, a: int, b: int) -> Value:
    """x with two dimensions exchanged."""
    order = list(range(x.rank))
    order[a], order[b] = order[b], order[a]
    return transpose(x, order)


def move_axis(x: Value, source: int, to: int) -> Value:
    """x with one dimension moved to another place."""
    order = [i for i in range(x.rank) if i != source % x.rank]
    order.insert(to % x.rank, source % x.rank)
    return transpose(x, order)
