"""Binds programs to memory and runs them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from layerctl.compile.alignment import ALIGNMENT
from layerctl.compile.program import Layout, Location, Program
from layerctl.kernels.store import addresses, symbol
from layerctl.kernels.words import CHAIN, MEET, STEAL
from layerctl.ops.kernel import At, External, Scratch, bits
from layerctl.ops.value import DTYPES, Type, Value, Weight
from layerctl.runtime.tape import BASES, Mounted, Tape, aligned_bytes
from layerctl.runtime.threads import Team, count

Report = Callable[[str, int, int], None]


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


class Bound(Mounted):
    """A program in memory: its tape, and where its values stand."""

    def __init__(self, program: Program, state: State, external: Mapping[str, np.ndarray], report: Report | None = None):
        self.program, self.state = program, state
        self.prepared = -1
        """The version of the state that the prologue was run on."""
        planned = [*program.prologue, *program.calls]
        kernels = addresses([p.call.ref for p in planned], report)
        symbols = {symbol(p.call.ref): kernels[p.call.ref.key] for p in planned}
        super().__init__(tape_of(program), symbols, state.memory, external)
        self.work = sum(p.call.work for p in program.calls)
        """Nanoseconds of one run on one core, about."""

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


def tape_of(program: Program) -> Tape:
    """The program as plain numbers."""
    kernels: dict[str, int] = {}
    outside: dict[str, int] = {}
    words: list[int] = []
    places: list[tuple[int, int]] = []
    calls = []
    for p in [*program.prologue, *program.calls]:
        number = kernels.setdefault(symbol(p.call.ref), len(kernels))
        flags = (MEET if p.barrier else 0) | (STEAL if p.tasks > 1 and not p.call.steady else 0) | CHAIN * (p.chain if p.chain > 1 else 0)
        calls.append((number, len(words), p.tasks, flags))
        for kind, arg in zip(p.call.ref.layout, p.call.args, strict=True):
            if kind.endswith("*") and arg is not None:
                base, distance = _pointed(program, arg, outside)
                places.append((len(words), base))
                words.append(distance)
            else:
                words.append(bits(kind, arg) if arg is not None else 0)
        words += [0] * (-len(words) % 8)
    constants = np.zeros(program.constants_size, np.uint8)
    for offset, array in program.constants:
        constants[offset : offset + array.nbytes] = np.frombuffer(array.tobytes(), np.uint8)
    return Tape(
        tuple(kernels), tuple(outside), np.array(words, np.int64), np.array(places, np.int64).reshape(-1, 2),
        np.array(calls, np.int64).reshape(-1, 4), len(program.prologue), constants, program.arena_size,
    )  # fmt: skip


def _pointed(program: Program, arg: Any, outside: dict[str, int]) -> tuple[int, int]:
    """Into what an argument points, by its number, and how many bytes from its start; names from outside are numbered as they come."""
    base, offset = (arg.base, arg.offset) if isinstance(arg, At) else (arg, 0)
    if isinstance(base, External):
        return len(BASES) + outside.setdefault(base.name, len(outside)), offset
    place = program.scratch[id(base)] if isinstance(base, Scratch) else program.locations[id(base)]
    return BASES.index(place.space), place.offset + offset


class Machine:
    """The threads that programs run on, started when first needed."""

    def __init__(self, threads: int | None = None):
        self.threads = count(threads)
        self._team: Team | None = None

    def bind(
        self, program: Program, state: State, external: Mapping[str, np.ndarray], report: Report | None = None
    ) -> Bound:
        """Gives a program its memory and the addresses of its kernels, compiling those that are missing."""
        return Bound(program, state, external, report)

    def run(self, bound: Bound, steps: int = 1) -> None:
        """Runs a bound program some times over. All of them, whatever `stop` asks for: half a pass over the rows is no result."""
        while steps > 0:
            steps -= self.run_until_stopped(bound, steps)

    def run_until_stopped(self, bound: Bound, steps: int = 1) -> int:
        """Runs a bound program some times over; returns how many whole runs were finished (fewer only after `stop`, of which nothing is left then)."""
        if self._team is None:
            self._team = Team(self.threads)
        return self._team.run(bound.listed, steps, steps * bound.work) if self._prepare(bound, self._team) else 0

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
        """Ends the current or next `run_until_stopped` after the step that is being computed; may be called from a signal handler."""
        if self._team is not None:
            self._team.stop()

    def close(self) -> None:
        """Ends the threads."""
        if self._team is not None:
            self._team.close()
            self._team = None
