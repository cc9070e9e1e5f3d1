"""Convolutions of each channel by itself, and these followed by a product over the channels."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

from pydantic import Field, PositiveInt

from layerctl.configured import ConstraintField, InitializerField, RegularizerField
from layerctl.layers._arguments import DILATION, KERNEL, STRIDES, WindowFields, sizes
from layerctl.layers._weighted import BiasFields
from layerctl.ops.conv import conv
from layerctl.ops.reshape import reshape
from layerctl.ops.value import Shape, Value, Weight, current


class _Depthwise(WindowFields, BiasFields):
    depth_multiplier: PositiveInt = Field(1, description="Results of each channel.")
    depthwise_initializer: InitializerField = Field("glorot_uniform", description="Fills the depthwise kernel.", validate_default=True)
    depthwise_regularizer: RegularizerField = Field(None, description="Penalty on the depthwise kernel.")
    depthwise_constraint: ConstraintField = Field(None, description="Applied to the depthwise kernel after each step.")

    _depthwise: Weight
    depthwise_name: ClassVar[str] = "kernel"

    def add_depthwise(self, input_shape: Shape) -> int:
        """Declares the depthwise kernel; the number of its channels."""
        channels = self.channels_of(input_shape)
        self._depthwise = self.add_weight(
            self.depthwise_name, (*self.kernel_size, channels, self.depth_multiplier), self.depthwise_initializer,
            regularizer=self.depthwise_regularizer, constraint=self.depthwise_constraint,
        )  # fmt: skip
        return channels * self.depth_multiplier

    def depthwise(self, x: Value) -> Value:
        """The convolution of each channel of x, channels last, with its own kernels."""
        *size, channels, multiplier = self._depthwise.shape
        kernel = reshape(current().read(self._depthwise), (*size, 1, channels * multiplier))
        return conv(x, kernel, self.strides, self.padding, self.dilation_rate, channels)

    def build(self, input_shape: Shape) -> None:
        self.add_bias((self.add_depthwise(input_shape),))

    def call(self, inputs: Value) -> Any:
        return self.activated(self.restored(self.biased(self.depthwise(self.channels_last(inputs)))))


class _Separable(_Depthwise):
    depthwise_name: ClassVar[str] = "depthwise_kernel"

    filters: PositiveInt = Field(description="The number of channels of the result.")
    pointwise_initializer: InitializerField = Field("glorot_uniform", description="Fills the pointwise kernel.", validate_default=True)
    pointwise_regularizer: RegularizerField = Field(None, description="Penalty on the pointwise kernel.")
    pointwise_constraint: ConstraintField = Field(None, description="Applied to the pointwise kernel after each step.")

    _pointwise: Weight

    def build(self, input_shape: Shape) -> None:
        width = self.add_depthwise(input_shape)
        self._pointwise = self.add_weight(
            "pointwise_kernel", (*[1] * self.dimensions, width, self.filters), self.pointwise_initializer,
            regularizer=self.pointwise_regularizer, constraint=self.pointwise_constraint,
        )  # fmt: skip
        self.add_bias((self.filters,))

    def call(self, inputs: Value) -> Any:
        x = self.depthwise(self.channels_last(inputs))
        y = conv(x, current().read(self._pointwise), (1,) * self.dimensions)
        return self.activated(self.restored(self.biased(y)))


_CAUSAL = "As for Conv2D; causal: nothing is seen of what comes later."


class DepthwiseConv1D(_Depthwise):
    """`y[i, c, m] = activation(sum(x[i * strides + k, c] * kernel[k, c, m]) + bias)`: each channel by itself.

    Shapes: (batch, length, channels) → (batch, new length, channels * depth_multiplier); kernel (k, channels, depth_multiplier).
    """

    dimensions: ClassVar[int] = 1

    kernel_size: sizes(1) = KERNEL
    strides: sizes(1) = Field((1,), description=STRIDES)
    padding: Literal["valid", "same", "causal"] = Field("valid", description=_CAUSAL)
    dilation_rate: sizes(1) = Field((1,), description=DILATION)


class DepthwiseConv2D(_Depthwise):
    """`y[i, j, c, m] = activation(sum(x[i * strides + k, j * strides + l, c] * kernel[k, l, c, m]) + bias)`: each channel by itself.

    Shapes: (batch, height, width, channels) → (batch, ..., channels * depth_multiplier); kernel (kh, kw, channels, depth_multiplier).
    """

    dimensions: ClassVar[int] = 2

    kernel_size: sizes(2) = KERNEL
    strides: sizes(2) = Field((1, 1), description=STRIDES)
    dilation_rate: sizes(2) = Field((1, 1), description=DILATION)


class SeparableConv1D(_Separable):
    """`y = activation(depthwise(x) @ pointwise_kernel + bias)`: each channel convolved by itself, then channels mixed. Chollet 2017.

    Shapes: (batch, length, channels) → (batch, new length, filters).
    """

    aliases: ClassVar[tuple[str, ...]] = ("SeparableConvolution1D",)
    dimensions: ClassVar[int] = 1

    kernel_size: sizes(1) = KERNEL
    strides: sizes(1) = Field((1,), description=STRIDES)
    padding: Literal["valid", "same", "causal"] = Field("valid", description=_CAUSAL)
    dilation_rate: sizes(1) = Field((1,), description=DILATION)


class SeparableConv2D(_Separable):
    """`y = activation(depthwise(x) @ pointwise_kernel + bias)`: each channel convolved by itself, then channels mixed. Chollet 2017.

    Shapes: (batch, height, width, channels) → (batch, new height, new width, filters).
    """

    aliases: ClassVar[tuple[str, ...]] = ("SeparableConvolution2D",)
    dimensions: ClassVar[int] = 2

    kernel_size: sizes(2) = KERNEL
    strides: sizes(2) = Field((1, 1), description=STRIDES)
    dilation_rate: sizes(2) = Field((1, 1), description=DILATION)
