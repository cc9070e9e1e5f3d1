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
CPU_TIME = getattr(signal, "SIGXCPU", None)
"""The processor's time that `ulimit -S -t` or a batch system allows is used up. It comes again each second until the hard limit ends the process."""
STOPPING = (signal.SIGINT, signal.SIGTERM, *(n for n in (HANGUP, CPU_TIME) if n is not None))
"""The signals that end training with its state saved; the exit code is 128 and the signal's number."""


HELP = "`--help` behind the command shows what each option takes"


def usage(text: str, hint: str | None = None) -> LayerctlError:
    """The error for an option's value."""
    return LayerctlError(Diagnostic("bad-option", text, Span(Source("layerctl")), (), hint or HELP))


def heed(handler: Callable[[int, Any], None], numbers: Iterable[int] = STOPPING) -> dict[int, Any]:
    """Lets the handler hear of the signals and gives the handlers before it. What `nohup` starts goes on when the terminal is gone.

    Of the processor's time the handler hears once.
    """
    warned = False

    def once(number: int, frame: Any) -> None:
        nonlocal warned
        if number != CPU_TIME or not warned:
            warned = warned or number == CPU_TIME
            handler(number, frame)

    heard = [n for n in numbers if n not in (HANGUP, CPU_TIME) or signal.getsignal(n) != signal.SIG_IGN]
    return {n: signal.signal(n, once) for n in heard}


@contextlib.contextmanager
def ending_cleanly() -> Iterator[None]:
    """Inside, SIGTERM, SIGHUP and SIGXCPU end the process as an exception does, so that temporary files are removed; ctrl-c does so anyway."""

    def stop(number: int, frame: Any) -> None:
        sys.exit(128 + number)

    before = heed(stop, [n for n in STOPPING if n != signal.SIGINT])
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
