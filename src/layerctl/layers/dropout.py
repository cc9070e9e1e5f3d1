"""Regularisation by noise: absent in evaluation and prediction."""

from __future__ import annotations

from typing import Annotated, ClassVar

from pydantic import Field

from layerctl.configured import Usual
from layerctl.layers.base import Layer, training
from layerctl.ops.elementwise import apply, cast
from layerctl.ops.random import random_uniform
from layerctl.ops.value import ShapeError, Value, shown

Dropped = Annotated[
    float, Field(ge=0, le=1),
    Usual(lt=1, then="all is dropped, and in training what follows sees zeros alone", cure="give it the share that is dropped, such as 0.2"),
]  # fmt: skip


class Dropout(Layer):
    """In training each element is 0 with probability `rate`, else `x / (1 - rate)`; otherwise x.

    The mask depends on the seed, the layer, the step and the row of the data, not on the row's place in the batch.
    Shapes: (batch, ...) → the same.
    """

    category: ClassVar[str] = "regularization"
    supports_masking: ClassVar[bool] = True

    rate: Dropped = Field(description="The probability that an element is dropped.")
    noise_shape: list[int | None] | None = Field(None, description="The mask's shape: 1 shares it along a dimension, null is the input's size.")
    seed: int | None = Field(None, description="The layer's own seed.")

    def call(self, inputs: Value) -> Value:
        if not training() or self.rate == 0.0:
            return inputs
        if self.rate == 1.0:
            return inputs * 0.0
        return drop(inputs, self.rate, self._noise(inputs), self.seed)

    def _noise(self, inputs: Value) -> tuple[int, ...]:
        if self.noise_shape is None:
            return inputs.shape
        if len(self.noise_shape) != inputs.rank:
            raise ShapeError(f"Dropout: noise_shape {self.noise_shape} does not have the rank of {shown(inputs.shape)}")
        return tuple(d if n is None else n for n, d in zip(self.noise_shape, inputs.shape, strict=True))


def drop(x: Value, rate: float, shape: tuple[int, ...], seed: int | None, purpose: str = "") -> Value:
    """x with a share `rate` of the mask of `shape` set to 0, the rest scaled up."""
    noise = random_uniform(shape, purpose, seed)
    keep = cast(apply("ge", noise, rate), x.dtype)
    return x * keep * (1.0 / (1.0 - rate))
