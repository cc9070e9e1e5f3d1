"""Bounds of weights' signs and lengths."""

from __future__ import annotations

from pydantic import Field, NonNegativeFloat

from layerctl.constraints.base import Constraint
from layerctl.ops.elementwise import apply
from layerctl.ops.reduce import normal_axes, reduce
from layerctl.ops.value import Value

_EPSILON = 1e-7
_AXIS = "The dimensions along which a length is taken; 0 for a Dense kernel, [0, 1, 2] for a Conv2D's."


def _lengths(w: Value, axis: int | list[int]) -> Value:
    axes = normal_axes(axis, w.rank, "the constraint")
    return apply("sqrt", reduce("sum", apply("square", w), axes, keepdims=True))


class NonNeg(Constraint):
    """`max(w, 0)`."""

    def __call__(self, w: Value) -> Value:
        return apply("max", w, 0.0)


class MaxNorm(Constraint):
    """Lengths of at most `max_value`. Srivastava et al. 2014."""

    max_value: NonNegativeFloat = Field(2, description="The largest length.")
    axis: int | list[int] = Field(0, description=_AXIS)

    def __call__(self, w: Value) -> Value:
        size = _lengths(w, self.axis)
        return w * (apply("min", size, float(self.max_value)) / (size + _EPSILON))


class UnitNorm(Constraint):
    """Lengths of 1."""

    axis: int | list[int] = Field(0, description=_AXIS)

    def __call__(self, w: Value) -> Value:
        return w / (_lengths(w, self.axis) + _EPSILON)


class MinMaxNorm(Constraint):
    """Lengths moved by the share `rate` of the way to between `min_value` and `max_value`."""

    min_value: NonNegativeFloat = Field(0.0, description="The least length.")
    max_value: NonNegativeFloat = Field(1.0, description="The largest length.")
    rate: float = Field(1.0, ge=0, le=1, description="How far a length is moved; 1 is all the way.")
    axis: int | list[int] = Field(0, description=_AXIS)

    def __call__(self, w: Value) -> Value:
        size = _lengths(w, self.axis)
        wanted = apply("max", apply("min", size, float(self.max_value)), float(self.min_value)) * self.rate + size * (1.0 - self.rate)
        return w * (wanted / (size + _EPSILON))
