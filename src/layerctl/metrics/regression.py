"""Metrics of numbers: the losses' values, averaged over samples."""

from __future__ import annotations

import math
from typing import Any, ClassVar, Literal

from pydantic import Field, NonNegativeInt

from layerctl.losses.base import combine, match_ranks
from layerctl.metrics.base import MeanMetric, Metric, several
from layerctl.ops.elementwise import apply, broadcast_to, cast
from layerctl.ops.reduce import mean, reduce
from layerctl.ops.value import Value


class _Error(MeanMetric):
    def _difference(self, y_true: Value, y_pred: Value) -> Value:
        y_true, y_pred = match_ranks(y_true, y_pred)
        return y_pred - cast(y_true, y_pred.dtype)


class MeanSquaredError(_Error):
    """`mean((y_true - y_pred)^2)`."""

    aliases: ClassVar[tuple[str, ...]] = ("mse", "MSE")

    def values(self, y_true: Value, y_pred: Value) -> Value:
        return mean(apply("square", self._difference(y_true, y_pred)), -1)


class RootMeanSquaredError(_Error):
    """The root of the mean squared error over all samples."""

    def values(self, y_true: Value, y_pred: Value) -> Value:
        return mean(apply("square", self._difference(y_true, y_pred)), -1)

    def result(self, state: dict[str, Any]) -> float:
        return math.sqrt(super().result(state))


class MeanAbsoluteError(_Error):
    """`mean(|y_true - y_pred|)`."""

    aliases: ClassVar[tuple[str, ...]] = ("mae", "MAE")

    def values(self, y_true: Value, y_pred: Value) -> Value:
        return mean(abs(self._difference(y_true, y_pred)), -1)


class MeanAbsolutePercentageError(_Error):
    """`100 mean(|y_true - y_pred| / max(|y_true|, 1e-7))`."""

    aliases: ClassVar[tuple[str, ...]] = ("mape", "MAPE")

    def values(self, y_true: Value, y_pred: Value) -> Value:
        scale = apply("max", abs(cast(match_ranks(y_true, y_pred)[0], y_pred.dtype)), 1e-7)
        return mean(abs(self._difference(y_true, y_pred)) / scale, -1) * 100.0


class R2Score(Metric):
    """`1 - sum((y_true - y_pred)^2) / sum((y_true - mean)^2)` of each output, averaged.

    With p regressors the adjusted score of n numbers, `1 - (1 - score) (n - 1) / (n - p - 1)`.
    """

    aliases: ClassVar[tuple[str, ...]] = ("r2",)

    class_aggregation: Literal["uniform_average", "variance_weighted_average"] | None = Field(
        "uniform_average", description="How the outputs become one number; null gives all, and their mean."
    )
    num_regressors: NonNegativeInt = Field(0, description="How many variables the model has, for the adjusted score; 0 for the plain one.")

    def build(self, path: str, y_true: tuple[int, ...], y_pred: tuple[int, ...]) -> None:
        width = int(y_pred[-1])
        for name in ("residual", "squares", "sums"):
            self.add_state(path, name, (width,))
        self.add_state(path, "count")
        self.add_state(path, "numbers")

    def update(self, y_true: Value, y_pred: Value, weights: Value | None = None) -> None:
        from layerctl.ops.leaves import constant
        from layerctl.ops.reshape import reshape

        width = int(y_pred.shape[-1])
        t, p = (cast(reshape(v, (-1, width)), "f64") for v in (y_true, y_pred))
        w = combine(weights, y_pred.mask, y_pred)
        if w is not None:
            w = cast(reshape(broadcast_to(w, (*y_pred.shape[:-1], 1)), (-1, 1)), "f64")
        scaled = (lambda v: v * w) if w is not None else (lambda v: v)
        self.add("residual", reduce("sum", scaled(apply("square", t - p)), 0))
        self.add("squares", reduce("sum", scaled(apply("square", t)), 0))
        self.add("sums", reduce("sum", scaled(t), 0))
        self.add("count", reduce("sum", w) if w is not None else constant(float(int(t.shape[0])), "f64"))
        self.add("numbers", constant(float(int(t.shape[0]) * width), "f64"))

    def result(self, state: dict[str, Any]) -> Any:
        n = float(state["count"])
        if not n:
            return 0.0
        spreads = [max(q - s * s / n, 0.0) for q, s in zip(state["squares"].tolist(), state["sums"].tolist(), strict=True)]
        scores = [1.0 - r / spread if spread > 0 else 0.0 for r, spread in zip(state["residual"].tolist(), spreads, strict=True)]
        if self.class_aggregation == "variance_weighted_average" and sum(spreads) > 0:
            return self._adjusted(sum(a * b for a, b in zip(spreads, scores, strict=True)) / sum(spreads), state)
        if self.class_aggregation is None:
            return several(self._adjusted(s, state) for s in scores)
        return self._adjusted(sum(scores) / len(scores), state)

    def _adjusted(self, score: float, state: dict[str, Any]) -> float:
        """The score as it is where there are not more numbers than regressors."""
        n, p = float(state["numbers"]), self.num_regressors
        return 1.0 - (1.0 - score) * (n - 1.0) / (n - p - 1.0) if p and n - p - 1.0 > 0 else score
