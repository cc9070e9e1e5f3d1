"""The way from what a user names to the model file that it stands for."""

from __future__ import annotations

import os
from pathlib import Path

from layerctl.diagnostics import Source, Span, fail

MODEL = "model.safetensors"
CHECKPOINTS = "checkpoints"


def find_model(given: str | os.PathLike[str]) -> Path:
    """The model file that a run's folder, a model file, or a YAML (by its newest run) stands for.

    Raises:
        LayerctlError: where there is none.
    """
    path = Path(given)
    place = Span(Source(str(given)))
    if path.is_dir():
        if (path / MODEL).is_file():
            return path / MODEL
        cure = "train it first: layerctl train MODEL.yaml"
        if (path / CHECKPOINTS).is_dir():
            cure = "its training did not end: go on with layerctl train MODEL.yaml --resume"
        runs = sorted(p for p in path.iterdir() if (p / MODEL).is_file())
        if runs:
            cure = f"there are {len(runs)} trained ones in folders within it: name one, as in {runs[0]}"
        fail("no-model", "there is no trained model in this folder", place, hint=cure)
    if path.suffix.lower() in (".yaml", ".yml"):
        return _newest_run(path, place)
    if not path.exists():
        from layerctl.source.files import instead

        fail("file-not-found", f"there is no such file or folder{instead(path)}", place,
             hint="give a run's folder, a .safetensors file, or the YAML that was trained")  # fmt: skip
    return path


def is_model(given: str | os.PathLike[str]) -> bool:
    """Whether a user names a run's folder or a model file, and no YAML."""
    path = Path(given)
    return path.suffix.lower() == ".safetensors" or (path / MODEL).is_file()


def _newest_run(path: Path, place: Span) -> Path:
    from layerctl.source.opening import opened
    from layerctl.spec.file import read_spec

    name = read_spec(opened(path)).name
    runs = [p for p in (Path("runs") / name, *sorted(Path("runs").glob(f"{name}-*"))) if (p / MODEL).is_file()]
    if not runs:
        fail("no-model", f"the model '{name}' has not been trained here: there is no {Path('runs') / name / MODEL}", place,
             hint=f"train it first: layerctl train {path}")  # fmt: skip
    return max(runs, key=lambda p: (p / MODEL).stat().st_mtime_ns) / MODEL
