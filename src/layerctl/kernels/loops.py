"""Elementwise loop nests as LLVM IR: explicit vectors of fixed width, which LLVM splits for the machine at hand.

The result needs no optimisation passes to be fast: there is no memory in it but the operands', and the loops carry
pointers.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from llvmlite import ir

from layerctl.kernels import math
from layerctl.kernels.lanes import I1, I8, I32, I64, TYPES, Lanes, constant, intrinsic
from layerctl.ops.kernel import SIZES, Loop

POINTER = ir.PointerType()
VOID = ir.VoidType()


def begin(name: str) -> tuple[ir.Module, ir.IRBuilder, ir.Value, ir.Value, ir.Value]:
    """A module with one kernel `void name(i64 task, i64 tasks, i64 block)`: it, a builder, and the three arguments."""
    module = ir.Module(name=name)
    function = ir.Function(module, ir.FunctionType(VOID, [I64] * 3), name)
    builder = ir.IRBuilder(function.append_basic_block())
    task, tasks, block = function.args
    return module, builder, task, tasks, builder.inttoptr(block, POINTER)


def integer(value: int) -> ir.Constant:
    """An i64."""
    return ir.Constant(I64, value)


def argument(builder: ir.IRBuilder, block: ir.Value, place: int) -> ir.Value:
    """The i64 at a place of the argument block."""
    return builder.load(builder.gep(block, [integer(place)], source_etype=I64), align=8, typ=I64)


def share(builder: ir.IRBuilder, n: ir.Value, task: ir.Value, tasks: ir.Value) -> tuple[ir.Value, ir.Value]:
    """The first element of this share of n and of the next: n * task // tasks."""
    after = builder.add(task, integer(1))
    return tuple(builder.udiv(builder.mul(n, t), tasks) for t in (task, after))  # type: ignore[return-value]


def repeat(
    builder: ir.IRBuilder, start: ir.Value, stop: ir.Value, step: int | ir.Value, carried: Sequence[ir.Value],
    body: Callable[..., Sequence[ir.Value]],
) -> list[ir.Value]:  # fmt: skip
    """`for i in range(start, stop, step)`; body(i, *carried) gives the next carried values. The last are returned."""
    before = builder.block
    head, inside, after = (builder.append_basic_block() for _ in range(3))
    builder.branch(head)
    builder.position_at_end(head)
    i = builder.phi(I64)
    phis = [builder.phi(v.type) for v in carried]
    builder.cbranch(builder.icmp_signed("<", i, stop), inside, after)
    builder.position_at_end(inside)
    following = body(i, *phis)
    last = builder.block
    following = [builder.add(i, integer(step) if isinstance(step, int) else step), *following]
    for phi, first, then in zip([i, *phis], [start, *carried], following, strict=True):
        phi.add_incoming(first, before)
        phi.add_incoming(then, last)
    builder.branch(head)
    builder.position_at_end(after)
    return phis


def splat(builder: ir.IRBuilder, value: ir.Value, lanes: int) -> ir.Value:
    """A scalar in every lane."""
    vector = ir.VectorType(value.type, lanes)
    empty, zeros = ir.Constant(vector, ir.Undefined), ir.Constant(ir.VectorType(I32, lanes), [0] * lanes)
    return builder.shuffle_vector(builder.insert_element(empty, value, ir.Constant(I32, 0)), empty, zeros)


def first_lanes(builder: ir.IRBuilder, count: ir.Value, lanes: int) -> ir.Value:
    """The mask of the first `count` lanes."""
    numbers = ir.Constant(ir.VectorType(I32, lanes), list(range(lanes)))
    return builder.icmp_signed("<", numbers, splat(builder, builder.trunc(count, I32), lanes))


class Memory:
    """Loads and stores of one dtype through a pointer; a bool is i1 in registers and a byte in memory."""

    def __init__(self, builder: ir.IRBuilder, dtype: str, lanes: int):
        self.builder, self.lanes = builder, lanes
        self.element = TYPES[dtype]
        self.stored = I8 if self.element == I1 else self.element
        self.align = SIZES[dtype]
        self.vector = ir.VectorType(self.stored, lanes)

    def move(self, pointer: ir.Value, elements: ir.Value) -> ir.Value:
        """The pointer so many elements on."""
        return self.builder.gep(pointer, [elements], source_etype=self.stored)

    def load_one(self, pointer: ir.Value) -> ir.Value:
        """One element, in every lane."""
        value = splat(self.builder, self.builder.load(pointer, align=self.align, typ=self.stored), self.lanes)
        return self._in_registers(value)

    def load(self, pointer: ir.Value, mask: ir.Value | None = None, otherwise: float = 0) -> ir.Value:
        """A vector; the lanes outside of the mask hold `otherwise` and their memory is not touched."""
        if mask is None:
            value = self.builder.load(pointer, align=self.align, typ=self.vector)
        else:
            args = [pointer, ir.Constant(I32, self.align), mask, constant(self.vector, otherwise)]
            value = intrinsic(self.builder, "masked.load", self.vector, args, self.vector, POINTER)
        return self._in_registers(value)

    def store(self, pointer: ir.Value, value: ir.Value, mask: ir.Value | None = None) -> None:
        """The vector's lanes, or those in the mask."""
        if self.element == I1:
            value = self.builder.zext(value, self.vector)
        if mask is None:
            self.builder.store(value, pointer, align=self.align)
            return
        args = [value, pointer, ir.Constant(I32, self.align), mask]
        intrinsic(self.builder, "masked.store", VOID, args, self.vector, POINTER)

    def _in_registers(self, value: ir.Value) -> ir.Value:
        if self.element != I1:
            return value
        return self.builder.icmp_unsigned("!=", value, constant(value.type, 0))


