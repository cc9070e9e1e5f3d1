"""The rows of a source that are looked at: all of them, or of a large source some from all over it, and those with what no row before had."""

from __future__ import annotations

import sys
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from layerctl.data.readers import tables
from layerctl.data.table import NUMBER, Column, Table, joined
from layerctl.randoms import key_of, uniform
from layerctl.spec.reading import Reading

ROOM = 240 << 20
"""About how many bytes the values of the rows that are looked at may take as texts in memory, if no number of rows is given."""
FIELD = 50
"""Bytes of a text beside its characters."""
NEW = 200
"""Different words of a column, and different numbers of one that has no more, for each of which a row is looked at."""
FOR_NEW = 0.25
"""The share of the room for these rows."""
TOGETHER = 1 << 20
"""Fields that are gone through together."""
_FEW, _SOME = 64, 16
ALL = sys.maxsize


def looked_at(source: str, reading: Reading, most: int | None = None, goals: Collection[str] = ()) -> Table:
    """The rows of a source that are looked at, at most `most` of those that are like others; its `whole` says how many there are, if not these alone.
    Of the columns `goals` all words that may be classes are among them.

    Raises:
        LayerctlError: for a file that is not there, cannot be read, or is not what its format says, in any of its rows.
    """
    sample = _Sample(most, frozenset(goals))
    for table in _together(tables(source, reading)):
        sample.add(table)
    return sample.table()


def _together(found: Iterator[Table]) -> Iterator[Table]:
    """Tables of many fields out of smaller ones."""
    held: list[Table] = []
    for table in found:
        held.append(table)
        if sum(map(len, held)) * len(table.columns) >= TOGETHER:
            yield _one(held)
            held = []
    if held:
        yield _one(held)


def _one(found: list[Table]) -> Table:
    """Tables as one, in one block where they are text."""
    table = joined(found)
    if not any(isinstance(c, Column) for c in table.columns.values()):
        return table
    from layerctl.data.fields import merged

    return merged(table)


def _picked(table: Table, rows: np.ndarray) -> Table:
    """Some rows, in a form that holds nothing of the others."""
    if not any(isinstance(c, Column) for c in table.columns.values()):
        return table.take(rows)
    from layerctl.data.fields import picked

    return picked(table, rows)


@dataclass
class _Held:
    """Rows of a table with their chances, `new` ones stay; of `size` bytes as texts."""

    table: Table
    chances: np.ndarray
    new: np.ndarray
    size: int

    def below(self, share: float) -> _Held:
        """The rows whose chance is below a share, and the new ones; in a form that holds nothing of the others."""
        rows = np.flatnonzero((self.chances < share) | self.new)
        table = _picked(self.table, rows)
        return _Held(table, self.chances[rows], self.new[rows], _size(table))


class _Sample:
    """Rows that are held: all, until they are more than there is room for, then those whose chance is below a share that is halved again and again."""

    def __init__(self, most: int | None, goals: frozenset[str]):
        self._most = ALL if most is None else most
        self._room = ROOM if most is None else ALL
        self._goals = goals
        self._share = 1.0
        self._held: list[_Held] = []
        self._seen: dict[str, _Seen] = {}
        self._room_for_new = FOR_NEW * self._room
        self._rows = 0
        self._last: Table | None = None

    def add(self, table: Table) -> None:
        """The next rows."""
        chances = uniform(key_of("looked at", self._rows), len(table))
        self._rows += len(table)
        self._last = table
        made = _Held(table, chances, np.zeros(len(table), bool), _size(table))
        if self._share < 1.0:
            made = self._new(made).below(self._share)
        self._held.append(made)
        while self._share > 1e-9 and (sum(h.size for h in self._held) > self._room or sum(len(h.table) for h in self._held) > self._most):
            if self._share == 1.0:
                self._held = [self._new(h) for h in self._held]
            self._share /= 2
            self._held = [h.below(self._share) for h in self._held]
            if all(h.new.all() for h in self._held):
                break

    def table(self) -> Table:
        """The rows that are held, in their order, with the last one."""
        if self._share == 1.0:
            return _one([h.table for h in self._held])
        assert self._last is not None
        found = [h.table for h in self._held if len(h.table)]
        if not found or list(found[-1].lines[-1:]) != list(self._last.lines[-1:]):
            found.append(_picked(self._last, np.array([len(self._last) - 1])))
        return replace(_one(found), whole=self._rows)

    def _new(self, held: _Held) -> _Held:
        """The same with the rows marked that have what no row before had."""
        table = held.table
        width = held.size / max(1, len(table))
        for name, values in table.columns.items():
            seen = self._seen.setdefault(name, _Seen())
            for row in seen.rows(values, table.decimal):
                if not held.new[row] and (self._room_for_new >= width or name in self._goals):
                    self._room_for_new -= width
                    held.new[row] = True
        return held


