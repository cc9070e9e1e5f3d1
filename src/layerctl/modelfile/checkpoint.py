"""Checkpoints of a training: what resuming needs besides the YAML and the data, the last few kept.

A checkpoint is a model file with more in it: the optimizer's buffers, the best weights so far (`best/…`) and averages
as tensors; step, epoch, callbacks' counters and metric accumulators as JSON. A new one is durable before an older one
goes, and a damaged one gives way to the one before it.
"""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from layerctl import __version__
from layerctl.diagnostics import Diagnostic, LayerctlError, Note, Source, Span
from layerctl.modelfile import strictjson, tensors
from layerctl.modelfile.artifact import (
    FORMAT,
    TRAINING,
    ModelFile,
    bad_metadata,
    check_format,
    json_field,
    metadata_of,
    model_from,
)
from layerctl.temporary import clean_stale

_NAME = re.compile(r"checkpoint-([0-9]{1,18})\.safetensors")
_STEP = "layerctl.step"
STATE = "layerctl.state"
KEPT = 2
"""How many checkpoints stay in a folder."""


@dataclass(frozen=True, eq=False)
class Checkpoint:
    """What was saved at a step.

    Attributes:
        step: training steps done.
        tensors: as given to `save`, without the model's.
        state: as given to `save`; tuples have become lists, numpy scalars numbers.
        model: the model, where one was given to `save`.
        path: the file.
        warnings: newer checkpoints that were damaged and passed over.
    """

    step: int
    tensors: dict[str, np.ndarray]
    state: dict[str, Any]
    model: ModelFile | None
    path: str
    warnings: tuple[Diagnostic, ...] = ()


class CheckpointStore:
    """The checkpoints in a folder. One store at a time may write: hold a FolderLock."""

    def __init__(self, folder: str | os.PathLike[str], keep: int = KEPT):
        """Removes what killed writers left. `keep` is how many checkpoints stay, at least 1."""
        if keep < 1:
            raise ValueError(f"keep must be at least 1, got {keep}")
        self.folder = os.fspath(folder)
        self.keep = keep
        self._damaged: set[int] = set()
        clean_stale(self.folder)

    def path(self, step: int) -> str:
        """Where the checkpoint of a step is."""
        return os.path.join(self.folder, f"checkpoint-{step}.safetensors")

    def save(self, step: int, arrays: Mapping[str, np.ndarray], state: Mapping[str, Any],
             model: ModelFile | None = None) -> Diagnostic | None:
        """Writes the checkpoint of a step, then removes those beyond `keep` and those of later steps.

        Later steps can only stem from a training that this one replaces; left there, they would be resumed.

        Args:
            step: training steps done.
            arrays: optimizer buffers, `best/…`, averages; and the weights, if no model is given.
            state: plain data; numbers may be infinite or NaN, or numpy scalars.
            model: the model with its weights, which are not in `arrays`; `read_model` then opens the checkpoint too.

        Returns:
            None, or the warning `durability-unknown`; older checkpoints are kept then.

        Raises:
            LayerctlError: `cannot-write` and what else `tensors.save` raises; earlier checkpoints are untouched.
            TypeError: state that is not plain data.
        """
        own = {"layerctl.format": str(FORMAT), "layerctl.version": __version__}
        own |= {_STEP: str(int(step)), STATE: strictjson.dumps(dict(state))}
        everything = dict(arrays)
        if model is not None:
            both = sorted(set(model.tensors) & set(arrays))
            if both:
                raise ValueError(f"the model and the checkpoint both have a tensor {both[0]!r}")
            everything |= model.tensors
            own = metadata_of(model) | own | {TRAINING: strictjson.dumps(sorted(arrays))}
        warning = tensors.save(self.path(step), everything, own)
        self._damaged.discard(step)
        if warning is None:
            self._prune(step)
        return warning

    def clear(self) -> None:
        """Removes all checkpoints, as far as the system lets it."""
        for _, path in self._named():
            with contextlib.suppress(OSError):
                os.unlink(path)

    def latest(self) -> Checkpoint | None:
        """The checkpoint of the highest step that is whole; None where the folder has none at all.

        Raises:
            LayerctlError: `no-usable-checkpoint` where there are some and each is damaged; `newer-format`,
                `cannot-read` and the like where one may be whole, though not for this process: falling back would
                lose its work.
        """
        problems: list[Diagnostic] = []
        for _, path in sorted(self._found(), reverse=True):
            try:
                return self._read(path, tuple(problems))
            except LayerctlError as error:
                if error.diagnostics[0].code not in _UNUSABLE:
                    raise
                self._damaged.add(_step_in_name(path))
                problems += [_passed_over(d) for d in error.diagnostics]
        if problems:
            raise LayerctlError(Diagnostic(
                "no-usable-checkpoint", f"none of the {len(problems)} checkpoints is whole; expected at least one",
                Span(Source(self.folder)), tuple(Note(d.message, d.span) for d in problems),
                "remove the checkpoint files to start the training over"))
        return None

    def _read(self, path: str, warnings: tuple[Diagnostic, ...]) -> Checkpoint:
        arrays, metadata = tensors.load(path)
        check_format(path, metadata)
        step = _step(metadata)
        if step is None:
            bad_metadata(path, _STEP, strictjson.shown(metadata.get(_STEP)), "a whole number")
        state = json_field(path, metadata, STATE, dict)
        model = model_from(path, arrays, metadata)
        if model is not None:
            arrays = {n: a for n, a in arrays.items() if n not in model.tensors}
        return Checkpoint(step, arrays, state, model, path, warnings)

    def _found(self) -> list[tuple[int, str]]:
        """(step, path) of each checkpoint; the step is the one in the file, or the name's where that cannot be read."""
        found = []
        for name_step, path in self._named():
            try:
                step = _step(tensors.load_metadata(path))
            except LayerctlError:
                step = None
            found.append((name_step if step is None else step, path))
        return found

    def _named(self) -> list[tuple[int, str]]:
        try:
            names = os.listdir(self.folder)
        except FileNotFoundError:
            return []
        except OSError as error:
            raise LayerctlError(Diagnostic("cannot-read", f"the folder cannot be read: {error.strerror}",
                                           Span(Source(self.folder)), hint="check its permissions")) from error
        return [(int(m[1]), os.path.join(self.folder, n)) for n in names if (m := _NAME.fullmatch(n))]

    def _prune(self, step: int) -> None:
        whole = [s for s, _ in self._named() if s <= step and s not in self._damaged]
        kept = set(sorted(whole, reverse=True)[: self.keep])
        for s, path in self._named():
            if s not in kept:
                with contextlib.suppress(OSError):
                    os.unlink(path)


# what says that a file will never be whole again; the rest may pass, or is for a newer version to read
_UNUSABLE = {"file-damaged", "not-a-model-file", "bad-metadata", "unknown-dtype", "bad-tensor-name", "no-such-file"}


def _step(metadata: Mapping[str, str]) -> int | None:
    text = metadata.get(_STEP, "")
    return int(text) if text.isascii() and text.isdecimal() and len(text) <= 18 else None


def _step_in_name(path: str) -> int:
    match = _NAME.fullmatch(os.path.basename(path))
    return int(match[1]) if match else -1


def _passed_over(problem: Diagnostic) -> Diagnostic:
    return Diagnostic("checkpoint-damaged", f"{problem.message}; the checkpoint before it is used", problem.span,
                      problem.notes, "nothing to do: the steps since are trained again", "warning")
