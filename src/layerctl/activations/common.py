"""linear, sigmoid, tanh, softmax."""

from __future__ import annotations

from typing import ClassVar

from layerctl.activations.base import Activation
from layerctl.ops.elementwise import apply
from layerctl.ops.softmax import softmax
from layerctl.ops.value import Value


class Linear(Activation):
    """`x`."""

    def __call__(self, x: Value) -> Value:
        return x


class Sigmoid(Activation):
    """`1 / (1 + exp(-x))`."""

    span: ClassVar[tuple[float, float]] = (0.0, 1.0)

    def __call__(self, x: Value) -> Value:
        return apply("sigmoid", x)


class Tanh(Activation):
    """`(exp(x) - exp(-x)) / (exp(x) + exp(-x))`."""

    span: ClassVar[tuple[float, float]] = (-1.0, 1.0)

    def __call__(self, x: Value) -> Value:
        return apply("tanh", x)


class Softmax(Activation):
    """`exp(x) / sum(exp(x))` over `axis`."""

    span: ClassVar[tuple[float, float]] = (0.0, 1.0)
    distribution: ClassVar[bool] = True

    axis: int = -1

    def __call__(self, x: Value) -> Value:
        return softmax(x, self.axis)
