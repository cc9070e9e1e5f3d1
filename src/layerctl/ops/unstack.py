"""A tensor taken apart along its first dimension."""

from __future__ import annotations

from collections.abc import Sequence

from layerctl.ops.concat import concat
from layerctl.ops.copying import plan_copy
from layerctl.ops.elementwise import broadcast_to
from layerctl.ops.kernel import Call
from layerctl.ops.leaves import constant
from layerctl.ops.numpy_lines import NumpyLines
from layerctl.ops.onnx_graph import OnnxGraph
from layerctl.ops.reshape import expand_dims
from layerctl.ops.value import Node, NoForm, Op, Type, Unknown, Value, product


class Unstack(Op):
    """x (n, ...) -> n tensors (...)."""

    name = "unstack"

    def infer(self, x: Value) -> tuple[Type, ...]:
        return tuple(Type(x.shape[1:], x.dtype) for _ in range(int(x.shape[0])))

    def gradient(self, node: Node, *grads: Value | None) -> Sequence[Value | None]:
        x = node.inputs[0]
        if all(g is None for g in grads):
            return [None]
        zero = broadcast_to(constant(0.0, x.dtype), x.shape[1:])
        return [concat([expand_dims(zero if g is None else g, 0) for g in grads], 0)]

    def calls(self, node: Node) -> list[Call]:
        (x,) = node.inputs
        n = int(product(x.shape[1:]))
        return [plan_copy(x, y, (n,), (1,), (1,), x0=i * n) for i, y in enumerate(node.outputs)]

    def numpy(self, c: NumpyLines, node: Node) -> str:
        x = c.name(node.inputs[0])
        return x if len(node.outputs) > 1 else f"{x}[0]"

    def onnx(self, c: OnnxGraph, node: Node) -> None:
        if isinstance(node.inputs[0].shape[0], Unknown):
            raise NoForm("its steps are written one by one, and their number is open: give the input's open dimension a size")
        x = c.name(node.inputs[0])
        for i, v in enumerate(node.outputs):
            c.name(v, c.add("Gather", [x, c.whole(i)], axis=0))


def unstack(x: Value) -> list[Value]:
    """The tensors along the first dimension."""
    made = Unstack.apply(x)
    return list(made) if isinstance(made, tuple) else [made]
