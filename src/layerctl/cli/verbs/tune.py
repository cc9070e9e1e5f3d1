"""`layerctl tune` on the command line: one process or several, trials as they end, the table."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

from layerctl.cli import output
from layerctl.cli.ending import heed
from layerctl.cli.options import Json, Overrides, Quiet, Seed, Threads, seconds
from layerctl.diagnostics import Diagnostic

if TYPE_CHECKING:
    import subprocess

    from layerctl.commands.tune import TuneResult
    from layerctl.commands.tuning.study import Tried

SHOWN = 10
"""Trials in the table at the end; the report has all."""


def tune_command(
    model: Annotated[str, typer.Argument(metavar="MODEL.yaml", help="A model file with ranges: units: {search: [16, 256], scale: log}.")],
    out: Annotated[str | None, typer.Option("--out", "-o", metavar="DIR", help="The study's folder; studies/NAME if not given.")] = None,
    trials: Annotated[int, typer.Option("--trials", min=1, help="Trials of the study, those that are there already counted.")] = 30,
    max_time: Annotated[str | None, typer.Option("--max-time", metavar="TIME", help="Stop after 90s, 10m or 1h.")] = None,
    metric: Annotated[str | None, typer.Option("--metric", metavar="NAME", help="What trials are judged by; val_loss if not given.")] = None,
    direction: Annotated[str | None, typer.Option("--direction", metavar="minimize|maximize", help="By the metric's name if not given.")] = None,
    prune: Annotated[str, typer.Option("--prune", metavar="median|hyperband|none", help="What ends trials that are behind others.")] = "median",
    jobs: Annotated[int, typer.Option("--jobs", min=1, help="Processes at work; more may join by the same command elsewhere.")] = 1,
    force: Annotated[bool, typer.Option("--force", help="Forget the trials that are there.")] = False,
    overrides: Overrides = None, seed: Seed = None, threads: Threads = None, as_json: Json = False, quiet: Quiet = False,
) -> None:  # fmt: skip
    """Search the ranges of a file for the best values; go on with a study that was begun."""
    from layerctl.commands.tune import tune

    threads = _share(threads, jobs)
    helpers = _Helpers(jobs - 1, _arguments(model, {
        "--out": out, "--trials": trials, "--max-time": max_time, "--metric": metric, "--direction": direction, "--prune": prune, "--seed": seed,
        "--threads": threads,
    }, overrides or ()))  # fmt: skip
    watching = _Watching(helpers, as_json, quiet)
    try:
        result = tune(
            model, out=out, trials=trials, max_seconds=seconds(max_time), metric=metric, direction=direction, pruner=prune, overrides=overrides or (),
            seed=seed, threads=threads, force=force, watcher=watching.watcher(),
        )  # fmt: skip
    finally:
        helpers.stop()
    _tuned(result, as_json)
    if watching.signal is not None and result.reason == "interrupted":
        output.say("interrupted: the study is saved; the same command goes on with it")
        raise typer.Exit(128 + watching.signal)


def _share(threads: int | None, jobs: int) -> int | None:
    """The threads of each process: what there is, divided."""
    if threads is not None or jobs == 1:
        return threads
    from layerctl.runtime.threads import count

    return max(1, count() // jobs)


def _arguments(model: str, options: dict[str, Any], overrides: Sequence[str]) -> list[str]:
    """The command line of a process that works at the same study."""
    given = [f"{name}={value}" for name, value in options.items() if value is not None]
    return ["tune", "--quiet", *given, *(f"--set={o}" for o in overrides), "--", model]


class _Helpers:
    """Processes that work at the same study; they say nothing but errors. They begin once the study is there."""

    def __init__(self, number: int, arguments: list[str]):
        self._number, self._arguments = number, arguments
        self._running: list[subprocess.Popen[bytes]] = []

    def start(self) -> None:
        """Starts as many as the system lets start; a module in the folder that they work in is none of theirs."""
        import subprocess

        command = [sys.executable, "-P", "-m", "layerctl", *self._arguments]
        known = os.environ | {"PYTHONPATH": os.pathsep.join(p for p in sys.path if p)}
        try:
            for _ in range(self._number):
                self._running.append(subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, env=known))
        except OSError as error:
            text = f"{self._number + 1} processes were asked for, and the system lets no more than {len(self._running) + 1} work: {error.strerror}"
            cure = "raise the limits (ulimit -u, ulimit -v), or ask for fewer --jobs"
            output.warn([Diagnostic("out-of-memory", text, None, (), cure, severity="warning")], as_json=False)

    def waiting(self) -> bool:
        """Whether one is still at work."""
        return any(p.poll() is None for p in self._running)

    def stop(self) -> None:
        """Ends those that are left, each after its step."""
        for p in self._running:
            if p.poll() is None:
                p.terminate()
        for p in self._running:
            p.wait()


class _Watching:
    """Tells of trials as they end; the first SIGINT, SIGTERM, SIGHUP or SIGXCPU ends the running one after its step, the second the process."""

    def __init__(self, helpers: _Helpers, as_json: bool, quiet: bool):
        self._helpers, self._as_json, self._quiet = helpers, as_json, quiet
        self._trainer: Any = None
        self._names: dict[str, str] = {}
        self.signal: int | None = None

    def watcher(self) -> Any:
        """What `tune` calls."""
        from layerctl.commands.tune import Watcher

        heed(self._stop)
        return Watcher(self._begin, self._trial, self._train, self._helpers.waiting, lambda: self.signal is not None)

    def _stop(self, number: int, frame: Any) -> None:
        if self.signal is not None:
            os._exit(128 + number)
        self.signal = number
        if self._trainer is not None:
            self._trainer.interrupt()

    def _train(self, trainer: Any) -> None:
        self._trainer = trainer
        if self.signal is not None:
            trainer.interrupt()

    def _begin(self, found: Sequence[Any], wanted: int, ended: int) -> None:
        from layerctl.spec.search import short_names

        self._helpers.start()
        self._names = short_names(s.name for s in found)
        if self._as_json:
            output.emit_on({"event": "tune-begin", "parameters": [s.name for s in found], "trials": wanted, "ended": ended})
        elif not self._quiet:
            output.say(f"searching {', '.join(s.name for s in found)}: {wanted} trials" + (f", {ended} of them are there" if ended else ""))

    def _trial(self, tried: Tried, best: Tried | None) -> None:
        if self._as_json:
            output.emit_on({"event": "trial", **asdict(tried), "best": best.number if best is not None else None})
        elif not self._quiet:
            from layerctl.cli.render import number

            values = "  ".join(f"{self._names[n]} {f'{v:.4g}' if isinstance(v, float) else v}" for n, v in tried.chosen.items())
            score = number(tried.value) if tried.value is not None else "–"
            mark = "  (the best)" if best is not None and best.number == tried.number else ""
            why = f"  {tried.why}" if tried.why else ""
            output.say(f"trial {tried.number}  {tried.state}  {score}  {values}{mark}{why}")


def _tuned(result: TuneResult, as_json: bool) -> None:
    """The best trials as a table, and where the files are."""
    if as_json:
        output.emit({
            "event": "tune", "reason": result.reason, "folder": str(result.folder), "metric": result.metric,
            "direction": "maximize" if result.maximize else "minimize", "trials": len(result.trials), "seconds": round(result.seconds, 3),
            "best": asdict(result.best) if result.best is not None else None, "file": str(result.file) if result.file is not None else None,
            "report": str(result.report),
        })  # fmt: skip
        return
    from layerctl.cli.render import table
    from layerctl.commands.tuning.report import rows

    found = rows(result)
    if len(found) > 1:
        print(table(found[: SHOWN + 1], set(range(len(found[0]))) - {1}))
    if len(found) > SHOWN + 1:
        output.say(f"and {len(found) - SHOWN - 1} more in {result.report}")
    if result.file is not None:
        output.say(f"the best is in {result.file}: layerctl train {result.file}; the report is {result.report}")
