"""What layers over images share: where height, width and channels stand, and the check of an image's shape."""

from __future__ import annotations

from layerctl.ops.slicing import slice_
from layerctl.ops.value import ShapeError, Value, shown


def check_image(x: Value, who: str) -> None:
    """Raises:
    ShapeError: if x is no batch of images.
    """
    if x.rank != 4:
        raise ShapeError(f"{who} needs images of 4 dimensions (batch, height, width, channels), got {shown(x.shape)}")


def spatial(data_format: str | None, dimensions: int = 2) -> tuple[int, ...]:
    """The dimensions of space."""
    first = 2 if data_format == "channels_first" else 1
    return tuple(range(first, first + dimensions))


def window(x: Value, axes: tuple[int, ...], starts: tuple[int, ...], sizes: tuple[int, ...]) -> Value:
    """A box of x along some dimensions."""
    low, high = [0] * x.rank, list(x.shape)
    for axis, start, size in zip(axes, starts, sizes, strict=True):
        low[axis], high[axis] = start, start + size
    return slice_(x, low, high)
