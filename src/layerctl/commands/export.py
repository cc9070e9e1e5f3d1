"""`layerctl export`: a trained model in another format, checked before it is called done."""

from __future__ import annotations

import importlib
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from layerctl.diagnostics import Source, Span, did_you_mean, fail


@dataclass(frozen=True)
class ExportResult:
    """Where the file is, on how many rows it was compared, and the largest difference."""

    path: Path
    target: str
    report: Any


def targets() -> list[str]:
    """The formats: the modules of the export package."""
    folder = Path(__file__).parent.parent / "export"
    return sorted(p.stem for p in folder.glob("*.py") if not p.stem.startswith("_") and p.stem != "base")


def export(model: str, target: str, out: str | None = None, threads: int | None = None, raw: bool = False) -> ExportResult:
    """Writes the model as `target`; with `raw` an ONNX model takes a table's columns.

    Raises:
        LayerctlError: for an unknown target, a missing extra, what the format cannot express, or a result that differs.
    """
    known = targets()
    if target not in known:
        fail("unknown-target", f"there is no export to '{target}'{did_you_mean(target, known)}", Span(Source("--to")),
             hint=f"there are {', '.join(known)}")  # fmt: skip
    if raw and target != "onnx":
        what = "take tables already" if target in ("c", "python") else "hold no features"
        fail("bad-option", f"--raw is for ONNX; {target} files {what}", Span(Source("--raw")), hint=f"export --to {target} without it")
    from layerctl.api import load
    from layerctl.temporary import clean_stale

    loaded = load(model, threads=threads)
    module = importlib.import_module(f"layerctl.export.{target}")
    path = Path(out) if out else Path(f"{loaded.spec.name}{module.SUFFIX}")
    clean_stale(path.parent)
    report = module.export(loaded, path, raw=True) if raw else module.export(loaded, path)
    notes = [_left_behind(n, t) for n, t in loaded.thresholds.items()]
    return ExportResult(path, target, replace(report, notes=(*report.notes, *notes)))


def _left_behind(output: str, threshold: float | dict[str, float]) -> str:
    if isinstance(threshold, dict):
        return f"the thresholds of the labels of '{output}' stay behind: by this file labels are predicted above a half"
    return f"the threshold of '{output}' ({threshold:.9g}) stays behind: by this file the likelier class is predicted"
