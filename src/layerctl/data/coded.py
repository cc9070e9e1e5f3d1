"""A column of few different texts in memory: the texts, and the number of each row's."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from layerctl.data.table import NUMBER, Column


class Coded(Column):
    """`codes` (i32) are numbers of `words`, -1 for a missing value; the words are in the order of their first rows."""

    def __init__(self, codes: np.ndarray, words: Sequence[str]):
        self._codes, self._words = codes, words

    @classmethod
    def of(cls, codes: np.ndarray, words: Sequence[str | None], missing: frozenset[str]) -> Coded:
        """Numbers of words in any order, some of which may stand for a missing value; blanks around words do not count."""
        plain = [None if w is None or (text := w.strip()) in missing else text for w in words]
        known: dict[str, int] = {}
        made = np.array([*(-1 if w is None else known.setdefault(w, len(known)) for w in plain), -1], np.int32)
        found, order = made[codes], list(known)
        seen, first = np.unique(found, return_index=True)
        kept = [int(c) for c in seen[np.argsort(first)] if c >= 0]
        ranks = np.full(len(order) + 1, -1, np.int32)
        ranks[kept] = np.arange(len(kept), dtype=np.int32)
        return cls(ranks[found], [order[c] for c in kept])

    def __len__(self) -> int:
        return len(self._codes)

    def numbers(self) -> tuple[np.ndarray, np.ndarray]:
        values = np.array([*(float(w) if NUMBER.fullmatch(w) else np.nan for w in self._words), np.nan])
        out = values[self._codes]
        return np.where(np.isfinite(out), out, np.nan), np.flatnonzero((self._codes >= 0) & ~np.isfinite(out))

    def coded(self) -> tuple[np.ndarray, Sequence[str]]:
        return self._codes, self._words

    def missing(self) -> np.ndarray:
        return self._codes < 0

    def text(self, row: int) -> str | None:
        code = int(self._codes[row])
        return None if code < 0 else self._words[code]

    def take(self, rows: np.ndarray) -> Coded:
        return Coded.of(self._codes[rows], self._words, frozenset())

    @classmethod
    def joined(cls, columns: Sequence[Coded]) -> Coded:
        words: dict[str, int] = {}
        parts = []
        for c in columns:
            numbers = np.array([*(words.setdefault(w, len(words)) for w in c._words), -1], np.int32)
            parts.append(numbers[c._codes])
        return cls(np.concatenate(parts), list(words))
