"""Targets: text classes as indices, numbers scaled if asked for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from layerctl.data.statistics import mean_and_deviation
from layerctl.data.table import Table
from layerctl.diagnostics import did_you_mean, fail
from layerctl.spec.features import TargetFit

if TYPE_CHECKING:
    from layerctl.spec.data import TargetSpec

MOST_CLASSES = 20


def fit_target(table: Table, spec: TargetSpec, rows: np.ndarray, hint: str | None) -> TargetFit:
    """The classes of all rows that have a label, or a number's scale from the training rows. `hint` is the kind that the loss wants.

    Raises:
        LayerctlError: for a column that is not there, missing targets, numbers that are none.
    """
    if spec.column not in table.columns:
        fail("unknown-column", f"the target '{spec.column}' is no column of {table.name}{did_you_mean(spec.column, table.columns)}",
             None, hint=f"it has {', '.join(table.columns)}")  # fmt: skip
    kind = spec.kind or hint or ("number" if table.is_numeric(spec.column) and not _few(table, spec.column) else "category")
    if kind == "number":
        fit = TargetFit(spec.column, "number")
        values = table.numbers(spec.column)
        _check(table, spec, np.isnan(values))
        present = values[rows][~np.isnan(values[rows])]
        if spec.scale == "standard":
            fit.centre, fit.spread = mean_and_deviation(present)
        elif spec.scale == "minmax":
            fit.centre, fit.spread = float(present.min()), float(present.max() - present.min()) or 1.0
        return fit
    labels = labels_of(table, spec.column, spec.strip_suffix)
    _check(table, spec, np.array([v is None for v in labels]))
    found = {v for v in labels if v is not None}
    classes = spec.classes or sorted(found, key=_order if all(_whole(v) for v in found) else str)
    unknown = sorted(found - set(classes))
    if unknown:
        bad = np.array([i for i, v in enumerate(labels) if v in unknown])
        table.refuse(spec.column, bad, labels, "is not among the classes", f"they are {', '.join(classes)}", "data-unknown-class")
    if len(classes) < 2:
        fail("data-one-class", f"the target '{spec.column}' has one class only: {classes[0] if classes else 'none'}", table.span(0, spec.column))
    return TargetFit(spec.column, "category", classes, strip_suffix=spec.strip_suffix)


def _few(table: Table, column: str) -> bool:
    values = table.numbers(column)
    found = np.unique(values[~np.isnan(values)])
    return len(found) <= MOST_CLASSES and bool((found == np.round(found)).all())


def _whole(v: str) -> bool:
    return v.lstrip("-").isascii() and v.lstrip("-").isdigit()


def _order(v: str) -> int:
    return int(v)


def labels_of(table: Table, column: str, suffix: str | None) -> list[str | None]:
    """The labels as text, without an ending that does not count."""
    values = table.texts(column)
    return [v.removesuffix(suffix) if v is not None and suffix else v for v in values]


def _check(table: Table, spec: TargetSpec, empty: np.ndarray) -> None:
    if spec.missing == "error" and empty.any():
        shown = ["" if v is None else v for v in table.texts(spec.column)]
        table.refuse(spec.column, np.flatnonzero(empty), shown, "is missing in the target",
                     "leave such rows out with `target: {column: ..., missing: drop}`", "data-missing")  # fmt: skip


def encode_target(table: Table, fit: TargetFit) -> np.ndarray:
    """int32 class indices, or float32 (rows, 1) numbers.

    Raises:
        LayerctlError: `data-unknown-class` for a label that training did not have.
    """
    if fit.column not in table.columns:
        fail("missing-column", f"the data lack the target's column '{fit.column}'{did_you_mean(fit.column, table.columns)}")
    if fit.kind == "number":
        values = table.numbers(fit.column)
        return ((values - fit.centre) / fit.spread).astype(np.float32).reshape(-1, 1)
    labels = labels_of(table, fit.column, fit.strip_suffix)
    table_of = {c: i for i, c in enumerate(fit.classes)}
    bad = [i for i, v in enumerate(labels) if v not in table_of]
    if bad:
        shown = ["" if v is None else v for v in labels]
        hint = f"the classes are {', '.join(fit.classes)}"
        if any(v and v.rstrip(".") in table_of for v in labels):
            hint += "; an ending that does not count is taken off with `strip_suffix`"
        table.refuse(fit.column, np.array(bad), shown, "is no class of the training data", hint, "data-unknown-class")
    return np.array([table_of[v] for v in labels], np.int32)


def class_ids(targets: Mapping[str, np.ndarray]) -> np.ndarray | None:
    """The first categorical target's ids, by which splits are stratified."""
    for array in targets.values():
        if array.dtype.kind == "i":
            return array
    return None
