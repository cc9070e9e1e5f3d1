"""Where a model's data come in."""

from __future__ import annotations

from typing import Any, ClassVar

from pydantic import Field, field_validator

from layerctl.layers.base import Layer
from layerctl.ops.value import NUMBERS

STRING = "string"
"""The dtype of texts. A text is a row of bytes in the model: UTF-8 along one more dimension, open, with zeros behind."""


class Input(Layer):
    """A model's input: `shape` without the batch, null for an open dimension.

    Shapes: gives (batch, *shape).
    """

    category: ClassVar[str] = "core"
    aliases: ClassVar[tuple[str, ...]] = ("InputLayer",)
    supports_masking: ClassVar[bool] = True

    shape: list[int | None] | None = Field(None, description="Sizes without the batch; null for an open dimension.")
    batch_size: int | None = Field(None, ge=1, description="Ignored: a program is bound for each size of a batch.")
    batch_shape: list[int | None] | None = Field(
        None, description="The shape with the batch first, in place of `shape`."
    )

    @field_validator("shape", "batch_shape", mode="before")
    @classmethod
    def _listed(cls, value: Any) -> Any:
        return [value] if isinstance(value, int) and not isinstance(value, bool) else value

    @field_validator("shape", "batch_shape")
    @classmethod
    def _positive(cls, value: list[int | None] | None) -> list[int | None] | None:
        for d in value or ():
            if d is not None and d < 1:
                raise ValueError(f"sizes must be at least 1, got {d}")
        return value

    @field_validator("dtype")
    @classmethod
    def _known_dtype(cls, value: str | None) -> str | None:
        if value is not None and value not in (*NUMBERS, STRING):
            raise ValueError(f"expected one of {', '.join((*NUMBERS, STRING))}, got {value!r}")
        return value

    def model_post_init(self, context: Any) -> None:
        if (self.shape is None) == (self.batch_shape is None):
            raise ValueError("give either 'shape' or 'batch_shape'")

    def full_shape(self) -> tuple[int | None, ...]:
        """The shape without the batch; texts have the bytes' dimension too."""
        own = tuple(self.shape if self.shape is not None else (self.batch_shape or [])[1:])
        return (*own, None) if self.dtype == STRING else own

    def element(self) -> str:
        """The dtype of its tensor (`f32`)."""
        return "u8" if self.dtype == STRING else NUMBERS[self.dtype or "float32"]

    def call(self, inputs: Any) -> Any:
        return inputs
