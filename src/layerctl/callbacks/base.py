"""The base of callbacks: what watches training and may change or end it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Protocol

from pydantic import PrivateAttr

from layerctl.configured import Configured
from layerctl.diagnostics import Span


class Trainer(Protocol):
    """What a callback may do with the training it watches."""

    epoch: int
    stop_reason: str | None

    def steps_done(self) -> int:
        """Training steps since the first epoch began."""

    def measured(self) -> list[str]:
        """The names that logs have: loss, metrics, `val_` ones, learning_rate."""

    def scheduled(self) -> bool:
        """Whether the optimizer's rate follows a schedule of its own, so that setting it has no effect."""

    def learning_rate(self) -> float:
        """The rate of the last step."""

    def set_learning_rate(self, rate: float) -> None:
        """Changes the rate from the next step on."""

    def weights(self) -> dict[str, Any]:
        """Copies of the model's weights by path."""

    def set_weights(self, weights: dict[str, Any]) -> None:
        """Puts weights back."""

    def save_model(self, path: str) -> None:
        """Writes the model file as it is now; a relative path stands in the run's folder."""

    def write(self, path: str, data: bytes, at: int | None) -> int:
        """Makes `data` the end of a file in the run's folder, behind its first `at` bytes (None: behind all); returns the file's new size.

        What stood behind is cut off, as it must be when a run goes on from a checkpoint that is older than the file.
        """

    def save_soon(self) -> None:
        """Asks for a checkpoint when all callbacks have been called, so that it holds what they have noted."""

    def has_averages(self) -> bool:
        """Whether the optimizer keeps running means of the weights (`use_ema`)."""

    def swap_averages(self) -> None:
        """Exchanges the weights and their running means."""

    def model_text(self) -> str:
        """The model's file, resolved."""

    def say(self, text: str) -> None:
        """A line for the user."""


class Callback(Configured):
    """Fields are the arguments of Keras's class. `state` (JSON-able, arrays apart) is kept in checkpoints, so that a resumed run goes on alike."""

    kind: ClassVar[str] = "callbacks"
    changes_rate: ClassVar[bool] = False
    """Whether it sets the learning rate, which an optimizer with a schedule does not let it."""
    tracker: ClassVar[str | None] = None
    """The module of `training/tracking` whose observer does its work, for callbacks that tell others of the run."""

    keeps: ClassVar[dict[str, type]] = {}
    """What of its state is no number."""

    _state: dict[str, Any] = PrivateAttr(default_factory=dict)
    _places: dict[str, Span] = PrivateAttr(default_factory=dict)

    @property
    def state(self) -> dict[str, Any]:
        """Numbers and arrays that a checkpoint must keep."""
        return self._state

    def keep_places(self, spans: Mapping[str, Span]) -> None:
        """Keeps where the arguments stand in the file."""
        self._places = dict(spans)

    def place(self, *arguments: str) -> Span | None:
        """Where the first of the arguments that the file has stands; else where any of them does."""
        return next((self._places[a] for a in (*arguments, *self._places) if a in self._places), None)

    def load_state(self, state: dict[str, Any]) -> None:
        """Takes up the state of a checkpoint.

        Raises:
            ValueError: for a value that it does not keep.
        """
        for name, value in state.items():
            if not isinstance(value, self.keeps.get(name, (int, float))):
                raise ValueError(f"{type(self).__name__} keeps no {type(value).__name__} as '{name}'")
        self._state = dict(state)

    def train_begins(self, trainer: Trainer) -> None:
        """Before the first epoch of a run that is not resumed."""

    def epoch_begins(self, trainer: Trainer, epoch: int) -> None:
        """Before an epoch, counted from 0."""

    def epoch_ends(self, trainer: Trainer, epoch: int, logs: dict[str, float]) -> None:
        """After an epoch and its validation; `logs` are its metrics."""

    def batch_begins(self, trainer: Trainer, batch: int) -> None:
        """Before the steps that lead to a call of `batch_ends`; `batch` counts the epoch's steps from 0."""

    def batch_ends(self, trainer: Trainer, batch: int, logs: dict[str, float]) -> None:
        """After each `stride()` steps; `logs` are the epoch's metrics so far."""

    def test_begins(self, trainer: Trainer) -> None:
        """Before a validation."""

    def test_ends(self, trainer: Trainer, logs: dict[str, float]) -> None:
        """After a validation; the names in `logs` have no `val_`."""

    def last_epoch_ends(self, trainer: Trainer) -> None:
        """After the last epoch, before the weights' running means take their places."""

    def train_ends(self, trainer: Trainer) -> None:
        """After the last epoch, when the weights are final."""

    def stride(self) -> int | None:
        """How many steps lie between calls of `batch_ends`; None for no calls. Steps between are computed in one go."""
        return None

    def monitored(self) -> str | None:
        """The metric that it looks at, for the check before training."""
        return getattr(self, "monitor", None)

    def objection(self, trainer: Trainer) -> str | None:
        """Why it cannot work with this training, if so; asked before the first step."""
        if self.changes_rate and trainer.scheduled():
            return "sets the learning rate, but the optimizer's rate follows a schedule"
        return None

    def saves_each_epoch(self) -> bool:
        """Whether it wants a checkpoint after each epoch."""
        return False

    def drops_checkpoints(self) -> bool:
        """Whether it wants no checkpoint to be left of a training that is done."""
        return False


def run_path(path: str, field: str) -> str:
    """A path of the run's folder, checked: relative, and without a way out of the folder.

    Raises:
        ValueError: for another.
    """
    parts = path.replace("\\", "/").split("/")
    if path.startswith("/") or ".." in parts or not path or "\0" in path:
        raise ValueError(f"'{field}' must stay in the run's folder, got {path!r}")
    return path


def better(mode: str, monitor: str) -> int:
    """1 if more is better, -1 if less is: by `mode`, else by the metric's name, as Keras guesses it."""
    if mode in ("min", "max"):
        return 1 if mode == "max" else -1
    plain = monitor.removeprefix("val_")
    up = ("acc", "auc", "precision", "recall", "f1", "fbeta", "r2", "iou", "true_positives", "true_negatives", "cosine", "correlation")
    return 1 if any(word in plain for word in up) and "loss" not in plain else -1
