"""Lines that are no delimited text as they stand, guessed: in quotes as a whole, in columns of fixed widths, with typographic quotes."""

from __future__ import annotations

import csv
import re

from layerctl.data.examining.cutting import CERTAIN, DELIMITERS, RECORDS, best_cut, separators
from layerctl.spec.reading import WHITESPACE

LONGEST_LINE = 100_000
"""Characters of a line up to which it may be one field in quotes."""
PAIRS = ("“”", "„“", "«»", "‘’", "「」")
"""What opens and what closes a field where quotes are typographic."""
FEW_LINES = 5
"""Lines from which columns may be told by where all of them have blanks."""
BETTER = 0.02


def wrapped_by(text: str) -> str | None:
    """The delimiter within lines each of which is one field in quotes, as spreadsheets write lines that they did not cut; None for other lines."""
    lines = [line for line in text.split("\n", RECORDS)[:RECORDS] if 1 < len(line) < LONGEST_LINE]
    whole = next(csv.reader(lines[:1]), []) if len(lines) > 1 and all(line[0] == line[-1] == '"' for line in lines) else []
    cut = next((d for d in DELIMITERS[:-1] if len(whole) == 1 and d in whole[0]), None)
    return cut if cut is not None and all(len(r) == 1 and r[0].count(cut) >= whole[0].count(cut) for r in csv.reader(lines)) else None


def pair_of(text: str, usual: str, escape: str | None) -> str | None:
    """The typographic quotes that fields stand between: those of the header, or such as lines are cut more evenly by; None if there are none."""
    for pair in PAIRS:
        a, b = pair
        around = rf"(?:^|[,;\t|])[ ]*{a}[^{pair}\n]*{b}[ ]*(?=$|[,;\t|])"
        if len(re.findall(around, text[:20000], re.MULTILINE)) < FEW_LINES:
            continue
        head = text.partition("\n")[0]
        if re.search(around, head) or best_cut(translated(text, pair), usual, escape)[0] > best_cut(text, usual, escape)[0] + BETTER:
            return pair
    return None


def translated(text: str, pair: str) -> str:
    """The text with plain quotes in place of a pair."""
    return text.replace(pair[0], '"').replace(pair[1], '"')


def widths_of(text: str, usual: str, escape: str | None) -> list[int] | None:
    """How wide columns are, where no delimiter cuts lines evenly and all lines have blanks in the same places; None for other lines.

    Each has something in the first line. A column ends where its values do, or, where the next begins in the same place in all lines, there.
    """
    lines = [line.rstrip() for line in text.split("\n", RECORDS)[:RECORDS] if line.strip()]
    if len(lines) < FEW_LINES or "  " not in text or "\t" in text or max(map(len, lines)) > LONGEST_LINE // 10:
        return None
    longest = max(map(len, lines))
    taken = [any(i < len(line) and line[i] != " " for line in lines) for i in range(longest)]
    begins = [i for i in range(longest) if taken[i] and (i == 0 or not taken[i - 1])]
    begins = [b for b, e in zip(begins, [*begins[1:], longest], strict=True) if b == begins[0] or lines[0][b:e].strip()]  # else it is a word within a field
    ends = [max(i for i in range(b) if taken[i]) + 1 for b in begins[1:]]
    filled = [sum(bool(line[b:e].strip()) for line in lines) for b, e in zip(begins, [*begins[1:], longest], strict=True)]
    score, delimiter, _ = best_cut(text, usual, escape)
    if len(begins) < 2 or min(filled) * 2 < len(lines) or (score >= CERTAIN and delimiter != " ") or separators(text, usual, escape)[0] == WHITESPACE:
        return None
    cuts = [0]
    for begin, end in zip(begins[1:], ends, strict=True):
        aligned = all(begin < len(line) and line[begin] != " " for line in lines[1:])
        cuts.append(begin if aligned else end)
    return [b - a for a, b in zip(cuts, [*cuts[1:], longest], strict=True)]
