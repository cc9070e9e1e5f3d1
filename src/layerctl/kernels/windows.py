"""Windows over lines of channels as LLVM IR: depthwise convolution with its sums in registers.

A vector holds neighbouring channels. Every element is one chain of fma over the taps (or over the outputs) in ascending order, whatever the
vectors' width and however many outputs (or taps) are computed side by side.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from layerctl.kernels.tile import I64, Vectors, lanes

SHAPES = ((4, 2), (2, 4), (1, 8))
"""Vectors of channels by outputs side by side: with eight chains the multiply-adds' latency is hidden, and neighbours are read together."""
TAPS, COLUMNS = 3, 2
"""Taps and vectors of channels side by side in sums over outputs."""

Body = Callable[..., Sequence[Any]]


@intrinsic
def window_line(
    context: Any, columns: Any, outputs: Any, x: Any, at: Any, x_step: Any, rows: Any, row_step: Any, across: Any, tap_step: Any, w: Any,
    w_row: Any, w_tap: Any, out: Any, out_step: Any, keep: Any,
) -> Any:  # fmt: skip
    """out[o, c] (+)= sum over r and t of x[at + o x_step + r row_step + t tap_step + c] w[r w_row + t w_tap + c]."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        memory = Vectors(builder, context.get_value_type(x.dtype), lanes(x.dtype))
        columns, outputs, *rest = args
        start = I64(0)
        for vectors, count in SHAPES:
            wide = I64(vectors * memory.lanes)
            left = builder.sub(columns, start)
            end = builder.add(start, builder.mul(builder.sdiv(left, wide), wide)) if vectors > 1 else columns
            low = I64(0)
            for outs in (count, 1):
                high = builder.and_(outputs, I64(-outs))
                outer = cgutils.for_range_slice(builder, low, high, I64(outs), inc=True)
                with outer as (o, _), cgutils.for_range_slice(builder, start, end, wide, inc=True) as (c, _):
                    mask = memory.mask(builder.sub(columns, c)) if vectors == 1 else None
                    _outputs(memory, outs, vectors, o, c, mask, rest)
                low = high
            start = end
        return context.get_dummy_value()

    i = types.int64
    return types.void(i, i, x, i, i, i, i, i, i, w, i, i, out, i, i), codegen


def _outputs(memory: Vectors, count: int, vectors: int, first: Any, c: Any, mask: Any, args: Sequence[Any]) -> None:
    """`count` outputs from `first` on, of some vectors of channels from c on."""
    b = memory.builder
    x, at, x_step, rows, row_step, across, tap_step, w, w_row, w_tap, out, out_step, keep = args
    columns = [b.add(c, I64(v * memory.lanes)) for v in range(vectors)]
    places = [b.gep(out, [b.add(b.mul(b.add(first, I64(p)), out_step), j)]) for p in range(count) for j in columns]
    sums = [cgutils.alloca_once(b, memory.vector) for _ in places]
    with b.if_else(b.icmp_signed("!=", keep, I64(0))) as (kept, fresh):
        with kept:
            for place, total in zip(places, sums, strict=True):
                b.store(memory.load(place, mask), total)
        with fresh:
            for total in sums:
                b.store(ir.Constant(memory.vector, None), total)
    corner = b.add(at, b.mul(first, x_step))

    def row(r: Any, *carried: Any) -> Sequence[Any]:
        source, factors = b.add(corner, b.mul(r, row_step)), b.mul(r, w_row)

        def tap(t: Any, *inner: Any) -> Sequence[Any]:
            own = b.add(factors, b.mul(t, w_tap))
            factor = [memory.load(b.gep(w, [b.add(own, j)]), mask) for j in columns]
            start = b.add(source, b.mul(t, tap_step))
            out = []
            for k, total in enumerate(inner):
                p, v = divmod(k, vectors)
                value = memory.load(b.gep(x, [b.add(b.add(start, b.mul(I64(p), x_step)), columns[v])]), mask)
                out.append(memory.fma(value, factor[v], total))
            return out

        return repeated(b, across, carried, tap)

    for place, value in zip(places, repeated(b, rows, [b.load(total) for total in sums], row), strict=True):
        memory.store(value, place, mask)


@intrinsic
def window_sums(
    context: Any, columns: Any, outputs: Any, x: Any, at: Any, x_step: Any, across: Any, tap_step: Any, g: Any, g_step: Any, sums: Any, s_tap: Any
) -> Any:  # fmt: skip
    """sums[t s_tap + c] += sum over o of x[at + o x_step + t tap_step + c] g[o g_step + c]."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        memory = Vectors(builder, context.get_value_type(x.dtype), lanes(x.dtype))
        columns, outputs, x_, at, x_step, across, *rest = args
        wide = I64(COLUMNS * memory.lanes)
        pairs = builder.mul(builder.sdiv(columns, wide), wide)
        whole = builder.mul(builder.sdiv(across, I64(TAPS)), I64(TAPS))

        def taps(c: Any, vectors: int, mask: Any) -> None:
            for low, high, count in ((I64(0), whole, TAPS), (whole, across, 1)):
                with cgutils.for_range_slice(builder, low, high, I64(count), inc=True) as (t, _):
                    _taps(memory, count, vectors, t, c, mask, outputs, (x_, at, x_step, *rest))

        with cgutils.for_range_slice(builder, I64(0), pairs, wide, inc=True) as (c, _):
            taps(c, COLUMNS, None)
        with _vectors(memory, builder.sub(columns, pairs)) as (c, mask):
            taps(builder.add(pairs, c), 1, mask)
        return context.get_dummy_value()

    i = types.int64
    return types.void(i, i, x, i, i, i, i, g, i, sums, i), codegen


