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


def duration(seconds: float) -> str:
    """Seconds for people."""
    if seconds < 120:
        return f"{seconds:.1f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 120 else f"{minutes // 60} h {minutes % 60:02d} min"


def size(count: int) -> str:
    """A count for people."""
    return f"{count:,}"


def table(head: list[str], rows: list[list[str]], right: frozenset[int] | set[int] = frozenset(), kind: str = "") -> str:
    """A table of cells that are markup already; the columns in `right` are numbers, `head` may be empty."""

    def cells(row: list[str], tag: str) -> str:
        return "".join(f'<{tag}{" class=n" if i in right else ""}>{c}</{tag}>' for i, c in enumerate(row))

    above = f"<thead><tr>{cells(head, 'th')}</tr></thead>\n" if head else ""
    body = "\n".join(f"<tr>{cells(r, 'td')}</tr>" for r in rows)
    return f'<div class=scroll><table class="{kind}">{above}<tbody>{body}</tbody></table></div>'
