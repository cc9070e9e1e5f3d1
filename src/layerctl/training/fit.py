"""The training loop: epochs of ticks, validation, callbacks, checkpoints, and an end that loses nothing."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from layerctl.callbacks.base import Callback
from layerctl.compile.step import averages
from layerctl.data.dataset import Dataset
from layerctl.diagnostics import Diagnostic, LayerctlError, Note, NumericalError, Span
from layerctl.graph.outputs import unfit
from layerctl.spec.file import FitSpec
from layerctl.training.events import Observer, Tick
from layerctl.training.inspect import Rewind, shown
from layerctl.training.order import Ahead, row_order
from layerctl.training.session import Session, parameters

TICK_SECONDS = 0.15
SAVE_SECONDS = 5.0
"""Seconds between checkpoints at the ends of epochs; the last state is saved whatever the time."""


@dataclass
class Outcome:
    """How training ended: `reason` is done, early (a callback), time or steps (a budget), or interrupted."""

    reason: str
    epochs: int
    history: list[dict[str, float]]
    seconds: float

    @property
    def saved(self) -> bool:
        """Whether the model is as it was meant to become; what was interrupted goes on from its checkpoint."""
        return self.reason != "interrupted"


@dataclass
class Progress:
    """What a checkpoint keeps beside tensors: the epoch that is being trained (from 0), whether it is half done, the history."""

    epoch: int = 0
    within: bool = False
    history: list[dict[str, float]] = field(default_factory=list)
    elapsed: float = 0.0


class Trainer:
    """One training of a session on data; callbacks are given this object."""

    def __init__(
        self, session: Session, train: Dataset, validation: Dataset | None, fit: FitSpec, observer: Observer, *,
        save: Callable[[Trainer], None] | None = None, save_model: Callable[[str], None] | None = None,
        record: Callable[[dict[str, Any]], None] | None = None, write: Callable[[str, bytes, int | None], int] | None = None, text: str = "",
        max_seconds: float | None = None, max_steps: int | None = None, span: Span | None = None,
    ):  # fmt: skip
        self.session, self.train, self.validation, self.fit, self.observer = session, train, validation, fit, observer
        self.progress = Progress(epoch=fit.initial_epoch)
        self.stop_reason: str | None = None
        self.interrupted = False
        self._save, self._save_model, self._record, self._write, self._text = save, save_model, record, write, text
        self._save_wanted = False
        self.max_seconds, self.max_steps, self.span = max_seconds, max_steps, span
        self.size = min(fit.batch_size, len(train))
        self.steps = -(-len(train) // self.size)
        if fit.steps_per_epoch is not None:
            self.steps = min(self.steps, fit.steps_per_epoch)
        self._started = self._saved = 0.0
        self._rewind = Rewind(session, train, self.size)

    epoch = property(lambda self: self.progress.epoch)
    callbacks: list[Callback] = property(lambda self: self.fit.callbacks)  # type: ignore[assignment]

    def learning_rate(self) -> float:
        """The rate of the last step."""
        return float(self.session.scalar(self.session.task.rate))

    def set_learning_rate(self, rate: float) -> None:
        """Changes the rate from the next step on."""
        self.session.put(self.session.task.rate, rate)

    def weights(self) -> dict[str, np.ndarray]:
        """Copies of the model's weights by path."""
        return self.session.weights()

    def set_weights(self, weights: dict[str, np.ndarray]) -> None:
        """Puts weights back."""
        self.session.set_weights(weights)

    def save_model(self, path: str) -> None:
        """Writes the model file as it is now."""
        if self._save_model is not None:
            self._save_model(path)

    def write(self, path: str, data: bytes, at: int | None) -> int:
        """Makes `data` the end of a file in the run's folder, behind its first `at` bytes; returns the file's new size."""
        return self._write(path, data, at) if self._write is not None else 0

    def save_soon(self) -> None:
        """Asks for a checkpoint when all callbacks have been called, so that it holds what they have noted."""
        self._save_wanted = True

    def steps_done(self) -> int:
        """Training steps since the first epoch began."""
        return int(self.session.scalar(self.session.task.iteration))

    def measured(self) -> list[str]:
        """The names that logs have."""
        names = ["loss", *self.session.task.metrics()]
        held = [f"val_{n}" for n in names] if self.validation is not None else []
        return [*names, "learning_rate", *held]

    def scheduled(self) -> bool:
        """Whether the optimizer's rate follows a schedule of its own."""
        return not isinstance(self.session.task.optimizer.learning_rate, float)

    def has_averages(self) -> bool:
        """Whether the optimizer keeps running means of the weights."""
        return bool(averages(self.session.task))

    def swap_averages(self) -> None:
        """Exchanges the weights and their running means."""
        self.session.swap_averages()

    def model_text(self) -> str:
        """The model's file, resolved."""
        return self._text

    def say(self, text: str) -> None:
        """A line for the user."""
        self.observer.message(text)

    def interrupt(self) -> None:
        """Ends after the step that is being computed; for signal handlers."""
        self.interrupted = True
        self.session.machine.stop()

    def run(self) -> Outcome:
        """Trains to the end, or until a callback, the clock or an interrupt ends it; what was reached is saved.

        Raises:
            NumericalError: when a step's loss is not finite.
        """
        self._started = time.monotonic()
        trained, _ = parameters(self.session)
        self.observer.begin(self.fit.epochs, len(self.train), trained)
        if not self.progress.history and not self.progress.within:
            for c in self.callbacks:
                c.train_begins(self)
        while self.progress.epoch < self.fit.epochs and self.stop_reason is None:
            if not self._epoch():
                break
        reason = self.stop_reason or "done"
        if reason in ("done", "early"):
            for c in self.callbacks:
                c.last_epoch_ends(self)
            self.session.take_averages()
            for c in self.callbacks:
                c.train_ends(self)
        self.save()
        return Outcome(reason, len(self.progress.history), self.progress.history, self.elapsed())

    def elapsed(self) -> float:
        """Seconds of training, those before a resume included."""
        return self.progress.elapsed + time.monotonic() - self._started

    def save(self) -> None:
        """Writes a checkpoint.

        Raises:
            NumericalError: when the last step left weights that are not finite, which no loss has told of yet.
        """
        broken = self.session.broken_weight()
        if broken is not None:
            note = Note(f"the weight '{broken}' is not finite: a gradient of that step, or of one shortly before, was not")
            raise _not_finite(f"the weights became NaN or infinite by step {self.steps_done()}", self.span, note)
        self._saved, self._save_wanted = time.monotonic(), False
        if self._save is not None:
            self._save(self)

    def check_callbacks(self) -> None:
        """Whether callbacks can work with this training; before the first step.

        Raises:
            LayerctlError: for what one of them cannot.
        """
        metrics, held = list(self.session.task.metrics()), self.validation is not None
        found = [d for c in self.callbacks if (d := unfit(c, self, metrics, held, self.span)) is not None]
        if found:
            raise LayerctlError(found)

    def _epoch(self) -> bool:
        """One epoch, or the rest of one; False if it was cut short."""
        p, session = self.progress, self.session
        order = session.order(self.train)
        order[...] = row_order(session.task.seed, self.train, p.epoch, self.fit.shuffle)
        if not p.within:
            session.put(session.task.cursor, 0)
            session.reset_metrics()
            for c in self.callbacks:
                c.epoch_begins(self, p.epoch)
            if session.printed:
                for result in shown(session, self.train, self.size, p.epoch + 1):
                    self.observer.layer(result)
        begun = time.monotonic()
        p.within = True
        if not self._steps(begun):
            return False
        logs = session.results()
        if self.validation is not None and (p.epoch + 1) % self.fit.validation_freq == 0:
            logs |= {f"val_{k}": v for k, v in self._validate(self.validation).items()}
        logs["learning_rate"] = self.learning_rate()
        p.history.append({"epoch": p.epoch + 1, **logs})
        self.observer.epoch(p.epoch + 1, self.fit.epochs, logs, time.monotonic() - begun)
        if self._record is not None:
            self._record({"epoch": p.epoch + 1, **logs, "seconds": round(time.monotonic() - begun, 3)})
        for c in self.callbacks:
            c.epoch_ends(self, p.epoch, logs)
        p.epoch, p.within = p.epoch + 1, False
        often = self._save_wanted or any(c.saves_each_epoch() for c in self.callbacks)
        if often or time.monotonic() - self._saved >= SAVE_SECONDS:
            self.save()
        return not self._due()

    def _validate(self, rows: Dataset) -> dict[str, float]:
        for c in self.callbacks:
            c.test_begins(self)
        results = self.session.evaluate(rows, self.fit.validation_batch_size or self.fit.batch_size)
        for c in self.callbacks:
            c.test_ends(self, results)
        return results

    def _until_call(self) -> int:
        """Steps to the next one after which a callback wants to be called."""
        done = self.steps_done()
        return min((s - done % s for c in self.callbacks if (s := c.stride()) is not None), default=1 << 62)

    def _call(self, batch: int) -> None:
        """Calls the callbacks whose stride ends here; `batch` is the step that was computed last."""
        done = self.steps_done()
        due = [c for c in self.callbacks if (s := c.stride()) is not None and done % s == 0]
        logs = self.session.results() if due else {}
        for c in due:
            c.batch_ends(self, batch, logs)
        if self._save_wanted:
            self.save()

    def _due(self) -> bool:
        """Whether the clock or a signal ends training here."""
        if self.interrupted:
            self.stop_reason = "interrupted"
        elif self.max_seconds is not None and time.monotonic() - self._started >= self.max_seconds:
            self.stop_reason = "time"
        elif self._steps_left() <= 0:
            self.stop_reason = "steps"
        return self.stop_reason is not None

    def _steps_left(self) -> int:
        """Steps that the budget still allows."""
        return self.max_steps + self.session.task.steps_before - self.steps_done() if self.max_steps is not None else 1 << 62

    def _steps(self, begun: float) -> bool:
        session, n = self.session, len(self.train)
        pace = 0.0
        first = session.scalar(session.task.cursor)
        self._rewind.remember(at_once=True)
        ahead = Ahead(self.train, session.order(self.train))
        while (at := session.scalar(session.task.cursor)) < min(n, self.steps * self.size):
            if self._due():
                return False
            size = min(self.size, n - at)
            bound = session.bound("train", self.train, size)
            left = (min(n, self.steps * self.size) - at) // size
            steps = max(1, min(left, self._until_call(), self._steps_left(), int(TICK_SECONDS / pace) if pace else 1))
            for c in self.callbacks:
                if c.stride() is not None:
                    c.batch_begins(self, at // self.size)
            ahead.reached(at)
            start = time.monotonic()
            done = session.machine.run_until_stopped(bound, steps)
            pace = (time.monotonic() - start) / max(done, 1)
            self._check_finite()
            self._rewind.remember()
            now = session.scalar(session.task.cursor)
            rate = (now - first) / max(time.monotonic() - begun, 1e-9)
            left_seconds = (min(n, self.steps * self.size) - now) / max(rate, 1e-9)
            step = -(-now // self.size)
            self._call(step - 1)
            self.observer.tick(
                Tick(self.progress.epoch + 1, self.fit.epochs, step, self.steps, session.results(), rate, left_seconds)
            )
        return True

    def _check_finite(self) -> None:
        bad = self.session.scalar(self.session.task.not_finite)
        if not bad:
            return
        epoch = self.progress.epoch + 1
        origin = self._rewind.origin(bad)
        raise _not_finite(f"the loss became NaN or infinite at step {bad} (epoch {epoch})", self.span, origin)


def _not_finite(text: str, span: Span | None, origin: Note | None) -> NumericalError:
    cure = "lower the learning rate, clip gradients (clipnorm: 1.0), or scale the inputs; the last checkpoint holds the weights before"
    return NumericalError(Diagnostic("loss-not-finite", text, span, (origin,) if origin is not None else (), cure))
