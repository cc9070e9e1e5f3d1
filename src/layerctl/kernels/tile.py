"""The register tile as LLVM IR: near the peak of a core's fused multiply-adds.

Every k step loads a panel's vectors of B once, broadcasts one element of A for each row, and multiply-adds into rows * vectors accumulators
that stay in registers. There is one function for each number of rows and of vectors, so that narrow results waste nothing. The result does
not depend on the vectors' width or number: each element is one chain over k.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from layerctl.kernels.target import host

I32, I64, VOID = ir.IntType(32), ir.IntType(64), ir.VoidType()
VECTORS = 4 if host().lanes == 16 or host().triple.startswith("aarch64") else 2
ROWS, NARROW_ROWS = 6, 8
"""Rows of a tile of all vectors, and of fewer: what the registers hold."""


def lanes(kind: Any) -> int:
    """Elements of a vector register for a Numba float type."""
    return host().lanes if kind.bitwidth == 32 else host().lanes // 2


def most_rows(vectors: int) -> int:
    """Rows of the largest tile of some vectors."""
    return ROWS if vectors == VECTORS else NARROW_ROWS


@intrinsic
def tile_rows(context: Any, pointer: Any, columns: Any) -> Any:
    """Rows of the largest tile of `columns` columns."""
    narrow = (VECTORS - 1) * lanes(pointer.dtype)

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.select(builder.icmp_signed("<=", args[1], I64(narrow)), I64(NARROW_ROWS), I64(ROWS))

    return types.int64(pointer, types.int64), codegen


@intrinsic
def tile_width(context: Any, pointer: Any) -> Any:
    """Columns of a panel."""
    width = VECTORS * lanes(pointer.dtype)
    return types.int64(pointer), lambda context, builder, signature, args: I64(width)


@intrinsic
def tile_lanes(context: Any, pointer: Any) -> Any:
    """Elements of a vector: a panel's columns are padded to a multiple of it."""
    count = lanes(pointer.dtype)
    return types.int64(pointer), lambda context, builder, signature, args: I64(count)


@intrinsic
def copy_line(context: Any, columns: Any, to: Any, source: Any) -> Any:
    """`columns` elements, at most a panel's width, padded with zeros to whole vectors."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        columns, to, source = args
        memory = Vectors(builder, context.get_value_type(to_kind), lanes(to_kind))
        for v in range(VECTORS):
            left = builder.sub(columns, I64(v * memory.lanes))
            with builder.if_then(builder.icmp_signed(">", left, I64(0))):
                start = I64(v * memory.lanes)
                value = memory.load(builder.gep(source, [start]), memory.mask(left))
                memory.store(value, builder.gep(to, [start]))
        return context.get_dummy_value()

    to_kind = to.dtype
    return types.void(types.int64, to, source), codegen


@intrinsic
def fma_line(context: Any, count: Any, a: Any, b: Any, c: Any) -> Any:
    """c[i] += a[i] * b[i], a vector at a time, the last one masked."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        memory = Vectors(builder, context.get_value_type(c.dtype), lanes(c.dtype))
        count = args[0]
        whole = builder.and_(count, I64(-memory.lanes))

        def step(i: Any, mask: Any = None) -> None:
            at = [builder.gep(p, [i]) for p in args[1:]]
            memory.store(memory.fma(*[memory.load(p, mask) for p in at]), at[2], mask)

        with cgutils.for_range_slice(builder, I64(0), whole, I64(memory.lanes), inc=True) as (i, _):
            step(i)
        with builder.if_then(builder.icmp_signed("<", whole, count)):
            step(whole, memory.mask(builder.sub(count, whole)))
        return context.get_dummy_value()

    return types.void(types.int64, a, b, c), codegen


