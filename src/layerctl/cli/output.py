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


def emit(record: dict[str, Any]) -> None:
    """A line of JSON on standard output; numbers that JSON has no word for become null."""
    print(json.dumps(_plain(record), ensure_ascii=False), flush=True)


def _plain(value: Any) -> Any:
    if isinstance(value, float) and (value != value or value in (float("inf"), float("-inf"))):
        return None
    if isinstance(value, dict):
        return {str(k): _plain(v) for k, v in value.items()}
    return [_plain(v) for v in value] if isinstance(value, (list, tuple)) else value


def warn(diagnostics: Iterable[Diagnostic], as_json: bool) -> None:
    """Diagnostics of a command whose standard output holds rows of another kind: on standard error in either form, in the order given."""
    for d in diagnostics:
        say(d.as_json() if as_json else d.render())


def show(diagnostics: Iterable[Diagnostic], as_json: bool) -> None:
    """Diagnostics in the file's order; on GitHub the worst as annotations too."""
    found = in_order(diagnostics)
    if as_json:
        for d in found:
            print(d.as_json(), flush=True)
    else:
        say("\n".join(d.render() for d in found))
    if os.environ.get("GITHUB_ACTIONS") == "true":
        worst = sorted(found, key=lambda d: d.severity != "error")
        for d in worst[:ANNOTATIONS]:
            say(d.as_github())
