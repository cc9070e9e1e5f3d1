"""Activations as layers of their own."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field

from layerctl.configured import ActivationField
from layerctl.layers.base import Layer
from layerctl.ops.value import Value


class Activation(Layer):
    """`activation(x)`, in x's shape."""

    category: ClassVar[str] = "activation"
    supports_masking: ClassVar[bool] = True

    activation: ActivationField = Field(description="The function: relu, tanh, softmax, ...")

    def call(self, inputs: Value) -> Value:
        return self.activation(inputs) if self.activation is not None else inputs


class ReLU(Layer):
    """`max(x, 0)`; below `threshold` `negative_slope * (x - threshold)`, above `max_value` that value."""

    category: ClassVar[str] = "activation"
    supports_masking: ClassVar[bool] = True

    max_value: float | None = Field(None, ge=0, description="The largest result.")
    negative_slope: float = Field(0.0, ge=0, description="The slope below the threshold.")
    threshold: float = Field(0.0, ge=0, description="Where the slope changes.")

    def call(self, inputs: Value) -> Value:
        from layerctl.activations.relu import Relu

        made = Relu(max_value=self.max_value, negative_slope=self.negative_slope, threshold=self.threshold)
        return made(inputs)


class Softmax(Layer):
    """`exp(x) / sum(exp(x))` over `axis`."""

    category: ClassVar[str] = "activation"
    supports_masking: ClassVar[bool] = True

    axis: int | list[int] = Field(-1, description="The dimension, or dimensions, over which results sum to 1.")

    def call(self, inputs: Value) -> Value:
        from layerctl.ops.softmax import softmax

        return softmax(inputs, self.axis if isinstance(self.axis, int) else tuple(self.axis))
