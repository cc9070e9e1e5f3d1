"""Pooling to a given size, whatever the input's."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field

from layerctl.layers._arguments import SpatialFields, sizes
from layerctl.ops.gather import take
from layerctl.ops.leaves import constant
from layerctl.ops.matmul import matmul
from layerctl.ops.order import take_along_axis
from layerctl.ops.reduce import reduce
from layerctl.ops.reshape import reshape
from layerctl.ops.transpose import move_axis
from layerctl.ops.value import Value

_SIZE = "The result's size: one number, or one for each dimension."


def windows(size: int, out: int) -> list[tuple[int, int]]:
    """The first place of each window and the one behind its last: `floor(i * size / out)` to `ceil((i + 1) * size / out)`."""
    return [(i * size // out, -(-(i + 1) * size // out)) for i in range(out)]


class _Adaptive(SpatialFields):
    category: ClassVar[str] = "pooling"
    function: ClassVar[str]

    output_size: sizes(1)

    def call(self, inputs: Value) -> Value:
        x = self.channels_last(inputs)
        for axis, out in enumerate(self.output_size, start=1):
            x = _average(x, axis, out) if self.function == "average" else _largest(x, axis, out)
        return self.restored(x)


def _average(x: Value, axis: int, out: int) -> Value:
    size = int(x.shape[axis])
    rows = [[1.0 / (b - a) if a <= j < b else 0.0 for j in range(size)] for a, b in windows(size, out)]
    shape = (*x.shape[:axis], out, *x.shape[axis + 1 :])
    flat = reshape(x, (-1, size, _product(x, axis)))
    return reshape(matmul(constant(rows, x.dtype), flat), shape)


def _largest(x: Value, axis: int, out: int) -> Value:
    """Each window's places beside one another, and the first largest of them taken."""
    found = windows(int(x.shape[axis]), out)
    longest = max(b - a for a, b in found)
    places = [[min(a + j, b - 1) for j in range(longest)] for a, b in found]
    beside = move_axis(take(x, constant(places, "i32"), axis), axis + 1, -1)
    first = reduce("argmax", beside, -1, keepdims=True)
    return reshape(take_along_axis(beside, first), beside.shape[:-1])


def _product(x: Value, axis: int) -> int:
    n = 1
    for d in x.shape[axis + 1 :]:
        n *= int(d)
    return n


class AdaptiveAveragePooling1D(_Adaptive):
    """`y[i] = mean(x[floor(i * n / m) : ceil((i + 1) * n / m)])` for m windows over n places.

    Shapes: (batch, length, channels) → (batch, output_size, channels).
    """

    dimensions: ClassVar[int] = 1
    function: ClassVar[str] = "average"

    output_size: sizes(1) = Field(description=_SIZE)


class AdaptiveAveragePooling2D(_Adaptive):
    """The means of as many windows in each dimension as `output_size` says. Shapes: (batch, height, width, channels) → (batch, *output_size, channels)."""

    dimensions: ClassVar[int] = 2
    function: ClassVar[str] = "average"

    output_size: sizes(2) = Field(description=_SIZE)


class AdaptiveAveragePooling3D(_Adaptive):
    """The means of as many windows in each dimension as `output_size` says. Shapes: (batch, d, h, w, channels) → (batch, *output_size, channels)."""

    dimensions: ClassVar[int] = 3
    function: ClassVar[str] = "average"

    output_size: sizes(3) = Field(description=_SIZE)


class AdaptiveMaxPooling1D(_Adaptive):
    """`y[i] = max(x[floor(i * n / m) : ceil((i + 1) * n / m)])` for m windows over n places.

    Shapes: (batch, length, channels) → (batch, output_size, channels).
    """

    dimensions: ClassVar[int] = 1
    function: ClassVar[str] = "max"

    output_size: sizes(1) = Field(description=_SIZE)


class AdaptiveMaxPooling2D(_Adaptive):
    """The largest values of as many windows in each dimension as `output_size` says.

    Shapes: (batch, height, width, channels) → (batch, *output_size, channels).
    """

    dimensions: ClassVar[int] = 2
    function: ClassVar[str] = "max"

    output_size: sizes(2) = Field(description=_SIZE)


class AdaptiveMaxPooling3D(_Adaptive):
    """The largest values of as many windows in each dimension as `output_size` says.

    Shapes: (batch, d, h, w, channels) → (batch, *output_size, channels).
    """

    dimensions: ClassVar[int] = 3
    function: ClassVar[str] = "max"

    output_size: sizes(3) = Field(description=_SIZE)
