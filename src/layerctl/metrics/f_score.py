"""Precision and recall in one number."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

from pydantic import Field, PositiveFloat

from layerctl.losses.base import EPSILON, combine
from layerctl.metrics.base import Metric, as_distribution, several
from layerctl.ops.elementwise import apply, cast
from layerctl.ops.reduce import reduce
from layerctl.ops.value import ShapeError, Value, shown


class FBetaScore(Metric):
    """`(1 + beta^2) precision recall / (beta^2 precision + recall)` of each class; without `average` one number for each, and their mean."""

    of_classes: ClassVar[bool] = True
    aliases: ClassVar[tuple[str, ...]] = ("fbeta_score",)

    average: Literal["micro", "macro", "weighted"] | None = Field(None, description="How the classes become one number; null gives all.")
    beta: PositiveFloat = Field(1.0, description="How much more recall counts than precision.")
    threshold: float | None = Field(None, gt=0, le=1, description="Above it a class is predicted; the largest one is if not given.")

    def build(self, path: str, y_true: tuple[int, ...], y_pred: tuple[int, ...]) -> None:
        if len(y_pred) != 2:
            raise ShapeError(f"{type(self).__name__} needs predictions (batch, classes), got {shown(y_pred)}")
        for name in ("tp", "fp", "fn", "present"):
            self.add_state(path, name, () if self.average == "micro" else (int(y_pred[-1]),))

    def update(self, y_true: Value, y_pred: Value, weights: Value | None = None) -> None:
        if self.threshold is None:
            chosen = apply("and", apply("ge", y_pred, reduce("max", y_pred, -1, keepdims=True)), abs(y_pred) > 1e-9)
        else:
            chosen = y_pred > self.threshold
        p, t = cast(chosen, "f32"), cast(as_distribution(y_true, y_pred), "f32")
        w = combine(weights, y_pred.mask, p)
        for name, value in (("tp", p * t), ("fp", p * (1.0 - t)), ("fn", (1.0 - p) * t), ("present", t)):
            self.add(name, reduce("sum", value if w is None else value * w, None if self.average == "micro" else 0, dtype="f64"))

    def result(self, state: dict[str, Any]) -> Any:
        tp, fp, fn = state["tp"], state["fp"], state["fn"]
        precision, recall = tp / (tp + fp + EPSILON), tp / (tp + fn + EPSILON)
        square = self.beta**2
        scores = precision * recall / (square * precision + recall + EPSILON) * (1 + square)
        if self.average == "weighted":
            present = state["present"]
            return float((scores * present / (present.sum() + EPSILON)).sum())
        return several(scores.tolist()) if self.average is None else float(scores.mean())


class F1Score(FBetaScore):
    """`2 precision recall / (precision + recall)` of each class; without `average` one number for each, and their mean."""

    beta: Literal[1.0] = Field(1.0, description="Accepted: 1.")
