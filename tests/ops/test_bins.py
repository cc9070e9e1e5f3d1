"""Numbers as bins, counts by id, and whole numbers by a table, beside numpy."""

import numpy as np
from machine import check_gradient, run
from op_examples import f32, ids

from layerctl.ops.bins import bins, tally
from layerctl.ops.lookup import lookup

RNG = np.random.default_rng(2)
BOUNDARIES = np.array([-1, 0, 0.5], np.float32)
KEYS, PLACES = np.array([-7, 2, 3, 90], np.int64), np.array([3, 0, 1, 2], np.int32)


def test_bins():
    x = np.concatenate([RNG.standard_normal(50), [-1, 0, 0.5, np.inf, -np.inf, np.nan]]).astype(np.float32)
    np.testing.assert_array_equal(run(bins, x, BOUNDARIES)[0], np.searchsorted(BOUNDARIES, x, side="right"))


def test_tally_and_its_gradient():
    k, w = ids(5, 4, 9), RNG.integers(0, 4, (4, 9)).astype(np.float32)
    counts = np.stack([np.bincount(i[(i >= 0) & (i < 5)], v[(i >= 0) & (i < 5)], 5) for i, v in zip(k, w, strict=True)])
    np.testing.assert_array_equal(run(lambda i, v: tally(i, v, 5), k, w)[0], counts)
    check_gradient(lambda i, v: tally(i, v, 5), k, w)


def test_lookup():
    x = np.array([[3, -7, 4], [90, 2, -8]], np.int32)
    np.testing.assert_array_equal(run(lambda *v: lookup(*v, missing=9), x, KEYS, PLACES)[0], [[1, 3, 9], [2, 0, 9]])


EXAMPLES = {
    "bins": (bins, f32(20), BOUNDARIES),
    "tally": (lambda i, w: tally(i, w, 5), ids(5, 3, 8), f32(3, 8)),
    "lookup": (lambda *v: lookup(*v, missing=9), np.array([3, -7, 4, 90, 2, 91], np.int32), KEYS, PLACES),
}
