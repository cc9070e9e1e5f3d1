"""Where text goes: results to standard output, all else to standard error."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterable
from typing import Any

from layerctl.diagnostics import Diagnostic, in_order

ANNOTATIONS = 10


def say(text: str) -> None:
    """A line on standard error."""
    print(text, file=sys.stderr, flush=True)


_said: list[bool] = []
"""Has something in it once the stream's version was said."""


def begin() -> None:
    """Another command's stream begins."""
    _said.clear()


def emit(record: dict[str, Any]) -> None:
    """An event as a line of JSON on standard output; numbers that JSON has no word for become null. The first line has the stream's version."""
    if not _said or record.get("event") == "begin":
        from layerctl.events import VERSION

        _said.append(True)
        record = {"event": record["event"], "version": VERSION, **record}
    print(json.dumps(_plain(record), ensure_ascii=False), flush=True)


def _plain(value: Any) -> Any:
    if isinstance(value, float) and (value != value or value in (float("inf"), float("-inf"))):
        return None
    if isinstance(value, dict):
        return {str(k): _plain(v) for k, v in value.items()}
    return [_plain(v) for v in value] if isinstance(value, (list, tuple)) else value


def show(diagnostics: Iterable[Diagnostic], as_json: bool) -> None:
    """Diagnostics in the file's order; on GitHub the worst as annotations too."""
    found = in_order(diagnostics)
    if as_json:
        for d in found:
            emit({"event": "diagnostic", **d.as_dict()})
    else:
        say("\n".join(d.render() for d in found))
    if os.environ.get("GITHUB_ACTIONS") == "true":
        worst = sorted(found, key=lambda d: d.severity != "error")
        for d in worst[:ANNOTATIONS]:
            say(d.as_github())
