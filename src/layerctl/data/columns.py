"""One column at a time: numbers, categories, dates, fitted on the training rows and encoded alike ever after."""

from __future__ import annotations

import datetime
from collections import Counter
from typing import TYPE_CHECKING

import numpy as np

from layerctl.data.statistics import mean_and_deviation, median
from layerctl.data.table import Table
from layerctl.diagnostics import fail
from layerctl.spec.features import ColumnFit

if TYPE_CHECKING:
    from layerctl.spec.data import FeatureSpec

MISSING_HINT = "say what stands for missing values in the feature: `missing: mean` (median, most_frequent, constant, drop)"
DATE_WIDTH = 20


def fit_number(table: Table, name: str, spec: FeatureSpec, rows: np.ndarray) -> ColumnFit:
    """Centre and spread of the values that are there; what stands for missing ones."""
    values = table.numbers(name)
    present = values[rows][~np.isnan(values[rows])]
    _check_missing(table, name, np.isnan(values), spec)
    if not len(present):
        fail("data-empty-column", f"column '{name}' has no values in the training rows", table.span(0, name))
    fit = ColumnFit(name, "number")
    if spec.missing in ("mean", "median", "most_frequent", "constant"):
        fit.fill = _fill(name, spec, present)
        values = np.where(np.isnan(values), float(fit.fill), values)
        present = values[rows]
    elif spec.missing == "drop":
        fit.fill = None
    scale(fit, present, spec.scale or "standard")
    return fit


def _fill(name: str, spec: FeatureSpec, present: np.ndarray) -> float:
    if spec.missing == "constant":
        if isinstance(spec.constant, str):
            fail("bad-value", f"column '{name}' holds numbers; its constant is {spec.constant!r}")
        return float(spec.constant or 0.0)
    if spec.missing == "median":
        return median(present)
    if spec.missing == "mean":
        return mean_and_deviation(present)[0]
    found, counts = np.unique(present, return_counts=True)
    return float(found[np.argmax(counts)])


def scale(fit: ColumnFit, values: np.ndarray, how: str) -> None:
    """Sets centre and spread by `how`."""
    if how == "standard":
        fit.centre, fit.spread = mean_and_deviation(values)
    elif how == "minmax":
        fit.centre = float(values.min())
        fit.spread = float(values.max() - values.min()) or 1.0


def encode_number(table: Table, fit: ColumnFit) -> np.ndarray:
    """The column as float32, scaled."""
    values = table.numbers(fit.name)
    empty = np.isnan(values)
    if empty.any():
        if fit.fill is None:
            table.refuse(fit.name, np.flatnonzero(empty), _shown(table, fit.name), "is missing", MISSING_HINT, "data-missing")
        values = np.where(empty, float(fit.fill), values)  # type: ignore[arg-type]
    return _float32((values - fit.centre) / fit.spread, table, fit.name)


def _float32(values: np.ndarray, table: Table, name: str) -> np.ndarray:
    big = np.abs(values) > np.finfo(np.float32).max
    if big.any():
        table.refuse(name, np.flatnonzero(big), values, "is too large for a float32")
    return values.astype(np.float32)


def _shown(table: Table, name: str) -> list[str]:
    return ["" if v is None else v for v in table.texts(name)]


def fit_category(table: Table, name: str, spec: FeatureSpec, rows: np.ndarray) -> ColumnFit:
    """The training rows' words, in alphabetical order; the most frequent ones where there are more than `vocabulary`."""
    values = table.texts(name)
    _check_missing(table, name, np.array([v is None for v in values]), spec)
    counts = Counter(v for i in rows if (v := values[i]) is not None)
    kept = [w for w, n in sorted(counts.items(), key=lambda p: (-p[1], p[0])) if n >= spec.min_count][: spec.vocabulary]
    fit = ColumnFit(name, "category", words=sorted(kept))
    if spec.missing == "most_frequent" and counts:
        fit.fill = min(counts, key=lambda w: (-counts[w], w))
    elif spec.missing == "constant":
        fit.fill = str(spec.constant)
    elif spec.missing in ("mean", "median"):
        fail("bad-value", f"column '{name}' holds categories, which have no {spec.missing}", table.span(0, name),
             hint="use `missing: most_frequent`, or `constant`")  # fmt: skip
    return fit


