"""Argument forms that many layers share: a size as one number or one for each dimension, and the like."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

from pydantic import BeforeValidator, Field, model_validator

from layerctl.layers.base import Layer
from layerctl.ops.transpose import move_axis
from layerctl.ops.value import Shape, ShapeError, Value, shown


def _sizes(n: int, least: int = 1) -> Any:
    def convert(value: Any) -> Any:
        if isinstance(value, bool) or not isinstance(value, (int, list, tuple)):
            raise ValueError(f"expected a whole number{f' or a list of {n}' if n > 1 else ''}, got {value!r}")
        values = [value] * n if isinstance(value, int) else list(value)
        if len(values) != n:
            raise ValueError(f"expected {n} number{'s' if n > 1 else ''}, one for each dimension, got {len(values)}")
        for v in values:
            if isinstance(v, bool) or not isinstance(v, int) or v < least:
                raise ValueError(f"expected whole numbers of at least {least}, got {v!r}")
        return tuple(values)

    return convert


def sizes(n: int, least: int = 1) -> Any:
    """The annotation of a field that holds a size for each of n dimensions: one number stands for all."""
    return Annotated[tuple[int, ...], BeforeValidator(_sizes(n, least))]


DataFormat = Literal["channels_last", "channels_first"] | None
"""Where the channels stand; last if not given."""

KERNEL = Field(description="The window's size: one number, or one for each dimension.")
STRIDES = "Steps between windows."
DILATION = "Steps between the window's places."


class SpatialFields(Layer):
    """What layers over space have: its number of dimensions, and where the channels stand."""

    dimensions: ClassVar[int]

    data_format: DataFormat = Field(None, description="Where the channels stand; last if not given.")

    def channels_of(self, shape: Shape) -> int:
        """The channels of an input's shape.

        Raises:
            ShapeError: if it has another number of dimensions.
        """
        n = self.dimensions
        if len(shape) != n + 2:
            raise ShapeError(
                f"{type(self).__name__} needs an input of {n + 2} dimensions (batch, {n} of space, channels), got {shown(shape)}"
            )
        return shape[1 if self.data_format == "channels_first" else -1]

    def channels_last(self, x: Value) -> Value:
        """x with its channels last."""
        self.channels_of(x.shape)
        return move_axis(x, 1, -1) if self.data_format == "channels_first" else x

    def restored(self, y: Value) -> Value:
        """y, whose channels are last, with them where the file wants them."""
        return move_axis(y, -1, 1) if self.data_format == "channels_first" else y


class WindowFields(SpatialFields):
    """What layers with a window that moves over space have."""

    category: ClassVar[str] = "convolution"

    kernel_size: sizes(1)
    strides: sizes(1) = (1,)
    padding: Literal["valid", "same"] = Field("valid", description="valid: no padding; same: the result has ceil(n / stride) places.")
    dilation_rate: sizes(1) = (1,)

    @model_validator(mode="after")
    def _one_step(self) -> WindowFields:
        if max(self.strides) > 1 and max(self.dilation_rate) > 1:
            raise ValueError("strides above 1 cannot go with a dilation_rate above 1")
        return self
