"""Register tiles over windows of images as LLVM IR: a tile's rows stand at a constant distance, so that one address serves them all.

As in `tile.py` every element is one chain of fma over k, whatever the vectors' width and number. A tile may have more rows than are
wanted: those beyond read what lies behind and write where the last one writes after them, so that a few sizes serve for all numbers.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from layerctl.kernels.target import host
from layerctl.kernels.tile import I32, I64, VECTORS, VOID, Vectors, accumulate, lanes, repeat

QUAD, PIXEL, PLANES, THREE = 4, 16, 3, 3
"""Terms that are neighbours of one patch, elements from one pixel's to the next's, planes of taps of a tile (see ops/patches.py), and
terms of a run that are unrolled where there is one vector: more of them hide a loop's cost."""
REGISTERS = 32 if host().lanes == 16 or host().architecture == "aarch64" else 16
MOST_ROWS = 16
CACHE_LINE, SECOND_CACHE = 64, 2
ROWS = {1: (4, 8, 12, 14, 16), 2: (4, 6, 7, 8, 10, 12), 3: (4, 6, 8), 4: (2, 4, 5, 6)}
"""Numbers of rows that there are tiles for, by their vectors: with fewer the multiply-adds' latency counts, and lines of images are often so long."""
RUN_ROWS = {1: (4, 8, 14), 2: (4, 8, 12), 3: (8,), 4: (2, 6)}
"""The same for lines of few channels: not so many, because they are compiled beside the others."""
_HELD = {1: 14, 2: 10, 3: 6, 4: 5} if host().architecture == "aarch64" else {1: 8} if REGISTERS == 16 else {}
"""The most rows by vectors where no multiply-add reads its element from memory: LLVM loads ahead and with more rows puts sums on the stack."""
MOST_VECTORS = 2
"""Vectors of the tiles of several planes."""
EACH = (3, 5, 9)
"""Rows of a plane that there are tiles of several planes for: three and five taps of one channel, three of three channels."""


def sizes(vectors: int) -> tuple[int, ...]:
    """Numbers of rows of the tiles of some vectors that the registers hold."""
    most = _HELD.get(vectors, MOST_ROWS)
    return tuple(rows for rows in ROWS[vectors] if rows <= most and (rows + 1) * vectors < REGISTERS)


def _choice(pointer: Any, builder: Any, columns: Any, of: Callable[[int], int]) -> Any:
    """of(vectors) for the vectors that hold some columns."""
    n = lanes(pointer.dtype)
    found = I64(of(VECTORS))
    for vectors in range(VECTORS - 1, 0, -1):
        found = builder.select(builder.icmp_signed("<=", columns, I64(vectors * n)), I64(of(vectors)), found)
    return found


@intrinsic
def patch_rows(context: Any, pointer: Any, columns: Any) -> Any:
    """Rows of the largest tile of `columns` columns."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return _choice(pointer, builder, args[1], lambda vectors: sizes(vectors)[-1])

    return types.int64(pointer, types.int64), codegen


@intrinsic
def patch_size(context: Any, pointer: Any, columns: Any, rows: Any) -> Any:
    """Rows of the smallest tile of `columns` columns that holds some rows."""

    def nibbles(vectors: int) -> int:
        word = 0
        for rows in range(1, sizes(vectors)[-1] + 1):
            word |= (_holding(vectors, rows) - 1) << 4 * (rows - 1)
        return word - (word >> 63 << 64)

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        word = _choice(pointer, builder, args[1], nibbles)
        shift = builder.mul(builder.sub(args[2], I64(1)), I64(4))
        return builder.add(builder.and_(builder.lshr(word, shift), I64(15)), I64(1))

    return types.int64(pointer, types.int64, types.int64), codegen


def _holding(vectors: int, rows: int) -> int:
    """The smallest tile of some vectors that holds some rows."""
    return next(size for size in sizes(vectors) if size >= rows)


@intrinsic
def patch_tile(context: Any, rows: Any, columns: Any, a: Any, table: Any, quads: Any, b: Any, c: Any, c_stride: Any, keep: Any) -> Any:
    """C[i] (+)= sum over q < quads and t < 4 of a[table[q] + 16 i + t] B[4 q + t]; B is a packed panel."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        _switch(context, builder, b.dtype, args, "patch", _patch_body)
        return context.get_dummy_value()

    i = types.int64
    return types.void(i, i, a, table, i, b, c, i, i), codegen


