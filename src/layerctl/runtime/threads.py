"""The threads that run programs: Python threads, each inside one native call, where the interpreter lock is free."""

from __future__ import annotations

import ctypes
import math
import os
import queue
import sys
import threading
from pathlib import Path

import numpy as np

from layerctl.kernels import program

_RUN: list[object] = []
_WORDS = 64


def count(requested: int | None = None) -> int:
    """How many threads to run: what was asked for, no more than the allowed cores and the container's quota; at least 1."""
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    quota = _quota()
    limit = max(1, min(allowed, math.ceil(quota) if quota else allowed))
    return max(1, min(requested, limit)) if requested else limit


def _quota() -> float | None:
    """Cores that the control group grants (version 2, then 1), or None."""
    try:
        limit, period = Path("/sys/fs/cgroup/cpu.max").read_text().split()[:2]
        return None if limit == "max" else int(limit) / int(period)
    except (OSError, ValueError):
        pass
    try:
        limit = int(Path("/sys/fs/cgroup/cpu/cpu.cfs_quota_us").read_text())
        period = int(Path("/sys/fs/cgroup/cpu/cpu.cfs_period_us").read_text())
        return limit / period if limit > 0 else None
    except (OSError, ValueError):
        return None


def _native() -> object:
    """The compiled loop."""
    if not _RUN:
        from layerctl.kernels.store import native

        _RUN.append(ctypes.CFUNCTYPE(None, *[ctypes.c_int64] * 6)(native(program.NAME, program.emit)))
    return _RUN[0]


class Team:
    """A number of threads that run instruction lists together; the caller is the first of them."""

    def __init__(self, threads: int):
        self.threads = threads
        raw = np.zeros(_WORDS + 8, np.int64)
        skip = -raw.ctypes.data % 64 // 8
        self._state = raw[skip : skip + _WORDS]
        if sys.platform == "linux":
            self._state[program.SYSCALL] = ctypes.cast(ctypes.CDLL(None).syscall, ctypes.c_void_p).value or 0
        self._run = _native()
        self._orders: list[queue.SimpleQueue] = []
        self._done: queue.SimpleQueue = queue.SimpleQueue()
        for i in range(1, threads):
            orders: queue.SimpleQueue = queue.SimpleQueue()
            self._orders.append(orders)
            threading.Thread(target=self._work, args=(i, orders), daemon=True, name=f"layerctl-{i}").start()

    def _work(self, thread: int, orders: queue.SimpleQueue) -> None:
        while (order := orders.get()) is not None:
            self._run(thread, *order)
            self._done.put(thread)

    def run(self, instructions: np.ndarray, steps: int) -> int:
        """Runs the list `steps` times over; returns how many whole times it did (fewer after `stop`)."""
        state = self._state
        state[program.DONE] = 0
        several = self.threads > 1 and bool((instructions[:, 2] > 1).any())
        threads = self.threads if several else 1
        order = (threads, state.ctypes.data, instructions.ctypes.data, len(instructions), steps)
        if several:
            for orders in self._orders:
                orders.put(order)
        self._run(0, *order)
        if several:
            for _ in self._orders:
                self._done.get()
        state[program.STOP] = 0
        return int(state[program.DONE])

    def stop(self) -> None:
        """Ends the current run after the step that is being computed; may be called from a signal handler."""
        self._state[program.STOP] = 1

    def close(self) -> None:
        """Ends the threads."""
        for orders in self._orders:
            orders.put(None)
        self._orders.clear()
