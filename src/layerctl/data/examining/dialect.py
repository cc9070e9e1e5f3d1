"""How a file of data is written, guessed from its bytes: format, encoding, delimiter, quotes, header, decimal sign."""

from __future__ import annotations

import codecs
import csv
import gzip
import io
import os
import re
import zlib
from dataclasses import dataclass, field, replace
from pathlib import Path

from layerctl.data.delimited import told_apart
from layerctl.data.examining.words import NOTHING, looks_like_value, numeric
from layerctl.data.numbers import CURRENCIES, PERCENT
from layerctl.data.readers import BUILTIN, format_of
from layerctl.diagnostics import Source, Span, did_you_mean, fail
from layerctl.spec.data import MISSING
from layerctl.spec.reading import Reading

UNREADABLE = "take a copy of the file that is whole, and check the disk"
SAMPLE = 1 << 20
"""Bytes from the beginning that delimiter, quotes and header are guessed from."""
RECORDS = 2000
DELIMITERS = (",", "\t", ";", "|", " ")
_HAS_DECIMAL_COMMA = re.compile(r"[+-]?\d{1,3}(?:\.\d{3})*,\d+|[+-]?\d+,\d+", re.ASCII)
_HAS_DECIMAL_POINT = re.compile(r"[+-]?\d*\.\d+(?:[eE][+-]?\d+)?", re.ASCII)
_AROUND = f" {CURRENCIES}{PERCENT}"
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
            "decimal": r.decimal,
            "encoding": r.encoding,
        }
        usual = {"format": None, "columns": None, "delimiter": None, "quote": '"', "decimal": ".", "encoding": "utf-8"}
        return {k: v for k, v in plain.items() if v != usual[k]}


def guess(path: str, missing: tuple[str, ...] = MISSING) -> Dialect:
    """The dialect of a file, or of a builtin set.

    Raises:
        LayerctlError: for a file that is not there, cannot be read, or is empty.
    """
    plain = Reading(None, None, None, '"', ".", "utf-8", list(missing), [])
    if path.startswith(BUILTIN):
        return Dialect(plain)
    head, place = _head(path), Span(Source(path))
    if not head.strip():
        fail("file-empty", "the file has no data", place, hint="give a file with rows")
    kind = format_of(path, plain)
    if head[:6] == b"\x93NUMPY" or (head[:4] == b"PK\x03\x04" and kind in ("npz", "csv")):
        return Dialect(replace(plain, format=None if kind == "npz" else "npz"))
    if kind not in ("csv", "tsv"):
        return Dialect(plain)
    encoding, reason = _encoding(path, head)
    why = {"encoding": reason} if reason else {}
    text = (
        head.decode("utf-8-sig" if encoding == "utf-8" else encoding, "replace")
        .replace("\r\n", "\n")
        .replace("\r", "\n")
    )
    if len(head) >= SAMPLE and "\n" in text:
        text = text[: text.rindex("\n") + 1]
    if kind == "csv" and text.lstrip().startswith("{") and _is_json_lines(text):
        return Dialect(
            replace(plain, format="jsonl", encoding=encoding), {**why, "format": "each line is a JSON object"}
        )
    return _delimited(text, replace(plain, encoding=encoding), kind, why)


def _delimited(text: str, plain: Reading, kind: str, why: dict[str, str]) -> Dialect:
    delimiter, quote, reason = _separators(text, "\t" if kind == "tsv" else ",")
    usual = "\t" if kind == "tsv" else ","
    why = {**why, **({"delimiter": reason} if delimiter != usual else {})}
    rows = _rows(text, delimiter, quote)
    width = len(rows[0]) if rows else 1
    header, told = _has_header(rows, width)
    if quote is None:
        why["quote"] = "with them as quotes, lines would run into each other"
    elif quote == "'":
        why["quote"] = "fields stand between apostrophes"
    columns = None
    if not header:
        columns, why["columns"] = [f"column_{i + 1}" for i in range(width)], told
    elif len(named := [f for f in rows[0] if f]) > len(set(named)):
        twice = next(f for i, f in enumerate(named) if f in named[:i])
        columns, why["columns"] = told_apart(rows[0]), f"the header names '{twice}' twice: here each column has a name of its own"
    decimal = "."
    if delimiter != "," and _decimal_comma(rows[1:] if header else rows):
        decimal, why["decimal"] = ",", "numbers are written as 1,5"
    made = replace(
        plain,
        delimiter=None if delimiter == usual else delimiter,
        quote="none" if quote is None else quote,
        decimal=decimal,
        columns=columns,
    )
    return Dialect(made, why, header)


def _head(path: str) -> bytes:
    """The first bytes, unpacked where they are gzip."""
    place = Span(Source(path))
    try:
        if os.path.isdir(path):
            fail("file-unreadable", "this is a folder, not a file of data", place, hint="name a file in it")
        with open(path, "rb") as file:
            head = file.read(SAMPLE)
        if head[:2] == b"\x1f\x8b":
            with gzip.open(path, "rb") as file:
                return file.read(SAMPLE)
        return head
    except FileNotFoundError:
        folder = Path(path).parent
        near = did_you_mean(Path(path).name, os.listdir(folder)) if folder.is_dir() else ""
        fail("file-not-found", f"there is no file {path}{near}", place, hint="the path starts from the folder you are in")
    except (EOFError, zlib.error, OSError) as error:
        fail("file-unreadable", f"cannot read {path}: {getattr(error, 'strerror', None) or error}", place, hint=UNREADABLE)
    return b""


