"""JSON lines by the kernels: lines of flat objects are cut into fields where they stand, others are read by Python's json, with the same tables."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from layerctl.data.blocks import Block, Pieces, run
from layerctl.data.delimited import Dialect
from layerctl.data.faults import Faults
from layerctl.data.fields import Fields
from layerctl.data.jsonlines import bounded, rows_of, scalar, table_of_rows
from layerctl.data.native import objects
from layerctl.data.table import Table
from layerctl.diagnostics import Source, Span, fail
from layerctl.ops.bits import BEYOND


def flat_tables(
    pieces: Iterable[bytes], name: str, missing: frozenset[str], faults: Faults | None = None, wanted: Sequence[str] = ()
) -> Iterator[Table | None]:  # fmt: skip
    """Tables as the blocks come; None where the writer of the pieces pauses. See `json_tables`.

    Raises:
        LayerctlError: as `json_tables` does.
    """
    yield from _Lines(name, missing, faults, wanted).blocks(bounded(pieces, name))


class _Lines(Pieces):
    """Lines to tables; what keys there are is known from the blocks before, or from a block's first line."""

    def __init__(self, name: str, missing: frozenset[str], faults: Faults | None, wanted: Sequence[str]):
        super().__init__(name)
        self._missing, self._faults = missing, faults
        self._dialect = Dialect(",", '"', missing, ".", None)
        self._arrays: set[str] = set()
        self._begun = self._cut = False
        self._names: list[str] = []
        self._spelled: tuple[np.ndarray, np.ndarray] = (np.zeros(0, np.uint8), np.zeros(1, np.int64))
        self._know(wanted)

    def _know(self, names: Iterable[str]) -> None:
        """Takes keys, behind those that are known."""
        self._names = list(dict.fromkeys([*self._names, *names]))
        parts = [n.encode("utf-8", "surrogatepass") for n in self._names]
        text = b"".join(parts) + bytes(BEYOND)
        self._spelled = np.frombuffer(text, np.uint8), np.cumsum([0, *map(len, parts)], dtype=np.int64)

    def cut(self, text: bytes, last: bool) -> tuple[Table | None, int]:
        """Whole lines.

        Raises:
            LayerctlError: for a line that is no JSON object, or lists that do not go together.
        """
        if not self._begun:
            self._begun = True
            head, _, _ = text.partition(b"\n")
            if b"\r" not in head and (last or len(head) < len(text)):
                first = rows_of([(1, head)], self.name, Faults("skip"))
                self._know([k for r in first for k in r])
        line, data = self._line, self.padded(text)
        most = int(np.count_nonzero(data == 10)) + int(np.count_nonzero(data == 13)) + 1
        if self._arrays or not self._names or most * len(self._names) > len(text):
            return self._by_json(text, last)
        count = len(self._names)
        starts, ends = self.memory.take(most * count, np.int32), self.memory.take(most * count, np.int32)
        lines, odd = self.memory.take(most, np.int64), np.empty(3 * most, np.int32)
        state = np.zeros(4, np.int64)
        state[objects.LINE] = line
        run(objects.objects, data, len(text), int(last), *self._spelled, count, state, starts, ends, lines, odd)
        at, rows, self._line, strange = state.tolist()
        if not rows:
            return None, at
        bounds = starts[: rows * count].reshape(rows, count), ends[: rows * count].reshape(rows, count)
        found = odd[: 3 * strange].reshape(strange, 3)
        read = rows_of([(int(lines[r]), text[s:e]) for r, s, e in found.tolist()], self.name, self._faults)
        if any(k not in self._names or type(v) is list for row in read for k, v in row.items()):
            self._line = line
            return self._by_json(text, last, dict(zip(lines[found[:, 0]].tolist(), read, strict=True)))
        if read:
            data = self._completed(text, found[:, 0], read, bounds)
        self._cut = True
        block = Block(data, *bounds, lines[:rows], self._dialect, self.memory)
        return Table(self.name, {n: Fields([(block, 0, rows)], i) for i, n in enumerate(self._names)}, lines[:rows]), at

    def _completed(self, text: bytes, rows: np.ndarray, read: Sequence[dict[str, Any]], bounds: tuple[np.ndarray, np.ndarray]) -> np.ndarray:
        """The bytes with the odd rows' values behind them, and these rows' bounds there."""
        starts, ends = bounds
        more: list[bytes] = []
        size = len(text)
        for row, values in zip(rows.tolist(), read, strict=True):
            starts[row], ends[row] = 0, objects.NOT_THERE
            for c, n in enumerate(self._names):
                value = scalar(values.get(n), self._missing)
                if value is not None:
                    more.append(value.encode("utf-8", "replace"))
                    starts[row, c], ends[row, c] = size, size + len(more[-1])
                    size += len(more[-1])
        return self.padded(text, b"".join(more))

    def _by_json(self, text: bytes, last: bool, read: Mapping[int, dict[str, Any]] | None = None) -> tuple[Table | None, int]:
        """Whole lines by Python's json; those that were `read` already are given by their numbers."""
        read = read or {}
        size = len(text) if last else text.rfind(b"\n") + 1
        plain = text[:size].replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        every = plain.removesuffix(b"\n").split(b"\n") if plain else []
        given = [(self._line + i, line) for i, line in enumerate(every) if line.decode().strip()]
        self._line += len(every)
        rows = [read[n] if n in read else rows_of([(n, line)], self.name, self._faults)[0] for n, line in given]
        if not rows:
            return None, size
        table = table_of_rows(rows, [n for n, _ in given], self.name, self._missing)
        self._know(table.columns)
        arrays = {n for n, c in table.columns.items() if isinstance(c, np.ndarray)}
        if self._cut and arrays != self._arrays:
            mixed = min(arrays ^ self._arrays)
            fail("data-ragged", f"column '{mixed}' holds lists in some rows only", Span(Source(self.name), given[0][0], 1),
                 hint="give a list of the same length in each row, or leave the column out of the features")  # fmt: skip
        self._arrays, self._cut = arrays, True
        table.columns |= {n: [None] * len(rows) for n in self._names if n not in table.columns}
        return table, size
