"""`layerctl train`."""

from __future__ import annotations

import os
from typing import Annotated, Any

import typer

from layerctl.cli import output
from layerctl.cli.ending import heed, usage
from layerctl.cli.options import Diagnostics, Json, Overrides, Quiet, Seed, Threads, seconds


def train_command(
    model: Annotated[str, typer.Argument(metavar="MODEL.yaml", help="The model file.")],
    out: Annotated[str | None, typer.Option("--out", "-o", metavar="DIR", help="The run's folder; runs/NAME if not given.")] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on from the folder's newest checkpoint.")] = False,
    force: Annotated[bool, typer.Option("--force", help="Replace a finished run.")] = False,
    max_time: Annotated[str | None, typer.Option("--max-time", metavar="TIME", help="Stop after 90s, 10m or 1h.")] = None,
    max_steps: Annotated[int | None, typer.Option("--max-steps", metavar="N", min=1, help="Stop after N steps.")] = None,
    lr_find: Annotated[bool, typer.Option("--lr-find", help="A range test of the learning rate, in place of training: a rate is suggested.")] = False,
    overfit: Annotated[bool, typer.Option("--overfit-one-batch", help="Train on one batch until its loss is near nothing; exit 1 if it does not "
                                          "get there.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Everything but the training: the time, memory and disk it would take.")] = False,
    folds: Annotated[int | None, typer.Option("--folds", metavar="N", min=2, max=1000, help="Train N runs, each judged by another Nth of the rows: "
                                              "DIR/fold-1, ...; their scores' mean and spread. --max-time is that of all together, "
                                              "--max-steps that of each.")] = None,
    report: Annotated[bool, typer.Option("--report/--no-report", help="Whether the run gets a report.html.")] = True,
    overrides: Overrides = None, seed: Seed = None, threads: Threads = None, as_json: Json = False, quiet: Quiet = False,
    diagnostics: Diagnostics = None,
) -> None:  # fmt: skip
    """Train a model into a run's folder: model.safetensors, checkpoints, history.jsonl, model.yaml, report.html."""
    stopper = Stopper()
    common: dict[str, Any] = {"overrides": overrides or (), "seed": seed, "threads": threads}
    folder: dict[str, Any] = {"out": out, "resume": resume, "force": force}
    budget: dict[str, Any] = {"max_steps": max_steps, "max_seconds": seconds(max_time)}
    if lr_find or overfit or dry_run:
        if lr_find + overfit + dry_run > 1:
            raise usage("--lr-find, --overfit-one-batch and --dry-run exclude each other", "try one after the other")
        if folds is not None:
            raise usage("--folds trains several runs, and --lr-find, --overfit-one-batch and --dry-run train none", "leave one of them out")
        kind = "--lr-find" if lr_find else "--overfit-one-batch" if overfit else "--dry-run"
        given = {"--out": out is not None, "--resume": resume, "--force": force, "--no-report": not report}
        raise typer.Exit(_tried(kind, model, given, folder, budget, common, stopper, as_json, quiet))
    from layerctl.cli.progress import observer_for

    result: Any
    with observer_for(as_json, quiet) as observer, stopper:
        options = {**common, **folder, **budget, "on_trainer": stopper.watch, "report": report, "observer": observer}
        if folds is not None:
            from layerctl.commands.folds import train_folds

            result = train_folds(model, folds, **options)
        else:
            from layerctl.commands.train import train

            result = train(model, **options)
    if folds is not None:
        from layerctl.cli import fitted

        fitted.scored(result, as_json)
    else:
        from layerctl.cli import render

        render.trained(result, as_json)
    if stopper.signal is not None and result.reason == "interrupted":
        text = f"interrupted: the state is saved; go on with layerctl train {model} --resume"
        output.say(text + (f" --folds {folds}" if folds else "") + (f" --out {out}" if out else ""))
        raise typer.Exit(128 + stopper.signal)


def _tried(
    kind: str, model: str, given: dict[str, bool], folder: dict[str, Any], budget: dict[str, Any], common: dict[str, Any], stopper: Stopper,
    as_json: bool, quiet: bool,
) -> int:  # fmt: skip
    """What is done in place of training, shown; returns the exit code. `given` are options about a run that was not asked for otherwise."""
    from layerctl.cli import trying
    from layerctl.cli.progress import observer_for
    from layerctl.commands import trials
    from layerctl.commands.unused import refuse_unused

    if kind != "--dry-run":
        refuse_unused(given, f"{kind} writes no run")
    if kind == "--lr-find":
        refuse_unused({"--max-time": budget["max_seconds"] is not None}, "a range test has as many steps as --max-steps says")

    def run(heard: Any) -> Any:
        heeded = {**common, "observer": heard, "on_trial": stopper.watch}
        if kind == "--lr-find":
            return trials.find_rate(model, steps=budget["max_steps"], **heeded)
        return trials.overfit(model, **budget, **heeded) if kind == "--overfit-one-batch" else trials.rehearse(model, **folder, **budget, **heeded)

    show = {"--lr-find": trying.ranged, "--overfit-one-batch": trying.overfitted, "--dry-run": trying.rehearsed}[kind]
    return trying.tried(run, observer_for(as_json, quiet), stopper, show, as_json)


class Stopper:
    """The first SIGINT, SIGTERM, SIGHUP or SIGXCPU ends training after its step, with the state saved; the second ends the process at once."""

    def __init__(self) -> None:
        self.signal: int | None = None
        self._trainer: Any = None

    def watch(self, trainer: Any) -> None:
        """Hears of the trainer as soon as there is one."""
        self._trainer = trainer
        if self.signal is not None:
            trainer.interrupt()

    def _stop(self, number: int, frame: Any) -> None:
        if self.signal is not None or self._trainer is None:
            os._exit(128 + number)
        self.signal = number
        self._trainer.interrupt()

    def __enter__(self) -> Stopper:
        heed(self._stop)
        return self

    def __exit__(self, *_: object) -> None:
        """The handlers stay: a signal that comes when all is saved changes nothing. `main` puts the old ones back."""
