"""Delimited text: CSV and TSV, as tables write them and people edit them."""

from __future__ import annotations

import csv
import gzip
import io
import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from layerctl.data.table import SHOWN, Table
from layerctl.diagnostics import Diagnostic, LayerctlError, Source, Span, did_you_mean, fail
from layerctl.spec.reading import Reading

LONGEST_FIELD = 10_000_000
LONGEST_RECORD = 2000


@dataclass(frozen=True)
class Dialect:
    """How fields are written."""

    delimiter: str
    quote: str | None
    missing: frozenset[str]
    decimal: str
    columns: tuple[str, ...] | None

    @classmethod
    def of(cls, spec: Reading, name: str, kind: str | None = None) -> Dialect:
        """The dialect of a section, for a file's name and its format where that is known."""
        plain = name.lower().removesuffix(".gz")
        delimiter = spec.delimiter or ("\t" if plain.endswith((".tsv", ".tab")) or "tsv" in (kind, spec.format) else ",")
        quote = None if spec.quote in (None, "none", "") else spec.quote
        return cls(delimiter, quote, frozenset(spec.missing_values), spec.decimal, tuple(spec.columns) if spec.columns else None)


def read_text(path: str, encoding: str, place: Span) -> str:
    """A file's text, unpacked where it is gzip; `-` is standard input.

    Raises:
        LayerctlError: for a file that is not there, cannot be read, is empty, binary, or in another encoding.
    """
    try:
        if path == "-":
            data = sys.stdin.buffer.read()
        else:
            if os.path.isdir(path):
                fail("file-unreadable", "this is a folder, not a file of data", place)
            with open(path, "rb") as file:
                data = file.read()
        if data[:2] == b"\x1f\x8b":
            data = gzip.decompress(data)
    except FileNotFoundError:
        folder = os.path.dirname(path) or "."
        near = did_you_mean(os.path.basename(path), os.listdir(folder)) if os.path.isdir(folder) else ""
        fail("file-not-found", f"there is no file {path}{near}", place, hint="`source` is relative to the model file")
    except (EOFError, gzip.BadGzipFile, OSError) as error:
        text = "the gzip data end too soon or are damaged" if path.endswith(".gz") or isinstance(error, EOFError) else str(error.strerror or error)
        fail("file-unreadable", f"cannot read {path}: {text}", place)
    return decoded(data, encoding, place)


def decoded(data: bytes, encoding: str, place: Span) -> str:
    """Bytes as text with plain line ends."""
    if not data.strip():
        fail("file-empty", "the file has no data", place)
    if encoding == "utf-8" and data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        fail("file-encoding", "the file is UTF-16", place, hint="say `encoding: utf-16` in the data section")
    try:
        text = data.decode("utf-8-sig" if encoding == "utf-8" else encoding)
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        fail("file-encoding", f"the file is not {encoding}: byte 0x{data[error.start]:02x} in line {line}", Span(place.source, line, 1),
             hint="say which `encoding` it has (latin-1, cp1252, utf-16) in the data section")  # fmt: skip
    if "\0" in text:
        fail("file-binary", f"the file has a NUL byte in line {text[: text.index(chr(0))].count(chr(10)) + 1}: it is not text", place)
    return text.replace("\r\n", "\n").replace("\r", "\n")


def records(text: Any, dialect: Dialect, name: str) -> Iterator[tuple[int, list[str | None]]]:
    """(line, fields) of each record that is not blank; fields without blanks around, None where a value is missing."""
    csv.field_size_limit(LONGEST_FIELD)
    options = {"delimiter": dialect.delimiter, "skipinitialspace": dialect.delimiter != " "}
    if dialect.quote is None:
        reader = csv.reader(text, quoting=csv.QUOTE_NONE, **options)
    else:
        reader = csv.reader(text, quotechar=dialect.quote, **options)
    start = 1
    while True:
        try:
            row = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            fail("data-syntax", f"cannot read this record: {error}", Span(Source(name), start, 1))
        lines = reader.line_num - start + 1
        if lines > LONGEST_RECORD:
            _unclosed(name, start, lines)
        if any(field.strip() for field in row):
            yield start, [None if (field := f.strip()) in dialect.missing else field for f in row]
        start = reader.line_num + 1


