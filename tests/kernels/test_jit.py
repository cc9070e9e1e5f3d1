"""Kernels through the compiler against their plain Python twins; what the compiler refuses; what its code does not contain."""

# ruff: noqa: F722, F821

import re
import subprocess
import sys

import examples
import numpy as np
import pytest
from examples import REFS

from layerctl.kernels import jit, primitives
from layerctl.ops import primitives as twins
from layerctl.ops.kernel import kernel


@pytest.fixture(scope="module")
def computed():
    return examples.results()


def test_kernels_compute_what_their_plain_twins_do(computed):
    x = np.linspace(-5, 5, 1003)
    for dtype, name, tolerance in ((np.float32, "curve_f32", 2e-6), (np.float64, "curve_f64", 1e-14)):
        y = np.zeros(1003, dtype)
        for task in range(2):
            examples.curve(task, 2, x.astype(dtype), y, 1003, dtype(0.3))
        np.testing.assert_allclose(computed[name], y, rtol=tolerance, atol=tolerance)
    total = np.zeros(2, np.int64)
    examples.counted(0, 1, np.arange(10, dtype=np.int32), (np.arange(10) % 2).astype(np.uint8), total, 9, 10)
    assert list(computed["counted"]) == list(total)


def test_a_null_pointer_is_seen():
    from layerctl.kernels.store import addresses

    ref, total = REFS["counted"], np.zeros(2, np.int64)
    examples.call(addresses([ref])[ref.key], ref.layout, np.arange(10, dtype=np.int32), 0, total, 9, 10)
    assert total[0] == 45


def test_every_primitive_has_its_machine_version():
    declared = {n for n, f in vars(twins).items() if callable(f) and getattr(f, "__module__", "") == twins.__name__}
    assert declared <= set(primitives.PRIMITIVES)


@kernel
def mixed(task: int, tasks: int, a: "f32", b: "f64", out: "f64*"):
    """fma of both dtypes keeps the wider one; finiteness of each."""
    out[0] = twins_fma(a, b, b)
    out[1] = 1.0 if finite(a) and finite(b) else 0.0


twins_fma, finite = twins.fma, twins.isfinite


@pytest.mark.parametrize("b", [0.1, np.inf, np.nan])
def test_primitives_take_either_float(b):
    from layerctl.kernels.store import addresses

    ref, out = mixed.at(), np.zeros(2)
    examples.call(addresses([ref])[ref.key], ref.layout, 3.0, b, out)
    np.testing.assert_allclose(out, [4 * b, float(np.isfinite(b))], rtol=1e-15)


def test_code_has_one_entry_and_nothing_from_outside():
    text = str(jit.module(REFS["curve_f32"], "entry"))
    assert re.findall(r"^define [^@]*@(\w+)\(", text, re.MULTILINE) == ["entry"]
    assert all(n.startswith("llvm.") for n in re.findall(r"^declare [^@]*@([\w.]+)", text, re.MULTILINE))


def test_loops_are_vectorised_without_gathers():
    text = str(jit.module(REFS["curve_f32"], "entry"))
    assert "masked.gather" not in text
    assert re.search(r"load <\d+ x float>", text)


def test_a_kernel_that_raises_is_refused_by_name():
    with pytest.raises(TypeError, match=r"examples\.raises"):
        jit.module(examples.raises.at(), "entry")


@kernel
def untypable(task: int, tasks: int, x: "f32*"):
    """No kernel: Numba has no type for what it does."""
    x[0] = str(x)


def test_a_kernel_that_does_not_compile_is_refused_by_name():
    with pytest.raises(TypeError, match=r"test_jit\.untypable"):
        jit.module(untypable.at(), "entry")


def test_a_users_own_numba_is_left_alone():
    import numba

    jit.module(REFS["curve_f64"], "entry")
    assert numba.njit(lambda x: max(x, 2.0) ** 2)(3.0) == 9.0


BOUNDED = """
import resource, sys
if sys.argv[1] == "bounded":
    resource.setrlimit(resource.RLIMIT_AS, (8 << 30, 8 << 30))
from layerctl.kernels import jit
with jit._front_end():
    import numba.np.arraymath
print("scipy.linalg.cython_blas" in sys.modules, sys.modules.get("scipy.linalg", 0) is None)
"""


@pytest.mark.parametrize(("bounds", "told"), [("bounded", "False False"), ("none", "True False")])
def test_where_memory_is_bounded_scipy_is_not_loaded(bounds, told):
    """Its OpenBLAS asks for memory again and again, for ever. A program of one's own that needs it later finds it."""
    done = subprocess.run([sys.executable, "-c", BOUNDED, bounds], capture_output=True, text=True, timeout=120)
    assert done.stdout.strip() == told, done.stderr
