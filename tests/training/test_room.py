"""Models that have no room in memory are refused before any of it is taken, quickly, with the layer that takes most."""

import subprocess
import sys
import time

import pytest

from layerctl.limits import groups, memory


def layerctl(*arguments, cwd):
    return subprocess.run([sys.executable, "-m", "layerctl", *arguments], cwd=cwd, capture_output=True, text=True, timeout=60)


def wide(folder, units):
    (folder / "m.yaml").write_text(
        "layerctl: 1\ndata: {source: 'builtin:iris', features: {x: {}}, target: species, split: {test: 0.2}}\nmodel:\n  - Dense: 50000\n"
        f"  - Dense: {{units: {units}, name: wide}}\n  - Dense: {{units: 3, activation: softmax}}\n"
        "compile: {optimizer: adam, loss: sparse_categorical_crossentropy}\n"
    )


@pytest.mark.parametrize("units", [1_000_000_000, 10**20])
def test_build_tells_of_it_and_answers(tmp_path, units):
    wide(tmp_path, units)
    begun = time.monotonic()
    done = layerctl("build", "m.yaml", cwd=tmp_path)
    assert done.returncode == 0 and time.monotonic() - begun < 10
    assert "m.yaml:5:5: warning: training takes" in done.stderr and "'wide'" in done.stderr and "[out-of-memory]" in done.stderr
    assert f"{50_001 * units:,}" in done.stdout


def test_training_is_refused(tmp_path):
    wide(tmp_path, 100_000_000)
    done = layerctl("train", "m.yaml", cwd=tmp_path)
    assert done.returncode == 2 and "m.yaml:5:5: error: training takes" in done.stderr and "5,000,100,000,000 numbers" in done.stderr
    assert not (tmp_path / "runs" / "m" / "model.safetensors").exists()


@pytest.mark.parametrize(("files", "own", "expected"), [
    ({"memory.max": "1000000\n"}, "0::/\n", 1_000_000),
    ({"a/memory.max": "2000000\n", "a/b/memory.max": "max\n"}, "0::/a/b\n", 2_000_000),
    ({"memory/x/memory.limit_in_bytes": "500000\n"}, "3:memory:/x\n2:cpu:/x\n", 500_000),
    ({"memory.max": "garbage\n"}, "nonsense", memory()),
])  # fmt: skip
def test_memory_is_the_least_of_all_bounds(tmp_path, files, own, expected):
    for name, text in files.items():
        path = tmp_path / "cgroup" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    (tmp_path / "own").write_text(own)
    assert memory(tmp_path / "cgroup", tmp_path / "own") == expected
    assert all(not str(step).startswith("/") for _, step in groups(tmp_path / "own"))
