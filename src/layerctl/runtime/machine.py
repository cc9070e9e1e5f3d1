"""Binds programs to memory and runs them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from layerctl.compile.program import ALIGNMENT, Layout, Location, Program
from layerctl.kernels.program import MEET, STEAL
from layerctl.kernels.store import addresses
from layerctl.ops.kernel import At, External, Scratch, bits
from layerctl.ops.value import DTYPES, Type, Value, Weight
from layerctl.runtime.threads import Listed, Team, count

WORTH_WAKING = 200_000.0
"""Nanoseconds of a run below which the other threads, which have to be woken from sleep, are left alone."""
Report = Callable[[str, int, int], None]


def aligned_bytes(size: int) -> np.ndarray:
    """Zeroed memory that starts at a cache line."""
    raw = np.zeros(size + ALIGNMENT, np.uint8)
    start = -raw.ctypes.data % ALIGNMENT
    return raw[start : start + size]


class State:
    """The one buffer of all weights, state and optimizer slots, by a layout that may still grow."""

    def __init__(self, layout: Layout):
        self.layout = layout
        self.memory = aligned_bytes(max(layout.size, ALIGNMENT))
        self.version = 0
        """Counts the changes of weights from outside and by training, after which what programs have prepared of them is stale."""

    def write(self, weight: Weight, value: Any) -> None:
        """Changes a weight from outside."""
        self.view(weight)[...] = value
        self.version += 1

    def view(self, weight: Weight) -> np.ndarray:
        """The weight's memory as an array."""
        start = self.layout.offsets[weight]
        return self.memory[start : start + weight.type.size].view(DTYPES[weight.dtype]).reshape(weight.shape)


class Bound:
    """A program with addresses in its argument blocks: ready to run any number of times."""

    def __init__(
        self,
        program: Program,
        state: State,
        arena: np.ndarray,
        external: Mapping[str, np.ndarray],
        report: Report | None = None,
    ):
        self.program, self.state, self.arena = program, state, arena
        self.constants = aligned_bytes(program.constants_size)
        for offset, array in program.constants:
            self.constants[offset : offset + array.nbytes] = np.frombuffer(array.tobytes(), np.uint8)
        self.external = dict(external)
        self._outside: list[tuple[int, str, int]] = []
        self._bases = {
            "arena": arena.ctypes.data,
            "state": state.memory.ctypes.data,
            "constants": self.constants.ctypes.data,
        }
        self.prepared = -1
        """The version of the state that the prologue was run on."""
        planned = [*program.prologue, *program.calls]
        kernels = addresses([p.call.ref for p in planned], report)
        rows = [
            [self._bits(kind, arg) for kind, arg in zip(p.call.ref.layout, p.call.args, strict=True)]
            for p in planned
        ]
        starts = np.cumsum([0, *(-(-len(r) // 8) * 8 for r in rows)])
        self.blocks = aligned_bytes(8 * max(int(starts[-1]), 1)).view(np.int64)
        both = np.zeros((len(rows), 4), np.int64)
        self.prologue, self.instructions = both[: len(program.prologue)], both[len(program.prologue) :]
        for i, (p, row) in enumerate(zip(planned, rows, strict=True)):
            self.blocks[starts[i] : starts[i] + len(row)] = row
            address = self.blocks.ctypes.data + 8 * int(starts[i])
            self._outside += [(int(starts[i]) + j, *found) for j, arg in enumerate(p.call.args) if (found := _outside(arg)) is not None]
            flags = (MEET if p.barrier else 0) | (STEAL if p.tasks > 1 and not p.call.steady else 0)
            both[i] = (kernels[p.call.ref.key], address, p.tasks, flags)
        self.work = sum(p.call.work for p in program.calls)
        """Nanoseconds of one run on one core, about."""
        self.listed = Listed.of(self.instructions)

    def point(self, external: Mapping[str, np.ndarray]) -> None:
        """Puts other arrays, of the same types and widths, in the places of those from outside."""
        if all(self.external[name] is array for name, array in external.items()):
            return
        self.external = {**self.external, **external}
        for place, name, offset in self._outside:
            self.blocks[place] = self.external[name].ctypes.data + offset

    def _bits(self, kind: str, arg: Any) -> int:
        if not kind.endswith("*"):
            return bits(kind, arg)
        if arg is None:
            return 0
        offset = 0
        if isinstance(arg, At):
            arg, offset = arg.base, arg.offset
        if isinstance(arg, External):
            return self.external[arg.name].ctypes.data + offset
        place = self.program.scratch[id(arg)] if isinstance(arg, Scratch) else self.program.locations[id(arg)]
        return self._bases[place.space] + place.offset + offset

    def array(self, place: Location, type_: Type) -> np.ndarray:
        """Memory of a value as an array that shares it."""
        base = {"arena": self.arena, "state": self.state.memory, "constants": self.constants}[place.space]
        return (
            base[place.offset : place.offset + type_.size]
            .view(DTYPES[type_.dtype])
            .reshape(tuple(map(int, type_.shape)))
        )

    def input(self, label: str) -> np.ndarray:
        """The buffer of an input."""
        return self.array(*self.program.inputs[label])

    def output(self, name: str) -> np.ndarray:
        """The buffer of an output, valid after a run."""
        return self.array(*self.program.outputs[name])

    def value(self, value: Value) -> np.ndarray:
        """The buffer of any value that the plan kept to the end."""
        return self.array(self.program.location(value), value.type)


def _outside(arg: Any) -> tuple[str, int] | None:
    """(name, bytes from its start) of an argument that is not the program's memory."""
    base, offset = (arg.base, arg.offset) if isinstance(arg, At) else (arg, 0)
    return (base.name, offset) if isinstance(base, External) else None


class Machine:
    """The threads that programs run on, started when first needed."""

    def __init__(self, threads: int | None = None):
        self.threads = count(threads)
        self._team: Team | None = None

    def bind(
        self, program: Program, state: State, external: Mapping[str, np.ndarray], report: Report | None = None
    ) -> Bound:
        """Gives a program its memory and the addresses of its kernels, compiling those that are missing."""
        return Bound(program, state, aligned_bytes(program.arena_size), external, report)

    def run(self, bound: Bound, steps: int = 1) -> int:
        """Runs a bound program some times over; returns how many whole runs were finished (fewer only after `stop`)."""
        if self._team is None:
            self._team = Team(self.threads)
        return self._team.run(bound.listed, steps, steps * bound.work < WORTH_WAKING) if self._prepare(bound, self._team) else 0

    def _prepare(self, bound: Bound, team: Team) -> bool:
        """Runs a program's prologue where it is due; False if it was stopped."""
        if bound.prepared != bound.state.version:
            if len(bound.prologue) and not team.run(bound.prologue, 1):
                return False
            bound.prepared = bound.state.version
        return True

    def timed(self, bound: Bound, steps: int) -> np.ndarray:
        """Seconds of each instruction (count,), summed over some runs."""
        if self._team is None:
            self._team = Team(self.threads)
        self._prepare(bound, self._team)
        return self._team.timed(bound.instructions, steps)

    def stop(self) -> None:
        """Ends the current run after the step that is being computed; may be called from a signal handler."""
        if self._team is not None:
            self._team.stop()

    def close(self) -> None:
        """Ends the threads."""
        if self._team is not None:
            self._team.close()
            self._team = None
