"""A value through which no gradient flows."""

from __future__ import annotations

from layerctl.ops.numpy_lines import NumpyLines
from layerctl.ops.onnx_graph import OnnxGraph
from layerctl.ops.value import Node, Op, Type, Value


class StopGradient(Op):
    """The operand itself."""

    name = "stop_gradient"
    is_view = True
    no_gradient = "it stops here"

    def infer(self, x: Value) -> Type:
        return x.type

    def calls(self, node: Node) -> list:
        return []

    def numpy(self, c: NumpyLines, node: Node) -> str:
        return c.name(node.inputs[0])

    def onnx(self, c: OnnxGraph, node: Node) -> None:
        c.done(node, c.add("Identity", [c.name(node.inputs[0])]))


def stop_gradient(x: Value) -> Value:
    """x, as a constant for differentiation."""
    return StopGradient.apply(x)
