"""The crossentropies as metrics."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field

from layerctl.losses import crossentropy as losses
from layerctl.losses.base import combine, match_ranks
from layerctl.losses.crossentropy import Smoothing
from layerctl.metrics.base import MeanMetric
from layerctl.ops.elementwise import apply, cast
from layerctl.ops.value import Value


class BinaryCrossentropy(MeanMetric):
    """`-(y log p + (1 - y) log(1 - p))`."""

    of_classes: ClassVar[bool] = True
    aliases: ClassVar[tuple[str, ...]] = ("bce", "BCE")

    from_logits: bool = Field(False, description="Whether predictions are logits.")
    label_smoothing: Smoothing = Field(0.0, description="How far targets are moved towards 1/2.")

    def values(self, y_true: Value, y_pred: Value) -> Value:
        y_true, y_pred = match_ranks(y_true, y_pred)
        made = losses.BinaryCrossentropy(from_logits=self.from_logits, label_smoothing=self.label_smoothing)
        return made.per_sample(cast(y_true, y_pred.dtype), y_pred)


class CategoricalCrossentropy(MeanMetric):
    """`-sum(y log p)`."""

    of_classes: ClassVar[bool] = True
    from_logits: bool = Field(False, description="Whether predictions are logits.")
    label_smoothing: Smoothing = Field(0.0, description="How far targets are moved towards the uniform distribution.")
    axis: int = Field(-1, description="The dimension of the classes.")

    def values(self, y_true: Value, y_pred: Value) -> Value:
        made = losses.CategoricalCrossentropy(from_logits=self.from_logits, label_smoothing=self.label_smoothing, axis=self.axis)
        return made.per_sample(cast(y_true, y_pred.dtype), y_pred)


class SparseCategoricalCrossentropy(MeanMetric):
    """`-log p[class]`."""

    of_classes: ClassVar[bool] = True
    from_logits: bool = Field(False, description="Whether predictions are logits.")
    axis: int = Field(-1, description="The dimension of the classes.")
    ignore_class: int | None = Field(None, description="A class whose samples are worth 0; with weights or a mask they do not count, as in Keras.")

    def _loss(self) -> losses.SparseCategoricalCrossentropy:
        return losses.SparseCategoricalCrossentropy(from_logits=self.from_logits, axis=self.axis)

    def update(self, y_true: Value, y_pred: Value, weights: Value | None = None) -> None:
        if self.ignore_class is not None and (weights is not None or y_pred.mask is not None):
            kept = cast(apply("ne", self._loss().ids(y_true, y_pred), self.ignore_class), y_pred.dtype)
            weights = combine(weights, kept, kept)
        super().update(y_true, y_pred, weights)

    def values(self, y_true: Value, y_pred: Value) -> Value:
        made = self._loss()
        if self.ignore_class is None:
            return made.per_sample(y_true, y_pred)
        ids = made.ids(y_true, y_pred)
        kept = apply("ne", ids, self.ignore_class)
        return apply("where", kept, made.per_sample(apply("where", kept, ids, 0), y_pred), 0.0)
