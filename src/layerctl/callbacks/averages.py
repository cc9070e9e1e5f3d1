"""The callback that puts weights' running means to use while training goes on."""

from __future__ import annotations

from pydantic import Field

from layerctl.callbacks.base import Callback, Trainer


class SwapEMAWeights(Callback):
    """Validates with the weights' running means, which the optimizer keeps with `use_ema: true`, in place of the weights.

    With `swap_on_epoch` they also stand there from an epoch's end to the next one's beginning, so that a ModelCheckpoint listed after
    this callback writes them.
    """

    swap_on_epoch: bool = Field(False, description="Whether callbacks after an epoch find the means too.")

    def objection(self, trainer: Trainer) -> str | None:
        return None if trainer.has_averages() else "needs an optimizer that keeps the weights' running means: give it `use_ema: true`"

    def test_begins(self, trainer: Trainer) -> None:
        trainer.swap_averages()

    def test_ends(self, trainer: Trainer, logs: dict[str, float]) -> None:
        trainer.swap_averages()

    def epoch_ends(self, trainer: Trainer, epoch: int, logs: dict[str, float]) -> None:
        if self.swap_on_epoch:
            self._exchange(trainer, True)

    def epoch_begins(self, trainer: Trainer, epoch: int) -> None:
        self._exchange(trainer, False)

    def last_epoch_ends(self, trainer: Trainer) -> None:
        self._exchange(trainer, False)

    def _exchange(self, trainer: Trainer, means: bool) -> None:
        """Puts the means, or the weights, in the weights' places; what stands there is kept with the checkpoint."""
        if self._state.get("means", False) != means:
            trainer.swap_averages()
            self._state["means"] = means
