"""`layerctl inspect`: what a model file holds, said without building or running the model."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np


@dataclass(frozen=True)
class TensorRow:
    """One tensor: its name, dtype, shape, and bytes."""

    name: str
    dtype: str
    shape: tuple[int, ...]
    size: int


@dataclass(frozen=True)
class FeatureRow:
    """One input or target: its kind, shape and columns, and what was fitted."""

    name: str
    role: str
    kind: str
    shape: tuple[int, ...]
    columns: list[str]
    fitted: str


@dataclass(frozen=True)
class Inspection:
    """All that a model file says of itself; `data` is the fingerprint of the rows it was trained on, `decisions` thresholds by output."""

    path: Path
    size: int
    name: str
    layerctl: str
    format: int
    created_by: dict[str, str]
    data: str
    scores: dict[str, float]
    yaml: str
    decisions: dict[str, dict[str, Any]] = field(default_factory=dict)
    features: list[FeatureRow] = field(default_factory=list)
    tensors: list[TensorRow] = field(default_factory=list)

    @property
    def parameters(self) -> int:
        """Numbers in the model's tensors."""
        return sum(int(np.prod(t.shape, dtype=np.int64)) for t in self.tensors)


def inspect(model: str) -> Inspection:
    """Reads a model file, that of a run's folder, or that of the newest run of a YAML file.

    Raises:
        LayerctlError: as loading does: for a file that is not there, damaged, foreign, newer or hostile.
    """
    from layerctl.modelfile.artifact import read_model
    from layerctl.modelfile.finding import find_model
    from layerctl.source.read import loads
    from layerctl.spec.features import FeatureSchema
    from layerctl.spec.file import read_spec

    path = find_model(model)
    found = read_model(path)
    spec = read_spec(loads(found.yaml, f"{path} (its YAML)"))
    schema = FeatureSchema.from_dict(found.features) if found.features else None
    return Inspection(
        path, path.stat().st_size, spec.name, found.layerctl_version, found.format, dict(found.created_by), found.data, dict(found.scores),
        found.yaml, dict(found.decisions), _features(schema), [TensorRow(n, str(a.dtype), tuple(a.shape), a.nbytes) for n, a in found.tensors.items()],
    )  # fmt: skip


def _features(schema: Any) -> list[FeatureRow]:
    if schema is None:
        return []
    out = []
    for name, f in schema.features.items():
        kinds = [f"{sum(c.kind == k for c in f.columns)} {k}" for k in dict.fromkeys(c.kind for c in f.columns)]
        words = sum(len(c.words) for c in f.columns)
        fitted = [", ".join(kinds), *([f"{words:,} words"] if words else []), *([f"missing: {f.missing}"] if f.missing != "error" else [])]
        out.append(FeatureRow(name, "input", f.kind, tuple(f.shape), [c.name for c in f.columns], "; ".join(fitted)))
    for name, t in schema.targets.items():
        shown = ", ".join(t.classes[:8]) + (", …" if len(t.classes) > 8 else "")
        fitted_text = f"{len(t.classes)} classes: {shown}" if t.classes else f"centre {t.centre:g}, spread {t.spread:g}"
        out.append(FeatureRow(name, "target", t.kind, (), [t.column], fitted_text))
    return out


def plain(found: Inspection) -> dict[str, Any]:
    """The inspection as data."""
    return {
        "event": "inspect", "path": str(found.path), "size": found.size, "name": found.name, "layerctl": found.layerctl,
        "format": found.format, "created_by": found.created_by, "data": found.data, "scores": found.scores, "parameters": found.parameters,
        "thresholds": found.decisions,
        "yaml": found.yaml,
        "features": [{"name": f.name, "role": f.role, "kind": f.kind, "shape": list(f.shape), "columns": f.columns, "fitted": f.fitted}
                     for f in found.features],
        "tensors": [{"name": t.name, "dtype": t.dtype, "shape": list(t.shape), "size": t.size} for t in found.tensors],
    }  # fmt: skip
