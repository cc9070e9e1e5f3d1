"""`fit`: data, session, run folder and loop put together; going on from a checkpoint."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from layerctl.diagnostics import fail
from layerctl.modelfile.artifact import bad_metadata
from layerctl.modelfile.checkpoint import STATE
from layerctl.training.adapting import adapt
from layerctl.training.beforehand import check_trainable
from layerctl.training.events import Ended, Observer, Started
from layerctl.training.fit import Outcome, Trainer
from layerctl.training.gathered import gathered_in, put
from layerctl.training.kept import TENSORS, kept_in
from layerctl.training.observers import Observers, failed, observers
from layerctl.training.runfolder import HISTORY, MODEL, ORIGIN, RESOLVED, RunFolder
from layerctl.training.session import parameters

if TYPE_CHECKING:
    from layerctl.api import Model

BEST = "callback/"


def train(
    model: Model, x: Any, y: Any, *, validation: Any, run: Any, resume: bool, max_seconds: float | None, observer: Observer | None,
    on_trainer: Callable[[Trainer], None] | None, max_steps: int | None = None, finish: Callable[[Outcome], Finished] | None = None,
    sample_weight: Any = None,
) -> Outcome:  # fmt: skip
    """Trains a model; see `Model.fit`. `finish` is what is done with the saved model before observers hear of the end."""
    from layerctl.training.using import dataset_of, prepared

    observer = observer or Observer()
    check_trainable(model)
    if x is not None:
        rows = dataset_of(model, x, y, sample_weight)
        held = dataset_of(model, *validation) if validation is not None else None
    else:
        rows, held = model.data.train, model.data.validation
    rows, held = prepared(model, rows, training=True), prepared(model, held)
    if not len(rows):
        fail("no-rows", "there are no rows to train on", model.spec.span(("data",)), hint="give smaller shares in `split`, or more rows")
    folder = RunFolder(Path(run)) if run is not None else None
    try:
        session = model.session(rows, train=True, report=observer.compiling)
        trainer = Trainer(
            session, rows, held if held is not None and len(held) else None, model.spec.fit, observer, max_seconds=max_seconds, max_steps=max_steps,
            span=model.spec.span(("fit",)), save=folder and (lambda t: _checkpoint(t, folder, rows.fingerprint)),
            save_model=folder and (lambda name: model.save(folder.path / name)), record=folder and folder.record,
            write=folder and folder.write_at, text=model.resolved(),
        )  # fmt: skip
        if on_trainer is not None:
            on_trainer(trainer)
        take_weights(model, session, observer)
        take_gathered(model, session)
        if folder is not None:
            if resume:
                _resume(trainer, folder, rows.fingerprint, observer)
            folder.open_history(trainer.progress.epoch + 1)
            folder.write_text(RESOLVED, model.resolved())
            folder.write_text(ORIGIN, str(model.folder.absolute()))
        trainer.check_callbacks()
        adapt(session, rows)
        fingerprint = model.data.fingerprint if x is None else rows.fingerprint  # the first is the one that the model file tells
        started = _started(model, trainer, folder, fingerprint)
        trainer.observer = heard = observers(observer, started)
        with _told(trainer, folder, heard, started):
            return _run(model, trainer, folder, heard, finish)
    finally:
        if folder is not None:
            folder.close()


@dataclass(frozen=True)
class Finished:
    """What was done with a trained model: its scores on the rows of `split`, the files that were made of it."""

    scores: dict[str, float]
    split: str
    files: tuple[Path, ...] = ()


def _run(model: Model, trainer: Trainer, folder: RunFolder | None, observer: Observer, finish: Callable[[Outcome], Finished] | None) -> Outcome:
    """The training itself, and its end: the model saved, then judged, then told of."""
    outcome = trainer.run()
    saved = outcome.saved
    if folder is not None and saved:
        model.save(folder.path / MODEL, _last_scores(outcome))
    if folder is not None and outcome.reason in ("done", "early") and any(c.drops_checkpoints() for c in trainer.callbacks):
        folder.drop_checkpoints()
    if folder is not None:
        folder.end("finished" if saved else "interrupted", outcome.reason, outcome.epochs, outcome.seconds)
    end = finish(outcome) if finish is not None else Finished(_last_scores(outcome), "")
    files = [folder.path / n for n in (MODEL, RESOLVED, HISTORY)] if folder is not None else []
    present = tuple(p for p in (*files, *end.files) if p.is_file())
    observer.ended(Ended(outcome.reason, outcome.epochs, outcome.seconds, end.scores, end.split, present))
    return outcome


def _started(model: Model, trainer: Trainer, folder: RunFolder | None, fingerprint: str) -> Started:
    trained, _ = parameters(trainer.session)
    return Started(
        model.spec.name, folder.path if folder is not None else None, model.resolved(), dict(model.spec.document.plain()), model.spec.seed,
        fingerprint, len(trainer.train), trained, trainer.progress.epoch + 1, tuple(trainer.callbacks),
    )  # fmt: skip


@contextlib.contextmanager
def _told(trainer: Trainer, folder: RunFolder | None, observer: Observers, started: Started) -> Iterator[None]:
    """Notes that training goes on, and that it failed if an error ends it."""
    if folder is not None:
        held = len(trainer.validation) if trainer.validation is not None else 0
        folder.begin(trainer.session.machine.threads, {"train": len(trainer.train), "validation": held}, started.data)
    observer.started(started)
    try:
        yield
    except BaseException as error:
        end = failed(len(trainer.progress.history), trainer.elapsed(), error)
        if folder is not None:
            folder.end(end.reason, end.reason, end.epochs, end.seconds, end.error)
        observer.ended(end)
        raise


def take_weights(model: Model, session: Any, observer: Observer) -> None:
    """The weights that the `fit` section names, before the first training of a model."""
    given = model.spec.fit.weights
    if given is None or model.started:
        return
    from layerctl.training.starting import starting_weights

    span = model.spec.span(("fit", "weights"))
    taken, found = starting_weights(model.graph.weights(), model.folder / given.file, by_name=given.by_name, partial=given.partial, span=span)
    session.set_weights({**session.weights(), **taken})
    if given.optimizer:
        model.gathered = gathered_in(model.folder / given.file, span)
    model.started = True
    for line in found.lines(given.file):
        observer.message(line)


def take_gathered(model: Model, session: Any) -> None:
    """What an optimizer has gathered in another program or run, once: after it the session's own goes on."""
    if model.gathered:
        put(session, model.gathered, model.spec.span(("fit", "weights")))
        model.gathered = {}


