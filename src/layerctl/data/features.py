"""Features: what a model's inputs are made of. Fitted on the training rows, encoded alike ever after."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from layerctl.data import columns as col
from layerctl.data.images import encode_images, fit_images, is_images
from layerctl.data.table import Table
from layerctl.data.texts import encode_text, fit_text
from layerctl.diagnostics import Span, did_you_mean, fail
from layerctl.spec.features import ColumnFit, FeatureFit

if TYPE_CHECKING:
    from layerctl.spec.data import DataSpec, FeatureSpec

WORDY = 12
MANY = 0.5


def columns_of(spec: DataSpec, table: Table, span: Callable[..., Span | None]) -> dict[str, list[str]]:
    """The columns of each feature; a feature that names none has all that nothing else uses.

    Raises:
        LayerctlError: for a column that the table does not have.
    """
    used = {t.column for t in spec.targets().values()} | ({spec.weight} if spec.weight else set())
    if spec.split.column and spec.split.by == "column":
        used.add(spec.split.column)
    for f in spec.features.values():
        used |= set(f.columns or ())
    out = {}
    for name, f in spec.features.items():
        picked = list(f.columns) if f.columns is not None else [c for c in table.columns if c not in used]
        for c in picked:
            if c not in table.columns:
                fail("unknown-column", f"feature '{name}' wants the column '{c}', which {table.name} does not have{did_you_mean(c, table.columns)}",
                     span("features", name, "columns"), hint=f"it has {', '.join(table.columns)}")  # fmt: skip
        if not picked:
            fail("unknown-column", f"no columns are left for the feature '{name}'", span("features", name), hint=f"{table.name} has {', '.join(table.columns)}")
        out[name] = picked
    return out


def kind_of(table: Table, names: Sequence[str], spec: FeatureSpec) -> str:
    """The kind of a feature: as it says, or by its columns."""
    if spec.kind is not None:
        return spec.kind
    if len(names) == 1 and is_images(table, names[0]):
        return "image"
    if spec.shape is not None or any(isinstance(table.columns[n], np.ndarray) and table.columns[n].ndim > 1 for n in names):
        return "array"
    if spec.window is not None:
        return "window"
    if all(table.is_numeric(n) for n in names):
        return "number"
    return "text" if len(names) == 1 and _is_text(table, names[0]) else "table"


def _is_text(table: Table, name: str) -> bool:
    """Long values that hardly repeat."""
    values = [v for v in table.texts(name) if v]
    words = sum(len(v.split()) for v in values) / max(len(values), 1)
    return words >= 4 or (words >= 2 and len(set(values)) > MANY * len(values) and sum(map(len, values)) / len(values) > WORDY)


def fit_feature(name: str, table: Table, names: list[str], spec: FeatureSpec, rows: np.ndarray) -> FeatureFit:
    """One feature from the training rows.

    In a table ISO dates are taken as dates, and of a column whose values are mostly different only those are kept that occur twice.
    """
    kind = kind_of(table, names, spec)
    if kind == "text":
        return fit_text(table, names[0], spec, rows)
    if kind == "array":
        return _fit_array(name, table, names, spec, rows)
    if kind == "image":
        return fit_images(name, table, names[0], spec, rows)
    if kind == "window":
        fits = [col.fit_number(table, n, spec, rows) for n in names]
        assert spec.window is not None
        return FeatureFit(
            "window", [spec.window.length, len(names)], "f32", fits, missing=spec.missing, length=spec.window.length,
            horizon=spec.window.horizon, step=spec.window.step,
        )  # fmt: skip
    if kind == "string":
        texts = [col.fit_string(table, n, spec, rows) for n in names]
        return FeatureFit("string", [len(names)] if len(names) > 1 else [], "u8", texts, missing=spec.missing)
    fits = [_fit_column(table, n, kind, spec, rows) for n in names]
    if kind == "category" and spec.encode == "index":
        return FeatureFit("category", [len(names)] if len(names) > 1 else [], "i32", fits, "index", spec.missing)
    return FeatureFit(kind, [sum(_width(f) for f in fits)], "f32", fits, "one_hot", spec.missing)


def _fit_column(table: Table, name: str, kind: str, spec: FeatureSpec, rows: np.ndarray) -> ColumnFit:
    if kind == "date":
        return col.fit_date(table, name, spec, rows)
    if kind == "number" or (kind == "table" and table.is_numeric(name)):
        return col.fit_number(table, name, spec, rows)
    if kind != "table":
        return col.fit_category(table, name, spec, rows)
    if col.is_dates(table, name):
        return col.fit_date(table, name, spec, rows)
    changes: dict[str, object] = {"missing": "most_frequent"} if spec.missing in ("mean", "median") else {}
    values = [v for v in table.texts(name) if v is not None]
    if len(set(values)) > MANY * len(values):
        changes["min_count"] = max(spec.min_count, 2)
    return col.fit_category(table, name, spec.model_copy(update=changes), rows)


def _width(fit: ColumnFit) -> int:
    return {"number": 1, "date": col.DATE_WIDTH}.get(fit.kind, len(fit.words) + 1)


def _array(table: Table, names: Sequence[str]) -> np.ndarray:
    if len(names) == 1 and isinstance(table.columns[names[0]], np.ndarray) and table.columns[names[0]].ndim > 1:
        return table.columns[names[0]].astype(np.float64)
    return np.stack([table.numbers(n) for n in names], axis=1)


def _fit_array(name: str, table: Table, names: list[str], spec: FeatureSpec, rows: np.ndarray) -> FeatureFit:
    values = _array(table, names)
    shape = list(spec.shape or values.shape[1:])
    if int(np.prod(shape)) != int(np.prod(values.shape[1:])):
        fail("data-shape", f"feature '{name}' has {int(np.prod(values.shape[1:]))} numbers a row, which cannot be {tuple(shape)}",
             table.span(0), hint=f"the columns are {', '.join(names[:8])}")  # fmt: skip
    _check_finite(name, table, values)
    fit = ColumnFit(names[0], "number")
    col.scale(fit, values[rows], spec.scale or "none")
    return FeatureFit("array", [int(d) for d in shape], "f32", [fit, *(ColumnFit(n, "number") for n in names[1:])], missing=spec.missing)


def _check_finite(name: str, table: Table, values: np.ndarray) -> None:
    bad = ~np.isfinite(values.reshape(len(values), -1)).all(axis=1)
    if bad.any():
        row = int(np.argmax(bad))
        fail("data-missing", f"feature '{name}' has a missing or infinite number in row {row + 1}", table.span(row), hint=col.MISSING_HINT)


def encode_feature(name: str, table: Table, fit: FeatureFit) -> np.ndarray:
    """The model's input for all rows, C-contiguous.

    Raises:
        LayerctlError: for a column that is not there, and for values that cannot be encoded.
    """
    if fit.kind == "array":
        table = _gathered(table, fit)
    for c in fit.columns:
        if c.name not in table.columns:
            fail("missing-column", f"the data lack the column '{c.name}' of the feature '{name}'{did_you_mean(c.name, table.columns)}",
                 table.span(0) if len(table) else None, hint=f"they have {', '.join(table.columns)}")  # fmt: skip
    if fit.kind == "text":
        return encode_text(table, fit)
    if fit.kind == "image":
        return encode_images(table, fit)
    if fit.kind == "array":
        values = _array(table, [c.name for c in fit.columns])
        wanted = int(np.prod(fit.shape))
        if int(np.prod(values.shape[1:])) != wanted:
            fail("data-shape", f"feature '{name}' needs {wanted} numbers a row, got {int(np.prod(values.shape[1:]))}", table.span(0))
        _check_finite(name, table, values)
        first = fit.columns[0]
        return np.ascontiguousarray(((values - first.centre) / first.spread).astype(np.float32).reshape(len(table), *fit.shape))
    if fit.kind == "window":
        return np.stack([col.encode_number(table, c) for c in fit.columns], axis=1)
    if fit.kind == "string":
        from layerctl.ops.texts import packed

        texts = np.array([col.encode_string(table, c) for c in fit.columns], dtype=object)
        return packed(texts.T if fit.shape else texts[0])
    if fit.encode == "index":
        return _indices(table, fit)
    parts = [_columns(table, c) for c in fit.columns]
    return np.ascontiguousarray(np.concatenate(parts, axis=1))


def spread(fit: FeatureFit) -> list[str]:
    """The columns of an array feature in a file without arrays: one column's numbers stand in NAME_0, NAME_1, ..."""
    size = int(np.prod(fit.shape))
    first = fit.columns[0].name
    return [c.name for c in fit.columns] if len(fit.columns) > 1 or size == 1 else [f"{first}_{i}" for i in range(size)]


