"""Smooth activations."""

from __future__ import annotations

import math
from typing import ClassVar

from layerctl.activations.base import Activation
from layerctl.ops.elementwise import apply
from layerctl.ops.softmax import softmax
from layerctl.ops.value import Value


class Elu(Activation):
    """`x` above 0, `alpha (exp(x) - 1)` below."""

    alpha: float = 1.0

    def bounds(self) -> tuple[float, float]:
        return -self.alpha, math.inf

    def __call__(self, x: Value) -> Value:
        return apply("where", x > 0.0, x, apply("expm1", apply("min", x, 0.0)) * self.alpha)


class Celu(Activation):
    """`max(x, 0) + min(alpha (exp(x / alpha) - 1), 0)`."""

    alpha: float = 1.0

    def bounds(self) -> tuple[float, float]:
        return -self.alpha, math.inf

    def __call__(self, x: Value) -> Value:
        return apply("relu", x) + apply("expm1", apply("min", x, 0.0) / self.alpha) * self.alpha


class Selu(Activation):
    """`1.0507 elu(x, 1.6733)` (Klambauer et al. 2017)."""

    def __call__(self, x: Value) -> Value:
        below = apply("expm1", apply("min", x, 0.0)) * 1.6732632423543772
        return apply("where", x > 0.0, x, below) * 1.0507009873554805


class Softplus(Activation):
    """`log(1 + exp(x))`."""

    span: ClassVar[tuple[float, float]] = (0.0, math.inf)

    def __call__(self, x: Value) -> Value:
        return apply("softplus", x)


class Softsign(Activation):
    """`x / (1 + |x|)`."""

    span: ClassVar[tuple[float, float]] = (-1.0, 1.0)

    def __call__(self, x: Value) -> Value:
        return x / (1.0 + abs(x))


class Silu(Activation):
    """`x sigmoid(x)`."""

    aliases: ClassVar[tuple[str, ...]] = ("swish",)

    def __call__(self, x: Value) -> Value:
        return x * apply("sigmoid", x)


class Gelu(Activation):
    """`x Phi(x)`, Phi the normal distribution function; `approximate` by tanh (Hendrycks and Gimpel 2016)."""

    approximate: bool = False

    def __call__(self, x: Value) -> Value:
        if self.approximate:
            return x * 0.5 * (1.0 + apply("tanh", (x + x * x * x * 0.044715) * 0.7978845608028654))
        return x * 0.5 * (1.0 + apply("erf", x * 0.7071067811865476))


class Mish(Activation):
    """`x tanh(softplus(x))`."""

    def __call__(self, x: Value) -> Value:
        return x * apply("tanh", apply("softplus", x))


class Exponential(Activation):
    """`exp(x)`."""

    span: ClassVar[tuple[float, float]] = (0.0, math.inf)

    def __call__(self, x: Value) -> Value:
        return apply("exp", x)


class LogSigmoid(Activation):
    """`log(sigmoid(x))`."""

    span: ClassVar[tuple[float, float]] = (-math.inf, 0.0)

    def __call__(self, x: Value) -> Value:
        return apply("log_sigmoid", x)


class LogSoftmax(Activation):
    """`log(softmax(x))` over `axis`."""

    span: ClassVar[tuple[float, float]] = (-math.inf, 0.0)

    axis: int = -1

    def __call__(self, x: Value) -> Value:
        return softmax(x, self.axis, logarithm=True)


class TanhShrink(Activation):
    """`x - tanh(x)`."""

    def __call__(self, x: Value) -> Value:
        return x - apply("tanh", x)


class Squareplus(Activation):
    """`(x + sqrt(x^2 + b)) / 2`."""

    span: ClassVar[tuple[float, float]] = (0.0, math.inf)

    b: float = 4.0

    def __call__(self, x: Value) -> Value:
        return (x + apply("sqrt", x * x + self.b)) * 0.5
