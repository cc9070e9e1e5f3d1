"""Convolutions against a loop over the definition; gradients against finite differences."""

import itertools

import numpy as np
import pytest
from machine import check_gradient, run

from layerctl.ops.conv import conv, padding

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
