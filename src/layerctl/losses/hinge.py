"""Losses with a margin. Labels that are all 0 or 1 are taken as -1 and 1."""

from __future__ import annotations

from typing import ClassVar

from layerctl.losses.base import Loss
from layerctl.ops.elementwise import apply
from layerctl.ops.reduce import mean, reduce
from layerctl.ops.value import Value


def signs(y_true: Value) -> Value:
    """0 and 1 as -1 and 1, where there is nothing else."""
    plain = apply("or", apply("eq", y_true, 0.0), apply("eq", y_true, 1.0))
    return apply("where", reduce("all", plain), y_true * 2.0 - 1.0, y_true)


def margin(y_true: Value, y_pred: Value) -> Value:
    """`max(1 - y_true * y_pred, 0)`."""
    return apply("max", 1.0 - signs(y_true) * y_pred, 0.0)


class Hinge(Loss):
    """`mean(max(1 - y_true * y_pred, 0))` over the last dimension."""

    def per_sample(self, y_true: Value, y_pred: Value) -> Value:
        return mean(margin(y_true, y_pred), -1)


class SquaredHinge(Loss):
    """`mean(max(1 - y_true * y_pred, 0)^2)` over the last dimension."""

    def per_sample(self, y_true: Value, y_pred: Value) -> Value:
        return mean(apply("square", margin(y_true, y_pred)), -1)


class CategoricalHinge(Loss):
    """`max(max((1 - y_true) * y_pred) - sum(y_true * y_pred) + 1, 0)`; targets as for CategoricalCrossentropy."""

    distributions: ClassVar[bool] = True

    def per_sample(self, y_true: Value, y_pred: Value) -> Value:
        others = reduce("max", (1.0 - y_true) * y_pred, -1)
        return apply("max", others - reduce("sum", y_true * y_pred, -1) + 1.0, 0.0)
