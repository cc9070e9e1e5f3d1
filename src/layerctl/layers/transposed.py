"""Transposed convolutions: the gradient of a convolution as a layer, which makes space larger."""

from __future__ import annotations

from typing import Any, ClassVar

from pydantic import Field, PositiveInt, field_validator, model_validator

from layerctl.layers._arguments import DILATION, KERNEL, STRIDES, WindowFields, _sizes, sizes
from layerctl.layers._weighted import KernelFields
from layerctl.ops.conv import conv_transpose
from layerctl.ops.value import Shape, Value, current


class _Transposed(WindowFields, KernelFields):
    filters: PositiveInt = Field(description="The number of channels of the result.")
    output_padding: Any = Field(None, description="Places added to the result's end, fewer than strides; chosen by `padding` if not given.")

    @field_validator("output_padding")
    @classmethod
    def _paddings(cls, value: Any) -> Any:
        return None if value is None else _sizes(cls.dimensions, 0)(value)

    @model_validator(mode="after")
    def _less(self) -> _Transposed:
        for p, s in zip(self.output_padding or (), self.strides, strict=False):
            if p >= s:
                raise ValueError(f"output_padding ({p}) must be less than strides ({s})")
        return self

    def build(self, input_shape: Shape) -> None:
        self.add_kernel((*self.kernel_size, self.filters, self.channels_of(input_shape)))
        self.add_bias((self.filters,))

    def call(self, inputs: Value) -> Any:
        kernel = current().read(self._kernel)
        y = conv_transpose(self.channels_last(inputs), kernel, self.strides, self.padding, self.dilation_rate, self.output_padding)
        return self.activated(self.restored(self.biased(y)))


class Conv1DTranspose(_Transposed):
    """`y[i * strides + k] += x[i] @ kernel[k].T`, then the bias and the activation.

    Shapes: (batch, length, channels) → (batch, longer, filters); kernel (k, filters, channels).
    """

    aliases: ClassVar[tuple[str, ...]] = ("Convolution1DTranspose",)
    dimensions: ClassVar[int] = 1

    kernel_size: sizes(1) = KERNEL
    strides: sizes(1) = Field((1,), description=STRIDES)
    dilation_rate: sizes(1) = Field((1,), description=DILATION)


class Conv2DTranspose(_Transposed):
    """`y[i * strides + k, j * strides + l] += x[i, j] @ kernel[k, l].T`, then the bias and the activation.

    Shapes: (batch, height, width, channels) → (batch, taller, wider, filters); kernel (kh, kw, filters, channels).
    """

    aliases: ClassVar[tuple[str, ...]] = ("Convolution2DTranspose",)
    dimensions: ClassVar[int] = 2

    kernel_size: sizes(2) = KERNEL
    strides: sizes(2) = Field((1, 1), description=STRIDES)
    dilation_rate: sizes(2) = Field((1, 1), description=DILATION)


class Conv3DTranspose(_Transposed):
    """`y[h * strides + k, ...] += x[h, i, j] @ kernel[k, l, m].T`, then the bias and the activation.

    Shapes: (batch, depth, height, width, channels) → (batch, ..., filters); kernel (kd, kh, kw, filters, channels).
    """

    aliases: ClassVar[tuple[str, ...]] = ("Convolution3DTranspose",)
    dimensions: ClassVar[int] = 3

    kernel_size: sizes(3) = KERNEL
    strides: sizes(3) = Field((1, 1, 1), description=STRIDES)
    dilation_rate: sizes(3) = Field((1, 1, 1), description=DILATION)
