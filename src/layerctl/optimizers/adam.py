"""Adam (Kingma and Ba 2014)."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field, PositiveFloat

from layerctl.ops.elementwise import apply
from layerctl.ops.value import Value
from layerctl.optimizers.base import Optimizer


class Adam(Optimizer):
    """Steps by the running mean of gradients over the root of the running mean of their squares, both corrected for their start at 0."""

    slots: ClassVar[tuple[str, ...]] = ("momentum", "velocity")

    beta_1: float = Field(0.9, ge=0, lt=1, description="How slowly the mean follows.")
    beta_2: float = Field(0.999, ge=0, lt=1, description="How slowly the mean of squares follows.")
    epsilon: PositiveFloat = Field(1e-7, description="Added to the root.")
    amsgrad: bool = Field(False, description="Use the largest mean of squares so far (Reddi et al. 2018).")

    def step(self, w: Value, g: Value, slots: dict[str, Value], rate: Value, t: Value) -> tuple[Value, dict[str, Value]]:
        alpha = rate * apply("sqrt", 1.0 - apply("pow", self.beta_2, t)) / (1.0 - apply("pow", self.beta_1, t))
        m = slots["momentum"] + (g - slots["momentum"]) * (1.0 - self.beta_1)
        v = slots["velocity"] + (g * g - slots["velocity"]) * (1.0 - self.beta_2)
        out = {"momentum": m, "velocity": v}
        if self.amsgrad:
            v = out["velocity_hat"] = apply("max", slots["velocity_hat"], v)
        return w - m * alpha / (apply("sqrt", v) + self.epsilon), out

    def slot_names(self) -> tuple[str, ...]:
        return (*self.slots, "velocity_hat") if self.amsgrad else self.slots
