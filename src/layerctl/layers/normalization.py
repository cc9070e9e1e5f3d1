"""Normalisation over the batch or over features."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from pydantic import Field

from layerctl.configured import ConstraintField, InitializerField, RegularizerField
from layerctl.layers.base import Layer, training
from layerctl.ops.elementwise import apply, cast
from layerctl.ops.reduce import mean, normal_axes, reduce, variance
from layerctl.ops.reshape import expand_dims, reshape
from layerctl.ops.value import Shape, ShapeError, Value, Weight, current, shown


def along(weight: Value, rank: int, axes: Sequence[int]) -> Value:
    """A weight of the sizes of `axes` in a shape that broadcasts against a tensor of `rank`."""
    sizes = iter(weight.shape)
    return reshape(weight, tuple(next(sizes) if i in axes else 1 for i in range(rank)))


class BatchNormalization(Layer):
    """`gamma (x - mean) / sqrt(variance + epsilon) + beta` for each channel.

    In training mean and variance are the batch's (steps that a mask leaves out do not count), and the moving averages follow them:
    `moving = momentum * moving + (1 - momentum) * batch`. Otherwise they are the moving averages. Ioffe and Szegedy 2015.
    """

    category: ClassVar[str] = "normalization"
    supports_masking: ClassVar[bool] = True

    axis: int = Field(-1, description="The dimension of the channels.")
    momentum: float = Field(0.99, ge=0, le=1, description="How slowly the moving averages follow.")
    epsilon: float = Field(1e-3, ge=0, description="Added to the variance.")
    center: bool = Field(True, description="Whether beta is added.")
    scale: bool = Field(True, description="Whether gamma multiplies.")
    beta_initializer: InitializerField = Field("zeros", description="Fills beta.", validate_default=True)
    gamma_initializer: InitializerField = Field("ones", description="Fills gamma.", validate_default=True)
    moving_mean_initializer: InitializerField = Field("zeros", description="Fills the moving mean.", validate_default=True)
    moving_variance_initializer: InitializerField = Field("ones", description="Fills the moving variance.", validate_default=True)
    beta_regularizer: RegularizerField = Field(None, description="Penalty on beta.")
    gamma_regularizer: RegularizerField = Field(None, description="Penalty on gamma.")
    beta_constraint: ConstraintField = Field(None, description="Applied to beta after each step.")
    gamma_constraint: ConstraintField = Field(None, description="Applied to gamma after each step.")
    synchronized: bool = Field(False, description="Accepted: statistics are always those of the whole batch.")

    _gamma: Weight | None = None
    _beta: Weight | None = None
    _mean: Weight
    _variance: Weight

    def build(self, input_shape: Shape) -> None:
        (axis,) = normal_axes(self.axis, len(input_shape), "BatchNormalization")
        size = (input_shape[axis],)
        if self.scale:
            self._gamma = self.add_weight("gamma", size, self.gamma_initializer, regularizer=self.gamma_regularizer,
                                          constraint=self.gamma_constraint)  # fmt: skip
        if self.center:
            self._beta = self.add_weight("beta", size, self.beta_initializer, regularizer=self.beta_regularizer,
                                         constraint=self.beta_constraint)  # fmt: skip
        self._mean = self.add_weight("moving_mean", size, self.moving_mean_initializer, trainable=False)
        self._variance = self.add_weight("moving_variance", size, self.moving_variance_initializer, trainable=False)

    def call(self, inputs: Value, mask: Value | None = None) -> Value:
        trace = current()
        (axis,) = normal_axes(self.axis, inputs.rank, "BatchNormalization")
        others = tuple(i for i in range(inputs.rank) if i != axis)
        if training() and self.trainable:
            centre, spread = self._batch_moments(inputs, others, mask)
            for weight, value in ((self._mean, centre), (self._variance, spread)):
                trace.update(weight, trace.read(weight) * self.momentum + value * (1.0 - self.momentum))
        else:
            centre, spread = trace.read(self._mean), trace.read(self._variance)
        factor = apply("rsqrt", spread + self.epsilon)
        if self._gamma is not None:
            factor = factor * trace.read(self._gamma)
        y = (inputs - along(centre, inputs.rank, [axis])) * along(factor, inputs.rank, [axis])
        return y + along(trace.read(self._beta), inputs.rank, [axis]) if self._beta is not None else y

    def _batch_moments(self, x: Value, others: tuple[int, ...], mask: Value | None) -> tuple[Value, Value]:
        if mask is None:
            return mean(x, others), variance(x, others)
        kept = cast(mask, x.dtype)
        while kept.rank < x.rank:
            kept = expand_dims(kept, -1)
        kept = kept + x * 0.0
        count = apply("max", reduce("sum", kept, others, keepdims=True), 1e-7)
        centre = reduce("sum", x * kept, others, keepdims=True) / count
        spread = reduce("sum", apply("square", (x - centre) * kept), others, keepdims=True) / count
        shape = tuple(d for i, d in enumerate(x.shape) if i not in others)
        return reshape(centre, shape), reshape(spread, shape)


class LayerNormalization(Layer):
    """`gamma (x - mean) / sqrt(variance + epsilon) + beta`, mean and variance over `axis` of each row by itself. Ba et al. 2016."""

    category: ClassVar[str] = "normalization"
    supports_masking: ClassVar[bool] = True

    axis: int | list[int] = Field(-1, description="The dimensions that are normalised over.")
    epsilon: float = Field(1e-3, ge=0, description="Added to the variance.")
    center: bool = Field(True, description="Whether beta is added.")
    scale: bool = Field(True, description="Whether gamma multiplies.")
    beta_initializer: InitializerField = Field("zeros", description="Fills beta.", validate_default=True)
    gamma_initializer: InitializerField = Field("ones", description="Fills gamma.", validate_default=True)
    beta_regularizer: RegularizerField = Field(None, description="Penalty on beta.")
    gamma_regularizer: RegularizerField = Field(None, description="Penalty on gamma.")
    beta_constraint: ConstraintField = Field(None, description="Applied to beta after each step.")
    gamma_constraint: ConstraintField = Field(None, description="Applied to gamma after each step.")

    _gamma: Weight | None = None
    _beta: Weight | None = None

    def build(self, input_shape: Shape) -> None:
        axes = normal_axes(self.axis, len(input_shape), "LayerNormalization")
        if 0 in axes:
            raise ShapeError(f"LayerNormalization cannot normalise over the batch, axis 0 of {shown(input_shape)}")
        size = tuple(input_shape[a] for a in axes)
        if self.scale:
            self._gamma = self.add_weight("gamma", size, self.gamma_initializer, regularizer=self.gamma_regularizer,
                                          constraint=self.gamma_constraint)  # fmt: skip
        if self.center:
            self._beta = self.add_weight("beta", size, self.beta_initializer, regularizer=self.beta_regularizer,
                                         constraint=self.beta_constraint)  # fmt: skip

    def call(self, inputs: Value) -> Value:
        trace = current()
        axes = normal_axes(self.axis, inputs.rank, "LayerNormalization")
        centred = inputs - mean(inputs, axes, keepdims=True)
        spread = mean(apply("square", centred), axes, keepdims=True)
        y = centred * apply("rsqrt", spread + self.epsilon)
        if self._gamma is not None:
            y = y * along(trace.read(self._gamma), inputs.rank, axes)
        return y + along(trace.read(self._beta), inputs.rank, axes) if self._beta is not None else y
