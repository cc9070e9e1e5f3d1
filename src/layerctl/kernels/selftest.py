"""A small kernel full of constants whose results are known: loaded beside what comes from the store, it shows that loading works.

An object file can be whole and still be linked wrongly: its constants are then read from another object's place, silently.
"""

from __future__ import annotations

import ctypes
import functools
import struct

NAME = "layerctl_selftest"
_COUNT = 16
_FACTORS = (3.25, -1.75, 0.375)
_TERMS = (0.625, 5.5, -7.125)


@functools.cache
def object_code() -> bytes:
    """The object file of a kernel that computes y = ((x f1 + t1) f2 + t2) f3 + t3."""
    from layerctl.kernels import loops, target
    from layerctl.ops.kernel import Loop

    instructions: list[tuple[str, str, tuple[object, ...]]] = []
    for i, (factor, term) in enumerate(zip(_FACTORS, _TERMS, strict=True)):
        instructions.append(("mul", "f32", (2 * i, ("const", "f32", factor))))
        instructions.append(("add", "f32", (2 * i + 1, ("const", "f32", term))))
    loop = Loop((("f32", 1),), tuple(instructions), (len(instructions),))
    return target.object_code(loops.emit(loop, NAME))


def passes(address: int) -> bool:
    """Whether the kernel at an address computes what it should; the numbers are exact in float32 at every step."""
    given = [i - 7.5 for i in range(_COUNT)]
    expected = list(given)
    for factor, term in zip(_FACTORS, _TERMS, strict=True):
        expected = [v * factor + term for v in expected]
    x, y = (ctypes.c_float * _COUNT)(*given), (ctypes.c_float * _COUNT)()
    block = (ctypes.c_int64 * 3)(_COUNT, ctypes.addressof(x), ctypes.addressof(y))
    ctypes.CFUNCTYPE(None, *[ctypes.c_int64] * 3)(address)(0, 1, ctypes.addressof(block))
    return bytes(y) == struct.pack(f"{_COUNT}f", *expected)
