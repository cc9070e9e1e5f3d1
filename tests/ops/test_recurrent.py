"""The fused recurrent ops beside the compositions they stand for, finite differences, their plain twins, and other numbers of shares."""

import numpy as np
import pytest
from machine import check_gradient, compiled, gradient_of, results, run
from op_examples import f32

from layerctl.compile.pipeline import compile_program
from layerctl.compile.program import Layout
from layerctl.ops import gru as grus
from layerctl.ops import gru_kernels, lstm, lstm_kernels, simple_rnn
from layerctl.ops.elementwise import apply
from layerctl.ops.leaves import constant, input_
from layerctl.ops.matmul_kernels import pack
from layerctl.ops.recurrent import masked_outputs
from layerctl.ops.reduce import reduce
from layerctl.ops.value import ShapeError, Trace, Type, current, tracing
from layerctl.runtime.machine import Machine, State

RNG = np.random.default_rng(3)


@pytest.fixture(autouse=True)
def fresh_numbers():
    """Each test draws its own numbers, whatever ran before it in the process."""
    RNG.bit_generator.state = np.random.default_rng(3).bit_generator.state


def of_lstm(mask=None):
    def function(x, u, h, c):
        hs, last = lstm.lstm(x, u, h, c, masked(mask))
        return reduce("sum", hs * constant(weights(hs.shape), hs.dtype), 1) + last * 0.7

    return function


def of_gru(reset_after, bias=True, mask=None):
    def function(x, u, h, b):
        hs = grus.gru(x, u, b if bias and reset_after else None, h, masked(mask), reset_after)
        return reduce("sum", hs * constant(weights(hs.shape), hs.dtype), 1)

    return function


def of_simple(mask=None):
    def function(x, u, h):
        hs = simple_rnn.simple_rnn(x, u, h, masked(mask))
        return reduce("sum", hs * constant(weights(hs.shape), hs.dtype), 1)

    return function


def weights(shape):
    return np.sin(np.arange(int(np.prod(shape, dtype=int))) * 0.3).reshape(shape)


def masked(mask):
    return None if mask is None else constant(mask, "bool")


def composed(function):
    def inside(*values):
        current().compose = True
        return function(*values)

    return inside


def arrays(kind, batch, steps, units, dtype):
    gates = {"lstm": 4, "gru": 3, "simple": 1}[kind]
    shapes = [(batch, steps, gates * units), (units, gates * units), (batch, units)]
    shapes += {"lstm": [(batch, units)], "gru": [(3 * units,)], "simple": []}[kind]
    out = [(RNG.standard_normal(s) * 0.6).astype(dtype) for s in shapes]
    out[1] /= np.sqrt(units).astype(dtype)  # as initializers do: products that grow from step to step would amplify roundings
    return out


def cases(mask):
    return [("lstm", of_lstm(mask)), ("gru", of_gru(True, True, mask)), ("gru", of_gru(True, False, mask)), ("gru", of_gru(False, True, mask)),
            ("simple", of_simple(mask))]  # fmt: skip


SIZES = [(1, 1, 1), (2, 3, 5), (7, 4, 16), (13, 5, 33), (3, 2, 70)]


@pytest.mark.parametrize("sizes", SIZES)
@pytest.mark.parametrize("is_masked", [False, True])
def test_the_fused_op_is_its_composition(sizes, is_masked):
    batch, steps, units = sizes
    mask = RNG.random((batch, steps)) > 0.4 if is_masked else None
    for dtype, bound in ((np.float32, 3e-6), (np.float64, 1e-13)):
        for kind, function in cases(mask):
            given = arrays(kind, batch, steps, units, dtype)
            for way in (run, gradient_of):
                for a, b in zip(way(function, *given), way(composed(function), *given), strict=True):
                    assert np.abs(a - b).max() <= bound * max(np.abs(b).max(), 1e-2), (kind, way.__name__)


def test_gradients_beside_finite_differences():
    mask = np.array([[True, False, True], [False, True, True]])
    for is_masked in (None, mask):
        for kind, function in cases(is_masked):
            check_gradient(function, *arrays(kind, 2, 3, 4, np.float64))


KERNELS = {
    "lstm": (lstm, of_lstm), "after": (gru_kernels, lambda m: of_gru(True, True, m)), "before": (gru_kernels, lambda m: of_gru(False, True, m)),
    "simple": (simple_rnn, of_simple),
}  # fmt: skip


@pytest.mark.parametrize("name", KERNELS)
def test_bits_do_not_depend_on_the_threads(name):
    batch, steps, units = 23, 6, 40
    function = KERNELS[name][1](RNG.random((batch, steps)) > 0.3)
    given = arrays({"after": "gru", "before": "gru"}.get(name, name), batch, steps, units, np.float32)
    results = []
    for threads in (1, 2, 3):
        trace = Trace()
        with tracing(trace):
            values = [input_(f"x{i}", Type(a.shape)) for i, a in enumerate(given)]
            out = function(*values)
            from layerctl.compile.differentiate import gradients

            found = gradients(reduce("sum", out * out), values[:3])
        layout = Layout()
        program = compile_program(trace, {"y": out, **{f"g{i}": g for i, g in enumerate(found)}}, {}, layout)
        for planned in program.calls:
            planned.tasks, planned.barrier = planned.call.tasks, True
        machine = Machine(threads)
        bound = machine.bind(program, State(layout), {})
        for i, a in enumerate(given):
            if f"x{i}" in program.inputs:
                bound.input(f"x{i}")[...] = a
        machine.run(bound)
        results.append([bound.output(n).copy() for n in program.outputs])
        machine.close()
    for other in results[1:]:
        for a, b in zip(results[0], other, strict=True):
            assert a.tobytes() == b.tobytes()


