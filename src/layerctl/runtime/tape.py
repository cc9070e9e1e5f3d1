"""A program as plain numbers: what is left of it when all that runs is known and no address is yet."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from layerctl.compile.alignment import ALIGNMENT
from layerctl.kernels.words import CHAIN
from layerctl.runtime.threads import Listed

BASES = ("arena", "state", "constants")


@dataclass(frozen=True, eq=False)
class Tape:
    """Calls of kernels and the blocks of their arguments.

    Attributes:
        kernels: the kernels' symbols.
        outside: names of the arrays that are given when the tape is mounted.
        words: (n,) int64, the argument blocks; an address is its distance from the start of what it points into.
        places: (addresses, 2) int64: which word, and into what it points: one of BASES, then of `outside`.
        calls: (calls, 4) int64: which kernel, the first word of its block, shares, flags as `kernels/words.py` has them.
        prologue: how many of the first calls are made once, before the steps.
        constants: (bytes,) uint8.
        arena: bytes of memory for what is computed.
    """

    kernels: tuple[str, ...]
    outside: tuple[str, ...]
    words: np.ndarray
    places: np.ndarray
    calls: np.ndarray
    prologue: int
    constants: np.ndarray
    arena: int

    def fits(self) -> bool:
        """Whether all of it refers to what it has."""
        return bool(
            self.words.ndim == 1 and self.places.shape[1:] == (2,) and self.calls.shape[1:] == (4,) and self.arena >= 0
            and _within(self.places[:, 0], len(self.words)) and _within(self.places[:, 1], len(BASES) + len(self.outside))
            and _within(self.calls[:, 0], len(self.kernels)) and _within(self.calls[:, 1], len(self.words) + 1)
            and 0 <= self.prologue <= len(self.calls) and (self.calls[:, 2] >= 1).all() and (self.calls[:, 3] >= 0).all()
            and _within(np.arange(len(self.calls)) + self.calls[:, 3] // CHAIN, len(self.calls) + 1)
        )  # fmt: skip


def _within(numbers: np.ndarray, end: int) -> bool:
    return not numbers.size or (int(numbers.min()) >= 0 and int(numbers.max()) < end)


def aligned_bytes(size: int) -> np.ndarray:
    """Zeroed memory that starts at a cache line."""
    raw = np.zeros(size + ALIGNMENT, np.uint8)
    start = -raw.ctypes.data % ALIGNMENT
    return raw[start : start + size]


class Mounted:
    """A tape with addresses in its blocks: ready to run any number of times.

    `listed` is what `runtime.threads.Team` runs each step, `prologue` what it runs before, when the weights in `state` have changed.
    """

    def __init__(self, tape: Tape, kernels: Mapping[str, int], state: np.ndarray, external: Mapping[str, np.ndarray]):
        self.tape, self.arena, self.constants = tape, aligned_bytes(tape.arena), aligned_bytes(len(tape.constants))
        self.constants[:] = tape.constants
        self.blocks = aligned_bytes(max(tape.words.nbytes, 8)).view(np.int64)
        self.blocks[: len(tape.words)] = tape.words
        own = tape.places[tape.places[:, 1] < len(BASES)]
        bases = np.array([self.arena.ctypes.data, state.ctypes.data, self.constants.ctypes.data], np.int64)
        self.blocks[own[:, 0]] += bases[own[:, 1]]
        self._outside = tape.places[tape.places[:, 1] >= len(BASES)]
        both = tape.calls.copy()
        both[:, 0] = np.array([kernels[name] for name in tape.kernels], np.int64)[tape.calls[:, 0]]
        both[:, 1] = self.blocks.ctypes.data + 8 * tape.calls[:, 1]
        self.prologue, self.instructions = both[: tape.prologue], both[tape.prologue :]
        self.listed = Listed.of(self.instructions)
        self.external: dict[str, np.ndarray] = {}
        self.point(external)

    def point(self, external: Mapping[str, np.ndarray]) -> None:
        """Puts other arrays, of the same types and widths, in the places of those from outside."""
        if self.external and all(self.external.get(name) is array for name, array in external.items()):
            return
        self.external = {**self.external, **external}
        at, which = self._outside[:, 0], self._outside[:, 1] - len(BASES)
        starts = np.array([self.external[name].ctypes.data for name in self.tape.outside], np.int64)
        self.blocks[at] = self.tape.words[at] + starts[which]
