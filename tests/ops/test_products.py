"""The same bits however the work is shared out and however wide the vectors are; and results that are finished at once."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from products import digests

from layerctl.kernels.target import host
from layerctl.ops import matmul_kernels
from layerctl.ops.finish import BIAS, RELU
from layerctl.ops.matmul_kernels import multiply, pack


@pytest.fixture(scope="module")
def expected():
    return digests()


@pytest.mark.parametrize("tasks", [2, 3, 7])
def test_bits_do_not_depend_on_shares(expected, tasks):
    assert digests(tasks) == expected


@pytest.mark.parametrize("width", [w for w in ("lanes4", "lanes8") if host().triple.startswith("x86_64")])
def test_bits_do_not_depend_on_vectors(expected, width):
    script = Path(__file__).with_name("products.py")
    done = subprocess.run(
        [sys.executable, str(script)],
        env={**os.environ, "LAYERCTL_CPU": width},
        check=True,
        capture_output=True,
        text=True,
    )
    assert [line.split(" ", 1) for line in done.stdout.splitlines()] == [[d, name] for name, d in expected.items()]


@pytest.mark.parametrize("how", [1, 2, 3])
@pytest.mark.parametrize("own", [0, 1])
@pytest.mark.parametrize("copied", [False, True])
def test_a_product_finishes_its_result(own, how, copied, monkeypatch):
    monkeypatch.setattr(matmul_kernels, "DEEPEST", 3)
    rng = np.random.default_rng(3)
    batch, m, k, n, blocks = 2, 13, 5, 11, 3
    a, b = (rng.standard_normal(s).astype(np.float32) for s in ((batch, m, k), (batch, k, n)))
    a[0, 0, 0] = np.nan
    bias, packed, c = rng.standard_normal(n).astype(np.float32), np.zeros(batch * k * 64, np.float32), np.full(batch * m * n, np.nan, np.float32)
    room = (5 + matmul_kernels.PAD) * (3 + matmul_kernels.PAD) if copied else 0
    near = np.full(room, np.nan, np.float32)
    lines, steps = (np.ascontiguousarray(a.swapaxes(1, 2)), (1, m)) if copied else (a, (k, 1))
    if not own:
        pack.function(0, 1, b.ravel(), packed, batch, k, n, k * n, n, 1)
    multiply.function(0, 1, lines.ravel(), b.ravel(), packed, near, c, bias, how, batch, m, n, k, 1, blocks, 1, m * k, *steps, k * n, n, 1, 0, own, room)
    wanted = a @ b + (bias if how & BIAS else 0)
    wanted = np.where(wanted <= 0, 0, wanted) if how & RELU else wanted
    np.testing.assert_allclose(c.reshape(batch, m, n), wanted, rtol=1e-5, atol=1e-6)
    assert np.isnan(wanted[0, 0]).all()
