"""The base of regularizers: penalties on weights and results."""

from __future__ import annotations

from typing import ClassVar

from layerctl.configured import Configured
from layerctl.ops.value import Value


class Regularizer(Configured):
    """Called with a tensor, gives its penalty (a scalar)."""

    kind: ClassVar[str] = "regularizers"

    def __call__(self, x: Value) -> Value:
        """The penalty."""
        raise TypeError(f"{type(self).__name__} has no rule")
