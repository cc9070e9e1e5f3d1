"""A training made ready without a run's folder: what trials share that look at a model's training and keep nothing of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from layerctl.data.dataset import Dataset
from layerctl.diagnostics import fail
from layerctl.training.adapting import adapt
from layerctl.training.beforehand import check_trainable
from layerctl.training.events import Observer
from layerctl.training.order import row_order
from layerctl.training.session import Session
from layerctl.training.training import take_gathered, take_weights

if TYPE_CHECKING:
    from layerctl.api import Model


class Interrupted(Exception):
    """A trial was ended by a signal; it leaves nothing behind."""


class Trial:
    """Something that trains a little; `interrupt` ends it after its step, for signal handlers."""

    session: Session

    def __init__(self) -> None:
        self._interrupted = False

    def interrupt(self) -> None:
        """Ends the trial with `Interrupted`."""
        self._interrupted = True
        self.session.machine.stop()

    def check(self) -> None:
        """Ends here if a signal came.

        Raises:
            Interrupted: then.
        """
        if self._interrupted:
            raise Interrupted


@dataclass(frozen=True, eq=False)
class Ready:
    """A model's session with its first weights, the rows as the losses take them, and the rows of a step."""

    model: Model
    session: Session
    train: Dataset
    validation: Dataset | None
    size: int


def ready(model: Model, observer: Observer) -> Ready:
    """The model as it is before the first step of its training.

    Raises:
        LayerctlError: as training does before its first step.
    """
    from layerctl.training.using import prepared

    check_trainable(model)
    rows, held = prepared(model, model.data.train, training=True), prepared(model, model.data.validation)
    if rows is None or not len(rows):
        fail("no-rows", "there are no rows to train on", model.spec.span(("data",)), hint="give smaller shares in `split`, or more rows")
    assert rows is not None
    session = model.session(rows, train=True, report=observer.compiling)
    take_weights(model, session, observer)
    take_gathered(model, session)
    adapt(session, rows)
    return Ready(model, session, rows, held if held is not None and len(held) else None, min(model.spec.fit.batch_size, len(rows)))


def visited(start: Ready, epoch: int) -> Any:
    """The order in which the training rows are visited in an epoch (from 0), as training has it."""
    return row_order(start.session.task.seed, start.train, epoch, start.model.spec.fit.shuffle)
