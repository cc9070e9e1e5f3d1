"""Loop nests against numpy: strides, broadcasts, odd sizes, dtypes, memory used twice, shares."""

import numpy as np
import pytest
from native import NUMPY, Kernel, machines

from layerctl.kernels import loops
from layerctl.ops.kernel import Loop

rng = np.random.default_rng(3)
ADD = Loop((("f32", 1), ("f32", 1)), (("add", "f32", (0, 1)),), (2,))


@pytest.mark.parametrize("n", [0, 1, 3, 10, 15, 16, 17, 31, 32, 33, 100, 1000])
@pytest.mark.parametrize("tasks", [1, 3, 7])
def test_sizes_and_shares(n: int, tasks: int) -> None:
    a, b = rng.normal(size=(2, n + 1)).astype(np.float32)
    got = np.full(n + 40, 7, np.float32)
    Kernel(loops.emit(ADD, "kernel"))(n, a, b, got, tasks=tasks)
    np.testing.assert_array_equal(got[:n], (a + b)[:n])
    assert (got[n:] == 7).all()


@pytest.mark.parametrize("inner", [1, 3, 10, 16, 37])
@pytest.mark.parametrize("tasks", [1, 2, 9])
@pytest.mark.parametrize("machine", machines(), ids=str)
def test_broadcast(inner: int, tasks: int, machine: tuple[str, str]) -> None:
    x = rng.normal(size=(4, 3, inner)).astype(np.float32)
    column = rng.normal(size=(3, 1)).astype(np.float32)
    row = rng.normal(size=(4, 1, inner)).astype(np.float32)
    loop = Loop((("f32", 1), ("f32", 0), ("f32", 1)), (("mul", "f32", (0, 1)), ("sub", "f32", (3, 2))), (4, 3), 2)
    got, product = np.empty_like(x), np.empty_like(x)
    kernel = Kernel(loops.emit(loop, "kernel"), *machine)
    outputs = [got, 3 * inner, inner, product, 3 * inner, inner]
    kernel(4, 3, inner, x, 3 * inner, inner, column, 0, 1, row, inner, 0, *outputs, tasks=tasks)
    np.testing.assert_array_equal(product, x * column)
    np.testing.assert_array_equal(got, x * column - row)


@pytest.mark.parametrize("dims", [0, 1, 2, 3, 4, 5, 6])
def test_depth(dims: int) -> None:
    shape = (*(2, 3, 2, 3, 2, 2)[:dims], 5)
    x = np.asfortranarray(rng.normal(size=shape)).astype(np.float64, order="C")
    strides = [s // 8 for s in x.strides[:-1]]
    back = x[::-1] if dims else x
    got = np.empty_like(x)
    loop = Loop((("f64", 1), ("f64", 1)), (("add", "f64", (0, 1)),), (2,), dims)
    Kernel(loops.emit(loop, "kernel"))(
        *shape, x, *strides, back, *[-s if i == 0 else s for i, s in enumerate(strides)], got, *strides, tasks=2
    )
    np.testing.assert_array_equal(got, x + back)


@pytest.mark.parametrize("n", [1, 16, 53])
def test_in_place(n: int) -> None:
    x = rng.normal(size=n).astype(np.float32)
    y = x.copy()
    loop = Loop((("f32", 1),), (("square", "f32", (0,)), ("add", "f32", (1, ("const", "f32", 1.5)))), (2,))
    Kernel(loops.emit(loop, "kernel"))(n, y, y, tasks=2)
    np.testing.assert_array_equal(y, x * x + np.float32(1.5))


@pytest.mark.parametrize("machine", machines(), ids=str)
@pytest.mark.parametrize("source", list(NUMPY))
@pytest.mark.parametrize("to", list(NUMPY))
def test_cast(source: str, to: str, machine: tuple[str, str]) -> None:
    x = np.array([0, 1, -1, 2.9, -2.9, 100.5, -0.5, 70000, 3, -7] * 2).astype(NUMPY[source])
    got = np.empty(x.size, NUMPY[to])
    Kernel(loops.emit(Loop(((source, 1),), (("cast", to, (0,)),), (1,)), "kernel"), *machine)(x.size, x, got)
    np.testing.assert_array_equal(got, x.astype(NUMPY[to]))


def test_cast_beyond_the_range_is_the_nearest() -> None:
    x = np.array([1e20, -1e20, np.inf, np.nan], np.float32)
    got = np.empty(4, np.int32)
    Kernel(loops.emit(Loop((("f32", 1),), (("cast", "i32", (0,)),), (1,)), "kernel"))(4, x, got)
    assert got.tolist() == [2**31 - 1, -(2**31), 2**31 - 1, 0]


@pytest.mark.parametrize("dtype", list(NUMPY))
def test_where(dtype: str) -> None:
    condition = rng.integers(0, 2, 37).astype(np.bool_)
    a, b = rng.integers(0, 2, (2, 37)).astype(NUMPY[dtype])
    got = np.empty_like(a)
    loop = Loop((("bool", 1), (dtype, 1), (dtype, 1)), (("where", dtype, (0, 1, 2)),), (3,))
    Kernel(loops.emit(loop, "kernel"))(37, condition, a, b, got)
    np.testing.assert_array_equal(got, np.where(condition, a, b))


def test_bools_within_a_chain() -> None:
    x = rng.normal(size=45).astype(np.float32)
    got, flag = np.empty_like(x), np.empty(45, np.bool_)
    zero = ("const", "f32", 0.0)
    chain = (("gt", "bool", (0, zero)), ("not", "bool", (1,)), ("where", "f32", (2, zero, 0)))
    Kernel(loops.emit(Loop((("f32", 1),), chain, (3, 2)), "kernel"))(45, x, got, flag)
    np.testing.assert_array_equal(got, np.maximum(x, 0))
    np.testing.assert_array_equal(flag, ~(x > 0))


def test_fill() -> None:
    got = np.empty(19, np.float64)
    loop = Loop((), (("identity", "f64", (("const", "f64", float("-inf")),)),), (0,))
    Kernel(loops.emit(loop, "kernel"))(19, got)
    assert (got == -np.inf).all()
