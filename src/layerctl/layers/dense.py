"""A matrix product with a bias and an activation."""

from __future__ import annotations

from typing import Any, ClassVar

from pydantic import Field, PositiveInt

from layerctl.configured import ActivationField, ConstraintField, InitializerField, RegularizerField
from layerctl.layers.base import Layer
from layerctl.ops.matmul import matmul
from layerctl.ops.value import Shape, ShapeError, Value, Weight, current


class Dense(Layer):
    """`y = activation(x @ kernel + bias)` over the last dimension.

    Shapes: (batch, ..., d) → (batch, ..., units); kernel (d, units), bias (units,).
    """

    category: ClassVar[str] = "core"
    supports_masking: ClassVar[bool] = True

    units: PositiveInt = Field(description="The size of the result's last dimension.")
    activation: ActivationField = Field(None, description="Applied to the result.")
    use_bias: bool = Field(True, description="Whether a bias is added.")
    kernel_initializer: InitializerField = Field(
        "glorot_uniform", description="Fills the kernel.", validate_default=True
    )
    bias_initializer: InitializerField = Field("zeros", description="Fills the bias.", validate_default=True)
    kernel_regularizer: RegularizerField = Field(None, description="Penalty on the kernel.")
    bias_regularizer: RegularizerField = Field(None, description="Penalty on the bias.")
    activity_regularizer: RegularizerField = Field(None, description="Penalty on the result.")
    kernel_constraint: ConstraintField = Field(None, description="Applied to the kernel after each step.")
    bias_constraint: ConstraintField = Field(None, description="Applied to the bias after each step.")

    _kernel: Weight
    _bias: Weight | None = None

    def build(self, input_shape: Shape) -> None:
        if len(input_shape) < 2:
            raise ShapeError(f"Dense needs an input of at least 2 dimensions (batch first), got {len(input_shape)}")
        self._kernel = self.add_weight(
            "kernel", (input_shape[-1], self.units), self.kernel_initializer,
            regularizer=self.kernel_regularizer, constraint=self.kernel_constraint,
        )  # fmt: skip
        if self.use_bias:
            self._bias = self.add_weight(
                "bias",
                (self.units,),
                self.bias_initializer,
                regularizer=self.bias_regularizer,
                constraint=self.bias_constraint,
            )

    def call(self, inputs: Value) -> Any:
        trace = current()
        if inputs.shape[-1] != self._kernel.shape[0]:
            raise ShapeError(
                f"Dense was built for inputs whose last dimension is {self._kernel.shape[0]}, got {inputs.shape[-1]}"
            )
        y = matmul(inputs, trace.read(self._kernel))
        if self._bias is not None:
            y = y + trace.read(self._bias)
        return self.activation(y) if self.activation is not None else y
