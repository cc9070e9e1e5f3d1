"""Elementwise functions joined: one pass over memory for all of them, and sums of what it computes on the way."""

from __future__ import annotations

from typing import Any

from layerctl.ops.elementwise import COST, broadcast_strides, collapse, plan_loop
from layerctl.ops.kernel import COLUMNS, Call, ColumnSums, Reduction, Scratch
from layerctl.ops.reduce import chunk_of
from layerctl.ops.value import Node, Op, Shape, Type, Value, product


class Fused(Op):
    """Elementwise functions of one iteration shape, run in one pass.

    `instructions` and `outputs` are those of a Loop over the inputs; `nodes` is the composition it stands for.
    """

    name = "fused"
    no_gradient = "programs are differentiated before they are fused"
    no_form = "it stands for the functions that it joins"

    def infer(
        self, *inputs: Value, instructions: tuple, outputs: tuple[int, ...], shape: Shape, nodes: tuple
    ) -> tuple[Type, ...]:
        n = len(inputs)
        return tuple(Type(shape, instructions[o - n][1]) for o in outputs)

    def calls(self, node: Node) -> list[Call]:
        return [plan_loop(node.inputs, node.attrs["instructions"], node.attrs["outputs"], node.outputs)]


class FusedSums(Op):
    """Elementwise functions of one iteration shape in one pass, and sums of some of their values over leading dimensions.

    `instructions` and `outputs` are those of a Loop over the inputs, `sums` values' indices and their results' types; the shape is seen
    as (length, inner). `nodes` is the composition it stands for.
    """

    name = "fused_sums"
    no_gradient = "programs are differentiated before they are fused"
    no_form = "it stands for the functions that it joins"

    def infer(
        self, *inputs: Value, instructions: tuple, outputs: tuple[int, ...], shape: Shape, nodes: tuple, sums: tuple, length: int, inner: int,
    ) -> tuple[Type, ...]:  # fmt: skip
        n = len(inputs)
        return (*(Type(shape, instructions[o - n][1]) for o in outputs), *(t for _, t in sums))

    def calls(self, node: Node) -> list[Call]:
        a = node.attrs
        length, inner, n = a["length"], a["inner"], len(a["outputs"])
        rows = chunk_of(length, inner)
        chunks = -(-length // rows)
        steps = [matrix_strides(v.shape, a["shape"], length, inner) for v in node.inputs]
        results = node.outputs[n:]
        totals = [v if chunks == 1 else Scratch(8 * chunks * inner) for v in results]
        sums = tuple((i, v.dtype if chunks == 1 else "f64") for (i, _), v in zip(a["sums"], results, strict=True))
        ref = ColumnSums(
            tuple((v.dtype, s[1]) for v, s in zip(node.inputs, steps, strict=True)), a["instructions"], a["outputs"], sums
        )  # fmt: skip
        args: list[Any] = [length, inner, rows]
        for v, s in zip(node.inputs, steps, strict=True):
            args += [v, s[0]]
        work = length * inner * (0.05 * (len(node.inputs) + n) + 0.1 * len(sums) + sum(COST.get(i[0], 0.04) for i in a["instructions"]))
        out = [Call(ref, [*args, *node.outputs[:n], *totals], tasks=chunks * -(-inner // COLUMNS), work=work)]
        for total, v in zip(totals, results, strict=True):
            if chunks > 1:
                out.append(Call(Reduction("sum", "f64", v.dtype), (total, v, 1, chunks, inner), work=0.2 * chunks * inner))
        return out


def matrix_strides(shape: Shape, out: Shape, length: int, inner: int) -> tuple[int, int] | None:
    """The strides, (row, column), of an operand of `shape` broadcast to `out`, that one seen as (length, inner); None if it has none."""
    sizes = tuple(map(int, out))
    split, rows = 0, 1
    while rows < length or (split < len(sizes) and sizes[split] == 1 and rows == length and product(sizes[split:]) != inner):
        rows, split = rows * sizes[split], split + 1
    strides = broadcast_strides(shape, sizes)
    found = []
    for part in (slice(0, split), slice(split, None)):
        kept, steps = collapse(sizes[part], [strides[part]]) if sizes[part] else ((1,), [(0,)])
        if len(kept) != 1:
            return None
        found.append(steps[0][0] if kept[0] != 1 else 0)
    return (found[0], found[1]) if found[1] in (0, 1) else None
