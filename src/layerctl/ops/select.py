"""One element of each row, by index, and its gradient."""

from __future__ import annotations

from collections.abc import Sequence

from layerctl.ops.kernel import Call, kernel
from layerctl.ops.primitives import share_low
from layerctl.ops.value import Node, Op, ShapeError, Type, Value, product, shown


@kernel
def pick_one(task: int, tasks: int, x: "T*", ids: "i32*", y: "T*", rows: i64, width: i64):
    """y[i] = x[i, ids[i]]; 0 for an id outside of the row."""
    for i in range(share_low(rows, task, tasks), share_low(rows, task + 1, tasks)):
        k = ids[i]
        if k >= 0 and k < width:
            y[i] = x[i * width + k]
        else:
            y[i] = 0


@kernel
def put_one(task: int, tasks: int, g: "T*", ids: "i32*", dx: "T*", rows: i64, width: i64):
    """dx[i] = 0 but dx[i, ids[i]] = g[i]."""
    for i in range(share_low(rows, task, tasks), share_low(rows, task + 1, tasks)):
        for j in range(width):
            dx[i * width + j] = 0
        k = ids[i]
        if k >= 0 and k < width:
            dx[i * width + k] = g[i]


class Select(Op):
    """x (..., width), ids (...) i32 -> (...)."""

    name = "select"

    def infer(self, x: Value, ids: Value) -> Type:
        if tuple(map(int, ids.shape)) != tuple(map(int, x.shape[:-1])):
            raise ShapeError(f"select: indices of shape {shown(ids.shape)} for {shown(x.shape)}")
        return Type(x.shape[:-1], x.dtype)

    def gradient(self, node: Node, *grads: Value | None) -> Sequence[Value | None]:
        x, ids = node.inputs
        return [None if grads[0] is None else Put.apply(grads[0], ids, width=x.shape[-1]), None]

    def calls(self, node: Node) -> list[Call]:
        (x, ids), (y,) = node.inputs, node.outputs
        rows = int(product(ids.shape))
        return [Call(pick_one.at(T=x.dtype), (x, ids, y, rows, int(x.shape[-1])), tasks=rows, work=3.0 * rows)]


class Put(Op):
    """g (...), ids (...) -> (..., width), zero but for one element a row."""

    name = "put"

    def infer(self, g: Value, ids: Value, *, width: int) -> Type:
        return Type((*g.shape, width), g.dtype)

    def gradient(self, node: Node, *grads: Value | None) -> Sequence[Value | None]:
        return [None if grads[0] is None else Select.apply(grads[0], node.inputs[1]), None]

    def calls(self, node: Node) -> list[Call]:
        (g, ids), (y,) = node.inputs, node.outputs
        rows, width = int(product(ids.shape)), int(y.shape[-1])
        return [Call(put_one.at(T=g.dtype), (g, ids, y, rows, width), tasks=rows, work=rows * (3 + 0.1 * width))]


def select(x: Value, ids: Value) -> Value:
    """x[..., ids[...]]: one element of each row along the last dimension."""
    return Select.apply(x, ids)


def one_hot(ids: Value, width: int, dtype: str = "f32") -> Value:
    """Rows of zeros with a 1 at each id; all zero for an id outside."""
    from layerctl.ops.elementwise import broadcast_to, cast
    from layerctl.ops.leaves import constant

    return Put.apply(broadcast_to(constant(1.0, dtype), ids.shape), cast(ids, "i32"), width=width)
