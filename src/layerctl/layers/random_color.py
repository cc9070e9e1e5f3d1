"""Images' brightness, contrast and colours changed at random in training; parts of them erased or blurred."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BeforeValidator, Field, field_validator

from layerctl.layers._arguments import DataFormat
from layerctl.layers._augmentation import Augmentation, ValueRange, by_image, limits, number_or_range
from layerctl.layers._images import spatial, window
from layerctl.ops.elementwise import apply, cast
from layerctl.ops.leaves import constant
from layerctl.ops.random import random_normal
from layerctl.ops.reduce import mean, reduce
from layerctl.ops.slicing import pad
from layerctl.ops.value import ShapeError, Value, shown

_SEED = "The layer's own seed."
_RANGE = "The least and the largest value of a pixel; results are kept within."
_CHANNELS = "Where the channels stand; last if not given."
_CHANCE = "The probability for each image, or a range from which it is drawn: f is 0 to f."
_GRAY = (0.2989, 0.5870, 0.1140)
"""The weights of red, green and blue in a pixel's luma (ITU-R BT.601)."""


def clip(x: Value, low: float, high: float) -> Value:
    """x kept between two numbers."""
    return apply("min", apply("max", x, float(low)), float(high))


class RandomContrast(Augmentation):
    """In training `clip((x - mean) * c + mean)`, the mean over each image's channel, c between `1 - lower` and `1 + upper`.

    As in Keras a single `factor` f is the range (0, f). Shapes: (batch, height, width, channels) → the same.
    """

    factor: number_or_range(0, 1) = Field(description="(lower, upper), or f for (0, f).")
    value_range: ValueRange = Field((0, 255), description=_RANGE)
    seed: int | None = Field(None, description=_SEED)
    data_format: DataFormat = Field(None, description=_CHANNELS)

    def draw(self, x: Value) -> dict[str, Value]:
        low, high = limits(self.factor, 0.0)
        return {"contrast": self.uniform(x, 1.0 - low, 1.0 + high, "contrast")}

    def transform(self, x: Value, contrast: Value) -> Value:
        middle = mean(x, spatial(self.data_format), keepdims=True)
        return clip((x - middle) * by_image(contrast) + middle, *self.value_range)


class RandomBrightness(Augmentation):
    """In training `clip(x + d * (high - low))` with d from `factor`, one d for each image. Shapes: (batch, ...) → the same."""

    factor: number_or_range(-1, 1) = Field(description="The range of d: f for -f to f, or (lower, upper).")
    value_range: ValueRange = Field((0, 255), description=_RANGE)
    seed: int | None = Field(None, description=_SEED)

    def draw(self, x: Value) -> dict[str, Value]:
        low, high = sorted(self.value_range)
        return {"delta": self.uniform(x, *limits(self.factor), "delta") * float(high - low)}

    def transform(self, x: Value, delta: Value) -> Value:
        return clip(x + by_image(delta), *sorted(self.value_range))


class RandomGrayscale(Augmentation):
    """In training an image becomes gray with probability `factor`: `0.2989 red + 0.587 green + 0.114 blue` in all three channels.

    Shapes: (batch, height, width, 3) → the same; one channel passes as it is.
    """

    factor: float = Field(0.5, ge=0, le=1, description="The probability for each image.")
    data_format: DataFormat = Field(None, description=_CHANNELS)
    seed: int | None = Field(None, description=_SEED)

    def draw(self, x: Value) -> dict[str, Value]:
        return {"chosen": self.uniform(x, 0.0, 1.0, "chosen") < self.factor}

    def transform(self, x: Value, chosen: Value) -> Value:
        axis = 1 if self.data_format == "channels_first" else 3
        if x.shape[axis] not in (1, 3):
            raise ShapeError(f"RandomGrayscale: expected images of 3 channels or 1, got {shown(x.shape)}")
        if x.shape[axis] == 1:
            return x
        weights = constant([_GRAY] if axis == 3 else [[[w]] for w in _GRAY], x.dtype)
        return apply("where", by_image(chosen), reduce("sum", x * weights, (axis,), keepdims=True), x)


class RandomInvert(Augmentation):
    """In training some images become `high - x`. Shapes: (batch, height, width, channels) → the same."""

    factor: number_or_range(0, 1) = Field(1.0, description=_CHANCE)
    value_range: ValueRange = Field((0, 255), description="The least and the largest value of a pixel.")
    seed: int | None = Field(None, description=_SEED)
    data_format: DataFormat = Field(None, description=_CHANNELS)

    def draw(self, x: Value) -> dict[str, Value]:
        return {"chosen": self.chosen(x, self.factor)}

    def transform(self, x: Value, chosen: Value) -> Value:
        return apply("where", chosen, float(self.value_range[1]) - x, x)


def _fill(value: Any) -> Any:
    values = value if isinstance(value, (list, tuple)) else [value]
    if any(isinstance(v, bool) or not isinstance(v, (int, float)) for v in values) or (values is value and len(values) != 3):
        raise ValueError(f"expected a number, a list of three numbers, or null, got {value!r}")
    return value


