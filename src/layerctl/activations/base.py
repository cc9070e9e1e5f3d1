"""The base of activations: functions of one tensor, configured by name."""

from __future__ import annotations

from typing import ClassVar

from layerctl.configured import Configured
from layerctl.ops.value import Value


class Activation(Configured):
    """A function of one tensor; its fields are the further arguments of Keras's function of that name."""

    kind: ClassVar[str] = "activations"

    def __call__(self, x: Value) -> Value:
        """The activation of x, in x's shape unless the subclass says otherwise."""
        raise TypeError(f"{type(self).__name__} has no rule")
