"""What an optimizer has gathered, weight by weight: how files keep it, and its way into a session, where slots stand in groups."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, NoReturn

import numpy as np

from layerctl.compile.program import Group
from layerctl.diagnostics import Span, fail
from layerctl.modelfile import tensors
from layerctl.modelfile.artifact import GATHERED, TRAINING, model_from
from layerctl.ops.value import Weight

if TYPE_CHECKING:
    from layerctl.training.session import Session

STEPS, RATE = f"{GATHERED}iteration", f"{GATHERED}learning_rate"
_HINT = "leave `optimizer: true` out, or train with the optimizer and the weights that the file was trained with"


def key(path: str, slot: str) -> str:
    """Under which name files keep a weight's slot."""
    return f"{GATHERED}{path}/{slot}"


def gathered_in(path: str | os.PathLike[str], span: Span | None) -> dict[str, np.ndarray]:
    """What the optimizer of a model file has gathered.

    Raises:
        LayerctlError: for a file that holds nothing of it.
    """
    arrays, metadata = tensors.load(path, foreign_allowed=True) if os.fspath(path).endswith(".safetensors") else ({}, {})
    model = model_from(os.fspath(path), arrays, metadata) if TRAINING in metadata else None
    if model is None or not model.gathered:
        fail("missing-weight", f"{os.path.basename(path)!r} holds nothing that an optimizer has gathered", span,
             hint="leave `optimizer: true` out; `layerctl import` of a .keras file saved after training writes a .safetensors that has it")  # fmt: skip
    assert model is not None
    return dict(model.gathered)


def put(session: Session, gathered: Mapping[str, np.ndarray], span: Span | None) -> None:
    """Fills the optimizer's slots, its steps and, where no schedule says it, its rate.

    Raises:
        LayerctlError: for a slot that is missing or has another shape; nothing is changed then.
    """
    task, state = session.task, session.state
    assert state is not None
    filled: dict[str, tuple[np.ndarray, np.ndarray]] = {}
    places = {w.path: w for w in [*task.groups, *task.model.weights()]}
    for (path, name), slot in task.slots.items():
        for member, part in _parts(places[path], state.view(slot)):
            found, shape = gathered.get(key(member.path, name)), tuple(member.shape if slot.shape else ())
            shape = tuple(slot.shape) if not isinstance(places[path], Group) else shape
            if found is None or found.shape != shape:
                said = "nothing" if found is None else f"numbers of shape {found.shape}"
                _refuse(f"has {said} for the slot '{name}' of '{member.path}', which needs {shape}", span)
            filled[key(member.path, name)] = part, found
    stepped = {k.rpartition("/")[0] for k in filled}
    more = next((k for k in gathered if k not in filled and k.rpartition("/")[0] in stepped), None)
    if more is not None:
        path, _, name = more.removeprefix(GATHERED).rpartition("/")
        _refuse(f"keeps '{name}' of '{path}', which {type(task.optimizer).__name__} does not", span)
    for part, found in filled.values():
        part[...] = found.reshape(part.shape)
    task.steps_before = int(gathered[STEPS])
    session.put(task.iteration, task.steps_before)
    if RATE in gathered and isinstance(task.optimizer.learning_rate, float):
        session.put(task.rate, float(gathered[RATE]))


def _refuse(what: str, span: Span | None) -> NoReturn:
    fail("foreign-checkpoint", f"the optimizer whose state the file has {what}", span, hint=_HINT)
    raise AssertionError


def _parts(owner: Weight, view: np.ndarray) -> list[tuple[Weight, np.ndarray]]:
    """(a weight, its part of a slot): those of a group share a slot that is one number."""
    if not isinstance(owner, Group):
        return [(owner, view)]
    if not view.shape:
        return [(w, view) for w in owner.members]
    return [(w, view[start : start + w.type.size // owner.width]) for w, start in zip(owner.members, owner.starts, strict=True)]
