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
            fail("bad-split", "'stratify' needs a target of classes", span("stratify"),
                 hint="leave `stratify` out, or say `kind: category` in the target")  # fmt: skip
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
        fail("empty-split", f"no row of {n} is left for training", span("validation"),
             hint="give smaller shares for validation and test, or more rows")  # fmt: skip
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
        table.refuse(column, bad, shown, "is not train, validation or test", "write one of the three in each row", "bad-split")
    return {p: np.array([i for i, v in enumerate(values) if v == p], np.int64) for p in PARTS}


def by_group(groups: np.ndarray, spec: SplitSpec, seed: int, span: Callable[[str], Span | None]) -> dict[str, np.ndarray]:
    """Parts in which the rows of a group stay together; whole groups, in random order, until a part has its share.

    Raises:
        LayerctlError: if a part that was asked for would be empty.
    """
    found, sizes = np.unique(groups, return_counts=True)
    order = randoms.permutation(randoms.key_of(seed, "groups"), len(found))
    ahead = np.cumsum(sizes[order]) - sizes[order] / 2  # rows before a group's middle
    n = len(groups)
    part = np.where(ahead < n * spec.test, 2, np.where(ahead < n * (spec.test + spec.validation), 1, 0))
    wanted = [name for name, share in (("validation", spec.validation), ("test", spec.test), ("train", 1.0)) if share]
    for i in map(PARTS.index, wanted):
        counts = np.bincount(part, minlength=3)
        if not counts[i] and counts.max() > 1:  # a group so large that it leaves a part empty: the smallest of the part with the most groups
            own = np.flatnonzero(part == counts.argmax())
            part[own[sizes[order][own].argmin()]] = i
    of = np.empty(len(found), np.int64)
    of[order] = part
    rows = of[np.searchsorted(found, groups)]
    out = {p: np.flatnonzero(rows == i) for i, p in enumerate(PARTS)}
    for name in wanted:
        if not len(out[name]):
            what = "training" if name == "train" else name
            fail("empty-split", f"no row of the {len(found)} groups is left for {what}", span(name if name != "train" else "by"),
                 hint="the groups are too few or too large for these fractions")  # fmt: skip
    return out


def folds(n: int, k: int, seed: int, labels: np.ndarray | None = None, groups: np.ndarray | None = None) -> list[np.ndarray]:
    """k sets of rows, each row in one of them, of nearly equal size; with `labels` each class is dealt out evenly, and `groups` stay whole."""
    if not 2 <= k <= n:
        raise ValueError(f"{k} folds of {n} rows")
    if groups is not None:
        return _grouped_folds(k, seed, labels, groups)
    classes = [np.arange(n)] if labels is None else [np.flatnonzero(labels == c) for c in np.unique(labels)]
    order = np.concatenate([g[randoms.permutation(randoms.key_of(seed, "folds", i), len(g))] for i, g in enumerate(classes)])
    return [np.sort(order[i::k]) for i in range(k)]


def _grouped_folds(k: int, seed: int, labels: np.ndarray | None, groups: np.ndarray) -> list[np.ndarray]:
    """The largest groups first, each into the fold in which the classes' counts are the most even afterwards."""
    found, of = np.unique(groups, return_inverse=True)
    _, classes = np.unique(labels, return_inverse=True) if labels is not None else (None, np.zeros(len(groups), np.int64))
    counts = np.zeros((len(found), int(classes.max()) + 1), np.int64)
    np.add.at(counts, (of, classes), 1)
    if len(found) < k:
        raise ValueError(f"{k} folds of {len(found)} groups")
    shuffled = randoms.permutation(randoms.key_of(seed, "folds"), len(found))
    order = shuffled[np.argsort(-counts.sum(axis=1)[shuffled], kind="stable")]
    total = np.maximum(counts.sum(axis=0), 1)
    held, place = np.zeros((k, counts.shape[1]), np.int64), np.empty(len(found), np.int64)
    for g in order:
        cost = (((held + counts[g]) / total) ** 2 - (held / total) ** 2).sum(axis=1)
        place[g] = np.lexsort((held.sum(axis=1), np.round(cost, 12)))[0]
        held[place[g]] += counts[g]
    return [np.flatnonzero(place[of] == i) for i in range(k)]
