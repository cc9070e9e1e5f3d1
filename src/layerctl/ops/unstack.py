"""A tensor taken apart along its first dimension."""

from __future__ import annotations

from collections.abc import Sequence

from layerctl.ops.concat import concat
from layerctl.ops.copying import plan_copy
from layerctl.ops.elementwise import broadcast_to
from layerctl.ops.kernel import Call
from layerctl.ops.leaves import constant
from layerctl.ops.reshape import expand_dims
from layerctl.ops.value import Node, Op, Type, Value, product


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


def unstack(x: Value) -> list[Value]:
    """The tensors along the first dimension."""
    made = Unstack.apply(x)
    return list(made) if isinstance(made, tuple) else [made]
