"""Delimited text: CSV and TSV, as tables write them and people edit them. What a dialect is, what is wrong with records, and Python's csv module,
which reads small inputs (no kernel has to be loaded) and dialects that the kernels do not know (a delimiter or quote beyond ASCII)."""

from __future__ import annotations

import csv
import itertools
import json
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from layerctl.data.faults import Faults
from layerctl.data.restoring import UNIT, cut_at, plain_quotes, unwrapped
from layerctl.data.table import SHOWN, Table
from layerctl.diagnostics import Diagnostic, LayerctlError, Source, Span, fail
from layerctl.spec.reading import WHITESPACE, Reading

LONGEST_FIELD = 10_000_000
LONGEST_RECORD = 2000
COMMENTS = ("#", "%")
"""What lines of comment usually begin with."""
ESCAPE = "\\"
MARK = re.compile(rb'("?sep=([^\r\n])"?)[\r\n]', re.IGNORECASE)
"""Excel's line of the delimiter."""
LONGEST_MARK = 8


@dataclass(frozen=True)
class Dialect:
    """How fields are written."""

    delimiter: str
    quote: str | None
    missing: frozenset[str]
    decimal: str
    columns: tuple[str, ...] | None
    escape: str | None = None
    comment: str | None = None
    runs: bool = False
    """Whether any number of blanks, the delimiter, is one."""
    skip: tuple[str, ...] = ()
    changes: tuple[Callable[[bytes], bytes], ...] = ()
    """What makes delimited text of lines that are none as they stand."""
    ragged: str = "error"

    @classmethod
    def of(cls, spec: Reading, name: str, kind: str | None = None) -> Dialect:
        """The dialect of a section, for a file's name and its format where that is known."""
        plain = name.lower().removesuffix(".gz").removesuffix(".zip")
        delimiter = spec.delimiter or ("\t" if plain.endswith((".tsv", ".tab")) or "tsv" in (kind, spec.format) else ",")
        runs = delimiter == WHITESPACE
        quote = None if spec.quote in (None, "none", "") else spec.quote
        columns = tuple(spec.columns) if spec.columns else None
        sign = " " if runs else delimiter
        changes = [unwrapped] if spec.wrapped else []
        if quote is not None and len(quote) > 1:
            changes, quote = [*changes, plain_quotes(quote)], '"'
        if spec.widths:
            changes, quote, sign, runs = [*changes, cut_at(spec.widths)], None, UNIT, False
        return cls(sign, quote, frozenset(spec.missing_values), spec.decimal, columns, spec.escape, spec.comment, runs, tuple(spec.skip), tuple(changes),
                   spec.ragged)  # fmt: skip

    @property
    def marked(self) -> bool:
        """Whether it has escapes or comments."""
        return self.escape is not None or self.comment is not None

    @property
    def blanks_skipped(self) -> bool:
        """Whether blanks before a field do not count."""
        return self.runs or self.delimiter != " "

    @property
    def native(self) -> bool:
        """Whether the kernels know it."""
        signs = [s for s in (self.delimiter, self.quote, self.escape, self.comment) if s is not None]
        return all(len(s) == 1 and s.isascii() and s not in "\r\n" for s in signs) and len(set(signs)) == len(signs)


class RaggedLines(LayerctlError):
    """Some `lines` of a file have another number of fields than its `rows`, all of them fewer where they are `short`."""

    def __init__(self, diagnostics: list[Diagnostic], lines: int, rows: int, short: bool):
        super().__init__(diagnostics)
        self.lines, self.rows, self.short = lines, rows, short


