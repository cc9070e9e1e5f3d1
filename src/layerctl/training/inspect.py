"""Looking into a model while it trains: layers' results on one batch, and where a loss that is not finite began."""

from __future__ import annotations

import time

import numpy as np

from layerctl.data.dataset import Dataset
from layerctl.diagnostics import Note
from layerctl.graph.wiring import kind_name
from layerctl.training.events import Shown
from layerctl.training.session import Session

FIRST = 4
"""Numbers of a layer's result that are shown."""
_SECONDS, _SHARE = 1.0, 50.0
"""The state is copied at most once a second, and for at most a fiftieth of the time."""


def shown(session: Session, rows: Dataset, size: int, epoch: int) -> list[Shown]:
    """What `print` asks for, of the batch that comes next."""
    out = []
    for name, (array, step) in session.look(rows, size, session.printed).items():
        text = step.print if isinstance(step.print, str) else ""
        flat = array.astype(np.float64).reshape(-1)
        least, mean, greatest = (float(f(flat)) for f in (np.min, np.mean, np.max)) if flat.size else (0.0, 0.0, 0.0)
        out.append(Shown(epoch, name, text, array.shape, str(array.dtype), least, mean, greatest, flat[:FIRST].tolist()))
    return out


class Rewind:
    """Remembers the state of a little while ago, from which steps can be computed again, to the same bits."""

    def __init__(self, session: Session, rows: Dataset, size: int):
        self.session, self.rows, self.size = session, rows, size
        self._memory: np.ndarray | None = None
        self._taken = self._cost = 0.0

    def remember(self, at_once: bool = False) -> None:
        """Copies the state if that is due; `at_once` at an epoch's start, since an epoch's order is not kept."""
        begun = time.monotonic()
        if not at_once and begun - self._taken < max(_SECONDS, _SHARE * self._cost):
            return
        memory = self.session.state.memory  # type: ignore[union-attr]
        if self._memory is None:
            self._memory = memory.copy()
        else:
            np.copyto(self._memory, memory)
        self._taken = time.monotonic()
        self._cost = self._taken - begun

    def origin(self, bad: int) -> Note | None:
        """Where the loss of step `bad` (from 1) stopped being finite; None if that cannot be said. The state is then that before it."""
        session, task = self.session, self.session.task
        if self._memory is None:
            return None
        np.copyto(session.state.memory, self._memory)  # type: ignore[union-attr]
        session.state.version += 1  # type: ignore[union-attr]
        while (done := session.scalar(task.iteration)) < bad - 1:
            size = min(self.size, len(self.rows) - session.scalar(task.cursor))
            if size <= 0 or session.machine.run_until_stopped(session.bound("train", self.rows, size), 1) < 1:
                return None
        return self._found() if done == bad - 1 else None

    def _found(self) -> Note | None:
        session, at = self.session, self.session.scalar(self.session.task.cursor)
        chosen = session.order(self.rows)[at : at + self.size]
        numbers = self.rows.row_numbers[chosen]
        for path, weight in session.weights().items():
            if not np.isfinite(weight).all():
                return Note(f"the weight '{path}' was not finite before that step: a gradient of the step before was not")
        for kind, arrays in (("input", self.rows.inputs), ("target", self.rows.targets)):
            for name, array in arrays.items():
                bad = _bad(array[chosen])
                if bad.any():
                    return Note(f"it began in the data: the {kind} '{name}' {_where(array[chosen], bad, numbers)}")
        for name, (array, step) in session.look(self.rows, len(chosen)).items():
            bad = _bad(array)
            if bad.any():
                return Note(f"it began in {kind_name(step.layer)} '{name}', whose result {_where(array, bad, numbers)}", step.span)
        return Note("it began in the loss: the results of all layers are finite")


def _bad(array: np.ndarray) -> np.ndarray:
    return ~np.isfinite(array) if array.dtype.kind == "f" else np.zeros(array.shape, bool)


def _where(array: np.ndarray, bad: np.ndarray, numbers: np.ndarray) -> str:
    first = np.unravel_index(int(np.argmax(bad)), array.shape)
    row = f", in row {int(numbers[first[0]])}" if first and len(array) == len(numbers) else ""
    return f"is {array[first]} at {list(map(int, first[1:]))}{row} ({int(bad.sum())} of {bad.size} numbers are not finite)"