@intrinsic
def finish_line(context: Any, columns: Any, c: Any, bias: Any, how: Any) -> Any:
    """c[j] + bias[j] if `how` has bit 0, then 0 where that is not positive if `how` has bit 1; a vector at a time, the last one masked."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        columns, c_, bias_, how = args
        memory = Vectors(builder, context.get_value_type(c.dtype), lanes(c.dtype))
        zero = ir.Constant(memory.vector, None)
        adds, cuts = (builder.icmp_signed("!=", builder.and_(how, I64(bit)), I64(0)) for bit in (1, 2))
        whole = builder.and_(columns, I64(-memory.lanes))

        def step(at: Any, mask: Any) -> None:
            place = builder.gep(c_, [at])
            value = memory.load(place, mask)
            before = builder.block
            with builder.if_then(adds):
                added = builder.fadd(value, memory.load(builder.gep(bias_, [at]), mask))
                inside = builder.block
            total = builder.phi(memory.vector)
            total.add_incoming(value, before)
            total.add_incoming(added, inside)
            low = builder.and_(builder.fcmp_ordered("<=", total, zero), memory.every(cuts))
            memory.store(builder.select(low, zero, total), place, mask)

        with cgutils.for_range_slice(builder, I64(0), whole, I64(memory.lanes), inc=True) as (at, _):
            step(at, None)
        with builder.if_then(builder.icmp_signed("<", whole, columns)):
            step(whole, memory.mask(builder.sub(columns, whole)))
        return context.get_dummy_value()

    return types.void(types.int64, c, bias, types.int64), codegen


@intrinsic
def tile(
    context: Any, rows: Any, columns: Any, a: Any, row_stride: Any, k_stride: Any, b: Any, depth: Any, c: Any, c_stride: Any, keep: Any
) -> Any:  # fmt: skip
    """C (+)= A @ B: a switch over one function for each number of rows and vectors."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        element, n = context.get_value_type(b.dtype), lanes(b.dtype)
        rows, columns, *rest = args
        before = builder.udiv(builder.sub(columns, I64(1)), I64(n))
        tail = builder.sub(columns, builder.mul(before, I64(n)))
        out = builder.append_basic_block("tiled")
        switch = builder.switch(builder.add(builder.mul(before, I64(16)), rows), out)
        for vectors in range(1, VECTORS + 1):
            for count in range(1, most_rows(vectors) + 1):
                block = builder.append_basic_block(f"tile{count}x{vectors}")
                switch.add_case(I64(16 * (vectors - 1) + count), block)
                builder.position_at_end(block)
                builder.call(_function(builder.module, count, vectors, element, n), [tail, *rest])
                builder.branch(out)
        builder.position_at_end(out)
        return context.get_dummy_value()

    i = types.int64
    return types.void(i, i, a, i, i, b, i, c, i, i), codegen


class Vectors:
    """Vectors of one element type, loaded and stored unaligned, whole or masked."""

    def __init__(self, builder: ir.IRBuilder, element: Any, count: int):
        self.builder, self.lanes = builder, count
        self.vector = ir.VectorType(element, count)
        self.align = 4 if isinstance(element, ir.FloatType) else 8
        self.suffix = f"v{count}f{8 * self.align}"

    def mask(self, count: Any) -> Any:
        """The first `count` lanes."""
        wide = ir.VectorType(I32, self.lanes)
        numbers = ir.Constant(wide, list(range(self.lanes)))
        return self.builder.icmp_signed("<", numbers, self.spread(self.builder.trunc(count, I32), wide))

    def every(self, bit: Any) -> Any:
        """A bit in every lane."""
        return self.spread(bit, ir.VectorType(ir.IntType(1), self.lanes))

    def spread(self, value: Any, vector: Any = None) -> Any:
        """A number in every lane."""
        nothing = ir.Constant(vector or self.vector, ir.Undefined)
        first = ir.Constant(ir.VectorType(I32, self.lanes), [0] * self.lanes)
        return self.builder.shuffle_vector(self.builder.insert_element(nothing, value, I32(0)), nothing, first)

    def load(self, pointer: Any, mask: Any = None) -> Any:
        """A vector; zero outside of the mask, where nothing is read."""
        at = self.builder.bitcast(pointer, self.vector.as_pointer())
        if mask is None:
            return self.builder.load(at, align=self.align)
        kind = ir.FunctionType(self.vector, [at.type, I32, mask.type, self.vector])
        load = cgutils.get_or_insert_function(self.builder.module, kind, f"llvm.masked.load.{self.suffix}.p0")
        return self.builder.call(load, [at, I32(self.align), mask, ir.Constant(self.vector, None)])

    def store(self, value: Any, pointer: Any, mask: Any = None) -> None:
        """The vector, or its lanes in the mask."""
        at = self.builder.bitcast(pointer, self.vector.as_pointer())
        if mask is None:
            self.builder.store(value, at, align=self.align)
            return
        kind = ir.FunctionType(VOID, [self.vector, at.type, I32, mask.type])
        store = cgutils.get_or_insert_function(self.builder.module, kind, f"llvm.masked.store.{self.suffix}.p0")
        self.builder.call(store, [value, at, I32(self.align), mask])

    def fma(self, a: Any, b: Any, c: Any) -> Any:
        """a * b + c."""
        kind = ir.FunctionType(self.vector, [self.vector] * 3)
        return self.builder.call(
            cgutils.get_or_insert_function(self.builder.module, kind, f"llvm.fma.{self.suffix}"), [a, b, c]
        )


def _function(module: Any, rows: int, vectors: int, element: Any, n: int) -> Any:
    """`tile(tail, a, row_stride, k_stride, b, depth, c, c_stride, keep)`, once a module; `tail` are the last vector's columns."""
    name = f"layerctl_tile_{element}_{rows}x{vectors}"
    if name in module.globals:
        return module.globals[name]
    pointer = element.as_pointer()
    kind = ir.FunctionType(VOID, [I64, pointer, I64, I64, pointer, I64, pointer, I64, I64])
    function = ir.Function(module, kind, name)
    function.linkage = "internal"
    function.attributes.add("noinline")
    _body(function, rows, vectors, element, n)
    return function


