"""Dates as people write them, where strptime is stricter: quarters, ordinals, names of time zones, months of other languages. Exported programs have
a copy of this file's functions."""

from __future__ import annotations

import datetime
import re

from layerctl.data.months import english

ORDINAL = re.compile(r"(?i)\b(\d{1,2})(?:st|nd|rd|th)\b(?:\s+of\b)?")
NOON = re.compile(r"(?i)\b([ap])\.\s?m\.")
ZONE = re.compile(r"\b([A-Z]{1,4})\b(?:(?<=GMT|UTC)([+-]\d{1,2})(?::?([0-5]\d))?\b)?(?=[^A-Za-z]*$)")
"""The last word in capital letters, behind which no other word stands; UTC may be so many hours, and minutes, off."""
ZONES = {name: hours for hours, names in {
    -10: "HST", -9: "AKST", -8: "PST AKDT", -7: "PDT MST", -6: "CST MDT", -5: "EST CDT", -4: "EDT AST", -3: "ADT BRT ART", -2.5: "NDT", -3.5: "NST",
    0: "UTC GMT Z WET", 1: "CET MEZ BST WEST", 2: "CEST MESZ EET SAST", 3: "EEST MSK", 5: "PKT", 5.5: "IST", 7: "WIB ICT", 8: "SGT HKT AWST PHT",
    9: "JST KST", 9.5: "ACST", 10: "AEST", 10.5: "ACDT", 11: "AEDT", 12: "NZST", 13: "NZDT",
}.items() for name in names.split()}  # fmt: skip
"""Hours that the clocks of a zone are ahead of UTC, by the name that it has in most texts: CST is America's, IST India's, BST Britain's summer."""


def parsed(text: str, form: str) -> datetime.datetime:
    """As strptime, which has no `%q`: a quarter, of which the first day is meant; `%b` and `%B` are months in other languages too, `%Z` is the name of
    a zone, `%p` may have dots, and a day's number may be an ordinal.

    Raises:
        ValueError: for a text of another form.
    """
    if "%q" in form:
        found = re.fullmatch(re.sub("%[A-Za-pr-z]", ".+?", re.escape(form)).replace("%q", "([1-4])"), text)
        if found is None:
            raise ValueError(f"{text!r} is not of the form {form!r}")
        text, form = f"{text[: found.start(1)]}{3 * int(found[1]) - 2:02d}{text[found.end(1) :]}", form.replace("%q", "%m")
    if "%Z" in form:
        named = ZONE.search(text)
        if named is None or named[1] not in ZONES:
            raise ValueError(f"{text!r} has no time zone of a known name")
        more = 60 * abs(int(named[2] or 0)) + int(named[3] or 0)
        minutes = int(60 * ZONES[named[1]]) + (-more if (named[2] or "")[:1] == "-" else more)
        offset = f"{'-' if minutes < 0 else '+'}{abs(minutes) // 60:02d}{abs(minutes) % 60:02d}"
        text, form = text[: named.start()] + offset + text[named.end() :], form.replace("%Z", "%z")
    try:
        return datetime.datetime.strptime(text, form)
    except ValueError:
        plain = NOON.sub(r"\1m", ORDINAL.sub(r"\1", text)) if "%d" in form else text
        plain = english(plain, "%b" in form) if "%b" in form or "%B" in form else plain
        if plain == text:
            raise
        return datetime.datetime.strptime(plain, form)
