"""Text by the kernels: blocks of whole records, whose fields are slices of the block's bytes."""

from __future__ import annotations

import ctypes
import functools
import secrets
import weakref
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from layerctl.data.delimited import LONGEST_FIELD, LONGEST_RECORD, too_wide, unclosed
from layerctl.data.native import decimals, dictionary, objects, scanning
from layerctl.data.native.decimals import MISSING, OTHER
from layerctl.data.underway import Underway
from layerctl.diagnostics import Source, Span, fail
from layerctl.kernels import store
from layerctl.ops.bits import BEYOND

if TYPE_CHECKING:
    from layerctl.data.delimited import Dialect
    from layerctl.ops.kernel import Kernel

LARGEST_RECORD = 1 << 28
"""Bytes of one record."""
_TEXTUAL = 0.5
"""The share of other fields beyond which a column is not tried as numbers before somebody asks."""
_COLUMNS = (decimals.numbers, dictionary.code, dictionary.settle)
_KERNELS = {k.name: (k, *_COLUMNS) for k in (scanning.cut, scanning.cut_marked, objects.objects)}
"""What reading needs, by the kernel that cuts records."""


def kept(cutting: str) -> bool:
    """Whether the kernels that reading needs were compiled before: it needs no compiler then."""
    return store.known([store.symbol(k.at()) for k in _KERNELS[cutting]]) is not None


@functools.cache
def _functions(kernels: tuple[Kernel, ...]) -> dict[str, Any]:
    found = store.addresses([k.at() for k in kernels])
    return {k.name: ctypes.CFUNCTYPE(None, *[ctypes.c_int64] * 3)(found[k.at().key]) for k in kernels}


def run(kernel: Kernel, *arguments: Any) -> None:
    """Calls a kernel with arrays and whole numbers."""
    block = np.array([a.ctypes.data if isinstance(a, np.ndarray) else a for a in arguments], np.int64)
    together = _KERNELS.get(kernel.name, _COLUMNS)
    _functions(together)[kernel.name](0, 1, block.ctypes.data)


@dataclass(frozen=True, eq=False)
class Words:
    """The words for missing values, as kernels take them."""

    text: np.ndarray
    bounds: np.ndarray
    begins: np.ndarray
    """Whether a word begins with a byte; at 256 whether one is empty."""

    @classmethod
    @functools.cache
    def of(cls, words: frozenset[str]) -> Words:
        """Words behind each other."""
        parts = [w.encode() for w in sorted(words)]
        bounds = np.cumsum([0, *map(len, parts)], dtype=np.int64)
        begins = np.zeros(257, np.uint8)
        begins[[part[0] if part else 256 for part in parts]] = 1
        return cls(np.frombuffer(b"".join(parts) or b"\0", np.uint8).copy(), bounds, begins)

    def __len__(self) -> int:
        return len(self.bounds) - 1


_TENS = np.array([float(10**i) for i in range(23)])