def _patch_body(memory: Vectors, rows: int, vectors: int, args: Sequence[Any]) -> None:
    builder, n = memory.builder, memory.lanes
    count, tail, a, table, quads, b, c, c_stride, keep = args

    def step(q: Any, places: Sequence[Any], sums: Any) -> Any:
        (b_at,) = places
        a_at = builder.gep(a, [builder.load(builder.gep(table, [q]))])
        for t in range(QUAD):
            wide = [memory.load(builder.gep(b_at, [I64(n * (t * vectors + v))])) for v in range(vectors)]
            factors = [builder.gep(a_at, [I64(PIXEL * m + t)]) for m in range(rows)]
            sums = _added(memory, factors, wide, sums)
        return [builder.gep(b_at, [I64(n * vectors * QUAD)])], sums

    accumulate(memory, _lines(builder, rows, count, c, c_stride), vectors, tail, keep, lambda sums: repeat(builder, quads, [b], sums, step))


@intrinsic
def run_tile(
    context: Any, rows: Any, columns: Any, a: Any, row_step: Any, table: Any, runs: Any, length: Any, b: Any, c: Any, c_stride: Any, keep: Any
) -> Any:  # fmt: skip
    """C[i] (+)= sum over q < runs and t < length of a[table[q] + i row_step + t] B[q length + t]; B is a packed panel."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        cases = [
            (vectors, rows, min(size for size in (*RUN_ROWS[vectors], sizes(vectors)[-1]) if rows <= size <= sizes(vectors)[-1]))
            for vectors in range(1, VECTORS + 1)
            for rows in range(1, sizes(vectors)[-1] + 1)
        ]
        _switch(context, builder, b.dtype, args, "run", _run_body, cases)
        return context.get_dummy_value()

    i = types.int64
    return types.void(i, i, a, i, table, i, i, b, c, i, i), codegen


def _run_body(memory: Vectors, rows: int, vectors: int, args: Sequence[Any]) -> None:
    builder, n = memory.builder, memory.lanes
    count, tail, a, row_step, table, runs, length, b, c, c_stride, keep = args
    half = (rows + 1) // 2
    apart = [builder.mul(row_step, I64(m)) for m in range(half + 1)]

    threes = builder.udiv(length, I64(THREE))
    whole = builder.mul(threes, I64(THREE))
    rest = builder.sub(length, whole)

    def terms(count: int, at: Sequence[Any], sums: Any) -> Any:
        low, high, b_at = at
        starts = [builder.gep(low if m < half else high, [apart[m if m < half else m - half]]) for m in range(rows)]
        for t in range(count):
            wide = [memory.load(builder.gep(b_at, [I64(n * (t * vectors + v))])) for v in range(vectors)]
            sums = _added(memory, [builder.gep(p, [I64(t)]) for p in starts], wide, sums)
        return [*(builder.gep(p, [I64(count)]) for p in (low, high)), builder.gep(b_at, [I64(n * count * vectors)])], sums

    def run(q: Any, places: Sequence[Any], sums: Any) -> Any:
        start, b_at = builder.gep(a, [builder.load(builder.gep(table, [q]))]), places[0]
        at = [start, builder.gep(start, [apart[half]]), b_at]
        if vectors == 1:
            sums = repeat(builder, threes, at, sums, lambda _, at, sums: terms(THREE, at, sums))
            at = [*(builder.gep(p, [whole]) for p in at[:2]), builder.gep(b_at, [builder.mul(whole, I64(n))])]
        sums = repeat(builder, rest if vectors == 1 else length, at, sums, lambda _, at, sums: terms(1, at, sums))
        return [builder.gep(b_at, [builder.mul(length, I64(n * vectors))])], sums

    accumulate(memory, _lines(builder, rows, count, c, c_stride), vectors, tail, keep, lambda sums: repeat(builder, runs, [b], sums, run))


@intrinsic
def line_tile(
    context: Any, rows: Any, columns: Any, a: Any, k_stride: Any, line_step: Any, lines: Any, outputs: Any, b: Any, b_step: Any, c: Any, c_stride: Any
) -> Any:  # fmt: skip
    """C[i] += sum over l < lines and o < outputs of a[l line_step + o k_stride + i] b[(l outputs + o) b_step]."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        _switch(context, builder, b.dtype, args, "lines", _line_body)
        return context.get_dummy_value()

    i = types.int64
    return types.void(i, i, a, i, i, i, i, b, i, c, i), codegen


