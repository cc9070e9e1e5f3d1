"""Columns as lines of CSV or JSON: whole pieces by kernels, a few rows in plain Python, the same bytes either way."""

from __future__ import annotations

import csv
import io
import itertools
import json
import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from layerctl.predicting.columns import Column, Numbers, Texts
from layerctl.runtime.native import Native, native

MODULE, KERNELS = "printing", ("numbers", "placed")
ROOM, POWERS = 24, 22
"""As `ops/printing.py` has them; it is not imported where the store has its kernels."""
FEW = 2048
"""Rows of a piece below which Python is quick enough."""
MANY = 100_000
"""Rows written after which it pays to compile the kernels, if the store lacks them."""
WIDE = {"csv": 9, "jsonl": 16}
"""The decimal exponent from which numbers are written with an exponent: as `.9g` and as Python's `repr` have it."""


def field(v: Any) -> str:
    """A value as it stands in a table."""
    return "" if v is None else f"{v:.9g}" if isinstance(v, float) else str(v)


class Lines:
    """Writes pieces of a table that has these columns, as `csv` or `jsonl`."""

    def __init__(self, form: str, names: Sequence[str]):
        self._form, self._names = form, list(names)
        self._written = 0
        self._kernels: tuple[Native, Native] | None = None
        self._words: dict[int, tuple[Any, np.ndarray, np.ndarray, np.ndarray]] = {}
        self._none = "null" if form == "jsonl" else '""' if len(self._names) == 1 else ""
        self._before = [b.encode() for b in self._separators()]
        self._end = b"}\n" if form == "jsonl" else b"\n"

    def _separators(self) -> list[str]:
        """What stands before each field."""
        if self._form == "csv":
            return ["", *[","] * (len(self._names) - 1)]
        keys = [json.dumps(n, ensure_ascii=False) for n in self._names]
        return [f"{'{' if i == 0 else ', '}{k}: " for i, k in enumerate(keys)]

    def head(self) -> bytes:
        """The line of the columns' names, where the form has one."""
        if self._form != "csv":
            return b""
        to = io.StringIO()
        csv.writer(to, lineterminator="\n").writerow(self._names)
        return to.getvalue().encode()

    def of(self, columns: Sequence[Column]) -> bytes:
        """The lines of a piece."""
        rows = len(columns[0]) if columns else 0
        kernels = self._ready(rows)
        self._written += rows
        return self._plain(columns) if kernels is None else self._joined(columns, rows, kernels)

    def _ready(self, rows: int) -> tuple[Native, Native] | None:
        if self._kernels is None and rows >= FEW:
            found = native(MODULE, KERNELS, compiling=self._written + rows >= MANY)
            self._kernels = (found[0], found[1]) if found is not None else None
        return self._kernels if rows >= FEW else None

    def _word(self, text: str) -> str:
        """A text as a field."""
        if self._form == "jsonl":
            return json.dumps(text, ensure_ascii=False)
        if text and not any(c in text for c in ',"\r\n'):
            return text
        to = io.StringIO()
        csv.writer(to, lineterminator="\n").writerow([text] if len(self._names) == 1 else [text, ""])
        return to.getvalue()[: -1 if len(self._names) == 1 else -2]

    def _number(self, v: float) -> str:
        """A number as a field."""
        if self._form == "csv":
            return field(v)
        return repr(float(f"{v:.9g}")) if math.isfinite(v) else "null"

    def _plain(self, columns: Sequence[Column]) -> bytes:
        fields = []
        for before, column in zip(self._before, columns, strict=True):
            first, told = before.decode(), {}
            if isinstance(column, Texts):
                told = {w: first + self._word(w) for w in column.words} if len(column.words) <= len(column) else {}
            rest = first + self._none
            write = self._number if isinstance(column, Numbers) else self._word
            fields.append([rest if v is None else told.get(v) or first + write(v) for v in column.tolist()])  # type: ignore[arg-type]
        end = itertools.repeat(self._end.decode())
        return "".join("".join(row) for row in zip(*fields, end, strict=False)).encode()

    def _joined(self, columns: Sequence[Column], rows: int, kernels: tuple[Native, Native]) -> bytes:
        """All fields as words of byte strings, then each word where its line has it."""
        parts = [(before, *self._fields(c, kernels[0])) for before, c in zip(self._before, columns, strict=True)]
        sizes = np.full(rows, len(self._end) + sum(map(len, self._before)), np.int64)
        for _, _, _, lengths, codes in parts:
            sizes += lengths[codes]
        ends = np.cumsum(sizes)
        at = ends - sizes
        out = np.empty(int(ends[-1]), np.uint8)
        nothing, zero, codes0 = np.zeros(1, np.uint8), np.zeros(1, np.int64), np.zeros(rows, np.int64)
        for before, data, starts, lengths, codes in [*parts, (self._end, nothing, zero, zero, codes0)]:
            text = np.frombuffer(before or b"\0", np.uint8)
            kernels[1](out, at, data, starts, lengths, codes, text, len(before), rows)
        return out.tobytes()

    def _fields(self, column: Column, numbers: Native) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """(bytes of all words, where each starts, its length, each row's word)."""
        if isinstance(column, Texts):
            data, starts, lengths = self._encoded(column.words)
            return data, starts, lengths, np.where(column.codes < 0, len(column.words), column.codes)
        n = len(column)
        values = np.ascontiguousarray(column.values, np.float64)
        out, lengths = np.empty(n * ROOM, np.uint8), np.empty(n, np.int64)
        numbers(values, out, lengths, np.array([10.0**i for i in range(POWERS + 1)]), n, WIDE[self._form], int(self._form == "jsonl"))
        there = column.there
        odd = np.flatnonzero(lengths < 0) if there is None else np.flatnonzero((lengths < 0) | ~there)
        for i in odd.tolist():
            text = (self._number(float(values[i])) if there is None or there[i] else self._none).encode()
            out[i * ROOM : i * ROOM + len(text)] = np.frombuffer(text, np.uint8)
            lengths[i] = len(text)
        rows = np.arange(n, dtype=np.int64)
        return out, rows * ROOM, lengths, rows

    def _encoded(self, words: Sequence[str]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Words and, behind them, what stands for none; remembered for those that come with every piece."""
        known = self._words.get(id(words))
        if known is not None and known[0] is words and len(known[2]) == len(words) + 1:
            return known[1:]
        made = [*(self._word(w).encode() for w in words), self._none.encode()]
        lengths = np.array([len(m) for m in made], np.int64)
        data = np.frombuffer(b"".join(made) or b"\0", np.uint8)
        if len(words) < FEW:
            self._words[id(words)] = (words, data, np.cumsum(lengths) - lengths, lengths)
        return data, np.cumsum(lengths) - lengths, lengths
