"""Diagnostics: the one form in which layerctl tells a user what is wrong, and where.

A Diagnostic has a severity, a code (a stable slug), a message, a span and a cure. No other module formats an error.
"""

from __future__ import annotations

import contextlib
import difflib
import enum
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace


class ExitCode(enum.IntEnum):
    """What a process says when it ends."""

    DONE = 0
    BELOW_THRESHOLD = 1
    USER = 2
    NUMERICAL = 3
    BUG = 70
    HUNG_UP = 129
    INTERRUPTED = 130
    TERMINATED = 143
    CPU_TIME = 152


@dataclass(frozen=True, slots=True, eq=False)
class Source:
    """A text that spans point into: a file's name as the user gave it, and its lines (some of them, for data)."""

    name: str
    text: str | None = None
    lines: dict[int, str] = field(default_factory=dict)

    def line(self, number: int) -> str | None:
        """The text of a line (counted from 1), or None where it is not known."""
        if self.text is not None:
            rows = self.text.split("\n")
            return rows[number - 1].rstrip("\r") if 0 < number <= len(rows) else None
        return self.lines.get(number)


@dataclass(frozen=True, slots=True)
class Span:
    """A place in a source; lines and columns count from 1, the end is exclusive. Line 0 means the whole file.

    `via` is where the text is used that stands here: the alias of YAML that brought it.
    """

    source: Source
    line: int = 0
    column: int = 0
    end_line: int = 0
    end_column: int = 0
    via: Span | None = None

    def __str__(self) -> str:
        if not self.line:
            return self.source.name
        return f"{self.source.name}:{self.line}:{self.column}"


@dataclass(frozen=True, slots=True)
class Note:
    """A second place that explains a diagnostic."""

    message: str
    span: Span | None = None


@dataclass(frozen=True, slots=True)
class Diagnostic:
    """One thing that is wrong (severity `error`) or doubtful (`warning`)."""

    code: str
    message: str
    span: Span | None = None
    notes: tuple[Note, ...] = ()
    hint: str | None = None
    severity: str = "error"

    def all_notes(self) -> tuple[Note, ...]:
        """The notes, and before them where an alias uses what is wrong."""
        used, at = [], self.span.via if self.span else None
        while at is not None:
            used.append(Note("an alias uses it here", at))
            at = at.via
        return (*used, *self.notes)

    def first_line(self) -> str:
        """`file:line:col: error: message [code]`: the form that editors' and CI's matchers read."""
        place = f"{self.span}: " if self.span else ""
        return _harmless(f"{place}{self.severity}: {self.message} [{self.code}]")

    def render(self) -> str:
        """The whole text: first line, the source's line with carets, notes, hint."""
        parts = [self.first_line(), *_excerpt(self.span)]
        for note in self.all_notes():
            place = f"{note.span}: " if note.span else ""
            parts.append(_harmless(f"{place}note: {note.message}"))
            parts.extend(_excerpt(note.span))
        if self.hint:
            parts.append(_harmless(f"  hint: {self.hint}"))
        return "\n".join(parts)

    def as_dict(self) -> dict[str, object]:
        """The same as plain data, for `--json`."""
        out: dict[str, object] = {"severity": self.severity, "code": self.code, "message": self.message}
        if self.span:
            out["file"] = self.span.source.name
            if self.span.line:
                out |= {"line": self.span.line, "column": self.span.column}
                out |= {"end_line": self.span.end_line, "end_column": self.span.end_column}
        if notes := self.all_notes():
            out["notes"] = [{"message": n.message, "place": str(n.span) if n.span else None} for n in notes]
        if self.hint:
            out["hint"] = self.hint
        return out

    def as_json(self) -> str:
        """One line of JSON."""
        return json.dumps({"event": "diagnostic", **self.as_dict()}, ensure_ascii=False)

    def as_github(self) -> str:
        """A workflow command, which GitHub shows beside the line."""
        properties = []
        if self.span:
            properties.append(f"file={_escape(self.span.source.name, property_value=True)}")
            if self.span.line:
                properties += [f"line={self.span.line}", f"col={self.span.column}"]
                if self.span.end_line:
                    properties += [f"endLine={self.span.end_line}", f"endColumn={self.span.end_column}"]
        properties.append(f"title={_escape(self.code, property_value=True)}")
        text = self.message + (f"\nhint: {self.hint}" if self.hint else "")
        return f"::{self.severity} {','.join(properties)}::{_escape(text)}"


def _escape(text: str, property_value: bool = False) -> str:
    text = text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")
    return text.replace(":", "%3A").replace(",", "%2C") if property_value else text


_LONGEST_EXCERPT = 160
_CONTROLS = [*range(32), *range(127, 160), 0x2028, 0x2029, *range(0x202A, 0x202F), *range(0x2066, 0x206A)]
_ESCAPED = {c: repr(chr(c))[1:-1] for c in _CONTROLS}
"""Signs that would be orders to a terminal, or a line of their own: names of files, columns and layers may have them."""
_ONE_SIGN = dict.fromkeys(_CONTROLS, "\N{REPLACEMENT CHARACTER}")


def _harmless(text: str, table: dict[int, str] = _ESCAPED) -> str:
    return text if text.isprintable() else text.translate(table)


