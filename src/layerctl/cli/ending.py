"""What commands and the process's end have in common."""

from __future__ import annotations

import contextlib
import signal
import sys
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from layerctl.diagnostics import Diagnostic, LayerctlError, Source, Span

HANGUP = getattr(signal, "SIGHUP", None)
"""The terminal or the connection is gone; Windows has no such signal."""
STOPPING = (signal.SIGINT, signal.SIGTERM, *((HANGUP,) if HANGUP is not None else ()))
"""The signals that end training with its state saved; the exit code is 128 and the signal's number."""


HELP = "`--help` behind the command shows what each option takes"


def usage(text: str, hint: str | None = None) -> LayerctlError:
    """The error for an option's value."""
    return LayerctlError(Diagnostic("bad-option", text, Span(Source("layerctl")), (), hint or HELP))


def heed(handler: Callable[[int, Any], None], numbers: Iterable[int] = STOPPING) -> dict[int, Any]:
    """Lets the handler hear of the signals and gives the handlers before it. What `nohup` starts goes on when the terminal is gone."""
    heard = [n for n in numbers if n != HANGUP or signal.getsignal(n) != signal.SIG_IGN]
    return {n: signal.signal(n, handler) for n in heard}


@contextlib.contextmanager
def ending_cleanly() -> Iterator[None]:
    """Inside, SIGTERM and SIGHUP end the process as an exception does, so that temporary files are removed; ctrl-c does so anyway."""

    def stop(number: int, frame: Any) -> None:
        sys.exit(128 + number)

    before = heed(stop, [n for n in STOPPING if n != signal.SIGINT])
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
