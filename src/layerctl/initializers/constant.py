"""Weights that start at one number."""

from __future__ import annotations

from typing import Any

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
    """All `value`."""

    value: float = 0.0

    def __call__(self, shape: tuple[int, ...], key: int) -> Any:
        import numpy as np

        return np.full(shape, self.value)
