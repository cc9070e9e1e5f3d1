"""Maximum and average over windows."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

from pydantic import Field, field_validator

from layerctl.layers._arguments import DataFormat, sizes
from layerctl.layers.base import Layer
from layerctl.ops.pool import pool
from layerctl.ops.transpose import move_axis
from layerctl.ops.value import ShapeError, Value, shown


class _Pooling(Layer):
    category: ClassVar[str] = "pooling"
    dimensions: ClassVar[int]
    function: ClassVar[str]

    pool_size: sizes(1)
    strides: Any = Field(None, description="Steps between windows; the window's size if not given.")
    padding: Literal["valid", "same"] = Field("valid", description="valid: whole windows only; same: windows may reach beyond the edge.")
    data_format: DataFormat = Field(None, description="Where the channels stand; last if not given.")

    @field_validator("strides")
    @classmethod
    def _steps(cls, value: Any) -> Any:
        from layerctl.layers._arguments import _sizes

        return None if value is None else _sizes(cls.dimensions)(value)

    def call(self, inputs: Value) -> Value:
        n = self.dimensions
        if inputs.rank != n + 2:
            raise ShapeError(f"{type(self).__name__} needs an input of {n + 2} dimensions, got {shown(inputs.shape)}")
        first = self.data_format == "channels_first"
        x = move_axis(inputs, 1, -1) if first else inputs
        y = pool(x, self.function, self.pool_size, self.strides or self.pool_size, self.padding)
        return move_axis(y, -1, 1) if first else y


_SIZE = "The window's size: one number, or one for each dimension."


class MaxPooling1D(_Pooling):
    """The largest value of each window. Shapes: (batch, length, channels) → (batch, new length, channels)."""

    aliases: ClassVar[tuple[str, ...]] = ("MaxPool1D",)
    dimensions: ClassVar[int] = 1
    function: ClassVar[str] = "max"

    pool_size: sizes(1) = Field((2,), description=_SIZE)


class MaxPooling2D(_Pooling):
    """The largest value of each window. Shapes: (batch, height, width, channels) → (batch, new height, new width, channels)."""

    aliases: ClassVar[tuple[str, ...]] = ("MaxPool2D",)
    dimensions: ClassVar[int] = 2
    function: ClassVar[str] = "max"

    pool_size: sizes(2) = Field((2, 2), description=_SIZE)


class MaxPooling3D(_Pooling):
    """The largest value of each window. Shapes: (batch, depth, height, width, channels) → (batch, ..., channels)."""

    aliases: ClassVar[tuple[str, ...]] = ("MaxPool3D",)
    dimensions: ClassVar[int] = 3
    function: ClassVar[str] = "max"

    pool_size: sizes(3) = Field((2, 2, 2), description=_SIZE)


class AveragePooling1D(_Pooling):
    """The mean of each window's values; padding does not count. Shapes as for MaxPooling1D."""

    aliases: ClassVar[tuple[str, ...]] = ("AvgPool1D",)
    dimensions: ClassVar[int] = 1
    function: ClassVar[str] = "average"

    pool_size: sizes(1) = Field(description=_SIZE)


class AveragePooling2D(_Pooling):
    """The mean of each window's values; padding does not count. Shapes as for MaxPooling2D."""

    aliases: ClassVar[tuple[str, ...]] = ("AvgPool2D",)
    dimensions: ClassVar[int] = 2
    function: ClassVar[str] = "average"

    pool_size: sizes(2) = Field(description=_SIZE)


class AveragePooling3D(_Pooling):
    """The mean of each window's values; padding does not count. Shapes as for MaxPooling3D."""

    aliases: ClassVar[tuple[str, ...]] = ("AvgPool3D",)
    dimensions: ClassVar[int] = 3
    function: ClassVar[str] = "average"

    pool_size: sizes(3) = Field(description=_SIZE)
