"""Everything but the training: what it would take in time, memory and on the disk, from steps that were measured."""

from __future__ import annotations

import contextlib
import resource
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass

from layerctl.data.dataset import Dataset
from layerctl.diagnostics import NumericalError
from layerctl.modelfile.checkpoint import KEPT
from layerctl.runtime.machine import Bound
from layerctl.training.events import Observer, Tick
from layerctl.training.fit import Trainer
from layerctl.training.session import Report, parameters, weights_of
from layerctl.training.trying import Ready, Trial, visited

SECONDS = 0.5
"""How long steps are measured, about."""
MOST_STEPS, MOST_EPOCHS = 50, 50
SHORT_EPOCH = 0.25
"""Seconds of an epoch below which whole ones are measured: what is done between steps counts there."""


@dataclass(frozen=True)
class Rehearsal:
    """What a training would take. Bytes, seconds, rows; `held` and `tested` are validation and test rows.

    Attributes:
        steps: of one epoch.
        step_seconds: the median of those measured, `measured` in number.
        ready_seconds: until the programs are ready for the first step, all kernels being compiled.
        epoch_seconds: of an epoch with its validation and all else that it does but its callbacks.
        seconds: of getting ready and all epochs, within the budgets of time and steps; callbacks may end it earlier.
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
    ready_seconds: float
    epoch_seconds: float
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
        self._ready = 0.0

    def run(self) -> Rehearsal:
        """Compiles, and measures some training steps and the validation.

        Raises:
            Interrupted: after a signal.
        """
        start, session, fit = self._start, self.session, self._start.model.spec.fit
        session.order(start.train)[...] = visited(start, 0)
        whole = max(1, len(start.train) // start.size)
        bound = self._bound("train", start.train, start.size)
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
        epoch = self._epoch(step * min(steps, len(start.train) / start.size) + validation / fit.validation_freq)
        self.check()
        trained, other = parameters(session)
        tested = start.model.data.test
        assert session.state is not None
        return Rehearsal(
            start.model.spec.name, len(start.train), len(start.validation) if start.validation is not None else 0,
            len(tested) if tested is not None else 0, start.size, steps, fit.epochs, trained, other, len(taken) - 1, step, validation,
            self._ready, epoch, self._seconds(steps, epoch), session.state.memory.nbytes,
            bound.program.arena_size + bound.program.constants_size + work,
            sum(bytes_of(d) for d in (start.train, start.validation, tested) if d is not None), _peak(),
            sum(a.nbytes for a in session.everything().values()), KEPT, sum(a.nbytes for a in session.weights().values()),
        )  # fmt: skip

    def _bound(self, kind: str, rows: Dataset, size: int) -> Bound:
        """A program as training binds it; what that takes is noted, twice where rows are left over, whose batch has a program of its own."""
        session, compiling = self.session, _Compiling(self.session.report)
        session.report, begun = compiling, time.perf_counter()
        try:
            bound = session.bound(kind, rows, size)
        finally:
            session.report = compiling.told
        self._ready += (time.perf_counter() - begun - compiling.seconds) * (2 if len(rows) % size else 1)
        return bound

    def _validated(self) -> tuple[float, int]:
        """(seconds of a validation, bytes that its program computes with)."""
        held, fit = self._start.validation, self._start.model.spec.fit
        if held is None:
            return 0.0, 0
        size = min(fit.validation_batch_size or fit.batch_size, len(held))
        program = self._bound("eval", held, size).program
        some = held if len(held) <= 64 * size else held.take(self.session.order(held)[: 64 * size])
        self.session.evaluate(some, size)
        begun = time.perf_counter()
        self.session.evaluate(some, size)
        return (time.perf_counter() - begun) * len(held) / len(some), program.arena_size + program.constants_size

    def _epoch(self, computed: float) -> float:
        """Seconds of an epoch that computes for as long as told: its mean over epochs as training has them, where they are short."""
        if computed > SHORT_EPOCH:
            return computed
        watch, fit = _Epochs(), self._start.model.spec.fit
        fit = fit.model_copy(update={"callbacks": [], "epochs": MOST_EPOCHS, "initial_epoch": 0})
        trainer = Trainer(self.session, self._start.train, self._start.validation, fit, watch)
        watch.told = lambda: trainer.interrupt() if self._interrupted or watch.seconds() > SECONDS else None
        with contextlib.suppress(NumericalError):  # training will tell of it
            trainer.run()
        return watch.seconds() / (len(watch.ends) - 1) if len(watch.ends) > 1 else computed

    def _seconds(self, steps: int, epoch: float) -> float:
        fit = self._start.model.spec.fit
        total = steps * (fit.epochs - fit.initial_epoch)
        done = min(total, self._max_steps) if self._max_steps is not None else total
        seconds = self._ready + done / steps * epoch
        return min(seconds, self._max_seconds) if self._max_seconds is not None else seconds


class _Compiling:
    """Hears of kernels that are compiled, tells it on, and counts the seconds from the first to the last."""

    def __init__(self, told: Report | None):
        self.told, self._first, self._last = told, 0.0, 0.0

    seconds = property(lambda self: self._last - self._first)

    def __call__(self, name: str, done: int, total: int) -> None:
        self._last = time.perf_counter()
        self._first = self._first or self._last
        if self.told is not None:
            self.told(name, done, total)


class _Epochs(Observer):
    """Notes when epochs end. The first is not counted: it has programs to bind."""

    def __init__(self) -> None:
        self.ends: list[float] = []
        self.told: Callable[[], None] = lambda: None

    def epoch(self, epoch: int, epochs: int, logs: dict[str, float], seconds: float) -> None:
        """The time."""
        self.ends.append(time.perf_counter())

    def tick(self, tick: Tick) -> None:
        """The moment to end it."""
        self.told()

    def seconds(self) -> float:
        """From the first end to the last."""
        return self.ends[-1] - self.ends[0] if self.ends else 0.0


def bytes_of(rows: Dataset) -> int:
    """Bytes of a data set's arrays."""
    arrays = [*rows.inputs.values(), *rows.targets.values(), *weights_of(rows).values(), rows.row_numbers]
    return sum(a.nbytes for a in arrays)


def _peak() -> int:
    """The most memory that this process has had: Linux counts in kB, macOS in bytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
