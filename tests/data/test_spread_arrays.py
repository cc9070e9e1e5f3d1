"""An array in a file without arrays: one column for each number."""

import numpy as np
import pytest

from layerctl.api import Model
from layerctl.data.arrays import builtin
from layerctl.diagnostics import LayerctlError

TEXT = """
layerctl: 1
name: spread
data:
  source: builtin:digits
  features: {image: {kind: array, shape: [8, 8], scale: minmax}}
  target: digit
model:
  - Flatten
  - Dense: {units: 10, activation: softmax}
compile: {loss: sparse_categorical_crossentropy}
"""


def predictions(model, path):
    """All rows' probabilities."""
    return np.concatenate([next(iter(p.arrays.values())) for p in model.predict_stream(str(path))])


def test_columns_with_numbers_behind_their_name_are_an_array(tmp_path):
    images = builtin("digits").columns["image"].reshape(-1, 64)[:9]
    lines = [",".join(f"image_{i}" for i in range(64)), *(",".join(f"{v:g}" for v in row) for row in images)]
    (tmp_path / "rows.csv").write_text("\n".join(lines))
    np.savez(tmp_path / "rows.npz", image=images.reshape(-1, 8, 8))
    with Model.from_yaml(TEXT) as model:
        np.testing.assert_array_equal(predictions(model, tmp_path / "rows.csv"), predictions(model, tmp_path / "rows.npz"))
        (tmp_path / "rows.csv").write_text("\n".join(line.rsplit(",", 1)[0] for line in lines))
        with pytest.raises(LayerctlError, match="the data lack the column 'image'"):
            predictions(model, tmp_path / "rows.csv")