class Memory:
    """Room for what blocks keep, taken from pieces of memory that grow with how much of it is in use: the system readies few large pages sooner
    than many small ones, and where blocks are let go of soon, little is held."""

    def __init__(self) -> None:
        self._free = np.empty(0, np.uint8)
        self._pieces: list[weakref.ref[np.ndarray]] = []

    def take(self, count: int, dtype: Any) -> np.ndarray:
        """An array whose values are not set."""
        size = count * np.dtype(dtype).itemsize
        if size > len(self._free):
            self._pieces = [p for p in self._pieces if p() is not None]
            held = sum(a.nbytes for p in self._pieces if (a := p()) is not None)
            self._free = np.empty(max(size, _LEAST_PIECE, min(_LARGEST_PIECE, held // 8)), np.uint8)
            self._pieces.append(weakref.ref(self._free))
        out = self._free[:size].view(dtype)
        self._free = self._free[-(-size // _ALIGNED) * _ALIGNED :]
        return out

    def kept(self, array: np.ndarray) -> np.ndarray:
        """A copy."""
        out = self.take(array.size, array.dtype)
        out[:] = array
        return out


_LEAST_PIECE, _LARGEST_PIECE, _ALIGNED = 1 << 20, 1 << 23, 64
_WORTH_A_THREAD = 1 << 18
"""Bytes of a block from which on another thread makes numbers of its fields."""


class Block:
    """Whole records: the block's bytes, with BEYOND more behind them, the fields' bounds (records, columns), the records' lines.

    A field that ends before it starts is missing whatever the words for missing values are.
    """

    def __init__(self, data: np.ndarray, starts: np.ndarray, ends: np.ndarray, lines: np.ndarray, dialect: Dialect, memory: Memory | None):
        self.data, self.starts, self.ends, self.lines, self.dialect = data, starts, ends, lines, dialect
        rows, columns = starts.shape
        if memory is not None:
            self._values = memory.take(columns * rows, np.float64).reshape(columns, rows)
            self._states = memory.take(columns * rows, np.uint8).reshape(columns, rows)
        self._done = np.zeros(columns, np.uint8)
        self._underway: Underway[np.ndarray] | None = None

    @classmethod
    def merged(cls, blocks: Sequence[Block]) -> Block:
        """One block of the records of several: what is asked of each column is then asked once."""
        for block in blocks:
            block._settle()
        at = np.cumsum([0, *(b.data.size for b in blocks)], dtype=np.int32)
        starts = np.concatenate([b.starts + low for b, low in zip(blocks, at, strict=False)])
        ends = np.concatenate([b.ends + low for b, low in zip(blocks, at, strict=False)])
        states, values = np.concatenate([b._states for b in blocks], axis=1), np.concatenate([b._values for b in blocks], axis=1)
        out = cls(np.concatenate([b.data for b in blocks]), starts, ends, np.concatenate([b.lines for b in blocks]), blocks[0].dialect, None)
        out._values, out._states, out._done = values, states, np.minimum.reduce([b._done for b in blocks])
        return out

    def picked(self, rows: np.ndarray) -> Block:
        """Some records, with bytes of their own."""
        self._settle()
        starts, ends = self.starts[rows], self.ends[rows]
        there = ends >= starts
        low = np.where(there, starts, self.data.size).min(axis=1, initial=self.data.size)
        sizes = np.maximum(np.where(there, ends, 0).max(axis=1, initial=0) - low, 0).astype(np.int64)
        at = np.cumsum(sizes) - sizes
        data = np.zeros(int(sizes.sum()) + BEYOND, np.uint8)
        data[: len(data) - BEYOND] = self.data[np.arange(len(data) - BEYOND) + np.repeat(low - at, sizes)]
        shift = (at - low).astype(np.int32)[:, None]
        starts, ends = np.where(there, starts + shift, 0), np.where(there, ends + shift, objects.NOT_THERE)
        out = Block(data, starts, ends, self.lines[rows], self.dialect, None)
        out._values, out._states, out._done = self._values[:, rows], self._states[:, rows], self._done.copy()
        return out

    def __len__(self) -> int:
        return len(self.starts)

    def begin(self, wanted: np.ndarray) -> Callable[[], np.ndarray]:
        """Tries the wanted columns (u8) as numbers, those of a large block by another thread, while the next block is cut.

        Returns what waits for that and says which columns (u8) are worth trying in the block behind this one.
        """
        if self.data.size < _WORTH_A_THREAD:
            worth = self._tried(wanted)
            return lambda: worth
        self._underway = Underway(lambda: self._tried(wanted))
        return self._underway.result

    def _tried(self, wanted: np.ndarray) -> np.ndarray:
        self.convert(wanted)
        worth = (self._done == 1).astype(np.uint8)
        for column in np.flatnonzero(self._states.max(axis=1, initial=0) == OTHER).tolist():  # most columns have none to count
            states = self._states[column]
            worth[column] &= np.count_nonzero(states == OTHER) <= _TEXTUAL * np.count_nonzero(states != MISSING)
        return worth

    def _settle(self) -> None:
        if self._underway is not None:
            self._underway.result()
            self._underway = None

    def convert(self, wanted: np.ndarray) -> None:
        """Tries the wanted columns (u8) as numbers, all in one pass."""
        words = Words.of(self.dialect.missing)
        run(decimals.numbers, self.data, self.starts, self.ends, *self.starts.shape, wanted, words.text, words.bounds, len(words), words.begins,
            int(self.dialect.decimal == ","), decimals.powers(), _TENS, self._values, self._values, self._states)  # fmt: skip
        self._done |= wanted

    def numbers(self, column: int) -> tuple[np.ndarray, np.ndarray]:
        """(values, states) of a column; where the state is OTHER or MISSING the value is NaN."""
        self._settle()
        if not self._done[column]:
            wanted = np.zeros(len(self._done), np.uint8)
            wanted[column] = 1
            self.convert(wanted)
        return self._values[column], self._states[column]

    def lose(self, column: int, words: frozenset[str]) -> None:
        """Takes the fields of a column that are one of some words for missing ones."""
        self._settle()
        for word in words:
            rows = self._rows_of(column, word)
            self.starts[rows, column], self.ends[rows, column] = 0, objects.NOT_THERE
            self._values[column, rows], self._states[column, rows] = np.nan, MISSING

    def holding(self, column: int, word: str, low: int, high: int) -> bool:
        """Whether one of some rows has a word."""
        rows = self._rows_of(column, word)
        return bool(((rows >= low) & (rows < high)).any())

    def _rows_of(self, column: int, word: str) -> np.ndarray:
        """The rows whose field is a word."""
        starts, text = self.starts[:, column], word.encode()
        rows = np.flatnonzero(self.ends[:, column] - starts == len(text))
        for i, byte in enumerate(text):
            rows = rows[self.data[starts[rows] + i] == byte]
        return rows

    def written(self, row: int, column: int) -> str:
        """A field as it is written."""
        return self.data[self.starts[row, column] : self.ends[row, column]].tobytes().decode("utf-8", "replace")

    def text(self, row: int, column: int) -> str | None:
        """A field; None if it is missing."""
        if self.ends[row, column] < self.starts[row, column]:
            return None
        made = self.written(row, column)
        return None if made in self.dialect.missing else made


class Dictionary:
    """The distinct texts of a column, numbered as they are first seen; the numbers do not depend on how hashes fall."""

    def __init__(self) -> None:
        self._seed = secrets.randbits(62)
        self._counts = np.zeros(2, np.int64)
        self._slots = np.zeros(1024, np.int64)
        self._hashes = np.empty(0, np.int64)
        self._places = np.zeros(1, np.int64)
        self._texts = np.empty(0, np.uint8)
        self._words: list[str] = []

    def __len__(self) -> int:
        return int(self._counts[dictionary.WORDS])

    @property
    def size(self) -> int:
        """Bytes of all texts."""
        return int(self._counts[dictionary.BYTES])

    def codes(self, block: Block, column: int, low: int, high: int) -> np.ndarray:
        """The numbers (i32) of some rows' texts, -1 for missing ones."""
        out = np.empty(high - low, np.int32)
        words = Words.of(block.dialect.missing)
        starts, ends = block.starts[low:high], block.ends[low:high]
        self._grow(high - low, int(np.maximum(ends[:, column] - starts[:, column], 0).sum(dtype=np.int64)))  # those not there are shorter than none
        run(dictionary.code, block.data, starts, ends, high - low, block.starts.shape[1], column, words.text, words.bounds, len(words), words.begins,
            self._seed, self._slots, len(self._slots) - 1, self._hashes, self._places, self._texts, self._counts, out)  # fmt: skip
        return out

    def _grow(self, rows: int, size: int) -> None:
        n, used = self._counts.tolist()
        if n + rows > len(self._hashes):
            more = max(n + rows, 2 * len(self._hashes))
            self._hashes = _longer(self._hashes, n, more)
            self._places = _longer(self._places, n + 1, more + 1)
        if used + size + BEYOND > len(self._texts):
            self._texts = _longer(self._texts, used, max(used + size + BEYOND, 2 * len(self._texts)))
        if 2 * (n + rows) > len(self._slots):
            self._slots = np.zeros(1 << (2 * (n + rows)).bit_length(), np.int64)
            run(dictionary.settle, self._hashes, n, self._slots, len(self._slots) - 1)

    def words(self) -> list[str]:
        """The texts by number."""
        for i in range(len(self._words), len(self)):
            self._words.append(self._texts[self._places[i] : self._places[i + 1]].tobytes().decode("utf-8", "replace"))
        return self._words


def _longer(array: np.ndarray, used: int, length: int) -> np.ndarray:
    out = np.empty(length, array.dtype)
    out[:used] = array[:used]
    return out


class Pieces:
    """Cuts pieces of text into blocks of whole records; a dialect of text says how."""

    def __init__(self, name: str):
        self.name = name
        self.memory = Memory()
        self._line = 1

    def blocks(self, pieces: Iterable[bytes]) -> Iterator[Any]:
        """What `cut` makes of each block's records; None where a piece was empty, that is, where its writer pauses.

        Raises:
            LayerctlError: as `cut` does, and for a record that is too long.
        """
        rest, lacking = b"", 0
        for piece in pieces:
            if not piece:
                yield None
                continue
            rest += piece
            if len(rest) < lacking:
                continue
            made, used = self.cut(rest, False)
            if made is not None:
                yield made
            rest = rest[used:]
            lacking = 2 * len(rest) if len(rest) > len(piece) else 0
            if len(rest) > LARGEST_RECORD:
                fail("data-syntax", f"a record has more than {LARGEST_RECORD >> 20} MB", Span(Source(self.name), self._line, 1),
                     hint="lines end in LF or CRLF: is this the delimited text that it should be?")  # fmt: skip
        if rest:
            made, _ = self.cut(rest, True)
            if made is not None:
                yield made

    def cut(self, text: bytes, last: bool) -> tuple[Any, int]:
        """(what is made of the whole records in a text, None if there are none; the bytes that they take); with `last` the text ends with them."""
        raise TypeError(f"{type(self).__name__} does not say how records are cut")

    def padded(self, text: bytes, more: bytes = b"") -> np.ndarray:
        """Bytes as kernels read them, with BEYOND more behind them."""
        size = len(text) + len(more)
        data = self.memory.take(size + BEYOND, np.uint8)
        data[: len(text)], data[len(text) : size], data[size:] = np.frombuffer(text, np.uint8), np.frombuffer(more, np.uint8), 0
        return data


class Cutter(Pieces):
    """Delimited text: blocks are (bytes, starts, ends, firsts, lines), see the kernel `cut`; counts lines on the way."""

    def __init__(self, dialect: Dialect, name: str):
        super().__init__(name)
        self.dialect = dialect
        self._lead = int(dialect.blanks_skipped)
        self._room: tuple[np.ndarray, ...] = self._rooms(0)

    def cut(self, text: bytes, last: bool) -> tuple[tuple[np.ndarray, ...] | None, int]:
        """Whole records.

        Raises:
            LayerctlError: for a quote that is not closed, a field that is too long.
        """
        size, data = len(text), self.padded(text)
        state = np.zeros(8, np.int64)
        state[scanning.LINE] = self._line
        if len(self._room[0]) < size + 2:
            self._room = ()  # let go of before there is another
            self._room = self._rooms(size + size // 32)
        starts, ends, firsts, lines = self._room
        marks = (self.dialect.escape, self.dialect.comment) if self.dialect.marked else ()
        signs = [-1 if s is None else ord(s) for s in (self.dialect.delimiter, self.dialect.quote, *marks)]
        kernel = scanning.cut_marked if self.dialect.marked else scanning.cut
        run(kernel, data, size, *signs, self._lead, int(last), LONGEST_RECORD, state, starts, ends, firsts, lines)
        at, fields, records, line, opened, tall_line, tall, wide = state.tolist()
        if tall:
            unclosed(self.name, tall_line, tall)
        if opened and last:
            unclosed(self.name, line, text[at:].rstrip(b"\r\n").replace(b"\r\n", b"\n").replace(b"\r", b"\n").count(b"\n") + 1)
        if wide > LONGEST_FIELD:
            which = int(np.searchsorted(firsts[:records], int(np.argmax((ends[:fields] - starts[:fields]) > LONGEST_FIELD)), "right")) - 1
            too_wide(self.name, int(lines[which]))
        self._line = line
        if not records:
            return None, at
        kept = [self.memory.kept(a) for a in (starts[:fields], ends[:fields], firsts[:records], lines[:records])]
        return (data, *kept), at

    @staticmethod
    def _rooms(size: int) -> tuple[np.ndarray, ...]:
        """Room for what is found in so many bytes, used for one block after the other; a record that is not blank has two bytes."""
        return (np.empty(size + 2, np.int32), np.empty(size + 2, np.int32), np.empty(size // 2 + 2, np.int32), np.empty(size // 2 + 2, np.int64))
