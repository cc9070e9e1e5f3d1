"""Texts with `{loss:.3f}`-like places: names and short number formats alone, nothing of Python's objects behind them."""

from __future__ import annotations

import re
import string
from collections.abc import Mapping, Sequence

from layerctl.diagnostics import did_you_mean

_FORMAT = re.compile(r"[ +-]?0?[0-9]{0,2}(d|(\.[0-9]{1,2})?[efgEFG%]?)")
_NAME = re.compile(r"[^\W\d][^\[\]{}.!:]*")


def places(template: str, field: str) -> list[str]:
    """The names in a template's places.

    Raises:
        ValueError: for a place that is no name with a number's format.
    """
    found = []
    try:
        for _, name, form, conversion in string.Formatter().parse(template):
            if name is None:
                continue
            if not _NAME.fullmatch(name) or conversion or not _FORMAT.fullmatch(form or ""):
                raise ValueError("expected a name and a number's format, as in {loss:.3f}")
            found.append(name)
    except ValueError as error:
        raise ValueError(f"'{field}' has a placeholder that cannot be filled: {template!r} ({error})") from error
    return found


def unknown_places(template: str, field: str, known: Sequence[str]) -> str | None:
    """What is wrong with a template whose names are not all known."""
    for name in places(template, field):
        if name not in known:
            cure = did_you_mean(name, known) or f"; known are {', '.join(known)}"
            return f"'{field}' names '{name}', which is not measured{cure}"
    return None


def filled(template: str, values: Mapping[str, float]) -> str:
    """The text with numbers in its places; a name without a value is nan."""
    out = []
    for text, name, form, _ in string.Formatter().parse(template):
        out.append(text)
        if name is not None:
            value, form = values.get(name, float("nan")), form or ""
            if isinstance(value, float) and form.endswith("d"):
                form = f"{form[:-1]}.0f"
            out.append(format(value, form))
    return "".join(out)
