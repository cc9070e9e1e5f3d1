"""Kernels that Python calls one at a time, on arrays of its own: for work outside of programs, such as text in and out."""

from __future__ import annotations

import ctypes
import importlib
from collections.abc import Callable, Sequence

import numpy as np

from layerctl.kernels import store

Native = Callable[..., None]


def native(module: str, names: Sequence[str], compiling: bool = True) -> tuple[Native, ...] | None:
    """The kernels `names` of `layerctl.ops.MODULE`, ready to be called with arrays and whole numbers.

    What the store has is loaded without the module; what it lacks is compiled, or None is returned where that is not wanted. Callers keep
    arrays alive, in C order and of the dtypes that the kernel names: nothing is checked. A call runs on this thread, without the interpreter's lock.
    """
    keys = [f"{module}.{name}" for name in names]
    found = store.known([store.symbol_of(key) for key in keys])
    if found is not None:
        return tuple(_caller(found[store.symbol_of(key)]) for key in keys)
    if not compiling:
        return None
    from layerctl.ops.kernel import KERNELS

    importlib.import_module(f"layerctl.ops.{module}")
    made = store.addresses([KERNELS[key].at() for key in keys])
    return tuple(_caller(made[key]) for key in keys)


def _caller(address: int) -> Native:
    run = ctypes.CFUNCTYPE(None, *[ctypes.c_int64] * 3)(address)

    def call(*arguments: np.ndarray | int) -> None:
        block = np.array([a.ctypes.data if isinstance(a, np.ndarray) else a for a in arguments], np.int64)
        run(0, 1, block.ctypes.data)

    return call
