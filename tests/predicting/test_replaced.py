"""A model file that somebody replaces, cuts or removes while `predict` reads a stream: all rows are predicted by the model that it began with."""

import shutil
import subprocess
import sys

import pytest

MODEL = """
layerctl: 1
data: {source: "builtin:iris", features: {x: {}}, target: species, split: {test: 0.2}}
model: [{Dense: {units: 3, activation: softmax}}]
compile: {optimizer: adam, loss: sparse_categorical_crossentropy}
fit: {epochs: 1}
"""
LAYERCTL = [sys.executable, "-m", "layerctl"]
ROWS = [f"{5 + i % 3},{3 - i % 2},{1 + i % 5},{0.2 + i % 2}\n" for i in range(40)]


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    folder = tmp_path_factory.mktemp("replaced")
    (folder / "m.yaml").write_text(MODEL)
    subprocess.run([*LAYERCTL, "train", "m.yaml", "--out", "run"], cwd=folder, check=True, capture_output=True, timeout=100)
    header = "sepal_length,sepal_width,petal_length,petal_width\n"
    done = subprocess.run([*LAYERCTL, "predict", "run", "-"], input=header + "".join(ROWS), cwd=folder, capture_output=True, text=True, timeout=100)
    assert done.returncode == 0, done.stderr
    return folder, header, done.stdout


def cut(path):
    with path.open("r+b") as file:
        file.truncate(10)


def overwritten(path):
    path.write_bytes(b"\xff" * path.stat().st_size)


@pytest.mark.parametrize("change", [cut, overwritten, lambda path: path.unlink()], ids=["cut", "overwritten", "removed"])
def test_the_rest_of_a_stream_is_predicted_as_its_beginning(trained, tmp_path, change):
    folder, header, expected = trained
    shutil.copytree(folder / "run", tmp_path / "run")
    with subprocess.Popen([*LAYERCTL, "predict", "run", "-"], cwd=tmp_path, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as running:
        running.stdin.write(header + "".join(ROWS[:20]))
        running.stdin.flush()
        begun = running.stdout.readline() + running.stdout.readline()
        change(tmp_path / "run" / "model.safetensors")
        running.stdin.write("".join(ROWS[20:]))
        running.stdin.close()
        assert begun + running.stdout.read() == expected
    assert running.returncode == 0
