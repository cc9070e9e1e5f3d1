"""Columns of answers: texts by number and numbers, whole arrays at a time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np


@dataclass(frozen=True, eq=False)
class Texts:
    """Texts: `codes` (rows,) int64 are numbers of `words`; -1 is none."""

    codes: np.ndarray
    words: Sequence[str]

    def __len__(self) -> int:
        return len(self.codes)

    def tolist(self) -> list[str | None]:
        """The texts; None where there is none."""
        words: list[str | None] = [*self.words, None]
        return [words[c] for c in self.codes.tolist()]

    def spread(self, at: np.ndarray, n: int) -> Texts:
        """n rows with these in the places `at`, and none elsewhere."""
        out = self.empty(n)
        out.codes[at] = self.codes
        return out

    def empty(self, n: int) -> Texts:
        """n rows of none."""
        return Texts(np.full(n, -1, np.int64), self.words)


@dataclass(frozen=True, eq=False)
class Numbers:
    """Numbers: `values` (rows,) float64, and which of them are `there` (bool; None: all)."""

    values: np.ndarray
    there: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.values)

    def tolist(self) -> list[float | None]:
        """The numbers; None where there is none."""
        values: list[Any] = self.values.tolist()
        return values if self.there is None else [v if t else None for v, t in zip(values, self.there.tolist(), strict=True)]

    def spread(self, at: np.ndarray, n: int) -> Numbers:
        """n rows with these in the places `at`, and none elsewhere."""
        values, there = np.zeros(n), np.zeros(n, bool)
        values[at], there[at] = self.values, True
        return Numbers(values, there)

    def empty(self, n: int) -> Numbers:
        """n rows of none."""
        return Numbers(np.zeros(n), np.zeros(n, bool))


Column = Texts | Numbers
"""What a column of answers is."""
