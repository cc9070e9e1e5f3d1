"""Winograd's convolution: near the exact result, nearer than the direct way's bound, in its plain form and as a machine runs it."""

import numpy as np
import pytest
from products import MACHINE

from layerctl.compile.pipeline import compile_program
from layerctl.compile.program import Layout
from layerctl.ops.conv import Conv, ConvInputGradient, padding
from layerctl.ops.finish import BIAS, RELU
from layerctl.ops.leaves import input_
from layerctl.ops.value import Trace, Type, tracing
from layerctl.ops.winograd_kernels import BEHIND, PLACES, pack_places, transform_taps, winograd
from layerctl.runtime.machine import State

CASES = [
    ((3, 8, 8, 64), 64, "same"), ((2, 32, 34, 16), 16, "same"), ((1, 6, 10, 16), 48, "same"), ((5, 4, 4, 32), 16, "valid"),
    ((2, 10, 8, 80), 96, "valid"), ((1, 2, 2, 16), 16, "same"), ((2, 4, 70, 16), 256, "same"),
    ((2, 7, 9, 32), 16, "same"), ((3, 13, 13, 16), 32, "same"), ((1, 7, 15, 16), 16, "valid"), ((2, 12, 5, 16), 16, "same"),
]  # fmt: skip


def exact(x, w, pads):
    """In float64, and the sum of the products' magnitudes."""
    x, w = (np.pad(x.astype(float), ((0, 0), *pads, (0, 0))), w.astype(float))
    h, across = x.shape[1] - 2, x.shape[2] - 2
    pairs = [(x[:, a : a + h, b : b + across], w[a, b]) for a in range(3) for b in range(3)]
    return sum(v @ k for v, k in pairs), sum(abs(v) @ abs(k) for v, k in pairs)


def run(function, *arrays):
    """The result, and the names of the kernels."""
    trace = Trace()
    with tracing(trace):
        y = function(*[input_(f"x{i}", Type(a.shape, "f32")) for i, a in enumerate(arrays)])
    layout = Layout()
    program = compile_program(trace, {"y": y}, {}, layout)
    bound = MACHINE.bind(program, State(layout), {})
    for i, a in enumerate(arrays):
        bound.input(f"x{i}")[...] = a
    MACHINE.run(bound)
    return bound.output("y").copy(), [p.call.ref.kernel.name for p in program.calls]


@pytest.mark.parametrize(("shape", "filters", "mode"), CASES)
def test_outputs_and_input_gradients(shape, filters, mode):
    rng = np.random.default_rng(1)
    x, w = (rng.standard_normal(s).astype(np.float32) for s in (shape, (3, 3, shape[3], filters)))
    pads = padding(mode, shape[1:3], (3, 3), (1, 1), (1, 1))
    how = {"strides": (1, 1), "dilation": (1, 1), "pads": pads, "groups": 1}
    y, kernels = run(lambda a, b: Conv.apply(a, b, **how), x, w)
    expected, size = exact(x, w, pads)
    assert kernels[-1] == "winograd_kernels.winograd" and (abs(y - expected) < 4e-7 * size.max()).all()
    g = rng.standard_normal(y.shape).astype(np.float32)
    dx, kernels = run(lambda a, b: ConvInputGradient.apply(a, b, shape=shape, **how), g, w)
    expected, size = exact(g, w[::-1, ::-1].swapaxes(2, 3), tuple((2 - a, 2 - b) for a, b in pads))
    assert kernels[-1] == "winograd_kernels.winograd" and (abs(dx - expected) < 4e-7 * size.max()).all()


@pytest.mark.parametrize("batch", [1, 3])
def test_a_row_has_the_same_bits_in_every_batch(batch):
    rng = np.random.default_rng(2)
    x, w = (rng.standard_normal(s).astype(np.float32) for s in ((7, 6, 10, 32), (3, 3, 32, 16)))
    how = {"strides": (1, 1), "dilation": (1, 1), "pads": ((1, 1), (1, 1)), "groups": 1}
    whole, some = (run(lambda a, b: Conv.apply(a, b, **how), rows, w)[0] for rows in (x, x[2 : 2 + batch]))
    assert (whole[2 : 2 + batch] == some).all()


@pytest.mark.parametrize(("h", "across"), [(4, 6), (5, 7)])
def test_the_plain_form_finishes_its_lines(h, across):
    n, c, f = 2, 16, 32
    rng = np.random.default_rng(3)
    x, w = (rng.standard_normal(s).astype(np.float32) for s in ((n, h, across, c), (3, 3, c, f)))
    u, packed, y = np.zeros(PLACES * c * f, np.float32), np.zeros(PLACES * c * f, np.float32), np.full(n * h * across * f, np.nan, np.float32)
    transform_taps.function(0, 1, w.ravel(), u, c * f, 0, 1)
    pack_places.function(0, 1, u, packed, c, f, f, 1)
    room = np.zeros(PLACES * ((c + f) * 2 * ((across + 1) // 2) + 32) + BEHIND + c + 4 * f, np.float32)
    bias = rng.standard_normal(f).astype(np.float32)
    winograd.function(
        0, 1, x.ravel(), packed, y, room, np.zeros(c // 4, np.int64), bias, BIAS | RELU, n, c, f, h, across, h, across, 1, 1, 2, len(room)
    )  # fmt: skip
    expected, size = exact(x, w, ((1, 1), (1, 1)))
    assert (abs(y.reshape(expected.shape) - np.maximum(expected + bias, 0)) < 4e-7 * size.max()).all()
