"""Text for HTML and SVG: everything that comes from outside passes `text`."""

from __future__ import annotations

import html
import math
from typing import Any

LONGEST = 400


def text(value: Any, limit: int = LONGEST) -> str:
    """A value as harmless text: marks and quotes escaped, control characters replaced, cut to `limit` characters."""
    plain = str(value)
    plain = plain if len(plain) <= limit else plain[:limit] + "…"
    return html.escape("".join(c if c in "\n\t" or c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in plain))


def short(value: Any, limit: int) -> str:
    """A label of at most `limit` characters, not yet escaped."""
    plain = str(value)
    return plain if len(plain) <= limit else plain[: limit - 1] + "…"


def number(value: float | None) -> str:
    """A number for people."""
    if value is None or not math.isfinite(value):
        return "–" if value is None or math.isnan(value) else "∞" if value > 0 else "-∞"
    if value == 0:
        return "0"
    return f"{value:.4f}" if 1e-3 <= abs(value) < 10 else f"{value:,.2f}" if 10 <= abs(value) < 1e5 else f"{value:.3e}"


def size(count: int) -> str:
    """A count for people."""
    return f"{count:,}"


def table(head: list[str], rows: list[list[str]], right: frozenset[int] | set[int] = frozenset(), kind: str = "") -> str:
    """A table of cells that are markup already; the columns in `right` are numbers."""

    def cells(row: list[str], tag: str) -> str:
        return "".join(f'<{tag}{" class=n" if i in right else ""}>{c}</{tag}>' for i, c in enumerate(row))

    body = "\n".join(f"<tr>{cells(r, 'td')}</tr>" for r in rows)
    return f'<div class=scroll><table class="{kind}"><thead><tr>{cells(head, "th")}</tr></thead>\n<tbody>{body}</tbody></table></div>'
