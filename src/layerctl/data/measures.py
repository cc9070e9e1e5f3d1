"""Numbers with units that count: `2h 50m`, `19M` beside `850k`, `5'11"`, the clock's `35:57:47`; and what the units of a column are worth."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence

CLOCK, FRACTION, HEX = ":", "/", "0x"
"""The units of numbers with colons between them, each of which is so many of the next; of fractions, such as 1 3/4; and of hexadecimal numbers."""
OUT_OF = re.compile(r"([+-]?\d+(?:\.\d+)?)\s*((?:/|(?i:out of))\s*(\d+)(?:\s*[^\W\d_]+)?)")
"""So many of so many, as ratings are written: its unit is all that stands behind the number."""
FEW_SCALES = 3
_PART = re.compile(r"\s*,?\s*(\d+(?:\.\d*)?|\.\d+)\s*([^\d\s.,+-]*)")
_FRACTION = re.compile(r"(\d+(?:\.\d+)?)?(?:(?:^|(?<=\d)[ -])(\d+)/0*([1-9]\d*))?")
_HEX = re.compile(r"0[xX]([0-9a-fA-F]{1,8})")
_ON_CLOCK = re.compile(r"\d+(?::[0-5]\d){1,2}(?:\.\d+)?")
FEW_MEASURED = 10
"""Different numbers with units up to which they are words."""
FEW_PARTS, MOST_PARTS = 8, 64
"""Different denominators of fractions, and the largest."""
FEW_UNKNOWN, MANY_MEASURED = 3, 20
"""Units of no known kind up to which each is taken to be worth one, as `kmpl` beside `km/kg`, and different numbers from which they are no words."""


def _spelled(worth: Mapping[str, float]) -> dict[str, float]:
    return {word: value for words, value in worth.items() for word in words.split()}


FAMILIES: tuple[dict[str, float], ...] = (
    _spelled({"s sec secs second seconds": 1 / 60, "m min mins minute minutes": 1, "h hr hrs hour hours": 60, "d day days": 1440,
              "w wk wks week weeks": 10080}),
    _spelled({"day days": 1, "week weeks": 7, "month months mo mos mon mons": 30.4375, "year years yr yrs y": 365.25}),
    _spelled({"mm": 0.001, "cm": 0.01, "m": 1, "km": 1000}),
    {**_spelled({"' ft feet foot ’ ′": 12, "\" in inch inches ” ″ ''": 1}), "": 1},
    _spelled({"mg": 1e-6, "g gr gm grams": 0.001, "kg kgs": 1, "t": 1000}),
    _spelled({"lb lbs pound pounds": 1, "oz ounce ounces": 1 / 16}),
    _spelled({"KB kB": 2**-10, "MB": 1, "GB": 2**10, "TB": 2**20}),
    {**_spelled({"k K": 1e3, "m M mn Mn Mio mil million Million": 1e6, "B b bn Bn billion Billion": 1e9, "T tn trillion": 1e12}), "": 1},
    {**_spelled({"L Lac Lacs Lakh Lakhs lakh": 1e5, "Cr cr Crore Crores crore": 1e7}), "": 1},
    _spelled({"st nd rd th": 1}),
    {**_spelled({"CR Cr cr": 1, "DR Dr dr": -1}), "": 1},
    _spelled({"S": 1 / 60, "M": 1, "H": 60, "D": 1440, "W": 10080}),
    _spelled({"N °N": 1, "S °S": -1}),
    _spelled({"E °E": 1, "W °W": -1}),
)  # fmt: skip
"""Units of one kind, and what each is worth in one of them: minutes, days, metres, inches, kilograms, pounds, megabytes, ones, ones, places, minutes of
ISO 8601, what stands to one's credit, degrees to the north and to the east."""


