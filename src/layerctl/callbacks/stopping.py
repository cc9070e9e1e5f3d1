"""Callbacks that end training, or change its rate, by what a metric does."""

from __future__ import annotations

import math
from typing import Any, ClassVar, Literal

from pydantic import Field, NonNegativeFloat, NonNegativeInt, PrivateAttr

from layerctl.callbacks.base import Callback, Trainer, better
from layerctl.diagnostics import LayerctlError, fail


class EarlyStopping(Callback):
    """Ends training when `monitor` has not got better by `min_delta` for `patience` epochs."""

    monitor: str = Field("val_loss", description="The metric that is looked at.")
    min_delta: NonNegativeFloat = Field(0.0, description="What counts as better.")
    patience: NonNegativeInt = Field(0, description="Epochs without getting better that are borne.")
    verbose: int = Field(0, description="1 says when training is ended.")
    mode: Literal["auto", "min", "max"] = Field("auto", description="Whether less or more is better; auto goes by the metric's name.")
    baseline: float | None = Field(None, description="What the metric must beat from the start.")
    restore_best_weights: bool = Field(False, description="Whether the best epoch's weights are put back.")
    start_from_epoch: NonNegativeInt = Field(0, description="Epochs before the watch begins.")

    keeps: ClassVar[dict[str, type]] = {"weights": dict}

    def epoch_ends(self, trainer: Trainer, epoch: int, logs: dict[str, float]) -> None:
        value = logs.get(self.monitor)
        if value is None or epoch < self.start_from_epoch:
            return
        s = self._state
        if self.restore_best_weights and "weights" not in s:
            s["weights"], s["best_epoch"] = trainer.weights(), epoch
        s["wait"] = s.get("wait", 0) + 1
        sign = better(self.mode, self.monitor)
        best = s.get("best", -math.inf * sign)
        if (value - best) * sign > self.min_delta:
            s["best"], s["best_epoch"] = value, epoch
            if self.restore_best_weights:
                s["weights"] = trainer.weights()
            if self.baseline is None or (value - self.baseline) * sign > self.min_delta:
                s["wait"] = 0
            return
        if s["wait"] >= self.patience and epoch > 0:
            trainer.stop_reason = "early"
            trainer.say(f"epoch {epoch + 1}: {self.monitor} has not got better for {s['wait']} epochs; the best was epoch {s['best_epoch'] + 1}")

    def train_ends(self, trainer: Trainer) -> None:
        if self.restore_best_weights and "weights" in self._state:
            trainer.set_weights(self._state["weights"])


class ReduceLROnPlateau(Callback):
    """Multiplies the learning rate by `factor` when `monitor` has not got better for `patience` epochs."""

    monitor: str = Field("val_loss", description="The metric that is looked at.")
    factor: float = Field(0.1, gt=0, lt=1, description="What the rate is multiplied by.")
    patience: NonNegativeInt = Field(10, description="Epochs without getting better before the rate shrinks.")
    verbose: int = Field(0, description="1 says when the rate changes.")
    mode: Literal["auto", "min", "max"] = Field("auto", description="Whether less or more is better; auto goes by the metric's name.")
    min_delta: NonNegativeFloat = Field(1e-4, description="What counts as better.")
    cooldown: NonNegativeInt = Field(0, description="Epochs of rest after a change.")
    min_lr: NonNegativeFloat = Field(0.0, description="The least rate.")

    changes_rate: ClassVar[bool] = True

    def epoch_ends(self, trainer: Trainer, epoch: int, logs: dict[str, float]) -> None:
        value = logs.get(self.monitor)
        if value is None:
            return
        s = self._state
        if s.get("cooldown", 0) > 0:
            s["cooldown"] -= 1
            s["wait"] = 0
        sign = better(self.mode, self.monitor)
        if (value - s.get("best", -math.inf * sign)) * sign > self.min_delta:
            s["best"], s["wait"] = value, 0
        elif s.get("cooldown", 0) <= 0:
            s["wait"] = s.get("wait", 0) + 1
            rate = trainer.learning_rate()
            if s["wait"] >= self.patience and rate > self.min_lr:
                trainer.set_learning_rate(max(rate * self.factor, self.min_lr))
                s["cooldown"], s["wait"] = self.cooldown, 0
                if self.verbose:
                    trainer.say(f"epoch {epoch + 1}: learning rate {max(rate * self.factor, self.min_lr):g}")


class TerminateOnNaN(Callback):
    """Ends training when a loss is not finite; layerctl does so in any case, with exit code 3."""

    raise_error: bool = Field(False, description="Accepted: layerctl ends with an error in any case.")


class LearningRateScheduler(Callback):
    """Sets the learning rate before each epoch to `schedule`, an expression of `epoch` (from 0) and `lr`, the rate so far.

    `where(epoch < 10, lr, lr * exp(-0.1))`: arithmetic, comparisons, `a if c else b`, and the functions exp, log, sqrt, cos, minimum,
    clip and the like on plain numbers.
    """

    schedule: str = Field(description="The expression.")
    verbose: int = Field(0, description="1 says the rate.")

    changes_rate: ClassVar[bool] = True

    _expression: Any = PrivateAttr()

    def model_post_init(self, context: object) -> None:
        from layerctl.expressions.parse import parse
        from layerctl.expressions.scalars import SCALARS, check_names

        super().model_post_init(context)
        try:
            self._expression = parse(self.schedule, None, ("epoch", "lr"))
            check_names(self._expression, self._names(0, 0.0), SCALARS)
        except LayerctlError as error:
            raise ValueError(f"'schedule': {error.diagnostics[0].message}") from error

    def _names(self, epoch: int, rate: float) -> dict[str, float]:
        own = self._expression.arguments or ("epoch", "lr")
        return dict(zip(own, (epoch, rate), strict=True))

    def epoch_begins(self, trainer: Trainer, epoch: int) -> None:
        from layerctl.expressions.evaluate import evaluate
        from layerctl.expressions.scalars import SCALARS

        given = trainer.learning_rate()
        try:
            rate = evaluate(self._expression, self._names(epoch, given), SCALARS)
        except LayerctlError as error:
            rate = error.diagnostics[0].message
        if isinstance(rate, bool) or not isinstance(rate, (int, float)) or not math.isfinite(rate) or rate < 0:
            fail("expression-value", f"LearningRateScheduler: at epoch {epoch} and lr {given:g}, '{self.schedule}' gives {rate!r}, "
                 "expected a finite number of at least 0", self.place("schedule"),
                 hint="write an expression that is a rate of at least 0 at each epoch: max(lr * 0.9, 1e-6)")  # fmt: skip
        trainer.set_learning_rate(float(rate))
        if self.verbose:
            trainer.say(f"epoch {epoch + 1}: learning rate {rate:g}")
