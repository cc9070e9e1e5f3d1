"""Callbacks that keep models and logs on disk, in the run's folder."""

from __future__ import annotations

import math
from typing import Literal

from pydantic import Field

from layerctl.callbacks.base import Callback, Trainer, better


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
    save_freq: Literal["epoch"] = Field("epoch", description="When it is written.")
    initial_value_threshold: float | None = Field(None, description="What the metric must beat from the start.")

    def monitored(self) -> str | None:
        return self.monitor if self.save_best_only else None

    def model_post_init(self, context: object) -> None:
        super().model_post_init(context)
        parts = self.filepath.replace("\\", "/").split("/")
        if self.filepath.startswith("/") or ".." in parts or not self.filepath or "\0" in self.filepath:
            raise ValueError(f"'filepath' must stay in the run's folder, got {self.filepath!r}")
        try:
            _named(self.filepath, 0, {})
        except (ValueError, IndexError) as error:
            raise ValueError(f"'filepath' has a placeholder that cannot be filled: {self.filepath!r} ({error})") from error

    def on_epoch_end(self, trainer: Trainer, epoch: int, logs: dict[str, float]) -> None:
        if self.save_best_only:
            value, sign = logs.get(self.monitor), better(self.mode, self.monitor)
            start = -math.inf * sign if self.initial_value_threshold is None else self.initial_value_threshold
            if value is None or not (value - self._state.get("best", start)) * sign > 0:
                return
            self._state["best"] = value
        name = _named(self.filepath, epoch, logs)
        trainer.save_model(name if name.endswith(".safetensors") else f"{name}.safetensors")
        if self.verbose:
            trainer.say(f"epoch {epoch + 1}: {name} written")


class _Logs(dict[str, float]):
    def __missing__(self, key: str) -> float:
        return 0.0


def _named(template: str, epoch: int, logs: dict[str, float]) -> str:
    plain = template.replace(".keras", "").replace(".weights.h5", "")
    return plain.format_map(_Logs({**logs, "epoch": epoch + 1}))
