"""What training tells whoever watches it."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from layerctl.diagnostics import Diagnostic


@dataclass(frozen=True)
class Started:
    """What is going to be trained: `file` is the resolved YAML, `plain` the same as data; `data` the fingerprint of the training rows.

    `folder` is None for a training from Python without a run's folder; `first_epoch` counts from 1 and is more where a run goes on.
    """

    name: str
    folder: Path | None
    file: str
    plain: dict[str, Any]
    seed: int
    data: str
    rows: int
    parameters: int
    first_epoch: int = 1
    callbacks: tuple[Any, ...] = ()


@dataclass(frozen=True)
class Ended:
    """How a training ended: `reason` is done, early, time, interrupted or failed; `scores` are those of the rows of `split`.

    `files` of the run's folder are finished; `error` says why it failed.
    """

    reason: str
    epochs: int
    seconds: float
    scores: dict[str, float] = field(default_factory=dict)
    split: str = ""
    files: tuple[Path, ...] = ()
    error: str | None = None


@dataclass(frozen=True)
class Tick:
    """How far an epoch is: step `step` of `steps`, the running loss, rows a second, seconds left in the epoch."""

    epoch: int
    epochs: int
    step: int
    steps: int
    logs: dict[str, float]
    rate: float
    left: float


@dataclass(frozen=True)
class Shown:
    """A layer's result on an epoch's first batch, as the file's `print` asks for: epochs count from 1, `first` are its first numbers."""

    epoch: int
    layer: str
    text: str
    shape: tuple[int, ...]
    dtype: str
    least: float
    mean: float
    greatest: float
    first: list[float]


class Observer:
    """Hears of training; every method may be left as it is."""

    def started(self, run: Started) -> None:
        """All is ready, and nothing trained."""

    def compiling(self, name: str, done: int, total: int) -> None:
        """A kernel is being compiled, number `done` of `total`."""

    def begin(self, epochs: int, rows: int, parameters: int) -> None:
        """Training starts."""

    def tick(self, tick: Tick) -> None:
        """A few times a second."""

    def epoch(self, epoch: int, epochs: int, logs: dict[str, float], seconds: float) -> None:
        """An epoch and its validation are done; epochs count from 1 here."""

    def layer(self, shown: Shown) -> None:
        """A layer's result on an epoch's first batch, before the step."""

    def message(self, text: str) -> None:
        """A line for the user."""

    def warning(self, found: Diagnostic) -> None:
        """Something is doubtful, and training goes on."""

    def ended(self, run: Ended) -> None:
        """Nothing comes after this: the model is saved, or training was interrupted or has failed."""
