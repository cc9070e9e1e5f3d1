"""Reductions against numpy, in every dtype and kind of shape; the same bits on every machine and in any shares."""

import math

import numpy as np
import pytest
from native import NUMPY, Kernel, machines

from layerctl.kernels import reductions
from layerctl.ops.kernel import Reduction

NUMERIC = ["sum", "max", "min", "prod", "argmax", "argmin", "sumsq", "sumabs"]
SHAPES = [
    (1, 1, 1), (5, 10, 1), (7, 100, 1), (3, 16, 1), (2, 37, 1), (1, 5, 3), (3, 17, 16), (2, 9, 33), (4, 6, 100),
    (2, 3, 64),
]  # fmt: skip


def result_of(function: str, dtype: str) -> str:
    if function in ("argmax", "argmin"):
        return "i32"
    return "i64" if dtype == "i32" and function not in ("max", "min") else dtype


def truth(function: str, x: np.ndarray) -> np.ndarray:
    x = x.astype({"f": np.float64, "i": np.int64}.get(x.dtype.kind, x.dtype))
    if function == "sumsq":
        return np.sum(x * x, axis=1)
    return np.sum(np.abs(x), axis=1) if function == "sumabs" else getattr(np, function)(x, axis=1)


def run(kernel: Kernel, x: np.ndarray, dtype: str, tasks: int = 1) -> np.ndarray:
    y = np.zeros((x.shape[0], x.shape[2]), NUMPY[dtype])
    kernel(x, y, *x.shape, tasks=tasks)
    return y


@pytest.mark.parametrize("dtype", ["f32", "f64", "i32", "i64"])
@pytest.mark.parametrize("function", NUMERIC)
def test_values(function: str, dtype: str) -> None:
    out = result_of(function, dtype)
    kernel = Kernel(reductions.emit(Reduction(function, dtype, out), "kernel"))
    rng = np.random.default_rng(1)
    for shape in SHAPES:
        x = (rng.normal(size=shape) * 3).astype(NUMPY[dtype])
        got = run(kernel, x, out)
        with np.errstate(over="ignore"):
            np.testing.assert_allclose(got, truth(function, x), rtol=1e-6 if out == "f32" else 1e-13, atol=1e-6)


@pytest.mark.parametrize("function", ["any", "all", "max", "min", "sum", "argmax"])
def test_bools(function: str) -> None:
    out = {"sum": "i64", "argmax": "i32"}.get(function, "bool")
    kernel = Kernel(reductions.emit(Reduction(function, "bool", out), "kernel"))
    rng = np.random.default_rng(1)
    for shape in SHAPES:
        x = rng.random(shape) < (0.9 if function in ("all", "min") else 0.1)
        np.testing.assert_array_equal(run(kernel, x, out, tasks=2), truth(function, x))


@pytest.mark.parametrize("dtype", ["f32", "f64"])
@pytest.mark.parametrize("function", ["max", "min", "argmax", "argmin"])
@pytest.mark.parametrize("inner", [1, 5])
def test_nan_and_ties(function: str, dtype: str, inner: int) -> None:
    kernel = Kernel(reductions.emit(Reduction(function, dtype, result_of(function, dtype)), "kernel"))
    edge = -np.inf if function.endswith("max") else np.inf
    x = np.zeros((6, 40, inner), NUMPY[dtype])
    x[0, [3, 20]] = np.nan
    x[1, [19, 35, 36]] = -edge
    x[2] = edge
    x[3, 39] = np.nan
    x[4, 1:] = edge
    np.testing.assert_array_equal(run(kernel, x, result_of(function, dtype)), truth(function, x))


@pytest.mark.parametrize("function", [*NUMERIC])
def test_same_bits_in_any_shares_on_any_machine(function: str) -> None:
    text = reductions.emit(Reduction(function, "f32", result_of(function, "f32")), "kernel")
    rng = np.random.default_rng(2)
    for shape in [(9, 1000, 1), (3, 50, 130)]:
        x = rng.normal(size=shape).astype(np.float32)
        found = set()
        for machine in machines():
            kernel = Kernel(text, *machine)
            found |= {run(kernel, x, result_of(function, "f32"), tasks).tobytes() for tasks in (1, 2, 5, 40)}
        assert len(found) == 1


def test_sums_do_not_lose_what_float32_would() -> None:
    x = np.full((1, 1 << 20, 1), 0.1, np.float32)
    x[0, 0] = 1e6
    kernel = Kernel(reductions.emit(Reduction("sum", "f32", "f64"), "kernel"))
    want = math.fsum(x.ravel().tolist())
    assert abs(run(kernel, x, "f64")[0, 0] - want) < 1e-7 * want * 1e-3
    columns = Kernel(reductions.emit(Reduction("sum", "f32", "f32"), "kernel"))
    assert run(columns, x.reshape(1, -1, 2), "f32")[0, 1] == np.float32(math.fsum(x.ravel()[1::2].tolist()))
