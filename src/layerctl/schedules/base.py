"""The base of learning-rate schedules."""

from __future__ import annotations

from typing import ClassVar

from layerctl.configured import Configured
from layerctl.ops.value import Value


class Schedule(Configured):
    """Called with the training step (f32 scalar, from 0), gives the learning rate (f32 scalar)."""

    kind: ClassVar[str] = "schedules"

    def __call__(self, step: Value) -> Value:
        """The learning rate of a step."""
        raise TypeError(f"{type(self).__name__} has no rule")
