"""Values side by side in one flat vector, each at a given start: the gradients of all weights, as the optimizer reads them."""

from __future__ import annotations

from collections.abc import Sequence

from layerctl.ops.copying import plan_copy
from layerctl.ops.kernel import Call
from layerctl.ops.value import Node, Op, Type, Value, product


class Pack(Op):
    """A vector of `size` elements with operand i, flat, at `starts[i]`; zero in the gaps.

    Operands are computed in place where the memory plan can put them there; the others are copied.
    """

    name = "pack"
    no_form = "it lays out members of a group"

    def infer(self, *inputs: Value, starts: tuple[int, ...], size: int) -> Type:
        return Type((size,), inputs[0].dtype)

    def gradient(self, node: Node, *grads: Value | None) -> Sequence[Value | None]:
        from layerctl.ops.reshape import reshape

        (g,) = grads
        if g is None:
            return [None] * len(node.inputs)
        parts = zip(node.inputs, node.attrs["starts"], strict=True)
        return [reshape(g[s : s + int(product(v.shape))], v.shape) for v, s in parts]

    def calls(self, node: Node) -> list[Call]:
        (y,) = node.outputs
        flat = [(v, s, int(product(v.shape))) for v, s in zip(node.inputs, node.attrs["starts"], strict=True)]
        return [plan_copy(v, y, (n,), (1,), (1,), y0=s) for v, s, n in flat]
