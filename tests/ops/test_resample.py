"""Resampling beside jax.image.resize at sizes of photographs, and its gradients beside finite differences."""

import jax
import numpy as np
import pytest
from machine import check_gradient, run
from op_examples import f32

from layerctl.ops.resample import INTERPOLATIONS, repeat, resample, resize, resizing_matrix
from layerctl.ops.value import ShapeError

RNG = np.random.default_rng(5)


@pytest.mark.parametrize("interpolation", INTERPOLATIONS)
@pytest.mark.parametrize("sizes", [(224, 180), (97, 331), (256, 256), (128, 1)])
@pytest.mark.parametrize("antialias", [False, True])
def test_sizes_of_photographs(interpolation, sizes, antialias):
    x = RNG.standard_normal((1, 128, 256, 2)).astype(np.float32)
    ours = run(lambda v: resize(v, (1, 2), sizes, interpolation, antialias) + 0.0, x)[0]
    theirs = np.asarray(jax.image.resize(x, (1, *sizes, 2), interpolation, antialias=antialias))
    assert ours.shape == theirs.shape
    assert np.abs(ours - theirs).max() <= 1e-5 * np.abs(theirs).max()


def test_nearest_takes_what_jax_takes_at_every_size():
    resized = jax.jit(lambda x: [jax.image.resize(x, (places,), "nearest") for places in range(1, 60)])
    for length in range(1, 40):
        x = np.arange(length, dtype=np.float32)
        for places, theirs in enumerate(resized(x), 1):
            ours = resizing_matrix(length, places, "nearest") @ x
            np.testing.assert_array_equal(ours, np.asarray(theirs))


def test_gradients():
    x = RNG.standard_normal((2, 4, 3, 2))
    for interpolation in INTERPOLATIONS:
        check_gradient(lambda v, i=interpolation: resize(v, (1, 2), (7, 2), i), x)
    check_gradient(lambda v: repeat(v, 2, 3), x)
    check_gradient(lambda v: resample(v, 1, np.zeros((3, 4))), x)


def test_integers_are_refused():
    with pytest.raises(ShapeError, match="expected a tensor of floats, got i32"):
        run(lambda v: repeat(v, 0, 2), np.zeros((2, 3), np.int32))


EXAMPLES = {
    "resized": (lambda x: resize(x, (1, 2), (7, 3), "bilinear", False), f32(2, 5, 6, 3)),
    "repeated": (lambda x: repeat(x, 1, 3), f32(2, 4, 3)),
}
