"""Dates: read by their formats, taken apart into numbers."""

from __future__ import annotations

import datetime
import re
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from layerctl.data.columns import refuse_missing
from layerctl.data.moments import parsed
from layerctl.data.statistics import distinct, mean_and_deviation, median
from layerctl.data.table import Table
from layerctl.diagnostics import fail
from layerctl.spec.features import ColumnFit

if TYPE_CHECKING:
    from layerctl.spec.data import FeatureSpec

DEFAULT_PARTS = ("days", "month", "weekday")
DAY = 86400.0
DECADE = 10.0
_DAYS_FORMATS = (
    "%d.%m.%Y", "%d/%m/%Y", "%m/%d/%Y", "%d-%m-%Y", "%m-%d-%Y", "%Y/%m/%d", "%Y.%m.%d", "%d.%m.%y", "%d/%m/%y", "%m/%d/%y", "%d-%b-%Y", "%d-%b-%y",
    "%d %b %Y", "%d %B %Y", "%b %d, %Y", "%B %d, %Y", "%b %d %Y", "%d%b%Y", "%d%b%y", "%d. %b %Y", "%d de %b de %Y", "%a %d %b %Y", "%a %b %d %Y",
    "%a, %b %d, %Y", "%Y-%b-%d", "%Y年%m月%d日", "%Y. %m. %d.", "%Y-%m-%d",
)  # fmt: skip
_TIMES = ("", " %H:%M", " %H:%M:%S", " %I:%M %p", " %I:%M:%S %p", ", %H:%M", ", %H:%M:%S", ", %I:%M %p", ", %I:%M:%S %p", " %H:%M:%S.%f", " %H:%M:%S UTC",
          " %H:%M UTC", " %H:%M:%S GMT", " %H:%M Uhr", " %I:%M%p", " %H:%M:%S %Z", " %H:%M %Z", " %I:%M %p %Z", " %I:%M:%S %p %Z")  # fmt: skip
_TIMES_OF_DAY = ("%H:%M", "%H:%M:%S", "%I:%M %p", "%I:%M:%S %p", "%I:%M%p", "%I %p", "%I%p", "%H:%M:%S.%f")
_MONTHS = ("%Y-%m", "%Y/%m", "%b %Y", "%B %Y", "%b-%y", "%b-%Y", "%m/%Y", "%m-%Y")
_SPELT = ("%a %b %d %H:%M:%S %Y", "%a, %d %b %Y", "%a, %d %b %Y %H:%M:%S", "%A, %B %d, %Y", "%a, %d %b %Y %H:%M:%S %z",
          "%d/%b/%Y:%H:%M:%S %z", "%d/%b/%Y:%H:%M:%S", "%d%b%Y:%H:%M:%S", "%a %b %d %H:%M:%S %z %Y", "%a %b %d %H:%M:%S UTC %Y", "%Y%m%dT%H%M%S",
          "%Y%m%dT%H%M%SZ", "%a, %d %b %Y %H:%M:%S GMT", "%A, %d %B %Y", "%A, %d %b %Y", "%A %d %B %Y",
          "%A %B %d, %Y", "%A, %d. %B %Y", "%a %b %d %H:%M:%S %Z %Y", "%a, %d %b %Y %H:%M:%S %Z")  # fmt: skip
COMPACT = {8: "%Y%m%d", 6: "%Y%m", 12: "%Y%m%d%H%M", 14: "%Y%m%d%H%M%S"}
"""Dates without marks between their parts, which are whole numbers too, by how many digits they have."""
_QUARTERS = ("%YQ%q", "%Y-Q%q", "%Y Q%q", "Q%q %Y", "Q%q-%Y", "Q%q/%Y", "%qQ%Y", "%qQ%y")
KNOWN_FORMATS = (*(d + t for d in _DAYS_FORMATS for t in _TIMES), *_MONTHS, *_SPELT, *_TIMES_OF_DAY, *_QUARTERS)
ISO_FORMATS = ("%Y-%m-%d", "%Y-%m-%d %H:%M", "%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M:%S%z")
_PART = re.compile(r"\d+|[^\W\d_]+")
_MOST_WAYS = 6
_DATELIKE = re.compile(r"\d{1,4}[./-](\d{1,2}|[A-Za-z]{3})[./-]\d{2,4}( .*)?|\d{1,2} [A-Za-z]{3,9} \d{4}( .*)?|[A-Za-z]{3,9} \d{1,2},? \d{4}( .*)?")
LOOKED_AT = 200

Moment = datetime.datetime


