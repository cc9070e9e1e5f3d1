"""Losses of segmentations: how much of two areas they do not share."""

from __future__ import annotations

from pydantic import Field, NonNegativeFloat

from layerctl.losses.base import EPSILON, Loss
from layerctl.ops.reduce import reduce
from layerctl.ops.value import Value

_AXIS = "The dimensions of an area; all of the batch together if not given."


class Dice(Loss):
    """`1 - 2 sum(y_true y_pred) / (sum(y_true) + sum(y_pred))`."""

    axis: int | list[int] | None = Field(None, description=_AXIS)

    def per_sample(self, y_true: Value, y_pred: Value) -> Value:
        both = reduce("sum", y_true * y_pred, self.axis)
        return 1.0 - both * 2.0 / (reduce("sum", y_true, self.axis) + reduce("sum", y_pred, self.axis) + EPSILON)


class Tversky(Loss):
    """`1 - both / (both + alpha * missed + beta * wrong)`, both = sum(y_true y_pred). Salehi et al. 2017."""

    alpha: NonNegativeFloat = Field(0.5, description="The weight of what is true and not predicted.")
    beta: NonNegativeFloat = Field(0.5, description="The weight of what is predicted and not true.")
    axis: int | list[int] | None = Field(None, description=_AXIS)

    def per_sample(self, y_true: Value, y_pred: Value) -> Value:
        both = reduce("sum", y_true * y_pred, self.axis)
        missed = reduce("sum", (1.0 - y_pred) * y_true, self.axis)
        wrong = reduce("sum", y_pred * (1.0 - y_true), self.axis)
        return 1.0 - both / (both + missed * self.alpha + wrong * self.beta + EPSILON)
