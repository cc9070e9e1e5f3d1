"""Rows taken by index, and their gradient: rows added by index."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from layerctl.ops.elementwise import cast
from layerctl.ops.kernel import Call, Scratch, kernel
from layerctl.ops.numpy_lines import NumpyLines, copied
from layerctl.ops.onnx_graph import OnnxGraph
from layerctl.ops.primitives import share_low
from layerctl.ops.value import Node, Op, ShapeError, Type, Value, placed, product, shown


@kernel(often=("f32", "i32"))
def rows(task: int, tasks: int, table: "T*", ids: "i32*", out: "T*", n: i64, width: i64, count: i64):
    """out[i] = table[ids[i]]; an id below 0 counts from the end, and ids are brought into 0..count-1."""
    for i in range(share_low(n, task, tasks), share_low(n, task + 1, tasks)):
        k = ids[i]
        if k < 0:
            k += count
        k = min(max(k, 0), count - 1)
        for j in range(width):
            out[i * width + j] = table[k * width + j]


@kernel
def add_rows(task: int, tasks: int, grad: "T*", ids: "i32*", table: "T*", last: "i32*", n: i64, width: i64, count: i64, again: i64):
    """table = 0; table[ids[i]] += grad[i] in ascending i. Each share owns a range of the table's rows.

    `again`: the table holds the last step's sums, in the rows `last` (n) and nowhere else, so that only these are cleared.
    """
    low, high = share_low(count, task, tasks), share_low(count, task + 1, tasks)
    if again == 0:
        for i in range((high - low) * width):
            table[low * width + i] = 0
    else:
        for i in range(n):
            k = last[i]
            if low <= k and k < high:
                for j in range(width):
                    table[k * width + j] = 0
    for i in range(n):
        k = ids[i]
        if k < 0:
            k += count
        k = min(max(k, 0), count - 1)
        if low <= k and k < high:
            for j in range(width):
                table[k * width + j] += grad[i * width + j]


@kernel
def remember(task: int, tasks: int, ids: "i32*", last: "i32*", n: i64, count: i64):
    """last = the rows that ids stand for."""
    for i in range(share_low(n, task, tasks), share_low(n, task + 1, tasks)):
        k = ids[i]
        if k < 0:
            k += count
        last[i] = min(max(k, 0), count - 1)


class Gather(Op):
    """table (count, ...) and ids (any shape, i32) -> (*ids, ...)."""

    name = "gather"

    def infer(self, table: Value, ids: Value) -> Type:
        if ids.dtype != "i32":
            raise ShapeError(f"indices must be int32, got {ids.dtype}")
        return Type((*ids.shape, *table.shape[1:]), table.dtype)

    def gradient(self, node: Node, *grads: Value | None) -> Sequence[Value | None]:
        table, ids = node.inputs
        return [None if grads[0] is None else ScatterAdd.apply(grads[0], ids, shape=table.shape), None]

    def calls(self, node: Node) -> list[Call]:
        (table, ids), (y,) = node.inputs, node.outputs
        n, width = int(product(ids.shape)), int(product(table.shape[1:]))
        return [
            Call(
                rows.at(T=table.dtype),
                (table, ids, y, n, width, int(table.shape[0])),
                tasks=n,
                work=n * (3 + 0.1 * width),
            )
        ]

    def numpy(self, c: NumpyLines, node: Node) -> str:
        return f"np_gather({c.names(node)})"

    def onnx(self, c: OnnxGraph, node: Node) -> None:
        c.done(node, c.add("Gather", [c.name(v) for v in node.inputs], axis=0))


@copied
def np_gather(table, ids):
    """table[ids]; an id below 0 counts from the end, and ids are brought into the table."""
    n = len(table)
    return table[np.clip(np.where(ids < 0, ids + n, ids), 0, n - 1)]


class ScatterAdd(Op):
    """grad (*ids, ...) and ids -> a table of `shape`, zero where no id points."""

    name = "scatter_add"
    no_form = "it serves training"

    def infer(self, grad: Value, ids: Value, *, shape: tuple[int, ...]) -> Type:
        return Type(tuple(shape), grad.dtype)

    def gradient(self, node: Node, *grads: Value | None) -> Sequence[Value | None]:
        return [None if grads[0] is None else Gather.apply(grads[0], node.inputs[1]), None]

    def calls(self, node: Node) -> list[Call]:
        (grad, ids), (y,) = node.inputs, node.outputs
        n, count, width = int(product(ids.shape)), int(y.shape[0]), int(product(y.shape[1:]))
        again = n < count and placed(y)
        last = Scratch(4 * n, stays=True) if again else None
        work = n * (3 + 0.2 * width) + 0.1 * width * (n if again else count)
        out = [Call(add_rows.at(T=grad.dtype), (grad, ids, y, last, n, width, count, int(again)), tasks=count, work=work)]
        return [*out, Call(remember.at(), (ids, last, n, count), tasks=n, work=float(n))] if again else out


def take(x: Value, ids: Value, axis: int = 0) -> Value:
    """Slices of x along `axis`, chosen by a tensor of integers; the result has the ids' shape in the axis's place."""
    from layerctl.ops.transpose import transpose

    if x.rank == 0:
        raise ShapeError("take needs a tensor with at least one dimension")
    if not -x.rank <= axis < x.rank:
        raise ShapeError(f"take: axis {axis} is outside of {shown(x.shape)}")
    axis %= x.rank
    order = [axis, *(i for i in range(x.rank) if i != axis)]
    out = Gather.apply(transpose(x, order), cast(ids, "i32"))
    k = ids.rank
    return transpose(out, [*range(k, k + axis), *range(k), *range(k + axis, out.rank)])
