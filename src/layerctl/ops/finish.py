"""What a product or a convolution does to its result while that is near: the largest of windows, a bias, relu."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from layerctl.ops.kernel import Call
from layerctl.ops.value import Node, Op, Type, Value

BIAS, RELU = 1, 2
"""Bits of the number that says how a result is finished."""


@dataclass(frozen=True)
class Finish:
    """How a result is finished: windows of (height, width), next to each other, of which the largest element stays; the value (one element
    a column) that is added then, or None; and whether what is not positive becomes 0 at last."""

    pool: tuple[int, int] = (1, 1)
    bias: Any = None
    relu: bool = False

    def args(self, result: Any) -> tuple[Any, int]:
        """The arguments `bias` and `how` of a kernel that finishes `result`."""
        return (result if self.bias is None else self.bias), BIAS * (self.bias is not None) + RELU * self.relu


PLAIN = Finish()
"""Results as they are."""


class Finished(Op):
    """A product or convolution that finishes its result itself; the last input is the bias where there is one.

    `node` is the product or convolution, `nodes` the composition that this stands for, by whose rules the result has its `type`.
    """

    name = "finished"
    no_gradient = "programs are differentiated before results are finished in place"
    no_form = "it stands for the ops that it joins"

    def infer(self, *inputs: Value, node: Node, nodes: tuple[Node, ...], type: Type, pool: tuple[int, int], relu: bool) -> Type:
        return type

    def calls(self, node: Node) -> list[Call]:
        a, source = node.attrs, node.attrs["node"]
        bias = node.inputs[-1] if len(node.inputs) > len(source.inputs) else None
        return source.op.finished(source, node.outputs[0], Finish(a["pool"], bias, a["relu"]))

    def macs(self, node: Node) -> int:
        source = node.attrs["node"]
        return source.op.macs(source)
