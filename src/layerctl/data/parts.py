"""Which rows are trained on and which are held back, as a data section says it, and how often each training row is seen."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from layerctl import randoms
from layerctl.data import splits
from layerctl.data.dates import elapsed, formats_of, read_date
from layerctl.data.labels import coded_labels
from layerctl.data.numbers import numbers_of
from layerctl.data.splits import PARTS
from layerctl.data.table import Table
from layerctl.diagnostics import Span, did_you_mean, fail

if TYPE_CHECKING:
    from layerctl.spec.data import DataSpec, SplitSpec

SpanAt = Callable[..., Span | None]


def order_of(spec: DataSpec, table: Table, span: SpanAt) -> np.ndarray | None:
    """The rows in the order of the column that `by: time` names; None if there is none.

    Raises:
        LayerctlError: for a column that is not there, missing times, and texts that are no dates.
    """
    by = spec.split
    if by.by != "time" or by.column is None:
        return None
    _check_column(table, by.column, span)
    if table.is_numeric(by.column):
        times = numbers_of(table, by.column)
    else:
        times = _times(table, by.column, [by.format] if isinstance(by.format, str) else by.format or [])
    gone = np.isnan(times)
    if gone.any():
        shown = ["" if v is None else v for v in table.texts(by.column)]
        table.refuse(by.column, np.flatnonzero(gone), shown, "is missing, and rows are split by it", "fill it in, or leave such rows out", "data-missing")
    return np.argsort(times, kind="stable")


def _times(table: Table, column: str, forms: list[str]) -> np.ndarray:
    values = table.texts(column)
    found = [None if v is None else read_date(v, forms) for v in values]
    bad = np.array([i for i, (v, m) in enumerate(zip(values, found, strict=True)) if v is not None and m is None], np.int64)
    if len(bad):
        fitting = formats_of([str(values[i]) for i in bad])
        cure = f'say `split: {{by: time, column: {column}, format: "{fitting[0]}"}}`' if fitting else "say the dates' `format` in `split`"
        more = f' (or "{fitting[1]}": both fit)' if len(fitting) > 1 else ""
        wanted = f"is not a date of the form {' or '.join(map(repr, forms))}" if forms else "is neither a number nor an ISO date such as 2024-12-31"
        table.refuse(column, bad, values, wanted, cure + more, "data-not-a-date")
    return np.array([np.nan if m is None else elapsed(m) for m in found], np.float64)


def _check_column(table: Table, column: str, span: SpanAt) -> None:
    if column not in table.columns:
        fail("unknown-column", f"the split's column '{column}' is not in the data{did_you_mean(column, table.columns)}", span("split", "column"),
             hint=f"they have {', '.join(table.columns)}")  # fmt: skip


def parts_of(spec: DataSpec, seed: int, table: Table, n: int, order: np.ndarray | None, span: SpanAt, in_order: bool) -> dict[str, np.ndarray]:
    """Row numbers of each part, ascending. `in_order` are rows that hang together, n of them: they are split by time if nothing else is said.

    Raises:
        LayerctlError: for a split that cannot be made of these rows.
    """
    by = spec.split
    if in_order and by.by is None:
        by = by.model_copy(update={"by": "time"})
    if in_order and (by.stratify or by.by == "group" or (by.folds is not None and by.by == "random")):
        what = "'stratify'" if by.stratify else f"'by: {by.by}'"
        fail("bad-split", f"{what} cannot split rows that hang together, as windows of a series do", span("split"), hint="leave it out: they are split by time")
    if by.by == "column" and by.column is not None:
        return splits.by_column(table, by.column, span("split", "column"))
    labels = class_numbers(spec, table) if by.stratify else None
    if by.stratify and labels is None:
        _no_classes(spec, span)
    groups = _groups(table, by.column, span) if by.by == "group" and by.column is not None else None
    if by.folds is not None and by.fold is not None:
        return _fold(by, by.folds, by.fold, seed, n, labels, groups, order, span)
    if groups is not None:
        return splits.by_group(groups, by, seed, lambda part: span("split", part))
    return splits.split(n, by, seed, labels, order, lambda part: span("split", part))


def _groups(table: Table, column: str, span: SpanAt) -> np.ndarray:
    """Each row's group as a number."""
    _check_column(table, column, span)
    codes, words = table.coded(column)
    if (codes < 0).any():
        shown = ["" if v is None else v for v in table.texts(column)]
        table.refuse(column, np.flatnonzero(codes < 0), shown, "is missing, and rows are grouped by it", "fill it in, or leave such rows out", "data-missing")
    return _ranks(words)[codes]


