"""A file larger than the memory that a process may have is trained on, with the bits that it has in memory."""

import os
import subprocess
import sys

import numpy as np
import pytest

from layerctl.modelfile.artifact import read_model

LIMIT = 96 << 20
"""Bytes of its own that a process may have (RLIMIT_DATA); mapped files do not count."""
MODEL = """
layerctl: 1
name: wide
data:
  source: wide.csv
  features: {x: {columns: [COLUMNS]}, kind: {columns: [kind], kind: category}}
  target: t
  split: {validation: 0.1}
model:
  inputs: {x: {shape: [80]}, kind: {shape: [4]}}
  layers:
    - Concatenate:
      from: [x, kind]
    - Dense: {units: 2, activation: softmax}
  outputs: [dense]
compile: {optimizer: adam, loss: sparse_categorical_crossentropy}
fit: {epochs: 1, batch_size: 512}
"""
LIMITED = (
    "import os, resource, sys; resource.setrlimit(resource.RLIMIT_DATA, (int(sys.argv[1]),) * 2); "
    "os.execv(sys.executable, [sys.executable, '-m', 'layerctl', *sys.argv[2:]])"
)


def train(folder, *more, limit=LIMIT):
    command = [sys.executable, "-c", LIMITED, str(limit), "train", "model.yaml", "--threads", "1", "-q", *more]
    environment = {**os.environ, "LAYERCTL_CACHE": str(folder / "cache"), "GITHUB_ACTIONS": "", "OPENBLAS_NUM_THREADS": "1"}
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=300, env=environment)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="RLIMIT_DATA is Linux's")
def test_a_file_larger_than_memory(tmp_path):
    rng = np.random.default_rng(0)
    rows = "".join(",".join(f"{v:.7f}" for v in r) + f",{'abc'[i % 3]},{i % 2}\n" for i, r in enumerate(rng.normal(size=(2000, 80))))
    columns = [f"x{i}" for i in range(80)]
    with open(tmp_path / "wide.csv", "w") as file:
        file.write(",".join(columns) + ",kind,t\n")
        file.writelines([rows] * 100)
    assert (tmp_path / "wide.csv").stat().st_size > 1.6 * LIMIT
    (tmp_path / "model.yaml").write_text(MODEL.replace("COLUMNS", ", ".join(columns)))
    whole = train(tmp_path, "--out", "whole", "--set", "data.cache=false", limit=1 << 40)  # and compiles, which takes memory too
    assert whole.returncode == 0, whole.stderr
    done = train(tmp_path, "--out", "small")
    assert done.returncode == 0, done.stderr
    refused = train(tmp_path, "--out", "none", "--set", "data.cache=false")
    assert refused.returncode == 2 and "out-of-memory" in refused.stderr
    small, large = (read_model(tmp_path / name / "model.safetensors") for name in ("small", "whole"))
    assert small.data == large.data and all(small.tensors[n].tobytes() == a.tobytes() for n, a in large.tensors.items())
