"""Several numbers in one field: vectors, all of one length, and sequences, each of its own."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import numpy as np

from layerctl.data import columns as col
from layerctl.data.statistics import distinct
from layerctl.data.table import Table
from layerctl.diagnostics import fail
from layerctl.spec.features import ColumnFit, FeatureFit

if TYPE_CHECKING:
    from layerctl.spec.data import FeatureSpec

LONGEST = 200
_BETWEEN = re.compile(r"[\s,;]+")
_BRACKETS = "[](){} \t"
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)


def fields_of(text: str, separator: str | None) -> list[str]:
    """The pieces of a field: between blanks, commas and semicolons, or between separators; brackets around them do not count."""
    inner = text.strip(_BRACKETS)
    if not inner:
        return []
    return [p.strip() for p in inner.split(separator)] if separator else _BETWEEN.split(inner)


def lists_of(table: Table, name: str, separator: str) -> list[list[float] | None]:
    """Each row's numbers; None where the value is missing.

    Raises:
        LayerctlError: `data-not-a-number`.
    """
    values = table.texts(name)
    cut = [None if v is None else fields_of(v, separator) for v in values]
    bad = [i for i, c in enumerate(cut) if c is not None and not all(_NUMBER.fullmatch(x) and abs(float(x)) < np.inf for x in c)]
    if bad:
        hint = "the numbers of a field stand between blanks, commas or semicolons; say another `separator` in the feature"
        table.refuse(name, np.array(bad), values, "is not a list of numbers", hint)
    return [None if c is None else [float(x) for x in c] for c in cut]


def _fitted(table: Table, name: str, kind: str, spec: FeatureSpec, rows: np.ndarray) -> tuple[ColumnFit, list[list[float]]]:
    """The scale of all numbers in the training rows together, and those rows' lists."""
    fit = ColumnFit(name, kind, separator=spec.separator or "")
    lists = lists_of(table, name, fit.separator)
    empty = np.array([v is None for v in lists], bool)
    if spec.missing == "error" and empty.any():
        col.refuse_missing(table, name, empty)
    found = [v for i in rows if (v := lists[i]) is not None]
    present = np.array([x for v in found for x in v], np.float64)
    if not len(present):
        fail("data-empty-column", f"column '{name}' has no numbers in the training rows", table.span(0, name),
             hint="leave the column out with `ignore`, or correct it")  # fmt: skip
    fit.rows, fit.empty, fit.different = len(rows), int(empty[rows].sum()), distinct(present)
    if spec.missing not in ("error", "drop"):
        fit.fill = col.fill_of(name, spec, present)
    col.scale(fit, present, spec.scale or "none")
    return fit, found


def fit_vector(name: str, table: Table, column: str, spec: FeatureSpec, rows: np.ndarray) -> FeatureFit:
    """Vectors of one length: float32 of `shape`."""
    fit, found = _fitted(table, column, "vector", spec, rows)
    size = len(found[0])
    shape = list(spec.shape or [size])
    if int(np.prod(shape)) != size:
        fail("data-shape", f"feature '{name}' has {size} numbers a row, which cannot be {tuple(shape)}", table.span(int(rows[0]), column),
             hint="correct the feature's `shape`, or leave it out")  # fmt: skip
    return FeatureFit("vector", [int(d) for d in shape], "f32", [fit], missing=spec.missing)


def encode_vector(table: Table, fit: FeatureFit) -> np.ndarray:
    """The vectors, scaled.

    Raises:
        LayerctlError: `data-shape` for a vector of another length.
    """
    column, size = fit.columns[0], int(np.prod(fit.shape))
    lists = lists_of(table, column.name, column.separator)
    if column.fill is None and any(v is None for v in lists):
        col.refuse_missing(table, column.name, np.array([v is None for v in lists]))
    full = [[float(column.fill or 0.0)] * size if v is None else v for v in lists]
    bad = [i for i, v in enumerate(full) if len(v) != size]
    if bad:
        n = len(full[bad[0]])
        table.refuse(column.name, np.array(bad), table.texts(column.name), f"has {n} numbers, expected {size} as in the first training row", None, "data-shape")
    values = (np.array(full, np.float64).reshape(-1, size) - column.centre) / column.spread
    return np.ascontiguousarray(col.float32(values, table, column.name).reshape(-1, *fit.shape))


def fit_sequence(table: Table, column: str, spec: FeatureSpec, rows: np.ndarray) -> FeatureFit:
    """Numbers over steps, of a length of its own in each row: float32 (length, 1), padded with zeros behind."""
    fit, found = _fitted(table, column, "sequence", spec, rows)
    length = spec.length or max(1, min(LONGEST, max(len(v) for v in found)))
    return FeatureFit("sequence", [length, 1], "f32", [fit], missing=spec.missing, length=length)


def encode_sequence(table: Table, fit: FeatureFit) -> np.ndarray:
    """Scaled numbers (rows, length, 1); what is longer is cut. A missing sequence is one of the filling number, else empty."""
    column = fit.columns[0]
    lists = lists_of(table, column.name, column.separator)
    out = np.zeros((len(lists), fit.length, 1), np.float32)
    for row, found in enumerate(lists):
        kept = ([] if column.fill is None else [float(column.fill)]) if found is None else found[: fit.length]
        out[row, : len(kept), 0] = (np.array(kept, np.float64) - column.centre) / column.spread
    return out
