"""Rates that fall with the steps."""

from __future__ import annotations

import math
from typing import Annotated

from pydantic import Field, NonNegativeFloat, PositiveFloat, PositiveInt, model_validator

from layerctl.configured import Usual
from layerctl.ops.elementwise import apply
from layerctl.ops.value import Value
from layerctl.schedules.base import Rate, Schedule

EndShare = Annotated[NonNegativeFloat, Usual(le=1, then="the rate rises in place of falling", cure="it is a share of the first rate, such as 0.01")]


class InverseTimeDecay(Schedule):
    """`initial_learning_rate / (1 + decay_rate * step / decay_steps)`; the quotient is rounded down if `staircase`."""

    initial_learning_rate: Rate = Field(description="The rate of step 0.")
    decay_steps: PositiveInt = Field(description="Steps of one unit of time.")
    decay_rate: NonNegativeFloat = Field(description="How much is added to the divisor in a unit of time.")
    staircase: bool = Field(False, description="Fall in jumps.")
    name: str | None = None

    def __call__(self, step: Value) -> Value:
        p = step / float(self.decay_steps)
        if self.staircase:
            p = apply("floor", p)
        return self.initial_learning_rate / (p * self.decay_rate + 1.0)


class PolynomialDecay(Schedule):
    """`(initial - end) * (1 - step / decay_steps) ** power + end`; with `cycle` it starts again, over longer spans."""

    initial_learning_rate: Rate = Field(description="The rate of step 0.")
    decay_steps: PositiveInt = Field(description="Steps until the end's rate.")
    end_learning_rate: Rate = Field(1e-4, description="The rate at the end.")
    power: NonNegativeFloat = Field(1.0, description="The polynomial's power; 1 is a line.")
    cycle: bool = Field(False, description="Whether it starts again behind the end.")
    name: str | None = None

    def __call__(self, step: Value) -> Value:
        span = float(self.decay_steps)
        if self.cycle:
            p = step / (apply("max", apply("ceil", step / span), 1.0) * span)
        else:
            p = apply("min", step, span) / span
        fall = apply("pow", 1.0 - p, self.power)
        return fall * (self.initial_learning_rate - self.end_learning_rate) + self.end_learning_rate


class PiecewiseConstantDecay(Schedule):
    """`values[i]` up to step `boundaries[i]`, the last value behind all of them."""

    boundaries: list[int | float] = Field(description="The last steps of the rates, ascending.")
    values: list[Rate] = Field(description="The rates, one more than boundaries.")
    name: str | None = None

    @model_validator(mode="after")
    def _fit(self) -> PiecewiseConstantDecay:
        if len(self.values) != len(self.boundaries) + 1:
            raise ValueError(f"{len(self.boundaries)} boundaries need {len(self.boundaries) + 1} values, got {len(self.values)}")
        if not self.boundaries or sorted(set(self.boundaries)) != list(self.boundaries):
            raise ValueError(f"boundaries must ascend, got {self.boundaries}")
        return self

    def __call__(self, step: Value) -> Value:
        rate = step * 0.0 + self.values[-1]
        for boundary, value in zip(reversed(self.boundaries), reversed(self.values[:-1]), strict=True):
            rate = apply("where", step <= float(boundary), value, rate)
        return rate


class CosineDecay(Schedule):
    """`initial * ((1 - alpha) * (1 + cos(pi * step / decay_steps)) / 2 + alpha)`. Loshchilov and Hutter 2016.

    With `warmup_target` the rate first goes from initial to it, in a line of `warmup_steps`, and falls from there.
    """

    initial_learning_rate: Rate = Field(description="The rate of step 0.")
    decay_steps: PositiveInt = Field(description="Steps of the fall.")
    alpha: EndShare = Field(0.0, description="The rate at the end, as a share.")
    name: str | None = None
    warmup_target: Rate | None = Field(None, description="The rate at which the fall starts; no warm-up if not given.")
    warmup_steps: int = Field(0, ge=0, description="Steps before the fall.")

    def __call__(self, step: Value) -> Value:
        if self.warmup_target is None:
            return self._fall(step, self.initial_learning_rate)
        fall = self._fall(step - float(self.warmup_steps), self.warmup_target)
        if not self.warmup_steps:
            return fall
        rise = step / float(self.warmup_steps) * (self.warmup_target - self.initial_learning_rate) + self.initial_learning_rate
        return apply("where", step < float(self.warmup_steps), rise, fall)

    def _fall(self, step: Value, start: float) -> Value:
        p = apply("min", step, float(self.decay_steps)) / float(self.decay_steps)
        cosine = (apply("cos", p * math.pi) + 1.0) * 0.5
        return (cosine * (1.0 - self.alpha) + self.alpha) * start


class CosineDecayRestarts(Schedule):
    """A cosine's fall that starts again, each time over `t_mul` as many steps, from `m_mul` times the rate. Loshchilov and Hutter 2016."""

    initial_learning_rate: Rate = Field(description="The rate of step 0.")
    first_decay_steps: PositiveInt = Field(description="Steps of the first fall.")
    t_mul: PositiveFloat = Field(2.0, description="How much longer each fall is than the one before.")
    m_mul: NonNegativeFloat = Field(1.0, description="How much higher each start is than the one before.")
    alpha: EndShare = Field(0.0, description="The rate at the end of a fall, as a share.")
    name: str | None = None

    def __call__(self, step: Value) -> Value:
        p = step / float(self.first_decay_steps)
        if self.t_mul == 1.0:
            start = apply("floor", p)
            p = p - start
        else:
            start = apply("floor", apply("log", 1.0 - p * (1.0 - self.t_mul)) / math.log(self.t_mul))
            longer = apply("pow", self.t_mul, start)
            p = (p - (1.0 - longer) / (1.0 - self.t_mul)) / longer
        cosine = apply("pow", self.m_mul, start) * (apply("cos", p * math.pi) + 1.0) * 0.5
        return (cosine * (1.0 - self.alpha) + self.alpha) * self.initial_learning_rate
