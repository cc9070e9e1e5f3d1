"""Maximum and average over all of space."""

from __future__ import annotations

from typing import Any, ClassVar

from pydantic import Field

from layerctl.layers._arguments import DataFormat
from layerctl.layers.base import Layer
from layerctl.ops.elementwise import cast
from layerctl.ops.reduce import mean, reduce
from layerctl.ops.reshape import expand_dims
from layerctl.ops.value import ShapeError, Value, shown


class _Global(Layer):
    category: ClassVar[str] = "pooling"
    dimensions: ClassVar[int]
    function: ClassVar[str]

    data_format: DataFormat = Field(None, description="Where the channels stand; last if not given.")
    keepdims: bool = Field(False, description="Whether the pooled dimensions stay, with size 1.")

    def _axes(self, inputs: Value) -> tuple[int, ...]:
        n = self.dimensions
        if inputs.rank != n + 2:
            raise ShapeError(f"{type(self).__name__} needs an input of {n + 2} dimensions, got {shown(inputs.shape)}")
        return tuple(range(2, n + 2)) if self.data_format == "channels_first" else tuple(range(1, n + 1))

    def call(self, inputs: Value) -> Value:
        axes = self._axes(inputs)
        return reduce("max", inputs, axes, self.keepdims) if self.function == "max" else mean(inputs, axes, self.keepdims)


class GlobalAveragePooling1D(_Global):
    """The mean over time; steps that a mask leaves out do not count. Shapes: (batch, length, channels) → (batch, channels)."""

    aliases: ClassVar[tuple[str, ...]] = ("GlobalAvgPool1D",)
    supports_masking: ClassVar[bool] = True
    dimensions: ClassVar[int] = 1
    function: ClassVar[str] = "average"

    def call(self, inputs: Value, mask: Value | None = None) -> Value:
        (axis,) = self._axes(inputs)
        if mask is None:
            return mean(inputs, axis, self.keepdims)
        kept = expand_dims(cast(mask, inputs.dtype), 2 if axis == 1 else 1)
        return reduce("sum", inputs * kept, axis, self.keepdims) / reduce("sum", kept, axis, self.keepdims)

    def compute_mask(self, inputs: Any, mask: Any) -> Any:
        return None


class GlobalAveragePooling2D(_Global):
    """The mean over height and width. Shapes: (batch, height, width, channels) → (batch, channels)."""

    aliases: ClassVar[tuple[str, ...]] = ("GlobalAvgPool2D",)
    dimensions: ClassVar[int] = 2
    function: ClassVar[str] = "average"


class GlobalAveragePooling3D(_Global):
    """The mean over depth, height and width. Shapes: (batch, depth, height, width, channels) → (batch, channels)."""

    aliases: ClassVar[tuple[str, ...]] = ("GlobalAvgPool3D",)
    dimensions: ClassVar[int] = 3
    function: ClassVar[str] = "average"


class GlobalMaxPooling1D(_Global):
    """The largest value over time. Shapes: (batch, length, channels) → (batch, channels)."""

    aliases: ClassVar[tuple[str, ...]] = ("GlobalMaxPool1D",)
    dimensions: ClassVar[int] = 1
    function: ClassVar[str] = "max"


class GlobalMaxPooling2D(_Global):
    """The largest value over height and width. Shapes: (batch, height, width, channels) → (batch, channels)."""

    aliases: ClassVar[tuple[str, ...]] = ("GlobalMaxPool2D",)
    dimensions: ClassVar[int] = 2
    function: ClassVar[str] = "max"


class GlobalMaxPooling3D(_Global):
    """The largest value over depth, height and width. Shapes: (batch, depth, height, width, channels) → (batch, channels)."""

    aliases: ClassVar[tuple[str, ...]] = ("GlobalMaxPool3D",)
    dimensions: ClassVar[int] = 3
    function: ClassVar[str] = "max"
