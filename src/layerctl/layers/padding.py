"""Edges cut off, and edges of zeros."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar

from pydantic import BeforeValidator, Field

from layerctl.layers._arguments import DataFormat
from layerctl.layers._images import spatial, window
from layerctl.layers.base import Layer
from layerctl.ops.slicing import pad
from layerctl.ops.value import ShapeError, Value, shown


def _number(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _edges(n: int) -> Any:
    """Any of Keras's forms as (before, after) for each of n dimensions: one number, a number or a pair for each dimension."""

    def convert(value: Any) -> Any:
        entries = [value] * n if _number(value) else value
        if n == 1 and isinstance(value, (list, tuple)) and len(value) == 2 and all(map(_number, value)):
            entries = [value]
        if not isinstance(entries, (list, tuple)) or len(entries) != n:
            wanted = "or a pair" if n == 1 else f"or a list of {n}, a number or a pair for each dimension"
            raise ValueError(f"expected a whole number of at least 0 {wanted}, got {value!r}")
        pairs = [(e, e) if _number(e) else e for e in entries]
        for pair in pairs:
            if not isinstance(pair, (list, tuple)) or len(pair) != 2 or not all(map(_number, pair)):
                raise ValueError(f"expected (before, after), two whole numbers of at least 0, got {pair!r}")
        return tuple(pairs[0]) if n == 1 else tuple((a, b) for a, b in pairs)

    return Annotated[Any, BeforeValidator(convert)]


class _Edges(Layer):
    category: ClassVar[str] = "reshaping"
    dimensions: ClassVar[int]

    def _pairs(self, inputs: Value, given: Any) -> tuple[tuple[int, int], ...]:
        if inputs.rank != self.dimensions + 2:
            raise ShapeError(f"{type(self).__name__} needs an input of {self.dimensions + 2} dimensions, got {shown(inputs.shape)}")
        return (given,) if self.dimensions == 1 else given

    def _axes(self) -> tuple[int, ...]:
        return spatial(getattr(self, "data_format", None), self.dimensions)


class _Cropping(_Edges):
    def call(self, inputs: Value) -> Value:
        pairs, axes = self._pairs(inputs, self.cropping), self._axes()
        sizes = [inputs.shape[axis] - a - b for axis, (a, b) in zip(axes, pairs, strict=True)]
        if any(int(size) < 1 for size in sizes):
            raise ShapeError(f"{type(self).__name__}: cropping {list(self.cropping)} leaves nothing of {shown(inputs.shape)}")
        return window(inputs, axes, tuple(a for a, _ in pairs), tuple(sizes))


class _ZeroPadding(_Edges):
    def call(self, inputs: Value) -> Value:
        widths = [(0, 0)] * inputs.rank
        for axis, pair in zip(self._axes(), self._pairs(inputs, self.padding), strict=True):
            widths[axis] = pair
        return pad(inputs, widths)


_CUT = "How much is cut off: one number, one for each dimension, or (before, after) for each dimension."
_ADDED = "How many zeros are added: one number, one for each dimension, or (before, after) for each dimension."
_CHANNELS = "Where the channels stand; last if not given."


class Cropping1D(_Cropping):
    """Steps cut off at both ends, `x[:, a : length - b]`. Shapes: (batch, length, channels) → (batch, length - a - b, channels)."""

    dimensions: ClassVar[int] = 1

    cropping: _edges(1) = Field((1, 1), description="How many steps are cut off: one number, or (before, after).")


class Cropping2D(_Cropping):
    """Edges of images cut off. Shapes: (batch, height, width, channels) → (batch, height - top - bottom, width - left - right, channels)."""

    dimensions: ClassVar[int] = 2

    cropping: _edges(2) = Field(((0, 0), (0, 0)), description=_CUT)
    data_format: DataFormat = Field(None, description=_CHANNELS)


class Cropping3D(_Cropping):
    """Edges of volumes cut off. Shapes: (batch, depth, height, width, channels) → (batch, ..., channels)."""

    dimensions: ClassVar[int] = 3

    cropping: _edges(3) = Field(((1, 1), (1, 1), (1, 1)), description=_CUT)
    data_format: DataFormat = Field(None, description=_CHANNELS)


class ZeroPadding1D(_ZeroPadding):
    """Zeros before and after the steps. Shapes: (batch, length, channels) → (batch, a + length + b, channels)."""

    dimensions: ClassVar[int] = 1

    padding: _edges(1) = Field((1, 1), description="How many steps of zeros are added: one number, or (before, after).")
    data_format: DataFormat = Field(None, description=_CHANNELS)


class ZeroPadding2D(_ZeroPadding):
    """Zeros around images. Shapes: (batch, height, width, channels) → (batch, top + height + bottom, left + width + right, channels)."""

    dimensions: ClassVar[int] = 2

    padding: _edges(2) = Field(((1, 1), (1, 1)), description=_ADDED)
    data_format: DataFormat = Field(None, description=_CHANNELS)


class ZeroPadding3D(_ZeroPadding):
    """Zeros around volumes. Shapes: (batch, depth, height, width, channels) → (batch, ..., channels)."""

    dimensions: ClassVar[int] = 3

    padding: _edges(3) = Field(((1, 1), (1, 1), (1, 1)), description=_ADDED)
    data_format: DataFormat = Field(None, description=_CHANNELS)
