"""Mapped files that become shorter, or whose disk fails, while they are read: the system's SIGBUS, told as an error.

Python's own handlers of signals run between instructions, and the instruction that reads what is not there any more would be repeated for
ever. So the handler is a function that the system calls: it tells which file it was and ends the process.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
from typing import Any

from layerctl.diagnostics import Diagnostic, ExitCode, Source, Span

_HANDLER = ctypes.CFUNCTYPE(None, ctypes.c_int)


_MAPPED: dict[str, int] = {}
"""Files that are mapped, and their sizes then."""
_KEPT: list[Any] = []


def heed(path: str) -> None:
    """Called before a file is mapped. The handler is set with the first; one that is there already is left in its place."""
    _MAPPED[path] = os.path.getsize(path)
    if _KEPT or not hasattr(signal, "SIGBUS") or signal.getsignal(signal.SIGBUS) != signal.SIG_DFL:
        return
    _KEPT.append(_HANDLER(_told))
    system = ctypes.CDLL(None).signal
    system.restype, system.argtypes = ctypes.c_void_p, (ctypes.c_int, _HANDLER)
    system(int(signal.SIGBUS), _KEPT[0])


def _told(_: int) -> None:
    shorter = [path for path, size in _MAPPED.items() if _size(path) < size]
    for path in shorter or _MAPPED:
        what = "became shorter while it was read" if shorter else "became shorter while it was read, or its disk fails"
        hint = "try again when nothing writes to it; whoever writes a new file and renames it to this one's name disturbs nobody"
        found = Diagnostic("file-changed", f"{os.path.basename(path)!r} {what}", Span(Source(path)), (), hint)
        with contextlib.suppress(OSError):
            os.write(2, f"{found.render()}\n".encode(errors="replace"))
    os._exit(ExitCode.USER)


def _size(path: str) -> int:
    try:
        return os.stat(path).st_size
    except OSError:
        return 0
