"""Labels that hold or not, each by itself: a table of them, averages over them, thresholds for each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from layerctl.predicting.telling import bounds_of
from layerctl.reporting.judged import Labelled, calibration, precision_recall, roc
from layerctl.reporting.thresholds import Decision, Rule, choose

Row = tuple[float, float, float, int]
"""Precision, recall, F1, and how many there are; NaN where nothing was told, or nothing is so."""


def table_of_labels(found: Labelled) -> list[Row]:
    """A row for each label."""
    hits = (found.true & found.told).sum(axis=0).tolist()
    return [_row(*three) for three in zip(hits, found.told.sum(axis=0).tolist(), found.true.sum(axis=0).tolist(), strict=True)]


def _row(hits: int, told: int, true: int) -> Row:
    nan = float("nan")
    return hits / told if told else nan, hits / true if true else nan, 2 * hits / (told + true) if told + true else nan, true


def averages(found: Labelled) -> dict[str, Row]:
    """`micro`, all labels of all rows counted together, and `macro`, the mean over labels in which what is not defined counts as 0."""
    rows = table_of_labels(found)
    macro = [float(np.mean([r[k] if r[k] == r[k] else 0.0 for r in rows])) for k in range(3)]
    there = int(found.true.sum())
    return {"micro": _row(int((found.true & found.told).sum()), int(found.told.sum()), there), "macro": (macro[0], macro[1], macro[2], there)}


def areas(found: Labelled) -> list[tuple[float, float]]:
    """(under the ROC, average precision) of each label; NaN where all rows have it, or none."""
    both = [(roc(c, 1), precision_recall(c, 1)) for c in map(found.one, range(len(found.labels)))]
    return [(r.area if r is not None else float("nan"), p.area if p is not None else float("nan")) for r, p in both]


def numbers_of_labels(found: Labelled) -> dict[str, float]:
    """Areas (means over the labels that have one), averages of F1, rows all of whose labels are right, and the calibration error."""
    both, mean = np.array(areas(found)), averages(found)
    out = {
        "roc_auc": _mean(both[:, 0]), "average_precision": _mean(both[:, 1]), "f1_micro": mean["micro"][2], "f1_macro": mean["macro"][2],
        "exact_match": float((found.true == found.told).all(axis=1).mean()),
    }  # fmt: skip
    if found.honest:
        out["ece"] = calibration(found.pooled()).error
    return out


def _mean(values: np.ndarray) -> float:
    known = values[~np.isnan(values)]
    return float(known.mean()) if len(known) else float("nan")


def told_by(found: Labelled, thresholds: Mapping[str, float]) -> Labelled:
    """The same, told by the labels' thresholds; a half where a label has none."""
    return replace(found, told=found.shares > bounds_of(found.labels, thresholds))


def chosen(found: Labelled, rule: Rule) -> list[Decision]:
    """A threshold for each label, by itself; none for labels that all rows have, or none, which keep a half.

    Raises:
        LayerctlError: as `choose` does.
    """
    usable = [j for j in range(len(found.labels)) if rule.name == "fixed" or 0 < found.true[:, j].sum() < len(found.true)]
    return [replace(choose(found.one(j), rule), label=True) for j in usable or range(len(found.labels))]
