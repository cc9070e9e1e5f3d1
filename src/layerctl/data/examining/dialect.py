"""How a file of data is written, guessed from its bytes: format, encoding, delimiter, quotes, header, decimal sign."""

from __future__ import annotations

import csv
import io
import os
import re
import string
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from layerctl.data import zips
from layerctl.data.delimited import COMMENTS, ESCAPE, LONGEST_MARK, MARK, told_apart
from layerctl.data.examining.encodings import encoding_of, text_of
from layerctl.data.examining.words import NOTHING, looks_like_value, numeric
from layerctl.data.images import ENDINGS
from layerctl.data.jsonarrays import begins_as_json
from layerctl.data.numbers import CURRENCIES, MINUS, NEGATIVE, PERCENT
from layerctl.data.readers import BUILTIN, Files, format_of
from layerctl.data.streams import Stream
from layerctl.diagnostics import Source, Span, fail
from layerctl.source.files import instead
from layerctl.spec.data import MISSING
from layerctl.spec.reading import WHITESPACE, Reading

UNREADABLE = "take a copy of the file that is whole, and check the disk"
SAMPLE = 1 << 20
"""Bytes from the beginning that delimiter, quotes and header are guessed from."""
RECORDS = 2000
_SIGNS = {b"\x93NUMPY": "npz", b"PAR1\x15": "parquet", b"ARROW1\0": "arrow"}
DELIMITERS = (",", "\t", ";", "|", " ")
RARE = ("^", "~", "\x1f", "\x01", "#", ":")
"""Delimiters where no other cuts lines at all, and all lines have as many."""
ONE_COLUMN, CERTAIN = 0.1, 0.98
"""How well a delimiter does that cuts nothing, and one that cuts nearly all lines alike."""
ONE_OFF = 0.9
"""The share of equal lines from which a first line of one field less may be a header without a name for the rows'."""
ROW_NAMES = "row_names"
BLANKS = 0.15
"""What blanks as delimiters have to be better by."""
VALUES = 60
"""About how many values of a column are looked at to tell whether it has any: each may have to be read by all forms of dates."""
MOST_TITLES = 10
"""Lines of titles that may stand above a header."""
LONGEST_LINE = 100_000
"""Characters of a line up to which it may be one field in quotes."""
MANY_MORE = 2
"""How many times more columns any number of blanks has to make where another delimiter does as well."""
_HAS_DECIMAL_COMMA = re.compile(r"[+-]?(?:\d{1,3}(?:\.\d{3})*|\d+),\d+(?:[eE][+-]?\d+)?", re.ASCII)
_HAS_DECIMAL_POINT = re.compile(r"[+-]?\d*\.\d+(?:[eE][+-]?\d+)?", re.ASCII)
_AROUND = f" {CURRENCIES}{PERCENT}{NEGATIVE}{MINUS}{string.ascii_letters}"
_QUOTE_ESCAPED = re.compile(r"""(?:^|[,;\t| ])"[^"\n]*\\"[^",;\t|\s]""", re.MULTILINE)
"""A field in quotes in which a backslash stands before a quote that does not end it."""
_GROUPED = re.compile(r"[+-]?[1-9]\d{0,2}(?:,\d{3})+", re.ASCII)


@dataclass(frozen=True)
class Dialect:
    """How a file is read, and why it is taken to be so; `columns` are made-up names where there is no header, or it has a name twice."""

    reading: Reading
    why: dict[str, str] = field(default_factory=dict)
    header: bool = True

    def settings(self) -> dict[str, object]:
        """The entries of a data section that read the file as it was read here, without those that go without saying."""
        r = self.reading
        plain = {
            "format": r.format,
            "columns": r.columns,
            "delimiter": r.delimiter,
            "quote": r.quote,
            "escape": r.escape,
            "comment": r.comment,
            "skip": r.skip,
            "decimal": r.decimal,
            "encoding": r.encoding,
        }
        usual = {"quote": '"', "skip": [], "decimal": ".", "encoding": "utf-8"}
        return {k: v for k, v in plain.items() if v != usual.get(k)}


