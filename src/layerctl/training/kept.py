"""What a checkpoint keeps of a training beside its tensors; a file of somebody else's may hold anything there."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from pydantic import BaseModel, ConfigDict, FiniteFloat, NonNegativeInt, ValidationError

from layerctl.modelfile.artifact import bad_metadata
from layerctl.modelfile.checkpoint import STATE, Checkpoint
from layerctl.modelfile.strictjson import shown

Number = int | float | bool | str | None
TENSORS = "tensors"
"""The key below which a callback's state names the tensors that it keeps in the file."""


class OfCallback(BaseModel):
    """A callback's numbers, and the names of its tensors."""

    model_config = ConfigDict(strict=True)

    kind: str
    state: dict[str, Number | list[Any] | dict[str, Any]]


class Kept(BaseModel):
    """How far a training came."""

    model_config = ConfigDict(strict=True)

    epoch: NonNegativeInt
    within: bool
    history: list[dict[str, Any]]
    elapsed: FiniteFloat
    callbacks: list[OfCallback]
    ended: bool = False
    data: str | None = None
    seed: int | None = None
    batch_size: int | None = None


def kept_in(found: Checkpoint, prefix: str) -> Kept:
    """What a checkpoint keeps; `prefix` begins the names of callbacks' tensors.

    Raises:
        LayerctlError: `bad-metadata` where it is not what a training writes.
    """
    try:
        kept = Kept.model_validate(found.state)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        way = ".".join([STATE, *map(str, first["loc"])])
        missing = first["type"] == "missing"
        bad_metadata(found.path, way, "missing" if missing else shown(first["input"]), "what a training writes" if missing else
                     first["msg"].removeprefix("Input should be "))  # fmt: skip
    for i, own in enumerate(kept.callbacks):
        own.state = {k: _tensors(found, f"{prefix}{i}/{k}", v) for k, v in own.state.items()}
    return kept


def _tensors(found: Checkpoint, name: str, value: Any) -> Number | list[Any] | dict[str, np.ndarray]:
    """A value of a callback's state, with the file's tensors in place of their names."""
    if not isinstance(value, Mapping) or set(value) != {TENSORS}:
        return value
    names = value[TENSORS] if isinstance(value[TENSORS], list) else [None]
    lost = next((n for n in names if f"{name}/{n}" not in found.tensors), None)
    if lost is not None or names == [None]:
        bad_metadata(found.path, f"{STATE}.callbacks", shown(lost), "the names of tensors in the file")
    return {n: found.tensors[f"{name}/{n}"] for n in names}