@dataclass
class Heading:
    """The columns' names, and the records that do not fit them.

    With `strict` the first such record ends the reading, else they are collected. `targets` may be missing in a file without a header. Where
    `faults` pass over bad rows, such a record becomes one of missing values.
    """

    dialect: Dialect
    name: str
    targets: tuple[str, ...] = ()
    strict: bool = False
    faults: Faults | None = None
    names: list[str] = field(default_factory=list)
    bad: list[Diagnostic] = field(default_factory=list)
    rows: int = 0
    cure: str | None = None
    headless: bool = False

    def first(self, fields: list[str], line: int) -> bool:
        """Takes the first record, in which no word is a missing value; whether it is the header."""
        if self.dialect.runs and len(fields) > 1 and not fields[-1]:
            fields = fields[:-1]  # what stands behind blanks at a line's end
        self.names, is_header = header_of(fields, self.dialect, self.name)
        self.headless = not is_header
        if not is_header and self.strict and len(fields) != len(self.names):
            self.names = self._without_targets(len(fields), line)
        return is_header

    def _without_targets(self, found: int, line: int) -> list[str]:
        """The columns of a file without a header that leaves the targets out."""
        rest = [n for n in self.names if n not in self.targets]
        if len(rest) != found:
            fail("data-ragged", f"{found} fields where {len(self.names)} columns are expected ({len(rest)} without the target)",
                 Span(Source(self.name), line, 1), hint="check the delimiter and the quotes")  # fmt: skip
        return rest

    def filled(self, fields: int) -> bool:
        """Whether a record of fewer fields is a row, of which the last are missing."""
        return fields < len(self.names) and self.dialect.ragged == "fill"

    def ragged(self, fields: Sequence[str | None], line: int) -> bool:
        """Takes a record with another number of fields; whether it is to be there as a row of missing values."""
        if self.dialect.ragged != "error" and not self.strict:
            return False
        text = f"{len(fields)} fields where {len(self.names)} columns are expected"
        self.cure = self.cure or self._cure(fields)
        wrong = Diagnostic("data-ragged", text, Span(Source(self.name), line, 1), (), self._hint() if self.strict else None)
        if self.faults is not None and self.faults.unread(wrong, line):
            return True
        self.bad.append(wrong)
        if self.strict:
            raise LayerctlError(self.bad)
        return False

    def _cure(self, fields: Sequence[str | None]) -> str | None:
        """What makes a row of such a record, or of what the header was taken for."""
        sign = next((s for s in COMMENTS for f in (fields[0], self.names[0]) if (f or "").startswith(s)), None)
        if sign and self.dialect.comment is None:
            return f"lines that begin with '{sign}' are passed over with `comment: \"{sign}\"` in the data section"
        if self.dialect.escape is None and any(ESCAPE in (f or "") for f in fields):
            return f"if backslashes stand before quotes (or delimiters) that are a field's own, say `escape: '{ESCAPE}'` in the data section"
        return None

    def end(self) -> None:
        """Ends with what was found, or because there is no row.

        Raises:
            LayerctlError: `data-ragged`, `data-no-rows`.
        """
        if len(self.bad) > max(SHOWN, self.rows):
            (text, alike), *_ = Counter(d.message for d in self.bad).most_common(1)
            if alike > 0.8 * len(self.bad):
                raise LayerctlError(self._all_alike(text, alike))
        if self.bad:
            shown = [Diagnostic(d.code, d.message, d.span, (), self._hint() if i == 0 else None) for i, d in enumerate(self.bad[:SHOWN])]
            if len(self.bad) > SHOWN:
                shown.append(Diagnostic("data-ragged", f"{len(self.bad)} lines in all have another number of fields", Span(Source(self.name))))
            short = all(int(d.message.split()[0]) < len(self.names) for d in self.bad)
            raise RaggedLines(shown, len(self.bad), self.rows, short)
        if not self.rows and not self.strict:
            fail("data-no-rows", "the file has a header, but no rows" if self.names else "the file has no rows", Span(Source(self.name)),
                 hint="put the rows below the header; for a file without a header say `columns: [...]` in the data section")  # fmt: skip

    def _all_alike(self, text: str, alike: int) -> Diagnostic:
        """What is wrong where most lines have the same other number of fields: no line, but how all are read."""
        first = next(d for d in self.bad if d.message == text)
        if len(self.names) == 1 and any(c in self.names[0] for c in ";\t|"):
            cure = self._hint()
        elif text.startswith("1 fields"):
            cure = f"hardly a line has the delimiter {self.dialect.delimiter!r}: say the right one, as in `delimiter: \"\\t\"`"
        elif len(self.names) == 1 and not self.headless:
            mark = re.match(r"\s*([#;%]|//)", self.names[0])
            title = json.dumps(self.names[0][:30], ensure_ascii=False)
            cure = f'say `comment: "{mark[1]}"`' if mark is not None and len(mark[1]) == 1 else f"say `skip: [{title}]` if the first line is a title"
        else:
            cure = "name a column for each field in `columns`" if self.headless else "give the header a name for each field, or say `delimiter`"
        return Diagnostic(first.code, f"{text}, in {alike} of {len(self.bad) + self.rows} lines", first.span, hint=cure)

    def _hint(self) -> str:
        if self.cure is not None:
            return self.cure
        if len(self.names) == 1 and any(c in self.names[0] for c in ";\t|"):
            return "the delimiter seems to be another: say `delimiter: ';'` (or '\\t', '|') in the data section"
        if self.dialect.quote is not None:
            if len(self.bad) < self.rows and self.bad[0].message.startswith("1 fields"):
                return "fill in what it lacks, or remove it if it is a comment or a mark of git; else check the delimiter and the quotes"
            return "check the delimiter and the quotes; `quote: none` reads quotes as ordinary characters"
        return "check the delimiter"


