"""The base of constraints: what weights are brought back to after each step."""

from __future__ import annotations

from typing import ClassVar

from layerctl.configured import Configured
from layerctl.ops.value import Value


class Constraint(Configured):
    """Called with a weight, gives the nearest one that is allowed."""

    kind: ClassVar[str] = "constraints"

    def __call__(self, w: Value) -> Value:
        """The weight as it may be."""
        raise TypeError(f"{type(self).__name__} has no rule")
