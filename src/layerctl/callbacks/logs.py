"""Callbacks that write down or say how training goes."""

from __future__ import annotations

import csv
import io
from typing import ClassVar

from pydantic import Field, ValidationInfo, field_validator

from layerctl.callbacks._template import filled, places, unknown_places
from layerctl.callbacks.base import Callback, Trainer, run_path


class CSVLogger(Callback):
    """Writes a line an epoch to a CSV file in the run's folder: `epoch` (from 0), then the metrics in alphabetical order; NA for none.

    With `--resume` the file goes on where the checkpoint left it.
    """

    filename: str = Field(description="The file, in the run's folder.")
    separator: str = Field(",", min_length=1, max_length=1, description="What stands between columns.")
    append: bool = Field(False, description="Whether a file that is there already is continued.")

    keeps: ClassVar[dict[str, type]] = {"keys": list}

    @field_validator("filename")
    @classmethod
    def _inside(cls, value: str) -> str:
        return run_path(value, "filename")

    def train_begins(self, trainer: Trainer) -> None:
        self._state["size"] = trainer.write(self.filename, b"", None if self.append else 0)
        self._state["headed"] = self._state["size"] > 0

    def epoch_ends(self, trainer: Trainer, epoch: int, logs: dict[str, float]) -> None:
        s = self._state
        if "keys" not in s:
            keys = sorted(logs)
            s["keys"] = keys if any(k.startswith("val_") for k in keys) else [*keys, *(f"val_{k}" for k in keys)]
        text = io.StringIO()
        writer = csv.writer(text, delimiter=self.separator)
        if not s.get("headed"):
            writer.writerow(["epoch", *s["keys"]])
        writer.writerow([epoch, *(logs.get(k, "NA") for k in s["keys"])])
        s["size"] = trainer.write(self.filename, text.getvalue().encode(), s.get("size", 0))
        s["headed"] = True


class LambdaCallback(Callback):
    """Says texts while training goes on; `{loss:.4f}` in a text is the metric.

    A text is printed, nothing is executed: a place in it is a name with a number's format. `epoch` and `batch` count from 0 as Keras's
    arguments do; `learning_rate` and the metrics are known wherever they have been measured. Texts for batches make each step a call of
    its own, which slows small models down.
    """

    on_epoch_begin: str | None = Field(None, description="Said before each epoch; knows epoch, learning_rate.")
    on_epoch_end: str | None = Field(None, description="Said after each epoch; knows epoch and the metrics.")
    on_train_begin: str | None = Field(None, description="Said before the first epoch; knows learning_rate.")
    on_train_end: str | None = Field(None, description="Said after the last epoch; knows the last epoch's metrics.")
    on_train_batch_begin: str | None = Field(None, description="Said before each step; knows batch, epoch.")
    on_train_batch_end: str | None = Field(None, description="Said after each step; knows batch, epoch and the metrics so far.")

    @field_validator("on_epoch_begin", "on_epoch_end", "on_train_begin", "on_train_end", "on_train_batch_begin", "on_train_batch_end")
    @classmethod
    def _fillable(cls, value: str | None, info: ValidationInfo) -> str | None:
        if value is not None:
            places(value, str(info.field_name))
        return value

    def objection(self, trainer: Trainer) -> str | None:
        known = ["epoch", "batch", *trainer.measured()]
        texts = ((n, getattr(self, n)) for n in type(self).model_fields)
        return next((wrong for n, text in texts if text is not None and (wrong := unknown_places(text, n, known))), None)

    keeps: ClassVar[dict[str, type]] = {"logs": dict}

    def stride(self) -> int | None:
        return 1 if self.on_train_batch_begin is not None or self.on_train_batch_end is not None else None

    def train_begins(self, trainer: Trainer) -> None:
        self._say(trainer, self.on_train_begin, {})

    def epoch_begins(self, trainer: Trainer, epoch: int) -> None:
        self._say(trainer, self.on_epoch_begin, {})

    def batch_begins(self, trainer: Trainer, batch: int) -> None:
        self._say(trainer, self.on_train_batch_begin, {"batch": batch})

    def batch_ends(self, trainer: Trainer, batch: int, logs: dict[str, float]) -> None:
        self._say(trainer, self.on_train_batch_end, {**logs, "batch": batch})

    def epoch_ends(self, trainer: Trainer, epoch: int, logs: dict[str, float]) -> None:
        self._state["logs"] = dict(logs)
        self._say(trainer, self.on_epoch_end, logs)

    def train_ends(self, trainer: Trainer) -> None:
        self._say(trainer, self.on_train_end, self._state.get("logs", {}))

    def _say(self, trainer: Trainer, text: str | None, values: dict[str, float]) -> None:
        if text is not None:
            trainer.say(filled(text, {"epoch": trainer.epoch, "learning_rate": trainer.learning_rate(), **values}))


class History(Callback):
    """Keeps each epoch's metrics; layerctl does so in any case, in the run's folder as history.jsonl and as `Outcome.history`."""


class ProgbarLogger(Callback):
    """Shows how far an epoch is; layerctl does so in any case, on a terminal as a bar, else as a line an epoch."""
