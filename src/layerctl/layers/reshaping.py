"""The same numbers under another shape or in another order."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field, PositiveInt

from layerctl.layers._arguments import DataFormat
from layerctl.layers.base import Layer
from layerctl.ops.reshape import reshape
from layerctl.ops.transpose import move_axis, transpose
from layerctl.ops.value import ShapeError, Value, product, shown


class Flatten(Layer):
    """All dimensions but the batch as one; (batch,) becomes (batch, 1).

    Shapes: (batch, a, b, ...) → (batch, a * b * ...).
    """

    category: ClassVar[str] = "reshaping"

    data_format: DataFormat = Field(None, description="channels_first moves the channels last before.")

    def call(self, inputs: Value) -> Value:
        if self.data_format == "channels_first" and inputs.rank > 2:
            inputs = move_axis(inputs, 1, -1)
        return reshape(inputs, (inputs.shape[0], product(inputs.shape[1:])))


class Reshape(Layer):
    """Rows of another shape.

    Shapes: (batch, ...) → (batch, *target_shape); one size may be -1 and follows from the rest.
    """

    category: ClassVar[str] = "reshaping"

    target_shape: list[int] = Field(description="The shape without the batch.")

    def call(self, inputs: Value) -> Value:
        own, wanted = product(inputs.shape[1:]), [d for d in self.target_shape if d != -1]
        if any(d < 1 for d in wanted) or self.target_shape.count(-1) > 1:
            raise ShapeError(f"Reshape: target_shape {self.target_shape} must have sizes of at least 1, and one -1 at most")
        known = product(wanted)
        if (-1 in self.target_shape and int(own) % int(known)) or (-1 not in self.target_shape and int(own) != int(known)):
            raise ShapeError(f"Reshape: {shown(inputs.shape)} has {own} numbers a row, which cannot be {shown(self.target_shape)}")
        shape = tuple(own // known if d == -1 else d for d in self.target_shape)
        return reshape(inputs, (inputs.shape[0], *shape))


class Permute(Layer):
    """Dimensions in another order; `dims` counts them from 1, without the batch.

    Shapes: (batch, ...) → (batch, the same sizes in the order of `dims`).
    """

    category: ClassVar[str] = "reshaping"

    dims: list[PositiveInt] = Field(description="The dimensions in their new order, such as [2, 1].")

    def call(self, inputs: Value) -> Value:
        if sorted(self.dims) != list(range(1, inputs.rank)):
            raise ShapeError(f"Permute: dims {self.dims} is no order of the dimensions of {shown(inputs.shape)}")
        return transpose(inputs, [0, *self.dims])


class RepeatVector(Layer):
    """A row n times over. Shapes: (batch, d) → (batch, n, d)."""

    category: ClassVar[str] = "reshaping"

    n: PositiveInt = Field(description="How often.")

    def call(self, inputs: Value) -> Value:
        from layerctl.ops.elementwise import broadcast_to

        if inputs.rank != 2:
            raise ShapeError(f"RepeatVector needs an input of 2 dimensions, got {shown(inputs.shape)}")
        wide = reshape(inputs, (inputs.shape[0], 1, inputs.shape[1]))
        return broadcast_to(wide, (inputs.shape[0], self.n, inputs.shape[1]))
