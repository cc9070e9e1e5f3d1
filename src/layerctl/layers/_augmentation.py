"""What random layers over images share: ranges as arguments, numbers drawn for each image, and none of it outside of training."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar

from pydantic import BeforeValidator

from layerctl.layers._images import check_image
from layerctl.layers.base import Layer, training
from layerctl.ops.elementwise import FLOATING, cast
from layerctl.ops.random import random_uniform
from layerctl.ops.reshape import reshape
from layerctl.ops.value import Value


def _is_number(v: Any) -> bool:
    return isinstance(v, (int, float)) and not isinstance(v, bool)


def number_or_range(low: float, high: float, above: bool = False) -> Any:
    """The annotation of a field that holds a number or (lower, upper), from `low` (or, if `above`, above it) to `high`."""

    def check(value: Any) -> Any:
        values = value if isinstance(value, (list, tuple)) else [value]
        start = f"above {low:g} and up" if above else f"from {low:g}"
        wanted = f"a number {start} to {high:g}, or two of them"
        if (isinstance(value, (list, tuple)) and len(value) != 2) or not all(map(_is_number, values)):
            raise ValueError(f"expected {wanted}, got {value!r}")
        if any(v > high or v < low or (above and v == low) for v in values):
            raise ValueError(f"expected {wanted}, got {value!r}")
        return tuple(value) if isinstance(value, (list, tuple)) else value

    return Annotated[Any, BeforeValidator(check)]


def limits(value: Any, least: float = -1.0) -> tuple[float, float]:
    """A range as Keras reads it: a number f is from -f, but not below `least`, to f."""
    if isinstance(value, (list, tuple)):
        low, high = sorted(value)
        return float(low), float(high)
    return max(-abs(float(value)), least), abs(float(value))


def _pair(value: Any) -> Any:
    if not isinstance(value, (list, tuple)) or len(value) != 2 or not all(map(_is_number, value)):
        raise ValueError(f"expected two numbers, the least and the largest value, got {value!r}")
    return tuple(value)


ValueRange = Annotated[tuple[float, ...], BeforeValidator(_pair)]
"""The least and the largest value that pixels can have."""


class Augmentation(Layer):
    """A change of images in training, drawn anew for each image and step; outside of training images pass as they are.

    `draw` makes the random numbers, one row an image; `transform` is the change that they stand for. The numbers depend on the seed, the
    layer, the step and the row of the data, not on the row's place in the batch.
    """

    category: ClassVar[str] = "augmentation"

    def call(self, inputs: Value) -> Value:
        check_image(inputs, type(self).__name__)
        x = inputs if inputs.dtype in FLOATING else cast(inputs, self.compute_dtype)
        return self.transform(x, **self.draw(x)) if training() else self.without(x)

    def draw(self, x: Value) -> dict[str, Value]:
        """The random numbers for a batch, by the names of `transform`'s arguments."""
        raise TypeError(f"{type(self).__name__} has no draw")

    def transform(self, x: Value, **drawn: Value) -> Value:
        """The images changed as the numbers say."""
        raise TypeError(f"{type(self).__name__} has no transform")

    def without(self, x: Value) -> Value:
        """The images outside of training."""
        return x

    def uniform(self, x: Value, low: float, high: float, purpose: str, *more: int) -> Value:
        """Numbers from low to high of shape (batch, *more)."""
        shape = (x.shape[0], *more)
        drawn = random_uniform(shape, purpose, self.seed)
        return cast(drawn, x.dtype) * (high - low) + low

    def chosen(self, x: Value, given: Any) -> Value:
        """Whether each image (batch, 1, 1, 1) is changed, with a probability drawn from the range `given`."""
        low, high = limits(given, 0.0)
        probability = self.uniform(x, low, high, "probability")
        return by_image(self.uniform(x, 0.0, 1.0, "threshold") < probability)


def by_image(v: Value) -> Value:
    """(batch,) as (batch, 1, 1, 1)."""
    return reshape(v, (v.shape[0], 1, 1, 1))
