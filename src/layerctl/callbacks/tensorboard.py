"""The callback that writes what TensorBoard shows."""

from __future__ import annotations

import time
from typing import Literal

from pydantic import Field, NonNegativeInt, PositiveInt, PrivateAttr, field_validator

from layerctl.callbacks import _events as events
from layerctl.callbacks.base import Callback, Trainer, run_path

FILE = "events.out.tfevents.0.layerctl"


class TensorBoard(Callback):
    """Writes metrics, weights' histograms and the model's file for TensorBoard: `tensorboard --logdir runs/NAME/logs`.

    Numbers are called as Keras calls them: `epoch_loss` under `train` and `validation`, `evaluation_loss_vs_iterations`, `batch_loss`;
    histograms are `WEIGHT/histogram`. With `--resume` the files go on where the checkpoint left them.
    """

    log_dir: str = Field("logs", description="A folder in the run's folder.")
    histogram_freq: NonNegativeInt = Field(0, description="Epochs between histograms of the weights; 0 for none.")
    write_graph: bool = Field(True, description="Whether the model's file is written, as a text.")
    write_images: Literal[False] = Field(False, description="Weights are not written as pictures.")
    write_steps_per_second: bool = Field(False, description="Whether steps a second are written.")
    update_freq: Literal["batch", "epoch"] | PositiveInt = Field(
        "epoch", description="When metrics are written: also after each step, or every so many."
    )
    profile_batch: Literal[0] = Field(0, description="Nothing is profiled; see layerctl build.")
    embeddings_freq: Literal[0] = Field(0, description="Embeddings are shown as histograms alone.")
    embeddings_metadata: None = Field(None, description="None, since embeddings are not written apart.")

    _begun: tuple[float, int] | None = PrivateAttr(None)
    """When the epoch began, by a clock that never goes back, and the steps before it; None after a resume within it."""

    @field_validator("log_dir")
    @classmethod
    def _inside(cls, value: str) -> str:
        return run_path(value, "log_dir")

    def stride(self) -> int | None:
        return None if self.update_freq == "epoch" else 1 if self.update_freq == "batch" else self.update_freq

    def train_begins(self, trainer: Trainer) -> None:
        self._state.clear()
        if self.write_graph:
            lines = "".join(f"    {line}\n" for line in trainer.model_text().splitlines())
            self._write(trainer, "train", 0, [events.text("model", lines)])

    def epoch_begins(self, trainer: Trainer, epoch: int) -> None:
        self._begun = (time.monotonic(), trainer.steps_done())

    def batch_ends(self, trainer: Trainer, batch: int, logs: dict[str, float]) -> None:
        self._write(trainer, "train", trainer.steps_done() - 1, [events.scalar(f"batch_{k}", v) for k, v in logs.items()])

    def test_ends(self, trainer: Trainer, logs: dict[str, float]) -> None:
        values = [events.scalar(f"evaluation_{k}_vs_iterations", v) for k, v in logs.items()]
        self._write(trainer, "validation", trainer.steps_done(), values)

    def epoch_ends(self, trainer: Trainer, epoch: int, logs: dict[str, float]) -> None:
        own = {k: v for k, v in logs.items() if not k.startswith("val_")}
        if self.write_steps_per_second and self._begun is not None:
            begun, steps = self._begun
            own["steps_per_second"] = (trainer.steps_done() - steps) / max(time.monotonic() - begun, 1e-9)
        values = [events.scalar(f"epoch_{k}", v) for k, v in own.items()]
        if self.histogram_freq and epoch % self.histogram_freq == 0:
            values += [events.histogram(f"{path}/histogram", array) for path, array in trainer.weights().items()]
        self._write(trainer, "train", epoch, values)
        held = [events.scalar(f"epoch_{k[4:]}", v) for k, v in logs.items() if k.startswith("val_")]
        if held:
            self._write(trainer, "validation", epoch, held)

    def _write(self, trainer: Trainer, part: str, step: int, values: list[bytes]) -> None:
        now, at = time.time(), self._state.get(part, 0)
        head = b"" if at else events.first_event(now)
        self._state[part] = trainer.write(f"{self.log_dir}/{part}/{FILE}", head + events.event(now, step, values), at)
