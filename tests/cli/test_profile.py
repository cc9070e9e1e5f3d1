"""`layerctl build --profile`: every instruction with its time, beside what the machine can do."""

import json
import re
import subprocess
import sys

import pytest

TEXT = """
layerctl: 1
name: measured
model:
  - Input: {shape: [12], dtype: int32}
  - Embedding: {input_dim: 30, output_dim: 8}
  - LSTM: 16
  - Dense: {units: 3, activation: softmax}
compile: {optimizer: adam, loss: sparse_categorical_crossentropy, metrics: [accuracy]}
fit: {batch_size: 4}
"""


def build(folder, *options):
    (folder / "model.yaml").write_text(TEXT)
    command = [sys.executable, "-m", "layerctl", "build", str(folder / "model.yaml"), *options]
    return subprocess.run(command, capture_output=True, text=True, timeout=300)


def test_a_training_steps_instructions_and_their_sum(tmp_path):
    done = build(tmp_path, "--profile", "--threads", "1", "--json")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)["profile"]
    parts = found["instructions"]
    assert sum(i["seconds"] for i in parts) == pytest.approx(found["seconds"], rel=1e-6)
    lstm = next(i for i in parts if i["kernel"] == "lstm_kernels.forward")
    assert lstm["macs"] == 4 * 12 * 16 * 64 and lstm["seconds"] > 0 and 0 < lstm["of_peak"] < 2
    assert {i["origin"] for i in parts} >= {"embedding", "lstm", "dense"}
    assert found["peak_macs"] > 1e9 and found["peak_bytes"] > 1e8 and found["batch"] == 4


def test_as_a_table_dearest_first(tmp_path):
    done = build(tmp_path, "--profile", "--threads", "1")
    assert done.returncode == 0, done.stderr
    shares = [float(m) for m in re.findall(r"^ *\d+  \S.*?\s\d+\.\d+\s+(\d+\.\d)\s", done.stdout, re.M)]
    assert len(shares) > 10 and shares == sorted(shares, reverse=True)
    assert re.search(r"a step of 4 rows on 1 thread: \d+\.\d{3} ms, [\d,]+ rows/s\n\d+\.\d GF/s, \d+% of the \d+\.\d", done.stdout)


def test_a_step_of_prediction(tmp_path):
    done = build(tmp_path, "--profile", "--predicting", "--batch", "7", "--threads", "1", "--json")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)["profile"]
    assert found["batch"] == 7
    assert not any("gradient" in i["name"] for i in found["instructions"])