@dataclass
class _Seen:
    """What a column had so far: words and numbers, as far as they are kept, and whether a value was missing."""

    words: set[str] = field(default_factory=set)
    numbers: np.ndarray | None = field(default_factory=lambda: np.zeros(0))
    missing: bool = False

    def rows(self, values: Any, decimal: str) -> list[int]:
        """The rows with something new."""
        if isinstance(values, np.ndarray) and (values.ndim > 1 or values.dtype.kind not in "fiub"):
            return []
        if self.numbers is None and self.missing and len(self.words) >= NEW:
            return []
        found, others = _numbers(values, decimal)
        gone = np.isnan(found)
        gone[others] = False
        out = []
        if not self.missing and gone.any():
            self.missing = True
            out.append(int(np.argmax(gone)))
        if self.numbers is not None:
            out += self._numbers(found)
        if len(others) and len(self.words) < NEW:
            out += self._words(values, others)
        return out

    def _numbers(self, found: np.ndarray) -> list[int]:
        different, first = np.unique(found, return_index=True)
        fresh = ~np.isnan(different) & ~np.isin(different, self.numbers)
        if not fresh.any():
            return []
        assert self.numbers is not None
        self.numbers = np.concatenate([self.numbers, different[fresh]])
        if len(self.numbers) > NEW:
            self.numbers = None
            return []
        return first[fresh].tolist()

    def _words(self, values: Any, others: np.ndarray) -> list[int]:
        out = []
        if isinstance(values, Column) and len(others) > _FEW:
            codes, words = values.coded()
            numbers, first = np.unique(codes[others], return_index=True)
            pairs = [(int(others[i]), words[c]) for c, i in sorted(zip(numbers.tolist(), first.tolist(), strict=True), key=lambda p: p[1]) if c >= 0]
        else:
            pairs = [(i, values[i]) for i in others.tolist()]
        for row, word in pairs:
            if len(self.words) >= NEW:
                break
            if word not in self.words:
                self.words.add(word)
                out.append(row)
        return out


def _numbers(values: Any, decimal: str) -> tuple[np.ndarray, np.ndarray]:
    """(a column's numbers, the rows of other texts); NaN there, and where a value is missing."""
    if isinstance(values, Column):
        return values.numbers()
    if isinstance(values, np.ndarray):
        return values.astype(np.float64), np.zeros(0, np.int64)
    plain = [v if v is None or decimal == "." else v.replace(".", "").replace(",", ".") for v in values]
    fits = [v is not None and NUMBER.fullmatch(v) is not None for v in plain]
    found = np.array([float(v) if ok else np.nan for v, ok in zip(plain, fits, strict=True)])  # type: ignore[arg-type]
    return found, np.array([i for i, (v, ok) in enumerate(zip(plain, fits, strict=True)) if v is not None and not ok], np.int64)


def _size(table: Table) -> int:
    """About how many bytes a table's values take as texts."""
    return sum(c.nbytes if isinstance(c, np.ndarray) else _weight(c) for c in table.columns.values())


def _weight(values: Any) -> int:
    """The same of a column, by some of its texts."""
    some = range(0, len(values), max(1, len(values) // _SOME))
    lengths = [len(values[i] or "") for i in some]
    return int(len(values) * (FIELD + sum(lengths) / max(1, len(lengths))))
