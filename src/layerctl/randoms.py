"""Random numbers for the host: Philox in numpy, and transforms whose arithmetic is the same on every machine.

The same counters as `ops/primitives.philox`. Nothing here calls libm: logarithms are our own, sums are in fixed order.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Any

import numpy as np

_MASK = np.uint64(0xFFFFFFFF)
_AT_A_TIME = 1 << 14
"""Words that are computed together: what that needs stays in cache."""


def key_of(*parts: Any) -> int:
    """A 64-bit key from any parts (a seed, a path, a purpose); the same on every machine."""
    text = "\x1f".join(str(p) for p in parts)
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "little")


def bits(key: int, n: int, stream: int = 0) -> np.ndarray:
    """n random words of 64 bits (uint64): Philox4x32-10 at counters (i, i >> 32, stream, stream >> 32)."""
    out = np.empty(n, np.uint64)
    for low in range(0, n, _AT_A_TIME):
        out[low : low + _AT_A_TIME] = _words(key, np.arange(low, min(low + _AT_A_TIME, n), dtype=np.uint64), stream)
    return out


def _words(key: int, i: np.ndarray, stream: int) -> np.ndarray:
    """The words of some numbers."""
    n = len(i)
    c0, c1 = i & _MASK, i >> np.uint64(32)
    c2 = np.full(n, stream & 0xFFFFFFFF, np.uint64)
    c3 = np.full(n, (stream >> 32) & 0xFFFFFFFF, np.uint64)
    k0, k1 = key & 0xFFFFFFFF, (key >> 32) & 0xFFFFFFFF
    for _ in range(10):
        p0, p1 = np.uint64(0xD2511F53) * c0, np.uint64(0xCD9E8D57) * c2
        c0, c1, c2, c3 = (
            (p1 >> np.uint64(32)) ^ c1 ^ np.uint64(k0), p1 & _MASK, (p0 >> np.uint64(32)) ^ c3 ^ np.uint64(k1), p0 & _MASK,
        )  # fmt: skip
        k0, k1 = (k0 + 0x9E3779B9) & 0xFFFFFFFF, (k1 + 0xBB67AE85) & 0xFFFFFFFF
    return c0 | c1 << np.uint64(32)


def uniform(key: int, n: int, stream: int = 0) -> np.ndarray:
    """n numbers in [0, 1) as float64, 53 bits each."""
    return (bits(key, n, stream) >> np.uint64(11)).astype(np.float64) * 2.0**-53


def normal(key: int, n: int, stream: int = 0) -> np.ndarray:
    """n standard normal numbers as float64."""
    return quantile(uniform(key, n, stream) + 2.0**-54)


def truncated_normal(key: int, n: int, stream: int = 0) -> np.ndarray:
    """n standard normal numbers within two standard deviations, as float64."""
    low = 0.022750131948179195
    return quantile(low + uniform(key, n, stream) * (1.0 - 2.0 * low))


def permutation(key: int, n: int, stream: int = 0) -> np.ndarray:
    """0..n-1 in random order (int64): the stable order of n random words."""
    return np.argsort(bits(key, n, stream), kind="stable").astype(np.int64, copy=False)


def log(x: np.ndarray) -> np.ndarray:
    """The natural logarithm of positive float64 numbers, by arithmetic alone; error below 2 ulp.

    x = m 2^e with m in [sqrt(1/2), sqrt(2)); log m = 2 atanh(s), s = (m - 1) / (m + 1), by its odd series.
    """
    m, e = np.frexp(x)
    small = m < 0.7071067811865476
    m, e = np.where(small, m * 2.0, m), np.where(small, e - 1, e).astype(np.float64)
    s = (m - 1.0) / (m + 1.0)
    z = s * s
    series = np.zeros_like(z)
    for k in range(23, 1, -2):
        series = (series + 1.0 / k) * z
    return e * 0.6931471803691238 + (2.0 * s * (1.0 + series) + e * 1.9082149292705877e-10)


_CENTRE = (
    (3.3871328727963666080e0, 1.3314166789178437745e2, 1.9715909503065514427e3, 1.3731693765509461125e4,
     4.5921953931549871457e4, 6.7265770927008700853e4, 3.3430575583588128105e4, 2.5090809287301226727e3),
    (1.0, 4.2313330701600911252e1, 6.8718700749205790830e2, 5.3941960214247511077e3,
     2.1213794301586595867e4, 3.9307895800092710610e4, 2.8729085735721942674e4, 5.2264952788528545610e3),
)  # fmt: skip
_MIDDLE = (
    (1.42343711074968357734e0, 4.63033784615654529590e0, 5.76949722146069140550e0, 3.64784832476320460504e0,
     1.27045825245236838258e0, 2.41780725177450611770e-1, 2.27238449892691845833e-2, 7.74545014278341407640e-4),
    (1.0, 2.05319162663775882187e0, 1.67638483018380384940e0, 6.89767334985100004550e-1,
     1.48103976427480074590e-1, 1.51986665636164571966e-2, 5.47593808499534494600e-4, 1.05075007164441684324e-9),
)  # fmt: skip
_TAIL = (
    (6.65790464350110377720e0, 5.46378491116411436990e0, 1.78482653991729133580e0, 2.96560571828504891230e-1,
     2.65321895265761230930e-2, 1.24266094738807843860e-3, 2.71155556874348757815e-5, 2.01033439929228813265e-7),
    (1.0, 5.99832206555887937690e-1, 1.36929880922735805310e-1, 1.48753612908506148525e-2,
     7.86869131145613259100e-4, 1.84631831751005468180e-5, 1.42151175831644588870e-7, 2.04426310338993978564e-15),
)  # fmt: skip


def _ratio(r: np.ndarray, coefficients: tuple[tuple[float, ...], tuple[float, ...]]) -> np.ndarray:
    top, bottom = (np.full_like(r, c[-1]) for c in coefficients)
    for a, b in zip(coefficients[0][-2::-1], coefficients[1][-2::-1], strict=True):
        top, bottom = top * r + a, bottom * r + b
    return top / bottom


def quantile(p: np.ndarray) -> np.ndarray:
    """The standard normal quantile, relative error about 1e-16 (Wichura 1988, algorithm AS 241)."""
    q = p - 0.5
    centre = q * _ratio(0.180625 - q * q, _CENTRE)
    r = np.sqrt(-log(np.maximum(np.minimum(p, 1.0 - p), 1e-300)))
    tail = np.where(r <= 5.0, _ratio(r - 1.6, _MIDDLE), _ratio(r - 5.0, _TAIL))
    return np.where(np.abs(q) <= 0.425, centre, np.where(q < 0, -tail, tail))


_LEAVES = 1 << 20


def total(x: np.ndarray, term: Callable[[np.ndarray], np.ndarray] | None = None) -> float:
    """The sum of float64 numbers, or of a term for each of them, by a fixed tree; a share of it at a time, so that it needs little memory."""
    flat = x.reshape(-1)
    if len(flat) > _LEAVES:
        return total(np.array([total(flat[low : low + _LEAVES], term) for low in range(0, len(flat), _LEAVES)]))
    x = flat.astype(np.float64) if term is None else term(flat.astype(np.float64))
    while len(x) > 1:
        if len(x) % 2:
            x = np.append(x, 0.0)
        x = x[0::2] + x[1::2]
    return float(x[0]) if len(x) else 0.0