def test_a_kernel_is_its_plain_twin():
    batch, steps, units = 3, 2, 5
    x, u, h0, c0 = arrays("lstm", batch, steps, units, np.float32)
    panels = np.zeros(2 * units * 16, np.float32)
    pack(0, 1, u.ravel(), panels, 1, units, 4 * units, 0, 4 * units, 1)
    gates, hs, cs = (
        np.zeros_like(x).ravel(),
        np.zeros(batch * steps * units, np.float32),
        np.zeros(batch * steps * units, np.float32),
    )
    for task in range(2):
        lstm_kernels.forward(task, 2, x.ravel(), None, None, 0, 0, panels, h0.ravel(), c0.ravel(), None, gates, hs, cs, batch, steps, units, 0, steps, steps)
    native = run(lambda *v: lstm.lstm(*v)[0], x, u, h0, c0)[0]
    np.testing.assert_allclose(hs.reshape(native.shape), native, rtol=2e-6, atol=1e-7)


def test_a_step_cut_along_the_units_is_its_plain_twin():
    batch, steps, units = 2, 3, 20
    x, u, h0, c0 = arrays("lstm", batch, steps, units, np.float32)
    panels = np.zeros(4 * 2 * units * 16, np.float32)
    pack(0, 1, u.ravel(), panels, 4, units, units, units, 4 * units, 1)
    gates, hs, cs = np.zeros_like(x).ravel(), np.zeros(batch * steps * units, np.float32), np.zeros(batch * 2 * units, np.float32)
    for t in range(steps):
        for task in range(2):
            lstm_kernels.forward_step(
                task, 2, x.ravel(), panels, h0.ravel(), c0.ravel(), None, gates, hs, cs, batch, steps, units, 0, steps, 2, t
            )  # fmt: skip
    native = run(lambda *v: lstm.lstm(*v)[0], x, u, h0, c0)[0]
    np.testing.assert_allclose(hs.reshape(native.shape), native, rtol=2e-6, atol=1e-7)


@pytest.mark.parametrize("units", [128, 200])
@pytest.mark.parametrize("is_masked", [False, True])
def test_few_rows_have_the_bits_of_many(units, is_masked):
    x, u, h0, c0 = arrays("lstm", 17, 9, units, np.float32)
    mask = RNG.random((17, 9)) > 0.4

    def of(rows):
        given = (x[rows], u, h0[rows], c0[rows])
        program = compiled(lambda *v: list(lstm.lstm(*v, constant(mask[rows], "bool") if is_masked else None)), *given)
        return program, [results(program, given, threads) for threads in (1, 2)]

    (_, wanted), (few, found) = of(slice(0, 17)), of(slice(3, 5))
    assert [p.tasks for p in few.calls if "forward_step" in p.call.ref.key] == 9 * [units // 64]
    for result in found:
        for a, b in zip(result, wanted[0], strict=True):
            assert a.tobytes() == b[3:5].tobytes()


def test_outputs_of_masked_steps():
    mask = np.array([[False, True], [True, False]])
    hs = RNG.standard_normal((2, 2, 3)).astype(np.float32)
    for zero, want in ((True, hs * mask[:, :, None]), (False, hs)):
        np.testing.assert_array_equal(
            run(lambda v, zero=zero: apply("identity", masked_outputs(v, constant(mask, "bool"), zero)), hs)[0], want
        )


def test_operands_that_do_not_fit_are_named():
    trace = Trace()
    with tracing(trace):
        x, u, h = (apply("exp", constant(np.zeros(s))) for s in ((2, 3, 8), (2, 8), (2, 3)))
        with pytest.raises(ShapeError, match=r"lstm: a state must be \(batch, units\) = \(2, 2\), got \(2, 3\)"):
            lstm.lstm(x, u, h, h)
        with pytest.raises(
            ShapeError, match=r"gru: the projected input \(2, 3, 8\) does not fit the recurrent kernel \(2, 8\)"
        ):
            grus.gru(x, u, None, h)


EXAMPLES = {
    "lstm": (lstm.lstm, f32(1, 5, 28), f32(7, 28), f32(1, 7), f32(1, 7)),
    "lstm, masked": (lambda x, u, h, c, m: lstm.lstm(x, u, h, c, m > 0.0), f32(1, 6, 12), f32(3, 12), f32(1, 3), f32(1, 3), f32(1, 6)),
    "gru": (lambda x, u, b, h: grus.gru(x, u, b, h), f32(1, 5, 60), f32(20, 60), f32(60), f32(1, 20)),
    "gru, reset before": (lambda x, u, h: grus.gru(x, u, None, h, reset_after=False), f32(1, 5, 12), f32(4, 12), f32(1, 4)),
    "simple rnn, masked": (lambda x, u, h, m: simple_rnn.simple_rnn(x, u, h, m > 0.0), f32(1, 6, 5), f32(5, 5), f32(1, 5), f32(1, 6)),
}
