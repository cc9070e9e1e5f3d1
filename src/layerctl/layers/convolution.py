"""Convolutions over one, two and three dimensions."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field, PositiveInt, model_validator

from layerctl.configured import ActivationField, ConstraintField, InitializerField, RegularizerField
from layerctl.layers._arguments import DataFormat, sizes
from layerctl.layers.base import Layer
from layerctl.ops.conv import conv
from layerctl.ops.transpose import move_axis
from layerctl.ops.value import Shape, ShapeError, Value, Weight, current, shown


class _Convolution(Layer):
    category: ClassVar[str] = "convolution"
    dimensions: ClassVar[int]

    filters: PositiveInt = Field(description="The number of channels of the result.")
    kernel_size: sizes(1)
    strides: sizes(1) = (1,)
    padding: Literal["valid", "same"] = Field("valid", description="valid: no padding; same: the result has ceil(n / stride) places.")
    data_format: DataFormat = Field(None, description="Where the channels stand; last if not given.")
    dilation_rate: sizes(1) = (1,)
    groups: PositiveInt = Field(1, description="Groups of channels that are convolved apart.")
    activation: ActivationField = Field(None, description="Applied to the result.")
    use_bias: bool = Field(True, description="Whether a bias is added.")
    kernel_initializer: InitializerField = Field("glorot_uniform", description="Fills the kernel.", validate_default=True)
    bias_initializer: InitializerField = Field("zeros", description="Fills the bias.", validate_default=True)
    kernel_regularizer: RegularizerField = Field(None, description="Penalty on the kernel.")
    bias_regularizer: RegularizerField = Field(None, description="Penalty on the bias.")
    activity_regularizer: RegularizerField = Field(None, description="Penalty on the result.")
    kernel_constraint: ConstraintField = Field(None, description="Applied to the kernel after each step.")
    bias_constraint: ConstraintField = Field(None, description="Applied to the bias after each step.")

    _kernel: Weight
    _bias: Weight | None = None

    @model_validator(mode="after")
    def _whole(self) -> _Convolution:
        if max(self.strides) > 1 and max(self.dilation_rate) > 1:
            raise ValueError("strides above 1 cannot go with a dilation_rate above 1")
        if self.filters % self.groups:
            raise ValueError(f"filters ({self.filters}) must be a multiple of groups ({self.groups})")
        return self

    def _first(self) -> bool:
        return self.data_format == "channels_first"

    def build(self, input_shape: Shape) -> None:
        kind, n = type(self).__name__, self.dimensions
        if len(input_shape) != n + 2:
            raise ShapeError(f"{kind} needs an input of {n + 2} dimensions (batch, {n} of space, channels), got {shown(input_shape)}")
        channels = input_shape[1 if self._first() else -1]
        if channels % self.groups:
            raise ShapeError(f"{kind}: the input's {channels} channels are no multiple of groups={self.groups}")
        self._kernel = self.add_weight(
            "kernel", (*self.kernel_size, channels // self.groups, self.filters), self.kernel_initializer,
            regularizer=self.kernel_regularizer, constraint=self.kernel_constraint,
        )  # fmt: skip
        if self.use_bias:
            self._bias = self.add_weight(
                "bias", (self.filters,), self.bias_initializer, regularizer=self.bias_regularizer, constraint=self.bias_constraint
            )

    def call(self, inputs: Value) -> Value:
        trace = current()
        x = move_axis(inputs, 1, -1) if self._first() else inputs
        y = conv(x, trace.read(self._kernel), self.strides, self.padding, self.dilation_rate, self.groups)
        if self._bias is not None:
            y = y + trace.read(self._bias)
        if self._first():
            y = move_axis(y, -1, 1)
        return self.activation(y) if self.activation is not None else y


_KERNEL = Field(description="The window's size: one number, or one for each dimension.")
_STRIDES = Field((1,), description="Steps between windows.")
_DILATION = Field((1,), description="Steps between the window's places.")


class Conv1D(_Convolution):
    """`y[i] = activation(sum(x[i * strides + k * dilation_rate] @ kernel[k]) + bias)`.

    Shapes: (batch, length, channels) → (batch, new length, filters); kernel (k, channels / groups, filters).
    """

    aliases: ClassVar[tuple[str, ...]] = ("Convolution1D",)
    dimensions: ClassVar[int] = 1

    kernel_size: sizes(1) = _KERNEL
    strides: sizes(1) = _STRIDES
    padding: Literal["valid", "same", "causal"] = Field("valid", description="As for Conv2D; causal: nothing is seen of what comes later.")
    dilation_rate: sizes(1) = _DILATION


class Conv2D(_Convolution):
    """The convolution of images with a learned kernel, a bias and an activation.

    Shapes: (batch, height, width, channels) → (batch, new height, new width, filters); kernel (kh, kw, channels / groups, filters).
    """

    aliases: ClassVar[tuple[str, ...]] = ("Convolution2D",)
    dimensions: ClassVar[int] = 2

    kernel_size: sizes(2) = _KERNEL
    strides: sizes(2) = Field((1, 1), description="Steps between windows.")
    dilation_rate: sizes(2) = Field((1, 1), description="Steps between the window's places.")


class Conv3D(_Convolution):
    """The convolution of volumes with a learned kernel, a bias and an activation.

    Shapes: (batch, depth, height, width, channels) → (batch, ..., filters); kernel (kd, kh, kw, channels / groups, filters).
    """

    aliases: ClassVar[tuple[str, ...]] = ("Convolution3D",)
    dimensions: ClassVar[int] = 3

    kernel_size: sizes(3) = _KERNEL
    strides: sizes(3) = Field((1, 1, 1), description="Steps between windows.")
    dilation_rate: sizes(3) = Field((1, 1, 1), description="Steps between the window's places.")