def _ranks(words: Sequence[str]) -> np.ndarray:
    """Each word's place in alphabetical order, and behind them -1 for none."""
    out = np.full(len(words) + 1, -1, np.int64)
    out[sorted(range(len(words)), key=words.__getitem__)] = np.arange(len(words))
    return out


def _fold(
    by: SplitSpec, k: int, fold: int, seed: int, n: int, labels: np.ndarray | None, groups: np.ndarray | None, order: np.ndarray | None, span: SpanAt
) -> dict[str, np.ndarray]:  # fmt: skip
    """The fold in place of the test rows, and validation rows split off the rest. By time, a fold is trained on what is before it alone."""
    place = span("split", "folds")
    whole = len(np.unique(groups)) if groups is not None else n
    if by.by == "time":
        whole -= 1
    if k > whole:
        what = "groups" if groups is not None else "rows"
        fail("bad-split", f"{k} folds need as many {what}, there are {whole}", place, hint=f"make it at most {whole}" if whole > 1 else "give more of them")
    if by.by == "time":
        rows = order if order is not None else np.arange(n)
        edges = [n * i // (k + 1) for i in range(k + 2)]
        test, rest = rows[edges[fold] : edges[fold + 1]], rows[: edges[fold]]
    else:
        test = splits.folds(n, k, seed, labels, groups)[fold - 1]
        rest = np.setdiff1d(np.arange(n), test)
    inner = by.model_copy(update={"test": 0.0})
    if groups is not None:
        parts = splits.by_group(groups[rest], inner, seed, lambda part: span("split", part))
    else:
        inside = np.arange(len(rest)) if by.by == "time" else None
        parts = splits.split(len(rest), inner, seed, labels[rest] if labels is not None else None, inside, lambda part: span("split", part))
    return {p: np.sort(test) if p == "test" else np.sort(rest[parts[p]]) for p in PARTS}


def _no_classes(spec: DataSpec, span: SpanAt) -> None:
    """Says why `stratify` has no classes to heed: where the target is no column, there."""
    target = next(iter(spec.targets().values()), None)
    if target is None and "target" in spec.model_fields_set:
        fail("bad-split", "'target' has no value, and 'stratify' needs one of classes", span("target"), hint="name the column: `target: NAME`")
    if target is not None and target.columns is not None and len(target.columns) == 1:
        fail("bad-split", "'target' is a list, which is numbers or labels, and 'stratify' needs classes", span("target"),
             hint=f"write `target: {target.columns[0]}`")  # fmt: skip
    fail("bad-split", "'stratify' needs a target of classes", span("split", "stratify"),
         hint="leave `stratify` out, or say `kind: category` in the target")  # fmt: skip


def class_numbers(spec: DataSpec, table: Table) -> np.ndarray | None:
    """Each row's class as a number, of the first target that has classes: what rows are stratified and evened out by; -1 is a missing one."""
    for t in spec.targets().values():
        if t.column is None or t.column not in table.columns or t.kind in ("number", "labels", "sequence"):
            continue
        codes, labels = coded_labels(table, t.column, t.strip_suffix)
        return _ranks(labels)[codes]
    return None


def resampled(spec: DataSpec, seed: int, table: Table, rows: np.ndarray, span: SpanAt, hints: Mapping[str, str | None]) -> np.ndarray:
    """The training rows, those of small classes several times or those of large ones left out, as `sampling` says; ascending.

    Raises:
        LayerctlError: where no target has classes.
    """
    wanted = spec.resampling()
    if wanted is None:
        return rows
    labels = class_numbers(spec, table)
    if labels is None or "number" in [hints.get(o) for o, t in spec.targets().items() if t.column is not None and t.kind is None]:
        fail("bad-sampling", "'sampling' evens out classes, and no target has them", span("sampling"),
             hint="leave it out, or say `kind: category` in the target")  # fmt: skip
    classes, counts = np.unique(labels[rows], return_counts=True)
    out = []
    for c, count in zip(classes, counts, strict=True):
        members = rows[labels[rows] == c]
        order = members[randoms.permutation(randoms.key_of(seed, "sampling", int(c)), count)]
        if wanted.method == "over":
            size = max(int(count), -int(-counts.max() * wanted.ratio // 1))
        else:
            size = min(int(count), int(counts.min() / wanted.ratio))
        out.append(np.concatenate([*[members] * (size // count), order[: size % count]]))
    return np.sort(np.concatenate(out))
