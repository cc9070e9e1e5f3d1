"""What a table's columns hold, and why they are taken to hold it."""

from __future__ import annotations

import heapq
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from layerctl.data.columns import folded
from layerctl.data.dates import KNOWN_FORMATS, LOOKED_AT, mixed_formats, read_date, turned_formats
from layerctl.data.examining.lists import numbers_in, separator_of
from layerctl.data.examining.words import COMPACT_DAYS, NOTHING, PERHAPS, compact_day, date_format, dressed, numeric
from layerctl.data.features import is_text
from layerctl.data.images import is_images
from layerctl.data.labels import say_both
from layerctl.data.measures import shares_of, units_of
from layerctl.data.numbers import (
    CURRENCIES,
    numbers_of,
    strip_of,
    strip_of_marks,
    strip_of_measures,
    strip_of_percents,
    strip_of_some,
)
from layerctl.data.table import Column as Kept
from layerctl.data.table import Table

FEW = 0.1
"""The share of odd words among numbers up to which they are taken for missing values."""
MOST_STRANGE = 5
"""Different words and other strange values up to which they may stand for missing numbers or dates."""
MANY_NUMBERS = 20
"""Different values with digits from which a few words without any stand for missing ones, however often."""
FEW_MEASURES = 10
"""Different numbers with a unit behind them, such as 4WD, up to which they are words."""
FEW_PHRASES, OFTEN_SAID = 20, 5
"""Different phrases up to which, and rows for each from which, they are answers to choose from and no texts."""
UNIQUE = 0.98
MANY_ROWS, SPARSE = 100, 3
"""Whole numbers in so many rows, none twice though there are no more than so many for each row, are a part of a numbering: what is measured repeats."""
CODES = 0.01
"""The share of whole numbers with leading zeros from which a column holds codes."""
LEADING_ZERO = re.compile(r"0\d+")
_DIGIT = re.compile(r"\d")
_WORD = re.compile(r"[^\W\d_]{2}|[\u3000-\uffff]|\D{4}")
"""What a text has and a telephone's number has not."""
_DATED = re.compile(r"\d[^\d\s]?.*\d")
_GROUPED = re.compile(r"\D*(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d+)?\D*", re.ASCII)
_DURATION = re.compile(r"P(\d+[WD])*(T(\d+(\.\d+)?[HMS])+)?")
_NINES = re.compile(r"-99+([.,]0*)?|9{3,}([.,]0*)?")
_BELOW = re.compile(r"-[1-9]\d*([.,]0*)?")
FAR_BELOW = 3
OFTEN_CODED, CODED = 3, 0.005
"""In how many rows, and in what share of them, a number of nines stands for a missing one."""
HANDFUL = 10
"""Different numbers up to which none of them is far off, however rare."""
LARGEST = 1e150
"""Numbers whose squares are numbers still."""
_ID_NAME = re.compile(
    r"(?:^|_|\s|[a-z](?=I))(?:id|uuid|guid|key|index|row_?(?:number|names?|id)?)$|^unnamed|^column_1$|^#$|^no\.?$",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Column:
    """One column: `kind` is number, category, list, vector, date, text, array, image, id, constant or empty; `why` says how that was found.

    `missing` and `distinct` count rows and different values, `counts` has the most frequent values, `odd` words among numbers that are none,
    `formats` a date's (none: ISO 8601; several where it is written in several ways); of a `code` the digits are a word, whose leading zeros count;
    of one that is `respelled` some words differ in capital letters or blanks only, one of `truth` says yes and no in several ways; of a vector each row
    has `size` numbers, with `separator` between them (commas or semicolons if "").
    """

    name: str
    kind: str
    why: str
    missing: int = 0
    distinct: int = 0
    counts: tuple[tuple[str, int], ...] = ()
    odd: Mapping[str, int] = field(default_factory=dict)
    formats: tuple[str, ...] = ()
    ambiguous: bool = False
    whole: bool = False
    low: float | None = None
    high: float | None = None
    skewed: bool = False
    skewness: float = 0.0
    dressed: int = 0
    ordered: bool = False
    strip: str | None = None
    units: Mapping[str, float] = field(default_factory=dict)
    code: bool = False
    respelled: bool = False
    truth: bool = False
    size: int = 0
    separator: str = ""

    @property
    def usable(self) -> bool:
        """Whether a model can learn from it."""
        return self.kind in ("number", "category", "list", "vector", "date", "text", "array")


def examine(table: Table) -> dict[str, Column]:
    """Every column by name."""
    out = {}
    for name, values in table.columns.items():
        out[name] = column(table, name)
        if isinstance(values, Kept):
            values.forget()
    return out


def column(table: Table, name: str) -> Column:
    """One column."""
    values = table.columns[name]
    if isinstance(values, np.ndarray) and values.ndim > 1:
        return Column(name, "array", f"{'×'.join(map(str, values.shape[1:]))} numbers a row")
    counts = different(table, name)
    for word in NOTHING & counts.keys():
        del counts[word]
    present = counts.total()
    empty = len(table) - present
    if not present:
        return Column(name, "empty", "every value is missing", empty)
    top = tuple(heapq.nsmallest(20, counts.items(), key=lambda p: (-p[1], p[0])))
    facts = {"missing": empty, "distinct": len(counts), "counts": top}
    if len(counts) == 1 and not empty:
        return Column(name, "constant", f"every value is {top[0][0]!r}", **facts)
    if is_images(table, name):
        return Column(name, "image", "paths of images", **facts)
    found = _date(name, counts, facts) or _number(table, name, counts, facts)
    return found if found is not None else _words(table, name, present, counts, facts)


def different(table: Table, name: str) -> Counter[str]:
    """How often each text of a column occurs, in the order of their first rows."""
    values = table.columns[name]
    if not isinstance(values, Kept):
        return Counter(v for v in table.texts(name) if v is not None)
    codes, words = values.coded()
    return Counter(dict(zip(words, np.bincount(codes[codes >= 0], minlength=len(words)).tolist(), strict=True)))



def _number(table: Table, name: str, counts: Counter[str], facts: dict) -> Column | None:
    plain = _plain_numbers(table, name)
    odd = {} if plain is not None else {v: n for v, n in counts.items() if not _finite(v, table.decimal)}
    if len(odd) == len(counts):
        return None
    blanks = _blanks(counts) if odd else frozenset()
    nothing = {v: n for v, n in odd.items() if v in blanks}
    strange = {v: n for v, n in odd.items() if v not in blanks}
    total = sum(counts.values())
    if sum(n for v, n in counts.items() if v[0] == "0" and LEADING_ZERO.fullmatch(v)) >= CODES * total:
        return None
    numbers = total - sum(odd.values())
    if strange and (worn := _worn(table, name, counts, facts)) is not None:
        return worn
    if strange and (sum(strange.values()) > FEW * total or len(strange) > MOST_STRANGE):
        return None
    if (code := _code_of_nines(counts, odd, table.decimal)) is not None:
        odd, strange, numbers = {**odd, code: counts[code]}, {**strange, code: counts[code]}, numbers - counts[code]
    values = plain if plain is not None and not odd else np.array(
        [float(_plain(v, table.decimal)) for v in table.texts(name) if v is not None and v in counts and v not in odd]
    )  # fmt: skip
    why = (
        "all values are numbers"
        if not odd
        else f"{numbers} of {total} values are numbers; the rest ({_listed(odd)}) counts as missing"
    )
    whole = bool((values == np.round(values)).all() and np.abs(values).max() < 1e15)
    facts = {**facts, "missing": facts["missing"] + sum(odd.values()), "odd": {**nothing, **strange}}
    if whole and _is_id(name, values, facts["missing"], table.whole or len(table)):
        return Column(
            name, "id", "whole numbers that differ in every row: they tell rows apart and nothing else", **facts
        )
    return Column(name, "number", why, whole=whole, low=float(values.min()), high=float(values.max()), **_shape(values), **facts,
                  ordered=bool((np.diff(values) >= 0).all()))  # fmt: skip


def _plain_numbers(table: Table, name: str) -> np.ndarray | None:
    """A column's numbers where all values that are there are numbers; None else."""
    if not table.is_numeric(name):
        return None
    values = table.numbers(name)
    values = values[~np.isnan(values)]
    return values if np.abs(values).max(initial=0.0) < LARGEST else None


def _blanks(counts: Mapping[str, int]) -> frozenset[str]:
    """The values that stand for missing ones among numbers or dates: the known words, and a few others without digits beside many values that have some."""
    words = {v for v in counts if not _DIGIT.search(v)}
    few = len(words - PERHAPS) <= MOST_STRANGE and len(counts) - len(words) > MANY_NUMBERS
    return frozenset(words if few else words & PERHAPS) | (PERHAPS & counts.keys())


def _code_of_nines(counts: Mapping[str, int], odd: Mapping[str, int], decimal: str) -> str | None:
    """A number of nines, such as -999, that stands for a missing one: the least or greatest, in several rows, farther from all others than these are
    from each other; or another whole number below nought, such as -200, that is three times as far below all others."""
    if not any(n >= OFTEN_CODED and v[0] in "-9" and (_NINES.fullmatch(v) or _BELOW.fullmatch(v)) for v, n in counts.items()):
        return None
    values = {v: float(_plain(v, decimal)) for v in counts if v not in odd}
    if len(values) <= HANDFUL:
        return None
    for code in (min(values, key=values.__getitem__), max(values, key=values.__getitem__)):
        others = [x for v, x in values.items() if v != code]
        gap = min(others) - values[code] if values[code] < min(others) else values[code] - max(others)
        often = counts[code] >= max(OFTEN_CODED, CODED * sum(counts.values()))
        nines, below = _NINES.fullmatch(code), _BELOW.fullmatch(code) and values[code] < min(others)
        if often and (nines or below) and gap > (1 if nines else FAR_BELOW) * (max(others) - min(others)):
            return code
    return None


def _finite(text: str, decimal: str) -> bool:
    plain = _plain(text, decimal)
    return numeric(plain) and abs(float(plain)) < LARGEST


def _plain(text: str, decimal: str) -> str:
    return text.replace(".", "").replace(",", ".") if decimal == "," else text


def _listed(words: Mapping[str, int]) -> str:
    return ", ".join(f"'{w}'" for w in list(words)[:4]) + (", …" if len(words) > 4 else "")


def _is_id(name: str, values: np.ndarray, missing: int, rows: int) -> bool:
    if missing or len(values) < 8 or len(np.unique(values)) < len(values):
        return False
    dense = len(values) >= MANY_ROWS and np.ptp(values) < SPARSE * rows
    return dense or bool((np.diff(values) == 1).all()) or (_ID_NAME.search(name) is not None and name != "column_1")


def _shape(values: np.ndarray) -> dict[str, Any]:
    """How a column's numbers lie: its `skewness`, and whether a few are so far off that they hide the rest once the column is standardised (`skewed`); a
    handful of different numbers hide nothing."""
    scale = np.abs(values).max()
    if scale == 0 or len(np.unique(values)) <= HANDFUL:
        return {}
    z = values / scale
    spread = z.std()
    if spread == 0:
        return {}
    z = (z - z.mean()) / spread
    skewness = float((z**3).mean())
    return {"skewed": bool(np.abs(z).max() > 7.0 or abs(skewness) > 2.0), "skewness": skewness}


def _date(name: str, counts: Counter[str], facts: dict, strange: frozenset[str] = frozenset()) -> Column | None:
    if any(numeric(v) and not compact_day(v) for v in counts if v not in strange):
        return None  # asking every format would take a while, and no other date is a number
    blanks = _blanks(counts) | strange
    nothing = {v: n for v, n in counts.items() if v in blanks}
    values = [v for v in counts if v not in nothing]
    is_date, form, ambiguous = date_format(values) if values and date_format(values[:COMPACT_DAYS])[0] else (False, None, False)
    formats = (form,) if form is not None else ()
    if not is_date:
        formats = tuple(mixed_formats(values)) if len(values) > 1 and _DATED.search(values[0]) else ()
        if not formats:
            strange = frozenset() if strange else _strange_among_dates(counts)
            return _date(name, counts, facts, strange) if strange else None
    why = f"all values are dates of the form {' or '.join(formats)}" if formats else "all values are ISO dates"
    return Column(
        name,
        "date",
        why,
        **{**facts, "missing": facts["missing"] + sum(nothing.values()), "odd": nothing},
        formats=formats,
        ambiguous=ambiguous,
    )


def _strange_among_dates(counts: Counter[str]) -> frozenset[str]:
    """Words and days that there are not, such as the 31st of February, where they are few among dates of one form."""
    values = [v for v in counts if v not in PERHAPS]
    dated = [v for v in values if _DATED.search(v)][:LOOKED_AT]
    if not dated or turned_formats(dated):
        return frozenset()
    forms: list[tuple[str, ...]] = [(), *((f,) for f in KNOWN_FORMATS if any(read_date(v, (f,)) is not None for v in dated[:3]))]
    best = max(forms, key=lambda f: sum(read_date(v, f) is not None for v in dated))
    strange = {v for v in values if read_date(v, best) is None}
    few = len(strange) <= MOST_STRANGE and sum(counts[v] for v in strange) <= FEW * sum(counts.values())
    return frozenset(strange) if few and len(strange) < len(values) else frozenset()


def _worn(table: Table, name: str, counts: Counter[str], facts: dict) -> Column | None:
    """Numbers with currencies, percent signs or marks between thousands."""
    blanks = _blanks(counts)
    nothing = {v: n for v, n in counts.items() if v in blanks}
    worn = [v for v in counts if v not in nothing]
    strip = strip_of(worn, table.decimal) or (strip_of_measures(worn, table.decimal) if len(worn) > FEW_MEASURES else None)
    strip = strip or strip_of_marks(worn, table.decimal) or strip_of_some(worn, table.decimal) or strip_of_percents(worn, table.decimal)
    kept, units = ("", None) if strip else _measured(worn, table.decimal)
    if not strip and not units:
        return None
    plain = [None if v is None or v in nothing or v in NOTHING else v for v in table.texts(name)]
    values = numbers_of(Table(table.name, {name: plain}, table.lines, table.decimal), name, strip or kept, units)
    values = values[~np.isnan(values)]
    facts = {
        **facts,
        "missing": facts["missing"] + sum(nothing.values()),
        "odd": nothing,
        "dressed": sum(counts.values()),
    }
    why = f"all values are numbers with units, {', '.join(map(repr, units))}" if units else f"all values are numbers once {strip!r} is taken off"
    return Column(name, "number", why, strip=strip or kept, units=units or {}, **_shape(values), low=float(values.min()), high=float(values.max()), **facts)


def _measured(values: list[str], decimal: str) -> tuple[str, dict[str, float] | None]:
    """(characters that do not count, the units of what is left): a currency stands in all values, or in none, as does the mark of ISO 8601's durations."""
    found = {c for v in values for c in v if c in CURRENCIES}
    strip = "".join(sorted(found)) if len(found) == 1 and all(found & set(v) for v in values) else ""
    if values and all(map(_DURATION.fullmatch, values)):
        strip = "PT"
    if decimal == "." and any("," in v for v in values) and all(map(_GROUPED.fullmatch, values)):
        strip += ","
    plain = [v.translate(dict.fromkeys(map(ord, strip))) for v in values]
    pointed = [v.replace(".", "").replace(",", ".") if decimal == "," else v for v in plain]
    return strip, units_of(pointed) or shares_of(pointed)


def _words(table: Table, name: str, present: int, counts: Counter[str], facts: dict) -> Column:
    worn = _worn(table, name, counts, facts)
    if worn is not None:
        return worn
    clad = sum(n for v, n in counts.items() if dressed(v))
    numbers = sum(n for v, n in counts.items() if numeric(v))
    odd = {v: counts[v] for v in counts if numeric(v)} if 0 < numbers < present else {}
    words = sum(len(v.split()) * n for v, n in counts.items()) / present
    facts = {**facts, "odd": odd, "dressed": clad, "code": numbers == present}
    if (table.decimal == "." or "," not in next(iter(counts))) and (several := numbers_in(counts)) is not None:
        size, mark = several
        return Column(name, "vector", f"{size} numbers in each field", **{**facts, "odd": {}}, size=size, separator=mark)
    if (mark := separator_of(counts)) is not None:
        return Column(name, "list", f"lists of words with {mark!r} between them, {len(counts)} different ones", **{**facts, "odd": {}})
    repeated = len(counts) <= FEW_PHRASES and present >= OFTEN_SAID * len(counts)
    lettered = 2 * sum(n for v, n in counts.items() if _WORD.search(v)) > present
    if lettered and is_text(table, name) and not clad > present / 2 and not repeated:
        return Column(
            name, "text", f"{words:.0f} words a value, {len(counts)} different ones in {present} rows", **facts
        )
    if present >= 8 and len(counts) > UNIQUE * present:
        return Column(
            name,
            "id",
            f"short words that differ in nearly every row ({len(counts)} in {present}): nothing to learn from",
            **facts,
        )
    if numbers == present:
        return Column(name, "category", f"numbers with leading zeros, which are codes: {len(counts)} different ones", **facts)
    truth = len(counts) > 2 and say_both(counts)
    if truth:
        return Column(name, "category", f"truth values, written in {len(counts)} ways", **{**facts, "odd": {}}, truth=True)
    return Column(name, "category", f"words, {len(counts)} different ones", **facts, respelled=len(set(map(folded, counts))) < len(counts))
