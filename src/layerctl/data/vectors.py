"""Several numbers in one field: vectors, all of one length, and sequences, each of its own."""

from __future__ import annotations

import itertools
import mmap
import re
import tempfile
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np

from layerctl.data import columns as col
from layerctl.data.statistics import distinct
from layerctl.data.table import Table
from layerctl.diagnostics import fail
from layerctl.spec.features import ColumnFit, FeatureFit
from layerctl.temporary import scratched

if TYPE_CHECKING:
    from layerctl.spec.data import FeatureSpec

LONGEST = 200
PIECE = 1 << 12
"""Rows whose texts and lists are in memory at a time."""
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
    return [v for _, lists in _pieces(table, name, separator) for v in lists]


def _pieces(table: Table, name: str, separator: str) -> Iterator[tuple[int, list[list[float] | None]]]:
    """The same, some rows at a time, each piece with its first row's number. That a text is no list is said behind the last."""
    bad: list[int] = []
    for low in range(0, len(table), PIECE):
        lists, wrong = _read(table.part(low, min(low + PIECE, len(table))).texts(name), separator)
        bad += [low + i for i in wrong]
        yield low, lists
    if bad:
        hint = "the numbers of a field stand between blanks, commas or semicolons; say another `separator` in the feature"
        table.refuse(name, np.array(bad), table.texts(name), "is not a list of numbers", hint)


def _read(values: Sequence[str | None], separator: str) -> tuple[list[list[float] | None], list[int]]:
    """Each text's numbers, and which texts are no lists of numbers, in whose place there is None."""
    cut = [None if v is None else fields_of(v, separator) for v in values]
    bad = [i for i, c in enumerate(cut) if c is not None and not all(_NUMBER.fullmatch(x) and abs(float(x)) < np.inf for x in c)]
    passed = set(bad)
    return [None if c is None or i in passed else [float(x) for x in c] for i, c in enumerate(cut)], bad


def _fitted(table: Table, name: str, kind: str, spec: FeatureSpec, rows: np.ndarray) -> tuple[ColumnFit, np.ndarray]:
    """The scale of all numbers in the training rows together, and how many of them each of those rows has; a piece of the column at a time."""
    fit = ColumnFit(name, kind, separator=spec.separator or "")
    empty = table.missing(name)
    if spec.missing == "error" and empty.any():
        col.refuse_missing(table, name, empty)
    trained = np.zeros(len(table), bool)
    trained[rows] = True
    sizes = np.zeros(len(table), np.int64)
    with scratched(), tempfile.TemporaryFile() as file:
        for low, lists in _pieces(table, name, fit.separator):
            kept = [v for i, v in enumerate(lists, low) if trained[i] and v is not None]
            sizes[low : low + len(lists)] = [0 if v is None else len(v) for v in lists]
            file.write(np.fromiter(itertools.chain.from_iterable(kept), np.float64).data)
        file.flush()
        count = file.tell() // 8
        if not count:
            fail("data-empty-column", f"column '{name}' has no numbers in the training rows", table.span(0, name),
                 hint="leave the column out with `ignore`, or correct it")  # fmt: skip
        present = np.frombuffer(mmap.mmap(file.fileno(), count * 8, access=mmap.ACCESS_READ), np.float64)
        fit.rows, fit.empty, fit.different = len(rows), int(empty[rows].sum()), distinct(present)
        if spec.missing not in ("error", "drop"):
            fit.fill = col.fill_of(name, spec, present)
        col.scale(fit, present, spec.scale or "none")
    return fit, sizes[rows][~empty[rows]]


def fit_vector(name: str, table: Table, column: str, spec: FeatureSpec, rows: np.ndarray) -> FeatureFit:
    """Vectors of one length: float32 of `shape`."""
    fit, sizes = _fitted(table, column, "vector", spec, rows)
    size = int(sizes[0])
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
    if column.fill is None and (empty := table.missing(column.name)).any():
        col.refuse_missing(table, column.name, empty)
    out = np.zeros((len(table), size), np.float64)
    sizes = np.full(len(table), size)
    for low, lists in _pieces(table, column.name, column.separator):
        for row, v in enumerate(lists, low):
            sizes[row] = size if v is None else len(v)
            out[row] = float(column.fill or 0.0) if v is None else v if len(v) == size else 0.0
    bad = np.flatnonzero(sizes != size)
    if len(bad):
        table.refuse(column.name, bad, table.texts(column.name), f"has {sizes[bad[0]]} numbers, expected {size} as in the first training row",
                     "repair it, or leave the row out; numbers of any length are a `kind: sequence`", "data-shape")  # fmt: skip
    return np.ascontiguousarray(col.float32((out - column.centre) / column.spread, table, column.name).reshape(-1, *fit.shape))


def fit_sequence(table: Table, column: str, spec: FeatureSpec, rows: np.ndarray) -> FeatureFit:
    """Numbers over steps, of a length of its own in each row: float32 (length, 1), padded with zeros behind."""
    fit, sizes = _fitted(table, column, "sequence", spec, rows)
    length = spec.length or max(1, min(LONGEST, int(sizes.max())))
    return FeatureFit("sequence", [length, 1], "f32", [fit], missing=spec.missing, length=length)


def encode_sequence(table: Table, fit: FeatureFit) -> np.ndarray:
    """Scaled numbers (rows, length, 1); what is longer is cut. A missing sequence is one of the filling number, else empty."""
    column = fit.columns[0]
    out = np.zeros((len(table), fit.length, 1), np.float32)
    for low, lists in _pieces(table, column.name, column.separator):
        for row, found in enumerate(lists, low):
            kept = ([] if column.fill is None else [float(column.fill)]) if found is None else found[: fit.length]
            scaled = (np.array(kept, np.float64) - column.centre) / column.spread
            if len(col.beyond(scaled)):
                table.refuse(column.name, np.array([row]), table.texts(column.name), "is too large for a float32, as it is scaled", col.BEYOND_HINT)
            out[row, : len(kept), 0] = scaled
    return out
