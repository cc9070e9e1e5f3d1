"""A source larger than memory as a table: its columns in temporary files, written block by block and mapped."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from layerctl.data.fields import renumbered
from layerctl.data.table import Column, Table
from layerctl.diagnostics import LayerctlError, Source, Span, fail

MOST_WORDS = 1 << 16
"""Distinct texts up to which a column is kept as numbers of its texts."""
MOST_NUMBERS = 1 << 10
"""The same of a column of numbers, whose texts are seldom wanted."""
MOST_BYTES = 1 << 24
"""Bytes of those texts."""
_ROWS = 1 << 16
"""Rows that are handled at a time where a column changes its form."""


class _File:
    """Numbers behind each other in a file."""

    def __init__(self, path: Path, dtype: Any, shape: tuple[int, ...] = ()):
        self.path, self.dtype, self.shape, self.rows = path, np.dtype(dtype), shape, 0
        self._file = open(path, "wb")  # noqa: SIM115 (open as long as the column is written and read)

    def add(self, values: np.ndarray) -> None:
        """Adds rows."""
        self._file.write(np.ascontiguousarray(values, self.dtype).reshape(-1).view(np.uint8).data)
        self.rows += len(values)

    def mapped(self) -> np.ndarray:
        """All rows."""
        self._file.flush()
        shape = (self.rows, *self.shape)
        return np.memmap(self.path, self.dtype, "r", shape=shape).view(np.ndarray) if self.rows else np.empty(shape, self.dtype)

    def drop(self) -> None:
        """Takes the file away."""
        self._file.close()
        self.path.unlink()


class _Texts:
    """Texts behind each other, None for missing ones."""

    def __init__(self, path: Path):
        self._bytes = _File(path.with_suffix(".bytes"), np.uint8)
        self._ends = _File(path.with_suffix(".ends"), np.int64)
        self._gone = _File(path.with_suffix(".gone"), np.uint8)

    def add(self, texts: Sequence[str | None]) -> None:
        """Adds rows."""
        parts = [b"" if t is None else t.encode("utf-8", "surrogatepass") for t in texts]
        ends = np.cumsum(list(map(len, parts)), dtype=np.int64) + self._bytes.rows
        self._bytes.add(np.frombuffer(b"".join(parts), np.uint8))
        self._ends.add(ends)
        self._gone.add(np.array([t is None for t in texts], np.uint8))

    def column(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """The texts' bytes, where each ends, and which are missing."""
        return self._bytes.mapped(), self._ends.mapped(), self._gone.mapped()


class Restart(Exception):
    """Texts of a column are needed that were not kept: the source has to be read once more."""

    def __init__(self, column: str):
        super().__init__(column)
        self.column = column


class _Spooled:
    """One column while it is written: as numbers as long as all values are, as numbers of texts as long as these are few, else as texts."""

    def __init__(self, stem: Path, name: str, textual: bool):
        self._stem, self._name = stem, name
        self.numbers: _File | None = None if textual else _File(stem.with_suffix(".numbers"), np.float64)
        self.codes: _File | None = _File(stem.with_suffix(".codes"), np.int32)
        self.known: dict[str, int] = {}
        self._size = 0
        self.texts: _Texts | None = None
        self.array: _File | None = None

    def add(self, table: Table) -> None:
        """Adds a table's rows."""
        values = table.columns[self._name]
        if isinstance(values, np.ndarray):
            self._add_array(values, table)
            return
        if self.array is not None:
            fail("data-ragged", f"column '{self._name}' holds arrays in some rows only", table.span(0, self._name), hint="give every row an array")
        if self.numbers is not None:
            found = _numeric(table, self._name)
            if found is None:
                self.numbers.drop()
                self.numbers = None
                if self.codes is None:
                    raise Restart(self._name)
            else:
                self.numbers.add(found)
        if self.codes is not None:
            self._add_codes(*table.coded(self._name))
        elif self.numbers is None:
            assert self.texts is not None
            self.texts.add(table.texts(self._name))

    def _add_array(self, values: np.ndarray, table: Table) -> None:
        if self.array is None:
            if self.codes is not None and self.codes.rows:
                fail("data-ragged", f"column '{self._name}' holds arrays in some rows only", table.span(0, self._name),
                     hint="give every row an array")  # fmt: skip
            self.array = _File(self._stem.with_suffix(".array"), values.dtype, values.shape[1:])
        if values.shape[1:] != self.array.shape:
            fail("data-ragged", f"column '{self._name}': the lists differ in length", table.span(0, self._name), hint="give each row as many numbers")
        self.array.add(values)

    def _add_codes(self, codes: np.ndarray, words: Sequence[str]) -> None:
        assert self.codes is not None
        numbers = np.array([*(self.known.setdefault(w, len(self.known)) for w in words), -1], np.int32)
        self.codes.add(numbers[codes])
        self._size += sum(map(len, words)) if len(words) > 256 else 0
        if len(self.known) > (MOST_WORDS if self.numbers is None else MOST_NUMBERS) or self._size > MOST_BYTES:
            before, words = self.codes.mapped(), [*self.known, None]  # type: ignore[list-item]
            if self.numbers is None:
                self.texts = _Texts(self._stem)
                for low in range(0, len(before), _ROWS):
                    self.texts.add([words[i] for i in before[low : low + _ROWS].tolist()])
            self.codes.drop()
            self.codes, self.known = None, {}

    def fill(self, rows: int) -> None:
        """Adds rows in which the column is missing."""
        if rows:
            self.add(Table("", {self._name: [None] * rows}))

    def column(self, reread: Callable[[str], _Texts]) -> Any:
        """The column, mapped."""
        if self.array is not None:
            return self.array.mapped()
        numbers = self.numbers.mapped() if self.numbers is not None else None
        codes = (self.codes.mapped(), list(self.known)) if self.codes is not None else None
        return Stored(numbers, codes, self.texts.column() if self.texts is not None else None, lambda: reread(self._name).column())


