"""Losses of embeddings."""

from __future__ import annotations

from typing import Any, ClassVar

from pydantic import Field, PositiveFloat

from layerctl.losses.base import Loss
from layerctl.ops.elementwise import apply, cast
from layerctl.ops.leaves import constant
from layerctl.ops.matmul import matmul
from layerctl.ops.reduce import reduce
from layerctl.ops.reshape import reshape
from layerctl.ops.stop import stop_gradient
from layerctl.ops.value import Shape, ShapeError, Value, shown


def cosine(y_true: Value, y_pred: Value, axis: int) -> Value:
    """The cosine of the angle between the two along an axis."""

    def unit(v: Value) -> Value:
        return v * apply("rsqrt", apply("max", reduce("sum", apply("square", v), axis, keepdims=True), 1e-12))

    return reduce("sum", unit(y_true) * unit(y_pred), axis)


class CosineSimilarity(Loss):
    """`-sum(y_true y_pred) / (|y_true| |y_pred|)`: -1 for the same direction."""

    axis: int = Field(-1, description="The dimension of the vectors.")

    def per_sample(self, y_true: Value, y_pred: Value) -> Value:
        return -cosine(y_true, y_pred, self.axis)


class Circle(Loss):
    """`softplus(logsumexp(gamma * ...) of pairs alike + logsumexp(...) of pairs not alike)` over cosine distances. Sun et al. 2020.

    The target holds each sample's label; predictions are embeddings of length 1. Samples without a pair do not count.
    """

    classes: ClassVar[bool] = True

    gamma: PositiveFloat = Field(80.0, description="The scale.")
    margin: float = Field(0.4, ge=0, le=1, description="The margin between pairs alike and not.")
    remove_diagonal: bool = Field(True, description="Whether a sample's pair with itself is left out.")

    def target_classes(self, output: Shape) -> int | None:
        return None

    def per_sample(self, y_true: Value, y_pred: Value) -> Value:
        if y_pred.rank != 2:
            raise ShapeError(f"Circle needs embeddings (batch, size), got {shown(y_pred.shape)}")
        n = int(y_pred.shape[0])
        labels = reshape(cast(y_true, "i32"), (n,))
        alike = apply("eq", reshape(labels, (n, 1)), reshape(labels, (1, n)))
        pairs = constant([[i != j for j in range(n)] for i in range(n)], "bool")
        near = apply("and", alike, pairs) if self.remove_diagonal else alike
        far = apply("not", alike)
        d = apply("max", 1.0 - matmul(y_pred, y_pred, transpose_b=True), 0.0)
        kept_near, kept_far = cast(near, d.dtype), cast(far, d.dtype)
        pull = apply("max", (d + self.margin) * kept_near, 0.0) * (self.margin - d) * -self.gamma
        push = apply("max", (1.0 + self.margin - d) * kept_far, 0.0) * (1.0 - self.margin - d) * self.gamma
        return _softplus_of_sum(_logsum(pull, near), _logsum(push, far), apply("and", reduce("any", near, 1), reduce("any", far, 1)))

    def counted(self, y_true: Value, y_pred: Value, values: Value) -> Value | None:
        kept = stop_gradient(values) > 0.0
        return kept if y_pred.mask is None else apply("and", kept, y_pred.mask)


def _logsum(x: Value, kept: Value) -> Any:
    """log(sum(exp(x))) along the rows over what is kept; a very small number where nothing is."""
    low = apply("where", kept, x, -1e30)
    top = stop_gradient(apply("max", reduce("max", low, 1, keepdims=True), -1e29))
    total = reduce("sum", apply("where", kept, apply("exp", low - top), 0.0), 1)
    return apply("log", apply("max", total, 1e-37)) + reshape(top, (x.shape[0],))


def _softplus_of_sum(a: Value, b: Value, paired: Value) -> Value:
    return apply("where", paired, apply("softplus", apply("where", paired, a + b, 0.0)), 0.0)
