"""How a file of data is written, guessed from its bytes: format, encoding, delimiter, quotes, header, decimal sign."""

from __future__ import annotations

import os
import re
import string
from dataclasses import dataclass, field, replace
from pathlib import Path

from layerctl.data import zips
from layerctl.data.delimited import COMMENTS, ESCAPE, LONGEST_MARK, MARK, told_apart
from layerctl.data.examining.cutting import (
    SAMPLE,
    delimiter_escaped,
    is_short,
    rows_of,
    separators,
    tightened,
)
from layerctl.data.examining.encodings import encoding_of, text_of
from layerctl.data.examining.heads import has_header, line_of, named_above, names_one, refuse_title, titles
from layerctl.data.examining.spoiled import pair_of, translated, widths_of, wrapped_by
from layerctl.data.examining.words import looks_like_value
from layerctl.data.images import ENDINGS
from layerctl.data.jsonarrays import begins_as_json
from layerctl.data.numbers import CURRENCIES, MINUS, NEGATIVE, PERCENT
from layerctl.data.readers import BUILTIN, Files, format_of
from layerctl.data.restoring import UNIT, cut_at, unwrapped
from layerctl.data.streams import Stream
from layerctl.diagnostics import Source, Span, fail
from layerctl.source.files import instead
from layerctl.spec.data import MISSING
from layerctl.spec.reading import WHITESPACE, Reading

UNREADABLE = "take a copy of the file that is whole, and check the disk"
_SIGNS = {b"\x93NUMPY": "npz", b"PAR1\x15": "parquet", b"ARROW1\0": "arrow"}
ROW_NAMES = "row_names"
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
            "wrapped": r.wrapped,
            "widths": r.widths,
            "ragged": r.ragged,
            "decimal": r.decimal,
            "encoding": r.encoding,
        }
        usual = {"quote": '"', "skip": [], "wrapped": False, "ragged": "error", "decimal": ".", "encoding": "utf-8"}
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
    if not passing:
        _refuse_quoted_lines(text, place)
    elif wrapped_by(text) is not None:
        text, plain = unwrapped(text.encode()).decode(), replace(plain, wrapped=True)
        why["wrapped"] = "each line is one field in quotes, with the columns in it"
    if (pair := pair_of(text, usual, escape)) is not None:
        text = translated(text, pair)
    if (widths := widths_of(text, usual, escape)) is not None:
        text, plain = cut_at(widths)(text.encode()).decode(), replace(plain, widths=widths)
        why["widths"] = "no delimiter cuts the lines into the same number of fields, and all have blanks in the same places"
    text, comment, above = without_comments(text, usual, escape)
    if comment is not None:
        why["comment"] = f"lines that begin with it are cut into another number of fields, such as {above[0][:40]!r}"
    delimiter, quote, reason = (UNIT, None, "") if plain.widths else separators(text, usual, escape)
    if mark is not None and (named := mark[2].decode()).isprintable() and len(rows_of(text, named, quote, 1, escape)[0]) > 1:
        delimiter, reason = named, "the first line says so, as Excel has it"
    why, runs = {**why, **({"delimiter": reason} if delimiter != usual and reason else {})}, False
    if escape is None and delimiter_escaped(text, delimiter, quote):
        escape = ESCAPE
    if escape is not None:
        why["escape"] = "a backslash stands before quotes or delimiters that are a field's own"
    if delimiter == WHITESPACE:
        text, delimiter = tightened(text), " "
        runs = True
    rows = rows_of(text, delimiter, quote, escape=escape)
    skip = titles(text, rows, goals, delimiter, quote, escape) if passing else []
    if skip:
        rows, why["skip"] = rows[len(skip) :], "what stands above the header"
    refuse_title(rows, place)
    width = len(rows[0]) if rows else 1
    header, told = (True, "") if rows and names_one(goals, rows, 0) and not all(map(looks_like_value, rows[0])) else has_header(rows, width)
    if pair is not None:
        quote, why["quote"] = pair, "fields stand between these"
    elif quote is None and not plain.widths:
        why["quote"] = "with them as quotes, lines would run into each other"
    elif quote == "'":
        why["quote"] = "fields stand between apostrophes"
    columns = None
    if not header and (named := named_above(above, comment, delimiter, width)):
        columns, why["columns"] = named, "the comment above the rows names them"
    elif not header:
        columns, why["columns"] = [f"column_{i + 1}" for i in range(width)], told
    elif len(named := [f for f in rows[0] if f]) > len(set(named)):
        twice = next(f for i, f in enumerate(named) if f in named[:i])
        columns, why["columns"] = told_apart(rows[0]), f"the header names '{twice}' twice: here each column has a name of its own"
    if passing and header and is_short(rows) and (line := line_of(rows[0], text, delimiter, quote, escape)) is not None:
        columns, skip = told_apart([ROW_NAMES, *rows[0]]), [*skip, line]
        why["columns"], why["skip"] = "the header names one column less than there are: the first are the rows' names", "what stands above the rows"
    decimal = "."
    if _decimal_comma(rows[1:] if header else rows, delimiter):
        decimal, why["decimal"] = ",", "numbers are written as 1,5"
    made = replace(
        plain,
        delimiter=WHITESPACE if runs else None if delimiter == usual or plain.widths else delimiter,
        quote='"' if plain.widths else "none" if quote is None else quote,
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
        delimiter, quote, _ = separators(rest, usual, escape)
        widths = [len(r) for r in rows_of(rest, delimiter, quote, escape=escape)]
        width = max(set(widths), key=widths.count)
        others = sum(len(next(iter(rows_of(line, delimiter, quote, escape=escape)), [])) != width for line in noted)
        leading = next(i for i, line in enumerate(lines) if line.strip() and not line.startswith(sign))
        if others * 2 > len(noted) or (others and leading >= len(noted)) or (len(noted) > 1 and leading >= len(noted)):
            return rest, sign, noted
    return text, None, []


def _refuse_quoted_lines(text: str, place: Span) -> None:
    """Ends with the diagnostic for lines each of which is one field in quotes.

    Raises:
        LayerctlError: `data-quoted-lines`.
    """
    if wrapped_by(text) is not None:
        fail("data-quoted-lines", "each line is one field in quotes, with the columns in it", Span(place.source, 1, 1),
             hint="take the outer quotes off: `sed 's/^\"//; s/\"$//; s/\"\"/\"/g' FILE > rows.csv`, or say `wrapped: true`")  # fmt: skip


def _decimal_comma(rows: list[list[str]], delimiter: str) -> bool:
    """Whether numbers have a decimal comma: more do than have a point; beside commas as delimiters, where such fields are quoted, none has one."""
    fields = [f.strip(_AROUND) for r in rows for f in r]
    commas = [f for f in fields if _HAS_DECIMAL_COMMA.fullmatch(f)]
    pointed = [f for f in fields if _HAS_DECIMAL_POINT.fullmatch(f)]
    if delimiter == "," and not all(_GROUPED.fullmatch(f.replace(".", ",")) for f in pointed):
        return False
    return len(commas) > (0 if delimiter == "," else 2 * len(pointed)) and any(not _GROUPED.fullmatch(f) for f in commas)
