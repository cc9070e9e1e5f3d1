"""Several tensors made one."""

from __future__ import annotations

from functools import reduce
from typing import Any, ClassVar

from pydantic import Field

from layerctl.layers.base import Layer
from layerctl.layers.normalization import normalized
from layerctl.ops.concat import concat
from layerctl.ops.einsum import einsum
from layerctl.ops.elementwise import apply, broadcast_to, cast
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
        return self.merge(self._of_one_rank(inputs))

    def _of_one_rank(self, inputs: list[Value]) -> list[Value]:
        most = max(v.rank for v in inputs)
        return [self._raised(v, most) for v in inputs]

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


class _HeedsMasks(_Merge):
    """A merge to which a masked step of an operand contributes nothing, as in Keras: what the others have stands there."""

    def call(self, inputs: list[Value], mask: Any = None) -> Value:
        given = mask if isinstance(mask, (list, tuple)) else [None] * len(inputs)
        masks = [self._spread(v, m) for v, m in zip(inputs, given, strict=True)]
        inputs = self._of_one_rank(inputs)
        return self.merge(inputs) if all(m is None for m in masks) else self.merge_masked(inputs, masks)

    @staticmethod
    def _spread(v: Value, mask: Value | None) -> Value | None:
        """A mask for steps, or for elements, as one that broadcasts to v."""
        if mask is None or mask.rank not in (v.rank, v.rank - 1):
            return None
        return cast(mask if mask.rank == v.rank else expand_dims(mask, -1), "bool")

    def merge_masked(self, inputs: list[Value], masks: list[Value | None]) -> Value:
        """`merge` with masks that broadcast to the operands; None where one has none."""
        raise TypeError(f"{type(self).__name__} has no rule for masks")


class _Extreme(_HeedsMasks):
    fold: ClassVar[str]

    def merge(self, inputs: list[Value]) -> Value:
        return reduce(lambda a, b: apply(self.fold, a, b), inputs)

    def merge_masked(self, inputs: list[Value], masks: list[Value | None]) -> Value:
        out, kept = inputs[0], masks[0]
        for v, mask in zip(inputs[1:], masks[1:], strict=True):
            v = v if mask is None else apply("where", mask, v, out)
            out = apply(self.fold, out if kept is None else apply("where", kept, out, v), v)
            kept = apply("or", kept, mask) if kept is not None and mask is not None else None
        return out


class Multiply(_HeedsMasks):
    """`a * b * ...`. A masked step of one tensor counts as 1, a step that is masked in all of them gives 0.

    Shapes: tensors that broadcast → the broadcast shape.
    """

    def merge(self, inputs: list[Value]) -> Value:
        return reduce(lambda a, b: a * b, inputs)

    def merge_masked(self, inputs: list[Value], masks: list[Value | None]) -> Value:
        out = self.merge([v if m is None else apply("where", m, v, 1.0) for v, m in zip(inputs, masks, strict=True)])
        kept = [m for m in masks if m is not None]
        return out if len(kept) < len(masks) else apply("where", reduce(lambda a, b: apply("or", a, b), kept), out, 0.0)


class Average(_Merge):
    """`(a + b + ...) / n`.

    Shapes: tensors that broadcast → the broadcast shape.
    """

    def merge(self, inputs: list[Value]) -> Value:
        return reduce(lambda a, b: a + b, inputs) / float(len(inputs))


class Maximum(_Extreme):
    """The larger element of each place; where a tensor is masked, those of the others.

    Shapes: tensors that broadcast → the broadcast shape.
    """

    fold: ClassVar[str] = "max"


class Minimum(_Extreme):
    """The smaller element of each place; where a tensor is masked, those of the others.

    Shapes: tensors that broadcast → the broadcast shape.
    """

    fold: ClassVar[str] = "min"


class Concatenate(_Merge):
    """Tensors side by side along `axis`; all other sizes must be equal.

    Shapes: tensors of one shape but for `axis` → that shape with the sum of their sizes there.
    """

    axis: int = Field(-1, description="The dimension along which they are joined; 0 is the batch.")

    def call(self, inputs: list[Value]) -> Value:
        if len({v.rank for v in inputs}) > 1:
            got = ", ".join(shown(v.shape) for v in inputs)
            raise ShapeError(f"Concatenate needs tensors of the same rank, got {got}")
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

        return reduce_op("any", concat(parts, self.axis), -1)


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
