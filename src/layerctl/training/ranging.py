"""The learning rate's range test: one short training whose rate grows from step to step (Smith 2017, "Cyclical learning rates", 3.3)."""

from __future__ import annotations

import time
from dataclasses import dataclass

import numpy as np

from layerctl.training.trying import Ready, Trial, visited

LOWEST, HIGHEST = 1e-7, 10.0
STEPS = 100
SMOOTHING = 0.9
"""The share that a loss before keeps in the running mean."""
DIVERGED = 4.0
"""How many times the best loss, on the way down from the first, the loss may become before the test ends."""
SKIPPED = 0.1
"""The share of the steps at the beginning in which the running mean means little."""


@dataclass(frozen=True)
class RangeTest:
    """What was seen: rates and losses by step, the running mean of the losses, and what follows.

    Attributes:
        suggestion: the rate at which the loss fell most steeply; None where it never fell.
        lowest: the rate at which the running mean was least.
        reason: `done`, `diverged` (the loss grew to four times its fall), or `not-finite`.
    """

    rates: list[float]
    losses: list[float]
    smoothed: list[float]
    suggestion: float | None
    lowest: float | None
    reason: str
    seconds: float


class Finder(Trial):
    """The range test of a model that is ready to be trained; its optimizer's rate is a plain number."""

    def __init__(self, start: Ready, low: float = LOWEST, high: float = HIGHEST, steps: int = STEPS):
        super().__init__()
        self.session, self._start, self._steps = start.session, start, steps
        self._rates = np.geomspace(low, high, steps)

    def run(self) -> RangeTest:
        """Trains step by step on whole batches, as the first epochs would visit them.

        Raises:
            Interrupted: after a signal.
        """
        session, task, begun = self.session, self.session.task, time.monotonic()
        losses: list[float] = []
        mean, smoothed, reason = 0.0, [], "done"
        bound = session.bound("train", self._start.train, self._start.size)
        for step, rate in enumerate(self._rates):
            self._visit(step)
            session.put(task.rate, float(rate))
            session.reset_metrics()
            session.machine.run(bound, 1)
            self.check()
            loss = session.results()["loss"]
            if session.scalar(task.not_finite) or not np.isfinite(loss):
                reason = "not-finite"
                break
            losses.append(loss)
            mean = SMOOTHING * mean + (1 - SMOOTHING) * loss
            smoothed.append(mean / (1 - SMOOTHING ** (step + 1)))
            if _diverged(smoothed):
                reason = "diverged"
                break
        rates = [float(r) for r in self._rates[: len(losses)]]
        suggestion, lowest = suggested(rates, smoothed)
        return RangeTest(rates, losses, smoothed, suggestion, lowest, reason, time.monotonic() - begun)

    def _visit(self, step: int) -> None:
        """Puts the next whole batch under the cursor; an epoch's rest is left out."""
        whole = len(self._start.train) // self._start.size
        if step % whole == 0:
            self.session.order(self._start.train)[...] = visited(self._start, step // whole)
            self.session.put(self.session.task.cursor, 0)


def _diverged(smoothed: list[float]) -> bool:
    first, best, last = smoothed[0], min(smoothed), smoothed[-1]
    return len(smoothed) > STEPS * SKIPPED and last - best > (DIVERGED - 1) * max(abs(best), first - best)


def suggested(rates: list[float], smoothed: list[float]) -> tuple[float | None, float | None]:
    """(the rate of the steepest fall by the rate's logarithm, the rate of the least loss); None where the loss did not fall."""
    skip = int(len(rates) * SKIPPED)
    if len(rates) < skip + 3:
        return None, None
    loss = np.array(smoothed)
    least = skip + int(np.argmin(loss[skip:]))
    if loss[least] >= loss[skip] - 1e-3 * abs(loss[skip]) or least < skip + 2:
        return None, None
    slope = np.gradient(loss, np.log(rates))
    return rates[skip + int(np.argmin(slope[skip : least + 1]))], rates[least]