def _unclosed(name: str, start: int, lines: int) -> None:
    fail("data-unclosed-quote", f"a quote that opens here is not closed within {lines} lines", Span(Source(name), start, 1),
         hint="close it, or say `quote: none` if quotes are ordinary characters in this file")  # fmt: skip


def header_of(first: list[str | None], dialect: Dialect, name: str) -> tuple[list[str], bool]:
    """(the columns' names, whether the first record is the header)."""
    fields = [f or "" for f in first]
    if dialect.columns is not None:
        return list(dialect.columns), fields == list(dialect.columns)
    place = Span(Source(name), 1, 1)
    if all(_looks_like_a_number(f) for f in fields if f):
        fail("data-no-header", f"the first line looks like data, not like names of columns: {', '.join(fields[:6])}", place,
             hint="name the columns in the data section: `columns: [...]`")  # fmt: skip
    seen: set[str] = set()
    for i, f in enumerate(fields):
        if not f:
            fields[i] = f = f"column_{i + 1}"
        if f in seen:
            fail("data-duplicate-column", f"two columns are called '{f}'", place, hint="rename one in the file")
        seen.add(f)
    return fields, True


def _looks_like_a_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def parse(text: str, dialect: Dialect, name: str) -> Table:
    """A whole text as a table.

    Raises:
        LayerctlError: for records with another number of fields, a quote that does not close, a file without rows.
    """
    rows: list[list[str | None]] = []
    lines: list[int] = []
    names: list[str] = []
    bad: list[Diagnostic] = []
    last = 1
    for line, fields in records(io.StringIO(text), dialect, name):
        last = line
        if not names:
            names, is_header = header_of(fields, dialect, name)
            if is_header:
                continue
        if len(fields) != len(names):
            if len(fields) == len(names) + 1 and fields[-1] is None:
                fields = fields[:-1]
            else:
                bad.append(Diagnostic("data-ragged", f"{len(fields)} fields where {len(names)} columns are expected", Span(Source(name), line, 1)))
                continue
        rows.append(fields)
        lines.append(line)
    _check_end(text, dialect, name, last)
    if bad:
        wrong = len(bad)
        hint = _ragged_hint(dialect, names)
        shown = [Diagnostic(d.code, d.message, d.span, (), hint if i == 0 else None) for i, d in enumerate(bad[:SHOWN])]
        if wrong > SHOWN:
            shown.append(Diagnostic("data-ragged", f"{wrong} lines in all have another number of fields", Span(Source(name))))
        raise LayerctlError(shown)
    if not rows:
        fail("data-no-rows", "the file has a header, but no rows" if names else "the file has no rows", Span(Source(name)))
    return Table(name, {n: [r[i] for r in rows] for i, n in enumerate(names)}, lines, dialect.decimal)


def _ragged_hint(dialect: Dialect, names: list[str]) -> str:
    if len(names) == 1 and any(c in names[0] for c in ";\t|"):
        return "the delimiter seems to be another: say `delimiter: ';'` (or '\\t', '|') in the data section"
    if dialect.quote is not None:
        return "check the delimiter and the quotes; `quote: none` reads quotes as ordinary characters"
    return "check the delimiter"


def _check_end(text: str, dialect: Dialect, name: str, last: int) -> None:
    """A quote that is still open at the end of the file has swallowed what follows it."""
    if dialect.quote is None:
        return
    rest = text.split("\n")[last - 1 :]
    if len([r for r in rest if r.strip()]) < 2:
        inside = rest[0] if rest else ""
        if inside.count(dialect.quote) % 2 == 0:
            return
    try:
        list(csv.reader(io.StringIO("\n".join(rest)), delimiter=dialect.delimiter, quotechar=dialect.quote, skipinitialspace=True, strict=True))
    except csv.Error as error:
        if "unexpected end" in str(error):
            _unclosed(name, last, len("\n".join(rest).rstrip("\n").split("\n")))
