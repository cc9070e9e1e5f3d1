"""The accuracies: how often a prediction's class is the target's."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field, PositiveInt

from layerctl.losses.base import match_ranks
from layerctl.metrics.base import ShareOfRight
from layerctl.ops.elementwise import apply, cast
from layerctl.ops.reduce import mean, reduce
from layerctl.ops.reshape import expand_dims, squeeze
from layerctl.ops.select import select
from layerctl.ops.value import Value


class Accuracy(ShareOfRight):
    """How often `y_pred` equals `y_true`.

    Named `accuracy` in `compile`, it stands for the binary, categorical or sparse one by the loss and the shapes, as in Keras.
    """

    aliases: ClassVar[tuple[str, ...]] = ("acc",)

    def values(self, y_true: Value, y_pred: Value) -> Value:
        y_true, y_pred = match_ranks(y_true, y_pred)
        return mean(cast(apply("eq", cast(y_true, y_pred.dtype), y_pred), "f32"), -1)


class BinaryAccuracy(ShareOfRight):
    """How often `y_pred > threshold` equals `y_true`."""

    threshold: float = Field(0.5, description="Above it a prediction counts as 1.")

    def values(self, y_true: Value, y_pred: Value) -> Value:
        y_true, y_pred = match_ranks(y_true, y_pred)
        return mean(cast(apply("eq", cast(y_true, y_pred.dtype), cast(y_pred > self.threshold, y_pred.dtype)), "f32"), -1)


class CategoricalAccuracy(ShareOfRight):
    """How often the largest prediction stands where the target is largest."""


    def values(self, y_true: Value, y_pred: Value) -> Value:
        return cast(apply("eq", reduce("argmax", y_true, -1), reduce("argmax", y_pred, -1)), "f32")


class SparseCategoricalAccuracy(ShareOfRight):
    """How often the largest prediction stands at the target's class."""


    def values(self, y_true: Value, y_pred: Value) -> Value:
        if y_true.rank == y_pred.rank and int(y_true.shape[-1]) == 1:
            y_true = squeeze(y_true, -1)
        return cast(apply("eq", cast(y_true, "i32"), reduce("argmax", y_pred, -1)), "f32")


def _in_top(ids: Value, y_pred: Value, k: int) -> Value:
    """1 where fewer than k classes are predicted above the target's."""
    own = select(y_pred, cast(ids, "i32"))
    above = reduce("sum", cast(y_pred > expand_dims(own, -1), "f32"), -1)
    return cast(above < float(k), "f32")


class TopKCategoricalAccuracy(ShareOfRight):
    """How often the target's class is among the k largest predictions."""

    k: PositiveInt = Field(5, description="How many predictions count.")

    def values(self, y_true: Value, y_pred: Value) -> Value:
        return _in_top(reduce("argmax", y_true, -1), y_pred, self.k)


class SparseTopKCategoricalAccuracy(ShareOfRight):
    """How often the target's class (an index) is among the k largest predictions."""

    k: PositiveInt = Field(5, description="How many predictions count.")
    from_sorted_ids: bool = Field(False, description="Whether predictions are classes, the likeliest first, and not numbers for all.")

    def values(self, y_true: Value, y_pred: Value) -> Value:
        if y_true.rank == y_pred.rank and int(y_true.shape[-1]) == 1:
            y_true = squeeze(y_true, -1)
        if self.from_sorted_ids:
            first = y_pred[..., : self.k]
            return cast(reduce("any", apply("eq", cast(first, "i32"), expand_dims(cast(y_true, "i32"), -1)), -1), "f32")
        return _in_top(y_true, y_pred, self.k)
