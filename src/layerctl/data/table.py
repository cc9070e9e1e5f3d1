"""A table in memory: columns of text or numbers, and the line that each row came from."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from layerctl.diagnostics import Diagnostic, LayerctlError, Source, Span

SHOWN = 5
_ODD = re.compile(r"[^0-9eE+\-. \n]")
_NUMBER = re.compile(r"\s*[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?\s*", re.ASCII)


@dataclass
class Table:
    """`columns` hold lists of text (None for missing) or numpy arrays with the rows first; `lines` the rows' line numbers."""

    name: str
    columns: dict[str, Any]
    lines: list[int] = field(default_factory=list)
    decimal: str = "."

    def __len__(self) -> int:
        return len(next(iter(self.columns.values()))) if self.columns else 0

    def take(self, rows: np.ndarray) -> Table:
        """Some rows."""
        picked = {n: c[rows] if isinstance(c, np.ndarray) else [c[i] for i in rows] for n, c in self.columns.items()}
        return Table(self.name, picked, [self.lines[i] for i in rows] if self.lines else [], self.decimal)

    def span(self, row: int, column: str | None = None) -> Span:
        """The place of a row (and the number of a column's field in it)."""
        at = list(self.columns).index(column) + 1 if column in self.columns else 1
        line = self.lines[row] if row < len(self.lines) else row + 1
        return Span(Source(self.name), line, at, line, at + 1)

    def texts(self, column: str) -> list[str | None]:
        """A column as text; None where a value is missing."""
        values = self.columns[column]
        if isinstance(values, np.ndarray):
            return [_text(v) for v in values.tolist()]
        return values

    def coded(self, column: str) -> tuple[np.ndarray, Sequence[str]]:
        """(codes, words): a column's distinct texts in the order of their first rows, and the number (i32) of each row's; -1 for a missing value."""
        known: dict[str, int] = {}
        codes = [-1 if v is None else known.setdefault(v, len(known)) for v in self.texts(column)]
        return np.array(codes, np.int32), list(known)

    def missing(self, column: str) -> np.ndarray:
        """Where a value is missing; in a column of arrays, where one of their numbers is."""
        values = self.columns[column]
        if not isinstance(values, np.ndarray):
            return np.array([v is None for v in values], bool)
        return np.isnan(values.reshape(len(values), -1)).any(axis=1) if values.dtype.kind == "f" else np.zeros(len(values), bool)

    def numbers(self, column: str) -> np.ndarray:
        """A column as float64; NaN where a value is missing.

        Raises:
            LayerctlError: `data-not-a-number`, naming the first bad fields and how many there are.
        """
        values = self.columns[column]
        if isinstance(values, np.ndarray):
            if values.dtype.kind not in "fiub":
                return self._parsed(column, [None if v is None else str(v) for v in values.tolist()])
            out = values.astype(np.float64)
            if np.isinf(out).any():
                self.refuse(column, np.flatnonzero(np.isinf(out)), [str(v) for v in values.tolist()], "is not a finite number")
            return out
        return self._parsed(column, values)

    def _parsed(self, column: str, values: list[str | None]) -> np.ndarray:
        present = [v for v in values if v is not None]
        if self.decimal == ",":
            values = [None if v is None else v.replace(".", "").replace(",", ".") for v in values]
            present = [v for v in values if v is not None]
        if _ODD.search("\n".join(present)) or not all(present):
            bad = [i for i, v in enumerate(values) if v is not None and not _NUMBER.fullmatch(v)]
            if bad:
                self.refuse(column, np.array(bad), values, "is not a number")
        out = np.full(len(values), np.nan)
        here = np.array([v is not None for v in values])
        try:
            out[here] = np.array(present, dtype=np.float64) if present else 0.0
        except ValueError:
            bad = [i for i, v in enumerate(values) if v is not None and not _NUMBER.fullmatch(v)]
            self.refuse(column, np.array(bad), values, "is not a number")
        if np.isinf(out).any():
            self.refuse(column, np.flatnonzero(np.isinf(out)), values, "is too large for a number")
        return out

    def is_numeric(self, column: str) -> bool:
        """Whether every value that is there reads as a number."""
        values = self.columns[column]
        if isinstance(values, np.ndarray):
            return values.dtype.kind in "fiub"
        if self.decimal == ",":
            values = [None if v is None else v.replace(".", "").replace(",", ".") for v in values]
        present = [v for v in values if v is not None]
        return bool(present) and all(_NUMBER.fullmatch(v) for v in present)

    def refuse(self, column: str, rows: np.ndarray, values: Any, what: str, hint: str | None = None, code: str = "data-not-a-number") -> None:
        """Ends with a diagnostic for each of the first bad fields, the last of them saying how many there are."""
        out = []
        for n, i in enumerate(rows[:SHOWN]):
            more = f" ({len(rows)} such rows in all)" if n == min(SHOWN, len(rows)) - 1 and len(rows) > SHOWN else ""
            shown = "a value" if code == "data-missing" and not values[i] else repr(values[i])
            out.append(Diagnostic(code, f"column '{column}': {shown} {what}{more}", self.span(int(i), column), (), hint))
        raise LayerctlError(out)


def _text(v: Any) -> str | None:
    if v is None or v != v:
        return None
    if isinstance(v, bytes):
        return v.decode("utf-8", "replace")
    return f"{v:g}" if isinstance(v, float) and v == int(v) and abs(v) < 1e15 else str(v)