def header_of(first: list[str], dialect: Dialect, name: str) -> tuple[list[str], bool]:
    """(the columns' names, whether the first record is the header)."""
    fields = list(first)
    if (fields[0].lstrip()[:1] in ("{", "[") and len(fields[0]) > 1) or fields in (["["], ["{"]):
        fail("data-syntax", f"the file starts with '{fields[0][:20]}': it seems to be JSON, expected delimited text", Span(Source(name), 1, 1),
             hint="JSON (an object to a line, or an array of objects) is read from files that end in .json or .jsonl, or with `format: jsonl`")  # fmt: skip
    if dialect.columns is not None:
        wanted = list(dialect.columns)
        if len(fields) > 1 and len(set(fields)) == len(fields) and set(fields) <= set(wanted):
            return fields, True
        return wanted, wanted in (fields, told_apart(fields))
    place = Span(Source(name), 1, 1)
    if all(_looks_like_a_number(f) for f in fields if f and f not in dialect.missing):
        fail("data-no-header", f"the first line looks like data, not like names of columns: {', '.join(fields[:6])}", place,
             hint="name the columns in the data section: `columns: [...]`")  # fmt: skip
    seen: set[str] = set()
    for i, f in enumerate(fields):
        if not f:
            fields[i] = f = f"column_{i + 1}"
        if f in seen:
            fail("data-duplicate-column", f"two columns are called '{f}'", place,
                 hint=f"rename one in the file, or name them all in the data section: `columns: [{', '.join(told_apart(fields))[:200]}]`")  # fmt: skip
        seen.add(f)
    return fields, True


