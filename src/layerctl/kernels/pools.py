"""Maxima over windows of lines of channels as LLVM IR, and their gradient: what a window has is kept in registers."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable, Sequence
from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from layerctl.kernels.tile import I32, I64, Vectors, lanes
from layerctl.kernels.windows import repeated

Visit = Callable[[Any, Any, Sequence[Any]], Sequence[Any]]
Shape = tuple[int, int, int]
UNROLLED: tuple[Shape, ...] = ((1, 2, 2), (1, 1, 2), (2, 2, 2))
"""Windows (planes, rows, across) that have code of their own: loops over so few taps take most of the others' time."""


@intrinsic
def max_line(
    context: Any, columns: Any, outputs: Any, x: Any, x_step: Any, planes: Any, plane_step: Any, rows: Any, row_step: Any, across: Any, out: Any
) -> Any:  # fmt: skip
    """out[o, c] = the largest of x[o x_step + p plane_step + r row_step + t columns + c], or NaN if one of them is."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        columns, outputs, x_, x_step, *box, out_ = args

        def pixel(memory: Vectors, o: Any, c: Any, mask: Any, shape: Shape | None) -> None:
            corner = builder.gep(x_, [builder.add(builder.mul(o, x_step), c)])

            def tap(at: Any, place: Any, carried: Sequence[Any]) -> Sequence[Any]:
                value, best = memory.load(place, mask), carried[0]
                kept = builder.or_(builder.fcmp_ordered(">=", best, value), builder.fcmp_unordered("uno", best, best))
                return [builder.select(kept, best, value)]

            (best,) = _taps(builder, corner, columns, box, [memory.load(corner, mask)], tap, shape)
            memory.store(best, builder.gep(out_, [builder.add(builder.mul(o, columns), c)]), mask)

        _by_shape(builder, box, None, lambda shape: _pixels(context, builder, x.dtype, columns, outputs, pixel, shape))
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

        def pixel(memory: Vectors, o: Any, c: Any, mask: Any, shape: Shape | None) -> None:
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
            _, taken = _taps(builder, corner, columns, box, [memory.load(corner, mask), ir.Constant(numbers, None)], find, shape)
            upstream = memory.load(builder.gep(g_, [builder.add(builder.mul(o, columns), c)]), mask)

            def put(at: Any, place: Any, carried: Sequence[Any]) -> Sequence[Any]:
                here = builder.icmp_signed("==", taken, memory.spread(builder.trunc(at, I32), numbers))
                if shape is not None:
                    memory.store(builder.select(here, upstream, zero), place, mask)
                    return []
                with builder.if_else(adds) as (more, first):
                    with more:
                        old = memory.load(place, mask)
                        memory.store(builder.select(here, builder.fadd(old, upstream), old), place, mask)
                    with first:
                        memory.store(builder.select(here, upstream, zero), place, mask)
                return []

            _taps(builder, builder.gep(dx_, [start]), columns, box, [], put, shape)

        _by_shape(builder, box, builder.not_(adds), lambda shape: _pixels(context, builder, x.dtype, columns, outputs, pixel, shape))
        return context.get_dummy_value()

    i = types.int64
    return types.void(i, i, x, i, i, i, i, i, i, g, dx, i), codegen


def _by_shape(builder: Any, box: Sequence[Any], where: Any, run: Callable[[Shape | None], None], shapes: Sequence[Shape] = UNROLLED) -> None:
    """run(shape) of the unrolled shape that a box has, if `where` holds too, else run(None)."""
    if not shapes:
        run(None)
        return
    same = [builder.icmp_signed("==", length, I64(n)) for length, n in zip(box[::2], shapes[0], strict=True)]
    with builder.if_else(functools.reduce(builder.and_, same if where is None else [*same, where])) as (fits, other):
        with fits:
            run(shapes[0])
        with other:
            _by_shape(builder, box, where, run, shapes[1:])


def _pixels(context: Any, builder: Any, kind: Any, columns: Any, outputs: Any, pixel: Callable[..., None], shape: Shape | None) -> None:
    """pixel(memory, output, column, mask, shape) for all outputs and vectors of columns, the last of them masked."""
    memory = Vectors(builder, context.get_value_type(kind), lanes(kind))
    whole = builder.and_(columns, I64(-memory.lanes))
    with cgutils.for_range_slice(builder, I64(0), outputs, I64(1), inc=True) as (o, _):
        with cgutils.for_range_slice(builder, I64(0), whole, I64(memory.lanes), inc=True) as (c, _):
            pixel(memory, o, c, None, shape)
        with builder.if_then(builder.icmp_signed("<", whole, columns)):
            pixel(memory, o, whole, memory.mask(builder.sub(columns, whole)), shape)


def _taps(
    builder: Any, corner: Any, step: Any, box: Sequence[Any], carried: Sequence[Any], visit: Visit, shape: Shape | None
) -> list[Any]:  # fmt: skip
    """visit(number, address, carried) for every tap of a box (planes, step, rows, step, across), in order; the last values.

    Where the box's shape is known there are no loops.
    """
    planes, plane_step, rows, row_step, across = box
    if shape is not None:
        for number, taps in enumerate(itertools.product(*map(range, shape))):
            shifts = [builder.mul(length, I64(n)) for length, n in zip((plane_step, row_step, step), taps, strict=True)]
            carried = visit(I64(number), builder.gep(corner, [functools.reduce(builder.add, shifts)]), carried)
        return list(carried)

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
