"""What a model is chosen by: the table as it was read, its columns, and the targets among them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from layerctl.data.columns import one_spelling
from layerctl.data.examining.dialect import Dialect
from layerctl.data.examining.kinds import Column
from layerctl.data.labels import best_spelled, truth_of
from layerctl.data.table import Table

MOST_NUMBERED_CLASSES = 10
"""Different whole numbers up to which a target is taken for classes."""
LOPSIDED, MOST_ALIKE = 1.2, 0.2
"""The skewness from which a target's values reach far to one side, unless so large a share of them is one and the same."""


@dataclass(frozen=True)
class Target:
    """A column to predict: `kind` is binary, classes or number; `classes` are its words in order of the output's units; the values of a number that is
    `lopsided` reach far to one side, upwards if `lopsided_up`; one of `truth` says yes and no in several ways."""

    column: str
    kind: str
    why: str
    classes: tuple[str, ...] = ()
    counts: tuple[int, ...] = ()
    strip_suffix: str | None = None
    incomplete: bool = False
    strip: str | None = None
    units: Mapping[str, float] = field(default_factory=dict)
    lopsided: bool = False
    lopsided_up: bool = False
    ignore_case: bool = False
    truth: bool = False

    @property
    def imbalanced(self) -> bool:
        """Whether the rarest class has less than a fifth of an even share."""
        return bool(self.counts) and min(self.counts) * len(self.counts) < 0.2 * sum(self.counts)


@dataclass(frozen=True)
class Facts:
    """Everything that is known of a file before a model is chosen."""

    source: str
    dialect: Dialect
    table: Table
    columns: dict[str, Column]
    targets: tuple[Target, ...]
    test: str | None = None

    @property
    def rows(self) -> int:
        """How many rows there are."""
        return self.table.whole or len(self.table)

    def inputs(self, kind: str) -> list[Column]:
        """The columns of a kind that are not to be predicted."""
        goals = {t.column for t in self.targets}
        return [c for c in self.columns.values() if c.kind == kind and c.name not in goals]


def target_of(table: Table, column: Column, wanted: str | None = None) -> Target:
    """What kind of target a column is; `wanted` (classes or number) decides where given.

    Raises:
        ValueError: with the reason, for a column that cannot be predicted so.
    """
    if column.kind in ("empty", "constant"):
        raise ValueError(f"{column.why}: there is nothing to learn")
    if column.kind == "array":
        raise ValueError("it holds arrays; a target is a class or a number a row")
    odd = () if column.kind == "category" else column.odd  # among words a number is a word too
    texts = [v for v in table.texts(column.name) if v is not None and v not in odd]
    numbers = column.kind == "number" or (column.kind == "id" and table.is_numeric(column.name))
    whole = column.whole and column.distinct - len(column.odd) <= MOST_NUMBERED_CLASSES and len(texts) >= 5 * column.distinct
    if wanted == "number" and not numbers:
        raise ValueError(f"{column.why}: they are no numbers")
    if wanted == "number" or (wanted is None and numbers and not whole and column.distinct > 2):
        return Target(column.name, "number", f"a number ({column.distinct} different values)", incomplete=column.missing > 0, strip=column.strip,
                      units=column.units, lopsided=(far := _lopsided(column, len(texts))), lopsided_up=far and column.skewness > 0)  # fmt: skip
    suffix = _suffix(set(texts))
    labels = [v.removesuffix(suffix) if suffix else v for v in texts]
    often = Counter(labels)
    merged = often if numbers else _truths(often) if column.truth else one_spelling(often)[0]
    spelled = len(merged) < len(often)
    classes = list(merged) if column.truth else sorted(merged)
    counts = np.array([merged[c] for c in classes])
    if len(classes) == 1:
        raise ValueError(f"every row that has a value says '{classes[0]}': there is nothing to learn")
    if len(classes) > max(2, 0.5 * len(labels)) or len(classes) > 10_000:
        raise ValueError(f"it has {len(classes)} different words in {len(labels)} rows, which are no classes")
    if numbers:
        order = np.argsort([float(c.replace(",", ".")) for c in classes], kind="stable")
        classes, counts = [classes[i] for i in order], counts[order]
    kind = "binary" if len(classes) == 2 else "classes"
    why = f"{len(classes)} classes" + (" (whole numbers; `--as number` predicts the number)" if numbers and wanted is None else "")
    if column.truth:
        why += "; yes and no are written in several ways"
    elif spelled:
        why += "; some are written in several ways, in which capital letters or blanks differ"
    return Target(column.name, kind, why, tuple(classes), tuple(int(c) for c in counts), suffix, column.missing > 0,
                  ignore_case=spelled and not column.truth, truth=column.truth)  # fmt: skip


def _truths(often: Counter[str]) -> Counter[str]:
    """How many rows say no, and yes, each under its most frequent spelling."""
    return Counter({best: sum(n for w, n in often.items() if truth_of(w) == t) for t, best in best_spelled(often).items()})


def _lopsided(column: Column, rows: int) -> bool:
    return abs(column.skewness) > LOPSIDED and (not column.counts or column.counts[0][1] <= MOST_ALIKE * rows)


def _suffix(labels: set[str]) -> str | None:
    """An ending that some labels have, all of them labels without it too: the dot in adult's test file."""
    for ending in (".",):
        with_it = {v for v in labels if v.endswith(ending) and v != ending}
        if with_it and with_it < labels and all(v.removesuffix(ending) in labels for v in with_it):
            return ending
    return None
