"""A penalty on rows, or columns, that are not orthogonal."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field, NonNegativeFloat

from layerctl.ops.elementwise import apply
from layerctl.ops.leaves import constant
from layerctl.ops.matmul import matmul
from layerctl.ops.reduce import reduce
from layerctl.ops.value import ShapeError, Value, shown
from layerctl.regularizers.base import Regularizer


class OrthogonalRegularizer(Regularizer):
    """`factor * mean(|cosine|)` over all pairs of a matrix's rows or columns."""

    aliases: ClassVar[tuple[str, ...]] = ("orthogonal_regularizer",)

    factor: NonNegativeFloat = Field(0.01, description="The factor.")
    mode: Literal["rows", "columns"] = Field("rows", description="What is to be orthogonal.")

    def __call__(self, x: Value) -> Value:
        if x.rank != 2:
            raise ShapeError(f"OrthogonalRegularizer needs a matrix, got {shown(x.shape)}")
        axis = 1 if self.mode == "rows" else 0
        n = int(x.shape[1 - axis])
        squares = reduce("sum", apply("square", x), axis, keepdims=True)
        unit = x * apply("rsqrt", apply("max", squares, 1e-12))
        products = matmul(unit, unit, transpose_b=True) if axis else matmul(unit, unit, transpose_a=True)
        others = constant([[0.0 if i == j else 1.0 for j in range(n)] for i in range(n)], x.dtype)
        return reduce("sumabs", products * others) * (0.5 * self.factor / max(n * (n - 1) / 2.0, 1.0))
