"""The rows of a batch, fetched from a data set in memory by the epoch's order."""

from __future__ import annotations

from layerctl.ops.kernel import Call, External, kernel
from layerctl.ops.primitives import share_low
from layerctl.ops.value import Node, Op, Type, Value, product


@kernel(often=("f32", "i32", "i64", "u8"))
def fetch(task: int, tasks: int, data: "T*", order: "i64*", cursor: "i64*", out: "T*", batch: i64, width: i64):
    """out[i] = data[order[cursor + i]] for the rows of a batch."""
    start = cursor[0]
    for i in range(share_low(batch, task, tasks), share_low(batch, task + 1, tasks)):
        row = order[start + i] * width
        for j in range(width):
            out[i * width + j] = data[row + j]


@kernel
def pick(task: int, tasks: int, order: "i64*", numbers: "i64*", cursor: "i64*", out: "i64*", batch: i64):
    """out[i] = numbers[order[cursor + i]]: the rows' numbers in the whole data set."""
    start = cursor[0]
    for i in range(batch):
        out[i] = numbers[order[start + i]]


class Fetch(Op):
    """One batch of the data set's array `label`; `cursor` is the place in the order (i64 scalar)."""

    name = "fetch"
    no_gradient = "it is data"
    no_form = "it serves programs that go through rows themselves"

    def infer(self, cursor: Value, *, label: str, type: Type) -> Type:
        return type

    def calls(self, node: Node) -> list[Call]:
        (cursor,), (out,), label = node.inputs, node.outputs, node.attrs["label"]
        batch, width = int(out.shape[0]), int(product(out.shape[1:]))
        args = (External(label), External("order"), cursor, out, batch, width)
        return [Call(fetch.at(T=out.dtype), args, tasks=batch, work=batch * (5 + 0.2 * width), parts=batch)]


class RowNumbers(Op):
    """The batch's row numbers (i64), by which random ops know their rows."""

    name = "row_numbers"
    no_gradient = "it is data"
    no_form = "it serves programs that go through rows themselves"

    def infer(self, cursor: Value, *, batch: int) -> Type:
        return Type((batch,), "i64")

    def calls(self, node: Node) -> list[Call]:
        (cursor,), (out,) = node.inputs, node.outputs
        args = (External("order"), External("row_numbers"), cursor, out, int(out.shape[0]))
        return [Call(pick.at(), args, work=2.0 * int(out.shape[0]))]


@kernel(often=("f32", "i32", "i64", "u8"))
def deliver(task: int, tasks: int, x: "T*", result: "T*", cursor: "i64*", token: "i64*", batch: i64, width: i64):
    """result[cursor + i] = x[i] for the rows of a batch."""
    start = cursor[0] * width
    for i in range(share_low(batch, task, tasks) * width, share_low(batch, task + 1, tasks) * width):
        result[start + i] = x[i]
    if task == 0:
        token[0] = cursor[0] + batch


class Deliver(Op):
    """Writes a batch of results to the array `label` outside, at the cursor; gives the cursor after it."""

    name = "deliver"
    no_gradient = "it ends the program"
    no_form = "it serves programs that go through rows themselves"

    def infer(self, x: Value, cursor: Value, *, label: str) -> Type:
        return Type((), "i64")

    def calls(self, node: Node) -> list[Call]:
        (x, cursor), (token,) = node.inputs, node.outputs
        batch, width = int(x.shape[0]), int(product(x.shape[1:]))
        return [
            Call(
                deliver.at(T=x.dtype),
                (x, External(node.attrs["label"]), cursor, token, batch, width),
                tasks=batch,
                work=0.2 * batch * width,
            )
        ]
