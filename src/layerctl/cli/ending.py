"""What commands and the process's end have in common."""

from __future__ import annotations

import signal

from layerctl.diagnostics import Diagnostic, LayerctlError, Source, Span

STOPPING = (signal.SIGINT, signal.SIGTERM)
"""The signals that end training with its state saved."""


def usage(text: str) -> LayerctlError:
    """The error for an option's value."""
    return LayerctlError(Diagnostic("bad-option", text, Span(Source("layerctl")), (), "`--help` behind the command shows what each option takes"))
