"""Activations of straight pieces."""

from __future__ import annotations

import math
from typing import ClassVar

from pydantic import Field

from layerctl.activations.base import Activation
from layerctl.ops.elementwise import apply
from layerctl.ops.value import Value


def _clip(x: Value, low: float, high: float) -> Value:
    return apply("min", apply("max", x, low), high)


class LeakyRelu(Activation):
    """`x` above 0, `negative_slope x` below."""

    negative_slope: float = 0.2

    def __call__(self, x: Value) -> Value:
        return apply("where", x >= 0.0, x, x * self.negative_slope)


class Relu6(Activation):
    """`min(max(x, 0), 6)`."""

    span: ClassVar[tuple[float, float]] = (0.0, 6.0)

    aliases: ClassVar[tuple[str, ...]] = ("relu6",)

    def __call__(self, x: Value) -> Value:
        return apply("min", apply("relu", x), 6.0)


class HardSigmoid(Activation):
    """`min(max(x slope + 1/2, 0), 1)`."""

    span: ClassVar[tuple[float, float]] = (0.0, 1.0)

    slope: float = Field(1 / 6, description="How steep it is between; it was 0.2 before Keras 3.")

    def __call__(self, x: Value) -> Value:
        return _clip((x / 6.0 if self.slope == 1 / 6 else x * self.slope) + 0.5, 0.0, 1.0)


class HardSilu(Activation):
    """`x hard_sigmoid(x)`."""

    aliases: ClassVar[tuple[str, ...]] = ("hard_swish",)

    def __call__(self, x: Value) -> Value:
        return x * _clip(x / 6.0 + 0.5, 0.0, 1.0)


class HardTanh(Activation):
    """`min(max(x, -1), 1)`."""

    span: ClassVar[tuple[float, float]] = (-1.0, 1.0)

    def __call__(self, x: Value) -> Value:
        return _clip(x, -1.0, 1.0)


class HardShrink(Activation):
    """`x` where `|x| > threshold`, else 0."""

    threshold: float = 0.5

    def __call__(self, x: Value) -> Value:
        return apply("where", abs(x) > self.threshold, x, 0.0)


class SoftShrink(Activation):
    """`x` moved towards 0 by `threshold`, and 0 within it."""

    threshold: float = 0.5

    def __call__(self, x: Value) -> Value:
        over = apply("where", x > self.threshold, x - self.threshold, 0.0)
        return apply("where", x < -self.threshold, x + self.threshold, over)


class Threshold(Activation):
    """`x` above `threshold`, else `default_value`."""

    threshold: float = 0.0
    default_value: float = 0.0

    def __call__(self, x: Value) -> Value:
        return apply("where", x > self.threshold, x, self.default_value)


class SparsePlus(Activation):
    """0 up to -1, `(x + 1)^2 / 4` up to 1, then `x`."""

    span: ClassVar[tuple[float, float]] = (0.0, math.inf)

    def __call__(self, x: Value) -> Value:
        middle = apply("square", x + 1.0) * 0.25
        return apply("where", x <= -1.0, 0.0, apply("where", x < 1.0, middle, x))


class SparseSigmoid(Activation):
    """0 up to -1, `(x + 1) / 2` up to 1, then 1."""

    span: ClassVar[tuple[float, float]] = (0.0, 1.0)

    def __call__(self, x: Value) -> Value:
        return apply("where", x <= -1.0, 0.0, apply("where", x >= 1.0, 1.0, (x + 1.0) * 0.5))


class Glu(Activation):
    """The first half of a dimension times the sigmoid of the second (Dauphin et al. 2016)."""

    axis: int = -1

    def __call__(self, x: Value) -> Value:
        axis = self.axis % x.rank
        half = x.shape[axis] // 2
        first = x[(*(slice(None),) * axis, slice(None, half))]
        second = x[(*(slice(None),) * axis, slice(half, None))]
        return first * apply("sigmoid", second)
