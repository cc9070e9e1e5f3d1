"""Numbers as people write them: `$1,200.50`, `12 %`, `1 200`, `(0.5)`; and what to say of a column in which some are none."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from layerctl.data.measures import CLOCK, FRACTION, HEX, amount
from layerctl.data.table import TOO_LARGE, BadRows, Table

CURRENCIES = "$€£¥₹"
PERCENT = "%"
NEGATIVE = "()"
"""What bookkeepers enclose negative numbers in."""
MINUS = "\u2212\u2013"
"""The typographic minus, and the dash that stands for it."""
_PLAIN = re.compile(r"\s*[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?\s*", re.ASCII)
_GROUPS = ",'’_ \u00a0\u2009\u202f"
_WRITTEN = re.compile(
    rf"[+-]?\s*[{CURRENCIES}]?\s*[+-]?(?:\d{{1,3}}(?:([{_GROUPS}])\d{{3}})(?:\1\d{{3}})*|\d{{1,2}}(?:(,)\d{{2}})+,\d{{3}}|\d+)(?:\.\d*)?"
    rf"\s*[{CURRENCIES}{PERCENT}]?", re.ASCII
)  # fmt: skip
"""One sign between thousands, the same all along; or as in India, where a lakh is 1,00,000."""
_DOTTED = re.compile(r"\D*\d{1,3}(?:\.\d{3})*\D*", re.ASCII)
_DECIMAL_COMMA = re.compile(r"(?<![\d.,])(?:\d{1,3}(?:\.\d{3})+|\d+),(?:\d{1,2}|\d{4,})(?![\d,.])", re.ASCII)
"""A comma that stands between no thousands."""
SHORTENED = re.compile(r"[A-Za-z]\.")
_LETTER = re.compile(r"[A-Za-z]")
_AFFIXED = re.compile(rf"(\D*?)([+-]?\.?\d(?:[\d.{_GROUPS}]*\d)?)(\D*)", re.ASCII)
"""What stands before a number, the number, and what stands behind it."""
_BEFORE = re.compile(
    r"(?i:ca?\.?|circa|approx\.?|about|around|up to|rs\.|s?fr\.?|kr\.)"
    r"|USD|EUR|GBP|CHF|JPY|CNY|INR|AUD|CAD|NZD|SEK|NOK|DKK|PLN|CZK|HUF|BRL|MXN|ZAR|SGD|HKD|KRW|TRY"
    r"|US\$|R\$|A\$|C\$|HK\$|Rs|kr"
)
"""Words before a number that do not make it a name: about, and currencies' codes."""
_COMMA = re.compile(r"[+-]?\d*,\d+")
BOUNDS = "<>≤≥"
MARKS = f"{BOUNDS}~≈+*†‡§¶¹²³⁴⁵⁶⁷⁸⁹⁰"
NOTE = re.compile(r"(?<=[^\s\[])\s*\[[^\[\]]*\]")
"""A footnote's mark in brackets behind a number; where the bracket is among what does not count, nothing in it does."""
FEW_MARKED = 10
"""Different numbers with marks up to which they are words."""
_FLAG = re.compile(r"(?<=\d)\s[abcefpr]$")
"""A footnote's letter, as statistical offices put it behind a number."""
_MARKED = re.compile(rf"^(?:[{BOUNDS}~≈]|(?i:ca|circa|approx|about|around))\s?|(?<=\d)(?:[+*†‡§¶¹²³⁴⁵⁶⁷⁸⁹⁰]{{1,3}}|\s?\[[^\[\]]*\])$|{_FLAG.pattern}")
_CODED = {"$": "USD", "€": "EUR", "£": "GBP", "¥": "JPY", "₹": "INR"}
MOSTLY = 0.9
REPEATED = "the header stands in the file a second time: remove the line"
MANY = 20
FEW = 3
LONGEST_WORD = 30
"""Different words, and letters of one, up to which they are told."""


