"""`layerctl runs`: the runs in a folder, with their scores and how they ended."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from layerctl.diagnostics import LayerctlError, Source, Span, did_you_mean, fail

MOST = 10_000
"""Folders that are looked at."""
KEYS = ("when", "name", "state", "epochs", "time")


@dataclass(frozen=True)
class Run:
    """One run: `state` is running, finished, interrupted or failed; `when` the time of its last change (seconds since 1970)."""

    folder: Path
    name: str
    state: str
    epochs: int
    seconds: float | None
    when: float
    scores: dict[str, float] = field(default_factory=dict)
    split: str = ""
    error: str = ""


def runs(folder: str = "runs", sort: str | None = None) -> list[Run]:
    """The runs in a folder, the newest first, or by a key (when, name, state, epochs, time) or a score, the best first.

    Raises:
        LayerctlError: for a folder that is not there, and a key that no run has.
    """
    base = Path(folder)
    if not base.is_dir():
        near = did_you_mean(base.name, [p.name for p in base.parent.iterdir()]) if base.parent.is_dir() else ""
        fail("file-not-found", f"there is no folder {folder}{near}", Span(Source(folder)), hint="`layerctl train MODEL.yaml` makes runs/NAME")
    found = [run_of(p) for p in _folders(base)]
    found.sort(key=lambda r: (-r.when, r.name))
    return found if sort is None else _sorted(found, sort)


def _folders(base: Path) -> Iterable[Path]:
    """Runs are folders with a status, a history or a model; `base` may be a run itself."""
    import itertools

    candidates = [base, *itertools.islice(sorted(base.iterdir()), MOST)]
    return [p for p in candidates if p.is_dir() and is_run(p)]


def is_run(folder: Path) -> bool:
    """Whether something was trained in a folder."""
    from layerctl.modelfile.finding import MODEL
    from layerctl.training.runfolder import HISTORY
    from layerctl.training.status import STATUS

    return any((folder / n).is_file() for n in (STATUS, HISTORY, MODEL))


def run_of(folder: Path) -> Run:
    """What a run's folder says of it; of folders without a status, what their model and history say."""
    from layerctl.modelfile.finding import MODEL
    from layerctl.reporting.report import read_history
    from layerctl.training.status import numeric, read_status, scores_of, state_of

    status = read_status(folder)
    model = folder / MODEL
    history = read_history(folder) if "epochs" not in status else []
    scores = scores_of(status if "scores" in status or not model.is_file() else {"scores": _scores(model)})
    state = state_of(folder, status) if status else "finished" if model.is_file() else "interrupted"
    seconds = numeric(status.get("seconds"))
    if seconds is None and history:
        seconds = sum(numeric(r.get("seconds")) or 0.0 for r in history)
    epochs = numeric(status.get("epochs"))
    changed = max((p.stat().st_mtime for p in (model, *(folder / n for n in ("run.json", "history.jsonl"))) if p.is_file()), default=0.0)
    return Run(
        folder, folder.absolute().name, state, int(epochs) if epochs is not None and epochs >= 0 else len(history), seconds, changed, scores,
        str(status.get("split", "")), str(status.get("error", "")),
    )  # fmt: skip


def _scores(model: Path) -> dict[str, Any]:
    """A model file's scores, by its head alone; none where it cannot be read."""
    from layerctl.modelfile import strictjson
    from layerctl.modelfile.tensors import load_metadata

    try:
        found = strictjson.loads(load_metadata(model).get("layerctl.scores", "{}"))
    except (LayerctlError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _sorted(found: list[Run], key: str) -> list[Run]:
    """By a key of all runs, or a score: the best first, runs without it last."""
    from layerctl.callbacks.base import better

    plain = {"when": lambda r: -r.when, "name": lambda r: r.name, "state": lambda r: r.state, "epochs": lambda r: -r.epochs,
             "time": lambda r: -(r.seconds or 0.0)}  # fmt: skip
    if key in plain:
        return sorted(found, key=plain[key])
    known = list(dict.fromkeys(s for r in found for s in r.scores))
    if key not in known:
        fail("unknown-metric", f"no run has a score '{key}'{did_you_mean(key, [*KEYS, *known])}", Span(Source("--sort")),
             hint=f"sort by {', '.join([*KEYS, *known])}")  # fmt: skip
    sign = -better("auto", key)
    return sorted(found, key=lambda r: (key not in r.scores, sign * r.scores.get(key, 0.0)))


def plain(run: Run) -> dict[str, Any]:
    """A run as data."""
    return {
        "event": "run", "folder": str(run.folder), "name": run.name, "state": run.state, "epochs": run.epochs, "seconds": run.seconds, "when": run.when,
        "scores": run.scores, "split": run.split, "error": run.error or None,
    }  # fmt: skip
