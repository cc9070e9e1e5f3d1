"""Random weights of a given spread."""

from __future__ import annotations

from math import prod
from typing import Any, ClassVar

from pydantic import Field, NonNegativeFloat

from layerctl.initializers.base import Initializer


class RandomUniform(Initializer):
    """Uniform between `minval` and `maxval`."""

    aliases: ClassVar[tuple[str, ...]] = ("uniform",)

    minval: float = Field(-0.05, description="The least value.")
    maxval: float = Field(0.05, description="The largest value.")
    seed: int | None = Field(None, description="Its own seed.")

    def __call__(self, shape: tuple[int, ...], key: int) -> Any:
        from layerctl import randoms

        return (self.minval + randoms.uniform(self.key(key), prod(shape)) * (self.maxval - self.minval)).reshape(shape)


class RandomNormal(Initializer):
    """Normal with `mean` and `stddev`."""

    aliases: ClassVar[tuple[str, ...]] = ("normal",)

    mean: float = Field(0.0, description="The mean.")
    stddev: NonNegativeFloat = Field(0.05, description="The standard deviation.")
    seed: int | None = Field(None, description="Its own seed.")

    def __call__(self, shape: tuple[int, ...], key: int) -> Any:
        from layerctl import randoms

        return (self.mean + randoms.normal(self.key(key), prod(shape)) * self.stddev).reshape(shape)


class TruncatedNormal(Initializer):
    """Normal with `mean` and `stddev`; values beyond two deviations are drawn again."""

    mean: float = Field(0.0, description="The mean.")
    stddev: NonNegativeFloat = Field(0.05, description="The standard deviation before values are cut off.")
    seed: int | None = Field(None, description="Its own seed.")

    def __call__(self, shape: tuple[int, ...], key: int) -> Any:
        from layerctl import randoms

        return (self.mean + randoms.truncated_normal(self.key(key), prod(shape)) * self.stddev).reshape(shape)
