"""`predict` by a model without a data section: arrays and columns of its inputs' names, as they are."""

import subprocess
import sys

import numpy as np
import pytest

from layerctl.api import Model

FILE = """
layerctl: 1
name: m
model:
  inputs: {a: {shape: [4]}, ids: {shape: [2], dtype: int32}}
  layers:
    - Embedding: {input_dim: 9, output_dim: 3}
      from: ids
    - Flatten:
      name: flat
    - Concatenate:
      from: [a, flat]
    - Dense: 2
      name: out
  outputs: [out]
"""


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """(folder with the model and its rows in two forms, what Python predicts)."""
    folder = tmp_path_factory.mktemp("arrays")
    rng = np.random.default_rng(0)
    rows = {"a": rng.normal(size=(5, 4)).astype(np.float32), "ids": rng.integers(0, 9, (5, 2)).astype(np.int32)}
    np.savez(folder / "rows.npz", **rows)
    columns = {f"{n}_{j}": a[:, j] for n, a in rows.items() for j in range(a.shape[1])}
    lines = [",".join(columns), *(",".join(repr(v.item()) for v in row) for row in zip(*columns.values(), strict=True))]
    (folder / "rows.csv").write_text("\n".join(lines) + "\n")
    with Model.from_yaml(FILE) as model:
        model.save(folder / "m.safetensors")
        return folder, model.predict(rows)


def predicted(folder, *arguments, code=0):
    command = [sys.executable, "-m", "layerctl", "predict", "m.safetensors", *arguments]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    assert done.returncode == code, done.stderr
    return done.stdout if code == 0 else done.stderr


@pytest.mark.parametrize("rows", ["rows.npz", "rows.csv"])
def test_arrays_and_columns(made, rows):
    folder, wanted = made
    head, *lines = predicted(folder, rows).splitlines()
    assert head == "prediction_0,prediction_1"
    np.testing.assert_allclose([[float(v) for v in line.split(",")] for line in lines], wanted, rtol=1e-6)


def test_what_does_not_fit_is_said(made):
    folder, _ = made
    np.savez(folder / "half.npz", a=np.zeros((2, 4)), ids=np.full((2, 2), 0.5))
    np.savez(folder / "other.npz", b=np.zeros((2, 4)))
    assert "needs whole numbers" in predicted(folder, "half.npz", code=2)
    assert "missing-column" in predicted(folder, "other.npz", code=2)
