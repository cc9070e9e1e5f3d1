"""What is wrong or doubtful in single columns: holes, constants, numbers in disguise, mixtures, far values."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping

import numpy as np

from layerctl.data.columns import folded
from layerctl.data.dates import read_date, turned_formats
from layerctl.data.examining.kinds import LEADING_ZERO, Column
from layerctl.data.examining.words import NOTHING, PERHAPS, dressed, iso_day
from layerctl.data.numbers import numbers_of
from layerctl.data.statistics import middle_and_width
from layerctl.data.table import Table
from layerctl.diagnostics import Diagnostic
from layerctl.spec.data import MISSING

HOLEY = 0.5
FAR = 15.0
"""Widths of the middle half beyond which a value is far off."""
SENTINELS = frozenset({-9999.0, -999.0, -99.0, 999.0, 9999.0, 99999.0, 999999.0})


def findings(table: Table, columns: Mapping[str, Column], targets: frozenset[str]) -> Iterator[Diagnostic]:
    """What to know of each column, in the table's order."""
    for c in columns.values():
        yield from _of(table, c, c.name in targets)


def warning(table: Table, row: int, column: str, code: str, text: str, hint: str | None = None) -> Diagnostic:
    """A warning at a field."""
    return Diagnostic(code, f"column '{column}': {text}", table.span(row, column), (), hint, "warning")


def error(table: Table, row: int, column: str, code: str, text: str, hint: str | None = None) -> Diagnostic:
    """An error at a field."""
    return Diagnostic(code, f"column '{column}': {text}", table.span(row, column), (), hint)


def _of(table: Table, c: Column, target: bool) -> Iterator[Diagnostic]:
    make = error if target else warning
    if c.kind == "array":
        return
    if c.kind == "empty":
        yield make(table, 0, c.name, "column-empty", "every value is missing", "choose another target" if target else "leave the column out of the features")
        return
    if c.kind == "constant":
        yield make(
            table,
            0,
            c.name,
            "column-constant",
            f"every value is {c.counts[0][0]!r}: nothing can be learned from it",
            "choose another target" if target else "leave the column out",
        )
        return
    if c.missing:
        yield from _missing(table, c, target)
    if c.kind == "id" and not target:
        yield warning(
            table,
            0,
            c.name,
            "column-id",
            c.why,
            "leave the column out of the features; `predict --keep` repeats it beside predictions",
        )
    yield from _disguised(table, c)
    if c.kind == "number":
        yield from _far(table, c)
    if c.truth:
        yield warning(table, 0, c.name, "column-spelling", f"yes and no are written in {c.distinct} ways, such as {c.counts[0][0]!r} and {c.counts[1][0]!r}",
                      f"`kind: binary` in the {'target' if target else 'feature'} takes them for two values")  # fmt: skip
    elif c.kind in ("category", "id") and c.distinct > 1:
        yield from _alike(table, c, target)


def _missing(table: Table, c: Column, target: bool) -> Iterator[Diagnostic]:
    values = table.texts(c.name)
    gone = {*NOTHING, *(c.odd if c.kind in ("number", "date") else ())}
    row = next((i for i, v in enumerate(values) if v is None or v in gone), 0)
    share = c.missing / len(table)
    text = f"{c.missing} of {len(table)} values are missing ({share:.1%})"
    if target:
        cure = "rows without a target are left out with `target: {column: ..., missing: drop}`"
    elif share > HOLEY:
        cure = "leave the column out, or say what stands for a missing value: `missing: median`"
    else:
        cure = "say what stands for a missing value in the feature: `missing: median`, `most_frequent`, `constant`"
    yield warning(table, row, c.name, "target-missing" if target else "column-missing", text, cure)


