"""Elementwise passes that sum what they compute by columns, as LLVM IR: a chunk's rows, some columns at a time, read as they lie in memory."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from llvmlite import ir

from layerctl.kernels import math
from layerctl.kernels.lanes import F64, I64, TYPES, Lanes, constant
from layerctl.kernels.loops import POINTER, Memory, argument, begin, first_lanes, integer, repeat, share
from layerctl.kernels.target import host
from layerctl.ops.kernel import COLUMNS, ColumnSums


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
        self.held = Memory(b, "f64", self.lanes)
        self.room = [b.inttoptr(b.ptrtoint(b.alloca(F64, size=integer(COLUMNS)), I64), POINTER) for _ in sums.sums]

    def emit(self) -> str:
        """The module's text."""
        b = self.builder
        chunks = b.sdiv(b.add(self.length, b.sub(self.chunk, integer(1))), self.chunk)
        blocks = b.sdiv(b.add(self.inner, integer(COLUMNS - 1)), integer(COLUMNS))
        low, high = share(b, b.mul(chunks, blocks), self.task, self.tasks)

        def unit(at: ir.Value) -> list[ir.Value]:
            chunk = b.sdiv(at, blocks)
            column = b.mul(b.sub(at, b.mul(chunk, blocks)), integer(COLUMNS))
            left = b.sub(self.inner, column)
            self.block(chunk, column, b.select(b.icmp_signed("<", left, integer(COLUMNS)), left, integer(COLUMNS)))
            return []

        repeat(b, low, high, 1, [], unit)
        b.ret_void()
        return str(self.module)

    def vectors(self, columns: ir.Value, vector: Callable[[ir.Value, ir.Value | None], None]) -> None:
        """vector(first column, mask) for each vector of columns, the last of them masked."""
        b = self.builder
        whole = b.and_(columns, integer(-self.lanes))

        def one(at: ir.Value) -> list[ir.Value]:
            vector(at, None)
            return []

        repeat(b, integer(0), whole, self.lanes, [], one)
        with b.if_then(b.icmp_signed("<", whole, columns)):
            vector(whole, first_lanes(b, b.sub(columns, whole), self.lanes))

    def block(self, chunk: ir.Value, column: ir.Value, columns: ir.Value) -> None:
        """Some columns of a chunk's rows."""
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
        k = len(starts)

        def clear(at: ir.Value) -> list[ir.Value]:
            for room in self.room:
                self.held.store(self.held.move(room, at), zero)
            return []

        repeat(b, integer(0), columns, self.lanes, [], clear)

        def row(_: ir.Value, *carried: ir.Value) -> list[ir.Value]:
            here, there = carried[:k], carried[k:]

            def vector(at: ir.Value, mask: ir.Value | None) -> None:
                places = [m.move(p, at) if inner else p for m, p, (_, inner) in zip(self.sources, here, sums.inputs, strict=True)]
                values = self.values(places, mask)
                for m, p, v in zip(self.targets, there, sums.outputs, strict=True):
                    m.store(m.move(p, at), values[v].value, mask)
                for room, (v, _) in zip(self.room, sums.sums, strict=True):
                    held = self.held.move(room, at)
                    self.held.store(held, (Lanes(b, self.held.load(held)) + values[v].to(F64)).value)

            self.vectors(columns, vector)
            return [
                *(m.move(p, s) for m, p, s in zip(self.sources, here, self.strides, strict=True)),
                *(m.move(p, self.inner) for m, p in zip(self.targets, there, strict=True)),
            ]  # fmt: skip

        repeat(b, first, last, 1, [*starts, *outs], row)
        place = b.add(b.mul(chunk, self.inner), column)

        def result(at: ir.Value, mask: ir.Value | None) -> None:
            for m, p, room in zip(self.totals, self.to, self.room, strict=True):
                total = Lanes(b, self.held.load(self.held.move(room, at)))
                m.store(m.move(p, b.add(place, at)), total.to(m.element).value, mask)

        self.vectors(columns, result)

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
