"""Products, convolutions, pooling and sums whose bits are compared between shares, threads and vector widths; prints their digests."""

from __future__ import annotations

import ctypes
import hashlib
from typing import Any

import numpy as np

from layerctl.compile.pipeline import compile_program
from layerctl.compile.program import Layout
from layerctl.ops.conv import Conv, ConvInputGradient, ConvWeightGradient, conv, output_size, padding
from layerctl.ops.elementwise import apply
from layerctl.ops.leaves import input_
from layerctl.ops.matmul import matmul
from layerctl.ops.pool import Pool, PoolGradient, pool
from layerctl.ops.reduce import reduce
from layerctl.ops.value import Trace, Type, tracing
from layerctl.runtime.machine import Machine, State

MACHINE = Machine(1)


def cases() -> dict[str, tuple[Any, ...]]:
    """Name -> (function of Values, shapes)."""
    found: dict[str, tuple[Any, ...]] = {}
    for m, k, n in ((1, 40, 33), (50, 300, 70), (130, 17, 10), (20, 9000, 21), (260, 300, 2000), (300, 700, 800)):
        found[f"matmul {m} {k} {n}"] = (matmul, (m, k), (k, n))
        found[f"matmul transposed {m} {k} {n}"] = (lambda a, b: matmul(a, b, True, True), (k, m), (n, k))
    found["gradient of weights 70 2100 64"] = (lambda a, b: matmul(a, b, True), (2100, 70), (2100, 64))
    found["gradient of weights 600 300 700"] = (lambda a, b: matmul(a, b, True), (300, 600), (300, 700))
    for m in (2, 50):
        found[f"finished product of {m} rows"] = (lambda a, b, c: apply("relu", matmul(a, b) + c), (m, 300), (300, 70), (70,))
    found["pooled convolution"] = (lambda x, w, c: apply("relu", pool(conv(x, w, (1, 1)), "max", (2, 3), (2, 3)) + c), (3, 9, 11, 5), (3, 3, 5, 19), (19,))
    found["sum of columns"] = (lambda x: reduce("sum", x, (0, 1)), (30, 70, 40))
    for x, w, strides, groups in (
        ((3, 13, 11, 5), (3, 3, 5, 19), (1, 1), 1), ((2, 12, 12, 32), (3, 3, 32, 40), (2, 2), 1), ((2, 9, 9, 19), (3, 3, 1, 19), (1, 1), 19),
        ((2, 9, 9, 8), (3, 3, 2, 12), (1, 1), 4), ((4, 6, 6, 20), (1, 1, 20, 70), (1, 1), 1),
        ((5, 8, 6, 64), (3, 3, 64, 80), (1, 1), 1), ((3, 6, 12, 16), (3, 3, 16, 32), (1, 1), 1),
        ((2, 8, 7, 64), (3, 3, 64, 64), (1, 1), 1), ((2, 260, 6), (4, 6, 16), (1,), 1), ((1, 4, 6, 5, 3), (3, 3, 3, 3, 7), (1, 2, 1), 1),
        ((3, 5, 6, 7, 1), (3, 3, 3, 1, 16), (1, 1, 1), 1), ((3, 12, 11, 1), (3, 3, 1, 50), (2, 1), 1), ((4, 16, 9, 3), (3, 3, 3, 9), (1, 1), 1),
    ):  # fmt: skip
        dilation = (1,) * len(strides)
        pads = padding("valid" if x[-1] == 1 else "same", x[1:-1], w[:-2], strides, dilation)
        how = {"strides": strides, "dilation": dilation, "pads": pads, "groups": groups}
        y = (x[0], *output_size(x[1:-1], w[:-2], strides, dilation, pads), w[-1])
        found[f"conv {x} {w}"] = (lambda a, b, how=how: Conv.apply(a, b, **how), x, w)
        found[f"conv dx {x} {w}"] = (lambda g, b, how=how, x=x: ConvInputGradient.apply(g, b, shape=x, **how), y, w)
        found[f"conv dw {x} {w}"] = (lambda a, g, how=how, w=w: ConvWeightGradient.apply(a, g, shape=w, **how), x, y)
    for kind in ("max", "average"):
        how = {"kind": kind, "size": (3, 2), "strides": (2, 2), "pads": ((1, 0), (0, 1))}
        found[f"{kind} pool"] = (lambda v, how=how: Pool.apply(v, **how), (3, 7, 8, 19))
        found[f"{kind} pool gradient"] = (
            lambda v, g, how=how: PoolGradient.apply(v, g, **how),
            (3, 7, 8, 19),
            (3, 3, 4, 19),
        )
    return found


def result(function: Any, shapes: tuple[tuple[int, ...], ...], tasks: int | None) -> bytes:
    """The result's bytes; every call cut into so many shares, run one after another, or as the machine does it."""
    trace = Trace()
    with tracing(trace):
        y = function(*[input_(f"x{i}", Type(s, "f32")) for i, s in enumerate(shapes)])
    layout = Layout()
    program = compile_program(trace, {"y": y}, {}, layout)
    bound = MACHINE.bind(program, State(layout), {})
    for i, s in enumerate(shapes):
        bound.input(f"x{i}")[...] = np.random.default_rng(i).standard_normal(s)
    if tasks is None:
        MACHINE.run(bound)
    else:
        for planned, (kernel, block, *_) in zip(program.calls, bound.instructions.tolist(), strict=True):
            entry = ctypes.CFUNCTYPE(None, *[ctypes.c_int64] * 3)(kernel)
            shares = min(tasks, planned.call.tasks)
            for task in reversed(range(shares)):
                entry(task, shares, block)
    return bound.output("y").tobytes()


def digests(tasks: int | None = None) -> dict[str, str]:
    """Name -> digest of the result."""
    return {name: hashlib.sha256(result(f, shapes, tasks)).hexdigest() for name, (f, *shapes) in cases().items()}


if __name__ == "__main__":
    for name, digest in digests().items():
        print(f"{digest} {name}")
