"""Activations as layers of their own."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field

from layerctl.configured import ActivationField, ConstraintField, InitializerField, RegularizerField
from layerctl.layers.base import Layer
from layerctl.ops.elementwise import apply, cast
from layerctl.ops.softmax import softmax
from layerctl.ops.value import Shape, ShapeError, Value, Weight, current, shown


class Activation(Layer):
    """`activation(x)`, in x's shape.

    Shapes: (batch, ...) → the same.
    """

    category: ClassVar[str] = "activation"
    supports_masking: ClassVar[bool] = True

    activation: ActivationField = Field(description="The function: relu, tanh, softmax, ...")

    def call(self, inputs: Value) -> Value:
        return self.activation(inputs) if self.activation is not None else inputs


class ReLU(Layer):
    """`max(x, 0)`; below `threshold` `negative_slope * (x - threshold)`, above `max_value` that value.

    Shapes: (batch, ...) → the same.
    """

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
    """`exp(x) / sum(exp(x))` over `axis`; what a mask leaves out gets 0.

    Shapes: (batch, ...) → the same.
    """

    category: ClassVar[str] = "activation"
    supports_masking: ClassVar[bool] = True

    axis: int | list[int] = Field(-1, description="The dimension, or dimensions, over which results sum to 1.")

    def call(self, inputs: Value, mask: Value | None = None) -> Value:
        if mask is not None:
            if any(m not in (1, d) for m, d in zip(map(int, mask.shape[::-1]), map(int, inputs.shape[::-1]), strict=False)):
                raise ShapeError(f"Softmax: the mask {shown(mask.shape)} does not broadcast against {shown(inputs.shape)}")
            mask = cast(mask, "bool")
            inputs = apply("where", mask, inputs, -1e9)
        y = softmax(inputs, self.axis if isinstance(self.axis, int) else tuple(self.axis))
        return y if mask is None else apply("where", mask, y, 0.0)


class LeakyReLU(Layer):
    """`x` where it is positive, else `negative_slope * x`.

    Shapes: (batch, ...) → the same.
    """

    category: ClassVar[str] = "activation"
    supports_masking: ClassVar[bool] = True

    negative_slope: float = Field(0.3, ge=0, description="The slope below 0.")

    def call(self, inputs: Value) -> Value:
        return apply("where", inputs >= 0.0, inputs, inputs * self.negative_slope)


class ELU(Layer):
    """`x` where it is positive, else `alpha * (exp(x) - 1)`. Clevert et al. 2015.

    Shapes: (batch, ...) → the same.
    """

    category: ClassVar[str] = "activation"
    supports_masking: ClassVar[bool] = True

    alpha: float = Field(1.0, description="The depth far below 0.")

    def call(self, inputs: Value) -> Value:
        from layerctl.catalogue import catalogue

        return catalogue("activations").get("elu")(alpha=self.alpha)(inputs)


class PReLU(Layer):
    """`x` where it is positive, else `alpha * x`, alpha learned. He et al. 2015.

    Shapes: as the input; alpha has a row's shape, with 1 along `shared_axes`.
    """

    category: ClassVar[str] = "activation"
    supports_masking: ClassVar[bool] = True

    alpha_initializer: InitializerField = Field("zeros", description="Fills alpha.", validate_default=True)
    alpha_regularizer: RegularizerField = Field(None, description="Penalty on alpha.")
    alpha_constraint: ConstraintField = Field(None, description="Applied to alpha after each step.")
    shared_axes: int | list[int] | None = Field(None, description="Dimensions, counted with the batch as 0, along which alpha is shared.")

    _alpha: Weight

    def build(self, input_shape: Shape) -> None:
        shared = [self.shared_axes] if isinstance(self.shared_axes, int) else self.shared_axes or []
        for a in shared:
            if not 1 <= a < len(input_shape):
                raise ShapeError(f"PReLU: the shared axis {a} must be from 1 to {len(input_shape) - 1} for {shown(input_shape)}")
        shape = tuple(1 if i in shared else d for i, d in enumerate(input_shape))[1:]
        self._alpha = self.add_weight("alpha", shape, self.alpha_initializer, regularizer=self.alpha_regularizer,
                                      constraint=self.alpha_constraint)  # fmt: skip

    def call(self, inputs: Value) -> Value:
        return apply("relu", inputs) - current().read(self._alpha) * apply("relu", -inputs)
