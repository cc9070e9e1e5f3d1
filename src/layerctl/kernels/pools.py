"""Maxima over windows of lines of channels as LLVM IR, and their gradient: what a window has is kept in registers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from layerctl.kernels.tile import I32, I64, Vectors, lanes
from layerctl.kernels.windows import repeated

Visit = Callable[[Any, Any, Sequence[Any]], Sequence[Any]]


@intrinsic
def max_line(
    context: Any, columns: Any, outputs: Any, x: Any, x_step: Any, planes: Any, plane_step: Any, rows: Any, row_step: Any, across: Any, out: Any
) -> Any:  # fmt: skip
    """out[o, c] = the largest of x[o x_step + p plane_step + r row_step + t columns + c], or NaN if one of them is."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        columns, outputs, x_, x_step, *box, out_ = args

        def pixel(memory: Vectors, o: Any, c: Any, mask: Any) -> None:
            corner = builder.gep(x_, [builder.add(builder.mul(o, x_step), c)])

            def tap(at: Any, place: Any, carried: Sequence[Any]) -> Sequence[Any]:
                value, best = memory.load(place, mask), carried[0]
                kept = builder.or_(builder.fcmp_ordered(">=", best, value), builder.fcmp_unordered("uno", best, best))
                return [builder.select(kept, best, value)]

            (best,) = _taps(builder, corner, columns, box, [memory.load(corner, mask)], tap)
            memory.store(best, builder.gep(out_, [builder.add(builder.mul(o, columns), c)]), mask)

        _pixels(context, builder, x.dtype, columns, outputs, pixel)
        return context.get_dummy_value()

    i = types.int64
    return types.void(i, i, x, i, i, i, i, i, i, out), codegen


@intrinsic
def max_gradient_line(
    context: Any, columns: Any, outputs: Any, x: Any, x_step: Any, planes: Any, plane_step: Any, rows: Any, row_step: Any, across: Any, g: Any,
    dx: Any, keep: Any,
) -> Any:  # fmt: skip
    """dx (+)= g[o, c] where x is the first largest of window o (a NaN is larger than all), else 0; places as in `max_line`."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        columns, outputs, x_, x_step, *box, g_, dx_, keep = args
        adds = builder.icmp_signed("!=", keep, I64(0))

        def pixel(memory: Vectors, o: Any, c: Any, mask: Any) -> None:
            start = builder.add(builder.mul(o, x_step), c)
            numbers = ir.VectorType(I32, memory.lanes)
            zero = ir.Constant(memory.vector, None)

            def find(at: Any, place: Any, carried: Sequence[Any]) -> Sequence[Any]:
                value, (best, taken) = memory.load(place, mask), carried
                fresh = builder.and_(builder.fcmp_unordered("uno", value, value), builder.fcmp_ordered("ord", best, best))
                better = builder.or_(builder.fcmp_ordered(">", value, best), fresh)
                here = memory.spread(builder.trunc(at, I32), numbers)
                return [builder.select(better, value, best), builder.select(better, here, taken)]

            corner = builder.gep(x_, [start])
            _, taken = _taps(builder, corner, columns, box, [memory.load(corner, mask), ir.Constant(numbers, None)], find)
            upstream = memory.load(builder.gep(g_, [builder.add(builder.mul(o, columns), c)]), mask)

            def put(at: Any, place: Any, carried: Sequence[Any]) -> Sequence[Any]:
                here = builder.icmp_signed("==", taken, memory.spread(builder.trunc(at, I32), numbers))
                with builder.if_else(adds) as (more, first):
                    with more:
                        old = memory.load(place, mask)
                        memory.store(builder.select(here, builder.fadd(old, upstream), old), place, mask)
                    with first:
                        memory.store(builder.select(here, upstream, zero), place, mask)
                return []

            _taps(builder, builder.gep(dx_, [start]), columns, box, [], put)

        _pixels(context, builder, x.dtype, columns, outputs, pixel)
        return context.get_dummy_value()

    i = types.int64
    return types.void(i, i, x, i, i, i, i, i, i, g, dx, i), codegen


def _pixels(context: Any, builder: Any, kind: Any, columns: Any, outputs: Any, pixel: Callable[..., None]) -> None:
    """pixel(memory, output, column, mask) for all outputs and vectors of columns, the last of them masked."""
    memory = Vectors(builder, context.get_value_type(kind), lanes(kind))
    whole = builder.and_(columns, I64(-memory.lanes))
    with cgutils.for_range_slice(builder, I64(0), outputs, I64(1), inc=True) as (o, _):
        with cgutils.for_range_slice(builder, I64(0), whole, I64(memory.lanes), inc=True) as (c, _):
            pixel(memory, o, c, None)
        with builder.if_then(builder.icmp_signed("<", whole, columns)):
            pixel(memory, o, whole, memory.mask(builder.sub(columns, whole)))


def _taps(builder: Any, corner: Any, step: Any, box: Sequence[Any], carried: Sequence[Any], visit: Visit) -> list[Any]:
    """visit(number, address, carried) for every tap of a box (planes, step, rows, step, across), in order; the last values."""
    planes, plane_step, rows, row_step, across = box

    def plane(p: Any, *own: Any) -> Sequence[Any]:
        def row(r: Any, *inner: Any) -> Sequence[Any]:
            at = builder.mul(builder.add(builder.mul(p, rows), r), across)
            line = builder.gep(corner, [builder.add(builder.mul(p, plane_step), builder.mul(r, row_step))])

            def tap(t: Any, *last: Any) -> Sequence[Any]:
                return visit(builder.add(at, t), builder.gep(line, [builder.mul(t, step)]), last)

            return repeated(builder, across, inner, tap)

        return repeated(builder, rows, own, row)

    return repeated(builder, planes, carried, plane)


PRIMITIVES: dict[str, Any] = {"max_line": max_line, "max_gradient_line": max_gradient_line}
