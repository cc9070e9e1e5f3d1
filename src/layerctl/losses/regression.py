"""Losses of numbers."""

from __future__ import annotations

from typing import ClassVar

from layerctl.losses.base import Loss
from layerctl.ops.elementwise import apply
from layerctl.ops.reduce import mean
from layerctl.ops.value import Value


class MeanSquaredError(Loss):
    """`mean((y_true - y_pred)^2)` over the last dimension."""

    aliases: ClassVar[tuple[str, ...]] = ("mse", "MSE")

    def per_sample(self, y_true: Value, y_pred: Value) -> Value:
        return mean(apply("square", y_pred - y_true), -1)


class MeanAbsoluteError(Loss):
    """`mean(|y_true - y_pred|)` over the last dimension."""

    aliases: ClassVar[tuple[str, ...]] = ("mae", "MAE")

    def per_sample(self, y_true: Value, y_pred: Value) -> Value:
        return mean(abs(y_pred - y_true), -1)
