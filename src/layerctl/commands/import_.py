"""`layerctl import`: a model saved by Keras as YAML, and its weights as a trained model beside it."""

from __future__ import annotations

from pathlib import Path

from layerctl.diagnostics import Source, Span, fail
from layerctl.importing.keras import Imported, import_model


def import_(source: str, out: str | None = None, force: bool = False, define: str | None = None) -> Imported:
    """Writes the YAML (and the model beside it) that `source` stands for; `define` is a file of definitions for the program's own classes.

    Raises:
        LayerctlError: for what cannot be read or expressed, and for files that are there already, unless `force`.
    """
    target = Path(out) if out else Path(Path(source).name).with_suffix(".yaml")
    if target.suffix.lower() not in (".yaml", ".yml"):
        fail("bad-option", f"--out takes a file that ends in .yaml, got '{target}'", Span(Source("--out")), hint="as in `-o model.yaml`")
    for path in (target, target.with_suffix(".safetensors")):
        if path.exists() and not force:
            fail("file-exists", f"'{path}' is there already", Span(Source(str(path))), hint="give another name with --out, or --force")
    return import_model(source, target, define)
