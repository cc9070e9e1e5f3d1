"""Training as it goes on: a bar on a terminal, a line an epoch elsewhere, JSON lines where asked for."""

from __future__ import annotations

import contextlib
import math
import os
import sys
from collections.abc import Iterator

from layerctl.cli import output
from layerctl.cli.render import counted, number
from layerctl.cli.sparks import spark
from layerctl.diagnostics import Diagnostic
from layerctl.training.events import Ended, Observer, Shown, Tick

LIVE, SUMMARY = 16, 32
"""Characters of a curve beside the bar, and at the end."""


@contextlib.contextmanager
def observer_for(as_json: bool, quiet: bool) -> Iterator[Observer]:
    """The observer that fits where output goes to."""
    if as_json:
        yield JsonObserver()
    elif quiet:
        yield Observer()
    elif sys.stderr.isatty() and os.environ.get("TERM") != "dumb":
        with BarObserver() as observer:
            yield observer
    else:
        yield PlainObserver()


def _metrics(logs: dict[str, float]) -> str:
    return "  ".join(f"{k} {number(v)}" for k, v in logs.items() if k != "learning_rate")


def _result(shown: Shown) -> str:
    numbers = ", ".join(number(v) for v in shown.first)
    more = ", …" if math.prod(shown.shape) > len(shown.first) else ""
    label = f"{shown.text}  " if shown.text else ""
    return (f"epoch {shown.epoch}  {label}{shown.layer} {shown.shape} {shown.dtype}  min {number(shown.least)}  mean {number(shown.mean)}  "
            f"max {number(shown.greatest)}  [{numbers}{more}]")  # fmt: skip


class PlainObserver(Observer):
    """One line an epoch."""

    def __init__(self) -> None:
        self._said = False

    def compiling(self, name: str, done: int, total: int) -> None:
        if not self._said:
            from layerctl.kernels.contents import contents

            kept = "kept for the next time" if contents().problem is None else "not kept: `layerctl doctor` says why"
            output.say(f"compiling {counted(total, 'kernel')} ({kept})")
            self._said = True

    def begin(self, epochs: int, rows: int, parameters: int) -> None:
        output.say(f"training {counted(parameters, 'parameter')} on {counted(rows, 'row')} for {counted(epochs, 'epoch')}")

    def epoch(self, epoch: int, epochs: int, logs: dict[str, float], seconds: float) -> None:
        output.say(f"epoch {epoch}/{epochs}  {_metrics(logs)}  {seconds:.2f} s")

    def layer(self, shown: Shown) -> None:
        output.say(_result(shown))

    def message(self, text: str) -> None:
        output.say(text)

    def warning(self, found: Diagnostic) -> None:
        output.show([found], as_json=False)


class JsonObserver(Observer):
    """An event a line on standard output. Training goes on when its reader is gone: the run's folder has all of it."""

    def compiling(self, name: str, done: int, total: int) -> None:
        output.emit_on({"event": "compiling", "kernel": name, "done": done, "total": total})

    def begin(self, epochs: int, rows: int, parameters: int) -> None:
        output.emit_on({"event": "begin", "epochs": epochs, "rows": rows, "parameters": parameters})

    def epoch(self, epoch: int, epochs: int, logs: dict[str, float], seconds: float) -> None:
        output.emit_on({"event": "epoch", "epoch": epoch, "epochs": epochs, "logs": logs, "seconds": round(seconds, 3)})

    def layer(self, shown: Shown) -> None:
        own = {"epoch": shown.epoch, "layer": shown.layer, "text": shown.text, "shape": list(shown.shape), "dtype": shown.dtype}
        output.emit_on({"event": "layer", **own, "min": shown.least, "mean": shown.mean, "max": shown.greatest, "first": shown.first})

    def message(self, text: str) -> None:
        output.emit_on({"event": "message", "text": text})

    def warning(self, found: Diagnostic) -> None:
        output.show([found], as_json=True)


class BarObserver(Observer):
    """A bar for the epoch, with the loss's curve so far, metrics, rows a second and time left; a line stays for each epoch, a summary at the end."""

    def __init__(self) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TextColumn

        console = Console(stderr=True, highlight=False)
        self._bar = Progress(
            TextColumn("{task.description}"), BarColumn(bar_width=24), TextColumn("{task.completed}/{task.total}"),
            TextColumn("{task.fields[curve]}", style="cyan"), TextColumn("{task.fields[text]}", markup=False), console=console, transient=True,
        )  # fmt: skip
        self._task = self._bar.add_task("starting", total=1, text="", curve="")
        self._history: list[dict[str, float]] = []

    def __enter__(self) -> BarObserver:
        self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.stop()

    def _print(self, text: str) -> None:
        self._bar.console.print(text, markup=False)

    def compiling(self, name: str, done: int, total: int) -> None:
        self._bar.update(self._task, description="compiling", total=total, completed=done, text=name)

    def begin(self, epochs: int, rows: int, parameters: int) -> None:
        self._print(f"training {counted(parameters, 'parameter')} on {counted(rows, 'row')} for {counted(epochs, 'epoch')}")

    def tick(self, tick: Tick) -> None:
        text = f"{_metrics(tick.logs)}  {tick.rate:,.0f} rows/s  {tick.left:.0f} s left"
        curve = spark([*(row.get("loss") for row in self._history), tick.logs.get("loss")], LIVE)
        self._bar.update(self._task, description=f"epoch {tick.epoch}/{tick.epochs}", total=tick.steps, completed=tick.step, text=text, curve=curve)

    def epoch(self, epoch: int, epochs: int, logs: dict[str, float], seconds: float) -> None:
        self._history.append({"epoch": epoch, **logs})
        self._print(f"epoch {epoch}/{epochs}  {_metrics(logs)}  {seconds:.2f} s")

    def layer(self, shown: Shown) -> None:
        self._print(_result(shown))

    def message(self, text: str) -> None:
        self._print(text)

    def warning(self, found: Diagnostic) -> None:
        self._print(found.render())

    def ended(self, run: Ended) -> None:
        if len(self._history) > 1:
            self._print(_summary(self._history))


def _summary(history: list[dict[str, float]]) -> str:
    """Each measure's curve: from where to where, and the best epoch."""
    from layerctl.callbacks.base import better

    names = [n for n in dict.fromkeys(k for row in history for k in row) if n not in ("epoch", "learning_rate")]
    wide = max(map(len, names))
    lines = []
    for name in names:
        values = [(row["epoch"], row[name]) for row in history if name in row and math.isfinite(row[name])]
        if values:
            sign = better("auto", name)
            at, best = max(values, key=lambda v: sign * v[1])
            curve = spark([row.get(name) for row in history], SUMMARY)
            lines.append(f"{name.ljust(wide)}  {curve}  {number(values[0][1])} → {number(values[-1][1])}, best {number(best)} in epoch {at:.0f}")
    return "\n".join(lines)