def _gathered(table: Table, fit: FeatureFit) -> Table:
    """The table with an array in place of the columns that it is spread over."""
    names, first = spread(fit), fit.columns[0].name
    if first in table.columns or not all(n in table.columns for n in names):
        return table
    return replace(table, columns={**table.columns, first: np.stack([table.numbers(n) for n in names], axis=1)})


def _indices(table: Table, fit: FeatureFit) -> np.ndarray:
    """Category ids; several columns share one range of ids, each column behind the one before."""
    out, start = [], 0
    for c in fit.columns:
        out.append(col.encode_category(table, c) + np.int32(start))
        start += len(c.words) + 1
    return out[0] if not fit.shape else np.ascontiguousarray(np.stack(out, axis=1))


def _columns(table: Table, c: ColumnFit) -> np.ndarray:
    if c.kind == "number":
        return col.encode_number(table, c)[:, None]
    if c.kind == "date":
        return col.encode_date(table, c)
    ids = col.encode_category(table, c)
    out = np.zeros((len(ids), len(c.words) + 1), np.float32)
    out[np.arange(len(ids)), ids] = 1.0
    return out


def incomplete(table: Table, names: Sequence[str]) -> np.ndarray:
    """Rows in which one of the columns is missing."""
    out = np.zeros(len(table), bool)
    for n in names:
        out |= table.missing(n)
    return out