def _disguised(table: Table, c: Column) -> Iterator[Diagnostic]:
    """Numbers and dates that are stored so that they do not read as such."""
    values = table.texts(c.name)
    total = len(table) - c.missing
    if c.units:
        row = next((i for i, v in enumerate(values) if v is not None and v not in c.odd), 0)
        worth = ", ".join(f"{json.dumps(u, ensure_ascii=False)}: {w:g}" for u, w in c.units.items())
        yield warning(table, row, c.name, "column-number-as-text", f"numbers are written with units, such as {values[row]!r}",
                      f"`units: {{{worth}}}` in the feature reads them as numbers")  # fmt: skip
    elif c.strip:
        row = next((i for i, v in enumerate(values) if v is not None and dressed(v)), 0)
        yield warning(table, row, c.name, "column-number-as-text", f"numbers are written as text, such as {values[row]!r}",
                      f'`strip: "{c.strip}"` in the feature reads them as numbers')  # fmt: skip
    if c.kind in ("number", "date") and c.odd:
        new = [w for w in c.odd if w not in MISSING]
        row = next((i for i, v in enumerate(values) if v in c.odd), 0)
        what = "numbers" if c.kind == "number" else "dates"
        shown = ", ".join(repr(w) for w in new[:5])
        quoted = ", ".join(f'"{w}"' for w in new[:5])
        yield warning(table, row, c.name, "column-mixed", f"{sum(c.odd.values())} values among {what} are none: {shown}",
                      f"if they stand for nothing, say `missing_values: [\"?\", NA, \"\", {quoted}]` in the data section; else correct them")  # fmt: skip
    elif c.kind in ("category", "id", "text") and c.dressed > 0.5 * total:
        row = next((i for i, v in enumerate(values) if v is not None and dressed(v)), 0)
        yield warning(table, row, c.name, "column-number-as-text", f"{c.dressed} of {total} values are numbers written as text, such as {values[row]!r}",
                      "write plain numbers (no units, currencies or marks between thousands), or the column is a category")  # fmt: skip
    elif c.kind in ("category", "id") and c.odd:
        numbers, taken = sum(c.odd.values()), "a category" if c.kind == "category" else "names"
        row = next((i for i, v in enumerate(values) if v in c.odd), 0)
        yield warning(table, row, c.name, "column-mixed", f"{numbers} of {total} values are numbers and the rest are words: it is taken for {taken}",
                      "make it one or the other; words that stand for nothing belong into `missing_values`")  # fmt: skip
    if c.code or (c.kind == "number" and any(LEADING_ZERO.fullmatch(v) for v, _ in c.counts)):
        row = next((i for i, v in enumerate(values) if v is not None and LEADING_ZERO.fullmatch(v)), 0)
        yield warning(
            table,
            row,
            c.name,
            "column-code",
            f"{values[row]!r} has a leading zero: a code rather than a number",
            "`kind: category` keeps it as it is",
        )
    if c.kind in ("category", "id", "text") and (turned := turned_formats([v for v in dict.fromkeys(values) if v is not None])):
        row = next(i for i, v in enumerate(values) if v is not None and read_date(v, turned[:1]) is None)
        listed = ", ".join(f'"{f}"' for f in turned)
        yield warning(table, row, c.name, "column-date-order", f"some dates have the day first and others, such as {values[row]!r}, the month: they are words",
                      f"write them alike where they come from; `{{kind: date, format: [{listed}]}}` reads what may be either by the first")  # fmt: skip
    if c.kind == "date" and c.ambiguous:
        yield warning(table, 0, c.name, "column-date-order", f"day and month could be the other way round; it is read as {c.formats[0]}",
                      f"write the `format` in the feature: `{{kind: date, format: \"{c.formats[0]}\"}}`")  # fmt: skip
    if c.kind == "date" and len(c.formats) > 1:
        there = [(i, v) for i, v in enumerate(values) if v is not None and v not in c.odd]
        row, other = next(p for p in there if read_date(p[1], c.formats[:1]) is None)
        usual = next(v for _, v in there if read_date(v, c.formats[:1]) is not None)
        listed = ", ".join(f'"{f}"' for f in c.formats)
        yield warning(table, row, c.name, "column-mixed", f"dates are written in {len(c.formats)} ways, such as {usual!r} and {other!r}",
                      f"`format: [{listed}]` in the feature reads them all; or write them alike")  # fmt: skip
    if c.kind in ("category", "id"):
        days = [i for i, v in enumerate(values) if v is not None and iso_day(v)]
        if 0.5 * total < len(days) < total:
            row = next(i for i, v in enumerate(values) if v is not None and not iso_day(v) and v not in PERHAPS)
            yield warning(
                table,
                row,
                c.name,
                "column-mixed",
                f"{len(days)} of {total} values are dates, {values[row]!r} is none",
                "correct the others",
            )


def _far(table: Table, c: Column) -> Iterator[Diagnostic]:
    values = numbers(table, c)
    present = np.flatnonzero(~np.isnan(values))
    if len(present) < 20:
        return
    middle, width = middle_and_width(values[present])
    off = present[np.abs(values[present] - middle) > FAR * width]
    if not len(off) or len(off) > 0.02 * len(present):
        return
    row = int(off[np.argmax(np.abs(values[off] - middle))])
    shown = f"{values[row]:g}"
    same = int((values[present] == values[row]).sum())
    if values[row] in SENTINELS and same > 1:
        yield warning(table, row, c.name, "column-sentinel", f"{same} values are {shown}, far from all others: it seems to stand for a missing value",
                      f"add \"{table.texts(c.name)[row]}\" to `missing_values`")  # fmt: skip
        return
    yield warning(table, row, c.name, "column-outliers", f"{len(off)} values are far off, such as {shown} (half of all lie within {width:g} around {middle:g})",
                  "correct them if they are mistakes; `scale: robust` keeps them from setting the scale")  # fmt: skip


def numbers(table: Table, c: Column) -> np.ndarray:
    """A column's numbers; NaN for what is missing or no number."""
    if isinstance(table.columns[c.name], np.ndarray) or (not c.odd and not c.strip and not c.units and table.is_numeric(c.name)):
        return table.numbers(c.name)
    gone = {*c.odd, *NOTHING}
    plain = [None if v is None or v in gone else v for v in table.texts(c.name)]
    return numbers_of(Table(table.name, {c.name: plain}, table.lines, table.decimal), c.name, c.strip or "", c.units)


def _alike(table: Table, c: Column, target: bool) -> Iterator[Diagnostic]:
    """Words that differ in capitals or blanks only."""
    seen: dict[str, str] = {}
    for row, v in enumerate(table.texts(c.name)):
        if v is None:
            continue
        first = seen.setdefault(folded(v), v)
        if first != v:
            yield warning(table, row, c.name, "column-spelling", f"{v!r} and {first!r} differ in capitals or blanks only, and are two categories",
                          f"`ignore_case: true` in the {'target' if target else 'feature'} makes them one; or write them alike")  # fmt: skip
            return