def _numeric(table: Table, name: str) -> np.ndarray | None:
    """The column's numbers; None if it holds something else."""
    try:
        return table.numbers(name) if table.is_numeric(name) or table.missing(name).all() else None
    except LayerctlError:  # too large for a number: whoever takes the column for numbers is told so
        return None


class Stored(Column):
    """A column in mapped files."""

    def __init__(self, numbers: np.ndarray | None, codes: tuple[np.ndarray, list[str]] | None, texts: Any, read: Callable[[], Any],
                 rows: np.ndarray | None = None):  # fmt: skip
        self._numbers, self._codes, self._texts, self._read, self._rows = numbers, codes, texts, read, rows

    def __len__(self) -> int:
        if self._rows is not None:
            return len(self._rows)
        return len(self._numbers if self._numbers is not None else self._codes[0] if self._codes is not None else self._strings()[1])

    def _of(self, values: np.ndarray) -> np.ndarray:
        return values if self._rows is None else values[self._rows]

    def _strings(self) -> Any:
        if self._texts is None:
            self._texts = self._read()
        return self._texts

    def numbers(self) -> tuple[np.ndarray, np.ndarray]:
        if self._numbers is not None:
            return self._of(self._numbers), np.empty(0, np.int64)
        return np.full(len(self), np.nan), np.flatnonzero(~self.missing())

    def coded(self) -> tuple[np.ndarray, Sequence[str]]:
        if self._codes is not None:
            codes, words = self._codes
            return (codes, words) if self._rows is None else renumbered(codes[self._rows], words)
        known: dict[str, int] = {}
        codes = np.fromiter((-1 if t is None else known.setdefault(t, len(known)) for t in self), np.int32, len(self))
        return codes, list(known)

    def missing(self) -> np.ndarray:
        if self._numbers is not None:
            return np.isnan(self._of(self._numbers))
        if self._codes is not None:
            return self._of(self._codes[0]) == -1
        return self._of(self._strings()[2]) != 0

    def text(self, row: int) -> str | None:
        at = row if self._rows is None else int(self._rows[row])
        if self._codes is not None:
            code = int(self._codes[0][at])
            return None if code < 0 else self._codes[1][code]
        data, ends, gone = self._strings()
        return None if gone[at] else data[ends[at - 1] if at else 0 : ends[at]].tobytes().decode("utf-8", "surrogatepass")

    def texts(self) -> Any:
        """All rows' texts where they share few; else the column itself, which reads each text when it is asked for."""
        return super().texts() if self._codes is not None else self

    def __iter__(self) -> Iterator[str | None]:
        return (self.text(i) for i in range(len(self)))

    def take(self, rows: np.ndarray) -> Stored:
        return Stored(self._numbers, self._codes, self._texts, self._read, rows if self._rows is None else self._rows[rows])

    @classmethod
    def joined(cls, columns: Sequence[Stored]) -> Stored:
        raise TypeError("mapped columns are whole")


class Spool:
    """A source's columns in a folder. `source` gives its tables, as often as it is called."""

    def __init__(self, folder: Path, source: Callable[[], Iterable[Table]]):
        self._folder, self._source = folder, source
        self._tries = 0

    def table(self) -> Table:
        """The whole source as a table of mapped columns.

        Raises:
            LayerctlError: for what is wrong in the source.
        """
        textual: set[str] = set()
        while True:
            try:
                return self._written(textual)
            except Restart as more:
                textual.add(more.column)

    def _written(self, textual: set[str]) -> Table:
        self._tries += 1
        first: Table | None = None
        columns: dict[str, _Spooled] = {}
        lines = _File(self._folder / f"{self._tries}.lines", np.int64)
        files = _File(self._folder / f"{self._tries}.files", np.int32)
        done = 0
        for table in self._source():
            first = first or table
            for name in table.columns:
                if name not in columns:
                    columns[name] = _Spooled(self._folder / f"{self._tries}-{len(columns)}", name, name in textual)
                    columns[name].fill(done)
                columns[name].add(table)
            for name in columns.keys() - table.columns.keys():
                columns[name].fill(len(table))
            done += len(table)
            lines.add(np.asarray(table.lines, np.int64))
            files.add(np.zeros(0, np.int32) if table.files is None else table.files)
        if first is None:
            fail("data-no-rows", "the source has no rows", Span(Source("data")), hint="give a source with rows")
            raise AssertionError
        made = {n: c.column(self._texts) for n, c in columns.items()}
        return Table(first.name, made, lines.mapped(), first.decimal, files.mapped() if files.rows else None, first.names)

    def _texts(self, name: str) -> _Texts:
        """The texts of a column that was kept as numbers alone."""
        self._tries += 1
        out = _Texts(self._folder / f"{self._tries}-texts")
        for table in self._source():
            out.add(table.texts(name) if name in table.columns else [None] * len(table))
        return out
