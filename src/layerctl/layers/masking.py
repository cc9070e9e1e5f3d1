"""Time steps left out."""

from __future__ import annotations

from typing import Any, ClassVar

from pydantic import Field

from layerctl.layers.base import Layer
from layerctl.ops.elementwise import apply, cast
from layerctl.ops.reduce import reduce
from layerctl.ops.value import Value


class Masking(Layer):
    """Masks time steps all of whose features equal `mask_value`, and sets them to 0. Shapes: (batch, time, features) → the same."""

    category: ClassVar[str] = "core"
    supports_masking: ClassVar[bool] = True

    mask_value: float = Field(0.0, description="The value of a step that is left out.")

    def call(self, inputs: Value) -> Value:
        return inputs * cast(self._kept(inputs, keepdims=True), inputs.dtype)

    def compute_mask(self, inputs: Any, mask: Any) -> Any:
        return self._kept(inputs, keepdims=False)

    def _kept(self, inputs: Value, keepdims: bool) -> Value:
        return reduce("any", apply("ne", inputs, self.mask_value), -1, keepdims)
