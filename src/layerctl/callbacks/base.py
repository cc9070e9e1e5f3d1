"""The base of callbacks: what watches training and may change or end it."""

from __future__ import annotations

from typing import Any, ClassVar, Protocol

from pydantic import PrivateAttr

from layerctl.configured import Configured


class Trainer(Protocol):
    """What a callback may do with the training it watches."""

    epoch: int
    stop_reason: str | None

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

    def say(self, text: str) -> None:
        """A line for the user."""


class Callback(Configured):
    """Fields are the arguments of Keras's class. `state` (JSON-able, arrays apart) is kept in checkpoints, so that a resumed run goes on alike."""

    kind: ClassVar[str] = "callbacks"

    _state: dict[str, Any] = PrivateAttr(default_factory=dict)

    @property
    def state(self) -> dict[str, Any]:
        """Numbers and arrays that a checkpoint must keep."""
        return self._state

    def load_state(self, state: dict[str, Any]) -> None:
        """Takes up the state of a checkpoint."""
        self._state = dict(state)

    def on_train_begin(self, trainer: Trainer) -> None:
        """Before the first epoch of a run that is not resumed."""

    def on_epoch_begin(self, trainer: Trainer, epoch: int) -> None:
        """Before an epoch, counted from 0."""

    def on_epoch_end(self, trainer: Trainer, epoch: int, logs: dict[str, float]) -> None:
        """After an epoch and its validation; `logs` are its metrics."""

    def on_train_end(self, trainer: Trainer) -> None:
        """After the last epoch."""

    def monitored(self) -> str | None:
        """The metric that it looks at, for the check before training."""
        return getattr(self, "monitor", None)


def better(mode: str, monitor: str) -> int:
    """1 if more is better, -1 if less is: by `mode`, else by the metric's name, as Keras guesses it."""
    if mode in ("min", "max"):
        return 1 if mode == "max" else -1
    plain = monitor.removeprefix("val_")
    up = ("acc", "auc", "precision", "recall", "f1", "fbeta", "r2", "iou", "true_positives", "true_negatives", "cosine", "correlation")
    return 1 if any(word in plain for word in up) and "loss" not in plain else -1