def encode_category(table: Table, fit: ColumnFit) -> np.ndarray:
    """The column's words as ids from 1; 0 for what was not in the training rows, and for missing values without a policy at prediction."""
    ids = {w: i + 1 for i, w in enumerate(fit.words)}
    codes, words = table.coded(fit.name)
    missing = 0 if fit.fill is None else ids.get(str(fit.fill), 0)
    return np.array([*(ids.get(w, 0) for w in words), missing], np.int32)[codes]


def fit_string(table: Table, name: str, spec: FeatureSpec, rows: np.ndarray) -> ColumnFit:
    """Texts that a layer of the model reads: what stands for missing ones."""
    return ColumnFit(name, "string", fill=fit_category(table, name, spec, rows).fill)


def encode_string(table: Table, fit: ColumnFit) -> list[str]:
    """The column's texts; for missing ones without a policy at prediction, none."""
    rest = "" if fit.fill is None else str(fit.fill)
    return [rest if v is None else v for v in table.texts(fit.name)]


def _check_missing(table: Table, name: str, empty: np.ndarray, spec: FeatureSpec) -> None:
    if spec.missing == "error" and empty.any():
        table.refuse(name, np.flatnonzero(empty), _shown(table, name), "is missing", MISSING_HINT, "data-missing")


def _day(text: str, form: str | None) -> int | None:
    try:
        made = datetime.datetime.strptime(text, form) if form else datetime.datetime.fromisoformat(text)
    except ValueError:
        return None
    return made.toordinal()


def is_dates(table: Table, name: str) -> bool:
    """Whether every value that is there is an ISO date."""
    values = [v for v in table.texts(name) if v is not None]
    return bool(values) and all(len(v) >= 8 and v[:4].isdigit() and _day(v, None) is not None for v in values)


def fit_date(table: Table, name: str, spec: FeatureSpec, rows: np.ndarray) -> ColumnFit:
    """Centre and spread of the days."""
    fit = ColumnFit(name, "date", format=spec.format)
    days = _days(table, fit)
    _check_missing(table, name, np.isnan(days), spec)
    present = days[rows][~np.isnan(days[rows])]
    if not len(present):
        fail("data-empty-column", f"column '{name}' has no dates in the training rows", table.span(0, name))
    fit.fill = median(present)
    scale(fit, present, "standard")
    return fit


def _days(table: Table, fit: ColumnFit) -> np.ndarray:
    values = table.texts(fit.name)
    days = [None if v is None else _day(v, fit.format) for v in values]
    bad = [i for i, (v, d) in enumerate(zip(values, days, strict=True)) if v is not None and d is None]
    if bad:
        wanted = f"is not a date of the form {fit.format!r}" if fit.format else "is not an ISO date such as 2024-12-31"
        table.refuse(fit.name, np.array(bad), values, wanted, "say the dates' `format` in the feature", "data-not-a-date")
    return np.array([np.nan if d is None else float(d) for d in days])


def encode_date(table: Table, fit: ColumnFit) -> np.ndarray:
    """A date as the scaled day, and its month and weekday one-hot: float32 (rows, 20)."""
    days = _days(table, fit)
    days = np.where(np.isnan(days), float(fit.fill or 0.0), days)
    out = np.zeros((len(days), DATE_WIDTH), np.float32)
    out[:, 0] = (days - fit.centre) / fit.spread
    for i, d in enumerate(days):
        made = datetime.date.fromordinal(int(d))
        out[i, made.month] = 1.0
        out[i, 13 + made.weekday()] = 1.0
    return out
