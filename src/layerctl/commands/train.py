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
    history: list[dict[str, float]] = field(default_factory=list)
    report: Path | None = None
    warnings: list[Diagnostic] = field(default_factory=list)


def train(
    source: str, *, out: str | None = None, overrides: Sequence[str] = (), seed: int | None = None, threads: int | None = None,
    resume: bool = False, force: bool = False, max_seconds: float | None = None, max_steps: int | None = None, report: bool = True,
    observer: Any = None,
    on_trainer: Callable[[Any], None] | None = None,
) -> TrainResult:  # fmt: skip
    """Trains into `out` (runs/NAME by default). A folder that holds a finished run is left alone unless `resume` or `force`.

    With `report` the folder gets a report.html of a training that was not interrupted.

    Raises:
        LayerctlError: for the file, the data, the folder; NumericalError when a loss is not finite.
    """
    from layerctl.api import Model
    from layerctl.training.beforehand import note_reach

    model = Model.from_yaml(source, overrides=overrides, seed=seed, threads=threads, widths="read")
    folder = Path(out) if out else Path("runs") / model.spec.name
    check_folder(folder, resume, force)
    if force:
        _drop_checkpoints(folder)
    note_reach(model)
    end = _End(model, folder, report)
    outcome = model.fit(run=folder, resume=resume, max_seconds=max_seconds, max_steps=max_steps, observer=observer, on_trainer=on_trainer,
                        finish=end)  # fmt: skip
    return TrainResult(
        folder, outcome.reason, outcome.epochs, outcome.seconds, end.scores, end.split, outcome.history, end.report, model.warnings,
    )  # fmt: skip


class _End:
    """What becomes of a model once it is trained: it is judged, its scores are written down, the report is made."""

    def __init__(self, model: Any, folder: Path, wants_report: bool):
        self.model, self.folder, self.wants_report = model, folder, wants_report
        self.scores: dict[str, float] = {}
        self.split = ""
        self.report: Path | None = None

    def __call__(self, outcome: Any) -> Any:
        from layerctl.training.status import note
        from layerctl.training.training import Finished

        model = self.model
        if outcome.reason == "interrupted":
            return Finished({}, "")
        sizes = {s: len(rows) for s in ("train", "validation", "test") if (rows := getattr(model.data, s)) is not None}
        self.split = next((s for s in ("test", "validation", "train") if s in sizes), "")
        if self.split:
            self.scores = model.evaluate(split=self.split)
        model.save(self.folder / "model.safetensors", {k: v for k, v in self.scores.items() if v == v})
        note(self.folder, scores=self.scores, split=self.split, rows=sizes)
        if self.wants_report:
            from layerctl.reporting.report import write_report

            self.report = write_report(model, self.folder, outcome.history)
        return Finished(self.scores, self.split, (self.report,) if self.report is not None else ())


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
