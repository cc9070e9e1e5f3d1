"""Callbacks that keep models and logs on disk, in the run's folder."""

from __future__ import annotations

import math
from typing import Literal

from pydantic import Field, PositiveInt, field_validator

from layerctl.callbacks._template import filled, places, unknown_places
from layerctl.callbacks.base import Callback, Trainer, better, run_path


class ModelCheckpoint(Callback):
    """Writes the model after an epoch: each time, or when `monitor` has got better.

    `filepath` stands in the run's folder and ends in .safetensors; `{epoch}` and metrics may be used: `best-{epoch:02d}-{val_loss:.2f}`.
    """

    filepath: str = Field(description="The file, in the run's folder.")
    monitor: str = Field("val_loss", description="The metric that is looked at.")
    verbose: int = Field(0, description="1 says when a model is written.")
    save_best_only: bool = Field(False, description="Whether only a better model is written.")
    save_weights_only: bool = Field(False, description="Accepted: a model file is weights and the file that describes them.")
    mode: Literal["auto", "min", "max"] = Field("auto", description="Whether less or more is better.")
    save_freq: Literal["epoch"] | PositiveInt = Field("epoch", description="When it is written: after epochs, or every so many steps.")
    initial_value_threshold: float | None = Field(None, description="What the metric must beat from the start.")

    def monitored(self) -> str | None:
        return self.monitor if self.save_best_only else None

    def model_post_init(self, context: object) -> None:
        super().model_post_init(context)
        places(run_path(self.filepath, "filepath"), "filepath")

    def objection(self, trainer: Trainer) -> str | None:
        return unknown_places(self.filepath, "filepath", ["epoch", "batch", *trainer.measured()])

    def stride(self) -> int | None:
        return None if self.save_freq == "epoch" else self.save_freq

    def batch_ends(self, trainer: Trainer, batch: int, logs: dict[str, float]) -> None:
        self._save(trainer, trainer.epoch, {**logs, "batch": batch + 1})

    def epoch_ends(self, trainer: Trainer, epoch: int, logs: dict[str, float]) -> None:
        if self.save_freq == "epoch":
            self._save(trainer, epoch, logs)

    def _save(self, trainer: Trainer, epoch: int, logs: dict[str, float]) -> None:
        if self.save_best_only:
            value, sign = logs.get(self.monitor), better(self.mode, self.monitor)
            start = -math.inf * sign if self.initial_value_threshold is None else self.initial_value_threshold
            if value is None or not (value - self._state.get("best", start)) * sign > 0:
                return
            self._state["best"] = value
        template = self.filepath.replace(".keras", "").replace(".weights.h5", "")
        name = filled(template, {**logs, "epoch": epoch + 1})
        trainer.save_model(name if name.endswith(".safetensors") else f"{name}.safetensors")
        if self.verbose:
            trainer.say(f"epoch {epoch + 1}: {name} written")


class BackupAndRestore(Callback):
    """Says when checkpoints are written. A run has them in any case, in its own folder `checkpoints`, and `--resume` restores the newest.

    Without this callback one is written at the end of an epoch if the last is some seconds old, and when training ends or is interrupted.
    """

    backup_dir: str = Field(description="Accepted: checkpoints stand in the run's folder.")
    save_freq: Literal["epoch"] | bool | PositiveInt = Field(
        "epoch", description="One more after each epoch, or every so many steps; false adds none."
    )
    double_checkpoint: bool = Field(False, description="Accepted: the last two are kept, and a damaged one gives way to the one before.")
    delete_checkpoint: bool = Field(True, description="Whether they are removed when training is done; --resume starts anew then.")

    @field_validator("save_freq")
    @classmethod
    def _no_true(cls, value: str | int) -> str | int:
        if value is True:
            raise ValueError("expected epoch, a number of steps, or false, got true")
        return value

    def stride(self) -> int | None:
        return self.save_freq if type(self.save_freq) is int else None

    def batch_ends(self, trainer: Trainer, batch: int, logs: dict[str, float]) -> None:
        trainer.save_soon()

    def saves_each_epoch(self) -> bool:
        return self.save_freq == "epoch"

    def drops_checkpoints(self) -> bool:
        return self.delete_checkpoint