def _encoding(path: str, head: bytes) -> tuple[str, str | None]:
    """(encoding, why it is not UTF-8)."""
    if head[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return "utf-16", "the file begins with UTF-16's mark"
    decoder = codecs.getincrementaldecoder("utf-8")()
    opener = gzip.open if _is_gzip(path) else open
    try:
        with opener(path, "rb") as file:
            while piece := file.read(SAMPLE):
                decoder.decode(piece)
        decoder.decode(b"", final=True)
        return "utf-8", None
    except UnicodeDecodeError:
        pass
    except (EOFError, zlib.error, OSError) as error:
        fail("file-unreadable", f"cannot read {path}: {getattr(error, 'strerror', None) or error}", Span(Source(path)), hint=UNREADABLE)
    high = {b for b in head if 0x80 <= b < 0xA0}
    if high and not high & {0x81, 0x8D, 0x8F, 0x90, 0x9D}:
        return "cp1252", "some bytes are no UTF-8, and are typographic signs in cp1252"
    return "latin-1", "some bytes are no UTF-8"


def _is_gzip(path: str) -> bool:
    with open(path, "rb") as file:
        return file.read(2) == b"\x1f\x8b"


def _is_json_lines(text: str) -> bool:
    import json

    try:
        return all(isinstance(json.loads(line), dict) for line in text.split("\n", 3)[:2] if line.strip())
    except (ValueError, RecursionError):
        return False


def _rows(text: str, delimiter: str, quote: str | None, most: int = RECORDS) -> list[list[str]]:
    options = {"delimiter": delimiter, "skipinitialspace": delimiter != " "}
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


def _separators(text: str, usual: str) -> tuple[str, str | None, str]:
    """The delimiter and quote by which most records have the same number of fields; the format's own where others are no better."""
    quotes: list[str | None] = ['"', None] if '"' in text else ['"']
    if text.count("'") > 4 and _encloses(text, "'"):
        quotes.insert(0, "'")
    best: tuple[float, str, str | None] = (-1.0, usual, '"')
    for delimiter in (usual, *(d for d in DELIMITERS if d != usual)):
        for quote in quotes:
            score = _regularity(_rows(text, delimiter, quote), text, delimiter, quote)
            if score > best[0] + (0.0 if delimiter == best[1] else 0.02):
                best = (score, delimiter, quote)
    _, delimiter, quote = best
    if quote is not None and _swallows(text, delimiter, quote):
        quote = None
    shown = {"\t": "tabs", " ": "blanks"}.get(delimiter, f"'{delimiter}'")
    return delimiter, quote, f"{shown} cut most lines into the same number of fields"


def _encloses(text: str, quote: str) -> bool:
    return (
        len(re.findall(rf"(?:^|[,;\t|])\s*{quote}[^{quote}\n]*{quote}\s*(?=$|[,;\t|])", text[:20000], re.MULTILINE)) > 4
    )


def _swallows(text: str, delimiter: str, quote: str) -> bool:
    """Whether quotes, read as such, join lines that are whole records without them."""
    if quote not in text:
        return False
    plain = _rows(text, delimiter, None, SAMPLE)
    regular = len({len(r) for r in plain}) == 1 and len(plain[0]) > 1
    return regular and any("\n" in f for r in _rows(text, delimiter, quote, SAMPLE) for f in r)


def _regularity(rows: list[list[str]], text: str, delimiter: str, quote: str | None) -> float:
    """The share of records with the most frequent number of fields; a single column, lines swallowed by quotes and halves of quotes cost."""
    if not rows:
        return -1.0
    widths = [len(r) for r in rows]
    width = max(set(widths), key=widths.count)
    share = widths.count(width) / len(widths)
    if width == 1:
        return 0.1 * share
    fields = [f for r in rows for f in r]
    stray = sum(1 for f in fields if f[:1] == '"' and f[-1:] == '"' and len(f) > 1) if quote is None else 0
    swallowed = sum(f.count("\n") for f in fields) if quote is not None else 0
    longest = max((f.count("\n") for f in fields), default=0)
    penalty = (
        0.3 * (widths[0] != width)
        + 0.5 * stray / len(fields)
        + (0.6 if longest > 30 else 0.0)
        + (0.2 if swallowed > 2 * len(rows) else 0.0)
    )
    return share - penalty - (0.15 if delimiter == " " else 0.0)


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


def _valued(column: tuple[str, ...]) -> bool:
    present = [v for v in column if v not in NOTHING]
    return bool(present) and sum(map(looks_like_value, present)) > 0.8 * len(present)


def _decimal_comma(rows: list[list[str]]) -> bool:
    fields = [f.strip(_AROUND) for r in rows for f in r]
    commas = [f for f in fields if _HAS_DECIMAL_COMMA.fullmatch(f)]
    points = sum(1 for f in fields if _HAS_DECIMAL_POINT.fullmatch(f))
    return len(commas) > 2 * points and any(not _GROUPED.fullmatch(f) for f in commas)