def _last_scores(outcome: Outcome) -> dict[str, float]:
    last = outcome.history[-1] if outcome.history else {}
    return {k: float(v) for k, v in last.items() if k != "epoch" and np.isfinite(v)}


def _checkpoint(trainer: Trainer, folder: RunFolder, fingerprint: str) -> None:
    """Everything that going on needs: state tensors, callbacks' state, the epoch, the history."""
    tensors = dict(trainer.session.everything())
    callbacks = []
    for i, c in enumerate(trainer.callbacks):
        state = dict(c.state)
        for key, value in list(state.items()):
            if isinstance(value, dict) and value and all(isinstance(a, np.ndarray) for a in value.values()):
                tensors |= {f"{BEST}{i}/{key}/{n}": a for n, a in value.items()}
                state[key] = {TENSORS: sorted(value)}
        callbacks.append({"kind": type(c).__name__, "state": state})
    p = trainer.progress
    step = int(trainer.session.scalar(trainer.session.task.iteration))
    folder.save_checkpoint(step, tensors, {
        "epoch": p.epoch, "within": p.within, "history": p.history, "elapsed": round(trainer.elapsed(), 3), "callbacks": callbacks,
        "data": fingerprint, "seed": trainer.session.task.seed, "batch_size": trainer.size, "ended": trainer.stop_reason == "early",
    })  # fmt: skip


def _resume(trainer: Trainer, folder: RunFolder, fingerprint: str, observer: Observer) -> None:
    found = folder.latest()
    if found is None:
        observer.message(f"nothing to resume in {folder.path}: training starts at the beginning")
        return
    for w in found.warnings:
        observer.message(w.first_line())
    kept = kept_in(found, BEST)
    if kept.data != fingerprint:
        fail("data-changed", "the data are not those that the checkpoint was trained on", trainer.span,
             hint="train without --resume, or put the old data back")  # fmt: skip
    if kept.seed != trainer.session.task.seed or kept.batch_size != trainer.size:
        fail("foreign-checkpoint", "the checkpoint was made with another seed or batch size", trainer.span,
             hint="resume with the file it was made from, or train without --resume")  # fmt: skip
    trainer.session.set_everything(found.tensors)
    p = trainer.progress
    p.epoch, p.within, p.history, p.elapsed = kept.epoch, kept.within, kept.history, kept.elapsed
    if kept.ended:
        trainer.stop_reason = "early"
    for c, own in zip(trainer.callbacks, kept.callbacks, strict=False):
        if own.kind == type(c).__name__:
            try:
                c.load_state(own.state)
            except ValueError as error:
                bad_metadata(found.path, f"{STATE}.callbacks", str(error), "what a training writes")
    observer.message(f"resuming at epoch {p.epoch + 1}, step {found.step}")
