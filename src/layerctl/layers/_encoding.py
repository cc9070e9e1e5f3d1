"""Ids as they are, one-hot, as a set, or counted: what the layers over categories have in common."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator

from layerctl.ops.bins import tally
from layerctl.ops.elementwise import apply, broadcast_to, cast
from layerctl.ops.leaves import constant
from layerctl.ops.reshape import reshape
from layerctl.ops.select import one_hot
from layerctl.ops.transpose import move_axis
from layerctl.ops.value import ShapeError, Value, shown

OutputMode = Literal["int", "one_hot", "multi_hot", "count"]
MODES = "int: the ids; one_hot: a 1 at each id; multi_hot: a row's ids as a set; count: how often a row has each id."


def _dense(value: Any) -> Any:
    if value is not False:
        raise ValueError("sparse tensors are not computed with here; leave sparse away")
    return value


Sparse = Annotated[bool, BeforeValidator(_dense)]
"""Keras's argument `sparse`, of which only false is known."""


def encode(ids: Value, mode: str, depth: int, dtype: str, who: str, weights: Value | None = None) -> Value:
    """Ids (i32) in an output mode: `multi_hot` and `count` run over dimension 1."""
    if mode == "int":
        return cast(ids, dtype)
    if mode == "one_hot":
        single = ids.rank > 1 and ids.shape[-1] == 1
        return one_hot(reshape(ids, ids.shape[:-1]) if single else ids, depth, dtype)
    if ids.rank < 2:
        raise ShapeError(f"{who}: {mode} needs several ids a row, (batch, ids), got {shown(ids.shape)}")
    ones = broadcast_to(constant(1.0, dtype), ids.shape) if weights is None else cast(weights, dtype)
    if tuple(map(int, ones.shape)) != tuple(map(int, ids.shape)):
        raise ShapeError(f"{who}: count_weights of shape {shown(ones.shape)} for ids of shape {shown(ids.shape)}")
    counts = tally(move_axis(ids, 1, -1), move_axis(ones, 1, -1), depth)
    return apply("min", counts, 1.0) if mode == "multi_hot" else counts
