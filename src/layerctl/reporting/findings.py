"""What a report tells of a run, gathered: the history, the model's judgement on held rows, its importances, the data and the machine."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from layerctl.reporting.importance import Importance, importance
from layerctl.reporting.judged import Classified, Judged, Labelled, judged, mean_loss

if TYPE_CHECKING:
    from layerctl.api import Model
    from layerctl.data.dataset import Dataset

SHARE = 0.02
"""The most of a training's work that a report may take, as rows through the model: forward and backward count as three."""
AT_LEAST = 4_000_000_000
"""Multiply-adds that importances may take in any case: some hundredths of a second."""
MOST_ROWS, FEWEST_ROWS = 20_000, 16
MOST_NUMBERS = 4_000_000
"""Numbers of all outputs together that are looked at: a language model tells thousands for each word."""
BATCH = 128
SPLITS = ("test", "validation", "train")


@dataclass
class Findings:
    """All that the page shows. By output: `classes` are the rows of each class by split, `columns` the target's name in the data.

    `trouble` says why rows could not be judged, if so.
    """

    name: str
    folder: Path
    file: str
    status: dict[str, Any]
    history: list[dict[str, Any]]
    environment: dict[str, str]
    model: Model | None = None
    split: str = ""
    rows: Dataset | None = None
    sizes: dict[str, int] = field(default_factory=dict)
    outputs: list[Judged] = field(default_factory=list)
    importance: Importance | None = None
    classes: dict[str, dict[str, list[int]]] = field(default_factory=dict)
    columns: dict[str, str] = field(default_factory=dict)
    fingerprint: str = ""
    trouble: str = ""


def judge(found: Findings, model: Model) -> None:
    """Fills in what the model makes of the test rows (else the validation rows, else the training rows), in work bounded by the training's.

    Raises:
        LayerctlError: where the data cannot be read.
    """
    data = model.data
    parts = {s: rows for s in SPLITS if (rows := getattr(data, s)) is not None and len(rows)}
    found.sizes = {s: len(parts[s]) for s in reversed(SPLITS) if s in parts}
    found.fingerprint = data.fingerprint
    found.split = next(iter(parts))
    passes = int(SHARE * 3 * max(len(found.history), 1) * len(parts.get("train", ())))
    wide = sum(int(np.prod(shape[1:], dtype=np.int64)) for shape in model.output_shapes.values())
    room = max(FEWEST_ROWS, MOST_NUMBERS // max(wide, 1))
    found.rows = rows = _thinned(parts[found.split], min(room, max(1000, min(MOST_ROWS, passes))))
    ask = _Asking(model, rows)
    found.outputs = judged(model, rows, ask.outputs(rows))
    found.columns = {f.name: _column(model, f.name) for f in found.outputs}
    found.classes = {f.name: _counted(model, f, parts) for f in found.outputs if isinstance(f, (Classified, Labelled))}
    if found.outputs and model.schema is not None:
        free = min(MOST_ROWS, AT_LEAST // max(ask.work(), 1))
        found.importance = importance(
            model.schema, rows, max(passes, free), ask.size, model.spec.seed, lambda part: mean_loss(judged(model, part, ask.outputs(part)))
        )


class _Asking:
    """Predictions in batches of one size, so that one program is compiled: the last batch is filled up with copies of the last row."""

    def __init__(self, model: Model, rows: Dataset):
        self._model = model
        self.size = -(-len(rows) // -(-len(rows) // BATCH))

    def outputs(self, rows: Dataset) -> dict[str, np.ndarray]:
        """The outputs for all rows, in order."""
        n, session = len(rows), self._model.session(rows)
        whole = -(-n // self.size) * self.size
        padded = rows.take(np.minimum(np.arange(whole), n - 1)) if whole != n else rows
        return {name: array[:n] for name, array in session.predict(padded, self.size).items()}

    def work(self) -> int:
        """Multiply-adds of a row."""
        sizes = [program.program.macs // max(size, 1) for size, _, program in self._model.session().predictions()]
        return max(sizes, default=0)


def _thinned(rows: Dataset, most: int) -> Dataset:
    """At most so many rows, evenly from all."""
    return rows if len(rows) <= most else rows.take(np.linspace(0, len(rows) - 1, most).round().astype(np.int64))


def _column(model: Model, output: str) -> str:
    """What the data call an output's target."""
    target = model.schema.target(output if len(model.graph.outputs) > 1 else None) if model.schema is not None else None
    return str(getattr(target, "column", output))


def _counted(model: Model, f: Classified | Labelled, parts: dict[str, Dataset]) -> dict[str, list[int]]:
    """Rows of each class, or with each label, by split."""
    from layerctl.training.beforehand import match_targets

    out = {}
    for split in reversed([s for s in SPLITS if s in parts]):
        true = match_targets(model.graph, parts[split].targets)[f.name]
        if isinstance(f, Labelled):
            out[split] = np.nansum(true, axis=0).astype(np.int64).tolist()
            continue
        ids = true.reshape(-1).astype(np.int64)
        out[split] = np.bincount(ids[(ids >= 0) & (ids < len(f.classes))], minlength=len(f.classes)).tolist()
    return out


def history_of(rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Epochs in their order, without what is no epoch."""
    return [dict(r) for r in rows if isinstance(r.get("epoch"), int)]
