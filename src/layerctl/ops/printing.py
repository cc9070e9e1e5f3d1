"""Numbers as decimal text, and fields put together to lines: what turns arrays of results into bytes without a Python object for each.

No op uses these kernels: they are called from the host, on whole columns. Numbers have nine significant digits, rounded half to even from
the exact binary value, as C's `%.9g` and Python's `format(x, ".9g")` write them.
"""

from __future__ import annotations

from typing import Any

from layerctl.ops.kernel import kernel
from layerctl.ops.primitives import fma, share_low

ROOM = 24
"""Bytes that a number takes at most: a sign, nine digits and up to twelve more for a point, zeros or an exponent."""
POWERS = 22
"""The largest power of ten that is a float64 exactly: numbers below 1e-14 or from 1e22 on are left to the host."""


def _scaled(v: float, powers: Any, k: int) -> int:
    """v * 10**k rounded to a whole number, half to even, for results below 2**31 and -POWERS <= k <= POWERS.

    The product is exact as the sum of `p` and its error `e`; a quotient is compared by its exact remainder.
    """
    if k >= 0:
        p = v * powers[k]
        e = fma(v, powers[k], -p)
        r = int(p)
        d = (p - float(r)) - 0.5
        if d > 0.0 or (d == 0.0 and (e > 0.0 or (e == 0.0 and r & 1 == 1))):
            r += 1
        return r
    w = powers[-k]
    r = int(v / w)
    rest = fma(-float(r), w, v)
    if rest < 0.0:
        r -= 1
        rest += w
    if 2.0 * rest > w or (2.0 * rest == w and r & 1 == 1):
        r += 1
    return r


def _exponent(v: float, powers: Any) -> int:
    """The decimal exponent of v > 0, give or take one; beyond what `powers` reach for numbers that are left to the host."""
    x = 0
    if v >= 1.0:
        while x < POWERS and v >= powers[x + 1 if x < POWERS else x]:
            x += 1
        return x
    x = -1
    while x > -15 and v * powers[-x] < 1.0:
        x -= 1
    return x


def _whole_digits(v: float, powers: Any) -> tuple[int, int]:
    """(nine digits as a number, decimal exponent) of v in [1e-14, 1e22)."""
    x = _exponent(v, powers)
    r = _scaled(v, powers, 8 - x)
    if r < 100000000:
        x -= 1
        r = _scaled(v, powers, 8 - x)
    if r >= 1000000000:
        x += 1
        r = _scaled(v, powers, 8 - x)
    return r, x


def _exponent_written(out: Any, at: int, x: int) -> int:
    """`e-05` behind the digits; where it ends."""
    out[at] = 101
    out[at + 1] = 45 if x < 0 else 43
    x = -x if x < 0 else x
    out[at + 2] = 48 + x // 10
    out[at + 3] = 48 + x % 10
    return at + 4


def _written(out: Any, at: int, r: int, x: int, wide: int, point: int) -> int:
    """Writes the nine digits `r` with the exponent x, without zeros at the end; where it ends."""
    count = 9
    while count > 1 and r % 10 == 0:
        r //= 10
        count -= 1
    exponential = x < -4 or x >= wide
    before = 1 if exponential else x + 1  # digits before the point; none or fewer for numbers below 1
    if before < 1:
        out[at], out[at + 1] = 48, 46
        for i in range(-before):
            out[at + 2 + i] = 48
        at += 2 - before
    dotted = 1 if 1 <= before < count else 0
    for i in range(count):
        j = count - 1 - i
        out[at + j + (dotted if j >= before else 0)] = 48 + r % 10
        r //= 10
    if dotted == 1:
        out[at + before] = 46
    at += count + dotted
    if exponential:
        return _exponent_written(out, at, x)
    for _ in range(before - count):
        out[at] = 48
        at += 1
    if point == 1 and before >= count:
        out[at], out[at + 1] = 46, 48
        at += 2
    return at


@kernel
def numbers(task: int, tasks: int, x: "f64*", out: "u8*", lengths: "i64*", powers: "f64*", n: "i64", wide: "i64", point: "i64"):
    """Number i as text at out[ROOM * i], `lengths[i]` bytes; -1 for what is left to the host: NaN, infinities, the very large and small.

    Shapes: x (n), out (n * ROOM), lengths (n), powers (POWERS + 1: 10**0 ...). Exponents stand from 10**wide on and below 10**-4; with
    `point` a whole number has `.0` behind it.
    """
    low, high = share_low(n, task, tasks), share_low(n, task + 1, tasks)
    for i in range(high - low):
        row = low + i
        v, at = x[row], ROOM * row
        if v < 0.0 or (v == 0.0 and 1.0 / v < 0.0):
            out[at] = 45
            at += 1
            v = -v
        if v == 0.0:
            out[at] = 48
            at += 1
            if point == 1:
                out[at], out[at + 1] = 46, 48
                at += 2
            lengths[row] = at - ROOM * row
        elif v >= 1e-14 and v < 1e22:
            r, e = _whole_digits(v, powers)
            lengths[row] = _written(out, at, r, e, wide, point) - ROOM * row
        else:
            lengths[row] = -1


@kernel
def placed(task: int, tasks: int, out: "u8*", at: "i64*", data: "u8*", starts: "i64*", lengths: "i64*", codes: "i64*", before: "u8*", size: "i64",
           n: "i64"):  # fmt: skip
    """Puts `before` (size bytes) and word codes[i] of `data` at out[at[i]], and moves at[i] on behind them.

    Shapes: at, codes (n); a word is lengths[code] bytes from starts[code] on. Lines do not overlap, so that any share may be written first.
    """
    low, high = share_low(n, task, tasks), share_low(n, task + 1, tasks)
    for i in range(high - low):
        row = low + i
        to, code = at[row], codes[row]
        for j in range(size):
            out[to + j] = before[j]
        to += size
        start, length = starts[code], lengths[code]
        for j in range(length):
            out[to + j] = data[start + j]
        at[row] = to + length
