"""Results as npz: the bytes that numpy reads, in less memory than they have."""

import os
import subprocess
import sys
import zipfile

import numpy as np
import pytest

from layerctl.diagnostics import LayerctlError
from layerctl.predicting.arrays import Arrays

LIMIT = 168 << 20
"""Bytes of its own that a process may have (RLIMIT_DATA)."""
MODEL = """
layerctl: 1
name: wide
data: {source: few.csv, features: {x: {columns: [a, b]}}, target: {column: t, kind: number}}
model: [{Dense: 300, name: wide}, {Dense: 1}]
compile: {optimizer: sgd, loss: mse}
fit: {epochs: 1}
"""
LIMITED = (
    "import os, resource, sys; resource.setrlimit(resource.RLIMIT_DATA, (int(sys.argv[1]),) * 2); "
    "os.execv(sys.executable, [sys.executable, '-m', 'layerctl', *sys.argv[2:]])"
)


def test_what_numpy_reads(tmp_path):
    rng = np.random.default_rng(0)
    whole = {"a": rng.normal(size=(700, 3, 2)).astype(np.float32), "b": rng.integers(0, 9, 700)}
    arrays = Arrays(tmp_path)
    for at in range(0, 700, 111):
        arrays.add({n: a[at : at + 111] for n, a in whole.items()})
    assert list(tmp_path.iterdir()) == [] and arrays.rows == 700
    (tmp_path / "out.npz").write_bytes(b"".join(arrays.zipped()))
    found = np.load(tmp_path / "out.npz")
    assert list(found) == ["a", "b"]
    for name, array in whole.items():
        assert found[name].dtype == array.dtype
        np.testing.assert_array_equal(found[name], array)
    assert zipfile.ZipFile(tmp_path / "out.npz").testzip() is None
    with pytest.raises(LayerctlError, match="one array cannot hold"):
        arrays.add({"a": np.zeros((1, 3, 5), np.float32)})
    arrays.close()


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="RLIMIT_DATA is Linux's")
def test_more_results_than_memory(tmp_path):
    rng = np.random.default_rng(1)
    rows = [f"{a:.4f},{b:.4f},{a - b:.3f}\n" for a, b in rng.normal(size=(200_000, 2))]
    (tmp_path / "few.csv").write_text("a,b,t\n" + "".join(rows[:60]))
    (tmp_path / "many.csv").write_text("a,b,t\n" + "".join(rows))
    (tmp_path / "model.yaml").write_text(MODEL)
    environment = {**os.environ, "OPENBLAS_NUM_THREADS": "1"}

    def run(*arguments, limit=1 << 40):
        command = [sys.executable, "-c", LIMITED, str(limit), *arguments, "--threads", "1"]
        return subprocess.run(command, cwd=tmp_path, capture_output=True, timeout=300, env=environment)

    assert run("train", "model.yaml", "-q", "--no-report").returncode == 0
    options = ["predict", "runs/wide", "many.csv", "--layer", "wide"]
    warm = run(*options, "--format", "npz")  # compiles, which takes memory too
    assert warm.returncode == 0, warm.stderr
    done = run(*options, "-o", "out.npz", limit=LIMIT)
    assert done.returncode == 0, done.stderr
    made = np.load(tmp_path / "out.npz")["wide"]
    assert made.shape == (200_000, 300) and made.nbytes > 1.3 * LIMIT and (tmp_path / "out.npz").read_bytes() == warm.stdout
    assert [p.name for p in tmp_path.iterdir() if p.name.startswith(".")] == []
