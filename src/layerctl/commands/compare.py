"""`layerctl compare`: two runs or more side by side: scores, files by meaning, curves, weights bit by bit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from layerctl.commands.runs import Run, is_run, run_of
from layerctl.diagnostics import Source, Span, fail

MOST_RUNS = 12


@dataclass(frozen=True)
class Weights:
    """A run's weights against the first run's: the same bits, how many tensors differ (in bits, name or shape), the greatest difference."""

    same: bool
    differing: int
    tensors: int
    largest: float | None


@dataclass(frozen=True)
class Comparison:
    """Runs in the order given. `differences` are (path in the file, each run's value, None where it has none)."""

    names: list[str]
    runs: list[Run]
    scores: dict[str, list[float | None]]
    best: dict[str, int | None]
    differences: list[tuple[str, list[Any]]]
    histories: list[list[dict[str, Any]]]
    weights: list[Weights | None]


def compare(given: Sequence[str], out: str | None = None) -> Comparison:
    """Compares runs' folders; with `out` writes them as a page of HTML.

    Raises:
        LayerctlError: for fewer than two runs, what is no run, and damaged model files.
    """
    if not 2 <= len(given) <= MOST_RUNS:
        fail("bad-option", f"compare takes 2 to {MOST_RUNS} runs, got {len(given)}", Span(Source("compare")), hint="layerctl compare runs/a runs/b")
    from layerctl.callbacks.base import better
    from layerctl.commands.meaning import differences
    from layerctl.reporting.report import read_history

    folders = [_folder(g) for g in given]
    found = [run_of(f) for f in folders]
    names = list(dict.fromkeys(s for r in found for s in r.scores))
    scores = {n: [r.scores.get(n) for r in found] for n in names}
    result = Comparison(
        list(given), found, scores, {n: _best(values, better("auto", n)) for n, values in scores.items()},
        [(d.path, list(d.values)) for d in differences([_meaning(f) for f in folders])], [read_history(f) for f in folders], _weights(folders),
    )  # fmt: skip
    if out is not None:
        from layerctl.modelfile.atomic import write
        from layerctl.reporting.comparison import page

        write(Path(out), [page(result).encode()])
    return result


def _folder(given: str) -> Path:
    from layerctl.modelfile.finding import find_model

    path = Path(given)
    return path if path.is_dir() and is_run(path) else find_model(given).parent


def _best(values: list[float | None], sign: int) -> int | None:
    """Which value is the best; None where no two differ."""
    known = [(sign * v, i) for i, v in enumerate(values) if v is not None and v == v]
    return max(known)[1] if len({v for v, _ in known}) > 1 else None


def _meaning(folder: Path) -> dict[str, Any]:
    """What a run's resolved file means; nothing where there is none."""
    from layerctl.commands.meaning import meaning
    from layerctl.source.opening import opened
    from layerctl.training.runfolder import RESOLVED

    path = folder / RESOLVED
    return meaning(opened(str(path), ())) if path.is_file() else {}


def _weights(folders: Sequence[Path]) -> list[Weights | None]:
    """Each run's weights against the first run's; None for a run without a model, and for the first."""
    from layerctl.modelfile.artifact import read_model
    from layerctl.modelfile.finding import MODEL

    first = read_model(folders[0] / MODEL).tensors if (folders[0] / MODEL).is_file() else None
    out: list[Weights | None] = [None]
    for f in folders[1:]:
        known = first is not None and (f / MODEL).is_file()
        out.append(_paired(first, read_model(f / MODEL).tensors) if known and first is not None else None)
    return out


def _paired(a: Any, b: Any) -> Weights:
    names = list(dict.fromkeys((*a, *b)))
    differing, largest, comparable = 0, 0.0, True
    for n in names:
        if n not in a or n not in b or a[n].shape != b[n].shape or a[n].dtype != b[n].dtype:
            differing, comparable = differing + 1, False
        elif a[n].tobytes() != b[n].tobytes():
            differing += 1
            largest = max(largest, float(np.max(np.abs(a[n].astype(np.float64) - b[n].astype(np.float64)))) if a[n].dtype.kind in "fiub" else 0.0)
    return Weights(differing == 0, differing, len(names), largest if comparable else None)


def plain(found: Comparison) -> dict[str, Any]:
    """The comparison as data."""
    from layerctl.commands.runs import plain as run_plain

    return {
        "event": "compare",
        "runs": [{"given": n, **{k: v for k, v in run_plain(r).items() if k != "event"}} for n, r in zip(found.names, found.runs, strict=True)],
        "scores": found.scores, "best": found.best, "differences": [{"path": p, "values": v} for p, v in found.differences],
        "weights": [None if w is None else {"same": w.same, "differing": w.differing, "tensors": w.tensors, "largest": w.largest} for w in found.weights],
        "curves": [{"epoch": [row.get("epoch") for row in h], "loss": [row.get("loss") for row in h], "val_loss": [row.get("val_loss") for row in h]}
                   for h in found.histories],
    }  # fmt: skip
