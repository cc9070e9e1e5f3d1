"""Who hears of a training: the caller's observer, callbacks' trackers, and what installed packages add.

A package adds an observer through the entry point group `layerctl.observers`: a function that takes what is going to be trained (`Started`)
and gives an `Observer`, or None where it has nothing to do. LAYERCTL_OBSERVERS names those that are asked; none if it is empty.
"""

from __future__ import annotations

import contextlib
import importlib
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from layerctl.diagnostics import Diagnostic
from layerctl.training.events import Ended, Observer, Shown, Started, Tick

GROUP = "layerctl.observers"
ENVIRONMENT = "LAYERCTL_OBSERVERS"
TRACKERS = "layerctl.training.tracking"
"""The package whose modules are layerctl's own trackers; a callback names the one that does its work."""


class Observers(Observer):
    """Tells several observers. The first is the caller's; whichever other one fails is left out from there on, with a warning."""

    def __init__(self, first: Observer):
        self.first = first
        self._others: dict[str, Observer] = {}

    def add(self, name: str, make: Callable[[], Observer | None]) -> None:
        """Takes in an observer, if `make` gives one."""
        try:
            made = make()
        except Exception as error:
            self._failed(name, error)
            return
        if made is not None:
            self._others[name] = made

    def _failed(self, name: str, error: Exception) -> None:
        said = " ".join(f"{type(error).__name__}: {error}".split())
        self.first.warning(Diagnostic(
            "observer-failed", f"the observer '{name}' failed and hears no more of this training: {said[:500]}", None, (),
            f"training goes on without it; {ENVIRONMENT}= (empty) leaves all installed observers out", "warning",
        ))  # fmt: skip

    def _tell(self, tell: Callable[[Observer], None]) -> None:
        tell(self.first)
        for name, other in list(self._others.items()):
            try:
                tell(other)
            except Exception as error:
                del self._others[name]
                self._failed(name, error)

    def started(self, run: Started) -> None:
        self._tell(lambda o: o.started(run))

    def compiling(self, name: str, done: int, total: int) -> None:
        self._tell(lambda o: o.compiling(name, done, total))

    def begin(self, epochs: int, rows: int, parameters: int) -> None:
        self._tell(lambda o: o.begin(epochs, rows, parameters))

    def tick(self, tick: Tick) -> None:
        self._tell(lambda o: o.tick(tick))

    def epoch(self, epoch: int, epochs: int, logs: dict[str, float], seconds: float) -> None:
        self._tell(lambda o: o.epoch(epoch, epochs, dict(logs), seconds))

    def layer(self, shown: Shown) -> None:
        self._tell(lambda o: o.layer(shown))

    def message(self, text: str) -> None:
        self._tell(lambda o: o.message(text))

    def warning(self, found: Diagnostic) -> None:
        self._tell(lambda o: o.warning(found))

    def ended(self, run: Ended) -> None:
        self._tell(lambda o: o.ended(run))


def observers(first: Observer, run: Started) -> Observers:
    """All who hear of `run`."""
    out = Observers(first)
    for callback in run.callbacks:
        if callback.tracker is not None:
            module = f"{TRACKERS}.{callback.tracker}"
            out.add(type(callback).__name__, lambda module=module, callback=callback: importlib.import_module(module).tracker(run, callback))
    for name, make in _installed():
        out.add(name, lambda make=make: make(run))
    return out


def _installed() -> Iterator[tuple[str, Callable[[Started], Observer | None]]]:
    """The installed observers by their names, those that are asked."""
    asked = os.environ.get(ENVIRONMENT)
    wanted = {n.strip() for n in asked.split(",")} if asked is not None else None
    points = {} if asked is not None and not asked.strip() else entry_points()
    for name, place in sorted(points.items()):
        if wanted is None or name in wanted:
            yield name, lambda run, place=place: _loaded(place)(run)


def entry_points() -> dict[str, str]:
    """What installed packages have in the group: `module:attribute` by name, the first of a name on the path.

    The files are read here: importing importlib.metadata takes ten times as long, and most machines have none.
    """
    out: dict[str, str] = {}
    for folder in sys.path:
        for ending in ("dist-info", "egg-info"):
            for path in sorted(Path(folder or ".").glob(f"*.{ending}/entry_points.txt")):
                with contextlib.suppress(OSError):
                    for name, place in _group(path.read_text("utf-8", "replace")):
                        out.setdefault(name, place)
    return out


def _group(text: str) -> Iterator[tuple[str, str]]:
    """The lines of the group in an entry_points.txt, whose form is that of an INI file."""
    inside = False
    for line in text.splitlines():
        line = line.strip()
        if line.startswith("["):
            inside = line == f"[{GROUP}]"
        elif inside and "=" in line and not line.startswith(("#", ";")):
            name, place = line.split("=", 1)
            yield name.strip(), place.split("[")[0].strip()


def _loaded(place: str) -> Any:
    module, _, attribute = place.partition(":")
    found: Any = importlib.import_module(module)
    for part in attribute.split(".") if attribute else ():
        found = getattr(found, part)
    return found


def failed(epochs: int, seconds: float, error: BaseException) -> Ended:
    """The end of a training that an error ended, or ctrl-c in a Python program."""
    if isinstance(error, KeyboardInterrupt):
        return Ended("interrupted", epochs, seconds)
    found = getattr(error, "diagnostics", ())
    text = found[0].first_line() if found else f"{type(error).__name__}: {error}"
    return Ended("failed", epochs, seconds, error=" ".join(text.split())[:500])
