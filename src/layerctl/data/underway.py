"""Work for one thread beside the caller's: kernels run without the interpreter's lock."""

from __future__ import annotations

import os
import queue
import threading
from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")
_STACK = 1 << 18
"""Bytes of the thread's stack, which counts where memory is limited: the usual is 8 MB."""


class Underway(Generic[T]):
    """What another thread works out, in the order in which it was asked."""

    __slots__ = ("_done", "_error", "_value", "_work")

    def __init__(self, work: Callable[[], T]):
        self._work: Callable[[], T] | None = work
        self._value: T | None = None
        self._error: BaseException | None = None
        self._done = threading.Lock()
        self._done.acquire()
        try:
            _queue().put(self)
        except RuntimeError:  # the system lets no thread be started
            self._run()

    def result(self) -> T:
        """Waits for what the work gives, or raises what it raised."""
        with self._done:
            if self._error is not None:
                raise self._error
            return self._value  # type: ignore[return-value]

    def _run(self) -> None:
        try:
            self._value = self._work()  # type: ignore[misc]
        except BaseException as error:
            self._error = error
        self._work = None  # and what it holds
        self._done.release()


_jobs: list[queue.SimpleQueue[Underway]] = []
os.register_at_fork(after_in_child=_jobs.clear)  # a child has its parent's memory without its threads


def _queue() -> queue.SimpleQueue[Underway]:
    """Where the thread takes its work from. It is started once, at the first work: one that the system starts when memory has run out may fail
    before it says so, and `Thread.start` waits for that."""
    if not _jobs:
        jobs: queue.SimpleQueue[Underway] = queue.SimpleQueue()
        usual = threading.stack_size(_STACK)
        try:
            threading.Thread(target=_serve, args=(jobs,), daemon=True, name="aside").start()
        finally:
            threading.stack_size(usual)
        _jobs.append(jobs)
    return _jobs[0]


def _serve(jobs: queue.SimpleQueue[Underway]) -> None:
    while True:
        jobs.get()._run()