def guess(path: str, missing: tuple[str, ...] = MISSING, goals: frozenset[str] = frozenset(), passing: bool = False) -> Dialect:
    """The dialect of a file, or of a builtin set; a first line with one of the `goals` in it is the header. With `passing` titles above the header are
    lines to skip, else they are refused.

    Raises:
        LayerctlError: for a file that is not there, cannot be read, or is empty.
    """
    plain = Reading(None, None, None, '"', None, None, ".", "utf-8", list(missing), [])
    if path.startswith(BUILTIN):
        return Dialect(plain)
    if path == "-":
        fail("bad-option", "standard input can be read once only, and is looked at several times here", Span(Source("<stdin>")),
             hint="write it to a file first, as in `cat > rows.csv`; training and prediction read it as it comes")  # fmt: skip
    path = Files.of(path).paths[0]
    if format_of(path, plain) == "images" and any(p.is_dir() or p.suffix.lower() in ENDINGS for p in Path(path).iterdir()):
        return Dialect(plain)
    kind, place = format_of(path, plain), Span(Source(path))
    told = _told(path)
    if told is not None:
        return Dialect(replace(plain, format=None if kind == told else told), {} if kind == told else {"format": "by its first bytes"})
    if kind not in ("csv", "tsv"):
        return Dialect(plain)
    head = _head(path)
    if not head.strip():
        fail("file-empty", "the file has no data", place, hint="give a file with rows")
    encoding, reason = encoding_of(path, head, goals)
    if b"\0" in head and encoding == "utf-8":
        return Dialect(plain)  # no text: whoever reads the rows says so
    why = {"encoding": reason} if reason else {}
    text = text_of(head, encoding).replace("\r\n", "\n").replace("\r", "\n")
    if len(head) >= SAMPLE and "\n" in text:
        text = text[: text.rindex("\n") + 1]
    if kind == "csv" and begins_as_json(text.encode()) and text.lstrip().startswith("["):
        return Dialect(replace(plain, format="jsonl", encoding=encoding), {**why, "format": "it is a JSON array"})
    if kind == "csv" and text.lstrip().startswith("{") and _is_json_lines(text):
        return Dialect(
            replace(plain, format="jsonl", encoding=encoding), {**why, "format": "each line is a JSON object"}
        )
    return _delimited(text, replace(plain, encoding=encoding), kind, why, goals, place, passing)


def _delimited(
    text: str, plain: Reading, kind: str, why: dict[str, str], goals: frozenset[str], place: Span, passing: bool
) -> Dialect:  # fmt: skip
    usual = "\t" if kind == "tsv" else ","
    mark = MARK.match(text[: 2 * LONGEST_MARK].encode())
    if mark is not None:
        text = text.partition("\n")[2]
    escape = ESCAPE if _QUOTE_ESCAPED.search(text) else None
    _refuse_quoted_lines(text, place)
    text, comment, above = without_comments(text, usual, escape)
    if comment is not None:
        why["comment"] = f"lines that begin with it are cut into another number of fields, such as {above[0][:40]!r}"
    delimiter, quote, reason = _separators(text, usual, escape)
    if mark is not None and (named := mark[2].decode()).isprintable() and len(_rows(text, named, quote, 1, escape)[0]) > 1:
        delimiter, reason = named, "the first line says so, as Excel has it"
    why, runs = {**why, **({"delimiter": reason} if delimiter != usual else {})}, False
    if escape is None and _delimiter_escaped(text, delimiter, quote):
        escape = ESCAPE
    if escape is not None:
        why["escape"] = "a backslash stands before quotes or delimiters that are a field's own"
    if delimiter == WHITESPACE:
        text, delimiter = _tightened(text), " "
        runs = True
    rows = _rows(text, delimiter, quote, escape=escape)
    skip = _titles(text, rows, goals, delimiter, quote, escape) if passing else []
    if skip:
        rows, why["skip"] = rows[len(skip) :], "what stands above the header"
    _refuse_title(rows, place)
    width = len(rows[0]) if rows else 1
    header, told = (True, "") if rows and goals & set(rows[0]) and not all(map(looks_like_value, rows[0])) else _has_header(rows, width)
    if quote is None:
        why["quote"] = "with them as quotes, lines would run into each other"
    elif quote == "'":
        why["quote"] = "fields stand between apostrophes"
    columns = None
    if not header and (named := _named_above(above, comment, delimiter, width)):
        columns, why["columns"] = named, "the comment above the rows names them"
    elif not header:
        columns, why["columns"] = [f"column_{i + 1}" for i in range(width)], told
    elif len(named := [f for f in rows[0] if f]) > len(set(named)):
        twice = next(f for i, f in enumerate(named) if f in named[:i])
        columns, why["columns"] = told_apart(rows[0]), f"the header names '{twice}' twice: here each column has a name of its own"
    if passing and header and _is_short(rows) and (line := _line_of(rows[0], text, delimiter, quote, escape)) is not None:
        columns, skip = told_apart([ROW_NAMES, *rows[0]]), [*skip, line]
        why["columns"], why["skip"] = "the header names one column less than there are: the first are the rows' names", "what stands above the rows"
    decimal = "."
    if _decimal_comma(rows[1:] if header else rows, delimiter):
        decimal, why["decimal"] = ",", "numbers are written as 1,5"
    made = replace(
        plain,
        delimiter=WHITESPACE if runs else None if delimiter == usual else delimiter,
        quote="none" if quote is None else quote,
        escape=escape,
        comment=comment,
        decimal=decimal,
        columns=columns,
        skip=skip,
    )
    return Dialect(made, why, header)


