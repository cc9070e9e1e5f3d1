"""The base of learning-rate schedules."""

from __future__ import annotations

from typing import Annotated, ClassVar

from pydantic import NonNegativeFloat

from layerctl.configured import Configured, Usual
from layerctl.ops.value import Value

NOT_TOO_FAST = Usual(le=10, then="weights jump about, and nothing is learned", cure="usual are 1e-4 to 0.1")
Rate = Annotated[NonNegativeFloat, NOT_TOO_FAST]


class Schedule(Configured):
    """Called with the training step (f32 scalar, from 0), gives the learning rate (f32 scalar)."""

    kind: ClassVar[str] = "schedules"

    def __call__(self, step: Value) -> Value:
        """The learning rate of a step."""
        raise TypeError(f"{type(self).__name__} has no rule")
