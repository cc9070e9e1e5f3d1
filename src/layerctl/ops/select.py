"""One element of each row, by index, and its gradient."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from layerctl.ops.kernel import Call, kernel
from layerctl.ops.numpy_lines import NumpyLines, copied
from layerctl.ops.onnx_graph import OnnxGraph
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

    def numpy(self, c: NumpyLines, node: Node) -> str:
        return f"np_select({c.names(node)})"

    def onnx(self, c: OnnxGraph, node: Node) -> None:
        x, ids = (c.name(v) for v in node.inputs)
        last = c.row(-1)
        wide = c.add("Unsqueeze", [c.add("Cast", [ids], to=c.dtype("i64")), last])
        c.done(node, c.add("Squeeze", [c.add("GatherElements", [x, wide], axis=-1), last]))


@copied
def np_select(x, ids):
    """One element of each row along the last axis; 0 for an id outside."""
    inside = (ids >= 0) & (ids < x.shape[-1])
    y = np.take_along_axis(x, np.where(inside, ids, 0)[..., None], -1)[..., 0]
    return np.where(inside, y, x.dtype.type(0))


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

    def numpy(self, c: NumpyLines, node: Node) -> str:
        return f"np_put({c.names(node)}, {int(node.attrs['width'])})"

    def onnx(self, c: OnnxGraph, node: Node) -> None:
        g, ids = (c.name(v) for v in node.inputs)
        last, places = c.row(-1), c.row(*range(int(node.attrs["width"])))
        hit = c.add("Equal", [c.add("Unsqueeze", [c.add("Cast", [ids], to=c.dtype("i64")), last]), places])  # OneHot counts -1 from the end
        c.done(node, c.add("Mul", [c.add("Cast", [hit], to=c.dtype(node.inputs[0].dtype)), c.add("Unsqueeze", [g, last])]))


@copied
def np_put(g, ids, width):
    """Rows of zeros with g at each id; nothing for an id outside."""
    return np.where(np.arange(width) == ids[..., None], g[..., None], g.dtype.type(0))


def select(x: Value, ids: Value) -> Value:
    """x[..., ids[...]]: one element of each row along the last dimension."""
    return Select.apply(x, ids)


def one_hot(ids: Value, width: int, dtype: str = "f32") -> Value:
    """Rows of zeros with a 1 at each id; all zero for an id outside."""
    from layerctl.ops.elementwise import broadcast_to, cast
    from layerctl.ops.leaves import constant

    return Put.apply(broadcast_to(constant(1.0, dtype), ids.shape), cast(ids, "i32"), width=width)
