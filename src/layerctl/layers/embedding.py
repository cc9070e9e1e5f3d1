"""Vectors for ids."""

from __future__ import annotations

from typing import Any, ClassVar

from pydantic import Field, PositiveInt

from layerctl.configured import ConstraintField, InitializerField, RegularizerField
from layerctl.layers.base import Layer
from layerctl.ops.elementwise import apply, cast
from layerctl.ops.gather import take
from layerctl.ops.value import Shape, Value, Weight, current


class Embedding(Layer):
    """`embeddings[ids]`: a learned vector for each id from 0 to input_dim - 1.

    Shapes: (batch, ...) ids → (batch, ..., output_dim).
    """

    category: ClassVar[str] = "core"

    input_dim: PositiveInt = Field(description="How many ids there are.")
    output_dim: PositiveInt = Field(description="The vectors' size.")
    embeddings_initializer: InitializerField = Field("uniform", description="Fills the table.", validate_default=True)
    embeddings_regularizer: RegularizerField = Field(None, description="Penalty on the table.")
    embeddings_constraint: ConstraintField = Field(None, description="Applied to the table after each step.")
    mask_zero: bool = Field(False, description="Whether id 0 is padding, which layers behind leave out.")

    _table: Weight

    def build(self, input_shape: Shape) -> None:
        self._table = self.add_weight(
            "embeddings", (self.input_dim, self.output_dim), self.embeddings_initializer,
            regularizer=self.embeddings_regularizer, constraint=self.embeddings_constraint,
        )  # fmt: skip

    def call(self, inputs: Value) -> Value:
        return take(current().read(self._table), cast(inputs, "i32"), 0)

    def compute_mask(self, inputs: Any, mask: Any) -> Any:
        return apply("ne", inputs, 0) if self.mask_zero else None
