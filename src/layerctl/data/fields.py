"""Columns of delimited text as the kernels leave it: slices of blocks, read as numbers or numbered texts when somebody asks."""

from __future__ import annotations

import bisect
import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from layerctl.data.blocks import Block, Cutter, Dictionary, Memory
from layerctl.data.delimited import Heading
from layerctl.data.native.decimals import MISSING, OTHER
from layerctl.data.native.objects import NOT_THERE
from layerctl.data.table import Column, Table

Part = tuple[Block, int, int]
"""A block, and from which to which of its rows."""
FEW_WORDS, SAME = 40, 0.1
"""Words that are looked for among bytes; the share of different texts up to which they take little memory."""
LARGEST = 1 << 30
"""Bytes of blocks that are made into one."""


class Fields(Column):
    """One column of some parts of blocks; `rows` picks among their rows."""

    def __init__(self, parts: Sequence[Part], column: int, rows: np.ndarray | None = None, known: dict[str, Any] | None = None):
        self._parts, self._column, self._rows = parts, column, rows
        self._known: dict[str, Any] = {} if known is None else known
        self._ends = list(itertools.accumulate(high - low for _, low, high in parts))

    def __len__(self) -> int:
        return self._ends[-1] if self._rows is None else len(self._rows)

    def numbers(self) -> tuple[np.ndarray, np.ndarray]:
        values, states = self._of("numbers", self._numbers)
        if self._rows is not None:
            values, states = values[self._rows], states[self._rows]
        return values, np.flatnonzero(states == OTHER)

    def _numbers(self) -> tuple[np.ndarray, np.ndarray]:
        found = [(b.numbers(self._column), low, high) for b, low, high in self._parts]
        values = np.concatenate([v[low:high] for (v, _), low, high in found])
        return values, np.concatenate([s[low:high] for (_, s), low, high in found])

    def coded(self) -> tuple[np.ndarray, Sequence[str]]:
        codes, words = self._of("coded", self._coded)
        if self._rows is None:
            return codes, words
        return renumbered(codes[self._rows], words)

    def _coded(self) -> tuple[np.ndarray, Sequence[str]]:
        dictionary = Dictionary()
        codes = np.concatenate([dictionary.codes(b, self._column, low, high) for b, low, high in self._parts])
        return codes, dictionary.words()

    def _of(self, what: str, make: Any) -> Any:
        if what not in self._known:
            self._known[what] = make()
        return self._known[what]

    def reads_as_numbers(self, judge: Callable[[str], bool]) -> bool:
        if "numbers" in self._known or self._rows is not None:
            return super().reads_as_numbers(judge)
        for block, low, high in self._parts:
            states = block.numbers(self._column)[1][low:high]
            for i in np.flatnonzero(states == OTHER).tolist() if states.max(initial=0) == OTHER else ():
                if not judge(block.text(low + i, self._column) or ""):
                    return False
        return super().reads_as_numbers(judge)

    def missing(self) -> np.ndarray:
        if "coded" in self._known:
            codes = self._known["coded"][0]
            return (codes if self._rows is None else codes[self._rows]) < 0
        states = self._of("numbers", self._numbers)[1]
        return (states if self._rows is None else states[self._rows]) == MISSING

    def text(self, row: int) -> str | None:
        at = row if self._rows is None else int(self._rows[row])
        part = bisect.bisect_right(self._ends, at)
        block, low, _ = self._parts[part]
        return block.text(low + at - (self._ends[part - 1] if part else 0), self._column)

    def take(self, rows: np.ndarray) -> Fields:
        return Fields(self._parts, self._column, rows if self._rows is None else self._rows[rows], self._known)

    def part(self, low: int, high: int) -> Fields:
        if self._rows is not None:
            return Fields(self._parts, self._column, self._rows[low:high], self._known)
        kept, start = [], 0
        for block, first, last in self._parts:
            a, b = max(low - start, 0), min(high - start, last - first)
            if a < b:
                kept.append((block, first + a, first + b))
            start += last - first
        return Fields(kept or [(self._parts[0][0], 0, 0)], self._column)

    def without(self, words: frozenset[str]) -> Fields:
        for block, _, _ in self._parts:
            block.lose(self._column, words)
        return Fields(self._parts, self._column, self._rows)

    def having(self, words: frozenset[str]) -> frozenset[str]:
        if self._rows is not None or len(words) > FEW_WORDS:
            return super().having(words)
        return frozenset(w for w in words if any(b.holding(self._column, w, low, high) for b, low, high in self._parts) and w)

    def forget(self) -> None:
        if len(self._known.get("coded", ((), ()))[1]) > SAME * len(self):
            del self._known["coded"]

    @classmethod
    def joined(cls, columns: Sequence[Fields]) -> Fields:
        if any(c._rows is not None for c in columns):
            raise ValueError("columns of picked rows are not joined")
        if len({c._column for c in columns}) > 1:
            raise ValueError("columns of different places are not joined")
        return cls([p for c in columns for p in c._parts], columns[0]._column)


