"""Losses of classes: probabilities, or logits with `from_logits`."""

from __future__ import annotations

from typing import Annotated, ClassVar

from pydantic import Field, NonNegativeFloat

from layerctl.configured import Usual
from layerctl.losses.base import EPSILON, Loss
from layerctl.ops.elementwise import apply, cast
from layerctl.ops.leaves import constant
from layerctl.ops.reduce import mean, reduce
from layerctl.ops.reshape import squeeze
from layerctl.ops.select import select
from layerctl.ops.softmax import softmax
from layerctl.ops.transpose import move_axis
from layerctl.ops.value import ShapeError, Value, shown

Smoothing = Annotated[float, Field(ge=0, le=1), Usual(lt=1, then="all targets become alike, nothing is learned", cure="usual is 0.1")]


def log_probabilities(y_pred: Value, from_logits: bool, axis: int) -> Value:
    """The logarithm of the predicted distribution; probabilities are normalised and kept within [1e-7, 1 - 1e-7]."""
    if from_logits:
        return softmax(y_pred, axis, logarithm=True)
    p = y_pred / reduce("sum", y_pred, axis, keepdims=True)
    return apply("log", apply("min", apply("max", p, EPSILON), 1.0 - EPSILON))


def smoothed(y_true: Value, share: float, added: float) -> Value:
    """Targets that give up a share, in place of which each has `added`."""
    return y_true * (1.0 - share) + added if share else y_true


class SparseCategoricalCrossentropy(Loss):
    """`-log p[class]`; the target holds class indices."""

    classes: ClassVar[bool] = True

    ignore_class: int | None = Field(None, description="A class whose samples do not count.")
    from_logits: bool = Field(False, description="Whether predictions are logits, not probabilities.")
    axis: int = Field(-1, description="The dimension of the classes.")

    def ids(self, y_true: Value, y_pred: Value) -> Value:
        """The class indices (i32), a dimension of size 1 in the classes' place taken off."""
        if y_true.rank == y_pred.rank and int(y_true.shape[self.axis]) == 1:
            y_true = squeeze(y_true, self.axis)
        wanted = self.target_shape(y_pred.shape)
        if tuple(map(int, y_true.shape)) != tuple(map(int, wanted)):
            raise ShapeError(f"class indices of shape {shown(wanted)} are needed for predictions of shape {shown(y_pred.shape)}, got {shown(y_true.shape)}")
        return cast(y_true, "i32")

    def per_sample(self, y_true: Value, y_pred: Value) -> Value:
        ids = self.ids(y_true, y_pred)
        return -select(move_axis(log_probabilities(y_pred, self.from_logits, self.axis), self.axis, -1), ids)

    def counted(self, y_true: Value, y_pred: Value, values: Value) -> Value | None:
        if self.ignore_class is None:
            return y_pred.mask
        kept = apply("ne", self.ids(y_true, y_pred), self.ignore_class)
        return kept if y_pred.mask is None else apply("and", kept, y_pred.mask)


class CategoricalCrossentropy(Loss):
    """`-sum(y_true log p)`; the target holds a distribution for each sample, or class indices that stand for one."""

    distributions: ClassVar[bool] = True

    from_logits: bool = Field(False, description="Whether predictions are logits, not probabilities.")
    label_smoothing: Smoothing = Field(0.0, description="How far targets are moved towards the uniform distribution.")
    axis: int = Field(-1, description="The dimension of the classes.")

    def per_sample(self, y_true: Value, y_pred: Value) -> Value:
        y_true = smoothed(y_true, self.label_smoothing, self.label_smoothing / int(y_pred.shape[-1]))
        return -reduce("sum", y_true * log_probabilities(y_pred, self.from_logits, self.axis), self.axis)


class BinaryCrossentropy(Loss):
    """`-(y log p + (1 - y) log(1 - p))`, averaged over the last dimension."""

    aliases: ClassVar[tuple[str, ...]] = ("bce", "BCE")

    from_logits: bool = Field(False, description="Whether predictions are logits, not probabilities.")
    label_smoothing: Smoothing = Field(0.0, description="How far targets are moved towards 1/2.")
    axis: int = Field(-1, description="The dimension that is averaged over.")

    def per_sample(self, y_true: Value, y_pred: Value) -> Value:
        y_true = smoothed(y_true, self.label_smoothing, 0.5 * self.label_smoothing)
        return mean(binary_crossentropy(y_true, y_pred, self.from_logits), self.axis)


