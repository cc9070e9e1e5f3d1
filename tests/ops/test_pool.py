"""Pooling against a loop over the definition; gradients against finite differences; NaN; first of equals."""

import itertools

import numpy as np
import pytest
from machine import check_gradient, gradient_of, run
from op_examples import f32

from layerctl.ops.conv import padding
from layerctl.ops.pool import pool

RNG = np.random.default_rng(13)
CASES = [((2, 8, 8, 3), (2, 2), (2, 2), "valid"), ((1, 7, 9, 5), (3, 2), (2, 3), "same"), ((3, 11, 4), (3,), (2,), "same"),
         ((2, 5, 6, 4, 2), (2, 3, 2), (1, 2, 2), "valid"), ((2, 6, 6, 2), (3, 3), (1, 1), "same")]  # fmt: skip


def naive(x, size, strides, mode, kind):
    pads = padding(mode, x.shape[1:-1], size, strides, (1,) * len(size))
    padded = np.pad(x.astype(np.float64), [(0, 0), *pads, (0, 0)], constant_values=np.nan)
    out = [(n - k) // s + 1 for n, k, s in zip(padded.shape[1:-1], size, strides, strict=True)]
    y = np.zeros((len(x), *out, x.shape[-1]))
    for at in itertools.product(*map(range, out)):
        cut = tuple(slice(a * s, a * s + k) for a, s, k in zip(at, strides, size, strict=True))
        inside = padded[(slice(None), *cut)].reshape(len(x), -1, x.shape[-1])
        y[(slice(None), *at)] = (np.nanmax if kind == "max" else np.nanmean)(inside, axis=1)
    return y


@pytest.mark.parametrize("kind", ["max", "average"])
@pytest.mark.parametrize("case", CASES)
def test_pooling_follows_its_definition(case, kind):
    shape, size, strides, mode = case
    x = RNG.standard_normal(shape).astype(np.float32)
    np.testing.assert_allclose(run(lambda v: pool(v, kind, size, strides, mode), x)[0], naive(x, size, strides, mode, kind), rtol=2e-6, atol=1e-6)
    check_gradient(lambda v: pool(v, kind, size, strides, mode), RNG.standard_normal(shape))


def test_a_nan_stays_visible_and_ties_go_to_the_first():
    x = np.array([1, np.nan, 3, 3, 2, 2], np.float32).reshape(1, 6, 1)
    got = run(lambda v: pool(v, "max", (2,), (2,)), x)[0].ravel()
    assert np.isnan(got[0]) and list(got[1:]) == [3, 2]
    tied = np.ones((1, 4, 1))
    assert list(gradient_of(lambda v: pool(v, "max", (4,), (4,)), tied)[0].ravel()) == [1, 0, 0, 0]


EXAMPLES = {
    "pool": (lambda x: [pool(x, k, (2, 3), (2, 1), m) for k in ("max", "average") for m in ("valid", "same")], f32(2, 7, 8, 3)),
}
