"""Gradient descent, with momentum."""

from __future__ import annotations

from pydantic import Field

from layerctl.ops.value import Value
from layerctl.optimizers.base import Momentum, Optimizer, ScheduleField


class SGD(Optimizer):
    """`v = momentum v - rate g; w = w + v`; with `nesterov` `w = w + momentum v - rate g` (v the new one)."""

    learning_rate: ScheduleField = Field(0.01, description="The step size, or a schedule of it.", validate_default=True)
    momentum: Momentum = Field(0.0, description="What share of the last step is kept.")
    nesterov: bool = Field(False, description="Look ahead by the kept step.")

    def slot_names(self) -> tuple[str, ...]:
        return ("momentum",) if self.momentum else ()

    def step(self, w: Value, g: Value, slots: dict[str, Value], rate: Value, t: Value) -> tuple[Value, dict[str, Value]]:
        if not self.momentum:
            return w - g * rate, {}
        v = slots["momentum"] * self.momentum - g * rate
        return (w + v * self.momentum - g * rate if self.nesterov else w + v), {"momentum": v}