def binary_crossentropy(y_true: Value, y_pred: Value, from_logits: bool) -> Value:
    """Elementwise; from logits as `max(x, 0) - x y + log(1 + exp(-|x|))`."""
    if from_logits:
        return apply("relu", y_pred) - y_pred * y_true + apply("softplus", -abs(y_pred))
    p = apply("min", apply("max", y_pred, EPSILON), 1.0 - EPSILON)
    return -(y_true * apply("log", p) + (1.0 - y_true) * apply("log", 1.0 - p))


class BinaryFocalCrossentropy(Loss):
    """`(1 - p_true)^gamma` times the binary crossentropy, averaged over the last dimension. Lin et al. 2018."""

    apply_class_balancing: bool = Field(False, description="Whether alpha weighs ones, and 1 - alpha zeros.")
    alpha: float = Field(0.25, ge=0, le=1, description="The weight of ones.")
    gamma: NonNegativeFloat = Field(2.0, description="How little samples count that are predicted well.")
    from_logits: bool = Field(False, description="Whether predictions are logits, not probabilities.")
    label_smoothing: Smoothing = Field(0.0, description="How far targets are moved towards 1/2.")
    axis: int = Field(-1, description="The dimension that is averaged over.")

    def per_sample(self, y_true: Value, y_pred: Value) -> Value:
        y_true = smoothed(y_true, self.label_smoothing, 0.5 * self.label_smoothing)
        p = apply("sigmoid", y_pred) if self.from_logits else y_pred
        right = y_true * p + (1.0 - y_true) * (1.0 - p)
        loss = apply("pow", 1.0 - right, self.gamma) * binary_crossentropy(y_true, p, from_logits=False)
        if self.apply_class_balancing:
            loss = loss * (y_true * self.alpha + (1.0 - y_true) * (1.0 - self.alpha))
        return mean(loss, self.axis)


class CategoricalFocalCrossentropy(Loss):
    """`-sum(alpha (1 - p)^gamma y_true log p)`; targets as for CategoricalCrossentropy. Lin et al. 2018."""

    distributions: ClassVar[bool] = True

    alpha: NonNegativeFloat | list[NonNegativeFloat] = Field(0.25, description="The weight of all classes, or of each.")
    gamma: NonNegativeFloat = Field(2.0, description="How little samples count that are predicted well.")
    from_logits: bool = Field(False, description="Whether predictions are logits, not probabilities.")
    label_smoothing: Smoothing = Field(0.0, description="How far targets are moved towards the uniform distribution.")
    axis: int = Field(-1, description="The dimension of the classes.")

    def per_sample(self, y_true: Value, y_pred: Value) -> Value:
        y_true = smoothed(y_true, self.label_smoothing, self.label_smoothing / int(y_pred.shape[-1]))
        p = softmax(y_pred, self.axis) if self.from_logits else y_pred
        p = p / reduce("sum", p, self.axis, keepdims=True)
        p = apply("min", apply("max", p, EPSILON), 1.0 - EPSILON)
        alpha = constant(self.alpha, p.dtype) if isinstance(self.alpha, list) else self.alpha
        return reduce("sum", apply("pow", 1.0 - p, self.gamma) * alpha * (-(y_true * apply("log", p))), self.axis)


class CategoricalGeneralizedCrossEntropy(Loss):
    """`(1 - p[class]^q) / q`: between the crossentropy (q → 0) and the mean absolute error (q = 1). Zhang and Sabuncu 2018."""

    classes: ClassVar[bool] = True

    q: float = Field(0.5, gt=0, lt=1, description="The form of the loss.")

    def per_sample(self, y_true: Value, y_pred: Value) -> Value:
        ids = squeeze(y_true, -1) if y_true.rank == y_pred.rank and int(y_true.shape[-1]) == 1 else y_true
        if ids.rank != y_pred.rank - 1:
            raise ShapeError(f"class indices of shape {shown(y_pred.shape[:-1])} are needed, got {shown(y_true.shape)}")
        return (1.0 - apply("pow", select(y_pred, cast(ids, "i32")), self.q)) / self.q


class KLDivergence(Loss):
    """`sum(y_true log(y_true / y_pred))` over the last dimension, both kept within [1e-7, 1]; targets as for CategoricalCrossentropy."""

    distributions: ClassVar[bool] = True
    aliases: ClassVar[tuple[str, ...]] = ("kld", "KLD", "kullback_leibler_divergence")

    def per_sample(self, y_true: Value, y_pred: Value) -> Value:
        y_true, y_pred = (apply("min", apply("max", v, EPSILON), 1.0) for v in (y_true, y_pred))
        return reduce("sum", y_true * apply("log", y_true / y_pred), -1)
