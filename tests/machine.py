"""Runs functions of Values on numpy arrays through the real machine, and their gradients beside finite differences."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from layerctl.compile.differentiate import gradients
from layerctl.compile.pipeline import compile_program
from layerctl.compile.program import Layout, Program
from layerctl.ops.elementwise import cast
from layerctl.ops.leaves import constant, input_
from layerctl.ops.reduce import reduce
from layerctl.ops.value import NAMES_OF_DTYPES, Trace, Type, Value, tracing
from layerctl.runtime.machine import Machine, State

MACHINE = Machine(1)


def run(function: Callable[..., Any], *arrays: np.ndarray, training: bool = False) -> list[np.ndarray]:
    """The results of a function of Values, as arrays."""
    trace = Trace(training=training)
    with tracing(trace):
        values = _inputs(arrays)
        result = function(*values)
        results = list(result) if isinstance(result, (list, tuple)) else [result]
    return _run(trace, results, arrays)


def compiled(function: Callable[..., Sequence[Value]], *arrays: np.ndarray) -> Program:
    """The program of a function that gives several Values."""
    trace = Trace()
    with tracing(trace):
        made = function(*_inputs(arrays))
    return compile_program(trace, {f"y{i}": v for i, v in enumerate(made)}, {}, Layout())


def results(program: Program, arrays: Sequence[np.ndarray], threads: int) -> list[np.ndarray]:
    """What a compiled program gives on so many threads."""
    machine = Machine(threads)
    bound = machine.bind(program, State(program.layout), {})
    for i, a in enumerate(arrays):
        if f"x{i}" in program.inputs:
            bound.input(f"x{i}")[...] = a
    machine.run(bound)
    out = [bound.output(n).copy() for n in program.outputs]
    machine.close()
    return out


def of_names(program: Program) -> list[str]:
    """The names of a program's ops, in order."""
    return [n.op.name for n in program.nodes]


def _inputs(arrays: Sequence[np.ndarray]) -> list[Value]:
    return [input_(f"x{i}", Type(tuple(a.shape), NAMES_OF_DTYPES[str(a.dtype)])) for i, a in enumerate(arrays)]


def _run(trace: Trace, results: list[Value], arrays: Sequence[np.ndarray]) -> list[np.ndarray]:
    layout = Layout()
    program = compile_program(trace, {f"y{i}": v for i, v in enumerate(results)}, {}, layout)
    bound = MACHINE.bind(program, State(layout), {})
    for i, a in enumerate(arrays):
        if f"x{i}" in program.inputs:
            bound.input(f"x{i}")[...] = a
    MACHINE.run(bound)
    return [bound.output(f"y{i}").copy() for i in range(len(results))]


def gradient_of(function: Callable[..., Value], *arrays: np.ndarray) -> list[np.ndarray]:
    """d sum(function(x) * c) / dx for fixed c, for each floating array."""
    trace = Trace()
    with tracing(trace):
        values = _inputs(arrays)
        loss = _scalar(function(*values))
        wrt = [v for v in values if v.dtype in ("f32", "f64")]
        found = gradients(loss, wrt)
        zeros = [g if g is not None else w * 0.0 for g, w in zip(found, wrt, strict=True)]
    return _run(trace, zeros, arrays)


def _scalar(y: Value) -> Value:
    weights = np.cos(np.arange(int(np.prod(y.shape, dtype=int)))).reshape(y.shape)
    return reduce("sum", cast(y, "f64") * constant(weights, "f64"))


def check_gradient(
    function: Callable[..., Value], *arrays: np.ndarray, step: float = 1e-6, tolerance: float = 1e-6
) -> None:
    """Compares the gradient with central differences, in float64 whatever floats are given."""
    arrays = tuple(a.astype(np.float64) if a.dtype.kind == "f" else a for a in arrays)
    found = gradient_of(function, *arrays)
    floating = [i for i, a in enumerate(arrays) if a.dtype.kind == "f"]

    def value(changed: list[np.ndarray]) -> float:
        def scalar(*v: Value) -> Value:
            return _scalar(function(*v))

        return float(run(scalar, *changed)[0])

    for g, which in zip(found, floating, strict=True):
        base = arrays[which]
        for flat in np.unique(np.linspace(0, base.size - 1, min(base.size, 6)).astype(int)):
            at = np.unravel_index(flat, base.shape)
            sides = []
            for sign in (1, -1):
                moved = [a.copy() for a in arrays]
                moved[which][at] += sign * step
                sides.append(value(moved))
            numeric = (sides[0] - sides[1]) / (2 * step)
            np.testing.assert_allclose(g[at], numeric, rtol=tolerance * 100, atol=tolerance * max(1.0, np.abs(g).max()))
