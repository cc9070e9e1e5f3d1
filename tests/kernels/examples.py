"""Kernels for the tests of the compiler and the store, and a process that runs them: `python examples.py` prints digests as JSON."""

# ruff: noqa: F722, F821

import ctypes
import hashlib
import json
import os
import sys

import numpy as np

from layerctl.ops.kernel import Loop, Reduction, bits, kernel
from layerctl.ops.primitives import exp, fma, is_null, offset, philox, share_low, tanh

SCALE = 0.75


def polynomial(x: float, c: float) -> float:
    return fma(x, fma(x, c, x), c) * SCALE


@kernel
def curve(task: int, tasks: int, x: "T*", y: "T*", n: "i64", c: "T"):
    """y = tanh(polynomial(x)) + exp(x)."""
    low = share_low(n, task, tasks)
    here, there = offset(x, low), offset(y, low)
    for i in range(share_low(n, task + 1, tasks) - low):
        there[i] = tanh(polynomial(here[i], c)) + exp(here[i])


@kernel
def counted(task: int, tasks: int, x: "i32*", mask: "u8*", total: "i64*", seed: "i64", n: "i64"):
    """total[0] = sum of x, where mask is given and set; total[1] = a random word."""
    total[0] = 0
    for i in range(n):
        if is_null(mask) or mask[i] != 0:
            total[0] += x[i]
    total[1] = philox(seed, 1, 2, 3, 4, 5)


@kernel
def raises(task: int, tasks: int, x: "f32*"):
    """No kernel: it raises."""
    if x[0] > 1:
        raise ValueError


REFS = {
    "curve_f32": curve.at(T="f32"), "curve_f64": curve.at(T="f64"), "counted": counted.at(),
    "loop": Loop((("f32", 1),), (("exp", "f32", (0,)), ("mul", "f32", (1, ("const", "f32", 0.3)))), (2,)),
    "sum": Reduction("sum", "f32", "f64"),
}  # fmt: skip


def call(address: int, layout: tuple[str, ...], *args: object, tasks: int = 1) -> None:
    """Runs a kernel by its address, share by share."""
    row = [a.ctypes.data if isinstance(a, np.ndarray) else bits(k, a) for k, a in zip(layout, args, strict=True)]
    block = np.array(row, np.int64)
    for task in range(tasks):
        ctypes.CFUNCTYPE(None, *[ctypes.c_int64] * 3)(address)(task, tasks, block.ctypes.data)


def results() -> dict[str, np.ndarray]:
    """What each kernel computes of fixed operands."""
    from layerctl.kernels.store import addresses

    table = addresses(list(REFS.values()))
    at = {name: (table[ref.key], ref.layout) for name, ref in REFS.items()}
    x = np.linspace(-5, 5, 1003)
    single, out = x.astype(np.float32), {}
    out["curve_f32"] = np.zeros_like(single)
    call(*at["curve_f32"], single, out["curve_f32"], 1003, 0.3, tasks=3)
    out["curve_f64"] = np.zeros_like(x)
    call(*at["curve_f64"], x, out["curve_f64"], 1003, 0.3)
    out["counted"] = np.zeros(2, np.int64)
    call(*at["counted"], np.arange(10, dtype=np.int32), (np.arange(10) % 2).astype(np.uint8), out["counted"], 9, 10)
    out["loop"] = np.zeros_like(single)
    call(*at["loop"], 1003, single, out["loop"])
    out["sum"] = np.zeros(1)
    call(*at["sum"], single, out["sum"], 1, 1003, 1)
    return out


def refused(objects: dict[str, bytes]) -> None:
    """Stands in for our own linker where LLVM's is wanted."""
    raise store.Unlinkable


if __name__ == "__main__":
    from layerctl.kernels import store

    if os.environ.get("LINK_BY_LLVM"):
        store.link = refused
    digests = {name: hashlib.sha256(array.tobytes()).hexdigest()[:16] for name, array in results().items()}
    place = store.folder()
    found = {name: name in sys.modules for name in ("numba", "llvmlite")}
    print(json.dumps({"digests": digests, **found, "folder": place and str(place), "lanes": store.target.host().lanes}))
