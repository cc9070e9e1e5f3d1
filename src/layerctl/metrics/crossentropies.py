"""The crossentropies as metrics."""

from __future__ import annotations

from pydantic import Field

from layerctl.losses import crossentropy as losses
from layerctl.losses.base import match_ranks
from layerctl.metrics.base import MeanMetric
from layerctl.ops.elementwise import cast
from layerctl.ops.value import Value


class BinaryCrossentropy(MeanMetric):
    """`-(y log p + (1 - y) log(1 - p))`."""

    from_logits: bool = Field(False, description="Whether predictions are logits.")
    label_smoothing: float = Field(0.0, ge=0, le=1, description="How far targets are moved towards 1/2.")

    def values(self, y_true: Value, y_pred: Value) -> Value:
        y_true, y_pred = match_ranks(y_true, y_pred)
        made = losses.BinaryCrossentropy(from_logits=self.from_logits, label_smoothing=self.label_smoothing)
        return made.per_sample(cast(y_true, y_pred.dtype), y_pred)


class CategoricalCrossentropy(MeanMetric):
    """`-sum(y log p)`."""

    from_logits: bool = Field(False, description="Whether predictions are logits.")
    label_smoothing: float = Field(0.0, ge=0, le=1, description="How far targets are moved towards the uniform distribution.")
    axis: int = Field(-1, description="The dimension of the classes.")

    def values(self, y_true: Value, y_pred: Value) -> Value:
        made = losses.CategoricalCrossentropy(from_logits=self.from_logits, label_smoothing=self.label_smoothing, axis=self.axis)
        return made.per_sample(cast(y_true, y_pred.dtype), y_pred)


class SparseCategoricalCrossentropy(MeanMetric):
    """`-log p[class]`."""

    from_logits: bool = Field(False, description="Whether predictions are logits.")
    axis: int = Field(-1, description="The dimension of the classes.")

    def values(self, y_true: Value, y_pred: Value) -> Value:
        return losses.SparseCategoricalCrossentropy(from_logits=self.from_logits, axis=self.axis).per_sample(y_true, y_pred)
