"""`layerctl report`: the report of a run that is there already."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from layerctl.diagnostics import Diagnostic, Source, Span, fail


@dataclass(frozen=True)
class ReportResult:
    """Where the report is, its bytes, and what could not be told in it."""

    path: Path
    size: int
    warnings: list[Diagnostic] = field(default_factory=list)


def report(run: str, out: str | None = None, threads: int | None = None) -> ReportResult:
    """Writes a run's report into its folder, or to `out`. A training that did not end is reported by its history alone.

    Raises:
        LayerctlError: where there is no such run, its model is damaged, or the report cannot be written.
    """
    from layerctl.modelfile.finding import MODEL, find_model
    from layerctl.reporting.report import described, gathered, written

    folder = Path(run)
    if not folder.is_dir() or not _is_run(folder):
        folder = find_model(run).parent
    if not _is_run(folder):
        fail("no-run", "there is neither a trained model nor a history here", Span(Source(run)), hint="give a run's folder, such as runs/iris")
    found = gathered(folder)
    warnings = []
    if (folder / MODEL).is_file():
        from layerctl.api import load

        model = load(folder, threads=threads)
        found.file, found.name = model.resolved(), model.spec.name
        described(found, model)
    else:
        found.trouble = "there is no trained model in the folder: its training did not end"
    if found.trouble:
        warnings.append(Diagnostic("report-incomplete", f"the report has no rows that were judged: {found.trouble}", Span(Source(str(folder))), (),
                                   "put the data back where the model's file says, and make the report again", "warning"))  # fmt: skip
    path = written(found, Path(out) if out is not None else None)
    return ReportResult(path, path.stat().st_size, warnings)


def _is_run(folder: Path) -> bool:
    from layerctl.modelfile.finding import MODEL
    from layerctl.training.runfolder import HISTORY

    return (folder / MODEL).is_file() or (folder / HISTORY).is_file()
