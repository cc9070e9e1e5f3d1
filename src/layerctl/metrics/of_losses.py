"""Losses as metrics: their values' mean over all samples."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar

from pydantic import BeforeValidator, Field, model_validator

from layerctl.catalogue import catalogue
from layerctl.configured import plain, resolve
from layerctl.diagnostics import did_you_mean
from layerctl.losses.base import Loss, combine, match_ranks
from layerctl.losses.similarity import cosine
from layerctl.metrics.base import MeanMetric, Metric, count_of
from layerctl.ops.elementwise import apply, cast
from layerctl.ops.reduce import mean, reduce
from layerctl.ops.value import Value


class _OfLoss(MeanMetric):
    loss: ClassVar[str]

    def values(self, y_true: Value, y_pred: Value) -> Value:
        y_true, y_pred = match_ranks(y_true, y_pred)
        return catalogue("losses").get(self.loss)().per_sample(cast(y_true, y_pred.dtype), y_pred)


class MeanSquaredLogarithmicError(_OfLoss):
    """`mean((log(1 + y_true) - log(1 + y_pred))^2)`."""

    aliases: ClassVar[tuple[str, ...]] = ("msle", "MSLE")
    loss: ClassVar[str] = "MeanSquaredLogarithmicError"


class LogCoshError(_OfLoss):
    """`mean(log(cosh(y_pred - y_true)))`."""

    aliases: ClassVar[tuple[str, ...]] = ("logcosh", "log_cosh")
    loss: ClassVar[str] = "LogCosh"


class KLDivergence(_OfLoss):
    """`sum(y_true log(y_true / y_pred))`."""

    aliases: ClassVar[tuple[str, ...]] = ("kld", "KLD", "kullback_leibler_divergence")
    loss: ClassVar[str] = "KLDivergence"


class Poisson(_OfLoss):
    """`mean(y_pred - y_true log(y_pred))`."""

    loss: ClassVar[str] = "Poisson"


class Hinge(_OfLoss):
    """`mean(max(1 - y_true * y_pred, 0))`, labels 0 and 1 as -1 and 1."""

    loss: ClassVar[str] = "Hinge"


class SquaredHinge(_OfLoss):
    """`mean(max(1 - y_true * y_pred, 0)^2)`, labels 0 and 1 as -1 and 1."""

    loss: ClassVar[str] = "SquaredHinge"


class CategoricalHinge(_OfLoss):
    """`max(max((1 - y_true) * y_pred) - sum(y_true * y_pred) + 1, 0)`."""

    loss: ClassVar[str] = "CategoricalHinge"


class CosineSimilarity(MeanMetric):
    """`sum(y_true y_pred) / (|y_true| |y_pred|)`: 1 for the same direction."""

    axis: int = Field(-1, description="The dimension of the vectors.")

    def values(self, y_true: Value, y_pred: Value) -> Value:
        y_true, y_pred = match_ranks(y_true, y_pred)
        return cosine(cast(y_true, y_pred.dtype), y_pred, self.axis)


class PearsonCorrelation(MeanMetric):
    """The correlation of target and prediction along `axis`, averaged over the rest."""

    axis: int | list[int] = Field(-1, description="The dimensions that are correlated along.")

    def values(self, y_true: Value, y_pred: Value) -> Value:
        y_true, y_pred = match_ranks(y_true, y_pred)
        a, b = (v - mean(v, self.axis, keepdims=True) for v in (cast(y_true, y_pred.dtype), y_pred))
        spread = apply("sqrt", mean(a * a, self.axis) * mean(b * b, self.axis))
        return mean(a * b, self.axis) / spread


class ConcordanceCorrelation(MeanMetric):
    """`2 cov / (var + var + (mean - mean)^2)` of target and prediction along `axis`, averaged over the rest. Lin 1989."""

    axis: int | list[int] = Field(-1, description="The dimensions that are correlated along.")

    def values(self, y_true: Value, y_pred: Value) -> Value:
        y_true, y_pred = match_ranks(y_true, y_pred)
        y_true = cast(y_true, y_pred.dtype)
        a, b = (mean(v, self.axis, keepdims=True) for v in (y_true, y_pred))
        spread = mean(apply("square", y_true - a), self.axis, keepdims=True) + mean(apply("square", y_pred - b), self.axis, keepdims=True)
        both = (y_true - b) * (y_pred - b)
        return mean(both * 2.0 / (spread + apply("square", a - b) + 1e-7), self.axis)


class Mean(MeanMetric):
    """The mean of the predictions, whatever the target."""

    def values(self, y_true: Value, y_pred: Value) -> Value:
        return y_pred


class Sum(Metric):
    """The sum of the predictions, whatever the target."""

    def update(self, y_true: Value, y_pred: Value, weights: Value | None = None) -> None:
        weights = combine(weights, y_pred.mask, y_pred)
        self.add("total", reduce("sum", y_pred if weights is None else y_pred * weights, dtype="f64"))
        self.add("count", count_of(y_pred))

    def result(self, state: dict[str, Any]) -> float:
        return float(state["total"])


def _function(value: Any) -> Any:
    """A loss or a metric from its name or its name with arguments; a name of both is the loss."""
    name = next(iter(value), None) if isinstance(value, dict) else value
    if not isinstance(name, str):
        return value
    kind = next((k for k in ("losses", "metrics") if catalogue(k).get(name) is not None), None)
    if kind is None:
        raise ValueError(f"there is no loss or metric '{name}'{did_you_mean(name, [*catalogue('losses').names, *catalogue('metrics').names])}")
    return resolve(kind, value)


class MeanMetricWrapper(MeanMetric):
    """The mean of a function over all samples: `MeanMetricWrapper: {fn: {Huber: {delta: 2.0}}}`."""

    fn: Annotated[Any, BeforeValidator(_function)] = Field(
        description="A loss, or a metric that is a mean over samples (accuracies, errors), by name or with arguments."
    )

    @model_validator(mode="after")
    def _is_a_mean(self) -> MeanMetricWrapper:
        if not isinstance(self.fn, (Loss, MeanMetric)):
            raise ValueError(f"fn must be a loss or a metric that is a mean over samples, got {plain(self.fn)!r}")
        return self

    def values(self, y_true: Value, y_pred: Value) -> Value:
        if isinstance(self.fn, MeanMetric):
            return self.fn.values(y_true, y_pred)
        if not self.fn.classes:
            y_true, y_pred = match_ranks(y_true, y_pred)
            y_true = cast(y_true, y_pred.dtype)
        return self.fn.per_sample(y_true, y_pred)
