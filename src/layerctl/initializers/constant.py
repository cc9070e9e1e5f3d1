"""Weights that start at one number."""

from __future__ import annotations

from typing import Any

from pydantic import Field, field_validator

from layerctl.initializers.base import Initializer


class Zeros(Initializer):
    """All 0."""

    def __call__(self, shape: tuple[int, ...], key: int) -> Any:
        import numpy as np

        return np.zeros(shape)


class Ones(Initializer):
    """All 1."""

    def __call__(self, shape: tuple[int, ...], key: int) -> Any:
        import numpy as np

        return np.ones(shape)


class Constant(Initializer):
    """All `value`, or the numbers of a list of the weight's shape."""

    value: float | list[Any] = Field(0.0, description="A number, or a list of as many as the weight has; lists in it for further dimensions.")

    @field_validator("value")
    @classmethod
    def _numbers(cls, value: Any) -> Any:
        import numpy as np

        try:
            found = np.asarray(value).dtype.kind in "fi"
        except ValueError:  # lists of uneven lengths
            found = False
        if not found:
            raise ValueError("expected a number, or a list of numbers, or lists of them of one length")
        return value

    def check(self, shape: tuple[int, ...]) -> None:
        import numpy as np

        found = np.shape(self.value)
        if len(found) > len(shape) or any(n not in (1, m) for n, m in zip(found[::-1], shape[::-1], strict=False)):
            raise ValueError(f"the numbers of Constant have the shape {found}, expected {shape}")

    def __call__(self, shape: tuple[int, ...], key: int) -> Any:
        import numpy as np

        return np.array(np.broadcast_to(np.asarray(self.value, np.float64), shape))
