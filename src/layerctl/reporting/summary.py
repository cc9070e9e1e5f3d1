"""What an evaluation tells of an output: numbers by which it is judged, and all that lies behind them as plain data."""

from __future__ import annotations

from typing import Any

import numpy as np

from layerctl.reporting.judged import (
    Classified,
    Curve,
    Judged,
    Labelled,
    Measured,
    calibration,
    confusion,
    fit_of,
    precision_recall,
    roc,
    table_of_classes,
)
from layerctl.reporting.labelled import averages, numbers_of_labels, table_of_labels

QUANTILES = (0.0, 0.05, 0.25, 0.5, 0.75, 0.95, 1.0)
MOST_POINTS = 1000
"""Points of a curve that are told; of more, as many are picked evenly, the first and the last among them."""


def compared(c: Classified) -> list[int]:
    """The classes that are set against the rest: of two the second, of several each that the model can tell."""
    return [1] if len(c.classes) == 2 else list(range(len(c.classes) - c.strange))


def curves(c: Classified | Labelled) -> list[tuple[Curve | None, Curve | None]]:
    """(ROC, precision over recall) of each compared class, or of each label."""
    if isinstance(c, Labelled):
        return [(roc(one, 1), precision_recall(one, 1)) for one in map(c.one, range(len(c.labels)))]
    return [(roc(c, i), precision_recall(c, i)) for i in compared(c)]


def numbers_of(found: Judged) -> dict[str, float]:
    """The areas under the curves (means over the classes that have one), macro F1 and the calibration error; or how well numbers fit."""
    if isinstance(found, Measured):
        fit = fit_of(found)
        return dict(zip(("mae", "rmse", "r2"), fit.values(), strict=True))
    if isinstance(found, Labelled):
        return numbers_of_labels(found)
    both = curves(found)
    scores = [f for _, _, f, n in table_of_classes(found) if n or f == f]
    out = {
        "roc_auc": _mean([r.area for r, _ in both if r is not None]), "average_precision": _mean([p.area for _, p in both if p is not None]),
        "f1_macro": _mean([f if f == f else 0.0 for f in scores]),
    }  # fmt: skip
    if found.honest:
        out["ece"] = calibration(found).error
    return out


def _mean(values: list[float]) -> float:
    return float(np.mean(values)) if values else float("nan")


def residual_quantiles(m: Measured) -> dict[float, float]:
    """What was predicted less what was true, at QUANTILES (linear between rows)."""
    return dict(zip(QUANTILES, np.quantile(m.told - m.true, QUANTILES).tolist(), strict=True))


def plain(found: Judged) -> dict[str, Any]:
    """All of it as plain data."""
    if isinstance(found, Measured):
        return {
            "output": found.name, "kind": "number", "rows": len(found.true), **numbers_of(found),
            "residual_quantiles": {f"{q:g}": v for q, v in residual_quantiles(found).items()},
            "columns": [{"column": c.name, **numbers_of(c)} for c in found.columns],
        }  # fmt: skip
    out: dict[str, Any] = {"output": found.name, "kind": "labels", "rows": len(found.true), **numbers_of(found)}
    if isinstance(found, Labelled):
        out["labels"] = [{"label": n, **_scored(r)} for n, r in zip(found.labels, table_of_labels(found), strict=True)]
        out["averages"] = {n: _scored(r) for n, r in averages(found).items()}
    else:
        out["kind"] = "category"
        out["classes"] = [{"class": n, **_scored(r)} for n, r in zip(found.classes, table_of_classes(found), strict=True)]
        out["confusion"] = confusion(found).tolist()
    drawn = curves(found)
    out["roc"] = [_points(c) for c, _ in drawn if c is not None]
    out["precision_recall"] = [_points(c) for _, c in drawn if c is not None]
    if found.honest:
        k = calibration(found.pooled() if isinstance(found, Labelled) else found)
        bins = zip(k.said.tolist(), k.right.tolist(), k.rows.tolist(), strict=True)
        out["calibration"] = [{"predicted": s, "observed": r, "rows": n} for s, r, n in bins]
    return out


def _scored(row: tuple[float, float, float, int]) -> dict[str, float | int]:
    return dict(zip(("precision", "recall", "f1", "support"), row, strict=True))


def _points(c: Curve) -> dict[str, Any]:
    at = np.unique(np.linspace(0, len(c.x) - 1, min(len(c.x), MOST_POINTS)).round().astype(int))
    return {"class": c.name, "area": c.area, "x": c.x[at].tolist(), "y": c.y[at].tolist()}
