"""What an export says of itself."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from layerctl.ops.value import DTYPES


@dataclass(frozen=True)
class Report:
    """On how many rows the file was compared with layerctl's own results, and the largest difference relative to their scale."""

    rows: int
    difference: float
    notes: tuple[str, ...] = field(default_factory=tuple)


def held_back_rows(model: Any, most: int = 64) -> dict[str, np.ndarray]:
    """Encoded rows that the model was not trained on; where the data cannot be read, rows made up in the inputs' shapes."""
    from layerctl.diagnostics import LayerctlError

    try:
        if model.spec.data is not None:
            data = model.data
            rows = data.test or data.validation or data.train
            return {n: np.ascontiguousarray(a[:most]) for n, a in rows.inputs.items()}
    except LayerctlError:
        pass
    rng = np.random.default_rng(0)
    out = {}
    for name, port in model.graph.inputs.items():
        shape = (7, *(16 if d is None else d for d in port.shape))
        if port.dtype == "i32":
            out[name] = rng.integers(0, id_bound(model, name), shape).astype(np.int32)
        else:
            out[name] = rng.standard_normal(shape).astype(DTYPES[port.dtype])
    return out


def id_bound(model: Any, name: str) -> int:
    """The number of ids that an integer input may have: that of the Embedding it goes into."""
    sizes = [
        s.layer.input_dim for s in model.graph.steps
        if type(s.layer).__name__ == "Embedding" and name in (s.sources if isinstance(s.sources, list) else [s.sources])
    ]  # fmt: skip
    return min(sizes, default=2)


def relative_difference(ours: np.ndarray, theirs: np.ndarray) -> float:
    """The largest difference over the largest value."""
    scale = max(float(np.abs(ours).max(initial=0.0)), 1e-6)
    return float(np.abs(ours.astype(np.float64) - theirs.astype(np.float64)).max(initial=0.0)) / scale
