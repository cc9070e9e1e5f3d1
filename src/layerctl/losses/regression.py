"""Losses of numbers."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field

from layerctl.losses.base import EPSILON, Loss
from layerctl.ops.elementwise import apply
from layerctl.ops.reduce import mean
from layerctl.ops.value import Value


class _Distance(Loss):
    numbers: ClassVar[bool] = True


class MeanSquaredError(_Distance):
    """`mean((y_true - y_pred)^2)` over the last dimension."""

    aliases: ClassVar[tuple[str, ...]] = ("mse", "MSE")

    def per_sample(self, y_true: Value, y_pred: Value) -> Value:
        return mean(apply("square", y_pred - y_true), -1)


class MeanAbsoluteError(_Distance):
    """`mean(|y_true - y_pred|)` over the last dimension."""

    aliases: ClassVar[tuple[str, ...]] = ("mae", "MAE")

    def per_sample(self, y_true: Value, y_pred: Value) -> Value:
        return mean(abs(y_pred - y_true), -1)


class MeanAbsolutePercentageError(_Distance):
    """`100 mean(|y_true - y_pred| / max(|y_true|, 1e-7))` over the last dimension."""

    aliases: ClassVar[tuple[str, ...]] = ("mape", "MAPE")

    def per_sample(self, y_true: Value, y_pred: Value) -> Value:
        return mean(abs((y_true - y_pred) / apply("max", abs(y_true), EPSILON)), -1) * 100.0


class MeanSquaredLogarithmicError(_Distance):
    """`mean((log(1 + y_true) - log(1 + y_pred))^2)` over the last dimension; both are at least 1e-7."""

    aliases: ClassVar[tuple[str, ...]] = ("msle", "MSLE")

    def per_sample(self, y_true: Value, y_pred: Value) -> Value:
        a, b = (apply("log", apply("max", v, EPSILON) + 1.0) for v in (y_pred, y_true))
        return mean(apply("square", a - b), -1)


class Huber(_Distance):
    """The mean of `e^2 / 2` for errors up to `delta`, and of `delta |e| - delta^2 / 2` beyond. Huber 1964."""

    aliases: ClassVar[tuple[str, ...]] = ("huber_loss",)

    delta: float = Field(1.0, gt=0, description="The error from which the loss is a line.")

    def per_sample(self, y_true: Value, y_pred: Value) -> Value:
        size = abs(y_pred - y_true)
        return mean(apply("where", size <= self.delta, apply("square", size) * 0.5, size * self.delta - 0.5 * self.delta**2), -1)


class LogCosh(_Distance):
    """`mean(log(cosh(y_pred - y_true)))` over the last dimension."""

    aliases: ClassVar[tuple[str, ...]] = ("logcosh",)

    def per_sample(self, y_true: Value, y_pred: Value) -> Value:
        e = y_pred - y_true
        return mean(e + apply("softplus", e * -2.0) - 0.6931471805599453, -1)


class Poisson(_Distance):
    """`mean(y_pred - y_true log(y_pred + 1e-7))` over the last dimension."""

    def per_sample(self, y_true: Value, y_pred: Value) -> Value:
        return mean(y_pred - y_true * apply("log", y_pred + EPSILON), -1)
