"""Training on one batch until its loss is near nothing: a model that cannot learn a batch by heart has something wrong with it."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from layerctl.data.dataset import Dataset
from layerctl.graph.model import Model as Graph
from layerctl.training.trying import Ready, Trial, visited

STEPS = 2000
EVERY = 20
"""Steps between looks at the loss."""
NEAR_NOTHING = 0.01
"""The share of the first loss that counts as near nothing."""


@dataclass(frozen=True)
class Overfitting:
    """What was seen: the batch's loss (in evaluation, without dropout) before the first step and after each EVERY steps.

    Attributes:
        reached: whether the loss became NEAR_NOTHING of the first.
        reason: `reached`, `steps`, `time`, or `not-finite`.
        hints: what may be wrong, where it was not reached.
    """

    rows: int
    steps: int
    losses: list[float]
    reached: bool
    reason: str
    seconds: float
    hints: list[str] = field(default_factory=list)


class Overfitter(Trial):
    """Trains a model that is ready on the first batch of its first epoch."""

    def __init__(self, start: Ready, max_steps: int | None = None, max_seconds: float | None = None):
        super().__init__()
        self.session, self._start = start.session, start
        self._most, self._max_seconds = max_steps or STEPS, max_seconds
        self._rows = start.train.take(np.sort(visited(start, 0)[: start.size]))

    def run(self) -> Overfitting:
        """Trains until the loss is near nothing, or a budget is used up.

        Raises:
            Interrupted: after a signal.
        """
        session, rows, begun = self.session, self._rows, time.monotonic()
        session.order(rows)[...] = np.arange(len(rows))
        losses = [session.evaluate(rows, len(rows))["loss"]]
        done, reason = 0, "steps"
        while done < self._most:
            for _ in range(min(EVERY, self._most - done)):
                session.put(session.task.cursor, 0)
                session.machine.run(session.bound("train", rows, len(rows)), 1)
                self.check()
                done += 1
            losses.append(session.evaluate(rows, len(rows))["loss"])
            if session.scalar(session.task.not_finite) or not np.isfinite(losses[-1]):
                reason = "not-finite"
                break
            if abs(losses[-1]) <= NEAR_NOTHING * abs(losses[0]):
                reason = "reached"
                break
            if self._max_seconds is not None and time.monotonic() - begun >= self._max_seconds:
                reason = "time"
                break
        hints = [] if reason == "reached" else hints_of(self._start, rows, losses, reason)
        return Overfitting(len(rows), done, losses, reason == "reached", reason, time.monotonic() - begun, hints)


def hints_of(start: Ready, rows: Dataset, losses: list[float], reason: str) -> list[str]:
    """What keeps a loss from becoming nothing, as far as the file, the rows and the losses show it."""
    out = []
    rate = start.session.task.optimizer.learning_rate
    told = f"{rate:g}" if isinstance(rate, float) else "that its schedule gives"
    best = min((v for v in losses if np.isfinite(v)), default=float("nan"))
    if reason == "not-finite" or losses[-1] > 2 * losses[0]:
        out.append(f"the loss grows: the learning rate of {told} may be too large; layerctl train MODEL.yaml --lr-find suggests one")
    elif best > 0.9 * losses[0]:
        out.append(f"the loss hardly moves: the learning rate of {told} may be too small (--lr-find), layers may be frozen (`trainable: false`), "
                   "or the last activation does not fit the loss")  # fmt: skip
    elif losses[-1] <= best * 1.001:
        out.append("the loss was still falling: give it more with --max-steps, or raise the learning rate")
    same = contradictions(rows)
    if same:
        out.append(f"{same} rows of the batch have the inputs of another row and a different target: their loss cannot become nothing")
    out += _in_the_file(start.model.graph, start.model.outputs)
    if not out:
        out.append("the model may be too small for what it is to learn: add units or layers")
    return out


def _in_the_file(graph: Graph, outputs: Any) -> list[str]:
    """What the file itself puts between a batch and no loss."""
    noisy = [s.names[0] for s in graph.steps if any(w in type(s.layer).__name__ for w in ("Dropout", "Noise", "Random"))]
    out = []
    if noisy:
        out.append(f"noise in training makes learning by heart slow: {', '.join(noisy)}")
    if any(w.regularizer is not None for w in graph.weights()):
        out.append("regularizers add to the loss what no training takes away: leave them out for this trial")
    if any(getattr(part.loss, "label_smoothing", 0) for o in outputs.values() for part in o.losses):
        out.append("with `label_smoothing` the loss cannot become nothing: leave it out for this trial")
    return out


def contradictions(rows: Dataset) -> int:
    """How many rows have the inputs of an earlier row and another target."""
    seen: dict[bytes, bytes] = {}
    count = 0
    for i in range(len(rows)):
        given = b"".join(np.ascontiguousarray(a[i]).tobytes() for a in rows.inputs.values())
        wanted = b"".join(np.ascontiguousarray(a[i]).tobytes() for a in rows.targets.values())
        count += seen.setdefault(given, wanted) != wanted
    return count
