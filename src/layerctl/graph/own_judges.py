"""Losses and metrics that a file defines by an expression of `y_true` and `y_pred`."""

from __future__ import annotations

from typing import ClassVar, Self

from pydantic import PrivateAttr

from layerctl.catalogue import snake_case
from layerctl.expressions.evaluate import evaluate
from layerctl.expressions.functions import functions
from layerctl.layers._defined import Definition
from layerctl.layers.base import training
from layerctl.losses.base import Loss, match_ranks
from layerctl.metrics.base import MeanMetric
from layerctl.ops.elementwise import broadcast_to, cast
from layerctl.ops.value import Shape, ShapeError, Value, shown

INPUTS = ("y_true", "y_pred")
"""What the expression takes, if `inputs` does not call them otherwise."""
REFUSED = ("weights", "update", "add_loss", "state", "next", "supports_masking")
"""Keys of a layer of expressions that a loss or a metric has no use for."""


class _Own:
    """What an own loss and an own metric share."""

    _body: Definition

    @classmethod
    def of(cls, body: Definition) -> Self:
        """The judge of a definition, reported by its name."""
        made = cls(name=snake_case(body.name))  # type: ignore[call-arg]
        made._body = body
        return made

    def computed(self, y_true: Value, y_pred: Value) -> Value:
        """The expression's value.

        Raises:
            ShapeError: for one number beside several predicted ones, which would be compared with each of them.
        """
        body = self._body
        if y_true.rank == y_pred.rank > 0 and int(y_true.shape[-1]) == 1 < int(y_pred.shape[-1]):
            text = f"the target has shape {shown(y_true.shape)}, the prediction {shown(y_pred.shape)}"
            raise ShapeError(f"{text}; class indices need `target: {{column: NAME, kind: category}}`")
        scope = {**body.arguments, **dict(zip(body.inputs, (y_true, y_pred), strict=True)), "training": training()}
        out = evaluate(body.call, scope, functions())
        if not isinstance(out, Value):
            raise ShapeError(f"the result of {body.name} is no tensor, but {out!r}")
        return out


class OwnLoss(_Own, Loss):
    """A loss by an expression: a value for each sample, or any tensor, of which the mean is taken."""

    distributions: ClassVar[bool] = True

    _body: Definition = PrivateAttr()

    def per_sample(self, y_true: Value, y_pred: Value) -> Value:
        return self.computed(y_true, y_pred)

    def target_classes(self, output: Shape) -> int | None:
        return int(output[-1]) if output and int(output[-1]) > 1 else None


class OwnMetric(_Own, MeanMetric):
    """A metric by an expression: the mean of its values, one number counting for all rows of a batch. Class indices come as they are."""

    _body: Definition = PrivateAttr()

    def values(self, y_true: Value, y_pred: Value) -> Value:
        if y_true.rank != y_pred.rank and y_pred.rank and int(y_pred.shape[-1]) == 1:
            y_true, y_pred = match_ranks(y_true, y_pred)
        out = self.computed(y_true if y_true.dtype == "i32" else cast(y_true, y_pred.dtype), y_pred)
        out = cast(out, y_pred.dtype)
        return out if out.rank else broadcast_to(out, y_pred.shape[:1])


JUDGES: dict[str, type[OwnLoss] | type[OwnMetric]] = {"losses": OwnLoss, "metrics": OwnMetric}

