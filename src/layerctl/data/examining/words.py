"""What single fields look like: numbers, dates, words that stand for nothing."""

from __future__ import annotations

import datetime
import re

from layerctl.data.dates import COMPACT, KNOWN_FORMATS, parsed
from layerctl.data.numbers import positive

NUMBER = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?", re.ASCII)
DRESSED = re.compile(
    r"[+-]?[$€£¥]?\s?[+-]?\d{1,3}(?:[,'’_ ]\d{3})*(?:[.,]\d+)?\s?(?:[%$€£¥]|[a-zA-Zµ°]{1,4})?|[+-]?[$€£¥]?\s?\d+(?:[.,]\d+)?\s?(?:[%$€£¥]|[a-zA-Zµ°]{1,4})?"
)
NOTHING = frozenset(
    {"", "?", "\\N", "NA", "N/A", "n/a", "#N/A", "NaN", "nan", "null", "NULL", "Null", "<NA>", "NULL_VALUE"}
)
"""Words that stand for a missing value wherever they stand."""
PERHAPS = frozenset({"-", "--", ".", "..", "None", "none", "NONE", "na", "missing", "Missing", "unknown", "Unknown", "UNKNOWN", "nil", "inf", "-inf", "Inf",
                     "-Inf", "#DIV/0!", "#VALUE!", "#REF!", "undefined", "n.a.", "N.A.", "tba", "TBA", "tbd", "TBD",
                     "NaT", "#NULL!", "#NUM!", "#NAME?", "(null)", "(blank)", "<null>", "*", "**", "***", "...", "…", "–", "—", "---", "n/d", "N/D", "s/d",
                     "N.V.", "k.A.", "k. A.", "n.d.", "Not Available", "not available", "N.D.", "ND",
                     "0000-00-00", "0000-00-00 00:00:00", "00/00/0000"})  # fmt: skip
"""Words that stand for a missing value among numbers or dates."""
COMPACT_DAYS = 12
"""Different whole numbers, all of them days such as 20240131, or moments or months so written, from which they are taken for these."""
YEARS = range(1500, 2200)
"""Years of which dates are; what has another one is no date."""
_DIGIT = re.compile(r"\d")
_BETWEEN = re.compile(r"[-./:, ]|\d[^\W\d_]")
"""What stands between the parts of a date, in all forms but the compact one."""


def numeric(text: str) -> bool:
    """Whether a field is a number with a decimal point."""
    return NUMBER.fullmatch(text.strip()) is not None


def dressed(text: str) -> bool:
    """Whether a field is a number with a currency, a unit, a percent sign, marks between thousands, or parentheses for a minus."""
    text = text.strip()
    bare = positive(text)
    return (bare is not None and numeric(bare)) or (DRESSED.fullmatch(bare or text) is not None and not numeric(text))


def iso_day(text: str) -> bool:
    """Whether a field is an ISO date with marks between its parts."""
    if not (len(text) >= 8 and text[:4].isdigit() and "-" in text[4:5]):
        return False
    try:
        datetime.datetime.fromisoformat(text)
    except ValueError:
        return False
    return True


def date_format(values: list[str]) -> tuple[bool, str | None, bool]:
    """(whether all are dates, their format or None for ISO 8601, whether day and month could be the other way round)."""
    if not values or not all(_DIGIT.search(v) and len(v) <= 40 for v in values):
        return False, None, False
    if all(map(iso_day, values)):
        return True, None, False
    if all(map(numeric, values)):
        form = COMPACT.get(len(values[0])) if len({len(v) for v in values}) == 1 else None
        return (True, form, False) if form and len(values) >= COMPACT_DAYS and all(map(compact_day, values)) else (False, None, False)
    if not all(map(_BETWEEN.search, values)):
        return False, None, False
    fits = [f for f in KNOWN_FORMATS if _parses(values[0], f)]
    found = [f for f in fits if all(_parses(v, f) for v in values)]
    if found:
        return True, found[0], len(found) > 1
    return False, None, False


def compact_day(text: str) -> bool:
    """Whether a field is a day, a moment or a month without marks, such as 20240131, 20240131123000 and 202401."""
    return len(text) in COMPACT and text[:2] in ("19", "20") and _parses(text, COMPACT[len(text)])


def _parses(text: str, form: str) -> bool:
    try:
        return parsed(text, form).year in YEARS
    except ValueError:
        return False


def looks_like_value(text: str) -> bool:
    """Whether a field is a number, dressed up or not, or a date: what no column is called."""
    if not text:
        return False
    comma = text.replace(",", ".", 1)
    return numeric(text) or numeric(comma) or (dressed(text) and not text[-1].isalpha()) or date_format([text])[0]
