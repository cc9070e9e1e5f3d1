"""Rates that shrink by a factor."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, NonNegativeFloat, PositiveInt

from layerctl.configured import Usual
from layerctl.ops.elementwise import apply
from layerctl.ops.value import Value
from layerctl.schedules.base import Rate, Schedule

Factor = Annotated[NonNegativeFloat, Usual(le=1, then="the rate grows without end", cure="write a factor below 1, such as 0.96")]


class ExponentialDecay(Schedule):
    """`initial_learning_rate * decay_rate ** (step / decay_steps)`; the exponent is rounded down if `staircase`."""

    initial_learning_rate: Rate = Field(description="The rate of step 0.")
    decay_steps: PositiveInt = Field(description="Steps in which the rate shrinks by `decay_rate`.")
    decay_rate: Factor = Field(description="What the rate is multiplied by in `decay_steps` steps.")
    staircase: bool = Field(False, description="Shrink in jumps.")
    name: str | None = None

    def __call__(self, step: Value) -> Value:
        p = step / float(self.decay_steps)
        if self.staircase:
            p = apply("floor", p)
        return apply("pow", self.decay_rate, p) * self.initial_learning_rate
