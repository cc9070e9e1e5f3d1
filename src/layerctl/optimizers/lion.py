"""Lion (Chen et al. 2023)."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field

from layerctl.ops.elementwise import apply
from layerctl.ops.value import Value
from layerctl.optimizers.base import Optimizer


class Lion(Optimizer):
    """Steps of one size by the sign of a running mean of gradients: `w = w - rate * sign(beta_1 m + (1 - beta_1) g)`."""

    slots: ClassVar[tuple[str, ...]] = ("momentum",)

    beta_1: float = Field(0.9, gt=0, le=1, description="The mean's share in the step.")
    beta_2: float = Field(0.99, ge=0, lt=1, description="How slowly the mean follows.")

    def step(self, w: Value, g: Value, slots: dict[str, Value], rate: Value, t: Value) -> tuple[Value, dict[str, Value]]:
        m = slots["momentum"]
        change = apply("sign", m * self.beta_1 + g * (1.0 - self.beta_1))
        return w - change * rate, {"momentum": m * self.beta_2 + g * (1.0 - self.beta_2)}