def lanes_for(loop: Loop) -> int:
    """16, or 8 where 64-bit values would fill the registers. A lane's bits do not depend on it."""
    dtypes = [d for d, _ in loop.inputs] + [d for _, d, _ in loop.instructions]
    wide = any(SIZES[d] == 8 for d in dtypes) or any(f in math.THROUGH_F64 for f, _, _ in loop.instructions)
    return 8 if wide else 16


class _Nest:
    """The emission of one Loop."""

    def __init__(self, loop: Loop, name: str):
        self.loop = loop
        self.module, self.builder, self.task, self.tasks, self.block = begin(name)
        self.lanes = lanes_for(loop)
        dtypes = [d for d, _ in loop.inputs] + [loop.dtype_of(v) for v in loop.outputs]
        self.memories = [Memory(self.builder, d, self.lanes) for d in dtypes]
        self.inner_strides = [s for _, s in loop.inputs] + [1] * len(loop.outputs)

    def emit(self) -> str:
        """The module's text."""
        b, dims = self.builder, self.loop.dims
        sizes = [argument(b, self.block, i) for i in range(dims + 1)]
        places = [dims + 1 + k * (dims + 1) for k in range(len(self.memories))]
        pointers = [b.inttoptr(argument(b, self.block, p), POINTER) for p in places]
        strides = [[argument(b, self.block, p + 1 + d) for d in range(dims)] for p in places]
        low, high = share(b, sizes[0], self.task, self.tasks)
        if dims == 0:
            steps = [integer(s) for s in self.inner_strides]
            self.row(self._moved(pointers, steps, low), b.sub(high, low))
        else:
            sizes[0] = b.sub(high, low)
            self.level(0, self._moved(pointers, [s[0] for s in strides], low), sizes, strides)
        b.ret_void()
        return str(self.module)

    def _moved(self, pointers: Sequence[ir.Value], strides: Sequence[ir.Value], count: ir.Value) -> list[ir.Value]:
        b = self.builder
        return [m.move(p, b.mul(s, count)) for m, p, s in zip(self.memories, pointers, strides, strict=True)]

    def level(self, dim: int, pointers: list[ir.Value], sizes: list[ir.Value], strides: list[list[ir.Value]]) -> None:
        """The loop over an outer dimension; each operand's pointer goes its stride further a step."""
        if dim == self.loop.dims:
            self.row(pointers, sizes[dim])
            return

        def body(_: ir.Value, *here: ir.Value) -> list[ir.Value]:
            self.level(dim + 1, list(here), sizes, strides)
            return [m.move(p, s[dim]) for m, p, s in zip(self.memories, here, strides, strict=True)]

        repeat(self.builder, integer(0), sizes[dim], 1, pointers, body)

    def row(self, pointers: Sequence[ir.Value], n: ir.Value) -> None:
        """The inner dimension: whole vectors, then what is left under a mask."""
        b = self.builder
        operands = zip(self.memories, pointers, self.inner_strides, strict=True)
        still = [None if stride else memory.load_one(pointer) for memory, pointer, stride in operands]
        whole = b.and_(n, integer(-self.lanes))

        def body(i: ir.Value) -> list[ir.Value]:
            self.vector(pointers, still, i, None)
            return []

        repeat(b, integer(0), whole, self.lanes, [], body)
        rest = b.sub(n, whole)
        with b.if_then(b.icmp_signed(">", rest, integer(0))):
            self.vector(pointers, still, whole, first_lanes(b, rest, self.lanes))

    def vector(
        self, pointers: Sequence[ir.Value], still: Sequence[ir.Value | None], i: ir.Value, mask: ir.Value | None
    ) -> None:
        """Loads, computes and only then stores one vector, so that an output may be an input's memory."""
        b, loop = self.builder, self.loop
        places = [p if s is not None else m.move(p, i) for m, p, s in zip(self.memories, pointers, still, strict=True)]
        values = []
        for k in range(len(loop.inputs)):
            value = still[k]
            values.append(Lanes(b, self.memories[k].load(places[k], mask) if value is None else value))
        for name, dtype, operands in loop.instructions:
            args = [self.constant(o) if isinstance(o, tuple) else values[o] for o in operands]
            values.append(args[0].to(TYPES[dtype]) if name == "cast" else math.EMITTERS[name](*args))
        for k, output in enumerate(loop.outputs, len(loop.inputs)):
            self.memories[k].store(places[k], values[output].value, mask)

    def constant(self, operand: tuple) -> Lanes:
        """An operand ("const", dtype, number)."""
        _, dtype, number = operand
        return Lanes(self.builder, constant(ir.VectorType(TYPES[dtype], self.lanes), number))


def emit(loop: Loop, name: str) -> str:
    """LLVM IR of a module with one function `void name(i64 task, i64 tasks, i64 block)` that runs the nest.

    A share is `n * task // tasks` and on, of the outermost outer dimension or, without one, of the inner dimension. An
    output may be the very memory of an input of stride 1. The bits depend neither on the shares nor on the machine.
    """
    return _Nest(loop, name).emit()
