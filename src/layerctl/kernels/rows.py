"""Sums and extremes of neighbouring numbers as LLVM IR: sixteen lanes and a fixed tree, which LLVM splits for the machine at hand."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from layerctl.kernels.tile import I32, I64, Vectors

LANES = 16
F64 = ir.DoubleType()
WIDE = ir.VectorType(F64, LANES)


@intrinsic
def row_max(context: Any, n: Any, x: Any) -> Any:
    """The largest of x[:n], NaN aside."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        element = context.get_value_type(x.dtype)
        start = ir.Constant(ir.VectorType(element, LANES), [ir.Constant(element, float("-inf"))] * LANES)

        def step(best: Any, read: Callable[..., Any]) -> Any:
            value = read(args[1])
            return builder.select(builder.fcmp_ordered(">", value, best), value, best)

        def join(a: Any, b: Any) -> Any:
            return builder.select(builder.fcmp_ordered(">", b, a), b, a)

        return _fold(context, builder, args[0], [x], start, step, join)

    return x.dtype(types.int64, x), codegen


@intrinsic
def row_sum(context: Any, n: Any, x: Any) -> Any:
    """The sum of x[:n] in float64."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        def step(total: Any, read: Callable[..., Any]) -> Any:
            return builder.fadd(total, _wide(builder, read(args[1])))

        return _fold(context, builder, args[0], [x], ir.Constant(WIDE, [0.0] * LANES), step, builder.fadd)

    return types.float64(types.int64, x), codegen


@intrinsic
def row_dot(context: Any, n: Any, a: Any, b: Any) -> Any:
    """The sum of a[:n] * b[:n] in float64, the products too."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        def step(total: Any, read: Callable[..., Any]) -> Any:
            return builder.fadd(total, builder.fmul(_wide(builder, read(args[1])), _wide(builder, read(args[2]))))

        return _fold(context, builder, args[0], [a, b], ir.Constant(WIDE, [0.0] * LANES), step, builder.fadd)

    return types.float64(types.int64, a, b), codegen


def _wide(builder: Any, value: Any) -> Any:
    return value if value.type == WIDE else builder.fpext(value, WIDE)


def _fold(
    context: Any, builder: Any, n: Any, pointers: Sequence[Any], start: Any, step: Callable[..., Any], join: Callable[..., Any]
) -> Any:  # fmt: skip
    """Whole vectors, the rest under a mask whose other lanes keep their state, then the tree."""
    memory = Vectors(builder, context.get_value_type(pointers[0].dtype), LANES)
    state = cgutils.alloca_once_value(builder, start)
    whole = builder.and_(n, I64(-LANES))
    with cgutils.for_range_slice(builder, I64(0), whole, I64(LANES), inc=True) as (i, _):
        builder.store(step(builder.load(state), lambda p: memory.load(builder.gep(p, [i]))), state)
    with builder.if_then(builder.icmp_signed("<", whole, n)):
        mask = memory.mask(builder.sub(n, whole))
        before = builder.load(state)
        after = step(before, lambda p: memory.load(builder.gep(p, [whole]), mask))
        builder.store(builder.select(mask, after, before), state)
    value, lanes = builder.load(state), LANES
    while lanes > 1:
        lanes //= 2
        halves = []
        for first in (0, lanes):
            chosen = ir.Constant(ir.VectorType(I32, lanes), list(range(first, first + lanes)))
            halves.append(builder.shuffle_vector(value, value, chosen))
        value = join(*halves)
    return builder.extract_element(value, I32(0))


PRIMITIVES: dict[str, Any] = {"row_max": row_max, "row_sum": row_sum, "row_dot": row_dot}