def _taps(memory: Vectors, count: int, vectors: int, first: Any, c: Any, mask: Any, outputs: Any, args: Sequence[Any]) -> None:
    """`count` taps from `first` on, of some vectors of channels, over all outputs."""
    b = memory.builder
    x, at, x_step, tap_step, g, g_step, sums, s_tap = args
    columns = [b.add(c, I64(v * memory.lanes)) for v in range(vectors)]
    at_taps = [b.add(first, I64(p)) for p in range(count)]
    places = [[b.gep(sums, [b.add(b.mul(t, s_tap), j)]) for j in columns] for t in at_taps]
    starts = [b.add(at, b.mul(t, tap_step)) for t in at_taps]

    def output(o: Any, *carried: Any) -> Sequence[Any]:
        factors = [memory.load(b.gep(g, [b.add(b.mul(o, g_step), j)]), mask) for j in columns]
        step, out = b.mul(o, x_step), []
        for k, total in enumerate(carried):
            value = memory.load(b.gep(x, [b.add(b.add(starts[k // vectors], step), columns[k % vectors])]), mask)
            out.append(memory.fma(value, factors[k % vectors], total))
        return out

    flat = [place for own in places for place in own]
    for place, value in zip(flat, repeated(b, outputs, [memory.load(p, mask) for p in flat], output), strict=True):
        memory.store(value, place, mask)


def repeated(b: Any, count: Any, carried: Sequence[Any], body: Body) -> list[Any]:
    """`for i in range(count)` with values in registers: body(i, *values) gives the next ones; the last are returned."""
    before, (head, inside, after) = b.block, (b.append_basic_block() for _ in range(3))
    b.branch(head)
    b.position_at_end(head)
    i, phis = b.phi(I64), [b.phi(v.type) for v in carried]
    b.cbranch(b.icmp_signed("<", i, count), inside, after)
    b.position_at_end(inside)
    following = [b.add(i, I64(1)), *body(i, *phis)]
    for phi, start, then in zip([i, *phis], [I64(0), *carried], following, strict=True):
        phi.add_incoming(start, before)
        phi.add_incoming(then, b.block)
    b.branch(head)
    b.position_at_end(after)
    return phis


class _vectors:
    """`with _vectors(memory, columns) as (c, mask)`: a loop over vectors of columns, all of them under a mask of what is left."""

    def __init__(self, memory: Vectors, columns: Any):
        self.memory, self.columns = memory, columns
        self.loop = cgutils.for_range_slice(memory.builder, I64(0), columns, I64(memory.lanes), inc=True)

    def __enter__(self) -> tuple[Any, Any]:
        c, _ = self.loop.__enter__()
        return c, self.memory.mask(self.memory.builder.sub(self.columns, c))

    def __exit__(self, *error: Any) -> None:
        self.loop.__exit__(*error)


PRIMITIVES: dict[str, Any] = {"window_line": window_line, "window_sums": window_sums}