def _line_body(memory: Vectors, rows: int, vectors: int, args: Sequence[Any]) -> None:
    builder, n = memory.builder, memory.lanes
    count, tail, a, k_stride, line_step, lines, outputs, b, b_step, c, c_stride = args

    def line(index: Any, places: Sequence[Any], sums: Any) -> Any:
        a_line, b_line = places

        def output(o: Any, at: Sequence[Any], inner: Any) -> Any:
            a_at, b_at = at
            wide = [memory.load(builder.gep(b_at, [I64(n * v)])) for v in range(vectors)]
            found = _added(memory, [builder.gep(a_at, [I64(m)]) for m in range(rows)], wide, inner)
            return [builder.gep(a_at, [k_stride]), builder.gep(b_at, [b_step])], found

        sums = repeat(builder, outputs, [a_line, b_line], sums, output)
        return [builder.gep(a_line, [line_step]), builder.gep(b_line, [builder.mul(b_step, outputs)])], sums

    accumulate(memory, _lines(builder, rows, count, c, c_stride), vectors, tail, I64(1), lambda sums: repeat(builder, lines, [a, b], sums, line))


def _fitting(each: int) -> list[int]:
    """Numbers of vectors for which the registers hold a tile of several planes of `each` rows."""
    return [vectors for vectors in range(1, MOST_VECTORS + 1) if (PLANES * each + 1) * vectors < REGISTERS]


@intrinsic
def planes_fit(context: Any, pointer: Any, columns: Any, each: Any) -> Any:
    """Whether there is a tile of `columns` columns and three planes of `each` rows."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        found = I64(0)
        for each in EACH:
            fits = _choice(pointer, builder, args[1], lambda vectors, each=each: int(vectors in _fitting(each)))
            found = builder.select(builder.icmp_signed("==", args[2], I64(each)), fits, found)
        return found

    return types.int64(pointer, types.int64, types.int64), codegen


@intrinsic
def planes_tile(
    context: Any, each: Any, columns: Any, a: Any, plane_step: Any, k_stride: Any, line_step: Any, lines: Any, outputs: Any, b: Any, b_step: Any,
    c: Any, c_stride: Any,
) -> Any:  # fmt: skip
    """`line_tile` for three planes, a's `plane_step` apart, and their `each` rows of C one after the other; where they fit."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        cases = [(vectors, each, each) for each in EACH for vectors in _fitting(each)]
        _switch(context, builder, b.dtype, args, "planes", _planes_body, cases)
        return context.get_dummy_value()

    i = types.int64
    return types.void(i, i, a, i, i, i, i, i, b, i, c, i), codegen


def _planes_body(memory: Vectors, each: int, vectors: int, args: Sequence[Any]) -> None:
    builder, n = memory.builder, memory.lanes
    _, tail, a, plane_step, k_stride, line_step, lines, outputs, b, b_step, c, c_stride = args
    apart = [builder.mul(plane_step, I64(m)) for m in range(PLANES)]

    def line(index: Any, places: Sequence[Any], sums: Any) -> Any:
        def output(o: Any, at: Sequence[Any], inner: Any) -> Any:
            *a_at, b_at = at
            wide = [memory.load(builder.gep(b_at, [I64(n * v)])) for v in range(vectors)]
            found = _added(memory, [builder.gep(p, [I64(m)]) for p in a_at for m in range(each)], wide, inner)
            return [*(builder.gep(p, [k_stride]) for p in a_at), builder.gep(b_at, [b_step])], found

        a_line, b_line = places
        sums = repeat(builder, outputs, [*(builder.gep(a_line, [x]) for x in apart), b_line], sums, output)
        return [builder.gep(a_line, [line_step]), builder.gep(b_line, [builder.mul(b_step, outputs)])], sums

    rows = [builder.gep(c, [builder.mul(c_stride, I64(m))]) for m in range(PLANES * each)]
    accumulate(memory, rows, vectors, tail, I64(1), lambda sums: repeat(builder, lines, [a, b], sums, line))


def _added(memory: Vectors, factors: Sequence[Any], wide: Sequence[Any], sums: Any) -> list[list[Any]]:
    """The sums with one term more: for each row the element at its address by the vectors of B."""
    out = []
    for place, own in zip(factors, sums, strict=True):
        factor = memory.spread(memory.builder.load(place))
        out.append([memory.fma(factor, x, total) for x, total in zip(wide, own, strict=True)])
    return out


def _lines(builder: Any, rows: int, count: Any, c: Any, c_stride: Any) -> list[Any]:
    """Where the rows of a result begin; those beyond `count` where the last one does."""
    last = builder.sub(count, I64(1))
    numbers = [builder.select(builder.icmp_signed("<", I64(m), last), I64(m), last) for m in range(rows)]
    return [builder.gep(c, [builder.mul(c_stride, m)]) for m in numbers]


