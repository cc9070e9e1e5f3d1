"""The base of activations: functions of one tensor, configured by name."""

from __future__ import annotations

import math
from typing import ClassVar

from layerctl.configured import Configured
from layerctl.ops.value import Value


class Activation(Configured):
    """A function of one tensor; its fields are the further arguments of Keras's function of that name."""

    kind: ClassVar[str] = "activations"
    distribution: ClassVar[bool] = False
    """Whether results along `axis` are a distribution's."""
    span: ClassVar[tuple[float, float]] = (-math.inf, math.inf)
    """Between which numbers results are, whatever x is."""

    def bounds(self) -> tuple[float, float]:
        """The least and the largest number that a result can come near to."""
        return self.span

    def __call__(self, x: Value) -> Value:
        """The activation of x, in x's shape unless the subclass says otherwise."""
        raise TypeError(f"{type(self).__name__} has no rule")
