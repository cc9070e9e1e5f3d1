"""What a tensor is without its numbers: shapes, dtypes, and dimensions that a model leaves open.

A dimension that the model leaves open (the batch, a `null` in an input's shape) is an `Unknown`: an int with the number it has in this
trace, which prints as None and makes whatever is computed from it unknown too.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

DTYPES = {"f32": "float32", "f64": "float64", "i32": "int32", "i64": "int64", "bool": "bool", "u8": "uint8"}
NAMES_OF_DTYPES = {v: k for k, v in DTYPES.items()}
NUMBERS = {v: k for k, v in DTYPES.items() if k != "u8"}
"""The dtypes that a file may name and arithmetic takes. Tensors of u8 are texts: UTF-8 along the last dimension, zeros behind."""
SIZE_OF = {"f32": 4, "f64": 8, "i32": 4, "i64": 8, "bool": 1, "u8": 1}


class Unknown(int):
    """A dimension that is None in the model and a number in this trace."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "None"

    __str__ = __repr__

    def __add__(self, other: int) -> Unknown:
        return Unknown(int(self) + int(other))

    __radd__ = __add__

    def __sub__(self, other: int) -> Unknown:
        return Unknown(int(self) - int(other))

    def __rsub__(self, other: int) -> Unknown:
        return Unknown(int(other) - int(self))

    def __mul__(self, other: Any) -> Any:
        return Unknown(int(self) * int(other)) if isinstance(other, int) else int(self) * other

    __rmul__ = __mul__

    def __floordiv__(self, other: int) -> Unknown:
        return Unknown(int(self) // int(other))

    def __rfloordiv__(self, other: int) -> Unknown:
        return Unknown(int(other) // int(self))

    def __mod__(self, other: int) -> int:
        return int(self) % int(other)

    def __neg__(self) -> Unknown:
        return Unknown(-int(self))

    def __hash__(self) -> int:
        return int.__hash__(self)


Shape = tuple[int, ...]


class ShapeError(ValueError):
    """Shapes, dtypes or arguments that an op or a layer cannot take; says which and what it wanted."""


class NoForm(ValueError):
    """What has no form in a file that is exported; says why, where there is more to it than that nobody wrote one."""


def shown(shape: Sequence[int | None]) -> str:
    """A shape as Keras prints it: (None, 28, 28, 1)."""
    inside = ", ".join("None" if d is None or isinstance(d, Unknown) else str(d) for d in shape)
    return f"({inside},)" if len(shape) == 1 else f"({inside})"


def product(shape: Sequence[int]) -> int:
    """The number of elements; unknown if a dimension is."""
    out: int = 1
    for d in shape:
        out = out * d
    return out


def sizes_of(shape: Shape) -> list[int | None]:
    """A shape as a file's expressions see it: open sizes are None."""
    return [None if isinstance(d, Unknown) else int(d) for d in shape]


@dataclass(frozen=True, slots=True)
class Type:
    """A shape and a dtype (`f32`, `f64`, `i32`, `i64`, `bool`)."""

    shape: Shape
    dtype: str = "f32"

    @property
    def size(self) -> int:
        """Bytes."""
        return int(product(self.shape)) * SIZE_OF[self.dtype]