def renumbered(codes: np.ndarray, words: Sequence[str]) -> tuple[np.ndarray, list[str]]:
    """Codes of some rows, with the words that are left in the order of their first rows."""
    found, first, inverse = np.unique(codes, return_index=True, return_inverse=True)
    order = np.argsort(first, kind="stable")
    order = order[found[order] >= 0]
    numbers = np.full(len(found), -1, np.int32)
    numbers[order] = np.arange(len(order), dtype=np.int32)
    return numbers[inverse.reshape(-1)], [words[found[i]] for i in order]


def native_tables(pieces: Iterable[bytes], heading: Heading) -> Iterator[Table | None]:
    """Tables as the blocks come, by the kernels; None where the writer of the pieces pauses."""
    worth: Callable[[], np.ndarray] | None = None
    cutter = Cutter(heading.dialect, heading.name)
    for made in cutter.blocks(pieces):
        if made is None:
            yield None
            continue
        data, starts, ends, firsts, lines = made
        if not heading.names:
            end = int(firsts[1]) if len(firsts) > 1 else len(starts)
            record = Block(data, starts[None, :end], ends[None, :end], lines[:1], heading.dialect, cutter.memory)
            if heading.first([record.written(0, i) for i in range(end)], int(lines[0])):
                firsts, lines = firsts[1:], lines[1:]
        block = _fitting(heading, cutter.memory, data, starts, ends, firsts, lines)
        if not len(block):
            continue
        worth = block.begin(np.ones(len(heading.names), np.uint8) if worth is None else worth())
        heading.rows += len(block)
        yield table_of([(block, 0, len(block))], heading)


def table_of(parts: Sequence[Part], heading: Heading) -> Table:
    """Parts of blocks as a table."""
    lines = np.concatenate([b.lines[low:high] for b, low, high in parts])
    columns = {n: Fields(parts, i) for i, n in enumerate(heading.names)}
    return Table(heading.name, columns, lines, heading.dialect.decimal, headless=heading.headless)


def _fitting(
    heading: Heading, memory: Memory, data: np.ndarray, starts: np.ndarray, ends: np.ndarray, firsts: np.ndarray, lines: np.ndarray
) -> Block:  # fmt: skip
    """The records that have as many fields as there are columns; one more is passed over where it is the last and missing."""
    width = len(heading.names)
    counts = np.diff(firsts, append=np.int32(len(starts)))
    fits = counts == width
    if fits.all():
        low = int(firsts[0]) if len(firsts) else len(starts)
        return Block(data, starts[low:].reshape(-1, width), ends[low:].reshape(-1, width), lines, heading.dialect, memory)
    cells = firsts.astype(np.int64)[:, None] + np.arange(width)
    for i in np.flatnonzero(~fits).tolist():
        at, n = int(firsts[i]), int(counts[i])
        record = Block(data, starts[None, at : at + n], ends[None, at : at + n], lines[i : i + 1], heading.dialect, memory)
        if n == width + 1 and record.text(0, width) is None:
            fits[i] = True
        elif heading.filled(n):
            cells[i, n:] = len(starts)
            fits[i] = True
        elif heading.ragged([record.text(0, j) for j in range(n)], int(lines[i])):
            cells[i] = len(starts)
            fits[i] = True
    starts, ends = np.append(starts, starts[:1] * 0), np.append(ends, ends[:1] * 0 + NOT_THERE)
    cells = cells[fits]
    return Block(data, starts[cells], ends[cells], lines[fits], heading.dialect, memory)


def merged(table: Table) -> Table:
    """A table of many small blocks as one of a single block; another, or one of more than a block may have, as it is."""
    parts = _blocks(table)
    if len(parts) < 2 or any(high - low < len(b) for b, low, high in parts) or sum(b.data.size for b, _, _ in parts) > LARGEST:
        return table
    return _of_block(table, Block.merged([b for b, _, _ in parts]))


def picked(table: Table, rows: np.ndarray) -> Table:
    """Some rows, in a form that holds nothing of the others."""
    made = table.take(rows)
    parts = _blocks(table)
    if not parts:
        return replace(made, columns={n: c.texts() if isinstance(c, Column) else c for n, c in made.columns.items()})
    ends = np.cumsum([high - low for _, low, high in parts])
    cuts = np.searchsorted(rows, [0, *ends])
    blocks = [b.picked(rows[i:j] - (end - high)) for (b, _, high), end, i, j in zip(parts, ends, cuts, cuts[1:], strict=False)]
    return _of_block(made, Block.merged(blocks))


def _blocks(table: Table) -> Sequence[Part]:
    """The parts of blocks that a table's columns all are; none if they are not."""
    columns = list(table.columns.values())
    if not all(isinstance(c, Fields) and c._rows is None for c in columns):
        return []
    parts = [[(id(b), low, high) for b, low, high in c._parts] for c in columns]
    return columns[0]._parts if columns and all(p == parts[0] for p in parts) else []


def _of_block(table: Table, block: Block) -> Table:
    return replace(table, columns={n: Fields([(block, 0, len(block))], c._column) for n, c in table.columns.items()})
