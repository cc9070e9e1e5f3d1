"""The base of losses: a value for each sample, reduced to a scalar."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from layerctl.configured import Configured
from layerctl.ops.elementwise import apply, broadcast_to, cast
from layerctl.ops.reduce import normal_axes, reduce
from layerctl.ops.reshape import expand_dims, squeeze
from layerctl.ops.value import Shape, ShapeError, Value, product, shown

EPSILON = 1e-7
"""Keras's backend epsilon: probabilities are kept this far from 0 and 1."""


class Loss(Configured):
    """Fields are the arguments of Keras's class; `per_sample(y_true, y_pred)` gives a value for each sample (or step of one)."""

    kind: ClassVar[str] = "losses"
    classes: ClassVar[bool] = False
    """Whether the target holds class indices."""
    numbers: ClassVar[bool] = False
    """Whether predictions are numbers that come near the target's."""
    distributions: ClassVar[bool] = False
    """Whether the target holds a distribution over classes, which class indices stand for."""

    reduction: Literal["sum", "mean", "sum_over_batch_size", "mean_with_sample_weight"] = Field(
        "sum_over_batch_size", description="How the samples' values become one: their mean, or their sum."
    )
    name: str | None = Field(None, description="The name under which it is reported.")
    dtype: str | None = Field(None, description="float32 (default) or float64.")

    def per_sample(self, y_true: Value, y_pred: Value) -> Value:
        """The loss of each sample: the shape of y_pred without its last dimension."""
        raise TypeError(f"{type(self).__name__} has no rule")

    def target_shape(self, output: Shape) -> Shape:
        """The shape of targets for an output of this shape."""
        if not self.classes:
            return output
        at = self._class_axis(output)
        return (*output[:at], *output[at + 1 :])

    def target_classes(self, output: Shape) -> int | None:
        """How many classes the target's indices are of; None where any number is an index, or there are none."""
        return int(output[self._class_axis(output)]) if self.classes or self.distributions else None

    def _class_axis(self, output: Shape) -> int:
        return normal_axes(getattr(self, "axis", -1), len(output), "axis")[0]

    def counted(self, y_true: Value, y_pred: Value, values: Value) -> Value | None:
        """Which samples (or steps) count: the mask that comes with the prediction, unless the loss knows more."""
        return y_pred.mask

    def parts(self, y_true: Value, y_pred: Value, weights: Value | None = None) -> tuple[Value, Value]:
        """(sum of the weighted values, what to divide it by), both float64 scalars. The mask of y_pred leaves steps out.

        Raises:
            ShapeError: for shapes that the loss cannot compare.
        """
        if not self.classes:
            y_true, y_pred = match_ranks(y_true, y_pred)
            y_true = cast(y_true, y_pred.dtype)
        values = self.per_sample(y_true, y_pred)
        mask = self.counted(y_true, y_pred, values)
        if values.rank == 0 and (weights is not None or mask is not None):
            values = broadcast_to(values, (weights if weights is not None else mask).shape)
        count = cast(_count(values), "f64")
        weights = combine(weights, mask, values)
        if weights is not None:
            values = values * weights
            if mask is not None and self.reduction != "mean_with_sample_weight":
                kept = broadcast_rows(cast(mask, values.dtype), values)
                count = reduce("sum", broadcast_to(kept, values.shape), dtype="f64")
            elif self.reduction == "mean_with_sample_weight":
                count = reduce("sum", broadcast_to(weights, values.shape), dtype="f64")
        total = reduce("sum", values, dtype="f64")
        return total, count if self.reduction != "sum" else count * 0.0 + 1.0

    def __call__(self, y_true: Value, y_pred: Value, weights: Value | None = None) -> Value:
        """The scalar loss (f32, or f64 for f64 predictions)."""
        total, count = self.parts(y_true, y_pred, weights)
        return cast(total / apply("where", apply("eq", count, 0.0), 1.0, count), y_pred.dtype)


BY_SHAPE = ("crossentropy", "ce")
"""Names that stand for one of several losses."""


def resolve_loss(name: str, y_pred: Shape) -> Loss | None:
    """What `crossentropy` stands for by the prediction's shape; None for other names."""
    from layerctl.catalogue import catalogue

    if name not in BY_SHAPE:
        return None
    width = int(y_pred[-1]) if y_pred else 1
    return catalogue("losses").get("BinaryCrossentropy" if width == 1 else "CategoricalCrossentropy")()


def _count(values: Value) -> Value:
    from layerctl.ops.leaves import constant

    return constant(float(int(product(values.shape))), "f64")


def combine(weights: Value | None, mask: Value | None, values: Value) -> Value | None:
    """Sample weights times the mask, in a shape that broadcasts against the samples' values; None if there is neither."""
    out = None if weights is None else broadcast_rows(cast(weights, values.dtype), values)
    if mask is not None:
        kept = broadcast_rows(cast(mask, values.dtype), values)
        out = kept if out is None else out * kept
    return out


def broadcast_rows(w: Value, values: Value) -> Value:
    """w with dimensions of size 1 behind until it has the values' rank (or one of size 1 taken off)."""
    while w.rank > values.rank and int(w.shape[-1]) == 1:
        w = squeeze(w, -1)
    while w.rank < values.rank:
        w = expand_dims(w, -1)
    if w.rank > values.rank:
        raise ShapeError(f"weights of shape {shown(w.shape)} do not fit values of shape {shown(values.shape)}")
    return w


def match_ranks(y_true: Value, y_pred: Value) -> tuple[Value, Value]:
    """Takes off or adds a last dimension of size 1 where the ranks differ by one, as Keras does.

    Raises:
        ShapeError: if the shapes cannot be compared even so.
    """
    if y_pred.rank == y_true.rank + 1 and int(y_pred.shape[-1]) == 1:
        mask, y_pred = y_pred.mask, squeeze(y_pred, -1)
        y_pred.mask = mask
        if y_true.rank == 1:
            mask, y_true, y_pred = y_pred.mask, expand_dims(y_true, -1), expand_dims(y_pred, -1)
            y_pred.mask = mask
    elif y_true.rank == y_pred.rank + 1 and int(y_true.shape[-1]) == 1:
        y_true = squeeze(y_true, -1)
    if y_true.rank != y_pred.rank or any(int(a) != int(b) and 1 not in (int(a), int(b)) for a, b in zip(y_true.shape, y_pred.shape, strict=True)):
        raise ShapeError(f"the target has shape {shown(y_true.shape)}, the prediction {shown(y_pred.shape)}")
    return y_true, y_pred
