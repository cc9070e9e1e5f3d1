"""Which rows are trained on, and which are held back: each row in exactly one part, the same ones for the same seed."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from layerctl import randoms
from layerctl.data.table import Table
from layerctl.diagnostics import Span, fail

if TYPE_CHECKING:
    from layerctl.spec.data import SplitSpec

PARTS = ("train", "validation", "test")


def split(n: int, spec: SplitSpec, seed: int, labels: np.ndarray | None, order: np.ndarray | None, span: Callable[[str], Span | None]) -> dict[str, np.ndarray]:
    """Row numbers of each part, in ascending order. `order` sorts the rows of `by: time`.

    Raises:
        LayerctlError: if a part that was asked for would be empty.
    """
    if spec.by == "time":
        rows = order if order is not None else np.arange(n)
        out = _cut(rows, n, spec)
    elif spec.stratify:
        if labels is None:
            fail("bad-split", "'stratify' needs a target of classes", span("stratify"))
        parts = [
            _cut(members[randoms.permutation(randoms.key_of(seed, "split", c), len(members))], len(members), spec)
            for c in np.unique(labels)
            if len(members := np.flatnonzero(labels == c))
        ]
        out = {p: np.concatenate([d[p] for d in parts]) for p in PARTS}
    else:
        out = _cut(randoms.permutation(randoms.key_of(seed, "split"), n), n, spec)
    for part, share in (("validation", spec.validation), ("test", spec.test)):
        if share and not len(out[part]):
            fail("empty-split", f"{share:g} of {n} rows leaves no row for {part}", span(part), hint="raise the fraction, or leave it out")
    if not len(out["train"]):
        fail("empty-split", f"no row of {n} is left for training", span("validation"))
    return {p: np.sort(r) for p, r in out.items()}


def _cut(rows: np.ndarray, n: int, spec: SplitSpec) -> dict[str, np.ndarray]:
    """The last rows for the test, those before them for validation."""
    test = int(np.floor(n * spec.test + 0.5))
    held = int(np.floor(n * spec.validation + 0.5))
    return {"train": rows[: n - test - held], "validation": rows[n - test - held : n - test], "test": rows[n - test :]}


def by_column(table: Table, column: str, span: Span | None) -> dict[str, np.ndarray]:
    """The rows of each part as a column says: train, validation (or val, valid) or test."""
    if column not in table.columns:
        fail("unknown-column", f"the split's column '{column}' is not in the data", span, hint=f"they have {', '.join(table.columns)}")
    words = {"train": "train", "training": "train", "validation": "validation", "val": "validation", "valid": "validation", "test": "test"}
    values = [words.get((v or "").lower()) for v in table.texts(column)]
    bad = np.array([i for i, v in enumerate(values) if v is None])
    if len(bad):
        shown = ["" if v is None else v for v in table.texts(column)]
        table.refuse(column, bad, shown, "is not train, validation or test", code="bad-split")
    return {p: np.array([i for i, v in enumerate(values) if v == p], np.int64) for p in PARTS}


def folds(n: int, k: int, seed: int, labels: np.ndarray | None = None) -> list[np.ndarray]:
    """k sets of rows, each row in one of them, of nearly equal size; with `labels` each class is dealt out evenly."""
    if not 2 <= k <= n:
        raise ValueError(f"{k} folds of {n} rows")
    groups = [np.arange(n)] if labels is None else [np.flatnonzero(labels == c) for c in np.unique(labels)]
    order = np.concatenate([g[randoms.permutation(randoms.key_of(seed, "folds", i), len(g))] for i, g in enumerate(groups)])
    return [np.sort(order[i::k]) for i in range(k)]
