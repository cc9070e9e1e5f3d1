"""Regularisation by noise of other kinds than dropped elements, and by a penalty on results."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field

from layerctl.layers._arguments import DataFormat
from layerctl.layers.base import Layer, training
from layerctl.layers.dropout import Dropout, drop
from layerctl.ops.elementwise import apply, cast
from layerctl.ops.random import random_normal, random_uniform
from layerctl.ops.reduce import reduce
from layerctl.ops.value import ShapeError, Value, current, shown

_ALPHA = -1.7580993408473766
"""The value to which selu tends far below 0: minus its scale times its alpha (Klambauer et al. 2017)."""


class GaussianNoise(Layer):
    """In training `x + stddev * n`, n a standard normal number for each element; otherwise x.

    Shapes: (batch, ...) → the same.
    """

    category: ClassVar[str] = "regularization"
    supports_masking: ClassVar[bool] = True

    stddev: float = Field(ge=0, description="The noise's standard deviation.")
    seed: int | None = Field(None, description="The layer's own seed.")

    def call(self, inputs: Value) -> Value:
        if not training() or self.stddev == 0.0:
            return inputs
        return inputs + cast(random_normal(inputs.shape, seed=self.seed), inputs.dtype) * self.stddev


class GaussianDropout(Layer):
    """In training `x * (1 + sqrt(rate / (1 - rate)) * n)`, n a standard normal number for each element; otherwise x. Srivastava et al. 2014.

    Shapes: (batch, ...) → the same.
    """

    category: ClassVar[str] = "regularization"
    supports_masking: ClassVar[bool] = True

    rate: float = Field(ge=0, lt=1, description="The share that a dropout of the same strength would drop.")
    seed: int | None = Field(None, description="The layer's own seed.")

    def call(self, inputs: Value) -> Value:
        if not training() or self.rate == 0.0:
            return inputs
        spread = (self.rate / (1.0 - self.rate)) ** 0.5
        return inputs * (1.0 + cast(random_normal(inputs.shape, seed=self.seed), inputs.dtype) * spread)


class AlphaDropout(Dropout):
    """In training each element is selu's least value with probability `rate`, then all are scaled so that mean and variance stay.

    Klambauer et al. 2017. Shapes: (batch, ...) → the same.
    """

    rate: float = Field(ge=0, lt=1, description="The probability that an element is dropped.")

    def call(self, inputs: Value) -> Value:
        if not training() or self.rate == 0.0:
            return inputs
        keep = cast(apply("ge", random_uniform(self._noise(inputs), seed=self.seed), self.rate), inputs.dtype)
        a = ((1 - self.rate) * (1 + self.rate * _ALPHA**2)) ** -0.5
        return (inputs * keep + (1.0 - keep) * _ALPHA) * a - a * _ALPHA * self.rate


class _Spatial(Layer):
    category: ClassVar[str] = "regularization"
    supports_masking: ClassVar[bool] = True
    dimensions: ClassVar[int]

    rate: float = Field(ge=0, lt=1, description="The probability that a channel is dropped.")
    seed: int | None = Field(None, description="The layer's own seed.")

    def call(self, inputs: Value) -> Value:
        if inputs.rank != self.dimensions + 2:
            raise ShapeError(f"{type(self).__name__} needs an input of {self.dimensions + 2} dimensions, got {shown(inputs.shape)}")
        if not training() or self.rate == 0.0:
            return inputs
        first = getattr(self, "data_format", None) == "channels_first"
        shape = tuple(d if i == 0 or i == (1 if first else inputs.rank - 1) else 1 for i, d in enumerate(inputs.shape))
        return drop(inputs, self.rate, shape, self.seed)


class SpatialDropout1D(_Spatial):
    """In training each channel is 0 over all of time with probability `rate`, else `x / (1 - rate)`; otherwise x. Tompson et al. 2014.

    Shapes: (batch, steps, channels) → the same.
    """

    dimensions: ClassVar[int] = 1


class SpatialDropout2D(_Spatial):
    """In training each channel is 0 over the whole image with probability `rate`, else `x / (1 - rate)`; otherwise x. Tompson et al. 2014.

    Shapes: (batch, height, width, channels) → the same.
    """

    dimensions: ClassVar[int] = 2

    data_format: DataFormat = Field(None, description="Where the channels stand; last if not given.")


class SpatialDropout3D(_Spatial):
    """In training each channel is 0 over the whole volume with probability `rate`, else `x / (1 - rate)`; otherwise x. Tompson et al. 2014.

    Shapes: (batch, depth, height, width, channels) → the same.
    """

    dimensions: ClassVar[int] = 3

    data_format: DataFormat = Field(None, description="Where the channels stand; last if not given.")


class ActivityRegularization(Layer):
    """x, whose penalty `(l1 * sum(|x|) + l2 * sum(x ** 2)) / batch` is added to the loss.

    Shapes: (batch, ...) → the same.
    """

    category: ClassVar[str] = "regularization"
    supports_masking: ClassVar[bool] = True

    l1: float = Field(0.0, ge=0, description="The factor of absolute values.")
    l2: float = Field(0.0, ge=0, description="The factor of squares.")

    def call(self, inputs: Value) -> Value:
        penalty = reduce("sumabs", inputs) * self.l1 + reduce("sumsq", inputs) * self.l2
        current().losses.append(penalty / float(int(inputs.shape[0])))
        return inputs
