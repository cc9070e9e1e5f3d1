"""A file larger than the memory that a process may have is trained on, with the bits that it has in memory."""

import contextlib
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import yaml

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


def train(folder, *more, limit=LIMIT, cache=None):
    command = [sys.executable, "-c", LIMITED, str(limit), "train", "model.yaml", "--threads", "1", "-q", *more]
    environment = {**os.environ, **({"LAYERCTL_CACHE": str(cache)} if cache else {}), "GITHUB_ACTIONS": "", "OPENBLAS_NUM_THREADS": "1"}
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
    cache = tmp_path / "cache"
    whole = train(tmp_path, "--out", "whole", "--set", "data.cache=false", limit=1 << 40, cache=cache)  # and compiles, which takes memory too
    assert whole.returncode == 0, whole.stderr
    done = train(tmp_path, "--out", "small", cache=cache)
    assert done.returncode == 0, done.stderr
    refused = train(tmp_path, "--out", "none", "--set", "data.cache=false", cache=cache)
    assert refused.returncode == 2 and "out-of-memory" in refused.stderr
    small, large = (read_model(tmp_path / name / "model.safetensors") for name in ("small", "whole"))
    assert small.data == large.data and all(small.tensors[n].tobytes() == a.tobytes() for n, a in large.tensors.items())


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="RLIMIT_DATA is Linux's")
def test_no_room_for_the_compiler(tmp_path):
    (tmp_path / "wide.csv").write_text("x0,kind,t\n" + "1,a,0\n2,b,1\n" * 20)
    (tmp_path / "model.yaml").write_text(MODEL.replace("COLUMNS", "x0").replace("[80]", "[1]").replace("[4]", "[3]"))
    done = train(tmp_path, "--out", "run", limit=LIMIT, cache=tmp_path / "empty")
    assert done.returncode == 2 and "out-of-memory" in done.stderr and "Traceback" not in done.stderr
    deadline = time.monotonic() + 10
    while left := processes_with(str(tmp_path / "empty")):
        assert time.monotonic() < deadline, f"{left} outlived the process that had started them"
        time.sleep(0.05)


def processes_with(text):
    """The ids of the processes that have a text in their environment."""
    found = []
    for place in Path("/proc").glob("[0-9]*/environ"):
        with contextlib.suppress(OSError):
            if text.encode() in place.read_bytes():
                found.append(place.parent.name)
    return found


FIELDS = """
layerctl: 1
name: fields
data:
  source: fields.csv
  cache: true
  features: {v: {columns: [v], kind: vector, scale: standard}, s: {columns: [s], kind: sequence, length: 8, scale: minmax}}
  target: {column: tags, kind: labels}
  split: {validation: 0.1, by: group, column: user}
model:
  inputs: {v: {shape: [30]}, s: {shape: [8, 1]}}
  layers:
    - Flatten:
      from: s
    - Concatenate:
      from: [v, flatten]
    - Dense: {units: 3, activation: sigmoid}
  outputs: [dense]
compile: {optimizer: adam, loss: binary_crossentropy}
fit: {epochs: 1, batch_size: 512}
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="RLIMIT_DATA is Linux's")
def test_fields_of_several_numbers_and_labels_in_bounded_memory(tmp_path):
    rng = np.random.default_rng(0)
    many, limit = 90_000, 160 << 20
    assert many * 38 * (24 + 8 + 52 + 8) > 1.5 * limit, "Python's numbers and texts of the two columns take more than the process may have"
    with open(tmp_path / "fields.csv", "w") as file:
        file.write("v,s,tags,user\n")
        for i, numbers in enumerate(rng.integers(0, 1000, (many, 38)).tolist()):
            tags = ";".join(t for j, t in enumerate(("red", "green", "blue")) if numbers[j] > 600)
            file.write(f"{' '.join(map(str, numbers[:30]))},{' '.join(map(str, numbers[30 : 31 + i % 8]))},{tags},u{i // 3}\n")
    (tmp_path / "model.yaml").write_text(FIELDS)
    whole = train(tmp_path, "--out", "whole", "--no-report", "--set", "data.cache=false", limit=1 << 40)  # and compiles, which takes memory too
    assert whole.returncode == 0, whole.stderr
    done = train(tmp_path, "--out", "small", "--no-report", limit=limit)
    assert done.returncode == 0, done.stderr
    small, large = (read_model(tmp_path / name / "model.safetensors") for name in ("small", "whole"))
    assert small.data == large.data and small.features == large.features
    assert all(small.tensors[n].tobytes() == a.tobytes() for n, a in large.tensors.items())


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="RLIMIT_DATA is Linux's")
def test_a_file_larger_than_memory_is_looked_at(tmp_path):
    rng = np.random.default_rng(0)
    rows = [",".join(f"{v:.6f}" for v in r) for r in rng.normal(size=(2000, 80))]
    many, limit = 150_000, 450 << 20
    with open(tmp_path / "wide.csv", "w") as file:
        file.write(",".join(f"x{i}" for i in range(80)) + ",size,kind,t\n")
        for i in range(many):
            size = "unknown size" if i == many - 900 else i % 37
            file.write(f"{rows[i % 2000]},{size},{'abc'[i % 3]},{'rare' if i == many - 700 else 'yn'[i % 2]}\n")
    assert many * 83 * 58 > 1.5 * limit, "the texts of all fields take more than the process may have"
    run = [sys.executable, "-c", LIMITED, str(limit)]
    environment = {**os.environ, "OPENBLAS_NUM_THREADS": "1", "GITHUB_ACTIONS": ""}

    def told(*arguments):
        done = subprocess.run([*run, *arguments, "--json"], cwd=tmp_path, capture_output=True, text=True, timeout=300, env=environment)
        assert done.returncode in (0, 1), done.stderr
        return json.loads(done.stdout.splitlines()[-1])

    made = told("init", "wide.csv", "--target", "t", "-o", "m.yaml")
    assert made["rows"] == many and 1000 < made["looked_at"] < many / 2
    data = yaml.safe_load((tmp_path / "m.yaml").read_text())["data"]
    assert "unknown size" in data["missing_values"] and data["target"]["classes"] == ["n", "rare", "y"], "which the file has in one row each, near its end"
    found = told("data", "wide.csv", "--target", "t", "--rows", "2000")
    assert found["rows"] == many and 1000 < found["looked_at"] < 2600
    assert next(f["line"] for f in found["findings"] if f["code"] == "column-missing" and "'size'" in f["message"]) == many - 900 + 2
