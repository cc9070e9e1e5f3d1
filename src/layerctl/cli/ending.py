"""What commands and the process's end have in common."""

from __future__ import annotations

import contextlib
import signal
import sys
from collections.abc import Iterator
from typing import Any

from layerctl.diagnostics import Diagnostic, ExitCode, LayerctlError, Source, Span

STOPPING = (signal.SIGINT, signal.SIGTERM)
"""The signals that end training with its state saved."""


HELP = "`--help` behind the command shows what each option takes"


def usage(text: str, hint: str | None = None) -> LayerctlError:
    """The error for an option's value."""
    return LayerctlError(Diagnostic("bad-option", text, Span(Source("layerctl")), (), hint or HELP))


@contextlib.contextmanager
def ending_cleanly() -> Iterator[None]:
    """Inside, SIGTERM ends the process as an exception does, so that temporary files are removed; ctrl-c does so anyway."""

    def stop(number: int, frame: Any) -> None:
        sys.exit(ExitCode.TERMINATED)

    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
