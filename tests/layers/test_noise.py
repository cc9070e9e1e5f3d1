"""Noise: its rate and scale, its dependence on seed, step and row alone, its absence outside of training."""

import numpy as np
from machine import MACHINE

from layerctl.compile.pipeline import compile_program
from layerctl.compile.program import Layout
from layerctl.layers.dropout import Dropout
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
