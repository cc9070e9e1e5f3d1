"""A table: columns of text or numbers, and the line that each row came from."""

from __future__ import annotations

import abc
import json
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from layerctl.diagnostics import Diagnostic, LayerctlError, Note, Source, Span

SHOWN = 5
LONGEST_SHOWN = 120
MOST_NAMES = 30
"""Columns that a hint names at most."""
_LOOKED_AT = 1 << 14
"""Numbers that are looked at together for one that is there."""
_ODD = re.compile(r"[^0-9eE+\-. \n]")
NUMBER = re.compile(r"\s*[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?\s*", re.ASCII)
"""What reads as a number."""


class BadRows(LayerctlError):
    """Some rows of a table cannot be used: `rows` are their numbers in it."""

    def __init__(self, diagnostics: list[Diagnostic], rows: np.ndarray):
        super().__init__(diagnostics)
        self.rows = rows


def words_for_numbers(error: BadRows, table: Table, what: str, place: Span | None, cure: str) -> None:
    """A column without any number is no fault of its rows, but of what asks for numbers, at `place`.

    Raises:
        LayerctlError: where it is one.
    """
    if len(error.rows) < len(table) or not error.diagnostics or place is None:
        return
    d = error.diagnostics[0]
    text = f"{what}, and {d.message.partition(' (')[0]}, nor is any other value"
    raise LayerctlError(Diagnostic(d.code, text, place, (Note("the first row", d.span),), cure))


class Column(abc.ABC):
    """A column that is kept in another form than Python's texts. As a sequence it is its texts, None where a value is missing."""

    @abc.abstractmethod
    def __len__(self) -> int: ...

    @abc.abstractmethod
    def numbers(self) -> tuple[np.ndarray, np.ndarray]:
        """(float64 values, the rows whose texts have to be read one by one); NaN where a value is missing and in those rows."""

    @abc.abstractmethod
    def coded(self) -> tuple[np.ndarray, Sequence[str]]:
        """(codes, words): the distinct texts in the order of their first rows, and for each row the number (i32) of its text; -1 for a missing value."""

    @abc.abstractmethod
    def missing(self) -> np.ndarray:
        """Where a value is missing."""

    @abc.abstractmethod
    def text(self, row: int) -> str | None:
        """A row's text; None where the value is missing."""

    @abc.abstractmethod
    def take(self, rows: np.ndarray) -> Column:
        """Some rows."""

    def without(self, words: frozenset[str]) -> Any:
        """The column as it was just read, with some words missing."""
        return without(self.texts(), words)

    def having(self, words: frozenset[str]) -> frozenset[str]:
        """Those of some words that occur."""
        return words.intersection(self.coded()[1])

    def forget(self) -> None:
        """Lets go of what takes memory and can be made again."""
        return

    @classmethod
    @abc.abstractmethod
    def joined(cls, columns: Sequence[Any]) -> Column:
        """Columns of this form behind each other."""

    def part(self, low: int, high: int) -> Column:
        """The rows from one to another."""
        return self.take(np.arange(low, high))

    def reads_as_numbers(self, judge: Callable[[str], bool]) -> bool:
        """Whether every value that is there is a number, and there is one; `judge` says it of those that are not known to be."""
        found, rest = self.numbers()
        if not all(judge(self.text(int(i)) or "") for i in rest):
            return False
        return bool(len(rest)) or any(not np.isnan(found[i : i + _LOOKED_AT]).all() for i in range(0, len(found), _LOOKED_AT))

    def __getitem__(self, row: Any) -> Any:
        if isinstance(row, slice):
            return [self.text(i) for i in range(*row.indices(len(self)))]
        if not -len(self) <= row < len(self):
            raise IndexError(row)
        return self.text(int(row) % len(self))

    def __iter__(self) -> Iterator[str | None]:
        return iter(self.texts())

    def __eq__(self, other: object) -> bool:
        return isinstance(other, (Column, list)) and list(self) == list(other)

    __hash__ = None  # type: ignore[assignment]

    def texts(self) -> list[str | None]:
        """All rows' texts; rows of the same text share it."""
        codes, words = self.coded()
        return np.array([*words, None], dtype=object)[codes].tolist()


