"""Sorting, places, running sums and Einstein's products beside numpy, and their gradients beside finite differences."""

import numpy as np
import pytest
from machine import check_gradient, run
from op_examples import f32, ids

from layerctl.ops.cumulative import cumulative
from layerctl.ops.einsum import einsum
from layerctl.ops.order import argsort, sort, take_along_axis, top_k
from layerctl.ops.value import ShapeError

RNG = np.random.default_rng(3)


@pytest.mark.parametrize("shape", [(1,), (7,), (3, 5), (2, 33, 4)])
@pytest.mark.parametrize("axis", [0, -1])
def test_sort(shape, axis):
    x = RNG.integers(0, 9, shape).astype(np.float32)
    np.testing.assert_array_equal(run(lambda v: sort(v, axis), x)[0], np.sort(x, axis))
    np.testing.assert_array_equal(run(lambda v: argsort(v, axis), x)[0], np.argsort(x, axis, kind="stable"))
    down = run(lambda v: argsort(v, axis, descending=True), x)[0]
    np.testing.assert_array_equal(down, np.argsort(-x, axis, kind="stable"))


def test_nan_is_the_largest():
    x = np.array([2, np.nan, 1, np.inf, np.nan], np.float32)
    np.testing.assert_array_equal(run(lambda v: argsort(v), x)[0], [2, 0, 3, 1, 4])
    np.testing.assert_array_equal(run(lambda v: argsort(v, descending=True), x)[0], [1, 4, 3, 0, 2])


def test_top_k():
    x = RNG.standard_normal((4, 10)).astype(np.float32)
    values, places = run(lambda v: top_k(v, 3), x)
    np.testing.assert_array_equal(places, np.argsort(-x, -1)[:, :3])
    np.testing.assert_array_equal(values, np.take_along_axis(x, places, -1))
    with pytest.raises(ShapeError, match="k must be from 1 to 10"):
        run(lambda v: top_k(v, 11), x)


def test_gradients():
    x = RNG.standard_normal((3, 6))
    check_gradient(lambda v: sort(v, 0), x)
    check_gradient(lambda v: top_k(v, 2)[0], x)
    ids = RNG.integers(-6, 6, (3, 4)).astype(np.int32)
    check_gradient(lambda v, i: take_along_axis(v, i, 1), x, ids)
    check_gradient(lambda v: cumulative("sum", v, 0), x)
    check_gradient(lambda v: cumulative("sum", v, 1, reverse=True), x)
    x[1, 2] = x[2, 1] = x[2, 4] = 0
    check_gradient(lambda v: cumulative("prod", v), x)


def test_running():
    x = RNG.standard_normal((3, 6)).astype(np.float32)
    np.testing.assert_allclose(run(lambda v: cumulative("sum", v, 0), x)[0], np.cumsum(x, 0), rtol=1e-6)
    np.testing.assert_allclose(run(lambda v: cumulative("prod", v), x)[0], np.cumprod(x, -1), rtol=1e-6)
    np.testing.assert_array_equal(run(lambda v: cumulative("sum", v > 0), x)[0], np.cumsum(x > 0, -1))


@pytest.mark.parametrize(("equation", "shapes"), [
    ("ab,bc->ac", [(3, 4), (4, 5)]), ("ab,bc", [(3, 4), (4, 5)]), ("abc,cd->abd", [(2, 3, 4), (4, 5)]), ("bij,bjk->bik", [(2, 3, 4), (2, 4, 5)]),
    ("bqhd,bkhd->bhqk", [(2, 3, 4, 5), (2, 6, 4, 5)]), ("bhqk,bkhd->bqhd", [(2, 4, 3, 6), (2, 6, 4, 5)]), ("...a,ab->...b", [(2, 3, 4), (4, 5)]),
    ("ij->ji", [(3, 4)]), ("ij->", [(3, 4)]), ("ii->i", [(4, 4)]), ("ii", [(4, 4)]), ("i,j->ij", [(3,), (4,)]), ("i,i->", [(5,), (5,)]),
    ("abc,abc->ab", [(2, 3, 4), (2, 3, 4)]), ("ab,bc,cd->ad", [(2, 3), (3, 4), (4, 5)]), ("abc,ade,dc->be", [(2, 3, 4), (2, 5, 3), (5, 4)]),
    ("...ij,...jk->...ik", [(2, 1, 3, 4), (6, 4, 5)]), ("ba,cb->ac", [(4, 3), (5, 4)]), ("a,b->", [(3,), (4,)]), ("aij,j->ai", [(2, 3, 4), (4,)]),
])  # fmt: skip
def test_einsum(equation, shapes):
    arrays = [RNG.standard_normal(s) for s in shapes]
    np.testing.assert_allclose(run(lambda *v: einsum(equation, *v), *arrays)[0], np.einsum(equation, *arrays), rtol=1e-12, atol=1e-12)
    check_gradient(lambda *v: einsum(equation, *v), *arrays)


@pytest.mark.parametrize(("equation", "shapes", "text"), [
    ("ab,bc->ad", [(3, 4), (4, 5)], "result's 'd' must be a letter"), ("ab,bc->ac", [(3, 4), (5, 5)], "'b' of .* is 4 in one operand and 5"),
    ("ab->a", [(3, 4), (4, 5)], "has 1 operands, got 2"), ("abc,bc->a", [(3, 4), (4, 5)], "does not fit an operand"), ("a1->a", [(3, 4)], "letters"),
])  # fmt: skip
def test_mistakes(equation, shapes, text):
    with pytest.raises(ShapeError, match=text):
        run(lambda *v: einsum(equation, *v), *[np.ones(s) for s in shapes])


EXAMPLES = {
    "sort": (lambda x: [sort(x), *top_k(x, 3)], np.where(RNG.random((4, 9)) < 0.2, 0.5, f32(4, 9)).astype(np.float32)),
    "along": (lambda x, i: take_along_axis(x, i), f32(3, 6), ids(6, 3, 2)),
    "cumulative": (lambda x: [cumulative("sum", x), cumulative("sum", x, 0, reverse=True), cumulative("prod", x)], f32(3, 7)),
}
