"""Random weights whose scale follows from the layer's size."""

from __future__ import annotations

from math import prod, sqrt
from typing import Any, Literal

from pydantic import Field, PositiveFloat

from layerctl.initializers.base import Initializer


def fans(shape: tuple[int, ...], into: list[int] | None = None, out: list[int] | None = None) -> tuple[float, float]:
    """(fan in, fan out): the last two dimensions, times the size of the receptive field before them; or the sizes of given dimensions.

    Raises:
        ValueError: if a given dimension is outside of the shape.
    """
    if into is not None and out is not None:
        for axis in (*into, *out):
            if not -len(shape) <= axis < len(shape):
                raise ValueError(f"input_axes and output_axes: axis {axis} is outside of the weight's shape {list(shape)}")
        return float(prod(shape[a] for a in into)), float(prod(shape[a] for a in out))
    if len(shape) < 1:
        return 1.0, 1.0
    if len(shape) == 1:
        return float(shape[0]), float(shape[0])
    field = prod(shape[:-2])
    return float(shape[-2] * field), float(shape[-1] * field)


class _Scaled(Initializer):
    """Random weights of variance `scale / n`, n by `mode` the fan in, the fan out or their mean."""

    seed: int | None = Field(None, description="The numbers' own seed, in place of the model's.")
    input_axes: list[int] | None = Field(None, description="The weight's dimensions that make the fan in; with output_axes.")
    output_axes: list[int] | None = Field(None, description="The weight's dimensions that make the fan out; with input_axes.")

    def check(self, shape: tuple[int, ...]) -> None:
        fans(shape, self.input_axes, self.output_axes)

    def draw(self, shape: tuple[int, ...], key: int, scale: float, mode: str, distribution: str) -> Any:
        """The weights; a truncated normal is widened to keep its variance."""
        from layerctl import randoms

        into, out = fans(shape, self.input_axes, self.output_axes)
        n = {"fan_in": into, "fan_out": out, "fan_avg": (into + out) / 2.0}[mode]
        spread, key, size = scale / max(1.0, n), self.key(key), prod(shape)
        if distribution == "uniform":
            limit = sqrt(3.0 * spread)
            return ((randoms.uniform(key, size) * 2.0 - 1.0) * limit).reshape(shape)
        if distribution == "untruncated_normal":
            return (randoms.normal(key, size) * sqrt(spread)).reshape(shape)
        return (randoms.truncated_normal(key, size) * (sqrt(spread) / 0.87962566103423978)).reshape(shape)


class VarianceScaling(_Scaled):
    """Variance `scale / n`, n by `mode` the fan in, the fan out or their mean; a truncated normal is widened to keep its variance.

    Keras, VarianceScaling.
    """

    scale: PositiveFloat = Field(1.0, description="The variance times n.")
    mode: Literal["fan_in", "fan_out", "fan_avg"] = Field("fan_in", description="What n is.")
    distribution: Literal["truncated_normal", "normal", "untruncated_normal", "uniform"] = Field(
        "truncated_normal", description="The distribution; normal is truncated_normal."
    )

    def __call__(self, shape: tuple[int, ...], key: int) -> Any:
        return self.draw(shape, key, self.scale, self.mode, self.distribution)


class GlorotUniform(_Scaled):
    """Uniform within sqrt(6 / (fan in + fan out)) (Glorot and Bengio 2010)."""

    def __call__(self, shape: tuple[int, ...], key: int) -> Any:
        return self.draw(shape, key, 1.0, "fan_avg", "uniform")


class GlorotNormal(_Scaled):
    """Truncated normal of variance 2 / (fan in + fan out) (Glorot and Bengio 2010)."""

    def __call__(self, shape: tuple[int, ...], key: int) -> Any:
        return self.draw(shape, key, 1.0, "fan_avg", "truncated_normal")


class HeNormal(_Scaled):
    """Truncated normal of variance 2 / fan in (He et al. 2015)."""

    def __call__(self, shape: tuple[int, ...], key: int) -> Any:
        return self.draw(shape, key, 2.0, "fan_in", "truncated_normal")


class HeUniform(_Scaled):
    """Uniform within sqrt(6 / fan in) (He et al. 2015)."""

    def __call__(self, shape: tuple[int, ...], key: int) -> Any:
        return self.draw(shape, key, 2.0, "fan_in", "uniform")


class LecunNormal(_Scaled):
    """Truncated normal of variance 1 / fan in (LeCun et al. 1998)."""

    def __call__(self, shape: tuple[int, ...], key: int) -> Any:
        return self.draw(shape, key, 1.0, "fan_in", "truncated_normal")


class LecunUniform(_Scaled):
    """Uniform within sqrt(3 / fan in) (LeCun et al. 1998)."""

    def __call__(self, shape: tuple[int, ...], key: int) -> Any:
        return self.draw(shape, key, 1.0, "fan_in", "uniform")
