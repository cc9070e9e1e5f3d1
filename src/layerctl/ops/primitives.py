"""The plain Python twins of what kernels may call; `kernels` puts the machine's own under these names when it compiles.

Scalars only. A pointer is a numpy array here and an address there.
"""

from __future__ import annotations

import math

import numpy as np


def share_low(n: int, task: int, tasks: int) -> int:
    """The first element of share `task` of `n` elements cut into `tasks`."""
    return n * task // tasks


def fma(a: float, b: float, c: float) -> float:
    """a * b + c, rounded once (twice here)."""
    return type(a)(float(a) * float(b) + float(c))


def exp(x: float) -> float:
    """e to the x, in x's dtype; infinity above the largest, 0 below the least, NaN for NaN."""
    with np.errstate(over="ignore", under="ignore"):
        return np.exp(x)


def log(x: float) -> float:
    """The natural logarithm: -inf at 0, NaN below."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.log(x)


def tanh(x: float) -> float:
    """The hyperbolic tangent."""
    return np.tanh(x)


def sigmoid(x: float) -> float:
    """1 / (1 + exp(-x))."""
    with np.errstate(over="ignore"):
        return type(x)(1) / (type(x)(1) + np.exp(-x))


def sqrt(x: float) -> float:
    """The square root, correctly rounded."""
    with np.errstate(invalid="ignore"):
        return np.sqrt(x)


def narrowed(pointer: np.ndarray, x: float) -> float:
    """The number in the pointer's dtype."""
    return pointer.dtype.type(x)


def offset(pointer: np.ndarray, elements: int) -> np.ndarray:
    """The pointer moved on by some elements."""
    return pointer[elements:]


def is_null(pointer: np.ndarray | None) -> bool:
    """Whether an address is 0."""
    return pointer is None


def philox(counter0: int, counter1: int, counter2: int, counter3: int, key0: int, key1: int) -> int:
    """Philox4x32-10 (Salmon et al. 2011, "Parallel random numbers: as easy as 1, 2, 3"); the first 64 of its 128 bits.

    Arguments are taken modulo 2**32; the result is output word 0 in the low half, word 1 in the high half, as a signed int64.
    """
    c = [int(v) & 0xFFFFFFFF for v in (counter0, counter1, counter2, counter3)]
    k0, k1 = int(key0) & 0xFFFFFFFF, int(key1) & 0xFFFFFFFF
    for _ in range(10):
        p0, p1 = 0xD2511F53 * c[0], 0xCD9E8D57 * c[2]
        c = [(p1 >> 32) ^ c[1] ^ k0, p1 & 0xFFFFFFFF, (p0 >> 32) ^ c[3] ^ k1, p0 & 0xFFFFFFFF]
        k0, k1 = (k0 + 0x9E3779B9) & 0xFFFFFFFF, (k1 + 0xBB67AE85) & 0xFFFFFFFF
    word = c[0] | c[1] << 32
    return word - (1 << 64) if word >= 1 << 63 else word


def isfinite(x: float) -> bool:
    """Neither NaN nor infinite."""
    return math.isfinite(x)


def wrap(x: int) -> int:
    """A whole number modulo 2**64, as a signed int64: what 64-bit arithmetic leaves of it."""
    return ((int(x) + (1 << 63)) & ((1 << 64) - 1)) - (1 << 63)
