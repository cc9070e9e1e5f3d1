"""`layerctl render`: a file with every default, and what two files or runs mean differently."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from layerctl.commands.meaning import Difference, differences, meaning
from layerctl.diagnostics import Diagnostic
from layerctl.source.document import Document, Mapping
from layerctl.source.dump import dumps
from layerctl.spec.file import SECTIONS
from layerctl.spec.filling import filled
from layerctl.spec.search import settled


@dataclass(frozen=True)
class Rendered:
    """A file's text with everything filled in."""

    text: str
    warnings: list[Diagnostic] = field(default_factory=list)


def render(source: str, *, overrides: Sequence[str] = (), seed: int | None = None) -> Rendered:
    """The file with every default, after it was built: what is printed builds to the same weights.

    Raises:
        LayerctlError: with everything that is wrong in it.
    """
    from layerctl.api import Model
    from layerctl.source.opening import opened

    model = Model.from_yaml(source, overrides=overrides, seed=seed)
    document = settled(opened(source, overrides, seed=seed)) if source != "-" else model.spec.document
    assert isinstance(document.root, Mapping)
    made = filled(document.root)
    made.setdefault("name", model.spec.name)
    return Rendered(dumps({k: made[k] for k in SECTIONS if k in made}), model.warnings)


def diff(before: str, after: str, *, overrides: Sequence[str] = ()) -> list[Difference]:
    """Where two files (or the files of two runs) mean something else; the order of keys, defaults and other names of a thing do not count.

    Raises:
        LayerctlError: for a file that cannot be read, and for what is wrong in its sections.
    """
    return differences([meaning(_document(source, overrides)) for source in (before, after)])


def _document(source: str, overrides: Sequence[str]) -> Document:
    """The document of a file, or of the model file in a run's folder."""
    from layerctl.source.opening import opened

    path = Path(source)
    if not path.is_dir() and path.suffix != ".safetensors":
        return opened(source, overrides)
    from layerctl.modelfile.artifact import read_model
    from layerctl.modelfile.finding import find_model
    from layerctl.source.overrides import apply_overrides
    from layerctl.source.read import loads

    file = find_model(path)
    return apply_overrides(loads(read_model(file).yaml, f"{file} (its YAML)"), overrides)
