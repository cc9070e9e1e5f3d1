"""Rates that shrink by a factor."""

from __future__ import annotations

from pydantic import Field, PositiveInt

from layerctl.ops.elementwise import apply
from layerctl.ops.value import Value
from layerctl.schedules.base import Schedule


class ExponentialDecay(Schedule):
    """`initial_learning_rate * decay_rate ** (step / decay_steps)`; the exponent is rounded down if `staircase`."""

    initial_learning_rate: float = Field(description="The rate of step 0.")
    decay_steps: PositiveInt = Field(description="Steps in which the rate shrinks by `decay_rate`.")
    decay_rate: float = Field(description="The factor.")
    staircase: bool = Field(False, description="Shrink in jumps.")
    name: str | None = None

    def __call__(self, step: Value) -> Value:
        p = step / float(self.decay_steps)
        if self.staircase:
            p = apply("floor", p)
        return apply("pow", self.decay_rate, p) * self.initial_learning_rate
