"""A run's folder: the model, checkpoints, history, the resolved file, a report."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from layerctl.diagnostics import Diagnostic, LayerctlError, Source, Span, fail
from layerctl.modelfile.append import JsonLines, write_at
from layerctl.modelfile.atomic import cannot_write, write
from layerctl.modelfile.checkpoint import Checkpoint, CheckpointStore
from layerctl.modelfile.finding import CHECKPOINTS, MODEL
from layerctl.modelfile.lock import NAME, FolderLock
from layerctl.temporary import clean_stale
from layerctl.training.status import STATUS, environment, moment, note, read_status, write_status

HISTORY = "history.jsonl"
RESOLVED = "model.yaml"
REPORT = "report.html"
ORIGIN = "origin"
"""Holds the folder that the file's relative paths start from; beside the model, not in it, so that a model's bytes know no machine."""


class RunFolder:
    """Opens (and makes) a run's folder for one training; two at a time are refused."""

    def __init__(self, path: Path):
        self.path = path
        try:
            (path / CHECKPOINTS).mkdir(parents=True, exist_ok=True)
        except OSError as error:
            fail("cannot-write", f"cannot make the run's folder: {error.strerror or error}", Span(Source(str(path))),
                 hint="give another with --out")  # fmt: skip
        self._lock = FolderLock(path)
        self._lock.acquire()
        clean_stale(path)
        clean_stale(path / CHECKPOINTS)
        self.checkpoints = CheckpointStore(path / CHECKPOINTS)
        self.history: JsonLines | None = None

    def write_text(self, name: str, text: str) -> None:
        """A small file of the folder, replaced whole."""
        write(self.path / name, [os.fsencode(text)])

    def begin(self, threads: int, rows: Mapping[str, int], data: str) -> None:
        """Notes that training goes on from here: where, on how many threads and rows of each split."""
        before = read_status(self.path)
        write_status(self.path, {
            "state": "running", "started": before.get("started") or moment(), "process": os.getpid(), "rows": dict(rows), "data": data,
            "environment": environment(threads),
        })  # fmt: skip

    def end(self, state: str, reason: str, epochs: int, seconds: float, error: str | None = None) -> None:
        """Notes how training ended: finished, interrupted or failed. A clock that was set back meanwhile does not let it end before it began."""
        ended = max(moment(), str(read_status(self.path).get("started", "")))
        note(self.path, state=state, reason=reason, epochs=epochs, seconds=round(seconds, 3), error=error, ended=ended)

    def open_history(self, before_epoch: int) -> None:
        """Opens the history; what it has of `before_epoch` (from 1) and later is dropped."""
        self.history = JsonLines(self.path / HISTORY)
        self.history.truncate_after(lambda row: isinstance(row.get("epoch"), int) and row["epoch"] < before_epoch)

    def record(self, row: dict[str, Any]) -> None:
        """Adds an epoch to the history."""
        if self.history is not None:
            self.history.append(row)

    def write_at(self, name: str, data: bytes, at: int | None) -> int:
        """Makes `data` the end of a callback's file, behind its first `at` bytes (None: all); returns the file's size."""
        first = Path(name).parts[0] if Path(name).parts else name
        if first in (CHECKPOINTS, MODEL, HISTORY, RESOLVED, ORIGIN, STATUS, REPORT, NAME):
            fail("cannot-write", f"'{name}' is a file of the run itself, expected a name of the callback's own", Span(Source(str(self.path))),
                 hint=f"the run's own are {', '.join((CHECKPOINTS, MODEL, HISTORY, RESOLVED, ORIGIN, STATUS, REPORT))}")  # fmt: skip
        path = self.path / name
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise LayerctlError(cannot_write(path.parent, error)) from error
        return write_at(path, data, at)

    def drop_checkpoints(self) -> None:
        """Removes all checkpoints."""
        self.checkpoints.clear()

    def save_checkpoint(self, step: int, tensors: Mapping[str, np.ndarray], state: dict[str, Any]) -> None:
        """Keeps all that going on needs."""
        self.checkpoints.save(step, tensors, state)

    def latest(self) -> Checkpoint | None:
        """The newest checkpoint that can be read."""
        return self.checkpoints.latest()

    def close(self) -> None:
        """Lets the folder go."""
        if self.history is not None:
            self.history.close()
        self._lock.release()


def warnings_of(found: Checkpoint | None) -> tuple[Diagnostic, ...]:
    """What was doubtful about reading a checkpoint."""
    return tuple(found.warnings) if found is not None else ()
