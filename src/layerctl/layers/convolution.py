"""Convolutions over one, two and three dimensions."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field, PositiveInt, model_validator

from layerctl.layers._arguments import DILATION, KERNEL, STRIDES, WindowFields, sizes
from layerctl.layers._weighted import KernelFields
from layerctl.ops.conv import conv
from layerctl.ops.value import Shape, ShapeError, Value, current


class _Convolution(WindowFields, KernelFields):
    filters: PositiveInt = Field(description="The number of channels of the result.")
    groups: PositiveInt = Field(1, description="Groups of channels that are convolved apart.")

    @model_validator(mode="after")
    def _whole(self) -> _Convolution:
        if self.filters % self.groups:
            raise ValueError(f"filters ({self.filters}) must be a multiple of groups ({self.groups})")
        return self

    def build(self, input_shape: Shape) -> None:
        channels = self.channels_of(input_shape)
        if channels % self.groups:
            raise ShapeError(f"{type(self).__name__}: the input's {channels} channels are no multiple of groups={self.groups}")
        self.add_kernel((*self.kernel_size, channels // self.groups, self.filters))
        self.add_bias((self.filters,))

    def call(self, inputs: Value) -> Value:
        kernel = current().read(self._kernel)
        y = conv(self.channels_last(inputs), kernel, self.strides, self.padding, self.dilation_rate, self.groups)
        return self.activated(self.restored(self.biased(y)))


class Conv1D(_Convolution):
    """`y[i] = activation(sum(x[i * strides + k * dilation_rate] @ kernel[k]) + bias)`.

    Shapes: (batch, length, channels) → (batch, new length, filters); kernel (k, channels / groups, filters).
    """

    aliases: ClassVar[tuple[str, ...]] = ("Convolution1D",)
    dimensions: ClassVar[int] = 1

    kernel_size: sizes(1) = KERNEL
    strides: sizes(1) = Field((1,), description=STRIDES)
    padding: Literal["valid", "same", "causal"] = Field("valid", description="As for Conv2D; causal: nothing is seen of what comes later.")
    dilation_rate: sizes(1) = Field((1,), description=DILATION)


class Conv2D(_Convolution):
    """`y[i, j] = activation(sum(x[i * strides + k, j * strides + l] @ kernel[k, l]) + bias)`.

    Shapes: (batch, height, width, channels) → (batch, new height, new width, filters); kernel (kh, kw, channels / groups, filters).
    """

    aliases: ClassVar[tuple[str, ...]] = ("Convolution2D",)
    dimensions: ClassVar[int] = 2

    kernel_size: sizes(2) = KERNEL
    strides: sizes(2) = Field((1, 1), description=STRIDES)
    dilation_rate: sizes(2) = Field((1, 1), description=DILATION)


class Conv3D(_Convolution):
    """`y[h, i, j] = activation(sum(x[h * strides + k, ...] @ kernel[k, l, m]) + bias)`.

    Shapes: (batch, depth, height, width, channels) → (batch, ..., filters); kernel (kd, kh, kw, channels / groups, filters).
    """

    aliases: ClassVar[tuple[str, ...]] = ("Convolution3D",)
    dimensions: ClassVar[int] = 3

    kernel_size: sizes(3) = KERNEL
    strides: sizes(3) = Field((1, 1, 1), description=STRIDES)
    dilation_rate: sizes(3) = Field((1, 1, 1), description=DILATION)
