"""A disk that fails or a process that dies at the k-th call: the `os` functions that writers use, wrapped."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable

CALLS = ("open", "write", "fsync", "replace", "ftruncate", "unlink", "close", "fchmod")


class Faults:
    """Counts the calls, and at the `at`-th does `what`: raises an errno, or `kill`, or `torn` (half a write)."""

    def __init__(self, monkeypatch, at: int = 0, what: int | str = errno.EIO, calls: tuple[str, ...] = CALLS):
        self.at, self.what = at, what
        self.log: list[str] = []
        for name in calls:
            monkeypatch.setattr(os, name, self._wrapped(name, getattr(os, name)))

    def _wrapped(self, name: str, real: Callable) -> Callable:
        def call(*args, **kwargs):
            self.log.append(name)
            if len(self.log) != self.at:
                return real(*args, **kwargs)
            if self.what == "torn" and name == "write":
                real(args[0], bytes(args[1])[: len(args[1]) // 2])
            if self.what in ("kill", "torn"):
                os._exit(9)
            raise OSError(self.what, os.strerror(self.what))

        return call


def in_child(action: Callable[[], None]) -> int:
    """Runs `action` in a forked process; its exit status: 0, 1 after an exception, 9 when killed."""
    process = os.fork()
    if process == 0:
        status = 1
        try:
            action()
            status = 0
        finally:
            os._exit(status)
    return os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])