def without_mark(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """Text whose first line is blank where it is what Excel takes the delimiter from, such as `sep=;`."""
    rest, head, pausing = iter(pieces), b"", False
    for piece in rest:
        head, pausing = head + piece, not piece
        if pausing or len(head) > LONGEST_MARK:
            break
    if found := MARK.match(head):
        head = head[found.end(1) :]
    if head:
        yield head
    if pausing:
        yield b""
    yield from rest


def without_lines(pieces: Iterable[bytes], beginnings: Sequence[str]) -> Iterator[bytes]:
    """Text in which the lines that begin so are blank; the last line of a piece waits for its end."""
    if not beginnings:
        yield from pieces
        return
    passed = re.compile(rb"(?:\A|(?<=[\r\n]))(?:" + b"|".join(re.escape(b.encode()) for b in beginnings) + rb")[^\r\n]*")
    rest = b""
    for piece in pieces:
        rest += piece
        end = max(rest.rfind(b"\n"), rest.rfind(b"\r")) + 1
        if end or not piece:
            yield passed.sub(b"", rest[:end])
        rest = rest[end:]
    if rest:
        yield passed.sub(b"", rest)


def told_apart(fields: Sequence[str]) -> list[str]:
    """A header's names, of which those that are there already have a number behind them, and those without a name their place."""
    taken, out = set(fields), []
    seen: set[str] = set()
    for i, f in enumerate(fields):
        base = name = f or f"column_{i + 1}"
        n = 2
        while name in seen or (name != f and name in taken):
            name, n = f"{base}_{n}", n + 1
        seen.add(name)
        out.append(name)
    return out


def _looks_like_a_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def unclosed(name: str, start: int, lines: int) -> None:
    """Ends with the diagnostic for a quote that swallows what follows it."""
    fail("data-unclosed-quote", f"a quote that opens here is not closed within {lines} lines", Span(Source(name), start, 1),
         hint="close it, or say `quote: none` if quotes are ordinary characters in this file")  # fmt: skip


def too_wide(name: str, line: int) -> None:
    """Ends with the diagnostic for a field beyond all measure."""
    fail("data-syntax", f"cannot read this record: field larger than field limit ({LONGEST_FIELD})", Span(Source(name), line, 1),
         hint="lines end in LF or CRLF, and quotes are closed: is this the delimited text that it should be?")  # fmt: skip


def lines_of(pieces: Iterable[bytes], pauses: bool = False) -> Iterator[str]:
    """Lines with a plain end, of pieces of UTF-8 that are cut between characters; with `pauses` an empty text for each empty piece."""
    rest = ""
    for piece in pieces:
        if pauses and not piece:
            yield ""
        text = rest + piece.decode()
        held = text.endswith("\r")  # its other half may come
        parts = text[: len(text) - held].replace("\r\n", "\n").replace("\r", "\n").split("\n")
        rest = parts.pop() + ("\r" if held else "")
        yield from (f"{p}\n" for p in parts)
    if rest:
        yield rest.replace("\r", "\n")


def records(lines: Iterable[str], dialect: Dialect, name: str) -> Iterator[tuple[int, list[str]]]:
    """(line, fields) of each record that is not blank, by Python's csv module; fields without blanks around.

    Raises:
        LayerctlError: for a quote that is not closed, a field that is too long.
    """
    csv.field_size_limit(LONGEST_FIELD)
    options: dict[str, Any] = {"delimiter": dialect.delimiter, "skipinitialspace": dialect.blanks_skipped}
    options |= {"quoting": csv.QUOTE_NONE} if dialect.quote is None else {"quotechar": dialect.quote}
    options |= {"escapechar": dialect.escape} if dialect.escape else {}
    filled, total, begins = 0, 0, True

    def fed() -> Iterator[str]:
        """The lines, comments as blank ones, and one more: a record that takes it has an open quote."""
        nonlocal filled, total, begins
        for total, line in enumerate(lines, 1):
            if begins and dialect.comment and line.startswith(dialect.comment):
                line = "\n"
            begins = False
            filled = total if line != "\n" else filled
            yield line if line.endswith("\n") else f"{line}\n"
        yield "\n"

    reader = csv.reader(fed(), **options)
    start = 1
    while True:
        begins = True
        try:
            row = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            if "field limit" in str(error):
                too_wide(name, start)
            fail("data-syntax", f"cannot read this record: {error}", Span(Source(name), start, 1),
                 hint="check the delimiter and the quotes; `quote: none` reads quotes as ordinary characters")  # fmt: skip
        if reader.line_num > total and start <= total:
            unclosed(name, start, filled - start + 1)
        if reader.line_num - start + 1 > LONGEST_RECORD:
            unclosed(name, start, reader.line_num - start + 1)
        if any(f.strip() for f in row):
            yield start, [f.strip() for f in row]
        start = reader.line_num + 1


def plain_tables(pieces: Iterable[bytes], heading: Heading, rows: int) -> Iterator[Table]:
    """Tables of up to so many rows, by Python's csv module."""
    found = records(lines_of(pieces), heading.dialect, heading.name)
    for line, fields in itertools.islice(found, 1):
        if not heading.first(fields, line):
            found = itertools.chain([(line, fields)], found)
    while piece := list(itertools.islice(found, rows)):
        lines, kept, width = [], [], len(heading.names)
        for line, raw in piece:
            fields: list[str | None] = [None if f in heading.dialect.missing else f for f in raw]
            if len(fields) == width + 1 and fields[-1] is None:
                fields = fields[:-1]
            if heading.filled(len(fields)):
                fields += [None] * (width - len(fields))
            if len(fields) != width:
                if not heading.ragged(fields, line):
                    continue
                fields = [None] * width
            kept.append(fields)
            lines.append(line)
        heading.rows += len(kept)
        if kept:
            columns = {n: [r[i] for r in kept] for i, n in enumerate(heading.names)}
            yield Table(heading.name, columns, lines, heading.dialect.decimal, headless=heading.headless)