def _excerpt(span: Span | None) -> Iterator[str]:
    if span is None or not span.line:
        return
    text = span.source.line(span.line)
    if text is None:
        return
    start = max(span.column - 1, 0)
    end = span.end_column - 1 if span.end_line == span.line and span.end_column > span.column else len(text.rstrip())
    shown, cut = text.replace("\t", " "), 0
    if len(shown) > _LONGEST_EXCERPT:
        cut = max(0, start - _LONGEST_EXCERPT // 2)
        shown = shown[cut : cut + _LONGEST_EXCERPT]
    start, end = start - cut, min(end - cut, len(shown))
    number = str(span.line)
    yield f"  {number} │ {_harmless(shown.rstrip(), _ONE_SIGN)}"
    yield f"  {' ' * len(number)} │ {' ' * start}{'^' * max(end - start, 1)}"


class LayerctlError(Exception):
    """Carries diagnostics to the command that shows them; `exit_code` is the process's."""

    exit_code = ExitCode.USER

    def __init__(self, diagnostics: Diagnostic | Iterable[Diagnostic]):
        self.diagnostics = (diagnostics,) if isinstance(diagnostics, Diagnostic) else tuple(diagnostics)
        super().__init__("\n".join(d.render() for d in self.diagnostics))


class NumericalError(LayerctlError):
    """Training went to NaN or infinity."""

    exit_code = ExitCode.NUMERICAL


@contextlib.contextmanager
def placed(span: Span | None) -> Iterator[None]:
    """Errors from inside that know no line point at this one, and say the file that they are of; without a line, only those that know no file do."""
    try:
        yield
    except LayerctlError as error:
        if span is None or all(d.span is not None and (d.span.line or not span.line) for d in error.diagnostics):
            raise
        found = []
        for d in error.diagnostics:
            if d.span is not None and (d.span.line or not span.line):
                found.append(d)
                continue
            name = d.span.source.name if d.span is not None else ""
            text = d.message if not name or name in d.message else f"{name}: {d.message}"
            found.append(replace(d, message=text, span=span))
        raise type(error)(found) from error


def fail(code: str, message: str, span: Span | None = None, *, hint: str | None = None, notes: tuple[Note, ...] = ()):
    """Raises one error. For the usual case of a single thing that ends the stage."""
    raise LayerctlError(Diagnostic(code, message, span, notes, hint))


class Problems:
    """Collects what a stage finds, so that all of it is reported at once."""

    def __init__(self) -> None:
        self.found: list[Diagnostic] = []

    def error(
        self,
        code: str,
        message: str,
        span: Span | None = None,
        *,
        hint: str | None = None,
        notes: tuple[Note, ...] = (),
    ) -> None:
        """Notes an error and goes on."""
        self.found.append(Diagnostic(code, message, span, notes, hint))

    def warn(self, code: str, message: str, span: Span | None = None, *, hint: str | None = None) -> None:
        """Notes a warning and goes on."""
        self.found.append(Diagnostic(code, message, span, (), hint, "warning"))

    @property
    def errors(self) -> list[Diagnostic]:
        """The errors among what was found, in the order of the file."""
        return [d for d in in_order(self.found) if d.severity == "error"]

    def check(self, warnings: list[Diagnostic] | None = None) -> None:
        """Ends the stage if an error was found; else what is doubtful goes into `warnings`.

        Raises:
            LayerctlError: with everything found, in the order of the file.
        """
        if self.errors:
            raise LayerctlError(in_order(self.found))
        if warnings is not None:
            warnings += in_order(self.found)


def in_order(diagnostics: Iterable[Diagnostic]) -> list[Diagnostic]:
    """Sorted by place, duplicates removed; a name that there is not is told once, with all places that ask for it."""
    unique: dict[tuple[str, str], Diagnostic] = {}
    for d in diagnostics:
        first = unique.setdefault((d.first_line(), d.code), d)
        if first is not d and d.span is not None and d.span.via is not None and (used := d.all_notes()[0]) not in first.all_notes():
            unique[d.first_line(), d.code] = replace(first, notes=(used, *first.notes))
    out: dict[object, Diagnostic] = {}
    for d in sorted(unique.values(), key=lambda d: (d.span.source.name, d.span.line, d.span.column) if d.span else ("", 0, 0)):
        name = d.message.partition("'")[2].partition("'")[0]
        key = (_OF_A_NAME[d.code], name) if d.code in _OF_A_NAME and name else id(d)
        before = out.setdefault(key, d)
        if before is not d:
            out[key] = replace(before, notes=(*before.notes, Note(f"'{name}' stands here too", d.span)))
    return list(out.values())


_OF_A_NAME = {"unknown-variable": "variable", "unknown-name": "layer", "unknown-layer": "layer"}
"""Errors of a name that is asked for and that is not there, which one mend at its definition may cure, and what sort of name it is."""


def closest(name: str, known: Iterable[str]) -> str | None:
    """The known name that `name` was most likely meant to be, compared without case or underscores; None if none is near."""
    table: dict[str, str] = {}
    for k in known:
        table.setdefault(_folded(k), k)
    hits = difflib.get_close_matches(_folded(name), table, n=1, cutoff=0.6)
    return table[hits[0]] if hits else None


def _folded(name: str) -> str:
    return name.replace("_", "").replace("-", "").lower()


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """`; did you mean 'units'?` for the end of a message, or nothing."""
    near = closest(name, known)
    return f"; did you mean '{near}'?{_odd_letter(name, near)}" if near else ""


def _odd_letter(name: str, near: str) -> str:
    """Which sign of a name is none of the letters that it looks like, or cannot be seen."""
    odd = next((c for c in name if ord(c) > 127), None)
    if odd is None or not near.isascii():
        return ""
    import unicodedata

    return f" Its {name.index(odd) + 1}. letter is {unicodedata.name(odd, 'a sign').lower()} (U+{ord(odd):04X})"