def amount(text: str, units: Mapping[str, float]) -> float | None:
    """What the numbers of a text come to, each as many times as its unit is worth; None for a text that is no such number."""
    text = text.strip()
    sign, text = (-1.0, text[1:]) if text[:1] == "-" else (1.0, text)
    if CLOCK in units:
        if not _ON_CLOCK.fullmatch(text):
            return None
        total = 0.0
        for piece in text.split(CLOCK):
            total = total * units[CLOCK] + float(piece)
        return sign * total
    if FRACTION in units:
        match = _FRACTION.fullmatch(text) if text else None
        return None if match is None else sign * units[FRACTION] * (float(match[1] or 0) + (int(match[2]) / int(match[3]) if match[2] else 0.0))
    if HEX in units:
        match = _HEX.fullmatch(text)
        return None if match is None else sign * units[HEX] * int(match[1], 16)
    if (match := OUT_OF.fullmatch(text)) is not None:
        return None if match[2] not in units else sign * units[match[2]] * float(match[1])
    total, at = 0.0, 0
    while at < len(text):
        match = _PART.match(text, at)
        if match is None or match[2] not in units:
            return None
        total, at = total + float(match[1]) * units[match[2]], match.end()
    return sign * total if at else None


def written(value: float, units: Mapping[str, float]) -> str:
    """A number as `amount` reads it, about as large: whole seconds on a clock, eighths, a whole hexadecimal number, else in one unit."""
    if CLOCK in units:
        seconds = int(abs(value))
        return f"{seconds // 3600}:{seconds // 60 % 60:02d}:{seconds % 60:02d}"
    if HEX in units:
        return f"0x{int(abs(value)):x}"
    if FRACTION in units:
        return f"{int(8 * abs(value))}/8"
    unit, worth = next((u, w) for u, w in units.items() if w)
    return f"{value / worth:.6f}{unit}"


def units_of(values: Sequence[str]) -> dict[str, float] | None:
    """The units by which all these texts are numbers: two of one kind or more, a few of no known kind, each worth one, or the clock's where it shows more
    than a day has; else None. Of up to ten different texts each is a word."""
    if len(values) <= FEW_MEASURED:
        return None
    if all(map(_ON_CLOCK.fullmatch, values)):
        return {CLOCK: 60.0}
    if all(map(_HEX.fullmatch, values)):
        return {HEX: 1.0}
    if _are_fractions(values):
        return {FRACTION: 1.0}
    if all(out := [OUT_OF.fullmatch(v) for v in values]) and len(of := {m[2]: float(m[3]) for m in out if m is not None}) <= FEW_SCALES and all(of.values()):
        return {tail: max(of.values()) / most for tail, most in sorted(of.items())}
    found = _units_in(values)
    if len(found) < 2:
        return None
    for family in FAMILIES:
        if found <= family.keys() and all(amount(v, family) is not None for v in values):
            return {u: float(family[u]) for u in sorted(found | family.keys() & {""})}
    alike = dict.fromkeys(sorted(found), 1.0)
    single = all(len(_PART.findall(v)) == 1 and amount(v, alike) is not None for v in values)
    if single and len(found) <= FEW_UNKNOWN and len(values) > MANY_MEASURED and all(len(u) > 1 for u in found):
        return alike
    return None


def shares_of(values: Sequence[str]) -> dict[str, float] | None:
    """The units of percentages beside shares, `12 %` and `0.12`: none of those without a sign is more than one, and most of the others are; else None."""
    signed = [amount(v, {"%": 1.0}) for v in values if v.endswith("%")]
    bare = [amount(v, {"": 1.0}) for v in values if not v.endswith("%")]
    if len(values) <= FEW_MEASURED or not signed or not bare or None in signed or None in bare:
        return None
    large = sum(abs(x) > 1.0 for x in signed if x is not None)
    return {"": 1.0, "%": 0.01} if all(abs(x) <= 1.0 for x in bare if x is not None) and 2 * large > len(signed) else None


def _are_fractions(values: Sequence[str]) -> bool:
    """Whether these are fractions of a few parts, some perhaps with a whole number before them: other numbers with a slash between are two numbers."""
    found = [_FRACTION.fullmatch(v) for v in values]
    parts = {int(m[3]) for m in found if m is not None and m[3]}
    return all(found) and bool(parts) and len(parts) <= FEW_PARTS and max(parts) <= MOST_PARTS


def _units_in(values: Iterable[str]) -> set[str]:
    return {unit for v in values for _, unit in _PART.findall(v)}
