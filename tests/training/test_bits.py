"""The same weights to the last bit: on any number of threads, at any vector width, after a kill and a resume, and run after run."""

import hashlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
MODEL = """
layerctl: 1
name: bits
seed: 11
data:
  source: builtin:digits
  features: {image: {kind: array, shape: [8, 8, 1], scale: minmax}}
  target: digit
  split: {validation: 0.1, test: 0.5, stratify: true}
model:
  - Conv2D: {filters: 20, kernel_size: 3, padding: same}
  - BatchNormalization
  - ReLU
  - MaxPooling2D: 2
  - Dropout: 0.3
  - Flatten
  - Dense: {units: 40, activation: tanh, kernel_regularizer: {L2: 0.001}}
  - Dense: {units: 10, activation: softmax}
compile: {optimizer: {Adam: {learning_rate: 0.003, clipnorm: 1.0}}, loss: sparse_categorical_crossentropy, metrics: [accuracy]}
fit: {epochs: 12, batch_size: 32, callbacks: [{EarlyStopping: {monitor: val_loss, patience: 11, restore_best_weights: true}}]}
"""


def layerctl(*arguments, cwd, **environment):
    command = [sys.executable, "-m", "layerctl", *arguments]
    return subprocess.run(command, cwd=cwd, env={**os.environ, **environment}, capture_output=True, text=True, timeout=300)


def digest(folder):
    return hashlib.sha256((folder / "model.safetensors").read_bytes()).hexdigest()


@pytest.fixture(scope="module")
def reference(tmp_path_factory):
    """One uninterrupted run, and where it was made."""
    folder = tmp_path_factory.mktemp("bits")
    (folder / "model.yaml").write_text(MODEL)
    done = layerctl("train", "model.yaml", "--out", "whole", "--threads", "1", cwd=folder)
    assert done.returncode == 0, done.stderr
    return folder, digest(folder / "whole")


def test_two_threads_and_a_second_run(reference):
    folder, expected = reference
    for name, threads in (("two", "2"), ("again", "1")):
        assert layerctl("train", "model.yaml", "--out", name, "--threads", threads, cwd=folder).returncode == 0
        assert digest(folder / name) == expected


@pytest.mark.parametrize("width", ["lanes4", "lanes8"])
def test_other_vector_widths(reference, width):
    folder, expected = reference
    done = layerctl("train", "model.yaml", "--out", width, cwd=folder, LAYERCTL_CPU=width)
    assert done.returncode == 0, done.stderr
    assert digest(folder / width) == expected


def test_one_allowed_core(reference):
    folder, expected = reference
    command = ["taskset", "-c", "0", sys.executable, "-m", "layerctl", "train", "model.yaml", "--out", "core", "--threads", "2"]
    subprocess.run(command, cwd=folder, check=True, timeout=300, capture_output=True)
    assert digest(folder / "core") == expected


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_killed_and_resumed(reference, how):
    folder, expected = reference
    name = f"killed{how}"
    command = [sys.executable, "-m", "layerctl", "train", "model.yaml", "--out", name]
    for delay in (0.0, 0.15, 0.4):
        process = subprocess.Popen([*command, "--resume"], cwd=folder, stderr=subprocess.PIPE, text=True)
        said = ""
        for line in process.stderr:
            said += line
            if line.startswith("epoch"):
                break
        time.sleep(delay)
        process.send_signal(how)
        said += process.communicate(timeout=60)[1]
        assert process.returncode in (-9, 143, 130, 0), said
        assert process.returncode == {signal.SIGKILL: -9, signal.SIGTERM: 143, signal.SIGINT: 130}[how] or "the run is in" in said
    done = layerctl("train", "model.yaml", "--out", name, "--resume", cwd=folder)
    assert done.returncode == 0, done.stderr
    assert digest(folder / name) == expected
