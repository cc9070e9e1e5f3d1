"""The area under a curve of decisions at thresholds."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import Any, Literal

from pydantic import Field, NonNegativeFloat, PositiveInt, model_validator

from layerctl.metrics._counts import Counts, part
from layerctl.ops.elementwise import apply
from layerctl.ops.leaves import constant
from layerctl.ops.value import ShapeError, Value, shown


class AUC(Counts):
    """The area under a curve of rates, from counts at thresholds: recall over false positives (ROC), precision over recall (PR).

    PRGAIN takes what both gain over calling everything positive (Flach and Kull 2015). PR is interpolated after Davis and Goadrich 2006.
    """

    num_thresholds: int = Field(200, ge=2, description="How many thresholds, evenly from 0 to 1.")
    curve: Literal["ROC", "PR", "PRGAIN"] = Field("ROC", description="The curve.")
    summation_method: Literal["interpolation", "minoring", "majoring"] = Field(
        "interpolation", description="Whether the heights between thresholds are the means, the least or the greatest of their ends."
    )
    thresholds: list[float] | None = Field(None, description="The thresholds between 0 and 1, in place of even ones.")
    multi_label: bool = Field(False, description="Whether the mean of each label's area is taken; all labels are one if not.")
    num_labels: PositiveInt | None = Field(None, description="How many labels, with `multi_label`; known from the predictions if not given.")
    label_weights: list[NonNegativeFloat] | None = Field(
        None, description="How much each label counts: its area with `multi_label`, its predictions without."
    )
    from_logits: bool = Field(False, description="Whether predictions are logits.")

    @model_validator(mode="after")
    def _labels_are_counted(self) -> AUC:
        if self.num_labels is not None and not self.multi_label:
            raise ValueError("num_labels is for multi_label: true")
        return self

    def cuts(self) -> list[float]:
        inner = [(i + 1) / (self.num_thresholds - 1) for i in range(self.num_thresholds - 2)] if self.thresholds is None else sorted(self.thresholds)
        return [-1e-7, *inner, 1.0 + 1e-7]

    def labels(self, y_pred: Sequence[int]) -> int | None:
        if not self.multi_label:
            return None
        if len(y_pred) != 2:
            raise ShapeError(f"AUC of several labels needs predictions (batch, labels), got {shown(y_pred)}")
        if self.num_labels not in (None, int(y_pred[-1])):
            raise ShapeError(f"AUC: num_labels is {self.num_labels}, the predictions {shown(y_pred)} have {int(y_pred[-1])}")
        return int(y_pred[-1])

    def build(self, path: str, y_true: tuple[int, ...], y_pred: tuple[int, ...]) -> None:
        weights = self.label_weights
        if weights is not None and (not y_pred or len(weights) != int(y_pred[-1])):
            raise ShapeError(f"AUC: label_weights needs a number for each label of the predictions {shown(y_pred)}, got {len(weights)}")
        super().build(path, y_true, y_pred)

    def prepared(self, y_true: Value, y_pred: Value) -> tuple[Value, Value]:
        if self.from_logits:
            return y_true, apply("sigmoid", y_pred)
        return y_true, y_pred if self.thresholds is not None else apply("min", apply("max", y_pred, 0.0), 1.0)

    def weighted(self, weights: Value | None, y_pred: Value) -> Value | None:
        if self.label_weights is None or self.multi_label:
            return weights
        of_labels = constant(self.label_weights)
        return of_labels if weights is None else weights * of_labels

    def result(self, state: dict[str, Any]) -> float:
        counts = [state[k].reshape(len(self.cuts()), -1).T.tolist() for k in ("tp", "fp", "fn", "tn")]
        areas = [self._area(*label) for label in zip(*counts, strict=True)]
        weights = self.label_weights if self.multi_label and self.label_weights is not None else [1.0] * len(areas)
        return part(sum(a * w for a, w in zip(areas, weights, strict=True)), sum(weights))

    def _area(self, tp: list[float], fp: list[float], fn: list[float], tn: list[float]) -> float:
        if self.curve == "PR" and self.summation_method == "interpolation":
            return _interpolated_pr(tp, fp, fn)
        if self.curve == "PRGAIN":
            points = [_gains(*at) for at in zip(tp, fp, fn, tn, strict=True)]
        else:
            recall = [part(a, a + b) for a, b in zip(tp, fn, strict=True)]
            precision = [part(a, a + b) for a, b in zip(tp, fp, strict=True)]
            false = [part(a, a + b) for a, b in zip(fp, tn, strict=True)]
            points = list(zip(false, recall, strict=True) if self.curve == "ROC" else zip(recall, precision, strict=True))
        height = {"interpolation": lambda a, b: (a + b) / 2.0, "minoring": min, "majoring": max}[self.summation_method]
        return sum((x - after) * height(y, y_after) for (x, y), (after, y_after) in pairwise(points))


def _gains(tp: float, fp: float, fn: float, tn: float) -> tuple[float, float]:
    """(recall gain, precision gain) at a threshold; where nothing is found (0, 1)."""
    odds = part(tp + fn, tn + fp)
    return (max(1.0 - odds * fn / tp, 0.0), 1.0 - odds * fp / tp) if tp else (0.0, 1.0)


def _interpolated_pr(tp: list[float], fp: list[float], fn: list[float]) -> float:
    """Both counts change linearly between thresholds, not the precision."""
    area = 0.0
    for i in range(len(tp) - 1):
        dtp, p, q = tp[i] - tp[i + 1], tp[i] + fp[i], tp[i + 1] + fp[i + 1]
        slope = part(dtp, max(p - q, 0.0))
        intercept = tp[i + 1] - slope * q
        ratio = p / q if p > 0 and q > 0 else 1.0
        area += part(slope * (dtp + intercept * math.log(ratio)), max(tp[i + 1] + fn[i + 1], 0.0))
    return area