@dataclass
class Table:
    """Rows of data.

    Attributes:
        name: of the source.
        columns: lists of text (None for missing), Columns, or numpy arrays with the rows first.
        lines: the rows' line numbers in their files.
        decimal: the decimal sign.
        files: where rows come from several files, for each row the number of its file in `names`.
        headless: whether the file's first record is taken for a row.
        whole: how many rows the source has, where these are some of them.
    """

    name: str
    columns: dict[str, Any]
    lines: Any = field(default_factory=list)
    decimal: str = "."
    files: np.ndarray | None = None
    names: tuple[str, ...] = ()
    headless: bool = False
    whole: int | None = None

    def __len__(self) -> int:
        return len(next(iter(self.columns.values()))) if self.columns else 0

    def take(self, rows: np.ndarray) -> Table:
        """Some rows."""
        picked = {n: picked_of(c, rows) for n, c in self.columns.items()}
        lines = picked_of(self.lines, rows) if len(self.lines) else []
        return replace(self, columns=picked, lines=lines, files=None if self.files is None else self.files[rows])

    def part(self, low: int, high: int) -> Table:
        """The rows from one to another."""
        columns = {n: c.part(low, high) if isinstance(c, Column) else c[low:high] for n, c in self.columns.items()}
        return replace(self, columns=columns, lines=self.lines[low:high], files=None if self.files is None else self.files[low:high])

    def span(self, row: int, column: str | None = None) -> Span:
        """The place of a row (and the number of a column's field in it)."""
        at = list(self.columns).index(column) + 1 if column in self.columns else 1
        line = int(self.lines[row]) if row < len(self.lines) else row + 1
        name = self.name if self.files is None else self.names[int(self.files[row])]
        return Span(Source(name), line, at, line, at + 1)

    def texts(self, column: str) -> list[str | None]:
        """A column as text; None where a value is missing."""
        values = self.columns[column]
        if isinstance(values, Column):
            return values.texts()
        if isinstance(values, np.ndarray):
            return [_text(v) for v in values.tolist()]
        return values

    def coded(self, column: str) -> tuple[np.ndarray, Sequence[str]]:
        """(codes, words): a column's distinct texts in the order of their first rows, and the number (i32) of each row's; -1 for a missing value."""
        values = self.columns[column]
        if isinstance(values, Column):
            return values.coded()
        known: dict[str, int] = {}
        codes = [-1 if v is None else known.setdefault(v, len(known)) for v in self.texts(column)]
        return np.array(codes, np.int32), list(known)

    def having(self, column: str, words: frozenset[str]) -> frozenset[str]:
        """Those of some words that occur in a column of texts."""
        values = self.columns[column]
        if isinstance(values, np.ndarray):
            return frozenset()
        return values.having(words) if isinstance(values, Column) else words.intersection(v for v in values if v is not None)

    def missing(self, column: str) -> np.ndarray:
        """Where a value is missing; in a column of arrays, where one of their numbers is."""
        values = self.columns[column]
        if isinstance(values, Column):
            return values.missing()
        if not isinstance(values, np.ndarray):
            return np.array([v is None for v in values], bool)
        return np.isnan(values.reshape(len(values), -1)).any(axis=1) if values.dtype.kind == "f" else np.zeros(len(values), bool)

    def numbers(self, column: str) -> np.ndarray:
        """A column as float64; NaN where a value is missing.

        Raises:
            LayerctlError: `data-not-a-number`, naming the first bad fields and how many there are.
        """
        values = self.columns[column]
        if isinstance(values, Column):
            return self._completed(column, values)
        if isinstance(values, np.ndarray):
            if values.dtype.kind not in "fiub":
                return self._parsed(column, [None if v is None else str(v) for v in values.tolist()])
            out = values.astype(np.float64)
            if np.isinf(out).any():
                self.refuse(column, np.flatnonzero(np.isinf(out)), [str(v) for v in values.tolist()], "is not a finite number",
                            "correct it; a number that is missing is NaN in an array")  # fmt: skip
            return out
        return self._parsed(column, values)

    def _completed(self, column: str, values: Column) -> np.ndarray:
        """The numbers of a column, with those that have to be read one by one."""
        out, rest = values.numbers()
        if len(rest):
            out = out.copy()
            texts = {int(i): self._plain(values.text(int(i)) or "") for i in rest}
            bad = [i for i, v in texts.items() if not NUMBER.fullmatch(v)]
            if bad:
                self.refuse(column, np.array(bad), values, "is not a number")
            out[rest] = [float(v) for v in texts.values()]
            if np.isinf(out).any():
                self.refuse(column, np.flatnonzero(np.isinf(out)), values, "is too large for a number", TOO_LARGE)
        return out

    def _plain(self, text: str) -> str:
        """A number with a decimal point and no groups of digits."""
        return text.replace(".", "").replace(",", ".") if self.decimal == "," else text

    def _parsed(self, column: str, given: list[str | None]) -> np.ndarray:
        values = given if self.decimal == "." else [None if v is None else self._plain(v) for v in given]
        present = [v for v in values if v is not None]
        if _ODD.search("\n".join(present)) or not all(present):
            bad = [i for i, v in enumerate(values) if v is not None and not NUMBER.fullmatch(v)]
            if bad:
                self.refuse(column, np.array(bad), given, "is not a number")
        out = np.full(len(values), np.nan)
        here = np.array([v is not None for v in values])
        try:
            out[here] = np.array(present, dtype=np.float64) if present else 0.0
        except ValueError:
            bad = [i for i, v in enumerate(values) if v is not None and not NUMBER.fullmatch(v)]
            self.refuse(column, np.array(bad), given, "is not a number")
        if np.isinf(out).any():
            self.refuse(column, np.flatnonzero(np.isinf(out)), given, "is too large for a number", TOO_LARGE)
        return out

    def is_numeric(self, column: str) -> bool:
        """Whether every value that is there reads as a number, and there is one."""
        values = self.columns[column]
        if isinstance(values, np.ndarray):
            return values.dtype.kind in "fiub"
        if isinstance(values, Column):
            return values.reads_as_numbers(lambda text: NUMBER.fullmatch(self._plain(text)) is not None)
        present = [self._plain(v) for v in values if v is not None]
        return bool(present) and all(NUMBER.fullmatch(v) for v in present)

    def refuse(self, column: str, rows: np.ndarray, values: Any, what: str, hint: str | None = None, code: str = "data-not-a-number") -> None:
        """Ends with a diagnostic for each of the first bad fields, the last of them saying how many there are."""
        out = []
        hint = self._header_hint(rows) or hint
        for i, given, more in listed(rows, values):
            shown = "a value" if code == "data-missing" and not values[i] else given
            out.append(Diagnostic(code, f"column '{column}': {shown} {what}{more}", self.span(i, column), (), hint))
        raise BadRows(out, np.asarray(rows))

    def _header_hint(self, rows: np.ndarray) -> str | None:
        """What to do where the one bad row is the first of a file without a header, and seems to be one: none of its fields is a number."""
        if not self.headless or len(rows) != 1 or rows[0] or self.span(0).line != 1:
            return None
        named = [v for v in (picked_of(c, np.zeros(1, np.int64))[0] for c in self.columns.values()) if v is not None]
        if not named or any(NUMBER.fullmatch(str(v)) for v in named):
            return None
        found, known = ", ".join(map(str, named[:4])), ", ".join(list(self.columns)[:8])
        return f"the first line looks like a header ({found}), and files are read by `columns`, without one: leave it out, or give it the names {known}"


