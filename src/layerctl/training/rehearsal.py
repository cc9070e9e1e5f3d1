"""Everything but the training: what it would take in time, memory and on the disk, from steps that were measured."""

from __future__ import annotations

import resource
import sys
import time
from dataclasses import dataclass

from layerctl.data.dataset import Dataset
from layerctl.modelfile.checkpoint import KEPT
from layerctl.training.session import parameters, weights_of
from layerctl.training.trying import Ready, Trial, visited

SECONDS = 0.5
"""How long steps are measured, about."""
MOST_STEPS = 50


@dataclass(frozen=True)
class Rehearsal:
    """What a training would take. Bytes, seconds, rows; `held` and `tested` are validation and test rows.

    Attributes:
        steps: of one epoch.
        step_seconds: the median of those measured, `measured` in number.
        seconds: of all epochs with their validation, within the budgets of time and steps; callbacks may end it earlier.
        state: weights, optimizer's slots, metrics; `work` what a step computes with; `data` the rows; `peak` what the process has had so far.
        checkpoint: one of the `checkpoints` that are kept.
        model: the model file's tensors.
    """

    name: str
    rows: int
    held: int
    tested: int
    batch: int
    steps: int
    epochs: int
    trained: int
    other: int
    measured: int
    step_seconds: float
    validation_seconds: float
    seconds: float
    state: int
    work: int
    data: int
    peak: int
    checkpoint: int
    checkpoints: int
    model: int


class Rehearser(Trial):
    """Measures a model that is ready to be trained."""

    def __init__(self, start: Ready, max_steps: int | None = None, max_seconds: float | None = None):
        super().__init__()
        self.session, self._start = start.session, start
        self._max_steps, self._max_seconds = max_steps, max_seconds

    def run(self) -> Rehearsal:
        """Compiles, and measures some training steps and the validation.

        Raises:
            Interrupted: after a signal.
        """
        start, session, fit = self._start, self.session, self._start.model.spec.fit
        session.order(start.train)[...] = visited(start, 0)
        whole = max(1, len(start.train) // start.size)
        bound = session.bound("train", start.train, start.size)
        taken: list[float] = []
        while len(taken) < 2 or (sum(taken) < SECONDS and len(taken) < MOST_STEPS):
            if len(taken) % whole == 0:
                session.put(session.task.cursor, 0)
            begun = time.perf_counter()
            session.machine.run(bound, 1)
            taken.append(time.perf_counter() - begun)
            self.check()
        step = sorted(taken[1:])[len(taken[1:]) // 2]
        steps = -(-len(start.train) // start.size)
        steps = min(steps, fit.steps_per_epoch) if fit.steps_per_epoch is not None else steps
        validation, work = self._validated()
        self.check()
        trained, other = parameters(session)
        tested = start.model.data.test
        assert session.state is not None
        return Rehearsal(
            start.model.spec.name, len(start.train), len(start.validation) if start.validation is not None else 0,
            len(tested) if tested is not None else 0, start.size, steps, fit.epochs, trained, other, len(taken) - 1, step, validation,
            self._seconds(step, steps, validation), session.state.memory.nbytes,
            bound.program.arena_size + bound.program.constants_size + work,
            sum(bytes_of(d) for d in (start.train, start.validation, tested) if d is not None), _peak(),
            sum(a.nbytes for a in session.everything().values()), KEPT, sum(a.nbytes for a in session.weights().values()),
        )  # fmt: skip

    def _validated(self) -> tuple[float, int]:
        """(seconds of a validation, bytes that its program computes with)."""
        held, fit = self._start.validation, self._start.model.spec.fit
        if held is None:
            return 0.0, 0
        size = min(fit.validation_batch_size or fit.batch_size, len(held))
        program = self.session.bound("eval", held, size).program
        some = held if len(held) <= 64 * size else held.take(self.session.order(held)[: 64 * size])
        self.session.evaluate(some, size)
        begun = time.perf_counter()
        self.session.evaluate(some, size)
        return (time.perf_counter() - begun) * len(held) / len(some), program.arena_size + program.constants_size

    def _seconds(self, step: float, steps: int, validation: float) -> float:
        fit = self._start.model.spec.fit
        total = steps * (fit.epochs - fit.initial_epoch)
        done = min(total, self._max_steps) if self._max_steps is not None else total
        seconds = done * step + validation * (done // steps // fit.validation_freq)
        return min(seconds, self._max_seconds) if self._max_seconds is not None else seconds


def bytes_of(rows: Dataset) -> int:
    """Bytes of a data set's arrays."""
    arrays = [*rows.inputs.values(), *rows.targets.values(), *weights_of(rows).values(), rows.row_numbers]
    return sum(a.nbytes for a in arrays)


def _peak() -> int:
    """The most memory that this process has had: Linux counts in kB, macOS in bytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
