"""Steps, images and volumes made larger by whole factors."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field, PositiveInt

from layerctl.layers._arguments import DataFormat, sizes
from layerctl.layers._images import spatial
from layerctl.layers.base import Layer
from layerctl.ops.elementwise import FLOATING, cast
from layerctl.ops.resample import repeat, resize
from layerctl.ops.value import ShapeError, Value, shown


class _UpSampling(Layer):
    category: ClassVar[str] = "reshaping"
    dimensions: ClassVar[int]

    def call(self, inputs: Value) -> Value:
        n = self.dimensions
        if inputs.rank != n + 2:
            raise ShapeError(f"{type(self).__name__} needs an input of {n + 2} dimensions, got {shown(inputs.shape)}")
        axes = spatial(getattr(self, "data_format", None), n)
        factors = (self.size,) if isinstance(self.size, int) else self.size
        way = getattr(self, "interpolation", "nearest")
        if way != "nearest":
            return resize(inputs, axes, [int(inputs.shape[a]) * f for a, f in zip(axes, factors, strict=True)], way)
        y = inputs if inputs.dtype in FLOATING else cast(inputs, "f64")
        for axis, factor in zip(axes, factors, strict=True):
            y = repeat(y, axis, factor)
        return cast(y, inputs.dtype)


class UpSampling1D(_UpSampling):
    """Each step `size` times over. Shapes: (batch, length, channels) → (batch, size * length, channels)."""

    dimensions: ClassVar[int] = 1

    size: PositiveInt = Field(2, description="How often each step is repeated.")


class UpSampling2D(_UpSampling):
    """Images of `size` times the height and width. Shapes: (batch, height, width, channels) → (batch, size * height, size * width, channels).

    `nearest` repeats rows and columns; the others interpolate as Resizing does.
    """

    dimensions: ClassVar[int] = 2

    size: sizes(2) = Field((2, 2), description="The factors of height and width; one number is both.")
    data_format: DataFormat = Field(None, description="Where the channels stand; last if not given.")
    interpolation: Literal["nearest", "bilinear", "bicubic", "lanczos3", "lanczos5"] = Field("nearest", description="What stands between.")


class UpSampling3D(_UpSampling):
    """Volumes with each place repeated along three dimensions. Shapes: (batch, depth, height, width, channels) → (batch, ..., channels)."""

    dimensions: ClassVar[int] = 3

    size: sizes(3) = Field((2, 2, 2), description="The factors of the three dimensions; one number is all of them.")
    data_format: DataFormat = Field(None, description="Where the channels stand; last if not given.")