def read_date(text: str, forms: Sequence[str]) -> Moment | None:
    """A text as a moment: by the first of the formats that fits, by ISO 8601 without any; None if none does."""
    for form in forms:
        try:
            return parsed(text, form)
        except ValueError:
            continue
    if forms:
        return None
    try:
        return datetime.datetime.fromisoformat(text)
    except ValueError:
        return None


def is_dates(table: Table, name: str) -> bool:
    """Whether every value that is there is an ISO date."""
    _, values = table.coded(name)
    return bool(values) and all(len(v) >= 8 and v[:4].isdigit() and read_date(v, ()) is not None for v in values)


def mixed_formats(values: Sequence[str]) -> list[str]:
    """A format for each way in which these dates are written, the most frequent first, where there are several; none where a value is no date.

    A way is what stands between the parts, and which of them has four digits: within one, day and month have one order.
    """
    ways: dict[str, list[str]] = {}
    for v in values:
        ways.setdefault(_PART.sub(lambda m: "w" if m[0][0].isalpha() else "y" if len(m[0]) == 4 else "n" * (1 + (len(m[0]) > 4)), v), []).append(v)
        if len(ways) > _MOST_WAYS:
            return []
    found = []
    for _, own in sorted(ways.items(), key=lambda w: -len(w[1])):
        form = next((f for f in (*ISO_FORMATS, *KNOWN_FORMATS, COMPACT[8]) if all(read_date(v, (f,)) is not None for v in own)), None)
        if form is None:
            return []
        found.append(form)
    found = list(dict.fromkeys(found))
    return found if len(found) > 1 else []


def turned_formats(values: Sequence[str]) -> tuple[str, ...]:
    """Two formats of which some of these dates have the day first and the others the month, the one that more of them have first; none else."""
    if not values or not _DATELIKE.fullmatch(values[0]):
        return ()
    for form in (f for f in KNOWN_FORMATS if f.startswith("%d") and "%m" in f[2:5] and read_date(values[0], (f, f"%m{f[2]}%d{f[5:]}")) is not None):
        pair = (form, f"%m{form[2]}%d{form[5:]}")
        fits = [[read_date(v, (f,)) is not None for v in values] for f in pair]
        if all(a or b for a, b in zip(*fits, strict=True)) and not all(fits[0]) and not all(fits[1]):
            return pair if sum(fits[0]) >= sum(fits[1]) else pair[::-1]
    return ()


def formats_of(values: Sequence[str]) -> list[str]:
    """The known formats that all these texts have, if they look like dates; the first of those by which they are the same dates."""
    looked_at = list(dict.fromkeys(values))[:LOOKED_AT]
    if not looked_at or not all(_DATELIKE.fullmatch(v) for v in looked_at):
        return []
    fitting = [form for form in KNOWN_FORMATS if all(read_date(v, (form,)) is not None for v in looked_at)]
    first: dict[tuple[Moment | None, ...], str] = {}
    for form in fitting:
        first.setdefault(tuple(read_date(v, (form,)) for v in looked_at), form)
    return list(first.values())


def _days(m: Moment) -> float:
    return float(m.toordinal())


def elapsed(m: Moment) -> float:
    """Days since the first of January of the year 1 with the time of day as a fraction; of a moment with a time zone in UTC."""
    if m.tzinfo is not None:
        m = m.astimezone(datetime.UTC)
    return m.toordinal() + (m.hour * 3600 + m.minute * 60 + m.second + m.microsecond * 1e-6) / DAY


def _one_hot(width: int, place: Callable[[Moment], int]) -> tuple[int, Callable[[Moment, ColumnFit], list[float]]]:
    return width, lambda m, fit: [float(i == place(m)) for i in range(width)]


def _number(value: Callable[[Moment, ColumnFit], float]) -> tuple[int, Callable[[Moment, ColumnFit], list[float]]]:
    return 1, lambda m, fit: [value(m, fit)]


