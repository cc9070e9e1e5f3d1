"""A study: which trials there are, whose turn it is, what the next one tries. All that is random follows from (seed, trial, parameter)."""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from layerctl import randoms
from layerctl.commands.tuning.journal import NAME, Turn, storage
from layerctl.diagnostics import LayerctlError, Source, Span, fail
from layerctl.modelfile.lock import FolderLock
from layerctl.source.document import Document
from layerctl.source.dump import dumps
from layerctl.spec.search import Choices, Search, filled, searches

PRUNERS = ("median", "hyperband", "none")
STARTUP = 5
"""Whole trials before the median prunes."""
WORKERS = "workers"


@dataclass(frozen=True)
class Plan:
    """What makes a study what it is: the file with its ranges, its data, what is measured and which way, the seed, the pruner."""

    document: Document
    data: str
    """The data's fingerprint."""
    metric: str
    maximize: bool
    seed: int
    pruner: str
    epochs: int
    """The most epochs that a trial has: what Hyperband divides."""

    def fingerprint(self) -> str:
        """The same for two starts that may add to one journal."""
        told = {"metric": self.metric, "maximize": self.maximize, "seed": self.seed, "pruner": self.pruner}
        text = dumps({"file": self.document.plain(), "data": self.data, **told})
        return hashlib.sha256(text.encode()).hexdigest()[:32]


@dataclass(frozen=True)
class Tried:
    """A trial that ended: `done`, `pruned` (it was behind others), `diverged` (the loss was not finite), `refused` (no such model can be built)."""

    number: int
    state: str
    value: float | None
    epochs: int
    seconds: float
    chosen: dict[str, Any] = field(default_factory=dict)
    why: str = ""