def _head(path: str) -> bytes:
    """The first bytes, unpacked where they are packed."""
    head = b""
    for piece in Stream(path, "utf-8", Span(Source(path))).unpacked():
        head += piece
        if len(head) >= SAMPLE:
            break
    return head[:SAMPLE]


def _told(path: str) -> str | None:
    """The format that a file's first bytes tell, of those that are no text."""
    place = Span(Source(path))
    try:
        if os.path.isdir(path):
            fail("file-unreadable", "this is a folder, not a file of data", place, hint="name a file in it")
        with open(path, "rb") as file:
            head = file.read(8)
        if head.startswith(zips.SIGN):
            return "npz" if zips.holds_arrays(path) else None
        return next((kind for sign, kind in _SIGNS.items() if head.startswith(sign)), None)
    except FileNotFoundError:
        fail("file-not-found", f"there is no file {path}{instead(path)}", place, hint="the path starts from the folder you are in")
    except OSError as error:
        fail("file-unreadable", f"cannot read {path}: {error.strerror or error}", place, hint=UNREADABLE)
    return None


def _is_json_lines(text: str) -> bool:
    import json

    try:
        return all(isinstance(json.loads(line), dict) for line in text.split("\n", 3)[:2] if line.strip())
    except (ValueError, RecursionError):
        return False


def without_comments(text: str, usual: str, escape: str | None) -> tuple[str, str | None, list[str]]:
    """(the text without lines of comment, what these begin with, the lines): most of them are cut into other numbers of fields than the rows are,
    or several stand above all rows."""
    lines = text.split("\n")
    for sign in COMMENTS:
        noted = [line for line in lines if line.startswith(sign)]
        rest = "\n".join(line for line in lines if not line.startswith(sign))
        if not noted or not rest.strip():
            continue
        delimiter, quote, _ = _separators(rest, usual, escape)
        widths = [len(r) for r in _rows(rest, delimiter, quote, escape=escape)]
        width = max(set(widths), key=widths.count)
        others = sum(len(next(iter(_rows(line, delimiter, quote, escape=escape)), [])) != width for line in noted)
        leading = next(i for i, line in enumerate(lines) if line.strip() and not line.startswith(sign))
        if others * 2 > len(noted) or (others and leading >= len(noted)) or (len(noted) > 1 and leading >= len(noted)):
            return rest, sign, noted
    return text, None, []


def _named_above(noted: list[str], comment: str | None, delimiter: str, width: int) -> list[str] | None:
    """The columns' names, where the last comment above the rows has as many words as they have fields."""
    for line in reversed(noted):
        named = next(iter(_rows(line.lstrip(f"{comment} "), delimiter, None)), [])
        if len(named) == width and all(named) and len(set(named)) == width and not any(map(looks_like_value, named)):
            return named
    return None


def _delimiter_escaped(text: str, delimiter: str, quote: str | None) -> bool:
    """Whether lines are cut into more equal numbers of fields where backslashes keep delimiters from cutting."""
    if ESCAPE + delimiter not in text:
        return False
    plain, other = (_regularity(_rows(text, delimiter, quote, escape=e), text, delimiter, quote) for e in (None, ESCAPE))
    return other > plain


