"""The rectifiers."""

from __future__ import annotations

import math

from layerctl.activations.base import Activation
from layerctl.ops.elementwise import apply
from layerctl.ops.value import Value


class Relu(Activation):
    """`max(x, 0)`; below `threshold` `negative_slope * (x - threshold)`, above `max_value` that value."""

    negative_slope: float = 0.0
    max_value: float | None = None
    threshold: float = 0.0

    def bounds(self) -> tuple[float, float]:
        below = -math.inf if self.negative_slope else 0.0
        return below, math.inf if self.max_value is None else self.max_value

    def __call__(self, x: Value) -> Value:
        if self.threshold == 0.0 and self.negative_slope == 0.0:
            y = apply("relu", x)
        else:
            below = (x - self.threshold) * self.negative_slope
            y = apply("where", x > self.threshold if self.threshold else x >= 0.0, x, below)
        return y if self.max_value is None else apply("min", y, self.max_value)
