"""The transforms of Winograd's convolution (ops/winograd.py) as LLVM IR: 16 elements of a vector of channels at a time, in registers.

Each element is the same sums in the same order whatever the vectors' width.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from layerctl.kernels.tile import I64, Vectors, lanes
from layerctl.ops.patches import PIXEL

Four = Sequence[Any]


@intrinsic
def winograd_weights(context: Any, count: Any, w: Any, first: Any, tap: Any, to: Any, place: Any) -> Any:
    """G g Gᵀ of `count` weights; see ops/winograd.py."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        memory, b = Vectors(builder, context.get_value_type(to.dtype), lanes(to.dtype)), builder
        count, w_, first, tap, to_, place = args
        g = b.gep(w_, [first])
        with cgutils.for_range_slice(b, I64(0), count, I64(memory.lanes), inc=True) as (k, _):
            taps = [[memory.load(b.gep(g, [b.add(b.mul(tap, I64(3 * i + j)), k)])) for j in range(3)] for i in range(3)]
            columns = [_halves(memory, [taps[i][j] for i in range(3)]) for j in range(3)]
            for i in range(4):
                for j, value in enumerate(_halves(memory, [columns[c][i] for c in range(3)])):
                    memory.store(value, b.gep(to_, [b.add(b.mul(place, I64(4 * i + j)), k)]))
        return context.get_dummy_value()

    i = types.int64
    return types.void(i, w, i, i, to, i), codegen


def _halves(memory: Vectors, g: Four) -> Four:
    """G g."""
    b, half = memory.builder, ir.Constant(memory.vector, [0.5] * memory.lanes)
    ends = b.fadd(g[0], g[2])
    return [g[0], b.fmul(half, b.fadd(ends, g[1])), b.fmul(half, b.fsub(ends, g[1])), g[2]]


@intrinsic
def winograd_input(
    context: Any, channels: Any, x: Any, line: Any, column: Any, lines: Any, columns: Any, zeros: Any, to: Any, step: Any, sixteens: Any
) -> Any:  # fmt: skip
    """Bᵀ d B of 4×4 elements of an image; see ops/winograd.py."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        memory = Vectors(builder, context.get_value_type(x.dtype), lanes(x.dtype))
        _input(memory, *args)
        return context.get_dummy_value()

    i = types.int64
    return types.void(i, x, i, i, i, i, zeros, to, i, i), codegen


def _input(
    memory: Vectors, channels: Any, x: Any, line: Any, column: Any, lines: Any, columns: Any, zeros: Any, to: Any, step: Any, sixteens: Any
) -> None:  # fmt: skip
    b = memory.builder
    rows, across = ([b.add(first, I64(k)) for k in range(4)] for first in (line, column))
    corner = b.gep(x, [b.mul(b.add(b.mul(line, columns), column), channels)])
    line_step = b.mul(columns, channels)
    places = [[b.gep(corner, [b.add(b.mul(line_step, I64(i)), b.mul(channels, I64(j)))]) for j in range(4)] for i in range(4)]
    inside = [[b.icmp_unsigned("<", k, most) for k in given] for given, most in ((rows, lines), (across, columns))]
    ends = [inside[0][0], inside[0][3], inside[1][0], inside[1][3]]
    whole = b.and_(b.and_(ends[0], ends[1]), b.and_(ends[2], ends[3]))

    def transform(places: Sequence[Four]) -> None:
        with cgutils.for_range_slice(b, I64(0), channels, I64(PIXEL), inc=True) as (c, s):
            own = b.gep(to, [b.mul(s, sixteens)])
            for v in range(0, PIXEL, memory.lanes):
                at = b.add(c, I64(v))
                d = [[memory.load(b.gep(place, [at])) for place in four] for four in places]
                turned = [_taken(b, [d[i][j] for i in range(4)]) for j in range(4)]
                for i in range(4):
                    for j, value in enumerate(_taken(b, [turned[k][i] for k in range(4)])):
                        memory.store(value, b.gep(own, [b.add(b.mul(step, I64(4 * i + j)), I64(v))]))

    with b.if_else(whole) as (middle, edge):
        with middle:
            transform(places)
        with edge:
            transform([[b.select(b.and_(inside[0][i], inside[1][j]), places[i][j], zeros) for j in range(4)] for i in range(4)])


def _taken(b: Any, d: Four) -> Four:
    """Bᵀ d."""
    return [b.fsub(d[0], d[2]), b.fadd(d[1], d[2]), b.fsub(d[2], d[1]), b.fsub(d[1], d[3])]


@intrinsic
def winograd_output(context: Any, filters: Any, m: Any, step: Any, y: Any, line_step: Any) -> Any:
    """Two by two outputs; see ops/winograd.py."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        memory = Vectors(builder, context.get_value_type(y.dtype), lanes(y.dtype))
        filters, m, step, y_, line_step = args
        b = builder
        with cgutils.for_range_slice(b, I64(0), filters, I64(memory.lanes), inc=True) as (f, _):

            def column(j: int) -> Four:
                return _summed(b, [memory.load(b.gep(m, [b.add(b.mul(step, I64(4 * i + j)), f)])) for i in range(4)])

            columns = [column(j) for j in range(4)]
            for i in range(2):
                for j, value in enumerate(_summed(b, [columns[k][i] for k in range(4)])):
                    memory.store(value, b.gep(y_, [b.add(b.add(b.mul(line_step, I64(i)), b.mul(filters, I64(j))), f)]))
        return context.get_dummy_value()

    i = types.int64
    return types.void(i, m, i, y, i), codegen


def _summed(b: Any, m: Four) -> Four:
    """Aᵀ m."""
    return [b.fadd(b.fadd(m[0], m[1]), m[2]), b.fsub(b.fsub(m[1], m[2]), m[3])]


PRIMITIVES: dict[str, Any] = {"winograd_weights": winograd_weights, "winograd_input": winograd_input, "winograd_output": winograd_output}
