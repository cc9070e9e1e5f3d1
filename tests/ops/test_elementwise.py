"""Elementwise functions, reductions and softmax: broadcasting, dtypes, gradients."""

import numpy as np
import pytest
from machine import check_gradient, run
from op_examples import f32

from layerctl.ops.elementwise import GRADIENTS, STEPS, apply, broadcast_to, cast
from layerctl.ops.functions import FUNCTIONS
from layerctl.ops.reduce import mean, reduce, variance
from layerctl.ops.softmax import softmax
from layerctl.ops.value import ShapeError

RNG = np.random.default_rng(5)
DOMAIN = {
    "log": (0.2, 3), "sqrt": (0.2, 3), "rsqrt": (0.2, 3), "reciprocal": (0.3, 2), "log1p": (-0.5, 3), "asin": (-0.8, 0.8), "acos": (-0.8, 0.8),
    "atanh": (-0.8, 0.8), "acosh": (1.2, 3), "erf_inv": (-0.8, 0.8), "pow": (0.3, 2), "tan": (-1, 1),
}  # fmt: skip


@pytest.mark.parametrize("name", sorted(set(GRADIENTS) - {"cast", "where"}))
def test_gradient_of_each_function(name):
    low, high = DOMAIN.get(name, (-2.0, 2.0))
    args = [RNG.uniform(low, high, (3, 4)) for _ in range(FUNCTIONS[name].arity)]
    check_gradient(lambda *v: apply(name, *v), *args)


@pytest.mark.parametrize("name", ["add", "mul", "div", "max", "pow"])
def test_gradient_of_a_broadcast_is_a_sum(name):
    check_gradient(lambda a, b: apply(name, a, b), RNG.uniform(0.5, 2, (2, 3, 4)), RNG.uniform(0.5, 2, (3, 1)))


def test_steps_have_no_gradient():
    assert set(STEPS) | set(GRADIENTS) | {n for n, f in FUNCTIONS.items() if f.result == "bool"} == set(FUNCTIONS)


def test_dtypes_follow_keras():
    i, f, b = np.arange(3, dtype=np.int32), np.ones(3, np.float32), np.array([True, False, True])
    assert [str(a.dtype) for a in run(lambda i, f, b: [i + f, i + 1, i / 2, f > 0, b + b, cast(f, "i32")], i, f, b)] == [
        "float32", "int32", "float32", "bool", "int32", "int32",
    ]  # fmt: skip


@pytest.mark.parametrize(
    "shapes", [((4, 1, 3), (5, 1)), ((1,), (2, 3)), ((2, 1, 1, 3), (1, 4, 5, 1)), ((), (3,)), ((7, 1), (7, 1))]
)
def test_broadcasting(shapes):
    a, b = (RNG.standard_normal(s).astype(np.float32) for s in shapes)
    np.testing.assert_allclose(run(lambda a, b: a * b + a, a, b)[0], a * b + a, rtol=1e-6, atol=1e-6)
    np.testing.assert_array_equal(
        run(lambda a: broadcast_to(a, (2, *a.shape)), a)[0], np.broadcast_to(a, (2, *a.shape))
    )


@pytest.mark.parametrize("axis", [None, 0, 1, -1, (0, 2), (0, 1), (1, 2), (0, 3), (0, 1, 2, 3)])
def test_reductions_over_any_axes(axis):
    x = RNG.standard_normal((3, 4, 5, 6)).astype(np.float32)
    for name, twin in (("sum", np.sum), ("max", np.max), ("min", np.min), ("prod", np.prod)):
        for keep in (True, False):
            got = run(lambda v, n=name, k=keep: reduce(n, v, axis, k), x)[0]
            np.testing.assert_allclose(got, twin(x.astype(np.float64), axis=axis, keepdims=keep), rtol=2e-6, atol=1e-6)
    np.testing.assert_allclose(run(lambda v: [mean(v, axis), variance(v, axis)], x)[1], x.var(axis=axis), rtol=1e-5)


def test_long_sums_are_split_and_exact():
    x = RNG.standard_normal((70000, 3)).astype(np.float32)
    np.testing.assert_allclose(run(lambda v: reduce("sum", v, 0), x)[0], x.astype(np.float64).sum(0), rtol=1e-6)
    np.testing.assert_allclose(run(lambda v: reduce("sum", v), x)[0], x.astype(np.float64).sum(), rtol=1e-6)


def test_places_of_extremes_and_truth():
    x = RNG.integers(0, 5, (4, 6)).astype(np.float32)
    np.testing.assert_array_equal(run(lambda v: reduce("argmax", v, -1), x)[0], x.argmax(-1))
    np.testing.assert_array_equal(run(lambda v: reduce("argmin", v, 0), x)[0], x.argmin(0))
    np.testing.assert_array_equal(run(lambda v: reduce("any", v > 3, 1), x)[0], (x > 3).any(1))


def test_gradients_of_reductions_and_softmax():
    x = RNG.uniform(0.5, 2, (3, 4, 5))
    for name in ("sum", "prod", "max", "min", "sumsq", "sumabs"):
        check_gradient(lambda v, n=name: reduce(n, v, (0, 2)), x)
    check_gradient(lambda v: variance(v, 1), x)
    for axis in (-1, 0, 1, (1, 2)):
        check_gradient(lambda v, a=axis: softmax(v, a), x)
    check_gradient(lambda v: softmax(v, -1, logarithm=True), x)
    zero = x.copy()
    zero[0, 1, 2] = 0
    check_gradient(lambda v: reduce("prod", v, 1), zero)


def test_shapes_that_do_not_fit_are_named():
    with pytest.raises(ShapeError, match=r"add cannot combine the shapes \(2, 3\) and \(4,\)"):
        run(lambda a, b: a + b, np.zeros((2, 3), np.float32), np.zeros(4, np.float32))


EXAMPLES = {
    "sums": (lambda x: [reduce(n, x, a) for n in ("sum", "prod", "sumsq", "sumabs") for a in (0, 1, 2, (0, 2))], f32(3, 4, 5)),
    "extremes": (lambda x: [reduce(n, x, 1) for n in ("max", "min", "argmax", "argmin")], f32(3, 4, 5)),
    "any": (lambda x: [reduce(n, x > 0.5, a) for n in ("any", "all") for a in (0, -1)], f32(5, 8)),
    "counts": (lambda x: reduce("sum", x > 0.0, -1), f32(5, 8)),
    "broadcast": (lambda x: broadcast_to(x, (4, 3, 5)), f32(3, 1)),
    "softmax": (lambda x: [softmax(x), softmax(x, 1, logarithm=True)], f32(2, 3, 4) * 5),
}
