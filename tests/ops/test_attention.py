"""The fused attention beside the composition it stands for, finite differences, its plain twin, and other numbers of threads."""

import numpy as np
import pytest
from machine import check_gradient, gradient_of, run
from op_examples import f32

from layerctl.compile.pipeline import compile_program
from layerctl.compile.program import Layout
from layerctl.ops import attention_kernels
from layerctl.ops.attention import attention, composition
from layerctl.ops.leaves import constant, input_
from layerctl.ops.value import ShapeError, Trace, Type, tracing
from layerctl.runtime.machine import Machine, State

SIZES = [(1, 1, 1, 1, 1, 1), (2, 5, 7, 3, 4, 6), (2, 49, 70, 2, 16, 16), (1, 130, 65, 2, 33, 20), (3, 48, 128, 4, 16, 80)]
"""batch, queries, keys, heads, size, width."""


def arrays(sizes, dtype, seed=0):
    rng = np.random.default_rng(seed)
    b, t, s, h, d, w = sizes
    shapes = [(b, t, h, d), (b, s, h, d), (b, s, h, w)]
    return [(rng.standard_normal(n) / np.sqrt(d if i == 0 else 1)).astype(dtype) for i, n in enumerate(shapes)]


def masks(sizes):
    rng = np.random.default_rng(1)
    b, t, s, h, *_ = sizes
    some = rng.random((b, t, s)) > 0.4
    some[0, 0] = False
    return [None, some, np.tril(np.ones((1, t, s), bool)), rng.random((b, h, t, s)) > 0.5]


def of(function, mask):
    return lambda q, k, v: function(q, k, v, None if mask is None else constant(mask, "bool"))


def composed(mask):
    def function(q, k, v):
        if mask is None:
            return composition(q, k, v)
        return composition(q, k, v, constant(mask if mask.ndim == 4 else mask[:, None], "bool"))

    return function


@pytest.mark.parametrize("sizes", SIZES)
@pytest.mark.parametrize("which", range(4))
def test_the_fused_op_is_its_composition(sizes, which):
    mask = masks(sizes)[which]
    for dtype, bound in ((np.float32, 3e-6), (np.float64, 1e-13)):
        given = arrays(sizes, dtype)
        for way in (run, gradient_of):
            for a, b in zip(way(of(attention, mask), *given), way(composed(mask), *given), strict=True):
                assert np.abs(a - b).max() <= bound * max(np.abs(b).max(), 1e-2), (dtype, way.__name__)


def test_gradients_beside_finite_differences():
    sizes = (2, 3, 4, 2, 3, 2)
    for mask in masks(sizes):
        check_gradient(of(attention, mask), *arrays(sizes, np.float64))


def test_the_bits_are_the_same_on_two_threads():
    given = arrays((3, 50, 40, 2, 16, 24), np.float32)
    trace = Trace()
    with tracing(trace):
        out = attention(*(input_(f"x{i}", Type(a.shape, "f32")) for i, a in enumerate(given)))
    program = compile_program(trace, {"y": out}, {}, Layout())
    found = []
    for threads in (1, 2):
        machine = Machine(threads)
        bound = machine.bind(program, State(program.layout), {})
        for i, a in enumerate(given):
            bound.input(f"x{i}")[...] = a
        machine.run(bound)
        found.append(bound.output("y").tobytes())
        machine.close()
    assert found[0] == found[1]


def test_the_kernel_is_its_plain_twin():
    b, t, s, h, d, w = sizes = (1, 3, 5, 2, 2, 3)
    q, k, v = arrays(sizes, np.float32)
    mask = np.ascontiguousarray(masks(sizes)[1].astype(np.uint8))
    o, stats, room = np.zeros(b * t * h * w, np.float32), np.zeros(b * h * t * 2, np.float32), np.zeros(4096, np.float32)
    attention_kernels.forward(
        0, 1, q.ravel(), k.ravel(), v.ravel(), mask.ravel(), o, stats, room, 4096, b, t, s, h, d, w, 1, t * s, 0, s
    )  # fmt: skip
    native = run(of(attention, mask.astype(bool)), q, k, v)[0]
    np.testing.assert_allclose(o.reshape(native.shape), native, rtol=2e-6, atol=1e-6)


def test_operands_that_do_not_fit_are_refused():
    q, k, v = (np.zeros(s, np.float32) for s in ((1, 3, 2, 4), (1, 3, 2, 5), (1, 3, 2, 5)))
    with pytest.raises(ShapeError, match="do not fit one another"):
        run(attention, q, k, v)
    with pytest.raises(ShapeError, match="a mask of shape"):
        run(of(attention, np.zeros((2, 3, 3), bool)), q, q, q)


EXAMPLES = {
    "attention": (attention, f32(1, 5, 2, 8), f32(1, 7, 2, 8), f32(1, 7, 2, 3)),
    "attention, masked": (lambda q, k, v, m: attention(q, k, v, m > 0.0), f32(2, 5, 2, 8), f32(2, 5, 2, 8), f32(2, 5, 2, 8), f32(2, 1, 5, 5)),
}
