"""A few kernels of each kind, run on this machine and compared with numpy: whether computing works, and how long it takes."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from layerctl.compile.pipeline import compile_program
from layerctl.compile.program import Layout
from layerctl.ops.conv import conv
from layerctl.ops.elementwise import apply
from layerctl.ops.leaves import input_
from layerctl.ops.matmul import matmul
from layerctl.ops.reduce import reduce
from layerctl.ops.softmax import softmax
from layerctl.ops.value import Trace, Type, Value, tracing
from layerctl.runtime.machine import Machine, State

TOLERANCE = 1e-5
_RUNS = 9


@dataclass(frozen=True)
class Probe:
    """One computation: seconds until it was ready (loaded, or compiled) and of a run, and how far it is from numpy.

    The difference is relative to the largest value; `error` says what ended it, where something did.
    """

    name: str
    ready: float
    run: float
    difference: float
    error: str | None = None

    @property
    def ok(self) -> bool:
        """Whether it computed what numpy does."""
        return self.error is None and self.difference <= TOLERANCE


def _softmax(x: np.ndarray) -> np.ndarray:
    e = np.exp(x - x.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


def _convolved(x: np.ndarray, w: np.ndarray) -> np.ndarray:
    n = x.shape[1] - w.shape[0] + 1
    return sum(x[:, i : i + n, j : j + n] @ w[i, j] for i in range(w.shape[0]) for j in range(w.shape[1]))  # type: ignore[return-value]


_PROBES: dict[str, tuple[Callable[..., Value], Callable[..., np.ndarray], tuple[tuple[int, ...], ...]]] = {
    "a product, 256 x 256 x 256": (matmul, np.matmul, ((256, 256), (256, 256))),
    "a convolution, 8 x 30 x 30 x 32": (lambda x, w: conv(x, w, (1, 1)), _convolved, ((8, 32, 32, 16), (3, 3, 16, 32))),
    "tanh of 65,536 numbers": (lambda x: apply("tanh", x), np.tanh, ((256, 256),)),
    "sums of 256 rows": (lambda x: reduce("sum", x, 1), lambda x: x.sum(1), ((256, 1000),)),
    "softmax of 256 rows": (softmax, _softmax, ((256, 100),)),
}  # fmt: skip


def probes(threads: int | None = None) -> Iterator[Probe]:
    """The computations one after the other; an exception in one is its result."""
    machine = Machine(threads)
    try:
        for name, (function, oracle, shapes) in _PROBES.items():
            try:
                yield _probe(machine, name, function, oracle, shapes)
            except Exception as error:
                yield Probe(name, 0.0, 0.0, float("inf"), f"{type(error).__name__}: {error}")
    finally:
        machine.close()


def _probe(machine: Machine, name: str, function: Callable[..., Value], oracle: Callable[..., np.ndarray], shapes: tuple) -> Probe:
    rng = np.random.default_rng(0)
    arrays = [rng.standard_normal(s).astype(np.float32) for s in shapes]
    start = time.perf_counter()
    trace = Trace()
    with tracing(trace):
        out = function(*(input_(f"x{i}", Type(a.shape)) for i, a in enumerate(arrays)))
    program = compile_program(trace, {"y": out}, {}, Layout())
    bound = machine.bind(program, State(program.layout), {})
    for i, a in enumerate(arrays):
        bound.input(f"x{i}")[...] = a
    machine.run(bound)
    ready = time.perf_counter() - start
    times = []
    for _ in range(_RUNS):
        start = time.perf_counter()
        machine.run(bound)
        times.append(time.perf_counter() - start)
    wanted = oracle(*(a.astype(np.float64) for a in arrays))
    found = bound.output("y")
    difference = float(np.abs(found - wanted).max() / np.abs(wanted).max())
    return Probe(name, ready, statistics.median(times), difference if np.isfinite(found).all() else float("inf"))
