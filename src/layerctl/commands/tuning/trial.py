"""One trial: the file with its values trained, watched epoch by epoch, judged by the weights that training leaves."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from layerctl.commands.tuning.study import Study, Tried
from layerctl.diagnostics import LayerctlError, NumericalError
from layerctl.training.events import Observer

if TYPE_CHECKING:
    from layerctl.api import Model
    from layerctl.source.document import Document


class Models:
    """Builds trials' models; the data are read once for all trials whose data section is the same."""

    def __init__(self, threads: int | None):
        self._threads = threads
        self._kept: tuple[Any, Any] | None = None

    def build(self, document: Document) -> Model:
        """A model with its rows.

        Raises:
            LayerctlError: for what is wrong in the file or the data.
        """
        from layerctl.api import Model

        plain = document.plain()
        data, judged = plain.get("data"), plain.get("compile")
        key = data, plain.get("seed"), judged.get("loss") if isinstance(judged, dict) else None, plain.get("vars") if "${" in repr(data) else None
        rows = self._kept[1] if self._kept is not None and self._kept[0] == key else None
        model = Model.of_document(document, self._threads, "read", rows)
        self._kept = (key, model.data)
        return model


class _Watch(Observer):
    """Tells the study each epoch's metric, and ends training that is behind."""

    def __init__(self, trial: Any, metric: str, stop: Callable[[], None]):
        self._trial, self._metric, self._stop = trial, metric, stop
        self.epochs, self.last, self.pruned = 0, None, False

    def epoch(self, epoch: int, epochs: int, logs: dict[str, float], seconds: float) -> None:
        self.epochs = epoch
        value = logs.get(self._metric)
        if value is None or value != value:
            return
        self.last = value
        self._trial.report(value, epoch)
        if epoch < epochs and self._trial.should_prune():
            self.pruned = True
            self._stop()


def run(study: Study, trial: Any, models: Models, max_seconds: float | None, on_trainer: Callable[[Any], None]) -> Tried | None:
    """Trains a trial and writes down how it ended; None if it was stopped from outside, and is left for whoever goes on."""
    begun = time.monotonic()
    trainers: list[Any] = []

    def ended(state: str, value: float | None = None, epochs: int = 0, why: str = "") -> Tried:
        tried = Tried(trial.number, state, value, epochs, time.monotonic() - begun, why=why)
        study.tell(trial, tried)
        return study.ended_as(trial.number)

    def took(trainer: Any) -> None:
        trainers.append(trainer)
        on_trainer(trainer)

    watch = _Watch(trial, study.plan.metric, lambda: trainers[0].interrupt())
    document = study.document(trial)
    twin = study.twin(trial)
    if twin is not None:
        return ended(twin.state, twin.value, 0, f"the same as trial {twin.number}")
    try:
        with models.build(document) as model:
            outcome = model.fit(observer=watch, max_seconds=max_seconds, on_trainer=took)
            if watch.pruned:
                return ended("pruned", watch.last, watch.epochs)
            if outcome.reason in ("interrupted", "time"):
                return None
            value = _score(model, study.plan.metric, watch)
            return ended("done", value, watch.epochs) if value is not None else ended("diverged", None, watch.epochs, f"{study.plan.metric} is not a number")
    except NumericalError as error:
        return ended("diverged", None, watch.epochs, error.diagnostics[0].message)
    except LayerctlError as error:
        return ended("refused", None, watch.epochs, error.diagnostics[0].first_line())


def _score(model: Model, metric: str, watch: _Watch) -> float | None:
    """The metric of the weights that training left: callbacks may have put back others than the last epoch's. None for NaN."""
    held = metric.startswith("val_")
    value = model.evaluate(split="validation").get(metric.removeprefix("val_")) if held else watch.last
    return value if value is not None and value == value else None
