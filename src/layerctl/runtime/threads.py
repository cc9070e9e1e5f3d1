"""The threads that run programs: Python threads, each inside one native call, where the interpreter lock is free."""

from __future__ import annotations

import ctypes
import functools
import math
import os
import queue
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

_GROUPS = Path("/sys/fs/cgroup")


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


def _quotas(groups: Path = _GROUPS, own: Path = Path("/proc/self/cgroup")) -> Iterator[float]:
    """Cores that each control group around this process grants (version 2 and 1), where it sets a limit.

    In a container the file system may show its own group as the root, whatever path the kernel tells.
    """
    try:
        rows = [line.split(":", 2) for line in own.read_text().splitlines()]
    except OSError:
        return
    for _, controllers, path in (row for row in rows if len(row) == 3):
        inside = Path(path.lstrip("/"))
        for step in (inside, *inside.parents):
            if not controllers:
                yield from _ratio(_numbers(groups / step / "cpu.max"))
            elif "cpu" in controllers.split(","):
                for name in (controllers, "cpu"):
                    at = groups / name / step
                    yield from _ratio([*_numbers(at / "cpu.cfs_quota_us"), *_numbers(at / "cpu.cfs_period_us")])


def _numbers(path: Path) -> list[int]:
    try:
        return [-1 if word == "max" else int(word) for word in path.read_text().split()]
    except (OSError, ValueError):
        return []


def _ratio(numbers: list[int]) -> Iterator[float]:
    if len(numbers) == 2 and min(numbers) > 0:
        yield numbers[0] / numbers[1]


@functools.cache
def _native(timed: bool = False) -> Any:
    """The compiled loop; `timed` for the one that measures each instruction."""
    from layerctl.kernels.store import native

    def emit() -> str:
        from layerctl.kernels import program

        return program.emit(timed)

    name = words.TIMED_NAME if timed else words.NAME
    return ctypes.CFUNCTYPE(None, *[ctypes.c_int64] * 6)(native(name, emit))


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

    One caller at a time: a team belongs to one thread, save for `stop`.
    """

    def __init__(self, threads: int):
        self.threads = threads
        self._state = _state()
        self._address = self._state.ctypes.data
        self._claims = np.zeros(8 * (threads + 1), np.int64)
        self._state[words.CLAIMS] = self._claims.ctypes.data + -self._claims.ctypes.data % 64
        self._run, self._timed = _native(), False
        self._serial = 0
        self._open: tuple[int, tuple[int, ...]] | None = None
        self._orders: list[queue.SimpleQueue] = []
        self._done: queue.SimpleQueue = queue.SimpleQueue()
        weakref.finalize(self, _dismiss, self._orders)
        for i in range(1, threads):
            orders: queue.SimpleQueue = queue.SimpleQueue()
            self._orders.append(orders)
            arguments = (i, orders, self._done)
            threading.Thread(target=_work, args=arguments, daemon=True, name=f"layerctl-{i}").start()

    def run(self, instructions: np.ndarray | Listed, steps: int, alone: bool = False) -> int:
        """Runs the list `steps` times over; returns how many whole times it did (fewer after `stop`). `alone`: on the caller's thread.

        A signal's Python handler runs when this returns, so a caller that wants to hear of signals asks for as many steps as take a moment.
        """
        listed = instructions if isinstance(instructions, Listed) else Listed.of(instructions)
        state = self._state
        if self._open is not None:
            self._settle()
        state[words.DONE] = 0
        order = (self._address, listed.address, listed.count, steps)
        if listed.shared and self.threads > 1 and not alone:
            state[words.LEFT] = 0
            self._serial += 1
            self._open = (self._serial, (self.threads, *order))
            try:
                self._meet()
            except BaseException:
                self._settle()
                raise
        else:
            self._run(0, 1, *order)
        done = int(state[words.DONE])
        if done < steps:
            state[words.STOP] = 0
        return done

    def timed(self, instructions: np.ndarray, steps: int) -> np.ndarray:
        """Seconds of each instruction (count,) as thread 0 saw them, over `steps` runs of the list."""
        ticks = np.zeros(len(instructions), np.int64)
        plain = self._run
        self._run, self._timed = _native(timed=True), True
        self._state[words.TIMES] = ticks.ctypes.data
        start = time.perf_counter()
        try:
            self.run(instructions, steps)
        finally:
            self._run, self._timed = plain, False
        return ticks * ((time.perf_counter() - start) / max(int(ticks.sum()), 1))

    def _meet(self) -> None:
        """Thread 0's part of the open order. A worker passes over an order that it has had."""
        assert self._open is not None
        for orders in self._orders:
            orders.put((self._timed, *self._open))
        if not self._state[words.LEFT]:
            self._run(0, *self._open[1])
        waiting = set(range(1, self.threads))
        while waiting:
            thread, serial = self._done.get()
            if serial == self._open[0]:
                waiting.discard(thread)
        self._open = None

    def _settle(self) -> None:
        """Ends an order that an exception (an interrupt from the keyboard) left half given or half run."""
        self._state[words.STOP] = 1
        if self._open is not None:
            self._meet()
        self._state[words.STOP] = 0

    def stop(self) -> None:
        """Ends the current run after the step that is being computed, or the next run before its first; may be called from anywhere."""
        self._state[words.STOP] = 1

    def close(self) -> None:
        """Ends the threads; the team can still run on the caller's."""
        if self._open is not None:
            self._settle()
        _dismiss(self._orders)
        self.threads = 1


def _dismiss(workers: list[queue.SimpleQueue]) -> None:
    for orders in workers:
        orders.put(None)
    workers.clear()


def _work(thread: int, orders: queue.SimpleQueue, done: queue.SimpleQueue) -> None:
    """A worker: it holds no reference to its team."""
    last = 0
    while (order := orders.get()) is not None:
        timed, serial, arguments = order
        if serial != last:
            last = serial
            _native(timed)(thread, *arguments)
        done.put((thread, serial))