def listed(rows: np.ndarray, values: Any) -> Iterator[tuple[int, str, str]]:
    """(row, its value as it is shown, what is said of how many there are) for the bad rows that are told; where all are bad the first tells all."""
    told = rows[: 1 if len(rows) == len(values) > SHOWN else SHOWN]
    for n, row in enumerate(int(r) for r in told):
        given = repr(values[row])
        shown = given if len(given) <= LONGEST_SHOWN else given[: LONGEST_SHOWN - 3] + "..."
        yield row, shown, f" ({len(rows)} such rows in all)" if n == len(told) - 1 and len(rows) > len(told) else ""


TOO_LARGE = "numbers go to 1.8e308: correct it, or list it in `missing_values` of the data section"


def columns_hint(columns: Iterable[str]) -> str:
    """What a table has in place of a column that is not there, or why its header is none."""
    names = list(columns)
    sign = next((c for c in ";\t|," if c in names[0]), None) if len(names) == 1 else None
    if sign is not None:
        return f"its one column is {names[0][:60]!r}: the delimiter seems to be another; say `delimiter: {json.dumps(sign)}` in the data section"
    if sum(bool(NUMBER.fullmatch(n)) for n in names) * 2 > len(names):
        return f"the first line looks like data ({', '.join(names[:4])}): name the columns in the data section, `columns: [...]`"
    return f"it has {', '.join(names[:MOST_NAMES])}" + (f" and {len(names) - MOST_NAMES} more" if len(names) > MOST_NAMES else "")


def picked_of(values: Any, rows: np.ndarray) -> Any:
    """Some rows of a column in any form."""
    if isinstance(values, Column):
        return values.take(rows)
    return values[rows] if isinstance(values, np.ndarray) else [values[i] for i in rows]


def without(values: Any, words: frozenset[str]) -> Any:
    """A column in which some words are missing values."""
    if isinstance(values, Column):
        return values.without(words)
    return values if isinstance(values, np.ndarray) else [None if v in words else v for v in values]


def joined(tables: Sequence[Table]) -> Table:
    """The rows of one table behind those of another, whatever form columns are in; a column that a table lacks is missing in its rows."""
    first = tables[0]
    if len(tables) == 1:
        return first
    names = dict.fromkeys(n for t in tables for n in t.columns)
    if any(len(t.columns) < len(names) for t in tables):
        tables = [replace(t, columns={n: t.columns.get(n, [None] * (len(t) or len(t.lines))) for n in names}) for t in tables]
        first = tables[0]
    columns = {n: _joined([t.columns[n] for t in tables], lambda n=n: [t.texts(n) for t in tables]) for n in first.columns}
    files = None if first.files is None else np.concatenate([t.files for t in tables])
    return replace(first, columns=columns, lines=np.concatenate([np.asarray(t.lines, np.int64) for t in tables]), files=files)


def _joined(parts: list[Any], texts: Callable[[], list[list[str | None]]]) -> Any:
    kinds = {type(p) for p in parts}
    if len(kinds) == 1 and isinstance(parts[0], np.ndarray):
        return np.concatenate(parts)
    if len(kinds) == 1 and isinstance(parts[0], Column):
        return parts[0].joined(parts)
    return [v for part in texts() for v in part]


def _text(v: Any) -> str | None:
    if v is None or v != v:
        return None
    if isinstance(v, bytes):
        return v.decode("utf-8", "replace")
    return str(int(v)) if isinstance(v, float) and abs(v) < 1e15 and v == int(v) else str(v)