def _switch(
    context: Any, builder: Any, kind: Any, args: Sequence[Any], name: str, body: Any, cases: Sequence[tuple[int, int, int]] = ()
) -> None:  # fmt: skip
    """Calls the tile for the rows and columns, one function for each size.

    `cases`: (vectors, rows, the tile's rows), without which the smallest tile that holds the rows is taken.
    """
    if not cases:
        cases = [(v, rows, _holding(v, rows)) for v in range(1, VECTORS + 1) for rows in range(1, sizes(v)[-1] + 1)]
    element, n = context.get_value_type(kind), lanes(kind)
    rows, columns, *rest = args
    before = builder.udiv(builder.sub(columns, I64(1)), I64(n))
    tail = builder.sub(columns, builder.mul(before, I64(n)))
    out = builder.append_basic_block("tiled")
    switch = builder.switch(builder.add(builder.mul(before, I64(MOST_ROWS)), builder.sub(rows, I64(1))), out)
    counts: dict[tuple[int, int], list[int]] = {}
    for vectors, count, size in cases:
        counts.setdefault((vectors, size), []).append(count)
    for (vectors, size), held in counts.items():
        block = builder.append_basic_block(f"{name}{size}x{vectors}")
        for count in held:
            switch.add_case(I64(MOST_ROWS * (vectors - 1) + count - 1), block)
        builder.position_at_end(block)
        builder.call(_function(builder.module, name, size, vectors, element, n, [x.type for x in args], body), [rows, tail, *rest])
        builder.branch(out)
    builder.position_at_end(out)


def _function(module: Any, name: str, rows: int, vectors: int, element: Any, n: int, kinds: Sequence[Any], body: Any) -> Any:
    """One tile as a function, once a module; it takes the rows that are wanted and the last vector's columns before the rest."""
    called = f"layerctl_{name}_{element}_{rows}x{vectors}"
    if called in module.globals:
        return module.globals[called]
    function = ir.Function(module, ir.FunctionType(VOID, kinds), called)
    function.linkage = "internal"
    function.attributes.add("noinline")
    builder = ir.IRBuilder(function.append_basic_block("entry"))
    body(Vectors(builder, element, n), rows, vectors, function.args)
    return function


@intrinsic
def spread_line(context: Any, pixels: Any, columns: Any, to: Any, source: Any, step: Any) -> Any:
    """to[16 i + j] = source[i step + j] for i < pixels, j < columns <= 16; columns up to whole vectors and fours become 0."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        pixels, columns, to_, source_, step_ = args
        memory = Vectors(builder, context.get_value_type(to.dtype), lanes(to.dtype))
        n = memory.lanes
        for v in range(PIXEL // n):
            wanted = builder.and_(builder.add(columns, I64(QUAD - 1)), I64(-QUAD))
            with builder.if_then(builder.icmp_signed("<", I64(v * n), wanted)):
                mask = memory.mask(builder.sub(columns, I64(v * n)))

                def pixel(i: Any, places: Sequence[Any], sums: Any, mask: Any = mask) -> Any:
                    memory.store(memory.load(places[0], mask), places[1])
                    return [builder.gep(places[0], [step_]), builder.gep(places[1], [I64(PIXEL)])], sums

                repeat(builder, pixels, [builder.gep(source_, [I64(v * n)]), builder.gep(to_, [I64(v * n)])], [], pixel)
        return context.get_dummy_value()

    i = types.int64
    return types.void(i, i, to, source, i), codegen


@intrinsic
def fetch_ahead(context: Any, x: Any, start: Any, elements: Any) -> Any:
    """Asks for x[start], …, of which nothing is read yet, to be brought into the second cache."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        x_, start_, elements_ = args
        step = CACHE_LINE // (x.dtype.bitwidth // 8)
        kind = ir.FunctionType(VOID, [x_.type, I32, I32, I32])
        prefetch = cgutils.get_or_insert_function(builder.module, kind, "llvm.prefetch.p0")
        with cgutils.for_range_slice(builder, I64(0), elements_, I64(step), inc=True) as (i, _):
            builder.call(prefetch, [builder.gep(x_, [builder.add(start_, i)]), I32(0), I32(SECOND_CACHE), I32(1)])
        return context.get_dummy_value()

    return types.void(x, types.int64, types.int64), codegen


PRIMITIVES: dict[str, Any] = {
    "patch_rows": patch_rows, "patch_size": patch_size, "patch_tile": patch_tile, "run_tile": run_tile, "line_tile": line_tile,
    "planes_fit": planes_fit, "planes_tile": planes_tile, "spread_line": spread_line,
    "fetch_ahead": fetch_ahead,
}  # fmt: skip
