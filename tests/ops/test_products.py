"""The same bits however the work is shared out and however wide the vectors are; epilogues see every row once, finished."""

import os
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from products import digests

from layerctl.kernels.target import host
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


@pytest.mark.parametrize("own", [0, 1])
def test_an_epilogue_is_called_on_every_finished_block_of_rows(own):
    rng = np.random.default_rng(3)
    batch, m, k, n, blocks = 2, 13, 5, 11, 3
    a, b = (rng.standard_normal(s).astype(np.float32) for s in ((batch, m, k), (batch, k, n)))
    packed, c = np.zeros(batch * k * 64, np.float32), np.full(batch * m * n, np.nan, np.float32)
    if not own:
        pack.function(0, 1, b.ravel(), packed, batch, k, n, k * n, n, 1)
    seen = []

    def epilogue(task, tasks, block):
        low, high = batch * m * task // tasks * n, batch * m * (task + 1) // tasks * n
        assert np.isfinite(c[:high]).all() and block == 99
        seen.append((low, high))

    multiply.function(0, 1, a.ravel(), b.ravel(), packed, c, epilogue, 99, batch, m, n, k, 1, blocks, 1, m * k, k, 1, k * n, n, 1, 0, 3, own)
    np.testing.assert_allclose(c.reshape(batch, m, n), a @ b, rtol=1e-5, atol=1e-6)
    assert seen[0][0] == 0 and seen[-1][1] == len(c) and all(x[1] == y[0] for x, y in pairwise(seen))
