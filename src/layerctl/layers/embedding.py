"""Vectors for ids."""

from __future__ import annotations

from typing import Any, ClassVar

from pydantic import Field, PositiveInt

from layerctl.configured import ConstraintField, InitializerField, RegularizerField
from layerctl.layers.base import Layer
from layerctl.ops.elementwise import apply, cast
from layerctl.ops.gather import take
from layerctl.ops.matmul import matmul
from layerctl.ops.value import NAMES_OF_DTYPES, Shape, Value, Weight, current


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


class ReversibleEmbedding(Embedding):
    """An embedding that also goes back: `x @ embeddings.T` gives a score for each id, from the same table. Press and Wolf 2017.

    Used once for ids, and once more for vectors: `use: embedding, from: {inputs: x, reverse: true}`.
    Shapes: (batch, ...) ids → (batch, ..., output_dim), or (batch, ..., output_dim) → (batch, ..., input_dim).
    """

    supports_masking: ClassVar[bool] = True

    tie_weights: bool = Field(True, description="Whether the way back uses the same table, or one of its own.")
    reverse_dtype: str | None = Field(None, description="The dtype of the scores: float32 or float64.")
    logit_soft_cap: float | None = Field(None, gt=0, description="Scores are brought to within this, by `cap * tanh(score / cap)`.")

    _back: Weight | None = None

    def build(self, input_shape: Shape) -> None:
        super().build(input_shape)
        if not self.tie_weights:
            self._back = self.add_weight("reverse_embeddings", (self.output_dim, self.input_dim), self.embeddings_initializer)

    def call(self, inputs: Value, reverse: bool = False) -> Value:
        if not reverse:
            return super().call(inputs)
        table = current().read(self._table if self._back is None else self._back)
        if self.reverse_dtype is not None:
            inputs, table = (cast(v, NAMES_OF_DTYPES[self.reverse_dtype]) for v in (inputs, table))
        scores = matmul(inputs, table, transpose_b=self._back is None)
        return scores if self.logit_soft_cap is None else apply("tanh", scores / self.logit_soft_cap) * self.logit_soft_cap

    def compute_mask(self, inputs: Any, mask: Any) -> Any:
        return super().compute_mask(inputs, mask) if inputs.dtype not in ("f32", "f64") or mask is None else mask