def _rows(text: str, delimiter: str, quote: str | None, most: int = RECORDS, escape: str | None = None) -> list[list[str]]:
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


def _separators(text: str, usual: str, escape: str | None) -> tuple[str, str | None, str]:
    """The delimiter and quote by which most records have the same number of fields; the format's own where others are no better."""
    quotes: list[str | None] = ['"', None] if '"' in text else ['"']
    if text.count("'") > 4 and _encloses(text, "'"):
        quotes.insert(0, "'")
    best: tuple[float, str, str | None] = (-1.0, usual, '"')
    for delimiter in (usual, *(d for d in DELIMITERS if d != usual), *RARE):
        if delimiter in RARE and best[0] > ONE_COLUMN:
            break
        for quote in quotes:
            score = _regularity(_rows(text, delimiter, quote, escape=escape), text, delimiter, quote)
            if score > best[0] + (0.0 if delimiter == best[1] else 0.02):
                best = (score, delimiter, quote)
    _, delimiter, quote = best
    if delimiter in RARE and best[0] < CERTAIN:
        delimiter = usual
    if delimiter in (usual, " ", "\t") and "  " in text:
        width = max((len(r) for r in _rows(text, delimiter, quote, 1, escape)), default=1)
        for around in quotes:
            rows = _rows(_tightened(text), " ", around, escape=escape)
            score = _regularity(rows, text, " ", around)
            if score > CERTAIN - BLANKS and (score > best[0] or len(rows[0]) >= MANY_MORE * width):
                return WHITESPACE, around, "blanks and tabs, as many as there are, cut most lines into the same number of fields"
    if quote is not None and _swallows(text, delimiter, quote, escape):
        quote = None
    shown = {"\t": "tabs", " ": "blanks", "\x1f": "unit separators", "\x01": "control characters"}.get(delimiter, f"'{delimiter}'")
    return delimiter, quote, f"{shown} cut most lines into the same number of fields"


def _tightened(text: str) -> str:
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
    plain = _rows(text, delimiter, None, SAMPLE, escape)
    regular = len({len(r) for r in plain}) == 1 and len(plain[0]) > 1
    return regular and any("\n" in f for r in _rows(text, delimiter, quote, SAMPLE, escape) for f in r)


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
    penalty = (
        (0.9 if delimiter == " " else 0.3) * (widths[0] != width and not (share > ONE_OFF and _is_short(rows)))
        + 0.5 * stray / len(fields)
        + (0.6 if longest > 30 else 0.0)
        + (0.2 if swallowed > 2 * len(rows) else 0.0)
    )
    return share - penalty - (BLANKS if delimiter == " " else 0.0)


def _has_header(rows: list[list[str]], width: int) -> tuple[bool, str]:
    """Whether the first record names the columns, and why not."""
    first, rest = rows[0], [r for r in rows[1:] if len(r) == width]
    if not rest:
        numbers = any(numeric(f) for f in first)
        return not numbers, "the only line has a number in it, as names have not" if numbers else ""
    columns = list(zip(*rest, strict=True))
    valued = [f for f, c in zip(first, columns, strict=True) if _valued(c) and f not in NOTHING]
    like = sum(map(looks_like_value, valued))
    if valued:
        return 2 * like < len(valued), "the first line has numbers where the others have them"
    if len({f for f in first if f}) < len([f for f in first if f]):
        return False, "the first line has a value twice"
    again = sum(1 for f, c in zip(first, columns, strict=True) if f and f in c)
    if again * 2 >= width or (again and any(len(f) > 40 for f in first)):
        return False, "values of the first line occur in other lines too"
    return not any(map(looks_like_value, first)), "the first line has values, no names"


