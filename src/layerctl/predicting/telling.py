"""Results of outputs with several numbers a row, by what they stand for: named columns, labels, a label a step, an input's numbers."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from layerctl.spec.features import FeatureFit, FeatureSchema, TargetFit

HALF = 0.5
Told = dict[str, np.ndarray | list[str]]
"""Columns by name: float64 numbers, or texts."""


def told(schema: FeatureSchema, output: str | None, array: np.ndarray, logits: bool, inputs: Mapping[str, np.ndarray] | None = None) -> Told | None:
    """The columns of an output's results (rows, ...); None where they are told as they are. `inputs` say how many steps each row has."""
    target = schema.target(output)
    if target is None:
        return None
    flat = array.reshape(len(array), -1).astype(np.float64)
    if target.kind == "numbers" and flat.shape[1] == len(target.columns):
        scaled = flat * np.array(target.spreads) + np.array(target.centres)
        return {f"prediction_{n}": np.ascontiguousarray(scaled[:, j]) for j, n in enumerate(target.columns)}
    if target.kind == "labels" and flat.shape[1] == len(target.classes):
        return _labels(target, _sigmoid(flat) if logits else flat)
    if target.kind == "sequence" and array.ndim == 3 and array.shape[1] == target.length:
        return _steps(target, array, (inputs or {}).get(target.along))
    if target.kind == "input":
        return _given_back(schema.features[target.column], flat)
    return None


def _sigmoid(x: np.ndarray) -> np.ndarray:
    return 1.0 / (1.0 + np.exp(-x))


def _labels(target: TargetFit, p: np.ndarray) -> Told:
    """The labels that are likelier there than not, as the data write them, and the probability of each."""
    between = target.separator if target.separator is not None else " " if not target.columns else ";"
    names = [between.join(target.classes[j] for j in np.flatnonzero(row > HALF)) for row in p]
    return {"prediction": names, **{f"probability_{c}": np.ascontiguousarray(p[:, j]) for j, c in enumerate(target.classes)}}


def _steps(target: TargetFit, array: np.ndarray, along: np.ndarray | None) -> Told | None:
    """The label or the number of each step that a row has, as the data write them."""
    between = target.separator if target.separator is not None else " "
    counts = np.full(len(array), target.length) if along is None else steps_of(along)
    if not target.classes:
        return {"prediction": [between.join(f"{v:.9g}" for v in row[:n, 0]) for row, n in zip(array, counts, strict=True)]}
    if array.shape[2] != len(target.classes):
        return None
    ids = array.argmax(axis=2)
    return {"prediction": [between.join(target.classes[i] for i in row[:n]) for row, n in zip(ids, counts, strict=True)]}


def steps_of(x: np.ndarray) -> np.ndarray:
    """How many steps each row of a padded input has: up to the last one that is not zero."""
    there = (x.reshape(len(x), x.shape[1], -1) != 0).any(axis=2)
    return np.where(there.any(axis=1), x.shape[1] - there[:, ::-1].argmax(axis=1), 0)


def _given_back(fit: FeatureFit, flat: np.ndarray) -> Told | None:
    """An input's numbers in their own units, by column where it is made of columns of numbers."""
    if flat.shape[1] != int(np.prod(fit.shape)) or fit.dtype != "f32":
        return None
    if fit.kind in ("array", "vector", "sequence"):
        first = fit.columns[0]
        return {f"prediction_{j}": np.ascontiguousarray(flat[:, j] * first.spread + first.centre) for j in range(flat.shape[1])}
    if all(c.kind == "number" for c in fit.columns) and len(fit.columns) == flat.shape[1]:
        return {f"prediction_{c.name}": np.ascontiguousarray(flat[:, j] * c.spread + c.centre) for j, c in enumerate(fit.columns)}
    return None
