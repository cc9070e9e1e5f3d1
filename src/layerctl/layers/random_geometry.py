"""Images turned, moved, stretched and cut at random in training."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

from pydantic import Field, PositiveInt

from layerctl.layers._arguments import DataFormat
from layerctl.layers._augmentation import Augmentation, by_image, limits, number_or_range
from layerctl.layers._images import spatial, window
from layerctl.ops.concat import concat
from layerctl.ops.elementwise import apply, broadcast_to, cast
from layerctl.ops.leaves import constant
from layerctl.ops.resample import aspect_crop, resize
from layerctl.ops.reshape import reshape
from layerctl.ops.slicing import flip
from layerctl.ops.transpose import move_axis
from layerctl.ops.value import Value
from layerctl.ops.warp import warp

FillMode = Literal["reflect", "wrap", "constant", "nearest"]
Interpolation = Literal["nearest", "bilinear"]
_FILL = "What stands beyond the edge: the mirrored image, the image again, `fill_value`, or the edge."
_BETWEEN = "What stands between pixels."
_VALUE = "The value beyond the edge where fill_mode is constant."
_SEED = "The layer's own seed."
_CHANNELS = "Where the channels stand; last if not given."


class RandomFlip(Augmentation):
    """In training an image is mirrored with probability 1/2; `horizontal_and_vertical` mirrors in both ways at once, or in none.

    Shapes: (batch, height, width, channels) → the same.
    """

    mode: Literal["horizontal_and_vertical", "horizontal", "vertical"] = Field("horizontal_and_vertical", description="Left to right, upside down, or both.")
    seed: int | None = Field(None, description=_SEED)
    data_format: DataFormat = Field(None, description=_CHANNELS)

    def draw(self, x: Value) -> dict[str, Value]:
        return {"flips": self.uniform(x, 0.0, 1.0, "flip") <= 0.5}

    def transform(self, x: Value, flips: Value) -> Value:
        rows, columns = spatial(self.data_format)
        axes = {"horizontal": [columns], "vertical": [rows]}.get(self.mode, [rows, columns])
        return apply("where", by_image(flips), flip(x, axes), x)


class _Warped(Augmentation):
    """Images seen through a map of their coordinates: `maps` gives it for each image from the drawn numbers."""

    category: ClassVar[str] = "augmentation"

    def transform(self, x: Value, **drawn: Value) -> Value:
        first = self.data_format == "channels_first"
        image = move_axis(x, 1, -1) if first else x
        maps = joined(self.maps(int(image.shape[1]), int(image.shape[2]), **drawn), x)
        y = warp(image, maps, self.interpolation, self.fill_mode, self.fill_value)
        return move_axis(y, -1, 1) if first else y

    def maps(self, height: int, width: int, **drawn: Value) -> list[Value | float]:
        """The six numbers (a0, a1, a2, b0, b1, b2) of ops/warp.py, each one number or one for each image."""
        raise TypeError(f"{type(self).__name__} has no maps")


def joined(entries: list[Any], x: Value) -> Value:
    """Six numbers, or tensors (batch,), as (batch, 6)."""
    column = (x.shape[0], 1)
    return concat([
        cast(reshape(e, column), x.dtype) if isinstance(e, Value) else broadcast_to(constant(e, x.dtype), column) for e in entries
    ], axis=1)  # fmt: skip


class RandomRotation(_Warped):
    """In training an image is turned about its centre by an angle from `factor` times 2 pi; positive is counter-clockwise.

    Shapes: (batch, height, width, channels) → the same.
    """

    factor: number_or_range(-1, 1) = Field(description="The share of a full turn: f for -f to f, or (lower, upper).")
    fill_mode: FillMode = Field("reflect", description=_FILL)
    interpolation: Interpolation = Field("bilinear", description=_BETWEEN)
    seed: int | None = Field(None, description=_SEED)
    fill_value: float = Field(0.0, description=_VALUE)
    data_format: DataFormat = Field(None, description=_CHANNELS)

    def draw(self, x: Value) -> dict[str, Value]:
        low, high = limits(self.factor)
        return {"angle": self.uniform(x, low * 360.0, high * 360.0, "angle")}

    def maps(self, height: int, width: int, angle: Value) -> list[Value | float]:
        radians = angle * 0.017453292519943295
        cos, sin = apply("cos", radians), apply("sin", radians)
        x, y = (width - 1) / 2, (height - 1) / 2
        return [cos, -sin, x - cos * x + sin * y, sin, cos, y - sin * x - cos * y]


class RandomZoom(_Warped):
    """In training an image shows `1 + z` of its height and `1 + v` of its width about the centre: negative factors zoom in.

    Shapes: (batch, height, width, channels) → the same.
    """

    height_factor: number_or_range(-1, 1, above=True) = Field(description="The range of z: f for -f to f, or (lower, upper).")
    width_factor: number_or_range(-1, 1, above=True) | None = Field(None, description="The range of v; v is z if not given, which keeps the proportions.")
    fill_mode: FillMode = Field("reflect", description=_FILL)
    interpolation: Interpolation = Field("bilinear", description=_BETWEEN)
    seed: int | None = Field(None, description=_SEED)
    fill_value: float = Field(0.0, description=_VALUE)
    data_format: DataFormat = Field(None, description=_CHANNELS)

    def draw(self, x: Value) -> dict[str, Value]:
        low, high = limits(self.height_factor)
        vertical = self.uniform(x, 1.0 + low, 1.0 + high, "height")
        if self.width_factor is None:
            return {"height_zoom": vertical, "width_zoom": vertical}
        low, high = limits(self.width_factor)
        return {"height_zoom": vertical, "width_zoom": self.uniform(x, 1.0 + low, 1.0 + high, "width")}

    def maps(self, height: int, width: int, height_zoom: Value, width_zoom: Value) -> list[Value | float]:
        beside, above = (1.0 - width_zoom) * ((width - 1) / 2), (1.0 - height_zoom) * ((height - 1) / 2)
        return [width_zoom, 0.0, beside, 0.0, height_zoom, above]


class RandomTranslation(_Warped):
    """In training an image is moved down and to the right by shares of its height and width; negative is up and to the left.

    Shapes: (batch, height, width, channels) → the same.
    """

    height_factor: number_or_range(-1, 1) = Field(description="The range of the share of the height: f for -f to f, or (lower, upper).")
    width_factor: number_or_range(-1, 1) = Field(description="The range of the share of the width.")
    fill_mode: FillMode = Field("reflect", description=_FILL)
    interpolation: Interpolation = Field("bilinear", description=_BETWEEN)
    seed: int | None = Field(None, description=_SEED)
    fill_value: float = Field(0.0, description=_VALUE)
    data_format: DataFormat = Field(None, description=_CHANNELS)

    def draw(self, x: Value) -> dict[str, Value]:
        (low, high), (left, right) = limits(self.height_factor), limits(self.width_factor)
        return {"down": self.uniform(x, low, high, "height"), "over": self.uniform(x, left, right, "width")}

    def maps(self, height: int, width: int, down: Value, over: Value) -> list[Value | float]:
        return [1.0, 0.0, over * -float(width), 0.0, 1.0, down * -float(height)]


class RandomShear(_Warped):
    """In training an image's rows are shifted in proportion to their number, and its columns likewise, both one way or both the other.

    Shapes: (batch, height, width, channels) → the same.
    """

    x_factor: number_or_range(0, 1) = Field(0.0, description="The range of the rows' shift a row: f for -f to f, or (lower, upper).")
    y_factor: number_or_range(0, 1) = Field(0.0, description="The range of the columns' shift a column.")
    interpolation: Interpolation = Field("bilinear", description=_BETWEEN)
    fill_mode: FillMode = Field("reflect", description=_FILL)
    fill_value: float = Field(0.0, description=_VALUE)
    data_format: DataFormat = Field(None, description=_CHANNELS)
    seed: int | None = Field(None, description=_SEED)

    def draw(self, x: Value) -> dict[str, Value]:
        (left, right), (low, high) = limits(self.x_factor), limits(self.y_factor)
        way = apply("where", self.uniform(x, 0.0, 1.0, "way") > 0.5, constant(-1.0, x.dtype), constant(1.0, x.dtype))
        return {"along_x": self.uniform(x, left, right, "x") * way, "along_y": self.uniform(x, low, high, "y") * way}

    def maps(self, height: int, width: int, along_x: Value, along_y: Value) -> list[Value | float]:
        return [1.0, along_x, 0.0, along_y, 1.0, 0.0]


class RandomCrop(Augmentation):
    """In training a box of `height` by `width` from each image, each place alike likely.

    Outside of training, and where the images are not larger in both ways, it is the largest box of the result's proportions in the middle,
    resized (bilinear). Shapes: (batch, h, w, channels) → (batch, height, width, channels).
    """

    height: PositiveInt = Field(description="The result's height.")
    width: PositiveInt = Field(description="The result's width.")
    seed: int | None = Field(None, description=_SEED)
    data_format: DataFormat = Field(None, description=_CHANNELS)

    def _room(self, x: Value) -> tuple[int, int]:
        rows, columns = spatial(self.data_format)
        return int(x.shape[rows]) - self.height, int(x.shape[columns]) - self.width

    def draw(self, x: Value) -> dict[str, Value]:
        down, over = self._room(x)
        if down <= 0 or over <= 0:
            return {}
        return {"top": apply("floor", self.uniform(x, 0.0, down + 1.0, "top")), "left": apply("floor", self.uniform(x, 0.0, over + 1.0, "left"))}

    def transform(self, x: Value, **drawn: Value) -> Value:
        if not drawn:
            return self.without(x)
        first = self.data_format == "channels_first"
        maps = joined([1.0, 0.0, drawn["left"], 0.0, 1.0, drawn["top"]], x)
        y = warp(move_axis(x, 1, -1) if first else x, maps, "nearest", "nearest", size=(self.height, self.width))
        return move_axis(y, -1, 1) if first else y

    def without(self, x: Value) -> Value:
        axes, sizes = spatial(self.data_format), (self.height, self.width)
        top, left, high, wide = aspect_crop(int(x.shape[axes[0]]), int(x.shape[axes[1]]), *sizes)
        return resize(window(x, axes, (top, left), (high, wide)), axes, sizes, "bilinear")