class RandomErasing(Augmentation):
    """In training a box of an image is filled: its sides are the roots of two draws from `scale` times width and height, its place alike likely.

    Shapes: (batch, height, width, channels) → the same. After Zhong et al. 2017, "Random erasing data augmentation".
    """

    factor: number_or_range(0, 1) = Field(1.0, description=_CHANCE)
    scale: number_or_range(0, 1) = Field((0.02, 0.33), description="The range of the squared shares of width and height: f is 0 to f.")
    fill_value: Annotated[Any, BeforeValidator(lambda v: None if v is None else _fill(v))] = Field(
        None, description="The box's value, or three, one for each channel; normal noise times the largest value if not given."
    )
    value_range: ValueRange = Field((0, 255), description="The least and the largest value of the fill.")
    seed: int | None = Field(None, description=_SEED)
    data_format: DataFormat = Field(None, description=_CHANNELS)

    def draw(self, x: Value) -> dict[str, Value]:
        low, high = limits(self.scale, 0.0)
        out = {"chosen": self.chosen(x, self.factor)}
        for axis, name in zip(spatial(self.data_format), ("y", "x"), strict=True):
            length = float(int(x.shape[axis]))
            side = apply("sqrt", self.uniform(x, low, high, f"{name} share")) * length
            start = self.uniform(x, 0.0, 1.0, f"{name} place") * (length - side)
            out |= {f"{name}0": start, f"{name}1": start + side}
        if self.fill_value is None:
            out["noise"] = cast(random_normal(x.shape, "noise", self.seed), x.dtype)
        return out

    def transform(self, x: Value, chosen: Value, y0: Value, y1: Value, x0: Value, x1: Value, noise: Value | None = None) -> Value:
        inside = chosen
        for axis, low, high in zip(spatial(self.data_format), (y0, x0), (y1, x1), strict=True):
            shape = [1] * 4
            shape[axis] = int(x.shape[axis])
            place = constant(_counting(shape), x.dtype)
            inside = inside & (place >= by_image(low)) & (place < by_image(high))
        return apply("where", inside, clip(self._filling(x, noise), *self.value_range), x)

    def _filling(self, x: Value, noise: Value | None) -> Value:
        if noise is not None:
            return noise * float(self.value_range[1])
        value, axis = self.fill_value, 1 if self.data_format == "channels_first" else 3
        if not isinstance(value, (list, tuple)):
            return constant(value, x.dtype)
        if x.shape[axis] != 3:
            raise ShapeError(f"RandomErasing: fill_value has three numbers, the images {shown(x.shape)} have {x.shape[axis]} channels")
        return constant([[[v]] for v in value] if axis == 1 else value, x.dtype)


def _counting(shape: list[int]) -> Any:
    import numpy as np

    return np.arange(int(np.prod(shape))).reshape(shape)


class RandomGaussianBlur(Augmentation):
    """In training some images are convolved with a Gaussian, `exp(-(i / sigma)² / 2)` normalised, in both directions; zeros beyond the edge.

    Each image has its own sigmas. Shapes: (batch, height, width, channels) → the same.
    """

    factor: number_or_range(0, 1) = Field(1.0, description=_CHANCE)
    kernel_size: Any = Field(3, description="The odd width and height of the kernel: one number, or (width, height).")
    sigma: number_or_range(0, 1) = Field(1.0, description="The range of sigma, in pixels: f is 0 to f.")
    value_range: ValueRange = Field((0, 255), description=_RANGE)
    data_format: DataFormat = Field(None, description=_CHANNELS)
    seed: int | None = Field(None, description=_SEED)

    @field_validator("kernel_size")
    @classmethod
    def _odd(cls, value: Any) -> Any:
        sizes = list(value) if isinstance(value, (list, tuple)) else [value, value]
        if len(sizes) != 2 or any(isinstance(v, bool) or not isinstance(v, int) or v < 1 or v % 2 == 0 for v in sizes):
            raise ValueError(f"expected an odd whole number or two of them, got {value!r}")
        return value

    def draw(self, x: Value) -> dict[str, Value]:
        low, high = limits(self.sigma, 0.0)
        out = {"chosen": self.chosen(x, self.factor)}
        return out | {f"{name}_sigma": self.uniform(x, low, high, name) + 1e-6 for name in ("x", "y")}

    def transform(self, x: Value, chosen: Value, x_sigma: Value, y_sigma: Value) -> Value:
        wide, high = self.kernel_size if isinstance(self.kernel_size, (list, tuple)) else (self.kernel_size,) * 2
        rows, columns = spatial(self.data_format)
        blurred = _blurred(_blurred(x, rows, high, by_image(y_sigma)), columns, wide, by_image(x_sigma))
        return clip(apply("where", chosen, blurred, x), *self.value_range)


def _blurred(x: Value, axis: int, size: int, sigma: Value) -> Value:
    """x convolved along one dimension, each image with its own sigma (batch, 1, 1, 1)."""
    half, widths = size // 2, [(0, 0)] * x.rank
    widths[axis] = (half, half)
    padded = pad(x, widths)
    weights = [apply("exp", apply("square", (i - half) / sigma) * -0.5) for i in range(size)]
    total, sums = weights[0], window(padded, (axis,), (0,), (x.shape[axis],)) * weights[0]
    for i in range(1, size):
        total, sums = total + weights[i], sums + window(padded, (axis,), (i,), (x.shape[axis],)) * weights[i]
    return sums / total