def numbers_of(table: Table, name: str, strip: str = "", units: Mapping[str, float] | None = None) -> np.ndarray:
    """A column as float64, NaN where a value is missing; the characters of `strip` do not count, and a number's `units` say how many times it does.

    Raises:
        LayerctlError: `data-not-a-number`, with what may be the cure.
    """
    if not (strip or units) or (isinstance(table.columns[name], np.ndarray) and table.columns[name].dtype.kind in "fiub"):
        try:
            return table.numbers(name)
        except BadRows as error:
            hint = REPEATED if any(table.columns[name][int(i)] == name for i in error.rows[:1]) else _cure(table, name)
            raise BadRows([d if d.hint else replace(d, hint=hint) for d in error.diagnostics], error.rows) from None
    texts = table.texts(name)
    plain = [None if t is None else _stripped(t, strip, table.decimal) for t in texts]
    if units:
        return _measured(table, name, plain, units)
    bad = [i for i, t in enumerate(plain) if t is not None and not _PLAIN.fullmatch(t)]
    if bad:
        table.refuse(name, np.array(bad), texts, "is not a number", _cure(table, name))
    out = np.array([np.nan if t is None else float(t) for t in plain], np.float64)
    if np.isinf(out).any():
        table.refuse(name, np.flatnonzero(np.isinf(out)), texts, "is too large for a number", TOO_LARGE)
    return out


def _measured(table: Table, name: str, plain: Sequence[str | None], units: Mapping[str, float]) -> np.ndarray:
    amounts = [np.nan if t is None else amount(t, units) for t in plain]
    bad = [i for i, a in enumerate(amounts) if a is None]
    if bad:
        table.refuse(name, np.array(bad), table.texts(name), f"is not a number with {_named(units)}",
                     "correct it, or say in the feature's `units` what its unit is worth")  # fmt: skip
    return np.array(amounts, np.float64)


def _named(units: Mapping[str, float]) -> str:
    marks = {CLOCK: "colons", FRACTION: "a fraction", HEX: "0x before it"}
    return next((said for mark, said in marks.items() if mark in units), f"one of the units {', '.join(map(repr, units))}")


def _stripped(text: str, strip: str, decimal: str) -> str:
    """The text without what does not count; with parentheses, or the typographic minus, in `strip` a number that has them is negative, as is one with a
    minus at an end where the minus is in `strip`. Where a point does not count, and no word does either, a comma is the decimal sign; where a letter with a
    point behind it is in `strip`, as in `Fr.`, a point counts unless it stands behind a letter."""
    ends = text.strip()[:1] + text.strip()[-1:]
    sign = "-" if any(c in text and c in strip for c in (NEGATIVE[0], *MINUS)) or ("-" in strip and "-" in ends) else ""
    text = NOTE.sub("", text) if "[" in strip else text
    if SHORTENED.search(strip):
        text, strip = SHORTENED.sub(lambda m: m[0][0], text), strip.replace(".", "")
    text = text.translate(dict.fromkeys(map(ord, strip)))
    if "." in strip and "," not in strip and not _LETTER.search(strip):
        decimal = ","
    return sign + (text.replace(".", "").replace(",", ".") if decimal == "," else text).strip()


def _pointed(text: str, decimal: str) -> str:
    """The text with a point before decimals and a comma between thousands."""
    return text.translate(str.maketrans(".,", ",.")) if decimal == "," else text


def strip_of(values: Sequence[str], decimal: str) -> str | None:
    """The characters without which all these texts are numbers, in a fixed order; None if there are no such characters.

    A currency or a percent sign must stand in all of them or in none: 12 % and 0.12 in one column are not the same thing.
    """
    if decimal == "." and all(map(_DOTTED.fullmatch, values)) and any(v.count(".") > 1 for v in values):
        more = strip_of([v.replace(".", ",") for v in values], decimal)
        return None if more is None else "".join(sorted({*more, "."} - {","}))
    if decimal == "." and any(map(_DECIMAL_COMMA.search, values)) and 2 * sum("," in v for v in values) > len(values):
        plain = all(_PLAIN.fullmatch(_stripped(v, "", ",")) for v in values)
        more = "" if plain else strip_of(values, ",")
        return None if more is None else "".join(sorted({*more, "."}))
    found: set[str] = set()
    signs: Counter[str] = Counter()
    for text in values:
        pointed = _pointed(text.strip(), decimal)
        bare = positive(pointed)
        if bare is not None:
            found.update(c for c in pointed if c in NEGATIVE + MINUS)
            found.update(pointed[-1:] if pointed[-1:] == "-" else "")
            pointed = bare
        match = _WRITTEN.fullmatch(pointed)
        if match is None and not _PLAIN.fullmatch(pointed):
            return None
        own = [c for c in pointed if c in CURRENCIES + PERCENT]
        signs.update(own)
        if match is not None:
            found.update(match[1] or match[2] or "", *own, *(c for c in pointed if c.isspace()))
    found.discard("")
    if not found or any(n != len(values) for n in signs.values()) or ("-" in found and any("e" in v.lower() for v in values)):
        return None
    if signs.keys() & set(CURRENCIES) and not found & set(_GROUPS):
        found.add(",")  # larger sums than these are written with it
    if decimal == ",":
        found.discard(",")
    return "".join(sorted(found))