PARTS: dict[str, tuple[int, Callable[[Moment, ColumnFit], list[float]]]] = {
    "days": _number(lambda m, fit: (_days(m) - fit.centre) / fit.spread),
    "elapsed": _number(lambda m, fit: (elapsed(m) - fit.centre) / fit.spread),
    "year": _number(lambda m, fit: (m.year - _moment(fit.centre).year) / DECADE),
    "quarter": _one_hot(4, lambda m: (m.month - 1) // 3),
    "month": _one_hot(12, lambda m: m.month - 1),
    "day": _number(lambda m, fit: (m.day - 1) / 30.0),
    "weekday": _one_hot(7, lambda m: m.weekday()),
    "hour": _one_hot(24, lambda m: m.hour),
    "minute": _number(lambda m, fit: m.minute / 60.0),
}
"""What a date may be taken apart into: how many numbers each part is, and how they are made."""


def _moment(days: float) -> Moment:
    whole = int(min(max(days, 1.0), 3652059.0))
    return datetime.datetime.fromordinal(whole) + datetime.timedelta(seconds=round((days - int(days)) * DAY))


def date_width(fit: ColumnFit) -> int:
    """How many numbers a date becomes."""
    return sum(PARTS[p][0] for p in fit.parts or DEFAULT_PARTS)


def fit_date(table: Table, name: str, spec: FeatureSpec, rows: np.ndarray) -> ColumnFit:
    """Centre and spread of the days; a missing date becomes the middle one. Unscaled dates count days from the earliest."""
    forms = [spec.format] if isinstance(spec.format, str) else spec.format or []
    fit = ColumnFit(name, "date", parts=list(spec.parts or ()))
    fit.format, fit.formats = (forms[0], []) if len(forms) == 1 else (None, list(forms))
    codes, found = _read(table, fit)
    if spec.missing == "error" and (codes < 0).any():
        refuse_missing(table, name, codes < 0)
    days = np.array([*(_of(fit)(m) for m in found), np.nan], np.float64)[codes[rows]]
    present = days[~np.isnan(days)]
    if not len(present):
        fail("data-empty-column", f"column '{name}' has no dates in the training rows", table.span(0, name),
             hint="leave the column out with `ignore`, or say which `missing_values` there are")  # fmt: skip
    fit.rows, fit.empty, fit.different = len(rows), len(rows) - len(present), distinct(present)
    fit.fill = median(present)
    how = spec.scale if spec.kind == "date" else None
    if how == "none":
        fit.centre = float(present.min())
    elif how == "minmax":
        fit.centre, fit.spread = float(present.min()), float(present.max() - present.min()) or 1.0
    else:
        fit.centre, fit.spread = mean_and_deviation(present)
    return fit


def _of(fit: ColumnFit) -> Callable[[Moment], float]:
    return elapsed if "elapsed" in fit.parts else _days


def forms_of(fit: ColumnFit) -> list[str]:
    """The formats that are tried in order."""
    return fit.formats or ([fit.format] if fit.format else [])


def _read(table: Table, fit: ColumnFit) -> tuple[np.ndarray, list[Moment]]:
    """(codes, moments): a column's distinct dates, and the number of each row's; -1 for a missing one."""
    codes, words = table.coded(fit.name)
    forms = forms_of(fit)
    found = [read_date(w, forms) for w in words]
    bad = np.flatnonzero(np.array([*(m is None for m in found), False], bool)[codes])
    if len(bad):
        values = table.texts(fit.name)
        wanted = f"is not a date of the form {' or '.join(map(repr, forms))}" if forms else "is not an ISO date such as 2024-12-31"
        table.refuse(fit.name, bad, values, wanted, _cure([str(values[i]) for i in bad], forms), "data-not-a-date")
    return codes, [m for m in found if m is not None]


def _cure(bad: list[str], forms: list[str]) -> str:
    fitting = formats_of(bad)
    if not fitting and not forms and re.match(r"\d{4}-\d\d?-\d\d?", bad[0]):
        return "there is no such day: correct it, or leave the row out"
    if not fitting:
        return "say the dates' `format` in the feature; several that are tried in order are a list"
    listed = ", ".join(f'"{f}"' for f in [*forms, fitting[0]])
    more = f' (or "{fitting[1]}": both fit)' if len(fitting) > 1 else ""
    return f"say `format: {f'[{listed}]' if forms else listed}` in the feature{more}"


def encode_date(table: Table, fit: ColumnFit) -> np.ndarray:
    """The parts of each date side by side: float32 (rows, `date_width`)."""
    codes, found = _read(table, fit)
    made = [[x for p in fit.parts or DEFAULT_PARTS for x in PARTS[p][1](m, fit)] for m in found]
    return np.array([*made, _missing(fit)], np.float32).reshape(-1, date_width(fit))[codes]


def _missing(fit: ColumnFit) -> list[float]:
    """The parts of what stands for a missing date, which may lie between two days."""
    days = float(fit.fill or 0.0)
    scaled, m = [(days - fit.centre) / fit.spread], _moment(days)
    return [x for p in fit.parts or DEFAULT_PARTS for x in (scaled if p in ("days", "elapsed") else PARTS[p][1](m, fit))]
