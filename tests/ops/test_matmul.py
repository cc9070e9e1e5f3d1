"""The matrix product against numpy in float64, for every shape of operand, and its gradient."""

import numpy as np
import pytest
from machine import check_gradient, compiled, of_names, results, run
from op_examples import f32

from layerctl.ops.elementwise import apply
from layerctl.ops.matmul import matmul
from layerctl.ops.value import ShapeError

RNG = np.random.default_rng(7)


def close(got, a, b):
    truth = a.astype(np.float64) @ b.astype(np.float64)
    bound = np.abs(a.astype(np.float64)) @ np.abs(b.astype(np.float64))
    assert got.shape == truth.shape
    assert (np.abs(got - truth) <= 3e-6 * np.maximum(bound, 1e-3)).all()


@pytest.mark.parametrize("shape", [
    (1, 1, 1), (1, 7, 65), (2, 300, 33), (3, 5, 64), (6, 64, 64), (7, 13, 10), (48, 256, 64), (50, 257, 129), (100, 4097, 17), (5, 9000, 70),
    (128, 784, 96), (70, 2100, 130), (257, 700, 800), (24, 1500, 400), (600, 300, 2000), (2, 40, 90),
])  # fmt: skip
def test_products_of_matrices(shape):
    m, k, n = shape
    a, b = RNG.standard_normal((m, k)).astype(np.float32), RNG.standard_normal((k, n)).astype(np.float32)
    close(run(matmul, a, b)[0], a, b)
    close(run(lambda x, y: matmul(x, y, True, False), np.ascontiguousarray(a.T), b)[0], a, b)
    close(run(lambda x, y: matmul(x, y, False, True), a, np.ascontiguousarray(b.T))[0], a, b)
    close(run(matmul, a.astype(np.float64), b.astype(np.float64))[0], a, b)


@pytest.mark.parametrize("m", [1, 3, 50])
def test_a_bias_and_relu_are_done_by_the_product(m):
    a, b, c = (RNG.standard_normal(s).astype(np.float32) for s in ((m, 30), (30, 70), (70,)))
    program = compiled(lambda a, b, c: [apply("relu", matmul(a, b) + c)], a, b, c)
    assert of_names(program).count("finished") == 1 and "fused" not in of_names(program)
    np.testing.assert_allclose(results(program, (a, b, c), 2)[0], np.maximum(a @ b + c, 0), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("shapes", [((4,), (4, 3)), ((2, 4), (4,)), ((4,), (4,)), ((2, 5, 3, 4), (4, 6)), ((5, 3, 4), (5, 4, 2)), ((2, 1, 3, 4), (5, 4, 2)),
                                    ((3, 4), (5, 4, 2)), ((6, 50, 20), (6, 20, 70))])  # fmt: skip
def test_vectors_and_batches(shapes):
    a, b = (RNG.standard_normal(s).astype(np.float32) for s in shapes)
    truth = np.matmul(a.astype(np.float64), b.astype(np.float64))
    np.testing.assert_allclose(run(matmul, a, b)[0], truth, rtol=1e-4, atol=1e-5)
    check_gradient(matmul, a.astype(np.float64), b.astype(np.float64))


def test_sizes_that_do_not_fit_are_named():
    with pytest.raises(ShapeError, match=r"cannot multiply \(2, 3\) by \(4, 5\): 3 and 4 differ"):
        run(matmul, np.zeros((2, 3), np.float32), np.zeros((4, 5), np.float32))


@pytest.mark.parametrize("rows", [1, 2])
def test_a_sum_of_two_products(rows):
    a, b, c = (RNG.standard_normal(s) for s in ((rows, 5), (5, 9), (5, 9)))
    np.testing.assert_allclose(run(lambda a, b, c: matmul(a, b) + matmul(a, c), a, b, c)[0], a @ b + a @ c, rtol=1e-12)
    check_gradient(lambda a: matmul(a, a), RNG.standard_normal((rows, rows)))


EXAMPLES = {
    "matmul": (matmul, f32(3, 7), f32(7, 5)),
    "matmul transposed": (lambda a, b: matmul(a, b, transpose_a=True, transpose_b=True), f32(2, 7, 9), f32(2, 5, 7)),
    "matmul of a batch with one": (matmul, f32(3, 4, 6), f32(1, 6, 5)),
}
