"""Columns of lists: a few words in many combinations, such as `drama|comedy` or `['wifi', 'pool']`; as many numbers in each, such as `120/80`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping

from layerctl.data.examining.words import numeric
from layerctl.data.vectors import LONGEST, fields_of

SEPARATORS = ("|", ";", ",", "/", "+")
MANY_LISTS = 20
"""Different lists below which each is a word, as it is where it has as many rows."""
NUMBERS_BETWEEN = ("", "/", "x", "X", "×", "±", "-", "–", "to")
RANGES = ("-", "–", "to")
"""What stands between the ends of a range, of which the second is not the lesser."""
PHRASE = 3
"""Words up to which what stands in a list is one thing, on average: parts of sentences have more."""
FEWER, OFTEN, JOINED = 0.5, 5, 0.3
"""How many words there may be for each list; in how many rows a word stands on average; the share of rows with two words or more."""
_AROUND = " \t[]{}()'\""


def words_of(text: str, separator: str) -> list[str]:
    """The words of a list, without the marks around it and them."""
    return [w for part in text.split(separator) if (w := part.strip(_AROUND))]


def separator_of(counts: Mapping[str, int]) -> str | None:
    """What stands between the words of these different texts, of which it is told how often each occurs; None if they are no lists."""
    rows = sum(counts.values())
    if len(counts) < MANY_LISTS or rows >= MANY_LISTS * len(counts):
        return None
    for mark in SEPARATORS:
        if sum(n for v, n in counts.items() if mark in v) < JOINED * rows:
            continue
        found: Counter[str] = Counter()
        twice = 0
        for text, n in counts.items():
            words = words_of(text, mark)
            twice += n * (len(set(words)) < len(words))
            found.update(dict.fromkeys(words, n))
        known = len(found) <= FEWER * len(counts) and found.total() >= OFTEN * len(found)
        short = sum(n * len(w.split()) for w, n in found.items()) <= PHRASE * found.total()
        numbers = sum(n for w, n in found.items() if w[:1].isdigit())
        if known and short and twice <= (1 - FEWER) * rows and numbers <= (1 - FEWER) * found.total():
            return mark
    return None


def numbers_in(values: Collection[str]) -> tuple[int, str] | None:
    """(how many numbers stand in each of these texts, what stands between them; "" for commas and semicolons), if it is as many in all, two or more; with
    slashes no more than two, since three are days. A dash stands between the two ends of a range."""
    if len(values) < MANY_LISTS:
        return None
    for mark in NUMBERS_BETWEEN:
        if not all(any(sign in v for sign in mark or ",;") for v in values):
            continue
        cut = [fields_of(v, mark or None) for v in values]
        size = len(cut[0])
        most = 2 if mark == "/" or mark in RANGES else LONGEST
        if not (2 <= size <= most and all(len(c) == size and all(map(numeric, c)) for c in cut)):
            continue
        if mark not in RANGES or all(float(low) <= float(high) for low, high in cut):
            return size, mark
    return None
