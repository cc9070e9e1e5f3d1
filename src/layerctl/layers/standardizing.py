"""Features brought to mean 0 and variance 1 by known or fitted numbers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from pydantic import Field, model_validator

from layerctl.layers.base import Layer
from layerctl.ops.elementwise import apply, cast
from layerctl.ops.leaves import constant
from layerctl.ops.reshape import reshape
from layerctl.ops.value import Shape, ShapeError, Unknown, Value, Weight, current, shown

EPSILON = 1e-7


class Normalization(Layer):
    """`(x - mean) / max(sqrt(variance), 1e-7)`, a mean and a variance for each place along `axis`; `invert` goes the other way.

    Without `mean` and `variance` they are found when training begins, from the rows of the input before it, and kept from then on.
    Shapes: (batch, ...) → the same.
    """

    category: ClassVar[str] = "preprocessing"
    supports_masking: ClassVar[bool] = True

    axis: int | list[int] | None = Field(-1, description="The dimensions that have their own mean and variance; null for one of all numbers.")
    mean: Any = Field(None, description="A number, or one for each place along `axis`.")
    variance: Any = Field(None, description="Likewise; given together with `mean`.")
    invert: bool = Field(False, description="x * sqrt(variance) + mean.")

    _mean: Weight
    _variance: Weight
    _count: Weight

    @model_validator(mode="after")
    def _both(self) -> Normalization:
        import numpy as np

        if (self.mean is None) != (self.variance is None):
            raise ValueError("give both mean and variance, or neither")
        if self.mean is not None:
            if np.asarray(self.mean).dtype.kind not in "fi" or np.asarray(self.variance).dtype.kind not in "fi":
                raise ValueError(f"expected numbers, got mean {self.mean!r} and variance {self.variance!r}")
            if np.shape(self.mean) != np.shape(self.variance) or np.ndim(self.mean) > len(self._axes()):
                raise ValueError(f"mean and variance must have one shape of at most {len(self._axes())} dimensions, the number of axes")
        return self

    @property
    def adapts(self) -> bool:
        return self.mean is None

    def _axes(self) -> list[int]:
        return [] if self.axis is None else [self.axis] if isinstance(self.axis, int) else list(self.axis)

    def _kept(self, shape: Shape) -> list[int]:
        """The axes counted from the front."""
        if any(not -len(shape) <= a < len(shape) for a in self._axes()):
            raise ShapeError(f"Normalization: axis {self.axis} is outside of {shown(shape)}")
        kept = sorted(a % len(shape) for a in self._axes())
        if any(isinstance(shape[a], Unknown) for a in kept):
            raise ShapeError(f"Normalization: axis {self.axis} of {shown(shape)} is open: give that dimension a number in the input's shape")
        return kept

    def build(self, input_shape: Shape) -> None:
        kept = [input_shape[a] for a in self._kept(input_shape)]
        if self.mean is None:
            self._mean = self.add_weight("mean", kept, "zeros", trainable=False)
            self._variance = self.add_weight("variance", kept, "ones", trainable=False)
            self._count = self.add_weight("count", (), "zeros", trainable=False, dtype="i32")

    def call(self, inputs: Value) -> Value:
        x = cast(inputs, self.compute_dtype)
        if self.mean is None:
            mean, variance = self._placed(x, current().read(self._mean)), self._placed(x, current().read(self._variance))
        else:
            mean, variance = (self._placed(x, constant(v, x.dtype)) for v in (self.mean, self.variance))
        spread = apply("max", apply("sqrt", variance), EPSILON)
        return x * spread + mean if self.invert else (x - mean) / spread

    def _placed(self, x: Value, v: Value) -> Value:
        """Numbers for each place along the axes as a tensor that broadcasts against x."""
        if v.rank == 0:
            return v
        shape = [1] * x.rank
        for axis, size in zip(self._kept(x.shape)[-v.rank :], v.shape, strict=True):
            if size not in (1, x.shape[axis]):
                raise ShapeError(f"Normalization: {size} means for axis {axis} of {shown(x.shape)}")
            shape[axis] = size
        return reshape(v, shape)

    def adapt(self, rows: Any) -> Mapping[Weight, Any]:
        import numpy as np

        kept = self._kept(rows.shape)
        flat = np.moveaxis(np.asarray(rows, np.float64), kept, range(-len(kept), 0)).reshape(-1, int(np.prod(self._mean.shape)))
        mean = _total(flat) / len(flat)
        variance = _total((flat - mean) ** 2) / len(flat)
        return {self._mean: mean.reshape(self._mean.shape), self._variance: variance.reshape(self._mean.shape), self._count: len(rows)}

    def adapted(self) -> Weight:
        return self._count


def _total(x: Any) -> Any:
    """Sums of columns by a fixed tree, the same on every machine."""
    import numpy as np

    while len(x) > 1:
        x = np.concatenate([x, np.zeros_like(x[:1])]) if len(x) % 2 else x
        x = x[0::2] + x[1::2]
    return x[0]
