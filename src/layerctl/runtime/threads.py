"""The threads that run programs: Python threads, each inside one native call, where the interpreter lock is free."""

from __future__ import annotations

import ctypes
import functools
import math
import os
import sys
import threading
import time
import weakref
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from layerctl.kernels import words
from layerctl.limits import GROUPS, OWN, groups, numbers

WORTH_WAKING = 200_000.0
"""Nanoseconds of a run below which the other threads, which have to be woken from sleep, are left alone."""
AWAKE, PATIENCE = 50_000, 500
"""Nanoseconds for which a worker surely waits awake after a run; runs on one thread after one that the others held up."""


@dataclass(frozen=True)
class Limits:
    """What bounds the number of threads: the machine's cores, those that this process may use, and the least quota around it in cores."""

    cores: int
    allowed: int
    quota: float | None

    @property
    def threads(self) -> int:
        """As many as are of use; at least 1."""
        return max(1, min(self.allowed, math.ceil(self.quota) if self.quota is not None else self.allowed))


def limits() -> Limits:
    """The bounds of this process now."""
    cores = os.cpu_count() or 1
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else cores
    return Limits(cores, allowed, min(_quotas(), default=None))


def count(requested: int | None = None) -> int:
    """How many threads to run: what was asked for, no more than the allowed cores and the container's quota; at least 1."""
    limit = limits().threads
    return max(1, min(requested, limit)) if requested else limit


def _quotas(root: Path = GROUPS, own: Path = OWN) -> Iterator[float]:
    """Cores that each control group around this process grants (version 2 and 1), where it sets a limit."""
    for controllers, step in groups(own):
        if not controllers:
            yield from _ratio(numbers(root / step / "cpu.max"))
        elif "cpu" in controllers.split(","):
            for name in (controllers, "cpu"):
                at = root / name / step
                yield from _ratio([*numbers(at / "cpu.cfs_quota_us"), *numbers(at / "cpu.cfs_period_us")])


def _ratio(found: list[int]) -> Iterator[float]:
    if len(found) == 2 and min(found) > 0:
        yield found[0] / found[1]


@functools.cache
def _native(name: str) -> tuple[Any, int]:
    """A function that the package emits itself, as Python calls it, and its address."""
    from layerctl.kernels.store import native

    def emit() -> str:
        from layerctl.kernels import meeting, program

        emitters = {words.LEAD_NAME: meeting.emit_lead, words.SERVE_NAME: meeting.emit_serve}
        return emitters[name]() if name in emitters else program.emit(name == words.TIMED_NAME)

    address = native(name, emit)
    return ctypes.CFUNCTYPE(None, *[ctypes.c_int64] * (3 if name == words.SERVE_NAME else 6))(address), address


def _state() -> np.ndarray:
    """The threads' common words, at the start of a cache line, with what the barrier may call."""
    raw = np.zeros(words.WORDS + 8, np.int64)
    skip = -raw.ctypes.data % 64 // 8
    state = raw[skip : skip + words.WORDS]
    if sys.platform == "linux":
        state[words.SYSCALL] = ctypes.cast(ctypes.CDLL(None).syscall, ctypes.c_void_p).value or 0
    elif sys.platform == "win32":
        state[words.YIELD] = ctypes.cast(ctypes.windll.kernel32.SwitchToThread, ctypes.c_void_p).value or 0
    else:
        state[words.YIELD] = ctypes.cast(ctypes.CDLL(None).sched_yield, ctypes.c_void_p).value or 0
    return state


@dataclass(frozen=True)
class Listed:
    """A list of instructions ready to be run: its address and length, whether any is shared out, and the memory that it is in."""

    address: int
    count: int
    shared: bool
    memory: np.ndarray

    @classmethod
    def of(cls, instructions: np.ndarray) -> Listed:
        """`instructions`: (count, 4) int64 in C order, as `kernels/program.py` tells."""
        if instructions.dtype != np.int64 or instructions.shape[1:] != (4,) or not instructions.flags.c_contiguous:
            raise TypeError("instructions are rows of four int64, in C order")
        return cls(instructions.ctypes.data, len(instructions), bool((instructions[:, 2] > 1).any()), instructions)


