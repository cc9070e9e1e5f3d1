"""`layerctl train`: trains a model into a run's folder."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from layerctl.diagnostics import Diagnostic, Source, Span, fail


@dataclass(frozen=True)
class TrainResult:
    """How training ended, where, and what the model scores: on the test rows, else on the validation rows."""

    folder: Path
    reason: str
    epochs: int
    seconds: float
    scores: dict[str, float]
    split: str
    warnings: list[Diagnostic] = field(default_factory=list)


def train(
    source: str, *, out: str | None = None, overrides: Sequence[str] = (), seed: int | None = None, threads: int | None = None,
    resume: bool = False, force: bool = False, max_seconds: float | None = None, max_steps: int | None = None, observer: Any = None,
    on_trainer: Callable[[Any], None] | None = None,
) -> TrainResult:  # fmt: skip
    """Trains into `out` (runs/NAME by default). A folder that holds a finished run is left alone unless `resume` or `force`.

    Raises:
        LayerctlError: for the file, the data, the folder; NumericalError when a loss is not finite.
    """
    from layerctl.api import Model

    model = Model.from_yaml(source, overrides=overrides, seed=seed, threads=threads, widths="read")
    folder = Path(out) if out else Path("runs") / model.spec.name
    check_folder(folder, resume, force)
    if force:
        _drop_checkpoints(folder)
    outcome = model.fit(run=folder, resume=resume, max_seconds=max_seconds, max_steps=max_steps, observer=observer,
                        on_trainer=on_trainer)  # fmt: skip
    scores, split = {}, ""
    if outcome.reason != "interrupted":
        for split in ("test", "validation", "train"):
            if getattr(model.data, split) is not None:
                scores = model.evaluate(split=split)
                break
        model.save(folder / "model.safetensors", {k: v for k, v in scores.items() if v == v})
    return TrainResult(folder, outcome.reason, outcome.epochs, outcome.seconds, scores, split, model.warnings)


def check_folder(folder: Path, resume: bool, force: bool) -> None:
    """Whether a training may use a folder.

    Raises:
        LayerctlError: for a file in its place, and for a finished run that is neither gone on with nor replaced.
    """
    place = Span(Source(str(folder)))
    if folder.exists() and not folder.is_dir():
        fail("cannot-write", "this is a file, not a folder for a run", place, hint="give another with --out")
    if (folder / "model.safetensors").exists() and not (resume or force):
        fail("run-exists", "there is a trained model in this folder already", place,
             hint="train into another with --out, go on with --resume, or replace it with --force")  # fmt: skip


def _drop_checkpoints(folder: Path) -> None:
    for path in [*folder.glob("checkpoints/checkpoint-*.safetensors")]:
        path.unlink(missing_ok=True)
