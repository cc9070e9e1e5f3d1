"""Nothing done."""

from __future__ import annotations

from typing import Any, ClassVar

from layerctl.layers.base import Layer


class Identity(Layer):
    """`x`: a place with a name. Shapes: any → the same."""

    category: ClassVar[str] = "core"
    supports_masking: ClassVar[bool] = True

    def call(self, inputs: Any) -> Any:
        return inputs
