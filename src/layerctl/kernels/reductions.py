"""Reductions as LLVM IR: rows in 16 lanes and a fixed tree, columns side by side in ascending order of the length.

The order in which numbers meet depends on (outer, length, inner) alone, never on threads or the machine's vectors.
"""

from __future__ import annotations

from collections.abc import Sequence

from llvmlite import ir

from layerctl.kernels.arithmetic import ARITHMETIC, INF
from layerctl.kernels.lanes import F32, F64, I1, I32, I64, TYPES, Lanes, constant
from layerctl.kernels.loops import POINTER, Memory, argument, begin, first_lanes, integer, repeat, share, splat
from layerctl.ops.kernel import Reduction

LANES = 16
VECTORS = 2
"""Vectors of columns that are reduced side by side: two cache lines of f32."""

State = list[Lanes]


class _Folding:
    """What a reduction keeps per lane, how an element joins it, and how two lanes' states become one."""

    def __init__(self, builder: ir.IRBuilder, reduction: Reduction):
        self.builder, self.function = builder, reduction.function
        self.element = TYPES[reduction.dtype]
        self.result = TYPES[reduction.out_dtype]
        self.floating = self.element in (F32, F64)
        self.places = self.function in ("argmax", "argmin")
        kept = {"any": I1, "all": I1}.get(self.function, F64 if self.floating else I64)
        self.kept = self.element if self.places or self.function in ("max", "min") else kept
        self.neutral = self._neutral()

    def _neutral(self) -> float:
        """An element that changes nothing: what stands in lanes beyond the end."""
        if self.function in ("prod", "all"):
            return 1
        if self.function in ("sum", "sumsq", "sumabs", "any"):
            return 0
        largest = self.function in ("max", "argmax")
        if self.floating:
            return -INF if largest else INF
        if self.element == I1:
            return 0 if largest else 1
        bits = self.element.width - 1
        return -(1 << bits) if largest else (1 << bits) - 1

    def start(self, lanes: int, indices: ir.Value) -> State:
        """The state before the first element; of a place, the first that each lane will see."""
        start = Lanes(self.builder, constant(ir.VectorType(self.kept, lanes), self.neutral))
        return [start, Lanes(self.builder, indices)] if self.places else [start]

    def step(self, state: State, element: ir.Value, index: ir.Value) -> State:
        """One more element per lane; `index` is a vector of its places."""
        x = Lanes(self.builder, element)
        if self.places:
            wins = self._wins(x, state[0])
            return [wins.select(x, state[0]), wins.select(Lanes(self.builder, index), state[1])]
        x = x.to(self.kept)
        if self.function == "sumsq":
            return [ARITHMETIC["fma"](x, x, state[0])]
        return self.join(state, [ARITHMETIC["abs"](x)] if self.function == "sumabs" else [x])

    def _wins(self, x: Lanes, best: Lanes) -> Lanes:
        wins = x > best if self.function == "argmax" else x < best
        return wins | (x.differs(x) & best.equals(best)) if self.floating else wins

    def join(self, a: State, b: State) -> State:
        """Two states as one; of equal extremes the lower place."""
        if self.places:
            same = a[0].equals(b[0])
            if self.floating:
                same = same | (a[0].differs(a[0]) & b[0].differs(b[0]))
            wins = self._wins(b[0], a[0]) | (same & (b[1] < a[1]))
            return [wins.select(y, x) for x, y in zip(a, b, strict=True)]
        names = {"sum": "add", "sumsq": "add", "sumabs": "add", "prod": "mul", "any": "or", "all": "and"}
        return [ARITHMETIC[names.get(self.function, self.function)](a[0], b[0])]

    def finish(self, state: State) -> ir.Value:
        """The result of a state."""
        return state[-1].to(self.result).value

    def tree(self, state: State) -> ir.Value:
        """All lanes' states as one, the upper half onto the lower, four times."""
        b, lanes = self.builder, LANES
        while lanes > 1:
            lanes //= 2
            halves: list[State] = []
            for first in (0, lanes):
                mask = ir.Constant(ir.VectorType(I32, lanes), list(range(first, first + lanes)))
                halves.append([Lanes(b, b.shuffle_vector(s.value, s.value, mask)) for s in state])
            state = self.join(*halves)
        return b.extract_element(self.finish(state), ir.Constant(I32, 0))