def positive(text: str) -> str | None:
    """What a negative number in parentheses, behind a typographic minus or before a minus, is negative of; None for other texts."""
    sign = text[:1] if text[:1] in tuple(CURRENCIES) else ""
    rest = text[len(sign) :].lstrip()
    if rest[:1] == NEGATIVE[0] and rest[-1:] == NEGATIVE[1]:
        inner = rest[1:-1].strip()
    elif rest[:1] in tuple(MINUS):
        inner = rest[1:].strip()
    elif rest[-1:] in ("-", *MINUS):
        inner = rest[:-1].strip()
    else:
        return None
    return sign + inner if inner[:1] not in ("-", "+", *MINUS, NEGATIVE[0]) else None


def strip_of_measures(values: Sequence[str], decimal: str) -> str | None:
    """As `strip_of`, for numbers with the same around all of them: a unit behind (`12 kg`, `1,200 sq ft`, `$15/hr`), a currency's code or a word such as
    `approx.` before, or quotes as in `="12"`. Other words before a number, and noughts at its beginning, make it a name."""
    cut = [_AFFIXED.fullmatch(v) for v in values]
    around = {(m[1].strip(), m[3].strip()) if m else None for m in cut}
    before, after = around.pop() or ("", "") if len(around) == 1 else ("", "")
    letters = before.strip(CURRENCIES + " ")
    if set(after.lower()) in ({"x"}, {"*"}):
        return None  # digits that are not told
    if not (before or after) or before[:1] in tuple(BOUNDS) or (any(map(str.isalpha, letters)) and not _BEFORE.fullmatch(before)) or letters == "#":
        return None
    inner = [m[2] for m in cut if m is not None]
    if any(n[:1] == "0" and n[1:2].isdigit() for n in inner):
        return None
    plain = all(_PLAIN.fullmatch(_pointed(n, decimal)) for n in inner)
    more = "" if plain else strip_of(inner, decimal)
    if more is None:
        return None
    found_in = {*before, *after, *more, *(c for v in values for c in v if c.isspace())}
    short = SHORTENED.search(before)
    strip = "".join(sorted(found_in - set(short[0] if short else ""))) + (short[0] if short else "")
    found = [_stripped(v, strip, decimal) for v in values]
    alike = all(_PLAIN.fullmatch(t) and float(t) == float(_stripped(n, more, decimal)) for t, n in zip(found, inner, strict=True))
    return strip if alike else None


def strip_of_marks(values: Sequence[str], decimal: str) -> str | None:
    """As `strip_of`, for numbers some of which have a mark: `~12`, `about 12`, `<0.5`, `10,000+`, `3.2*`, `7†`, `7[a]`, `7 b`. Where less or
    more, or a letter, is marked, the most are numbers as they are; few different ones are words, such as the ages `<18` and `>65`."""
    bare = [_MARKED.sub("", v) for v in values]
    found = {c for v in values for m in _MARKED.findall(v) for c in (f"{m.strip()[:1]}{m.strip()[-1:]}" if "[" in m else m.strip())}
    bounds = sum(v[:1] in BOUNDS for v in values)
    flags = sum(_FLAG.search(v) is not None for v in values)
    if not found or "" in bare or len(set(bare)) <= FEW_MARKED or max(bounds, flags) > 0.5 * len(values):
        return None
    return _alike(values, bare, found, decimal)


