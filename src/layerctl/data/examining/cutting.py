"""How the lines of a table are cut into fields, guessed: by which delimiter and quote most have as many."""

from __future__ import annotations

import csv
import io
import re
from typing import Any

from layerctl.data.delimited import ESCAPE
from layerctl.data.examining.words import looks_like_value
from layerctl.spec.reading import WHITESPACE

SAMPLE = 1 << 20
"""Bytes from the beginning that delimiter, quotes and header are guessed from."""
RECORDS = 2000
DELIMITERS = (",", "\t", ";", "|", " ")
RARE = ("^", "~", "\x1f", "\x01", "#", ":")
"""Delimiters where no other cuts lines at all, and all lines have as many."""
ONE_COLUMN, CERTAIN = 0.1, 0.98
"""How well a delimiter does that cuts nothing, and one that cuts nearly all lines alike."""
ONE_OFF = 0.9
"""The share of equal lines from which a first line of one field less may be a header without a name for the rows'."""
BLANKS = 0.15
"""What blanks as delimiters have to be better by."""
UNNAMED = 0.1
"""What a header that names one column less costs: commas in the numbers of one column alone look like one."""
MANY_MORE = 2
"""How many times more columns any number of blanks has to make where another delimiter does as well."""


def rows_of(text: str, delimiter: str, quote: str | None, most: int = RECORDS, escape: str | None = None) -> list[list[str]]:
    """The first records that are not blank, as lists of fields without blanks around them."""
    options: dict[str, Any] = {"delimiter": delimiter, "skipinitialspace": delimiter != " ", "escapechar": escape}
    reader = (
        csv.reader(io.StringIO(text), quoting=csv.QUOTE_NONE, **options)
        if quote is None
        else csv.reader(io.StringIO(text), quotechar=quote, **options)
    )
    out: list[list[str]] = []
    try:
        for row in reader:
            if any(f.strip() for f in row):
                out.append([f.strip() for f in row])
            if len(out) >= most:
                break
    except csv.Error:
        return out
    return out


def best_cut(text: str, usual: str, escape: str | None) -> tuple[float, str, str | None]:
    """(how even, delimiter, quote) of the delimiter and quote by which most records have the same number of fields."""
    quotes = _quotes(text)
    best: tuple[float, str, str | None] = (-1.0, usual, '"')
    for delimiter in (usual, *(d for d in DELIMITERS if d != usual), *RARE):
        if delimiter in RARE and best[0] > ONE_COLUMN:
            break
        for quote in quotes:
            score = _regularity(rows_of(text, delimiter, quote, escape=escape), text, delimiter, quote)
            if score > best[0] + (0.0 if delimiter == best[1] else 0.02):
                best = (score, delimiter, quote)
    return best


def _quotes(text: str) -> list[str | None]:
    """The quotes that may be some; none at all is tried where there are any."""
    quotes: list[str | None] = ['"', None] if '"' in text else ['"']
    return ["'", *quotes] if text.count("'") > 4 and _encloses(text, "'") else quotes


def separators(text: str, usual: str, escape: str | None) -> tuple[str, str | None, str]:
    """The delimiter and quote by which most records have the same number of fields; the format's own where others are no better."""
    best = best_cut(text, usual, escape)
    _, delimiter, quote = best
    if delimiter in RARE and best[0] < CERTAIN:
        delimiter = usual
    if delimiter in (usual, " ", "\t") and "  " in text:
        width = max((len(r) for r in rows_of(text, delimiter, quote, 1, escape)), default=1)
        for around in _quotes(text):
            rows = rows_of(tightened(text), " ", around, escape=escape)
            score = _regularity(rows, text, " ", around)
            if score > CERTAIN - BLANKS and (score > best[0] or len(rows[0]) >= MANY_MORE * width):
                return WHITESPACE, around, "blanks and tabs, as many as there are, cut most lines into the same number of fields"
    if quote is not None and _swallows(text, delimiter, quote, escape):
        quote = None
    shown = {"\t": "tabs", " ": "blanks", "\x1f": "unit separators", "\x01": "control characters"}.get(delimiter, f"'{delimiter}'")
    return delimiter, quote, f"{shown} cut most lines into the same number of fields"


def delimiter_escaped(text: str, delimiter: str, quote: str | None) -> bool:
    """Whether lines are cut into more equal numbers of fields where backslashes keep delimiters from cutting."""
    if ESCAPE + delimiter not in text:
        return False
    plain, other = (_regularity(rows_of(text, delimiter, quote, escape=e), text, delimiter, quote) for e in (None, ESCAPE))
    return other > plain


def tightened(text: str) -> str:
    """The text with one blank for each run of blanks and tabs, and none at the ends of lines."""
    return re.sub(r"(?m)^ | $", "", re.sub(r"[ \t]+", " ", text))


def _encloses(text: str, quote: str) -> bool:
    return (
        len(re.findall(rf"(?:^|[,;\t|])\s*{quote}[^{quote}\n]*{quote}\s*(?=$|[,;\t|])", text[:20000], re.MULTILINE)) > 4
    )


def _swallows(text: str, delimiter: str, quote: str, escape: str | None) -> bool:
    """Whether quotes, read as such, join lines that are whole records without them."""
    if quote not in text:
        return False
    plain = rows_of(text, delimiter, None, SAMPLE, escape)
    regular = len({len(r) for r in plain}) == 1 and len(plain[0]) > 1
    return regular and any("\n" in f for r in rows_of(text, delimiter, quote, SAMPLE, escape) for f in r)


def _regularity(rows: list[list[str]], text: str, delimiter: str, quote: str | None) -> float:
    """The share of records with the most frequent number of fields; a single column, lines swallowed by quotes and halves of quotes cost."""
    if not rows:
        return -1.0
    widths = [len(r) for r in rows]
    width = max(set(widths), key=widths.count)
    share = widths.count(width) / len(widths)
    if width == 1:
        return ONE_COLUMN * share
    fields = [f for r in rows for f in r]
    stray = sum(1 for f in fields if f[:1] == '"' and f[-1:] == '"' and len(f) > 1) if quote is None else 0
    swallowed = sum(f.count("\n") for f in fields) if quote is not None else 0
    longest = max((f.count("\n") for f in fields), default=0)
    unnamed = widths[0] != width and share > ONE_OFF and is_short(rows)
    penalty = (
        (0.9 if delimiter == " " else 0.3) * (widths[0] != width and not unnamed)
        + UNNAMED * unnamed
        + 0.5 * stray / len(fields)
        + (0.6 if longest > 30 else 0.0)
        + (0.2 if swallowed > 2 * len(rows) else 0.0)
    )
    return share - penalty - (BLANKS if delimiter == " " else 0.0)


def is_short(rows: list[list[str]]) -> bool:
    """Whether the first line names one column less than all others have fields, whose first are all different, as R writes tables with rows' names."""
    firsts = [r[0] for r in rows[1:]]
    longer = len(rows) > 2 and all(len(r) == len(rows[0]) + 1 for r in rows[1:])
    return longer and len(set(firsts)) == len(firsts) and not any(map(looks_like_value, rows[0]))
