"""Convolutions against a loop over the definition; gradients against finite differences."""

import itertools

import numpy as np
import pytest
from machine import check_gradient, run
from op_examples import f32

from layerctl.ops.conv import conv, conv_transpose, padding, window_of
from layerctl.ops.conv_plans import finishes, plan_conv, pools
from layerctl.ops.finish import Finish
from layerctl.ops.kernel import Scratch

RNG = np.random.default_rng(11)


def naive(x, w, strides, dilation, pads, groups):
    x = np.pad(x.astype(np.float64), [(0, 0), *pads, (0, 0)])
    kernel, inside, filters = w.shape[:-2], w.shape[-2], w.shape[-1]
    out = [(n - (k - 1) * d - 1) // s + 1 for n, k, s, d in zip(x.shape[1:-1], kernel, strides, dilation, strict=True)]
    y = np.zeros((len(x), *out, filters))
    each = filters // groups
    for at in itertools.product(*map(range, out)):
        for tap in itertools.product(*map(range, kernel)):
            place = tuple(a * s + t * d for a, s, t, d in zip(at, strides, tap, dilation, strict=True))
            pixel = x[(slice(None), *place)]
            for g in range(groups):
                cut = slice(g * each, (g + 1) * each)
                y[(slice(None), *at, cut)] += pixel[:, g * inside : (g + 1) * inside] @ w[tap][:, cut].astype(
                    np.float64
                )
    return y


CASES = [
    ((2, 8, 8, 1), (3, 3, 1, 5), (1, 1), "same", (1, 1), 1),
    ((3, 9, 7, 4), (3, 2, 4, 6), (2, 1), "valid", (1, 1), 1),
    ((1, 10, 11, 3), (3, 3, 3, 70), (2, 2), "same", (1, 1), 1),
    ((2, 12, 12, 8), (3, 3, 8, 16), (1, 1), "same", (2, 2), 1),
    ((2, 7, 7, 6), (3, 3, 2, 9), (1, 1), "same", (1, 1), 3),
    ((9, 6, 6, 4), (1, 1, 4, 3), (2, 2), "valid", (1, 1), 1),
    ((2, 20, 3), (5, 3, 4), (2,), "causal", (1,), 1),
    ((2, 17, 6), (3, 6, 10), (1,), "causal", (3,), 1),
    ((1, 5, 6, 7, 2), (2, 3, 3, 2, 4), (1, 2, 1), "same", (1, 1, 1), 1),
    ((2, 6, 6, 32), (5, 5, 32, 33), (3, 3), "same", (1, 1), 1),
    ((2, 7, 8, 5), (3, 3, 1, 5), (1, 1), "same", (1, 1), 5),
    ((2, 9, 8, 17), (3, 2, 1, 17), (2, 2), "same", (1, 1), 17),
    ((2, 9, 9, 3), (3, 3, 1, 6), (1, 1), "valid", (2, 2), 3),
    ((2, 8, 7, 20), (1, 1, 20, 9), (1, 1), "valid", (1, 1), 1),
    ((2, 11, 9, 3), (2, 1, 3, 4), (3, 2), "valid", (1, 1), 1),
    ((2, 11, 12, 4), (3, 3, 4, 5), (2, 3), "valid", (2, 1), 1),
    ((3, 300, 2), (3, 2, 4), (1,), "same", (1,), 1),
    ((2, 271, 3), (5, 3, 16), (1,), "same", (1,), 1),
    ((2, 9, 10, 20), (3, 3, 20, 40), (2, 2), "same", (1, 1), 1),
    ((1, 40, 8, 64), (3, 3, 64, 64), (1, 1), "same", (1, 1), 1),
    ((1, 6, 7, 6, 16), (3, 3, 3, 16, 32), (1, 1, 1), "same", (1, 1, 1), 1),
    ((1, 5, 7, 3, 33), (2, 3, 3, 33, 5), (2, 1, 2), "same", (1, 1, 1), 1),
    ((2, 5, 4, 2), (3, 3, 2, 3), (1, 1), "same", (4, 1), 1),
    ((3, 7, 6, 8, 1), (3, 3, 3, 1, 16), (1, 1, 1), "valid", (1, 1, 1), 1),
    ((3, 9, 10, 1), (5, 5, 1, 20), (1, 1), "same", (1, 1), 1),
    ((3, 12, 11, 1), (3, 3, 1, 50), (2, 2), "valid", (2, 1), 1),
    ((2, 9, 9, 3), (4, 3, 3, 16), (1, 1), "same", (1, 1), 1),
    ((3, 140, 1), (7, 1, 70), (1,), "valid", (1,), 1),
]


@pytest.mark.parametrize("case", CASES)
def test_convolution_follows_its_definition(case):
    x_shape, w_shape, strides, mode, dilation, groups = case
    x, w = (RNG.standard_normal(s).astype(np.float32) for s in (x_shape, w_shape))
    pads = padding(mode, x_shape[1:-1], w_shape[:-2], strides, dilation)
    truth = naive(x, w, strides, dilation, pads, groups)
    got = run(lambda a, b: conv(a, b, strides, mode, dilation, groups), x, w)[0]
    np.testing.assert_allclose(got, truth, rtol=1e-5, atol=1e-5 * np.abs(truth).max())


@pytest.mark.parametrize("case", CASES)
def test_gradients_of_input_and_weights(case):
    x_shape, w_shape, strides, mode, dilation, groups = case
    x, w = RNG.standard_normal(x_shape), RNG.standard_normal(w_shape)
    check_gradient(lambda a, b: conv(a, b, strides, mode, dilation, groups), x, w, step=1e-5)


FINISHES = [{"bias": True}, {"relu": True}, {"bias": True, "relu": True}, {"pool": (2, 2)}, {"pool": (1, 3), "bias": True, "relu": True}]


@pytest.mark.parametrize("finish", FINISHES)
@pytest.mark.parametrize(("w_shape", "groups"), [((3, 3, 2, 5), 1), ((2, 3, 4, 6), 1), ((3, 3, 2, 6), 2), ((1, 1, 4, 6), 1)])
def test_plain_kernels_finish_their_results(finish, w_shape, groups):
    channels, filters = w_shape[2] * groups, w_shape[3]
    x, w = (RNG.standard_normal(s).astype(np.float32) for s in ((2, 8 + w_shape[0] - 1, 6 + w_shape[1] - 1, channels), w_shape))
    bias = RNG.standard_normal(filters).astype(np.float32) if "bias" in finish else None
    window = window_of(x.shape, w_shape[:2], (1, 1), (1, 1), ((0, 0), (0, 0)))
    h, width = finish.get("pool", (1, 1))
    if "pool" in finish and not pools(groups, channels, 2, window):
        assert window.pointwise
        return
    assert finishes(groups, channels, 2, window)
    y = np.full(2 * (8 // h) * (6 // width) * filters, np.nan, np.float32)
    plain(plan_conv("f32", 2, channels, filters, groups, window, x.ravel(), w.ravel(), y, Finish((h, width), bias, finish.get("relu", False))))
    truth = naive(x, w, (1, 1), (1, 1), ((0, 0), (0, 0)), groups).reshape(2, 8 // h, h, 6 // width, width, filters).max((2, 4))
    truth = truth + (0 if bias is None else bias)
    truth = np.maximum(truth, 0) if finish.get("relu") else truth
    np.testing.assert_allclose(y.reshape(truth.shape), truth, rtol=1e-5, atol=1e-5)


def plain(calls):
    """Runs calls of plain kernels over arrays, each in two shares."""
    rooms = {}

    def memory(kind, argument):
        if not isinstance(argument, Scratch):
            return argument
        of = np.dtype({"i64*": np.int64, "f32*": np.float32}[kind])
        return rooms.setdefault(id(argument), np.zeros(argument.size // of.itemsize + 1, of))

    for call in calls:
        args = [memory(kind, a) for kind, a in zip(call.ref.layout, call.args, strict=True)]
        for task in range(2):
            call.ref.kernel.function(task, 2, *args)


EXAMPLES = {
    "conv": (lambda x, w: conv(x, w, (2, 1), "same"), f32(1, 9, 8, 4), f32(3, 2, 4, 6)),
    "conv dilated": (lambda x, w: conv(x, w, (1,), "causal", (2,)), f32(2, 9, 4), f32(3, 4, 5)),
    "conv of groups": (lambda x, w: conv(x, w, (1, 1), "same", groups=2), f32(1, 5, 6, 4), f32(3, 3, 2, 6)),
    "conv depthwise": (lambda x, w: conv(x, w, (1, 1), "same", groups=8), f32(1, 7, 6, 8), f32(3, 3, 1, 8)),
    "conv in three dimensions": (lambda x, w: conv(x, w, (1, 2, 1)), f32(1, 4, 5, 6, 2), f32(2, 2, 3, 2, 3)),
    "conv transposed": (lambda x, w: conv_transpose(x, w, (2, 3), "same"), f32(1, 4, 5, 3), f32(3, 3, 2, 3)),
    "conv transposed, larger steps": (lambda x, w: conv_transpose(x, w, (3, 3)), f32(2, 4, 4, 3), f32(2, 2, 5, 3)),
}


def test_whole_numbers_become_floats():
    x, w = np.arange(24, dtype=np.int32).reshape(2, 4, 3), np.arange(12, dtype=np.float32).reshape(2, 3, 2)
    (found,) = run(lambda x, w: conv(x, w, (1,)), x, w)
    (wanted,) = run(lambda x, w: conv(x, w, (1,)), x.astype(np.float32), w)
    np.testing.assert_array_equal(found, wanted)