def _refuse_quoted_lines(text: str, place: Span) -> None:
    """Ends with the diagnostic for lines each of which is one field in quotes with delimiters in it, as spreadsheets write lines that they did not cut.

    Raises:
        LayerctlError: `data-quoted-lines`.
    """
    lines = [line for line in text.split("\n", RECORDS)[:RECORDS] if 1 < len(line) < LONGEST_LINE]
    whole = next(csv.reader(lines[:1]), []) if len(lines) > 1 and all(line[0] == line[-1] == '"' for line in lines) else []
    cut = next((d for d in DELIMITERS[:-1] if len(whole) == 1 and d in whole[0]), None)
    if cut is not None and all(len(r) == 1 and r[0].count(cut) >= whole[0].count(cut) for r in csv.reader(lines)):
        fail("data-quoted-lines", "each line is one field in quotes, with the columns in it", Span(place.source, 1, 1),
             hint="take the outer quotes off: `sed 's/^\"//; s/\"$//; s/\"\"/\"/g' FILE > rows.csv`")  # fmt: skip


def _refuse_title(rows: list[list[str]], place: Span) -> None:
    """Ends with the diagnostic for a title above the header.

    Raises:
        LayerctlError: `data-title`.
    """
    if at := _titled(rows):
        title, head = next(f for f in rows[0] if f), rows[at][0]
        fail("data-title", f"'{title[:60]}' seems to be a title above the header, which begins with '{head[:40]}'", Span(place.source, 1, 1),
             hint=f"take what stands above the header out: `sed -n '/^\"*{head[:20]}/,$p' FILE > rows.csv`; or name its lines in `skip`")  # fmt: skip


def _titled(rows: list[list[str]]) -> int:
    """How many titles stand above the header: lines of one field, or with others that are empty, above one of names."""
    at = next((i for i, r in enumerate(rows[: MOST_TITLES + 1]) if len([f for f in r if f]) > 1), None)
    if not at or at + 1 >= len(rows) or not any(rows[0]):
        return 0
    head, rest = rows[at], [r for r in rows[at + 1 :] if len(r) == len(rows[at])]
    named = all(head) and not any(map(looks_like_value, head)) and len(rest) * 2 > len(rows)
    return at if named and (len(head) > 2 or len(rows[0]) == 1) and any(map(_valued, zip(*rest, strict=True))) else 0


def _titles(text: str, rows: list[list[str]], goals: frozenset[str], delimiter: str, quote: str | None, escape: str | None) -> list[str]:
    """The lines above the header: above the first that has one of the `goals`, or titles."""
    named = (i for i, r in enumerate(rows[: MOST_TITLES + 1]) if goals & set(r) and not any(map(looks_like_value, r)))
    at = next(named, 0) or _titled(rows)
    lines: list[str] = []
    for row in rows[:at]:
        line = _line_of(row, text, delimiter, quote, escape)
        if line is None:
            return []
        lines.append(line)
    return lines


def _line_of(row: list[str], text: str, delimiter: str, quote: str | None, escape: str | None) -> str | None:
    """One of the first lines, that of a record; None for one of several lines."""
    lines = (line.rstrip() for line in text.split("\n", RECORDS)[: RECORDS // 10])
    return next((line for line in lines if _rows(line, delimiter, quote, 1, escape) == [row]), None)


def _is_short(rows: list[list[str]]) -> bool:
    """Whether the first line names one column less than all others have fields, whose first are all different, as R writes tables with rows' names."""
    firsts = [r[0] for r in rows[1:]]
    longer = len(rows) > 2 and all(len(r) == len(rows[0]) + 1 for r in rows[1:])
    return longer and len(set(firsts)) == len(firsts) and not any(map(looks_like_value, rows[0]))


def _valued(column: tuple[str, ...]) -> bool:
    present = [v for v in column if v not in NOTHING]
    present = present[:: max(1, len(present) // VALUES)]
    return bool(present) and sum(map(looks_like_value, present)) > 0.8 * len(present)


def _decimal_comma(rows: list[list[str]], delimiter: str) -> bool:
    """Whether numbers have a decimal comma: more do than have a point; beside commas as delimiters, where such fields are quoted, none has one."""
    fields = [f.strip(_AROUND) for r in rows for f in r]
    commas = [f for f in fields if _HAS_DECIMAL_COMMA.fullmatch(f)]
    pointed = [f for f in fields if _HAS_DECIMAL_POINT.fullmatch(f)]
    if delimiter == "," and not all(_GROUPED.fullmatch(f.replace(".", ",")) for f in pointed):
        return False
    return len(commas) > (0 if delimiter == "," else 2 * len(pointed)) and any(not _GROUPED.fullmatch(f) for f in commas)
