"""Random weights whose scale follows from the layer's size."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import PositiveFloat

from layerctl.initializers.base import Initializer


def fans(shape: tuple[int, ...]) -> tuple[float, float]:
    """(fan in, fan out): the last two dimensions, times the size of the receptive field before them."""
    if len(shape) < 1:
        return 1.0, 1.0
    if len(shape) == 1:
        return float(shape[0]), float(shape[0])
    field = 1
    for d in shape[:-2]:
        field *= d
    return float(shape[-2] * field), float(shape[-1] * field)


class VarianceScaling(Initializer):
    """Variance `scale / n`, n by `mode` the fan in, the fan out or their mean; a truncated normal is widened to keep its variance.

    Keras, VarianceScaling.
    """

    scale: PositiveFloat = 1.0
    mode: Literal["fan_in", "fan_out", "fan_avg"] = "fan_in"
    distribution: Literal["truncated_normal", "normal", "untruncated_normal", "uniform"] = "truncated_normal"
    seed: int | None = None

    def __call__(self, shape: tuple[int, ...], key: int) -> Any:
        from math import prod, sqrt

        from layerctl import randoms

        into, out = fans(shape)
        n = {"fan_in": into, "fan_out": out, "fan_avg": (into + out) / 2.0}[self.mode]
        spread, key, size = self.scale / max(1.0, n), self.key(key), prod(shape)
        if self.distribution == "uniform":
            limit = sqrt(3.0 * spread)
            return ((randoms.uniform(key, size) * 2.0 - 1.0) * limit).reshape(shape)
        if self.distribution == "untruncated_normal":
            return (randoms.normal(key, size) * sqrt(spread)).reshape(shape)
        return (randoms.truncated_normal(key, size) * (sqrt(spread) / 0.87962566103423978)).reshape(shape)


class GlorotUniform(Initializer):
    """Uniform within sqrt(6 / (fan in + fan out)) (Glorot and Bengio 2010)."""

    seed: int | None = None

    def __call__(self, shape: tuple[int, ...], key: int) -> Any:
        return VarianceScaling(scale=1.0, mode="fan_avg", distribution="uniform", seed=self.seed)(shape, key)


class GlorotNormal(Initializer):
    """Truncated normal of variance 2 / (fan in + fan out) (Glorot and Bengio 2010)."""

    seed: int | None = None

    def __call__(self, shape: tuple[int, ...], key: int) -> Any:
        return VarianceScaling(scale=1.0, mode="fan_avg", distribution="truncated_normal", seed=self.seed)(shape, key)


class HeNormal(Initializer):
    """Truncated normal of variance 2 / fan in (He et al. 2015)."""

    seed: int | None = None

    def __call__(self, shape: tuple[int, ...], key: int) -> Any:
        return VarianceScaling(scale=2.0, mode="fan_in", distribution="truncated_normal", seed=self.seed)(shape, key)


class HeUniform(Initializer):
    """Uniform within sqrt(6 / fan in) (He et al. 2015)."""

    seed: int | None = None

    def __call__(self, shape: tuple[int, ...], key: int) -> Any:
        return VarianceScaling(scale=2.0, mode="fan_in", distribution="uniform", seed=self.seed)(shape, key)


class LecunNormal(Initializer):
    """Truncated normal of variance 1 / fan in (LeCun et al. 1998)."""

    seed: int | None = None

    def __call__(self, shape: tuple[int, ...], key: int) -> Any:
        return VarianceScaling(scale=1.0, mode="fan_in", distribution="truncated_normal", seed=self.seed)(shape, key)


class LecunUniform(Initializer):
    """Uniform within sqrt(3 / fan in) (LeCun et al. 1998)."""

    seed: int | None = None

    def __call__(self, shape: tuple[int, ...], key: int) -> Any:
        return VarianceScaling(scale=1.0, mode="fan_in", distribution="uniform", seed=self.seed)(shape, key)
