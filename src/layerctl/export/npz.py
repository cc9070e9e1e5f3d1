"""The weights as numpy arrays under their names."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path
from typing import Any

import numpy as np

from layerctl.diagnostics import Source, Span, fail
from layerctl.export.base import Report
from layerctl.modelfile.atomic import write

SUFFIX = ".npz"


def export(model: Any, path: Path) -> Report:
    """Writes `path` and reads it back; the same weights give the same bytes."""
    weights = model.weights
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_STORED) as archive:
        for name, array in weights.items():
            body = io.BytesIO()
            np.lib.format.write_array(body, array, allow_pickle=False)
            archive.writestr(zipfile.ZipInfo(f"{name}.npy", (1980, 1, 1, 0, 0, 0)), body.getvalue())
    write(path, [packed.getvalue()])
    with np.load(path, allow_pickle=False) as found:
        same = set(found.files) == set(weights) and all(np.array_equal(found[n], a) for n, a in weights.items())
    if not same:
        fail("export-differs", "the file that was written does not hold the model's weights", Span(Source(str(path))))
    return Report(len(weights), 0.0, what="arrays")
