"""Predicting by a plan: weights from the model file, tapes from the plan, kernels from the store; nothing is compiled."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from layerctl.data.dataset import Dataset
from layerctl.kernels import store, words
from layerctl.predicting.plan import Plan, Recorded
from layerctl.predicting.sizes import runs
from layerctl.runtime.tape import Mounted, aligned_bytes
from layerctl.runtime.threads import Team, count


class Player:
    """A plan with a model's weights on this machine."""

    def __init__(self, plan: Plan, state: np.ndarray, kernels: Mapping[str, int], threads: int | None):
        self.plan, self._state, self._kernels = plan, state, kernels
        self._team = Team(count(threads))
        self._mounted: dict[int, Mounted] = {}

    @classmethod
    def ready(cls, plan: Plan, weights: Mapping[str, np.ndarray], threads: int | None) -> Player | None:
        """The plan, ready to predict; None where the weights are not those it was made for, or the store lacks a kernel."""
        state = aligned_bytes(max(plan.state, 64))
        for name, (at, (dtype, shape)) in plan.weights.items():
            given = weights.get(name)
            if given is None or given.dtype.str != dtype or given.shape != shape or at + given.nbytes > plan.state:
                return None
            state[at : at + given.nbytes] = np.ascontiguousarray(given).reshape(-1).view(np.uint8)
        kernels = store.known([words.NAME, words.LEAD_NAME, words.SERVE_NAME, *(name for t in plan.tapes for name in t.tape.kernels)])
        return cls(plan, state, kernels, threads) if kernels is not None else None

    def predict(self, rows: Dataset, arriving: bool = False) -> dict[str, np.ndarray] | None:
        """The model's outputs for all rows, in order; None where the plan has no tape for as many."""
        n = len(rows)
        found = [(self.plan.tape(k, rows.inputs), steps) for k, steps in runs(n, self.plan.batch, arriving)]
        tapes = [(tape, steps) for tape, steps in found if tape is not None]
        if len(tapes) < len(found):
            return None
        results = {name: np.empty((n, *shape), dtype) for name, (dtype, shape) in tapes[0][0].results.items()}
        external = {"order": np.arange(n, dtype=np.int64), "row_numbers": rows.row_numbers}
        external |= {f"input:{name}": a for name, a in rows.inputs.items()} | {f"result:{name}": a for name, a in results.items()}
        self._begin()
        for tape, steps in tapes:
            self._team.run(self._mount(tape, external).listed, steps)
        return results

    def _begin(self) -> None:
        at = self.plan.cursor
        for start, size in (*self.plan.cleared, (at, 8)):
            self._state[start : start + size] = 0

    def _mount(self, recorded: Recorded, external: Mapping[str, np.ndarray]) -> Mounted:
        mounted = self._mounted.get(id(recorded))
        if mounted is None:
            self._mounted[id(recorded)] = mounted = Mounted(recorded.tape, self._kernels, self._state, external)
            if len(mounted.prologue):
                self._team.run(mounted.prologue, 1)
        mounted.point(external)
        return mounted

    def close(self) -> None:
        """Ends the threads."""
        self._team.close()
