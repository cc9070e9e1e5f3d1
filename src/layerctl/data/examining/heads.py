"""What stands above the rows of a table, guessed from its records: a header or none, titles, names in a comment."""

from __future__ import annotations

from layerctl.data.examining.cutting import RECORDS, rows_of
from layerctl.data.examining.words import NOTHING, looks_like_value, numeric
from layerctl.diagnostics import Span, fail

VALUES = 60
"""About how many values of a column are looked at to tell whether it has any: each may have to be read by all forms of dates."""
MOST_TITLES = 10
"""Lines of titles that may stand above a header."""


def named_above(noted: list[str], comment: str | None, delimiter: str, width: int) -> list[str] | None:
    """The columns' names, where the last comment above the rows has as many words as they have fields."""
    for line in reversed(noted):
        named = next(iter(rows_of(line.lstrip(f"{comment} "), delimiter, None)), [])
        if len(named) == width and all(named) and len(set(named)) == width and not any(map(looks_like_value, named)):
            return named
    return None


def has_header(rows: list[list[str]], width: int) -> tuple[bool, str]:
    """Whether the first record names the columns, and why not."""
    first, rest = rows[0], [r for r in rows[1:] if len(r) == width]
    if not rest:
        numbers = any(numeric(f) for f in first)
        return not numbers, "the only line has a number in it, as names have not" if numbers else ""
    columns = list(zip(*rest, strict=True))
    valued = [f for f, c in zip(first, columns, strict=True) if _valued(c) and f not in NOTHING]
    like = sum(map(looks_like_value, valued))
    if valued:
        return 2 * like < len(valued), "the first line has numbers where the others have them"
    if len({f for f in first if f}) < len([f for f in first if f]):
        return False, "the first line has a value twice"
    again = sum(1 for f, c in zip(first, columns, strict=True) if f and f in c)
    if again * 2 >= width or (again and any(len(f) > 40 for f in first)):
        return False, "values of the first line occur in other lines too"
    return not any(map(looks_like_value, first)), "the first line has values, no names"


def names_one(goals: frozenset[str], rows: list[list[str]], at: int) -> bool:
    """Whether a record has one of the `goals` where no other has it: a value comes again, as a column's name does not."""
    others = [r for i, r in enumerate(rows) if i != at]
    return any(f in goals and not any(r[i : i + 1] == [f] for r in others) for i, f in enumerate(rows[at]))


def refuse_title(rows: list[list[str]], place: Span) -> None:
    """Ends with the diagnostic for a title above the header.

    Raises:
        LayerctlError: `data-title`.
    """
    if at := _titled(rows):
        title, head = next(f for f in rows[0] if f), rows[at][0]
        fail("data-title", f"'{title[:60]}' seems to be a title above the header, which begins with '{head[:40]}'", Span(place.source, 1, 1),
             hint=f"take what stands above the header out: `sed -n '/^\"*{head[:20]}/,$p' FILE > rows.csv`; or name its lines in `skip`")  # fmt: skip


def _titled(rows: list[list[str]]) -> int:
    """How many titles stand above the header: lines of one field, or with others that are empty, above one of names."""
    at = next((i for i, r in enumerate(rows[: MOST_TITLES + 1]) if len([f for f in r if f]) > 1), None)
    if not at or at + 1 >= len(rows) or not any(rows[0]):
        return 0
    head, rest = rows[at], [r for r in rows[at + 1 :] if len(r) == len(rows[at])]
    named = all(head) and not any(map(looks_like_value, head)) and len(rest) * 2 > len(rows)
    return at if named and (len(head) > 2 or len(rows[0]) == 1) and any(map(_valued, zip(*rest, strict=True))) else 0


def titles(text: str, rows: list[list[str]], goals: frozenset[str], delimiter: str, quote: str | None, escape: str | None) -> list[str]:
    """The lines above the header: above the first that has one of the `goals`, or titles."""
    named = (i for i, r in enumerate(rows[: MOST_TITLES + 1]) if names_one(goals, rows, i) and not any(map(looks_like_value, r)))
    at = next(named, 0) or _titled(rows)
    lines: list[str] = []
    for row in rows[:at]:
        line = line_of(row, text, delimiter, quote, escape)
        if line is None:
            return []
        lines.append(line)
    return lines


def line_of(row: list[str], text: str, delimiter: str, quote: str | None, escape: str | None) -> str | None:
    """One of the first lines, that of a record; None for one of several lines."""
    lines = (line.rstrip() for line in text.split("\n", RECORDS)[: RECORDS // 10])
    return next((line for line in lines if rows_of(line, delimiter, quote, 1, escape) == [row]), None)


def _valued(column: tuple[str, ...]) -> bool:
    present = [v for v in column if v not in NOTHING]
    present = present[:: max(1, len(present) // VALUES)]
    return bool(present) and sum(map(looks_like_value, present)) > 0.8 * len(present)
