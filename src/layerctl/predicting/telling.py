"""Results of outputs with several numbers a row, by what they stand for: named columns, labels, a label a step, an input's numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from layerctl.spec.features import FeatureSchema, TargetFit

HALF = 0.5
Told = dict[str, np.ndarray | list[str]]
"""Columns by name: float64 numbers, or texts."""


def told(
    schema: FeatureSchema, output: str | None, array: np.ndarray, logits: bool, inputs: Mapping[str, np.ndarray] | None = None,
    thresholds: Mapping[str, float] | None = None, top: int | None = None,
) -> Told | None:  # fmt: skip
    """The columns of an output's results (rows, ...); None where they are told as they are.

    `inputs` say how many steps each row has, `thresholds` from which probability each label is told, `top` how many labels, the likeliest,
    are told in place of those.
    """
    target = schema.target(output)
    if target is None:
        return None
    flat = array.reshape(len(array), int(np.prod(array.shape[1:], dtype=np.int64))).astype(np.float64)
    named = named_numbers(schema, target, flat.shape[1])
    if named is not None:
        return {f"prediction_{n}": np.ascontiguousarray(flat[:, j] * spread + centre) for j, (n, centre, spread) in enumerate(named)}
    if target.kind == "labels" and flat.shape[1] == len(target.classes):
        p = sigmoid(flat) if logits else flat
        return _likeliest(target, p, top) if top is not None else _labels(target, p, bounds_of(target.classes, thresholds or {}))
    if target.kind == "sequence" and array.ndim == 3 and array.shape[1] == target.length:
        return _steps(target, array, (inputs or {}).get(target.along))
    return None


def named_numbers(schema: FeatureSchema, target: TargetFit, width: int) -> list[tuple[str, float, float]] | None:
    """(name, centre, spread) of each of an output's numbers, for targets of several columns of numbers and for inputs that are given back."""
    found: list[tuple[str, float, float]] = []
    if target.kind == "numbers":
        found = list(zip(target.columns, target.centres, target.spreads, strict=True))
    elif target.kind == "input" and (fit := schema.features[target.column]).dtype == "f32":
        first = fit.columns[0]
        if fit.kind in ("array", "vector", "sequence", "image"):
            found = [(str(j), first.centre, first.spread) for j in range(int(np.prod(fit.shape)))]
        elif all(c.kind == "number" for c in fit.columns):
            found = [(c.name, c.centre, c.spread) for c in fit.columns]
    return found if len(found) == width and width else None


def sigmoid(x: np.ndarray) -> np.ndarray:
    """The probability of a logit."""
    return 1.0 / (1.0 + np.exp(-x))


def between_labels(target: TargetFit) -> str:
    """What stands between the labels of a prediction: what stands there in the data; a semicolon where each has a column."""
    return target.separator if target.separator is not None else ";" if target.columns else " "


def bounds_of(labels: Sequence[str], thresholds: Mapping[str, float]) -> np.ndarray:
    """The probability above which each label is told: its own, or a half."""
    return np.array([thresholds.get(label, HALF) for label in labels], np.float64)


def _labels(target: TargetFit, p: np.ndarray, bounds: np.ndarray) -> Told:
    """The labels that are told, as the data write them, and the probability of each."""
    between = between_labels(target)
    names = [between.join(target.classes[j] for j in np.flatnonzero(row)) for row in p > bounds]
    return {"prediction": names, **{f"probability_{c}": np.ascontiguousarray(p[:, j]) for j, c in enumerate(target.classes)}}


def _likeliest(target: TargetFit, p: np.ndarray, top: int) -> Told:
    """The likeliest labels and their probabilities, whether they are told or not."""
    order = np.argsort(-p, axis=1, kind="stable")[:, :top]
    out: Told = {}
    for j in range(order.shape[1]):
        out[f"prediction_{j + 1}"] = [target.classes[i] for i in order[:, j]]
        out[f"probability_{j + 1}"] = p[np.arange(len(p)), order[:, j]]
    return out


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
    there = (x.reshape(len(x), x.shape[1], int(np.prod(x.shape[2:], dtype=np.int64))) != 0).any(axis=2)
    return np.where(there.any(axis=1), x.shape[1] - there[:, ::-1].argmax(axis=1), 0)
