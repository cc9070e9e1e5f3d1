"""Targets as a model is trained with them, by what was fitted: class indices, zeros and ones, scaled numbers, labels of steps, sample weights."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from layerctl.data.columns import as_spelled, float32, narrowed
from layerctl.data.labels import cut, labels_of, truths
from layerctl.data.numbers import numbers_of
from layerctl.data.table import Table, columns_hint
from layerctl.data.texts import tokens
from layerctl.data.vectors import lists_of
from layerctl.diagnostics import Source, Span, did_you_mean, fail
from layerctl.spec.features import FeatureFit, FeatureSchema, TargetFit


def encode_targets(table: Table, schema: FeatureSchema, inputs: Mapping[str, np.ndarray]) -> tuple[dict[str, np.ndarray], np.ndarray | None]:
    """The targets by output, and the steps' weights: float32 (rows, steps), 0 where a sequence is padded; None where no target has steps.

    Raises:
        LayerctlError: for labels that training did not have, numbers that are none, steps that are too few or too many.
    """
    out = {o: encode_target(table, t, schema.features, inputs) for o, t in schema.targets.items()}
    stepped = [t for t in schema.targets.values() if t.kind == "sequence" or (t.kind == "input" and schema.features[t.column].kind == "text")]
    if not stepped or len(out) > 1:
        return out, None
    t = stepped[0]
    steps = _steps(table, t, schema.features) if t.kind == "sequence" else (inputs[t.column] != 0).sum(axis=1)
    length = schema.features[t.along or t.column].length
    return out, (np.arange(length)[None, :] < np.asarray(steps)[:, None]).astype(np.float32)


def encode_target(table: Table, fit: TargetFit, features: Mapping[str, FeatureFit], inputs: Mapping[str, np.ndarray]) -> np.ndarray:
    """int32 class indices (rows) or (rows, steps); float32 (rows, n) numbers or labels, (rows, steps, 1) numbers of steps; or an input."""
    for name in fit.names:
        if name not in table.columns:
            fail("missing-column", f"the data lack the target's column '{name}'{did_you_mean(name, table.columns)}", Span(Source(table.name)),
                 hint=f"they have {', '.join(list(table.columns)[:20])}")  # fmt: skip
    if fit.kind == "input":
        return inputs[fit.column]
    if fit.kind == "number":
        return _scaled(table, fit.column, fit, fit.centre, fit.spread).reshape(-1, 1)
    if fit.kind == "numbers":
        columns = [_scaled(table, n, fit, c, s) for n, c, s in zip(fit.columns, fit.centres, fit.spreads, strict=True)]
        return np.ascontiguousarray(np.stack(columns, axis=1))
    if fit.kind == "labels":
        return _encoded_labels(table, fit)
    if fit.kind == "sequence":
        return _encoded_sequence(table, fit, features)
    labels = labels_of(table, fit.column, fit.strip_suffix)
    table_of = {c: i for i, c in enumerate(fit.classes)}
    table_of |= {spelled: table_of[c] for spelled, c in fit.aliases.items()}
    if fit.ignore_case:
        labels = as_spelled(labels, fit.classes)
    bad = [i for i, v in enumerate(labels) if v not in table_of]
    if bad:
        hint = _classes_hint(fit)
        if any(labels[i] and str(labels[i]).rstrip(".") in table_of for i in bad):
            hint += "; an ending that does not count is taken off with `strip_suffix`"
        refuse_label(table, fit, bad, labels, hint)
    return np.array([table_of[v] for v in labels], np.int32)


def recount(table: Table, schema: FeatureSchema, rows: np.ndarray) -> None:
    """Notes how often each class is trained on, where rows are seen several times or left out."""
    for fit in schema.targets.values():
        if fit.kind == "category":
            counts = np.bincount(encode_target(narrowed(table, fit.names, rows), fit, schema.features, {}), minlength=len(fit.classes))
            fit.counts = counts.tolist()


def encode_weights(table: Table, column: str, place: Span | None = None) -> np.ndarray:
    """A column of sample weights: float32 (rows).

    Raises:
        LayerctlError: for a column that is not there, and for weights that are missing or below 0.
    """
    if column not in table.columns:
        fail("unknown-column", f"the weight '{column}' is no column of {table.name}{did_you_mean(column, table.columns)}", place,
             hint=columns_hint(table.columns))  # fmt: skip
    weights = numbers_of(table, column)
    bad = ~(weights >= 0)
    if bad.any():
        shown = ["a missing value" if v is None else v for v in table.texts(column)]
        table.refuse(column, np.flatnonzero(bad), shown, "is no weight: weights are numbers of at least 0",
                     "correct it; 0 leaves the row out of training", "bad-value")  # fmt: skip
    return float32(weights, table, column)


def _scaled(table: Table, name: str, fit: TargetFit, centre: float, spread: float) -> np.ndarray:
    return float32((numbers_of(table, name, fit.strip, fit.units) - centre) / spread, table, name)


def _classes_hint(fit: TargetFit) -> str:
    return f"the classes are {', '.join(fit.classes)}"


def refuse_label(table: Table, fit: TargetFit, bad: list[int], labels: list[Any], hint: str) -> None:
    """Ends with the rows whose label training did not have."""
    shown = ["" if v is None else v for v in labels]
    hint += "; a class that only held-back rows have is listed in the target's `classes`, or split by `stratify: true`"
    table.refuse(fit.column, np.array(bad), shown, "is no class of the training data", hint, "data-unknown-class")


def _encoded_labels(table: Table, fit: TargetFit) -> np.ndarray:
    if fit.columns:
        return np.ascontiguousarray(np.stack([truths(table, n) for n in fit.columns], axis=1))
    values = table.texts(fit.column)
    place = {c: j for j, c in enumerate(fit.classes)}
    found = [[] if v is None else cut(v, fit.separator) for v in values]
    bad = [i for i, labels in enumerate(found) if any(label not in place for label in labels)]
    if bad:
        refuse_label(table, fit, bad, [", ".join(x for x in labels if x not in place) for labels in found], _classes_hint(fit))
    out = np.zeros((len(values), len(place)), np.float32)
    for i, labels in enumerate(found):
        out[i, [place[label] for label in labels]] = 1.0
    return out


def _encoded_sequence(table: Table, fit: TargetFit, features: Mapping[str, FeatureFit]) -> np.ndarray:
    values = table.texts(fit.column)
    found = [[] if v is None else cut(v, fit.separator) for v in values]
    steps = _steps(table, fit, features)
    bad = [i for i, (labels, n) in enumerate(zip(found, steps, strict=True)) if len(labels) != n]
    if bad:
        i = bad[0]
        hint = f"a step of '{fit.along}' has one label; how the text is cut into steps is its `split`, how labels are, the target's `separator`"
        table.refuse(fit.column, np.array(bad), values, f"has {len(found[i])} labels for {steps[i]} steps", hint, "data-steps")
    if not fit.classes:
        out = np.zeros((len(found), fit.length, 1), np.float32)
        numbers = lists_of(table, fit.column, fit.separator or "")
        for i, row in enumerate(numbers):
            out[i, : len(row or ()), 0] = (row or [])[: fit.length]
        return out
    place = {c: j for j, c in enumerate(fit.classes)}
    unknown = [i for i, labels in enumerate(found) if any(label not in place for label in labels)]
    if unknown:
        refuse_label(table, fit, unknown, [" ".join(x for x in labels if x not in place) for labels in found], _classes_hint(fit))
    ids = np.zeros((len(found), fit.length), np.int32)
    for i, labels in enumerate(found):
        kept = labels[: fit.length]
        ids[i, : len(kept)] = [place[label] for label in kept]
    return ids


def _steps(table: Table, fit: TargetFit, features: Mapping[str, FeatureFit]) -> list[int]:
    """How many steps each row has."""
    feature = features[fit.along]
    column = feature.columns[0]
    if feature.kind == "text":
        return [len(tokens(v or "", feature.split, feature.lowercase)) for v in table.texts(column.name)]
    return [0 if v is None else len(v) for v in lists_of(table, column.name, column.separator)]
