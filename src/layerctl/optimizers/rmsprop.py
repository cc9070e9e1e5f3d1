"""RMSprop (Hinton 2012)."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field, PositiveFloat

from layerctl.ops.elementwise import apply
from layerctl.ops.value import Value
from layerctl.optimizers.base import Momentum, Optimizer, Share


class RMSprop(Optimizer):
    """Steps by the gradient over the root of the running mean of its squares; `centered` takes the mean's square off."""

    aliases: ClassVar[tuple[str, ...]] = ("rmsprop",)

    rho: Share = Field(0.9, description="How slowly the mean of squares follows.")
    momentum: Momentum = Field(0.0, description="What share of the last step is kept.")
    epsilon: PositiveFloat = Field(1e-7, description="Added to the mean of squares.")
    centered: bool = Field(False, description="Whether the variance is used in place of the mean of squares.")

    def slot_names(self) -> tuple[str, ...]:
        return ("velocity", *(("momentum",) if self.momentum > 0 else ()), *(("average_gradient",) if self.centered else ()))

    def step(self, w: Value, g: Value, slots: dict[str, Value], rate: Value, t: Value) -> tuple[Value, dict[str, Value]]:
        v = slots["velocity"] * self.rho + g * g * (1.0 - self.rho)
        out = {"velocity": v}
        spread = v + self.epsilon
        if self.centered:
            mean = out["average_gradient"] = slots["average_gradient"] * self.rho + g * (1.0 - self.rho)
            spread = v - mean * mean + self.epsilon
        change = g * rate * apply("rsqrt", spread)
        if self.momentum > 0:
            change = out["momentum"] = slots["momentum"] * self.momentum + change
        return w - change, out
