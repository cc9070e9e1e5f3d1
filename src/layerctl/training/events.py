"""What training tells whoever watches it."""

from __future__ import annotations

from dataclasses import dataclass


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
