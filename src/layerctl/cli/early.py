"""Ctrl-c while the program is still being loaded, before anything could tell of it, ends it without a word. `main` imports this first."""

from __future__ import annotations

import contextlib
import signal
from typing import Any, NoReturn

came = False
"""Whether ctrl-c came: a library that is loaded meanwhile may make another error of it."""
_usual = signal.getsignal(signal.SIGINT) is signal.default_int_handler


def interrupted(number: int, frame: Any) -> NoReturn:
    """Python's own handler, which leaves a note.

    Raises:
        KeyboardInterrupt: always.
    """
    global came
    came = True
    raise KeyboardInterrupt


def _set(handler: Any) -> None:
    with contextlib.suppress(ValueError):  # a program that loads it in another of its threads keeps its own
        signal.signal(signal.SIGINT, handler)


def over(handler: Any = signal.default_int_handler) -> None:
    """All is loaded: ctrl-c is an exception again, where it was one before."""
    if _usual:
        _set(handler)


if _usual:
    _set(signal.SIG_DFL)
