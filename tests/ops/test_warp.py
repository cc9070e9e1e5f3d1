"""Affine warps beside keras.ops.image.affine_transform, forward and gradients, and their second derivative."""

import jax
import keras
import numpy as np
import pytest
from machine import check_gradient, gradient_of, run

from layerctl.ops.leaves import constant
from layerctl.ops.value import ShapeError
from layerctl.ops.warp import FILL_MODES, INTERPOLATIONS, seen, spread, warp

RNG = np.random.default_rng(8)
MAPS = np.array([
    [1, 0, 0, 0, 1, 0], [1, 0, -2.25, 0, 1, 1.5], [0.8313, -0.5571, 3.1219, 0.5571, 0.8313, -1.7717], [2.3, 0, -4.41, 0, 0.4, 2.23],
    [1, 0.9137, -7.3331, -0.6173, 1, 9.1237], [-1.1, 0.2, 31.3337, 0.4, -1.7, -25.4447],
], np.float32)  # fmt: skip
IMAGES = RNG.standard_normal((len(MAPS), 7, 9, 3)).astype(np.float32)
"""The maps' coordinates are exact halves, which round away from zero, or no halves; near halves would show float32's rounding."""


@pytest.mark.parametrize("interpolation", INTERPOLATIONS)
@pytest.mark.parametrize("fill_mode", FILL_MODES)
def test_as_keras_does(interpolation, fill_mode):
    full = np.concatenate([MAPS, np.zeros((len(MAPS), 2), np.float32)], 1)

    def theirs(x):
        return keras.ops.image.affine_transform(x, full, interpolation, fill_mode, 0.75, "channels_last")

    def ours(x):
        return warp(x, constant(MAPS, x.dtype), interpolation, fill_mode, 0.75)

    want = np.asarray(theirs(IMAGES))
    assert np.abs(run(ours, IMAGES)[0] - want).max() <= 1e-5 * np.abs(want).max()
    upstream = np.cos(np.arange(want.size)).reshape(want.shape)
    slope = np.asarray(jax.grad(lambda x: (theirs(x) * upstream).sum())(IMAGES))
    found = gradient_of(ours, IMAGES)[0]
    assert np.abs(found - slope).max() <= 2e-5 * np.abs(slope).max()


def test_kernels_as_plain_python():
    for mode, fill_mode in enumerate(FILL_MODES):
        x, maps, y = IMAGES[2:4].ravel(), MAPS[2:4].ravel(), np.zeros(2 * 63 * 3, np.float32)
        seen(0, 1, x, maps, y, 2, 7, 9, 3, 7, 9, mode, 1, 0.5)
        got = run(lambda v, f=fill_mode: warp(v, constant(MAPS[2:4]), "bilinear", f, 0.5), IMAGES[2:4])[0]
        np.testing.assert_allclose(y.reshape(got.shape), got, rtol=1e-5, atol=1e-5)
        dx = np.zeros_like(x)
        spread(0, 1, y, maps, dx, 2, 7, 9, 3, 7, 9, mode, 1)
        assert np.isfinite(dx).all() and dx.any()


def test_gradients():
    x = RNG.standard_normal((2, 4, 5, 2))
    for fill_mode in FILL_MODES:
        check_gradient(lambda v, f=fill_mode: warp(v, constant(MAPS[1:3], "f64"), "bilinear", f), x)
        check_gradient(lambda v, f=fill_mode: warp(v, constant(MAPS[2:4], "f64"), "nearest", f, size=(2, 8)), x)


def test_another_size():
    shift = np.array([[1, 0, 4, 0, 1, 2]] * len(IMAGES), np.float32)
    got = run(lambda v: warp(v, constant(shift), "nearest", size=(3, 5)), IMAGES)[0]
    np.testing.assert_array_equal(got, IMAGES[:, 2:5, 4:9])


def test_wrong_maps_are_named():
    with pytest.raises(ShapeError, match=r"expected images .* and maps \(batch, 6\)"):
        run(lambda v: warp(v, constant(MAPS[:2])), IMAGES)
    with pytest.raises(ShapeError, match="expected one of"):
        run(lambda v: warp(v, constant(MAPS), fill_mode="mirror"), IMAGES)
