"""Training as it goes on: a bar on a terminal, a line an epoch elsewhere, JSON lines where asked for."""

from __future__ import annotations

import contextlib
import math
import os
import sys
from collections.abc import Iterator

from layerctl.cli import output
from layerctl.cli.render import number
from layerctl.training.events import Observer, Shown, Tick


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
            output.say(f"compiling {total} kernels (kept for the next time)")
            self._said = True

    def begin(self, epochs: int, rows: int, parameters: int) -> None:
        output.say(f"training {parameters:,} parameters on {rows:,} rows for {epochs} epochs")

    def epoch(self, epoch: int, epochs: int, logs: dict[str, float], seconds: float) -> None:
        output.say(f"epoch {epoch}/{epochs}  {_metrics(logs)}  {seconds:.2f} s")

    def layer(self, shown: Shown) -> None:
        output.say(_result(shown))

    def message(self, text: str) -> None:
        output.say(text)


class JsonObserver(Observer):
    """An event a line on standard output."""

    def compiling(self, name: str, done: int, total: int) -> None:
        output.emit({"event": "compiling", "kernel": name, "done": done, "total": total})

    def begin(self, epochs: int, rows: int, parameters: int) -> None:
        output.emit({"event": "begin", "schema_version": 1, "epochs": epochs, "rows": rows, "parameters": parameters})

    def epoch(self, epoch: int, epochs: int, logs: dict[str, float], seconds: float) -> None:
        output.emit({"event": "epoch", "epoch": epoch, "epochs": epochs, "logs": logs, "seconds": round(seconds, 3)})

    def layer(self, shown: Shown) -> None:
        own = {"epoch": shown.epoch, "layer": shown.layer, "text": shown.text, "shape": list(shown.shape), "dtype": shown.dtype}
        output.emit({"event": "layer", **own, "min": shown.least, "mean": shown.mean, "max": shown.greatest, "first": shown.first})

    def message(self, text: str) -> None:
        output.emit({"event": "message", "text": text})


class BarObserver(Observer):
    """A bar for the epoch, with loss, metrics, rows a second and time left; a line stays for each epoch."""

    def __init__(self) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TextColumn

        console = Console(stderr=True, highlight=False)
        self._bar = Progress(
            TextColumn("{task.description}"), BarColumn(bar_width=24), TextColumn("{task.completed}/{task.total}"), TextColumn("{task.fields[text]}"),
            console=console, transient=True,
        )  # fmt: skip
        self._task = self._bar.add_task("starting", total=1, text="")

    def __enter__(self) -> BarObserver:
        self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.stop()

    def compiling(self, name: str, done: int, total: int) -> None:
        self._bar.update(self._task, description="compiling", total=total, completed=done, text=name)

    def begin(self, epochs: int, rows: int, parameters: int) -> None:
        self._bar.console.print(f"training {parameters:,} parameters on {rows:,} rows for {epochs} epochs")

    def tick(self, tick: Tick) -> None:
        text = f"{_metrics(tick.logs)}  {tick.rate:,.0f} rows/s  {tick.left:.0f} s left"
        self._bar.update(self._task, description=f"epoch {tick.epoch}/{tick.epochs}", total=tick.steps, completed=tick.step, text=text)

    def epoch(self, epoch: int, epochs: int, logs: dict[str, float], seconds: float) -> None:
        self._bar.console.print(f"epoch {epoch}/{epochs}  {_metrics(logs)}  {seconds:.2f} s")

    def layer(self, shown: Shown) -> None:
        self._bar.console.print(_result(shown), markup=False)

    def message(self, text: str) -> None:
        self._bar.console.print(text)
