"""Sums that join the pass that computes what they add up, and cheap values that are computed again where they are read."""

import numpy as np
import pytest
from machine import compiled, of_names, results

from layerctl.compile.differentiate import gradients
from layerctl.compile.trim import trim
from layerctl.ops.conv import conv
from layerctl.ops.elementwise import apply
from layerctl.ops.matmul import matmul
from layerctl.ops.pool import pool
from layerctl.ops.reduce import mean, reduce
from layerctl.ops.reshape import reshape

RNG = np.random.default_rng(5)


@pytest.mark.parametrize("shape", [(7, 3), (200, 1), (3, 5, 33), (64, 30, 16), (1000, 130)])
def test_sums_of_columns_join_their_pass(shape):
    x, g = (RNG.standard_normal(shape).astype(np.float32) for _ in range(2))
    scale, keep = RNG.standard_normal(shape[-1]).astype(np.float32), RNG.random(shape) > 0.3
    axes = tuple(range(len(shape) - 1))

    def function(x, g, scale, keep):
        masked = apply("where", keep, g, 0.0)
        return [masked, reduce("sum", masked, axes), reduce("sum", masked * x * scale, axes), reduce("sum", apply("square", masked), axes, dtype="f64")]

    program = compiled(function, x, g, scale, keep)
    assert of_names(program).count("fused_sums") == (1 if shape[-1] >= 8 or x.size <= 4096 else 0)
    masked = np.where(keep, g, 0)
    wanted = [masked, masked.sum(axes, np.float64), (masked * x * scale).sum(axes, np.float64), (masked.astype(np.float64) ** 2).sum(axes)]
    one, two = (results(program, (x, g, scale, keep), t) for t in (1, 2))
    for a, b, want in zip(one, two, wanted, strict=True):
        assert a.tobytes() == b.tobytes()
        np.testing.assert_allclose(a, want, rtol=1e-6, atol=1e-6 * np.abs(x).sum() ** 0.5)


def test_an_odd_number_of_rows_is_cut_by_the_shape_alone():
    x = RNG.standard_normal((4099, 19)).astype(np.float32)
    program = compiled(lambda x: [reduce("sum", apply("square", x), 0)], x)
    one, two = results(program, (x,), 1), results(program, (x,), 2)
    assert one[0].tobytes() == two[0].tobytes()
    np.testing.assert_allclose(one[0], (x.astype(np.float64) ** 2).sum(0), rtol=1e-6)


def test_a_sum_over_other_dimensions_stays_a_reduction():
    x = RNG.standard_normal((6, 40, 9)).astype(np.float32)
    program = compiled(lambda x: [reduce("sum", apply("square", x), 1)], x)
    assert "fused_sums" not in of_names(program)
    np.testing.assert_allclose(results(program, (x,), 1)[0], (x.astype(np.float64) ** 2).sum(1), rtol=1e-6)


def test_what_is_left_of_a_mean_is_not_stored():
    x, w = RNG.standard_normal((512, 64)).astype(np.float32), RNG.standard_normal((64, 64)).astype(np.float32)

    def function(x, w):
        y = matmul(x, w)
        centred = y - mean(y, 0)
        spread = reduce("sum", apply("square", centred), 0)
        return [centred * apply("rsqrt", spread + 1e-3)]

    program = compiled(function, x, w)
    stored = [v for n in program.nodes for v in n.outputs if v.shape == (512, 64) and n.op.name not in ("input", "parameter")]
    assert len(stored) == 2
    y = (x.astype(np.float64) @ w).astype(np.float64)
    centred = y - y.mean(0)
    np.testing.assert_allclose(results(program, (x, w), 2)[0], centred / np.sqrt((centred**2).sum(0) + 1e-3), rtol=2e-4, atol=2e-6)


def test_a_bias_is_added_wherever_it_is_read():
    x, bias = RNG.standard_normal((300, 24)).astype(np.float32), RNG.standard_normal(24).astype(np.float32)

    def function(x, bias):
        moved = x + bias
        return [apply("tanh", moved) * 2.0, apply("exp", moved), reduce("sum", moved, 0)]

    program = compiled(function, x, bias)
    got = results(program, (x, bias), 1)
    moved = x + bias
    for a, b in zip(got, [np.tanh(moved) * 2, np.exp(moved), moved.astype(np.float64).sum(0)], strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)


def pool_ends(n, size, stride, mode):
    """How far the windows of a pooling over n elements reach."""
    windows = (n - size) // stride + 1 if mode == "valid" else -(-n // stride)
    before = max(0, (windows - 1) * stride + size - n) // 2 if mode == "same" else 0
    return min(n, (windows - 1) * stride + size - before)


