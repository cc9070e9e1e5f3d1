"""Numbers as bins, ids as rows of zeros and ones."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from typing import Any, ClassVar, Literal

from pydantic import Field, PositiveInt, field_validator, model_validator

from layerctl.layers._encoding import MODES, OutputMode, Sparse, encode
from layerctl.layers.base import Layer
from layerctl.ops.bins import bins
from layerctl.ops.elementwise import FLOATING, cast
from layerctl.ops.leaves import constant
from layerctl.ops.value import Shape, ShapeError, Value, Weight, current


class CategoryEncoding(Layer):
    """Ids as a 1 at each id (one_hot), a row's ids as a set (multi_hot) or how often a row has each (count).

    Shapes: (batch, n) ids → (batch, num_tokens), for one_hot (batch, n, num_tokens), a last dimension of 1 dropped. Ids outside of
    0 to num_tokens - 1 give zeros. `count_weights` at the call weighs what is counted.
    """

    category: ClassVar[str] = "preprocessing"

    num_tokens: PositiveInt = Field(description="How many ids there are.")
    output_mode: Literal["multi_hot", "one_hot", "count", "binary"] = Field("multi_hot", description=MODES.split("; ", 1)[1] + " binary is multi_hot.")
    sparse: Sparse = Field(False, description="Only false.")

    def call(self, inputs: Value, count_weights: Value | None = None) -> Value:
        mode = "multi_hot" if self.output_mode == "binary" else self.output_mode
        if count_weights is not None and mode != "count":
            raise ShapeError(f"CategoryEncoding: count_weights is for output_mode count, got {mode}")
        return encode(cast(inputs, "i32"), mode, self.num_tokens, self.compute_dtype, "CategoryEncoding", count_weights)


class Discretization(Layer):
    """The number of the bin that x falls into: how many of the rising boundaries are not above it.

    Without `bin_boundaries` they are found when training begins, from the rows of the input before it, so that about equally many numbers
    fall into each of `num_bins`. Shapes: (batch, ...) → the same (int32), or as CategoryEncoding's.
    """

    category: ClassVar[str] = "preprocessing"

    bin_boundaries: list[float] | None = Field(None, description="The boundaries, in rising order.")
    num_bins: PositiveInt | None = Field(None, description="How many bins are made from the training rows.")
    epsilon: float = Field(0.01, gt=0, lt=1, description="How finely the rows are summarised before: the step between the shares that are kept.")
    output_mode: OutputMode = Field("int", description=MODES)
    sparse: Sparse = Field(False, description="Only false.")

    _boundaries: Weight
    _count: Weight

    @field_validator("bin_boundaries")
    @classmethod
    def _rising(cls, value: list[float] | None) -> list[float] | None:
        if value is not None and (not value or any(a > b for a, b in itertools.pairwise(value))):
            raise ValueError(f"expected numbers in rising order, got {value}")
        return value

    @model_validator(mode="after")
    def _either(self) -> Discretization:
        if (self.bin_boundaries is None) == (self.num_bins is None):
            raise ValueError("give either num_bins or bin_boundaries")
        return self

    @property
    def adapts(self) -> bool:
        return self.bin_boundaries is None

    def build(self, input_shape: Shape) -> None:
        if self.num_bins is not None:
            self._boundaries = self.add_weight("bin_boundaries", (self.num_bins - 1,), "zeros", trainable=False, dtype="f32")
            self._count = self.add_weight("count", (), "zeros", trainable=False, dtype="i32")

    def call(self, inputs: Value) -> Value:
        x = inputs if inputs.dtype in FLOATING else cast(inputs, "f32")
        known = self.bin_boundaries
        if known is None and self.num_bins == 1:
            ids = cast(x * 0.0, "i32")
        else:
            ids = bins(x, constant(known, x.dtype) if known is not None else current().read(self._boundaries))
        depth = len(known) + 1 if known is not None else int(self.num_bins or 1)
        return encode(ids, self.output_mode, depth, "i32" if self.output_mode == "int" else self.compute_dtype, "Discretization")

    def adapt(self, rows: Any) -> Mapping[Weight, Any]:
        import numpy as np

        cut = boundaries_of(rows, int(self.num_bins or 1), self.epsilon)
        out = np.full(self._boundaries.shape, np.inf, np.float32)
        out[: len(cut)] = cut
        return {self._boundaries: out, self._count: len(rows)}

    def adapted(self) -> Weight:
        return self._count


def boundaries_of(values: Any, num_bins: int, epsilon: float) -> Any:
    """The boundaries between `num_bins` bins that hold about equally many of the values, as Keras's Discretization finds them.

    The sorted values are thinned to about 1 / epsilon with equal weights, these are interpolated at the shares epsilon, 2 epsilon, ...
    of the weight, and the result again at the bins' shares.
    """
    import numpy as np

    ordered = np.sort(np.asarray(values, np.float32).ravel())
    step = max(len(ordered) / (1.0 / epsilon), 1)
    kept = ordered[int(step - 1) :: int(step)]
    summary = _thinned(np.stack([kept, np.ones_like(kept) * step]), epsilon)
    return _thinned(summary, 1.0 / num_bins)[0, :-1]


def _thinned(summary: Any, epsilon: float) -> Any:
    import numpy as np

    if summary.shape[1] * epsilon < 1:
        return summary
    shares = epsilon + np.arange(0.0, 1.0, epsilon)
    weights = summary[1].cumsum()
    places = weights / weights[-1]
    values, reached = np.interp(shares, places, summary[0]), np.interp(shares, places, weights)
    return np.stack([values, reached - np.concatenate([[0], reached[:-1]])]).astype(np.float32)
