"""Noise: its rate and scale, its dependence on seed, step and row alone, its absence outside of training."""

import numpy as np
from machine import MACHINE

from layerctl.compile.pipeline import compile_program
from layerctl.compile.program import Layout
from layerctl.layers.dropout import Dropout
from layerctl.layers.noise import (
    ActivityRegularization,
    AlphaDropout,
    GaussianDropout,
    GaussianNoise,
    SpatialDropout1D,
    SpatialDropout2D,
    SpatialDropout3D,
)
from layerctl.ops.leaves import input_
from layerctl.ops.value import Trace, Type, tracing
from layerctl.runtime.machine import State


def dropped(x, rows, step=0, seed=1, rate=0.4, training=True, **more):
    layer = Dropout(rate=rate, **more)
    layer.place("dropout")
    trace = Trace(training=training, seed=seed)
    with tracing(trace):
        trace.rows, trace.step = input_("rows", Type((len(x),), "i64")), input_("step", Type((), "i64"))
        y = layer(input_("x", Type(x.shape))) * 1.5
    layout = Layout()
    program = compile_program(trace, {"y": y}, {}, layout)
    bound = MACHINE.bind(program, State(layout), {})
    for label, value in (("x", x), ("rows", rows), ("step", step)):
        if label in program.inputs:
            bound.input(label)[...] = value
    MACHINE.run(bound)
    return bound.output("y") / 1.5


def test_rate_and_scale():
    x = np.ones((200, 301), np.float32)
    y = dropped(x, np.arange(200))
    assert set(np.round(np.unique(y), 5)) == {0.0, np.float32(round(1 / 0.6, 5))}
    assert abs((y == 0).mean() - 0.4) < 0.01
    per_row, per_column = (y == 0).mean(1), (y == 0).mean(0)
    assert per_row.std() < 0.05 and per_column.std() < 0.06


def test_it_belongs_to_the_row_not_to_its_place():
    x = np.ones((6, 50), np.float32)
    rows = np.array([3, 10, 7, 0, 22, 5])
    first = dropped(x, rows)
    np.testing.assert_array_equal(dropped(x, rows[::-1].copy())[::-1], first)
    assert not np.array_equal(dropped(x, rows, step=1), first)
    assert not np.array_equal(dropped(x, rows, seed=2), first)
    assert not np.array_equal(first[0], first[1])


def test_a_shared_mask_and_none_outside_of_training():
    x = np.ones((4, 5, 30), np.float32)
    y = dropped(x, np.arange(4), noise_shape=[None, 1, None])
    assert (y == y[:, :1]).all() and 0 < (y == 0).mean() < 1
    np.testing.assert_array_equal(dropped(x, np.arange(4), training=False), x)


def noisy(layer, x, training=True):
    """One call of a layer with a data set's rows 0, 1, ..."""
    layer.place("noise")
    trace = Trace(training=training, seed=3)
    with tracing(trace):
        trace.rows, trace.step = input_("rows", Type((len(x),), "i64")), input_("step", Type((), "i64"))
        y = layer(input_("x", Type(x.shape))) * 1.5
        losses = list(trace.losses)
    layout = Layout()
    program = compile_program(trace, {"y": y} | {f"l{i}": v for i, v in enumerate(losses)}, {}, layout)
    bound = MACHINE.bind(program, State(layout), {})
    for label, value in (("x", x), ("rows", np.arange(len(x))), ("step", 0)):
        if label in program.inputs:
            bound.input(label)[...] = value
    MACHINE.run(bound)
    return bound.output("y") / 1.5, [float(bound.output(f"l{i}")) for i in range(len(losses))]


def test_gaussian_noise():
    y, _ = noisy(GaussianNoise(stddev=0.5), np.full((300, 200), 2.0, np.float32))
    assert abs(y.mean() - 2.0) < 0.01 and abs(y.std() - 0.5) < 0.01
    z = (y - 2.0) / 0.5
    assert abs((z**3).mean()) < 0.05 and abs((z**4).mean() - 3.0) < 0.1
    np.testing.assert_array_equal(noisy(GaussianNoise(stddev=0.5), y, training=False)[0], y)


def test_gaussian_dropout():
    y, _ = noisy(GaussianDropout(rate=0.2), np.full((300, 200), 2.0, np.float32))
    assert abs(y.mean() - 2.0) < 0.01 and abs(y.std() - 2.0 * 0.5) < 0.02


def test_alpha_dropout_keeps_mean_and_variance():
    x = np.random.default_rng(0).standard_normal((300, 400)).astype(np.float32)
    y, _ = noisy(AlphaDropout(rate=0.3), x)
    assert abs(y.mean()) < 0.01 and abs(y.std() - 1.0) < 0.01
    least = np.unique(np.round(y, 4), return_counts=True)
    assert abs(least[1].max() / y.size - 0.3) < 0.01
    same = noisy(AlphaDropout(rate=0.3, noise_shape=[None, 1]), x)[0]
    dropped_rows = (np.abs(same - same[:, :1]) < 1e-6).all(1)
    assert abs(dropped_rows.mean() - 0.3) < 0.1


def test_spatial_dropout_takes_whole_channels():
    for layer, shape, axis in (
        (SpatialDropout1D(rate=0.4), (50, 7, 60), -1), (SpatialDropout2D(rate=0.4), (50, 4, 3, 60), -1),
        (SpatialDropout2D(rate=0.4, data_format="channels_first"), (50, 60, 4, 3), 1), (SpatialDropout3D(rate=0.4), (50, 2, 2, 2, 60), -1),
    ):  # fmt: skip
        y, _ = noisy(layer, np.ones(shape, np.float32))
        flat = np.moveaxis(y, axis, 1).reshape(50, 60, -1)
        assert (flat == flat[:, :, :1]).all()
        assert abs((flat == 0).mean() - 0.4) < 0.05
        assert set(np.round(np.unique(flat), 4)) == {0.0, np.float32(round(1 / 0.6, 4))}


def test_activity_regularization():
    x = np.random.default_rng(0).standard_normal((8, 5)).astype(np.float32)
    for training in (True, False):  # Keras's evaluate counts it too
        y, losses = noisy(ActivityRegularization(l1=0.1, l2=0.3), x, training=training)
        np.testing.assert_allclose(y, x, rtol=1e-6)
        np.testing.assert_allclose(losses, [(0.1 * np.abs(x).sum() + 0.3 * (x * x).sum()) / 8], rtol=1e-5)
