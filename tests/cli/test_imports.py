"""What each command leaves out: the modules that a process imports, as `-X importtime` tells them. No clock is read."""

import os
import platform
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
COMPILER = {"numba", "llvmlite"} if platform.machine() in ("x86_64", "AMD64") else {"numba"}  # our linker knows x86-64's object files
SHELL = {"typer", "rich"}
FILE = {"pydantic", "pydantic_core", "yaml", "annotated_types"}
LATER = {"importlib.metadata", "zipfile._path", "subprocess", "asyncio", "onnx", "h5py", "safetensors", "keras", "tensorboard"}
ROWS = "sepal_length,sepal_width,petal_length,petal_width\n" + "5.1,3.5,1.4,0.2\n" * 10


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A trained iris and ten rows, after one prediction."""
    folder = tmp_path_factory.mktemp("imports")
    (folder / "rows.csv").write_text(ROWS)
    for arguments in (["train", str(ROOT / "configs" / "iris.yaml"), "--out", "iris", "-q"], ["predict", "iris", "rows.csv"]):
        run(arguments, folder)
    return folder


def run(arguments, folder, options=()):
    command = [sys.executable, *options, "-m", "layerctl", *arguments]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=300, env={**os.environ, "GITHUB_ACTIONS": ""})
    assert done.returncode == 0, done.stderr
    return done


def imported(arguments, folder):
    lines = run(arguments, folder, ("-X", "importtime")).stderr.splitlines()
    found = {line.rsplit("|", 1)[1].strip() for line in lines if line.startswith("import time:")}
    assert "layerctl.cli.main" in found or "layerctl" in found
    return found


def has(found, names):
    return {n for n in names if n in found or any(f.startswith(f"{n}.") for f in found)}


@pytest.mark.parametrize("arguments", [[], ["--format", "jsonl"], ["--json"], ["--keep", "sepal_width", "-o", "out.csv", "--threads", "1"],
                                       ["--proba", "--on-error", "null"]])  # fmt: skip
def test_predict_with_a_plan(folder, arguments):
    found = imported(["predict", "iris", "rows.csv", *arguments], folder)
    assert not has(found, COMPILER | SHELL | FILE | LATER)
    own = {"layers", "ops", "graph", "compile.step", "compile.program", "training", "api", "expressions", "source", "spec.file", "spec.data"}
    assert not has(found, {f"layerctl.{n}" for n in own})


def test_version_and_help(folder):
    found = imported(["--version"], folder)
    assert not has(found, COMPILER | SHELL | FILE | LATER | {"numpy"})
    found = imported(["--help"], folder)
    assert "typer" in found and not has(found, COMPILER | FILE | {"rich", "numpy", "layerctl.api"})


def test_build(folder):
    found = imported(["build", str(ROOT / "configs" / "digits.yaml")], folder)
    assert not has(found, COMPILER | SHELL | {"layerctl.expressions", "layerctl.kernels", "layerctl.export", "layerctl.importing"})


def test_build_of_a_small_file(folder):
    (folder / "small.csv").write_text("a,b,kind\n" + "1,2,x\n2,1,y\n" * 20)
    (folder / "small.yaml").write_text("layerctl: 1\ndata: {source: small.csv, features: {n: {columns: [a, b]}}, target: kind}\n"
        "model: [Dense: {units: 2, activation: softmax}]\n"
        "compile: {optimizer: adam, loss: sparse_categorical_crossentropy}\nfit: {epochs: 1}\n")  # fmt: skip
    found = imported(["build", "small.yaml", "--show", "features"], folder)
    assert not has(found, COMPILER | SHELL | {"layerctl.data.caching", "layerctl.kernels"})


@pytest.mark.parametrize("command", ["train", "eval"])
def test_warm_commands_compile_nothing(folder, command):
    more = [str(ROOT / "configs" / "iris.yaml"), "--out", "iris2", "--force", "--set", "fit.epochs=1"] if command == "train" else ["iris"]
    run([command, *more], folder)
    found = imported([command, *more], folder)
    assert not has(found, COMPILER | {"rich", "layerctl.export", "layerctl.importing", "layerctl.kernels.jit", "layerctl.kernels.loops"})
