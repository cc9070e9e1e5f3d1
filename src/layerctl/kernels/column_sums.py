"""Elementwise passes that sum what they compute by columns, as LLVM IR: a vector of columns at a time, down the rows of a chunk."""

from __future__ import annotations

from collections.abc import Sequence

from llvmlite import ir

from layerctl.kernels import math
from layerctl.kernels.lanes import F64, TYPES, Lanes, constant
from layerctl.kernels.loops import POINTER, Memory, argument, begin, first_lanes, integer, repeat, share
from layerctl.kernels.target import host
from layerctl.ops.kernel import ColumnSums


class _Emission:
    """The emission of one ColumnSums."""

    def __init__(self, sums: ColumnSums, name: str):
        self.sums, self.lanes = sums, host().lanes
        self.module, self.builder, self.task, self.tasks, block = begin(name)
        b, n = self.builder, len(sums.inputs)
        self.length, self.inner, self.chunk = (argument(b, block, i) for i in range(3))
        made = [sums.inputs[v][0] if v < n else sums.instructions[v - n][1] for v in sums.outputs]
        self.sources = [Memory(b, d, self.lanes) for d, _ in sums.inputs]
        self.targets = [Memory(b, d, self.lanes) for d in made]
        self.totals = [Memory(b, d, self.lanes) for _, d in sums.sums]
        self.strides = [argument(b, block, 4 + 2 * i) for i in range(n)]
        self.x = [b.inttoptr(argument(b, block, 3 + 2 * i), POINTER) for i in range(n)]
        at = 3 + 2 * n
        self.y = [b.inttoptr(argument(b, block, at + i), POINTER) for i in range(len(made))]
        self.to = [b.inttoptr(argument(b, block, at + len(made) + i), POINTER) for i in range(len(sums.sums))]

    def emit(self) -> str:
        """The module's text."""
        b = self.builder
        chunks = b.sdiv(b.add(self.length, b.sub(self.chunk, integer(1))), self.chunk)
        blocks = b.sdiv(b.add(self.inner, integer(self.lanes - 1)), integer(self.lanes))
        low, high = share(b, b.mul(chunks, blocks), self.task, self.tasks)

        def unit(at: ir.Value) -> list[ir.Value]:
            chunk = b.sdiv(at, blocks)
            column = b.mul(b.sub(at, b.mul(chunk, blocks)), integer(self.lanes))
            left = b.sub(self.inner, column)
            with b.if_else(b.icmp_signed(">=", left, integer(self.lanes))) as (whole, part):
                with whole:
                    self.block(chunk, column, None)
                with part:
                    self.block(chunk, column, first_lanes(b, left, self.lanes))
            return []

        repeat(b, low, high, 1, [], unit)
        b.ret_void()
        return str(self.module)

    def block(self, chunk: ir.Value, column: ir.Value, mask: ir.Value | None) -> None:
        """A vector of columns down a chunk's rows; the sums stay in registers."""
        b, sums = self.builder, self.sums
        first = b.mul(chunk, self.chunk)
        beyond = b.add(first, self.chunk)
        last = b.select(b.icmp_signed("<", beyond, self.length), beyond, self.length)
        starts = [
            m.move(p, b.add(b.mul(first, s), column) if inner else b.mul(first, s))
            for m, p, s, (_, inner) in zip(self.sources, self.x, self.strides, sums.inputs, strict=True)
        ]
        corner = b.add(b.mul(first, self.inner), column)
        outs = [m.move(p, corner) for m, p in zip(self.targets, self.y, strict=True)]
        zero = constant(ir.VectorType(F64, self.lanes), 0.0)
        k, n = len(starts), len(outs)

        def row(_: ir.Value, *carried: ir.Value) -> list[ir.Value]:
            here, there, totals = carried[:k], carried[k : k + n], carried[k + n :]
            values = self.values(here, mask)
            for m, p, v in zip(self.targets, there, sums.outputs, strict=True):
                m.store(p, values[v].value, mask)
            added = [(Lanes(b, t) + values[v].to(F64)).value for t, (v, _) in zip(totals, sums.sums, strict=True)]
            return [
                *(m.move(p, s) for m, p, s in zip(self.sources, here, self.strides, strict=True)),
                *(m.move(p, self.inner) for m, p in zip(self.targets, there, strict=True)), *added,
            ]  # fmt: skip

        found = repeat(b, first, last, 1, [*starts, *outs, *[zero] * len(sums.sums)], row)[k + n :]
        place = b.add(b.mul(chunk, self.inner), column)
        for m, p, total in zip(self.totals, self.to, found, strict=True):
            m.store(m.move(p, place), Lanes(b, total).to(m.element).value, mask)

    def values(self, pointers: Sequence[ir.Value], mask: ir.Value | None) -> list[Lanes]:
        """The inputs' vectors of a row and what is computed of them."""
        values = []
        for memory, pointer, (_, inner) in zip(self.sources, pointers, self.sums.inputs, strict=True):
            values.append(Lanes(self.builder, memory.load(pointer, mask) if inner else memory.load_one(pointer)))
        for name, dtype, operands in self.sums.instructions:
            args = [self.constant(o) if isinstance(o, tuple) else values[o] for o in operands]
            values.append(args[0].to(TYPES[dtype]) if name == "cast" else math.EMITTERS[name](*args))
        return values

    def constant(self, operand: tuple) -> Lanes:
        """An operand ("const", dtype, number)."""
        _, dtype, number = operand
        return Lanes(self.builder, constant(ir.VectorType(TYPES[dtype], self.lanes), number))


def emit(sums: ColumnSums, name: str) -> str:
    """LLVM IR of a module with one function `void name(i64 task, i64 tasks, i64 block)`; an output may be the memory of an input of its
    shape. The bits depend neither on the shares nor on the machine."""
    return _Emission(sums, name).emit()
