"""Arguments that layers with a kernel, a bias, or a scale and a shift have in common, and the weights that they declare."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pydantic import Field

from layerctl.configured import ActivationField, ConstraintField, InitializerField, RegularizerField
from layerctl.layers.base import Layer
from layerctl.ops.reshape import reshape
from layerctl.ops.value import Value, Weight, current


def along(weight: Value, rank: int, axes: Sequence[int]) -> Value:
    """A weight of the sizes of `axes` in a shape that broadcasts against a tensor of `rank`."""
    sizes = iter(weight.shape)
    return reshape(weight, tuple(next(sizes) if i in axes else 1 for i in range(rank)))


class BiasFields(Layer):
    """A bias and an activation behind a product."""

    activation: ActivationField = Field(None, description="Applied to the result.")
    use_bias: bool = Field(True, description="Whether a bias is added.")
    bias_initializer: InitializerField = Field("zeros", description="Fills the bias.", validate_default=True)
    bias_regularizer: RegularizerField = Field(None, description="Penalty on the bias.")
    activity_regularizer: RegularizerField = Field(None, description="Penalty on the result.")
    bias_constraint: ConstraintField = Field(None, description="Applied to the bias after each step.")

    _bias: Weight | None = None

    def add_bias(self, shape: Sequence[int]) -> None:
        """Declares the bias, if there is to be one."""
        if self.use_bias:
            self._bias = self.add_weight(
                "bias", shape, self.bias_initializer, regularizer=self.bias_regularizer, constraint=self.bias_constraint
            )

    def activated(self, y: Value) -> Value:
        """activation(y)."""
        return self.activation(y) if self.activation is not None else y

    def biased(self, y: Value) -> Value:
        """y + bias."""
        return y + current().read(self._bias) if self._bias is not None else y


class KernelFields(BiasFields):
    """A kernel besides."""

    kernel_initializer: InitializerField = Field("glorot_uniform", description="Fills the kernel.", validate_default=True)
    kernel_regularizer: RegularizerField = Field(None, description="Penalty on the kernel.")
    kernel_constraint: ConstraintField = Field(None, description="Applied to the kernel after each step.")

    _kernel: Weight

    def add_kernel(self, shape: Sequence[int]) -> None:
        """Declares the kernel."""
        self._kernel = self.add_weight(
            "kernel", shape, self.kernel_initializer, regularizer=self.kernel_regularizer, constraint=self.kernel_constraint
        )


class ScaleFields(Layer):
    """A learned factor gamma and a learned shift beta behind a normalisation."""

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

    def add_scale(self, shape: Sequence[int]) -> None:
        """Declares gamma and beta, as far as they are wanted."""
        if self.scale:
            self._gamma = self.add_weight(
                "gamma", shape, self.gamma_initializer, regularizer=self.gamma_regularizer, constraint=self.gamma_constraint
            )
        if self.center:
            self._beta = self.add_weight("beta", shape, self.beta_initializer, regularizer=self.beta_regularizer, constraint=self.beta_constraint)

    def scaled(self, y: Any, axes: Sequence[int]) -> Value:
        """y * gamma + beta, both lying along `axes` of y."""
        if self._gamma is not None:
            y = y * along(current().read(self._gamma), y.rank, axes)
        return y + along(current().read(self._beta), y.rank, axes) if self._beta is not None else y
