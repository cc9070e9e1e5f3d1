"""Labels as a table has them: cut out of a field, without endings that do not count, words for yes and no as numbers."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

import numpy as np

from layerctl.data.columns import BOOLEANS, as_spelled
from layerctl.data.table import Table


def cut(text: str, separator: str | None) -> list[str]:
    """The labels of a field."""
    if separator == "":
        return [c for c in text if not c.isspace()]
    return [p for piece in (text.split(separator) if separator else text.split()) if (p := piece.strip())]


def labels_of(table: Table, column: str, suffix: str | None) -> list[str | None]:
    """The labels as text, without an ending that does not count."""
    values = table.texts(column)
    return [v.removesuffix(suffix) if v is not None and suffix else v for v in values]


def coded_labels(table: Table, column: str, suffix: str | None) -> tuple[np.ndarray, list[str]]:
    """(codes, labels): the different labels without an ending that does not count, and the number of each row's; -1 for a missing one."""
    codes, words = table.coded(column)
    known: dict[str, int] = {}
    of = [known.setdefault(w.removesuffix(suffix) if suffix else w, len(known)) for w in words]
    return np.array([*of, -1], np.int64)[codes], list(known)


def respelled(codes: np.ndarray, labels: list[str], classes: Sequence[str]) -> tuple[np.ndarray, list[str]]:
    """Codes and labels, each that differs from a class in capital letters or blanks only written as that class."""
    known: dict[str | None, int] = {}
    of = [known.setdefault(w, len(known)) for w in as_spelled(labels, classes)]
    return np.array([*of, -1], np.int64)[codes], list(known)


def truth_of(word: str) -> float:
    """1 for a word for yes, 0 for one for no."""
    return BOOLEANS[word.lower()]


def say_both(words: Collection[str]) -> bool:
    """Whether all words are ones for yes or no, and both are said."""
    return {BOOLEANS.get(w.lower()) for w in words} == {0.0, 1.0}


def best_spelled(counts: Mapping[str, int]) -> dict[float, str]:
    """The most frequent of the words for no, and of those for yes, where both are said."""
    return {t: min((w for w in counts if truth_of(w) == t), key=lambda w: (-counts[w], w)) for t in (0.0, 1.0)}


def truths(table: Table, name: str) -> np.ndarray:
    """A column of truth values as 1 and 0, NaN where one is missing: float32 (rows)."""
    codes, words = table.coded(name)
    odd = np.array([*(w.lower() not in BOOLEANS for w in words), False], bool)[codes]
    if odd.any():
        table.refuse(name, np.flatnonzero(odd), table.texts(name), "is no truth value such as 0, 1, yes or no",
                     "labels in one column are `{column: ..., kind: labels}`", "data-not-binary")  # fmt: skip
    return np.array([*map(truth_of, words), np.nan], np.float32)[codes]
