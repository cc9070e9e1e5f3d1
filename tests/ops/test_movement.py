"""Ops that move data, against numpy; their gradients against finite differences."""

import numpy as np
import pytest
from machine import check_gradient, run
from op_examples import f32, ids

from layerctl.ops import concat, gather, reshape, select, slicing, transpose
from layerctl.ops.stop import stop_gradient
from layerctl.ops.unstack import unstack
from layerctl.ops.value import ShapeError

RNG = np.random.default_rng(3)


def test_transposes_of_every_order():
    x = RNG.standard_normal((2, 3, 4, 5)).astype(np.float32)
    for axes in ((3, 2, 1, 0), (0, 2, 1, 3), (1, 0, 3, 2), (0, 3, 1, 2), (2, 3, 0, 1)):
        np.testing.assert_array_equal(run(lambda v, a=axes: transpose.transpose(v, a), x)[0], x.transpose(axes))


@pytest.mark.parametrize("key", [
    np.s_[1], np.s_[-1], np.s_[:, 2], np.s_[1:, ::2], np.s_[..., -1], np.s_[:, None, 1:3], np.s_[::-1], np.s_[:, ::-2, 1], np.s_[2:0:-1],
])  # fmt: skip
def test_indexing_as_numpy_does(key):
    x = RNG.standard_normal((3, 4, 5)).astype(np.float32)
    np.testing.assert_array_equal(run(lambda v: v[key] + 0.0, x)[0], x[key])


def test_padding_and_cropping():
    x = RNG.standard_normal((2, 3, 4)).astype(np.float32)
    got = run(lambda v: slicing.pad(v, [(0, 0), (1, 2), (-1, 3)], 7.0), x)[0]
    np.testing.assert_array_equal(got, np.pad(x[:, :, 1:], [(0, 0), (1, 2), (0, 3)], constant_values=7))


def test_joining_and_taking():
    x, y = (RNG.standard_normal(s).astype(np.float32) for s in ((2, 3, 4), (2, 5, 4)))
    np.testing.assert_array_equal(run(lambda a, b: concat.concat([a, b], 1), x, y)[0], np.concatenate([x, y], 1))
    np.testing.assert_array_equal(run(lambda a: concat.stack([a, a * 2], 1), x)[0], np.stack([x, x * 2], 1))
    ids = np.array([[2, 0], [1, 2]], np.int32)
    for axis in (0, 1, 2):
        chosen = ids % x.shape[axis]
        np.testing.assert_array_equal(
            run(lambda a, i, n=axis: gather.take(a, i, n), x, chosen)[0], np.take(x, chosen, axis)
        )
    np.testing.assert_array_equal(run(lambda a, i: select.select(a, i), x, np.array([[0, 1, 2], [3, 0, 1]], np.int32))[0],
                                  np.take_along_axis(x, np.array([[0, 1, 2], [3, 0, 1]])[..., None], -1)[..., 0])  # fmt: skip
    np.testing.assert_array_equal(run(lambda i: select.one_hot(i, 3), ids)[0], np.eye(3, dtype=np.float32)[ids])


def test_gradients_of_movement():
    x, y = RNG.standard_normal((2, 3, 4)), RNG.standard_normal((2, 2, 4))
    ids = np.array([0, 2, 2, 1], np.int32)
    check_gradient(lambda a: transpose.transpose(a, (2, 0, 1)) * 1.5, x)
    check_gradient(lambda a: a[:, ::-2, 1:] * 2.0, x)
    check_gradient(lambda a, b: concat.concat([a, b, a], 1), x, y)
    check_gradient(lambda a, i: gather.take(a, i, 1), x, ids)
    check_gradient(lambda a, i: select.select(a, i), RNG.standard_normal((4, 3)), ids)
    check_gradient(lambda a: slicing.pad(a, [(1, 0), (0, 2), (-1, 1)]), x)
    check_gradient(lambda a: slicing.flip(a, [0, 2]), x)
    check_gradient(lambda a: reshape.reshape(a, (4, -1)) * 3.0, x)


def test_wrong_shapes_are_named():
    x = np.zeros((2, 3), np.float32)
    with pytest.raises(ShapeError, match=r"cannot reshape \(2, 3\) to \(4, -1\)"):
        run(lambda v: reshape.reshape(v, (4, -1)), x)
    with pytest.raises(ShapeError, match="index 5 is outside of dimension 1"):
        run(lambda v: v[0, 5], x)
    with pytest.raises(ShapeError, match="the other dimensions must be equal"):
        run(lambda v: concat.concat([v, v[:, :2]], 0), x)


EXAMPLES = {
    "reshape": (lambda x: reshape.reshape(transpose.transpose(x, (2, 0, 1)), (5, 12)), f32(3, 4, 5)),
    "slices": (lambda x: [x[1:3], x[:, ::-1], x[..., 1::2], x[-1, 3:0:-2]], f32(4, 5, 6)),
    "pad": (lambda x: slicing.pad(x, [(1, 2), (0, 3)], -1.5), f32(3, 4)),
    "joined": (lambda a, b: [concat.concat([a, b], 1), concat.stack([a, a], 1)], f32(3, 4), f32(3, 2)),
    "unstack": (unstack, f32(3, 4)),
    "unstack of one": (unstack, f32(1, 4)),
    "no gradient": (lambda x: stop_gradient(x) * 2.0, f32(3, 4)),
    "take": (lambda x, i: gather.take(x, i), f32(6, 3), ids(6, 2, 5)),
    "select": (lambda x, i: select.select(x, i), f32(5, 4), ids(4, 5)),
    "one hot": (lambda i: select.one_hot(i, 4), ids(4, 6)),
}
