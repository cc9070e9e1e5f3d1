"""Several tensors made one."""

from __future__ import annotations

from functools import reduce
from typing import Any, ClassVar

from pydantic import Field

from layerctl.layers.base import Layer
from layerctl.layers.normalization import normalized
from layerctl.ops.concat import concat
from layerctl.ops.einsum import einsum
from layerctl.ops.elementwise import apply, broadcast_to
from layerctl.ops.reshape import expand_dims
from layerctl.ops.value import ShapeError, Value, shown


class _Merge(Layer):
    category: ClassVar[str] = "merging"
    supports_masking: ClassVar[bool] = True

    @property
    def takes_list(self) -> bool:
        return True

    def build(self, input_shape: list[tuple[int, ...]]) -> None:
        if len(input_shape) < 2:
            raise ShapeError(f"{type(self).__name__} needs at least two tensors, got {len(input_shape)}")

    def call(self, inputs: list[Value]) -> Value:
        ranks = {v.rank for v in inputs}
        if len(ranks) > 1:
            most = max(ranks)
            inputs = [self._raised(v, most) for v in inputs]
        return self.merge(inputs)

    def _raised(self, v: Value, rank: int) -> Value:
        while v.rank < rank:
            v = expand_dims(v, 1)
        return v

    def merge(self, inputs: list[Value]) -> Value:
        """The one tensor."""
        raise TypeError(f"{type(self).__name__} has no rule")

    def compute_mask(self, inputs: Any, mask: Any) -> Any:
        """A step is kept where one of the operands keeps it; an operand without a mask takes it away, as in Keras."""
        if not mask or any(m is None for m in mask):
            return None
        return reduce(lambda a, b: apply("or", a, b), mask)


class Add(_Merge):
    """`a + b + ...`.

    Shapes: tensors that broadcast → the broadcast shape.
    """

    def merge(self, inputs: list[Value]) -> Value:
        return reduce(lambda a, b: a + b, inputs)


class Subtract(_Merge):
    """`a - b`.

    Shapes: two tensors that broadcast → the broadcast shape.
    """

    def build(self, input_shape: list[tuple[int, ...]]) -> None:
        if len(input_shape) != 2:
            raise ShapeError(f"Subtract needs two tensors, got {len(input_shape)}")

    def merge(self, inputs: list[Value]) -> Value:
        return inputs[0] - inputs[1]


class Multiply(_Merge):
    """`a * b * ...`.

    Shapes: tensors that broadcast → the broadcast shape.
    """

    def merge(self, inputs: list[Value]) -> Value:
        return reduce(lambda a, b: a * b, inputs)


class Average(_Merge):
    """`(a + b + ...) / n`.

    Shapes: tensors that broadcast → the broadcast shape.
    """

    def merge(self, inputs: list[Value]) -> Value:
        return reduce(lambda a, b: a + b, inputs) / float(len(inputs))


class Maximum(_Merge):
    """The larger element of each place.

    Shapes: tensors that broadcast → the broadcast shape.
    """

    def merge(self, inputs: list[Value]) -> Value:
        return reduce(lambda a, b: apply("max", a, b), inputs)


class Minimum(_Merge):
    """The smaller element of each place.

    Shapes: tensors that broadcast → the broadcast shape.
    """

    def merge(self, inputs: list[Value]) -> Value:
        return reduce(lambda a, b: apply("min", a, b), inputs)


class Concatenate(_Merge):
    """Tensors side by side along `axis`; all other sizes must be equal.

    Shapes: tensors of one shape but for `axis` → that shape with the sum of their sizes there.
    """

    axis: int = Field(-1, description="The dimension along which they are joined; 0 is the batch.")

    def call(self, inputs: list[Value]) -> Value:
        if len({v.rank for v in inputs}) > 1:
            raise ShapeError(f"Concatenate needs tensors of the same rank, got {', '.join(shown(v.shape) for v in inputs)}")
        return concat(inputs, self.axis)

    def compute_mask(self, inputs: Any, mask: Any) -> Any:
        if not mask or all(m is None for m in mask):
            return None
        parts = []
        for v, m in zip(inputs, mask, strict=True):
            if m is None:
                m = apply("eq", v, v)
            elif m.rank < v.rank:
                m = broadcast_to(expand_dims(m, -1), v.shape) if m.rank == v.rank - 1 else m
            parts.append(m)
        from layerctl.ops.reduce import reduce as reduce_op

        return reduce_op("all", concat(parts, self.axis), -1)


class Dot(_Merge):
    """The sum of products of two tensors along one dimension of each, row by row of the batch; with `normalize` their cosine.

    Shapes: (batch, a..., k, b...), (batch, c..., k, d...) → (batch, a..., b..., c..., d...); (batch, 1) if nothing is left.
    """

    axes: int | list[int] = Field(description="The dimension, or one for each tensor, that is summed over; 0 is the batch.")
    normalize: bool = Field(False, description="Whether both are divided by their lengths along it first.")

    def call(self, inputs: list[Value]) -> Value:
        if len(inputs) != 2:
            raise ShapeError(f"Dot needs two tensors, got {len(inputs)}")
        given = [self.axes, self.axes] if isinstance(self.axes, int) else list(self.axes)
        if len(given) != 2:
            raise ShapeError(f"Dot: axes must be one number or two, got {given}")
        axes = []
        for v, a in zip(inputs, given, strict=True):
            if not -v.rank <= a < v.rank or a % v.rank == 0:
                raise ShapeError(f"Dot: axis {a} of {shown(v.shape)} must be a dimension behind the batch")
            axes.append(a % v.rank)
        x, y = (normalized(v, (a,)) for v, a in zip(inputs, axes, strict=True)) if self.normalize else inputs
        if int(x.shape[axes[0]]) != int(y.shape[axes[1]]):
            raise ShapeError(f"Dot: {shown(x.shape)} has {x.shape[axes[0]]} along axis {axes[0]}, {shown(y.shape)} has {y.shape[axes[1]]} along {axes[1]}")
        first = ["a", *(chr(98 + i) for i in range(x.rank - 1))]
        second = ["a", *(chr(66 + i) for i in range(y.rank - 1))]
        second[axes[1]] = first[axes[0]]
        left = [c for i, c in enumerate(first) if i != axes[0]] + [c for i, c in enumerate(second) if i not in (0, axes[1])]
        out = einsum(f"{''.join(first)},{''.join(second)}->{''.join(left)}", x, y)
        return expand_dims(out, 1) if out.rank == 1 else out

    def compute_mask(self, inputs: Any, mask: Any) -> Any:
        return None