def _body(function: Any, rows: int, vectors: int, element: Any, n: int) -> None:
    tail, a, row_stride, k_stride, b, depth, c, c_stride, keep = function.args
    builder = ir.IRBuilder(function.append_basic_block("entry"))
    memory = Vectors(builder, element, n)
    lines = [builder.gep(c, [builder.mul(c_stride, I64(m))]) for m in range(rows)]
    starts = [builder.gep(a, [builder.mul(row_stride, I64(m))]) for m in range(rows)]

    def step(k: Any, places: Sequence[Any], sums: Sequence[Sequence[Any]]) -> tuple[list[Any], list[list[Any]]]:
        b_at, *a_at = places
        wide = [memory.load(builder.gep(b_at, [I64(n * v)])) for v in range(vectors)]
        out = []
        for place, own in zip(a_at, sums, strict=True):
            factor = memory.spread(builder.load(place))
            out.append([memory.fma(factor, x, total) for x, total in zip(wide, own, strict=True)])
        return [builder.gep(b_at, [I64(n * vectors)]), *(builder.gep(p, [k_stride]) for p in a_at)], out

    accumulate(memory, lines, vectors, tail, keep, lambda sums: repeat(builder, depth, [b, *starts], sums, step))


Sums = Sequence[Sequence[Any]]
Step = Callable[[Any, Sequence[Any], Sums], tuple[list[Any], list[list[Any]]]]


def accumulate(memory: Vectors, lines: Sequence[Any], vectors: int, tail: Any, keep: Any, loop: Callable[[Sums], Sums]) -> None:
    """The frame of a tile: sums that start from the result's lines where `keep`, else from 0, what `loop` makes of them stored, last line first.

    `tail` are the last vector's columns. The function returns then.
    """
    builder, n = memory.builder, memory.lanes
    names = ("kept", "kept_whole", "kept_part", "start", "whole", "part", "out")
    entry, blocks = builder.block, {x: builder.append_basic_block(x) for x in names}
    places = [[builder.gep(line, [I64(n * v)]) for v in range(vectors)] for line in lines]
    is_whole = builder.icmp_signed("==", tail, I64(n))
    mask = memory.mask(tail)
    builder.cbranch(builder.icmp_signed("!=", keep, I64(0)), blocks["kept"], blocks["start"])
    entering: list[tuple[Any, Any]] = [(entry, [[ir.Constant(memory.vector, None)] * vectors] * len(lines))]
    builder.position_at_end(blocks["kept"])
    builder.cbranch(is_whole, blocks["kept_whole"], blocks["kept_part"])
    for name, last in (("kept_whole", None), ("kept_part", mask)):
        builder.position_at_end(blocks[name])
        values = [[memory.load(p, last if v == vectors - 1 else None) for v, p in enumerate(row)] for row in places]
        entering.append((blocks[name], values))
        builder.branch(blocks["start"])

    builder.position_at_end(blocks["start"])
    sums = [[builder.phi(memory.vector) for _ in range(vectors)] for _ in lines]
    for source, values in entering:
        for own, given in zip(sums, values, strict=True):
            for phi, value in zip(own, given, strict=True):
                phi.add_incoming(value, source)
    found = loop(sums)
    builder.cbranch(is_whole, blocks["whole"], blocks["part"])
    for name, last in (("whole", None), ("part", mask)):
        builder.position_at_end(blocks[name])
        for m in reversed(range(len(lines))):
            for v in range(vectors):
                memory.store(found[m][v], places[m][v], last if v == vectors - 1 else None)
        builder.branch(blocks["out"])
    builder.position_at_end(blocks["out"])
    builder.ret_void()


def repeat(builder: ir.IRBuilder, count: Any, places: Sequence[Any], sums: Sums, step: Step) -> list[list[Any]]:
    """`for k in range(count): places, sums = step(k, places, sums)` in registers; the last sums."""
    before, (head, body, done) = builder.block, (builder.append_basic_block(x) for x in ("head", "body", "done"))
    builder.branch(head)
    builder.position_at_end(head)
    k, *at = [builder.phi(x.type) for x in (I64(0), *places)]
    totals = [[builder.phi(x.type) for x in own] for own in sums]
    builder.cbranch(builder.icmp_signed("<", k, count), body, done)
    builder.position_at_end(body)
    then, following = step(k, at, totals)
    for phi, start, value in zip([k, *at], [I64(0), *places], [builder.add(k, I64(1)), *then], strict=True):
        phi.add_incoming(start, before)
        phi.add_incoming(value, builder.block)
    for own, start, values in zip(totals, sums, following, strict=True):
        for phi, first, value in zip(own, start, values, strict=True):
            phi.add_incoming(first, before)
            phi.add_incoming(value, builder.block)
    builder.branch(head)
    builder.position_at_end(done)
    return totals


PRIMITIVES: dict[str, Any] = {
    "tile": tile, "tile_rows": tile_rows, "tile_width": tile_width, "tile_lanes": tile_lanes, "copy_line": copy_line,
    "fma_line": fma_line, "finish_line": finish_line,
}  # fmt: skip