class Study:
    """The journal of a folder, as one process of several sees it."""

    def __init__(self, folder: Path, plan: Plan, force: bool):
        import optuna

        optuna.logging.set_verbosity(optuna.logging.ERROR)
        warnings.filterwarnings("ignore", category=optuna.exceptions.ExperimentalWarning)
        warnings.filterwarnings("ignore", message=".*step.*is already reported", category=UserWarning)
        self.folder, self.plan = folder, plan
        self.searches = searches(plan.document)
        """The file's ranges."""
        self._optuna = optuna
        self._own = folder / WORKERS / f"{os.uname().nodename}-{os.getpid()}"
        try:
            if force:
                self._forget()
            self._own.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            fail("cannot-write", f"cannot make the study's folder: {error.strerror or error}", Span(Source(str(folder))), hint="give another with --out")
        self._presence = FolderLock(self._own).acquire()
        self._turn = Turn(folder / "turn.lock")
        with self._turn.taken():
            self._study = self._opened()

    def _opened(self) -> Any:
        optuna, plan = self._optuna, self.plan
        study = optuna.create_study(
            storage=storage(self.folder), study_name="study", load_if_exists=True, pruner=self._pruner(),
            direction="maximize" if plan.maximize else "minimize",
        )  # fmt: skip
        known = study.user_attrs.get("plan")
        if known is None:
            study.set_user_attr("plan", plan.fingerprint())
        elif known != plan.fingerprint():
            fail("foreign-study", "the study in this folder is of another file, other data, another metric, seed or pruner", Span(Source(str(self.folder))),
                 hint="start anew with --force, or in another folder with --out")  # fmt: skip
        return study

    def _forget(self) -> None:
        """Removes the journal, unless somebody writes to it."""
        for worker in (self.folder / WORKERS).glob("*"):
            if self._held(worker.name):
                fail("run-in-use", f"another process ({worker.name}) is at work in this study", Span(Source(str(self.folder))),
                     hint="wait for it to end, or choose another folder with --out")  # fmt: skip
        (self.folder / NAME).unlink(missing_ok=True)

    def _pruner(self) -> Any:
        pruners, epochs = self._optuna.pruners, self.plan.epochs
        if self.plan.pruner == "median":
            return pruners.MedianPruner(n_startup_trials=STARTUP, n_warmup_steps=1 + max(1, epochs // 5))
        if self.plan.pruner == "hyperband":
            return pruners.HyperbandPruner(min_resource=1, max_resource=max(epochs, 2), reduction_factor=3)
        return pruners.NopPruner()

    def close(self) -> None:
        """Says that this process is no longer there."""
        self._presence.release()
        shutil.rmtree(self._own, ignore_errors=True)  # an empty folder that stays does no harm

    def next(self, wanted: int) -> Any:
        """The next trial to run: one that a process left behind when it ended, as it was, else a fresh one; None when `wanted` have begun."""
        with self._turn.taken():
            trials = self._study.get_trials(deepcopy=False)
            for t in trials:
                if t.state == self._optuna.trial.TrialState.RUNNING and not self._held(t.user_attrs.get("worker", "")):
                    self._study._storage.set_trial_user_attr(t._trial_id, "worker", self._own.name)
                    return self._optuna.trial.Trial(self._study, t._trial_id)
            if len(trials) >= wanted:
                return None
            self._study.sampler = self._sampler(f"trial {len(trials)}")
            trial = self._study.ask()
            trial.set_user_attr("worker", self._own.name)
            return trial

    def _held(self, worker: str) -> bool:
        """Whether the process of this name is there."""
        if worker == self._own.name:
            return False
        folder = self.folder / WORKERS / worker
        if not worker or not folder.is_dir():
            return False
        lock = FolderLock(folder)
        try:
            lock.acquire()
        except LayerctlError:
            return True
        lock.release()
        return False

    def _sampler(self, *parts: Any) -> Any:
        """Optuna's tree of Parzen estimators, with random numbers of its own for each use."""
        seed = randoms.key_of(self.plan.seed, "tune", *parts) & 0xFFFFFFFF
        return self._optuna.samplers.TPESampler(seed=seed, n_startup_trials=2 * STARTUP, multivariate=False)

    def document(self, trial: Any) -> Document:
        """The file with what the trial tries; chosen here, unless it was before."""

        def pick(search: Search) -> Any:
            self._study.sampler = self._sampler(trial.number, search.name)
            over = search.over
            if isinstance(over, Choices):
                return trial.suggest_categorical(search.name, list(range(len(over.values))))
            suggest = trial.suggest_int if over.whole else trial.suggest_float
            step = over.step if over.step is not None else 1 if over.whole else None
            return suggest(search.name, over.low, over.high, log=over.log, **({} if step is None or over.log else {"step": step}))

        with self._turn.taken():
            return filled(self.plan.document, pick)

    def twin(self, trial: Any) -> Tried | None:
        """An ended trial that tried the same: training it again would give the same."""
        before = self._study.get_trials(deepcopy=False)[: trial.number]
        return next((self._tried(t) for t in before if t.state.is_finished() and t.params == trial.params), None)

    def tell(self, trial: Any, tried: Tried) -> None:
        """Writes down how a trial ended."""
        states = self._optuna.trial.TrialState
        state = {"done": states.COMPLETE, "refused": states.FAIL}.get(tried.state, states.PRUNED)
        for key in ("state", "epochs", "why"):
            trial.set_user_attr(key, getattr(tried, key))
        trial.set_user_attr("seconds", round(tried.seconds, 3))
        self._study.tell(trial.number, tried.value if state == states.COMPLETE else None, state=state)

    def ended(self) -> list[Tried]:
        """All trials that ended, whichever process ran them, by number."""
        return [self._tried(t) for t in self._study.get_trials(deepcopy=False) if t.state.is_finished()]

    def ended_as(self, number: int) -> Tried:
        """One trial that ended."""
        return self._tried(self._study.get_trials(deepcopy=False)[number])

    def _tried(self, trial: Any) -> Tried:
        notes, value = trial.user_attrs, trial.value
        if value is None and trial.intermediate_values:
            value = trial.intermediate_values[max(trial.intermediate_values)]
        return Tried(trial.number, notes.get("state", "refused"), value, notes.get("epochs", 0), notes.get("seconds", 0.0),
                     self._chosen(trial.params), notes.get("why", ""))  # fmt: skip

    def _chosen(self, params: dict[str, Any]) -> dict[str, Any]:
        """A trial's parameters as a reader wants them: in the file's order, choices by their labels."""
        labels = {s.name: s.over.labels() if isinstance(s.over, Choices) else None for s in self.searches}
        return {n: labels[n][params[n]] if labels[n] is not None else params[n] for n in labels if n in params}

    def best(self) -> Tried | None:
        """The best of those that are done; the first of equals."""
        done = [t for t in self.ended() if t.state == "done" and t.value is not None]
        sign = -1.0 if self.plan.maximize else 1.0
        return min(done, key=lambda t: (sign * float(t.value or 0.0), t.number), default=None)

    def document_of(self, number: int) -> Document:
        """The file as a trial tried it."""
        params = self._study.get_trials(deepcopy=False)[number].params
        return filled(self.plan.document, lambda search: params[search.name])


@contextlib.contextmanager
def study_in(folder: Path, plan: Plan, force: bool) -> Iterator[Study]:
    """A study for a block of statements.

    Raises:
        LayerctlError: without Optuna, for a folder that cannot be written, for a study of another file.
    """
    try:
        import optuna  # noqa: F401
    except ImportError:
        fail("missing-extra", "tuning needs Optuna, which is not installed", hint="pip install 'layerctl[tune]'")
    study = Study(folder, plan, force)
    try:
        yield study
    finally:
        study.close()
