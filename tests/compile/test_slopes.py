"""Gradients through regions that are functions of one tensor: right, whatever reads their inside, and of one tensor kept."""

import numpy as np
import pytest
from machine import check_gradient, compiled, results

from layerctl.compile.differentiate import gradients
from layerctl.ops.elementwise import apply
from layerctl.ops.matmul import matmul
from layerctl.ops.reduce import reduce

RNG = np.random.default_rng(7)


def gelu(x):
    return x * 0.5 * (1.0 + apply("erf", x * 0.7071067811865476))


def silu(x):
    return x * apply("sigmoid", x)


def mish(x):
    return x * apply("tanh", apply("softplus", x))


def elu(x):
    return apply("where", x > 0.0, x, apply("expm1", apply("min", x, 0.0)) * 1.5)


def rounded(x):
    return apply("round", x * 3.0) * apply("sin", x)


GRAPHS = {
    "gelu": gelu, "silu": silu, "mish": mish, "elu": elu, "a step function inside": rounded,
    "one after the other": lambda x: gelu(silu(x)),
    "beside its source": lambda x: x + gelu(x) * apply("sin", apply("cos", x)),
    "its inside is read": lambda x: matmul(apply("exp", h := apply("sin", x) * 0.5) * h, h, transpose_b=True),
    "its end is read inside": lambda x: matmul(y := gelu(x), apply("sin", y) * y, transpose_b=True),
    "two ends": lambda x: matmul(silu(h := apply("tanh", x)), mish(h), transpose_b=True),
    "a residual": lambda x: (h := x * 2.0) + matmul(matmul(gelu(h), silu(h), transpose_b=True), h),
    "other shapes": lambda x: gelu(x) * reduce("sum", silu(x), 0) + silu(reduce("sum", x, 1, keepdims=True)),
    "numbers": lambda x: silu(reduce("sum", gelu(x))) * x,
}  # fmt: skip


@pytest.mark.parametrize("name", GRAPHS)
def test_finite_differences(name):
    check_gradient(GRAPHS[name], RNG.standard_normal((5, 4)))


def test_a_wanted_value_inside_a_region():
    def function(x):
        inner = apply("sin", x) * 2.0
        return gradients(reduce("sum", silu(inner)), [x, inner])

    x = RNG.standard_normal((5, 4))
    by_x, by_inner = results(compiled(function, x), (x,), 1)
    np.testing.assert_allclose(by_x, by_inner * 2 * np.cos(x), rtol=1e-12)


@pytest.mark.parametrize("function", [gelu, silu, mish, elu, lambda x: apply("exp", x), lambda x: apply("tanh", x)])
def test_one_tensor_is_kept_for_the_gradient(function):
    x, w = (RNG.standard_normal((64, 64)).astype(np.float32) for _ in range(2))
    program = compiled(lambda x, w: gradients(reduce("sum", apply("square", matmul(function(matmul(x, w)), w))), [w]), x, w)
    passes = [n for n in program.nodes if n.op.name in ("elementwise", "fused")]
    backward = [n for n in passes if "matmul" in [v.node.op.name for v in n.inputs]][-1]
    assert len(backward.inputs) == 2