class _Emission:
    """The emission of one Reduction."""

    def __init__(self, reduction: Reduction, name: str):
        self.module, self.builder, self.task, self.tasks, block = begin(name)
        self.folding = _Folding(self.builder, reduction)
        b = self.builder
        self.source = Memory(b, reduction.dtype, LANES)
        self.target = Memory(b, reduction.out_dtype, LANES)
        places = [argument(b, block, i) for i in range(5)]
        self.x, self.y = (b.inttoptr(p, POINTER) for p in places[:2])
        self.outer, self.length, self.inner = places[2:]
        self.iota = ir.Constant(ir.VectorType(I32, LANES), list(range(LANES)))

    def emit(self) -> str:
        """The module's text."""
        b = self.builder
        with b.if_else(b.icmp_signed("==", self.inner, integer(1))) as (rows, columns):
            with rows:
                self.rows()
            with columns:
                self.columns()
        b.ret_void()
        return str(self.module)

    def rows(self) -> None:
        """Each row of `length` neighbours to one number; a share is some rows."""
        b = self.builder
        low, high = share(b, self.outer, self.task, self.tasks)

        def body(row: ir.Value) -> list[ir.Value]:
            self._row(self.source.move(self.x, b.mul(row, self.length)), self.target.move(self.y, row))
            return []

        repeat(b, low, high, 1, [], body)

    def _row(self, x: ir.Value, y: ir.Value) -> None:
        b, folding = self.builder, self.folding
        whole = b.and_(self.length, integer(-LANES))

        def advance(i: ir.Value, state: Sequence[ir.Value], mask: ir.Value | None) -> list[ir.Value]:
            element = self.source.load(self.source.move(x, i), mask, folding.neutral)
            index = b.add(splat(b, b.trunc(i, I32), LANES), self.iota)
            return [s.value for s in folding.step([Lanes(b, v) for v in state], element, index)]

        start = [s.value for s in folding.start(LANES, self.iota)]
        state = repeat(b, integer(0), whole, LANES, start, lambda i, *values: advance(i, values, None))
        rest = b.sub(self.length, whole)
        before = b.block
        with b.if_then(b.icmp_signed(">", rest, integer(0))):
            last = advance(whole, state, first_lanes(b, rest, LANES))
            inside = b.block
        merged = [self._merge(a, before, c, inside) for a, c in zip(state, last, strict=True)]
        result = folding.tree([Lanes(b, v) for v in merged])
        b.store(b.zext(result, self.target.stored) if result.type == I1 else result, y, align=self.target.align)

    def _merge(self, a: ir.Value, a_block: ir.Block, b: ir.Value, b_block: ir.Block) -> ir.Value:
        phi = self.builder.phi(a.type)
        phi.add_incoming(a, a_block)
        phi.add_incoming(b, b_block)
        return phi

    def columns(self) -> None:
        """Blocks of columns, each column in ascending order of the length; a share is some of all outer blocks."""
        b, width = self.builder, LANES * VECTORS
        blocks = b.sdiv(b.add(self.inner, integer(width - 1)), integer(width))
        low, high = share(b, b.mul(self.outer, blocks), self.task, self.tasks)
        outer = b.sdiv(low, blocks)
        block = b.sub(low, b.mul(outer, blocks))

        def body(_: ir.Value, outer: ir.Value, block: ir.Value) -> list[ir.Value]:
            column = b.mul(block, integer(width))
            x = self.source.move(self.x, b.add(b.mul(b.mul(outer, self.length), self.inner), column))
            y = self.target.move(self.y, b.add(b.mul(outer, self.inner), column))
            left = b.sub(self.inner, column)
            with b.if_else(b.icmp_signed(">=", left, integer(width))) as (full, partial):
                with full:
                    self._block(x, y, [None] * VECTORS)
                with partial:
                    counts = [b.sub(left, integer(LANES * v)) for v in range(VECTORS)]
                    self._block(x, y, [first_lanes(b, c, LANES) for c in counts])
            following = b.add(block, integer(1))
            end = b.icmp_signed("==", following, blocks)
            return [b.add(outer, b.zext(end, I64)), b.select(end, integer(0), following)]

        repeat(b, low, high, 1, [outer, block], body)

    def _block(self, x: ir.Value, y: ir.Value, masks: Sequence[ir.Value | None]) -> None:
        b, folding = self.builder, self.folding
        zeros = ir.Constant(ir.VectorType(I32, LANES), [0] * LANES)
        start = [folding.start(LANES, zeros) for _ in masks]
        size = len(start[0])
        offsets = [integer(LANES * v) for v in range(len(masks))]

        def body(i: ir.Value, row: ir.Value, *values: ir.Value) -> list[ir.Value]:
            index = splat(b, b.trunc(i, I32), LANES)
            out = [self.source.move(row, self.inner)]
            for v, mask in enumerate(masks):
                element = self.source.load(self.source.move(row, offsets[v]), mask, folding.neutral)
                state = [Lanes(b, s) for s in values[v * size : (v + 1) * size]]
                out += [s.value for s in folding.step(state, element, index)]
            return out

        flat = [s.value for state in start for s in state]
        last = repeat(b, integer(0), self.length, 1, [x, *flat], body)[1:]
        for v, mask in enumerate(masks):
            result = folding.finish([Lanes(b, s) for s in last[v * size : (v + 1) * size]])
            self.target.store(self.target.move(y, offsets[v]), result, mask)


def emit(reduction: Reduction, name: str) -> str:
    """LLVM IR of a module with one function `void name(i64 task, i64 tasks, i64 block)` that reduces over `length`.

    A share is `n * task // tasks` and on: of the rows where inner is 1, else of the blocks of 32 columns.
    """
    return _Emission(reduction, name).emit()
