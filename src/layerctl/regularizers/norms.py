"""Penalties by absolute values and squares."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field, NonNegativeFloat

from layerctl.ops.reduce import reduce
from layerctl.ops.value import Value
from layerctl.regularizers.base import Regularizer


class L1(Regularizer):
    """`l1 * sum(|x|)`."""

    l1: NonNegativeFloat = Field(0.01, description="The factor.")

    def __call__(self, x: Value) -> Value:
        return reduce("sumabs", x) * self.l1


class L2(Regularizer):
    """`l2 * sum(x^2)`."""

    l2: NonNegativeFloat = Field(0.01, description="The factor.")

    def __call__(self, x: Value) -> Value:
        return reduce("sumsq", x) * self.l2


class L1L2(Regularizer):
    """`l1 * sum(|x|) + l2 * sum(x^2)`."""

    aliases: ClassVar[tuple[str, ...]] = ("l1_l2",)

    l1: NonNegativeFloat = Field(0.0, description="The factor of the absolute values.")
    l2: NonNegativeFloat = Field(0.0, description="The factor of the squares.")

    def __call__(self, x: Value) -> Value:
        return reduce("sumabs", x) * self.l1 + reduce("sumsq", x) * self.l2
