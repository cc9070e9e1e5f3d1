"""Images of another size, and values of another range."""

from __future__ import annotations

import math
from typing import Any, ClassVar, Literal

from pydantic import Field, PositiveInt, field_validator, model_validator

from layerctl.layers._arguments import DataFormat
from layerctl.layers._images import check_image, spatial, window
from layerctl.layers.base import Layer
from layerctl.ops.elementwise import FLOATING, cast
from layerctl.ops.leaves import constant
from layerctl.ops.resample import aspect_crop, resize
from layerctl.ops.slicing import pad
from layerctl.ops.value import ShapeError, Value, shown


class Resizing(Layer):
    """Images of `height` and `width`, each pixel a weighted mean of those near its place in the input.

    Shapes: (batch, h, w, channels) → (batch, height, width, channels). Filters: triangle (bilinear), Keys's cubic (bicubic), Lanczos's
    windowed sinc of radius 3 or 5; weights are normalised at the edges.
    """

    category: ClassVar[str] = "preprocessing"

    height: PositiveInt = Field(description="The result's height.")
    width: PositiveInt = Field(description="The result's width.")
    interpolation: Literal["bilinear", "nearest", "bicubic", "lanczos3", "lanczos5"] = Field("bilinear", description="The filter.")
    crop_to_aspect_ratio: bool = Field(False, description="Cut the largest box of the result's proportions from the middle first.")
    pad_to_aspect_ratio: bool = Field(False, description="Give the image the result's proportions by a border first.")
    fill_mode: Literal["constant"] = Field("constant", description="What the border holds.")
    fill_value: float = Field(0.0, description="The border's value.")
    antialias: bool = Field(False, description="Widen the filter where the image becomes smaller.")
    data_format: DataFormat = Field(None, description="Where the channels stand; last if not given.")

    @model_validator(mode="after")
    def _one_of_both(self) -> Resizing:
        if self.crop_to_aspect_ratio and self.pad_to_aspect_ratio:
            raise ValueError("only one of crop_to_aspect_ratio and pad_to_aspect_ratio can be true")
        return self

    def call(self, inputs: Value) -> Value:
        check_image(inputs, "Resizing")
        axes = spatial(self.data_format)
        h, w = (int(inputs.shape[a]) for a in axes)
        if self.crop_to_aspect_ratio:
            top, left, high, wide = aspect_crop(h, w, self.height, self.width)
            inputs = window(inputs, axes, (top, left), (high, wide))
        elif self.pad_to_aspect_ratio:
            inputs = self._bordered(inputs, axes, h, w)
        return resize(inputs, axes, (self.height, self.width), self.interpolation, self.antialias)

    def _bordered(self, x: Value, axes: tuple[int, ...], h: int, w: int) -> Value:
        above = (max(h, math.trunc(w * self.height / self.width)) - h) // 2
        beside = (max(w, math.trunc(h * self.width / self.height)) - w) // 2
        widths = [(0, 0)] * x.rank
        axis, border = (axes[0], above) if above > 0 else (axes[1], beside)
        widths[axis] = (border, border)
        return pad(x, widths, self.fill_value)


class CenterCrop(Layer):
    """The middle of images, `height` by `width`; smaller images are resized to that (bilinear) after a crop to its proportions.

    Shapes: (batch, h, w, channels) → (batch, height, width, channels).
    """

    category: ClassVar[str] = "preprocessing"

    height: PositiveInt = Field(description="The result's height.")
    width: PositiveInt = Field(description="The result's width.")
    data_format: DataFormat = Field(None, description="Where the channels stand; last if not given.")

    def call(self, inputs: Value) -> Value:
        check_image(inputs, "CenterCrop")
        axes, sizes = spatial(self.data_format), (self.height, self.width)
        h, w = (int(inputs.shape[a]) for a in axes)
        x = inputs if inputs.dtype in FLOATING else cast(inputs, self.compute_dtype)
        if h >= self.height and w >= self.width:
            return window(x, axes, ((h - self.height) // 2, (w - self.width) // 2), sizes)
        top, left, high, wide = aspect_crop(h, w, *sizes)
        return resize(window(x, axes, (top, left), (high, wide)), axes, sizes, "bilinear")


class Rescaling(Layer):
    """`x * scale + offset`; lists give a number for each entry of the last dimension. Shapes: (batch, ...) → the same."""

    category: ClassVar[str] = "preprocessing"
    supports_masking: ClassVar[bool] = True

    scale: Any = Field(description="The factor, or a list of factors.")
    offset: Any = Field(0.0, description="What is added, a number or a list.")

    @field_validator("scale", "offset")
    @classmethod
    def _numbers(cls, value: Any) -> Any:
        for v in value if isinstance(value, (list, tuple)) else [value]:
            if isinstance(v, bool) or not isinstance(v, (int, float)):
                raise ValueError(f"expected a number or a list of numbers, got {value!r}")
        return value

    def call(self, inputs: Value) -> Value:
        x = cast(inputs, self.compute_dtype)
        for what, v in (("scale", self.scale), ("offset", self.offset)):
            if isinstance(v, (list, tuple)) and len(v) not in (1, x.shape[-1]):
                raise ShapeError(f"Rescaling: {what} has {len(v)} numbers, the input {shown(x.shape)} has {x.shape[-1]} in its last dimension")
        return x * self._constant(self.scale) + self._constant(self.offset)

    def _constant(self, value: Any) -> Value:
        return constant(value, self.compute_dtype)
