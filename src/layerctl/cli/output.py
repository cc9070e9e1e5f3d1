"""Where text goes: results to standard output, all else to standard error; diagnostics in the form that was asked for."""

from __future__ import annotations

import contextlib
import json
import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from layerctl.diagnostics import Diagnostic, in_order

ANNOTATIONS = 10
OPTION = "--diagnostics"
FORMS = ("text", "json", "github", "sarif")


class _Asked:
    """What `--diagnostics` asks for. In the machines' forms standard output holds diagnostics alone, and results go to standard error."""

    def __init__(self) -> None:
        self.form: str | None = None
        self.stdout: Any = None
        self.kept: list[Diagnostic] = []


_asked = _Asked()


def use(arguments: Sequence[str]) -> None:
    """Shows diagnostics in the form that `--diagnostics` among a command's arguments says, until `finish`."""
    words = [w for argument in arguments for w in (argument.split("=", 1) if argument.startswith(f"{OPTION}=") else [argument])]
    form = words[words.index(OPTION) + 1] if OPTION in words[:-1] else None
    if form not in FORMS:
        return
    _asked.form = form
    if form in ("json", "sarif") and _asked.stdout is None:
        _asked.stdout, sys.stdout = sys.stdout, sys.stderr


def finish() -> None:
    """Ends what `use` began: a SARIF log is one document, which is written when all is known."""
    form, stdout, kept = _asked.form, _asked.stdout, _asked.kept
    _asked.__init__()  # type: ignore[misc]
    if stdout is not None:
        sys.stdout.flush()
        sys.stdout = stdout
    if form == "sarif":
        from layerctl.cli.sarif import log

        with outlived(stdout):
            print(json.dumps(log(in_order(kept)), ensure_ascii=False, indent=1), file=stdout, flush=True)


def unheard(stream: Any) -> None:
    """What else is written to a stream whose reader is gone goes nowhere."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


@contextlib.contextmanager
def outlived(stream: Any) -> Iterator[None]:
    """Inside, a reader of the stream that has ended does not end what writes to it."""
    try:
        yield
    except BrokenPipeError:
        unheard(stream)


def say(text: str) -> None:
    """A line on standard error, behind the results so far where both go to one file.

    Whether somebody reads it, or there is room for it, changes nothing of what it is about.
    """
    with contextlib.suppress(OSError):  # it is written again, and answered for, as the command ends
        sys.stdout.flush()
    try:
        print(text, file=sys.stderr, flush=True)
    except OSError:
        unheard(sys.stderr)


_said: list[Any] = []
"""The streams whose version was said."""


def begin() -> None:
    """Another command's streams begin."""
    _said.clear()


def emit_on(record: dict[str, Any], stream: Any = None) -> None:
    """An event of what goes on, or ends as it does, whether or not somebody reads of it."""
    with outlived(stream or sys.stdout):
        emit(record, stream)


def emit(record: dict[str, Any], stream: Any = None) -> None:
    """An event as a line of JSON, on standard output unless another stream is given; numbers that JSON has no word for become null.

    A stream's first line has its version.
    """
    stream = stream or sys.stdout
    from layerctl.events import line

    first = all(s is not stream for s in _said)
    if first:
        _said.append(stream)
    print(line(record, first or record.get("event") == "begin"), file=stream, flush=True)


def warn(diagnostics: Iterable[Diagnostic], as_json: bool) -> None:
    """Diagnostics of a command whose standard output holds rows of another kind: on standard error in either form, in the order given."""
    for d in diagnostics:
        say(d.as_json() if as_json else d.render())


def show(diagnostics: Iterable[Diagnostic], as_json: bool) -> None:
    """Diagnostics in the file's order, in the form that was asked for; on GitHub the worst as annotations too."""
    found = in_order(diagnostics)
    form = _asked.form or ("json" if as_json else "text")
    if form == "sarif":
        _asked.kept += found
    elif form == "json":
        for d in found:
            emit_on({"event": "diagnostic", **d.as_dict()}, _asked.stdout)
    elif form == "text":
        say("\n".join(d.render() for d in found))
    if form == "github" or os.environ.get("GITHUB_ACTIONS") == "true":
        worst = sorted(found, key=lambda d: d.severity != "error")
        for d in worst[:ANNOTATIONS]:
            say(d.as_github())
        for d in worst[ANNOTATIONS:] if form == "github" else ():
            say(d.first_line())