@pytest.mark.parametrize("mode", ["valid", "same"])
@pytest.mark.parametrize(("size", "strides"), [((2, 2), (2, 2)), ((3, 2), (2, 3)), ((1, 3), (1, 3))])
@pytest.mark.parametrize("padding", ["valid", "same"])
def test_convolutions_leave_out_what_no_window_of_pooling_reads(size, strides, mode, padding):
    x, w = RNG.standard_normal((3, 12, 13, 5)).astype(np.float32), RNG.standard_normal((3, 2, 5, 7)).astype(np.float32)

    def function(x, w, whole):
        y = conv(x, w, (1, 1), padding)
        out = apply("sin", pool(y, "max", size, strides, mode))
        if not whole:
            trim([out])
        dx, dw = gradients(reduce("sum", out, (0, 1, 2, 3)), [x, w])
        return [out, dx, dw, y] if whole else [out, dx, dw]

    trimmed, whole = (compiled(lambda x, w, own=own: function(x, w, own), x, w) for own in (False, True))
    (kept,) = [n for n in whole.nodes if n.op.name == "conv"]
    (smaller,) = [n for n in trimmed.nodes if n.op.name == "conv"]
    reached = [pool_ends(n, s, t, mode) for n, s, t in zip(kept.outputs[0].shape[1:3], size, strides, strict=True)]
    assert list(smaller.outputs[0].shape[1:3]) == reached
    one, two = results(trimmed, (x, w), 1), results(trimmed, (x, w), 2)
    assert [a.tobytes() for a in one] == [a.tobytes() for a in two]
    all_of_it = results(whole, (x, w), 1)
    assert one[0].tobytes() == all_of_it[0].tobytes()
    for gradient, untrimmed in zip(one[1:], all_of_it[1:3], strict=True):
        np.testing.assert_allclose(gradient, untrimmed, rtol=1e-5, atol=1e-5)


def finishing(kind, x, w, bias):
    """What the products and convolutions of a network end in, step by step."""
    if kind == "dense":
        steps = [matmul(reshape(x, (-1, x.shape[-1])), w[0, 0])]
    elif kind == "dense of sequences":
        steps = [matmul(x, w[0, 0])]
    else:
        steps = [conv(x, w, (1, 1))]
    if kind == "pooled":
        steps.append(pool(steps[-1], "max", (2, 3), (2, 3)))
    elif kind == "flattened":
        steps.append(reshape(steps[-1], (x.shape[0], -1, w.shape[-1])))
    steps.append(steps[-1] + bias)
    return [*steps, apply("relu", steps[-1])]


@pytest.mark.parametrize("kind", ["dense", "dense of sequences", "convolution", "pooled", "flattened"])
@pytest.mark.parametrize("filters", [3, 16, 70])
def test_products_and_convolutions_finish_their_results(kind, filters):
    x, w = RNG.standard_normal((5, 10, 11, 6)).astype(np.float32), RNG.standard_normal((3, 3, 6, filters)).astype(np.float32)
    bias = RNG.standard_normal(filters).astype(np.float32)
    x[1, 2, 3, 4] = np.nan
    together = compiled(lambda *v: finishing(kind, *v)[-1:], x, w, bias)
    assert of_names(together).count("finished") == 1 and not {"matmul", "conv", "pool", "fused", "elementwise"} & set(of_names(together))
    apart = compiled(lambda *v: finishing(kind, *v), x, w, bias)
    assert "finished" not in of_names(apart)
    one, two, steps = results(together, (x, w, bias), 1)[0], results(together, (x, w, bias), 2)[0], results(apart, (x, w, bias), 1)
    assert one.tobytes() == two.tobytes() == steps[-1].tobytes() and np.isnan(one).any()
    alone = results(compiled(lambda *v: finishing(kind, *v)[-2:-1], x, w, bias), (x, w, bias), 2)[0]
    assert alone.tobytes() == steps[-2].tobytes()


def test_what_others_read_or_add_in_another_way_is_not_finished():
    x, w, bias = (RNG.standard_normal(s).astype(np.float32) for s in ((9, 8), (8, 12), (9, 1)))
    rows = compiled(lambda x, w, bias: [matmul(x, w) + bias], x, w, bias)
    twice = compiled(lambda x, w: [(y := matmul(x, w)) + y], x, w)
    both = compiled(lambda x, w: [apply("relu", y := matmul(x, w)), apply("sin", y)], x, w)
    assert not any("finished" in of_names(p) for p in (rows, twice, both))
    np.testing.assert_allclose(results(rows, (x, w, bias), 1)[0], x @ w + bias, rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(results(twice, (x, w), 1)[0], 2 * (x @ w), rtol=1e-5, atol=1e-5)
