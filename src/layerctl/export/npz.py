"""The weights as numpy arrays under their names."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path
from typing import Any

import numpy as np

from layerctl.diagnostics import Source, Span, fail
from layerctl.export.base import DIFFERS, Report
from layerctl.modelfile.atomic import write

SUFFIX = ".npz"


def export(model: Any, path: Path) -> Report:
    """Writes `path` after reading back what it is to hold; the same weights give the same bytes."""
    weights = model.weights
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_STORED) as archive:
        for name, array in weights.items():
            body = io.BytesIO()
            np.lib.format.write_array(body, array, allow_pickle=False)
            archive.writestr(zipfile.ZipInfo(f"{name}.npy", (1980, 1, 1, 0, 0, 0)), body.getvalue())
    packed.seek(0)
    with np.load(packed, allow_pickle=False) as found:
        same = set(found.files) == set(weights) and all(found[n].tobytes() == a.tobytes() for n, a in weights.items())
    if not same:
        fail("export-differs", "the file would not hold the model's weights; nothing was written", Span(Source(str(path))), hint=DIFFERS)
    write(path, [packed.getvalue()])
    return Report(len(weights), 0.0, what="arrays")
