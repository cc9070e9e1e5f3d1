"""The register tile as LLVM IR: near the peak of a core's fused multiply-adds.

Every k step loads a panel's vectors of B once, broadcasts one element of A for each row, and multiply-adds into rows * vectors accumulators
that stay in registers. The result does not depend on the vectors' width or number: each element is one chain over k.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from layerctl.kernels.target import host

I64 = ir.IntType(64)
ROWS = 6
VECTORS = 4 if host().lanes == 16 or host().triple.startswith("aarch64") else 2


def lanes(kind: Any) -> int:
    """Elements of a vector register for a Numba float type."""
    return host().lanes if kind.bitwidth == 32 else host().lanes // 2


def _width(pointer: Any) -> int:
    return VECTORS * lanes(pointer.dtype)


@intrinsic
def tile_rows(context: Any) -> Any:
    """Rows of a full tile."""
    return types.int64(), lambda context, builder, signature, args: I64(ROWS)


@intrinsic
def tile_width(context: Any, pointer: Any) -> Any:
    """Columns of a panel."""
    width = _width(pointer)
    return types.int64(pointer), lambda context, builder, signature, args: I64(width)


@intrinsic
def tile_buffer(context: Any, pointer: Any) -> Any:
    """Room for one tile on the stack."""
    size = ROWS * _width(pointer)

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        element = context.get_value_type(pointer.dtype)
        room = cgutils.alloca_once(builder, ir.ArrayType(element, size))
        return builder.bitcast(room, element.as_pointer())

    return pointer(pointer), codegen


@intrinsic
def tile(
    context: Any, rows: Any, a: Any, row_stride: Any, k_stride: Any, b: Any, depth: Any, c: Any, c_stride: Any, keep: Any
) -> Any:  # fmt: skip
    """C (+)= A @ B for 1 to ROWS rows: a switch over one function for each number of rows."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        element = context.get_value_type(b.dtype)
        n = lanes(b.dtype)
        out = builder.append_basic_block("tiled")
        switch = builder.switch(args[0], out)
        for count in range(1, ROWS + 1):
            block = builder.append_basic_block(f"rows{count}")
            switch.add_case(I64(count), block)
            builder.position_at_end(block)
            builder.call(_function(builder.module, count, element, n), list(args[1:]))
            builder.branch(out)
        builder.position_at_end(out)
        return context.get_dummy_value()

    i = types.int64
    return types.void(i, a, i, i, b, i, c, i, i), codegen


def _function(module: Any, rows: int, element: Any, n: int) -> Any:
    """`tile_ROWS(a, row_stride, k_stride, b, depth, c, c_stride, keep)`, once a module."""
    name = f"layerctl_tile_{element}_{rows}"
    if name in module.globals:
        return module.globals[name]
    pointer = element.as_pointer()
    kind = ir.FunctionType(ir.VoidType(), [pointer, I64, I64, pointer, I64, pointer, I64, I64])
    function = ir.Function(module, kind, name)
    function.linkage = "internal"
    function.attributes.add("noinline")
    _body(function, rows, element, n)
    return function


def _body(function: Any, rows: int, element: Any, n: int) -> None:
    a, row_stride, k_stride, b, depth, c, c_stride, keep = function.args
    vector = ir.VectorType(element, n)
    size = 4 if isinstance(element, ir.FloatType) else 8
    entry, load, head, body, done = (function.append_basic_block(x) for x in ("entry", "load", "head", "body", "done"))
    builder = ir.IRBuilder(entry)
    places = [
        [builder.bitcast(builder.gep(c, [builder.add(builder.mul(c_stride, I64(m)), I64(n * v))]), vector.as_pointer()) for v in range(VECTORS)]
        for m in range(rows)
    ]  # fmt: skip
    starts = [builder.gep(a, [builder.mul(row_stride, I64(m))]) for m in range(rows)]
    builder.cbranch(builder.icmp_signed("!=", keep, I64(0)), load, head)
    builder.position_at_end(load)
    kept = [[builder.load(p, align=size) for p in row] for row in places]
    builder.branch(head)

    builder.position_at_end(head)
    k, b_at = builder.phi(I64), builder.phi(b.type)
    a_at = [builder.phi(a.type) for _ in range(rows)]
    sums = [[builder.phi(vector) for _ in range(VECTORS)] for _ in range(rows)]
    zero = ir.Constant(vector, [0.0] * n)
    for source, values in ((entry, None), (load, kept)):
        k.add_incoming(I64(0), source)
        b_at.add_incoming(b, source)
        for m in range(rows):
            a_at[m].add_incoming(starts[m], source)
            for v in range(VECTORS):
                sums[m][v].add_incoming(zero if values is None else values[m][v], source)
    builder.cbranch(builder.icmp_signed("<", k, depth), body, done)

    builder.position_at_end(body)
    wide = [builder.load(builder.bitcast(builder.gep(b_at, [I64(n * v)]), vector.as_pointer()), align=size) for v in range(VECTORS)]
    nothing = ir.Constant(vector, ir.Undefined)
    lane = ir.Constant(ir.VectorType(ir.IntType(32), n), [0] * n)
    kind = ir.FunctionType(vector, [vector] * 3)
    suffix = "f32" if size == 4 else "f64"
    fma = cgutils.get_or_insert_function(function.module, kind, f"llvm.fma.v{n}{suffix}")
    for m in range(rows):
        one = builder.insert_element(nothing, builder.load(a_at[m]), ir.IntType(32)(0))
        spread = builder.shuffle_vector(one, nothing, lane)
        for v in range(VECTORS):
            sums[m][v].add_incoming(builder.call(fma, [spread, wide[v], sums[m][v]]), body)
        a_at[m].add_incoming(builder.gep(a_at[m], [k_stride]), body)
    k.add_incoming(builder.add(k, I64(1)), body)
    b_at.add_incoming(builder.gep(b_at, [I64(n * VECTORS)]), body)
    builder.branch(head)

    builder.position_at_end(done)
    for m in range(rows):
        for v in range(VECTORS):
            builder.store(sums[m][v], places[m][v], align=size)
    builder.ret_void()


PRIMITIVES: dict[str, Any] = {"tile": tile, "tile_rows": tile_rows, "tile_width": tile_width, "tile_buffer": tile_buffer}