def strip_of_some(values: Sequence[str], decimal: str) -> str | None:
    """As `strip_of`, for numbers of which some have a currency, by its sign or its code, and others have not; the currency is the same in all that do."""
    cut = [_AFFIXED.fullmatch(v) for v in values]
    around = {part.strip().lstrip("+-") for m in cut if m is not None for part in (m[1], m[3])} - {""}
    if not around or not all(cut) or not any(around <= {sign, code} for sign, code in _CODED.items()):
        return None
    bare = [f"{'-' if '-' in m[1] else ''}{m[2]}" for m in cut if m is not None]
    return _alike(values, bare, {c for a in around for c in a} | {","} - {decimal}, decimal)


def strip_of_percents(values: Sequence[str], decimal: str) -> str | None:
    """As `strip_of`, for percentages of which some lack their sign: those without one are as large as the others, and no shares."""
    bare = [v.strip().removesuffix(PERCENT).rstrip() for v in values]
    signed = [v.strip().endswith(PERCENT) for v in values]
    strip = _alike(values, bare, {PERCENT}, decimal) if any(signed) and not all(signed) and len(set(bare)) > FEW_MARKED else None
    if strip is None:
        return None
    most = {s: max(abs(float(_stripped(v, strip, decimal))) for v, own in zip(values, signed, strict=True) if own == s) for s in (True, False)}
    return strip if most[False] > 1.0 and most[False] < 2 * most[True] else None


def _alike(values: Sequence[str], bare: Sequence[str], found: set[str], decimal: str) -> str | None:
    """The characters found around numbers, with those that do not count in these: without them the texts are the same numbers; None if they are not."""
    plain = all(_PLAIN.fullmatch(_stripped(n, "", decimal)) for n in bare)
    more = "" if plain else strip_of(bare, decimal)
    if more is None:
        return None
    strip = "".join(sorted({*found, *more, *(c for v in values for c in v if c.isspace())}))
    made = [(_stripped(v, strip, decimal), _stripped(n, more, decimal)) for v, n in zip(values, bare, strict=True)]
    return strip if all(_PLAIN.fullmatch(t) and float(t) == float(n) for t, n in made) else None


def odd_ones(table: Table, name: str) -> tuple[np.ndarray, int]:
    """(rows whose value is no number, how many different numbers the others are)."""
    texts = table.texts(name)
    bad = [i for i, t in enumerate(texts) if t is not None and not _is_number(t, table.decimal)]
    inside = set(bad)
    return np.array(bad, np.int64), len({t for i, t in enumerate(texts) if t is not None and i not in inside})


def _is_number(text: str, decimal: str) -> bool:
    return _PLAIN.fullmatch(_stripped(text, "", decimal)) is not None


def is_mostly_numbers(table: Table, name: str) -> bool:
    """Whether nearly all values are numbers, many different ones, but some are not."""
    present = sum(t is not None for t in table.texts(name))
    bad, different = odd_ones(table, name)
    return bool(len(bad)) and different > MANY and len(bad) <= (1 - MOSTLY) * present


def _cure(table: Table, name: str) -> str | None:
    texts = [t for t in table.texts(name) if t is not None]
    bad = sorted({t for t in texts if not _is_number(t, table.decimal)})
    if table.decimal == "." and bad and all(_COMMA.fullmatch(t) for t in bad):
        return 'if commas are decimal signs, say `decimal: ","` in the data section; if they stand between thousands, `strip: ","` in the feature'
    if any(PERCENT in t for t in bad) and len(bad) < len(set(texts)):
        return "some values have a percent sign and some have none: write them alike"
    strip = strip_of(bad, table.decimal)
    if strip:
        return f'say which characters do not count: `strip: "{strip}"`'
    if bad and len(bad) <= FEW and max(map(len, bad)) <= LONGEST_WORD and not any(c.isdigit() for t in bad for c in t):
        listed = ", ".join(f'"{t}"' for t in bad)
        return f"if {listed} stands for a missing value, add it to `missing_values` in the data section; if the column holds words, say `kind: category`"
    return "correct it, list what stands for a missing value in `missing_values`, or say `kind: category` if the column holds words" if bad else None
