"""Rows that cannot be used: an end of the work, or counted and passed over."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

import numpy as np

from layerctl.data.table import SHOWN, BadRows, Table
from layerctl.diagnostics import Diagnostic, LayerctlError

POLICIES = ("fail", "null", "skip")
"""What becomes of a bad row: an error, an empty prediction, or nothing."""
T = TypeVar("T")


@dataclass
class Faults:
    """What to do with bad rows, and what became of them: how many there were, and what the first of them lacked."""

    policy: str = "fail"
    count: int = 0
    shown: list[Diagnostic] = field(default_factory=list)
    lines: list[int] = field(default_factory=list)
    """Lines that were no rows, of those that are still to come in a table: they stand there with missing values."""

    @property
    def tolerant(self) -> bool:
        """Whether bad rows are passed over."""
        return self.policy != "fail"

    def note(self, diagnostics: list[Diagnostic] | tuple[Diagnostic, ...], rows: int) -> None:
        """Counts bad rows and remembers the first few reasons."""
        self.count += rows
        self.shown += diagnostics[: max(0, SHOWN - len(self.shown))]

    def unread(self, wrong: Diagnostic, line: int) -> bool:
        """Takes a line that is no row; False where that is the end."""
        if self.tolerant:
            self.note([wrong], 1)
            self.lines.append(line)
        return self.tolerant

    def good(self, table: Table, use: Callable[[Table], T]) -> tuple[T | None, np.ndarray]:
        """(what `use` makes of the rows that it can use, their numbers).

        Raises:
            LayerctlError: as `use` does, for mistakes that are not a row's; for all of them if bad rows are not passed over.
        """
        rows = np.arange(len(table))
        if self.lines:
            rows = np.flatnonzero(~np.isin(np.asarray(table.lines), self.lines))
            self.lines = [line for line in self.lines if line > int(table.lines[-1])]
        while len(rows):
            try:
                return use(table if len(rows) == len(table) else table.take(rows)), rows
            except LayerctlError as error:
                if not self.tolerant or not all(d.code.startswith("data-") for d in error.diagnostics):
                    raise
                bad = np.asarray(error.rows) if isinstance(error, BadRows) else self._searched(table, rows, use)
                if not len(bad):
                    raise
                self.note(list(error.diagnostics), len(bad))
                rows = np.delete(rows, bad)
        return None, rows

    def _searched(self, table: Table, rows: np.ndarray, use: Callable[[Table], T]) -> np.ndarray:
        """The places in `rows` of those that cannot be used, each tried by itself: for mistakes that do not say which rows they are in."""
        bad = []
        for i in range(len(rows)):
            try:
                use(table.take(rows[i : i + 1]))
            except LayerctlError:
                bad.append(i)
        return np.array(bad, np.int64)