class Team:
    """A number of threads that run instruction lists together; the caller is the first of them.

    One caller at a time: a team belongs to one thread, save for `stop`. The workers wait inside a native call for orders, which are given
    inside of one too, so that an interrupt from the keyboard finds an order whole or not given.
    """

    def __init__(self, threads: int):
        self.threads = threads
        self._state = _state()
        self._address = self._state.ctypes.data
        self._claims = np.zeros(8 * (threads + 1), np.int64)
        self._state[words.CLAIMS] = self._claims.ctypes.data + -self._claims.ctypes.data % 64
        self._lead, _ = _native(words.LEAD_NAME)
        for name in (words.NAME, words.SERVE_NAME):
            _native(name)  # the store then has what a kept plan needs, whether this program needs it or not
        self._workers: list[threading.Thread] = []
        self._last, self._quick = 0, 0

    def run(self, instructions: np.ndarray | Listed, steps: int, work: float = math.inf) -> int:
        """Runs the list `steps` times over; returns how many whole times it did (fewer after `stop`).

        `work`: about how many nanoseconds it takes one core. Others are not woken for little: they take part where the last runs were so
        short ago that they are awake, and not for a while after that was slow, on a core that somebody else needs.
        A signal's Python handler runs when this returns, so a caller that wants to hear of signals asks for as many steps as take a moment.
        """
        listed = instructions if isinstance(instructions, Listed) else Listed.of(instructions)
        if work >= WORTH_WAKING or not listed.shared or self.threads == 1:
            return self._ordered(listed, steps, words.NAME)
        begun = time.perf_counter_ns()
        self._quick = self._quick + 1 if begun - self._last < AWAKE else min(self._quick, 0)
        together = self._quick > 3
        done = self._ordered(listed, steps, words.NAME, together, apart=False)
        self._last = time.perf_counter_ns()
        if together and self._last - begun > 2 * WORTH_WAKING:
            self._quick = -PATIENCE
        return done

    def _ordered(self, listed: Listed, steps: int, name: str, together: bool = True, apart: bool = True) -> int:
        state = self._state
        state[words.DONE] = 0
        function, address = _native(name)
        order = (listed.address, listed.count, steps)
        if listed.shared and self.threads > 1 and together:
            self._start()
            state[words.APART] = int(apart and state[words.SYSCALL] != 0 and state[words.HURRIED] < words.MANY_IN_VAIN)
            self._lead(self.threads, self._address, address, *order)
        else:
            function(0, 1, self._address, *order)
        done = int(state[words.DONE])
        if done < steps:
            state[words.STOP] = 0
        return done

    def _start(self) -> None:
        """Starts the workers, those too that an interrupt has left unstarted."""
        serve, _ = _native(words.SERVE_NAME)
        if not self._workers:
            given = [(serve, i, self.threads, self._state, self._claims) for i in range(1, self.threads)]
            self._workers = [threading.Thread(target=_work, args=a, daemon=True, name=f"layerctl-{a[1]}") for a in given]
            weakref.finalize(self, _dismiss, self._state, self._workers)
        for worker in self._workers:
            if worker.ident is None:
                worker.start()

    def timed(self, instructions: np.ndarray, steps: int) -> np.ndarray:
        """Seconds of each instruction (count,) as thread 0 saw them, over `steps` runs of the list."""
        ticks = np.zeros(len(instructions), np.int64)
        self._state[words.TIMES] = ticks.ctypes.data
        start = time.perf_counter()
        self._ordered(Listed.of(instructions), steps, words.TIMED_NAME)
        return ticks * ((time.perf_counter() - start) / max(int(ticks.sum()), 1))

    def stop(self) -> None:
        """Ends the current run after the step that is being computed, or the next run before its first; may be called from anywhere."""
        self._state[words.STOP] = 1

    def close(self) -> None:
        """Ends the threads; the team can still run on the caller's."""
        if self._workers:
            _dismiss(self._state, self._workers)
        self._workers = []
        self.threads = 1


def _dismiss(state: np.ndarray, workers: list[threading.Thread]) -> None:
    """Sends the workers home, and waits until they are out of the code that goes with the interpreter."""
    lead, _ = _native(words.LEAD_NAME)
    state[words.APART] = 0
    lead(1, state.ctypes.data, 0, 0, 0, 0)
    for worker in workers:
        if worker.ident is not None:
            worker.join()


def _work(serve: Any, thread: int, threads: int, state: np.ndarray, claims: np.ndarray) -> None:
    """A worker: it holds the team's memory and no reference to the team."""
    serve(thread, threads, state.ctypes.data)
