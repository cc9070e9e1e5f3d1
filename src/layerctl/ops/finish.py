"""What a product or a convolution does to its result while that is near: the largest of windows, a bias, relu."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from layerctl.ops.kernel import Call
from layerctl.ops.primitives import offset
from layerctl.ops.tiles import finish_line, tile, tile_rows
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


def finish(rows: int, columns: int, c: "T*", c_stride: int, bias: "T*", how: int) -> None:
    """c[i, j] + bias[j] where `how` has BIAS, and 0 where that is not positive and `how` has RELU; NaN stays."""
    for i in range(rows):
        finish_line(columns, offset(c, i * c_stride), bias, how)


def finished_strip(
    rows: int, columns: int, a: "T*", row_stride: int, k_stride: int, b: "T*", depth: int, c: "T*", c_stride: int, keep: int, bias: "T*",
    how: int,
) -> None:  # fmt: skip
    """A strip (see ops/tiles.py) of which each tile is finished at once."""
    most = tile_rows(b, columns)
    blocks = (rows + most - 1) // most
    low = 0
    for i in range(blocks):
        high = rows * (i + 1) // blocks
        into = offset(c, low * c_stride)
        tile(high - low, columns, offset(a, low * row_stride), row_stride, k_stride, b, depth, into, c_stride, keep)
        if how != 0:
            finish(high - low, columns, into, c_stride, bias, how)
        low = high


class Finished(Op):
    """A product or convolution that finishes its result itself; the last input is the bias where there is one.

    `node` is the product or convolution, `nodes` the composition that this stands for, by whose rules the result has its `type`.
    """

    name = "finished"
    no_gradient = "programs are differentiated before results are finished in place"

    def infer(self, *inputs: Value, node: Node, nodes: tuple[Node, ...], type: Type, pool: tuple[int, int], relu: bool) -> Type:
        return type

    def calls(self, node: Node) -> list[Call]:
        a, source = node.attrs, node.attrs["node"]
        bias = node.inputs[-1] if len(node.inputs) > len(source.inputs) else None
        return source.op.finished(source, node.outputs[0], Finish(a["pool"], bias, a["relu"]))

    def macs(self, node: Node) -> int:
        source = node.attrs["node"]
        return source.op.macs(source)
