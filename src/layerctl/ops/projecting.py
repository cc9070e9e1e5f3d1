"""Recurrent ops that project their input themselves, a few steps at a time, so that the projection is near when a step uses it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from layerctl.ops.finish import BIAS
from layerctl.ops.kernel import Call, Scratch
from layerctl.ops.matmul_kernels import deepest, packed_size, plan_pack
from layerctl.ops.primitives import offset
from layerctl.ops.tiles import finished_strip, padded, tile_width
from layerctl.ops.value import Node, Op, Type, Value

AHEAD = 6
"""Steps that are projected at once: a register tile's rows, of which few enough stay in a core's own cache."""
FEWEST_ROWS = 8
"""Rows of a batch from which on a share of it projects its own input: fewer give no work to several threads, which a product does."""


@dataclass(frozen=True)
class Projection:
    """x @ w (+ bias): x (batch, time, features), or what an op is given as `x` already is the projection, where `w` is None."""

    x: Any
    w: Any = None
    bias: Any = None
    features: int = 0
    transposed: bool = False

    def plan(self, dtype: str, wide: int) -> tuple[list[Call], tuple[Any, ...]]:
        """The call that packs w (features, wide), and the arguments `x, w, bias, features, how` of a kernel."""
        if self.w is None:
            return [], (self.x, self.x, self.x, 0, 0)
        panels = Scratch(packed_size(dtype, 1, self.features, wide))
        strides = (0, 1, self.features) if self.transposed else (0, wide, 1)
        fill = plan_pack(dtype, 1, self.features, wide, self.w, strides, panels)
        return [fill], (self.x, panels, self.x if self.bias is None else self.bias, self.features, BIAS * (self.bias is not None))


def project(
    rows: int, steps: int, x: Any, x_row: int, features: int, packed: Any, bias: Any, how: int, n: int, to: Any, to_row: int
) -> None:  # fmt: skip
    """to (rows, steps, n) = x (rows, steps, features) @ packed, finished, for kernels; the rows are `x_row` and `to_row` elements apart."""
    width = tile_width(packed)
    k = 0
    while k < features:
        depth = min(deepest(width), features - k)
        for p in range((n + width - 1) // width):
            columns = min(width, n - p * width)
            panel = offset(packed, p * features * width + k * padded(columns, packed))
            for row in range(rows):
                finished_strip(
                    steps, columns, offset(x, row * x_row + k), features, 1, panel, depth, offset(to, row * to_row + p * width), n, k,
                    offset(bias, p * width), how if k + depth == features else 0,
                )  # fmt: skip
        k += depth


class Projecting(Op):
    """A recurrent op that projects its input itself, or of whose results some are not read, or both.

    The inputs are x, w and, if `biased`, the bias where there is a `product` (x and w the operands of that matrix product), else the projection;
    behind them those of the op's `node` but for its first. `kept` are the places of the results that are read. `nodes` is the composition
    that this stands for.
    """

    name = "projecting"
    no_gradient = "programs are differentiated before projections are joined"
    no_form = "it stands for the ops that it joins"

    def infer(
        self, *inputs: Value, node: Node, product: Node | None, biased: bool, kept: tuple[int, ...], nodes: tuple[Node, ...]
    ) -> tuple[Type, ...]:
        return tuple(node.outputs[i].type for i in kept)

    def calls(self, node: Node) -> list[Call]:
        a, inputs = node.attrs, node.inputs
        product, own = a["product"], Projection(inputs[0])
        if product is not None:
            own = Projection(*inputs[: 2 + a["biased"]], features=int(inputs[0].shape[-1]), transposed=product.attrs["tb"])  # type: ignore[misc]
        outputs: list[Value | None] = [None] * len(a["node"].outputs)
        for place, value in zip(a["kept"], node.outputs, strict=True):
            outputs[place] = value
        behind = inputs[len(inputs) - len(a["node"].inputs) + 1 :]
        return a["node"].op.projecting(own, behind, outputs)

    def macs(self, node: Node) -> int:
        product, own = node.attrs["product"], node.attrs["node"]
        return int(own.op.macs(own)) + (int(product.op.macs(product)) if product is not None else 0)
