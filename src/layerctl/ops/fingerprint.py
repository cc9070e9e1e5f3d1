"""Hashes of texts, the same in a kernel and on the host: FarmHash's fingerprint (farmhashna::Hash64) and SipHash-2-4.

Words of 64 bits are signed int64 here, since kernels have no other; `wrap` stands wherever a result may leave them. A text is its bytes:
a pointer to u8 in a kernel, bytes in Python. FarmHash: Pike 2014; SipHash: Aumasson and Bernstein 2012.
"""

from __future__ import annotations

from typing import Any

from layerctl.ops.primitives import offset, wrap

K0 = 0xC3A5C85C97CB3127 - (1 << 64)
K1 = 0xB492B66FBE98F273 - (1 << 64)
K2 = 0x9AE16A3B2F90404F - (1 << 64)
CROSS = 0xC6A4A7935BD1E995 - (1 << 64)
CROSSING_KEY = 0xDECAFCAFFE
"""Where the crossing of features starts."""
_SIP0, _SIP1, _SIP2, _SIP3 = 0x736F6D6570736575, 0x646F72616E646F6D, 0x6C7967656E657261, 0x7465646279746573


def shifted(x: int, k: int) -> int:
    """x >> k with zeros from the left, 0 < k < 64."""
    return (x >> k) & wrap((1 << (64 - k)) - 1)


def rotated(x: int, k: int) -> int:
    """x turned right by k bits, 0 < k < 64."""
    return shifted(x, k) | wrap(x << (64 - k))


def mixed(x: int) -> int:
    """x ^ x >> 47."""
    return x ^ shifted(x, 47)


def word(s: Any, count: int) -> int:
    """`count` bytes, the least significant first."""
    out = 0
    for i in range(count):
        out |= wrap(int(s[i]) << (8 * i))
    return out


def pair(u: int, v: int, mul: int) -> int:
    """Two words as one."""
    a = mixed(wrap((u ^ v) * mul))
    return wrap(mixed(wrap((v ^ a) * mul)) * mul)


def _to_16(s: Any, n: int) -> int:
    mul = wrap(K2 + 2 * n)
    if n >= 8:
        a, b = wrap(word(s, 8) + K2), word(offset(s, n - 8), 8)
        c, d = wrap(wrap(rotated(b, 37) * mul) + a), wrap(wrap(rotated(a, 25) + b) * mul)
        return pair(c, d, mul)
    if n >= 4:
        return pair(n + (word(s, 4) << 3), word(offset(s, n - 4), 4), mul)
    if n > 0:
        y, z = int(s[0]) + (int(s[n >> 1]) << 8), n + (int(s[n - 1]) << 2)
        return wrap(mixed(wrap(y * K2) ^ wrap(z * K0)) * K2)
    return K2


def _to_64(s: Any, n: int) -> int:
    mul = wrap(K2 + 2 * n)
    first = K1 if n <= 32 else K2
    a, b = wrap(word(s, 8) * first), word(offset(s, 8), 8)
    c, d = wrap(word(offset(s, n - 8), 8) * mul), wrap(word(offset(s, n - 16), 8) * K2)
    y = wrap(rotated(wrap(a + b), 43) + rotated(c, 30) + d)
    z = pair(y, wrap(a + rotated(wrap(b + K2), 18) + c), mul)
    if n <= 32:
        return z
    e, f = wrap(word(offset(s, 16), 8) * mul), word(offset(s, 24), 8)
    g, h = wrap(wrap(y + word(offset(s, n - 32), 8)) * mul), wrap(wrap(z + word(offset(s, n - 24), 8)) * mul)
    return pair(wrap(rotated(wrap(e + f), 43) + rotated(g, 30) + h), wrap(e + rotated(wrap(f + a), 18) + g), mul)


def _weak(s: Any, a: int, b: int) -> tuple[int, int]:
    """32 bytes and two seeds as two words."""
    a = wrap(a + word(s, 8))
    z = word(offset(s, 24), 8)
    b = rotated(wrap(b + a + z), 21)
    c = a
    a = wrap(a + word(offset(s, 8), 8) + word(offset(s, 16), 8))
    return wrap(a + z), wrap(b + rotated(a, 44) + c)


def farmhash(s: Any, n: int) -> int:
    """The fingerprint of n bytes."""
    if n <= 16:
        return _to_16(s, n)
    if n <= 64:
        return _to_64(s, n)
    x, y = 81, wrap(81 * K1 + 113)
    z = wrap(mixed(wrap(y * K2 + 113)) * K2)
    v0, v1, w0, w1 = 0, 0, 0, 0
    x = wrap(x * K2 + word(s, 8))
    blocks, over, mul = (n - 1) // 64, (n - 1) & 63, K1
    for block in range(blocks + 1):
        at, nine = offset(s, 64 * block), 1
        if block == blocks:
            at, nine, mul = offset(s, n - 64), 9, wrap(K1 + ((z & 255) << 1))
            w0 = wrap(w0 + over)
            v0 = wrap(v0 + w0)
            w0 = wrap(w0 + v0)
        x = wrap(rotated(wrap(x + y + v0 + word(offset(at, 8), 8)), 37) * mul)
        y = wrap(rotated(wrap(y + v1 + word(offset(at, 48), 8)), 42) * mul)
        x ^= wrap(w1 * nine)
        y = wrap(y + wrap(v0 * nine) + word(offset(at, 40), 8))
        z = wrap(rotated(wrap(z + w0), 33) * mul)
        v0, v1 = _weak(at, wrap(v1 * mul), wrap(x + w0))
        w0, w1 = _weak(offset(at, 32), wrap(z + w1), wrap(y + word(offset(at, 16), 8)))
        z, x = x, z
    return pair(wrap(pair(v0, w0, mul) + wrap(mixed(y) * K0) + z), wrap(pair(v1, w1, mul) + x), mul)


def _rounds(a: int, b: int, c: int, d: int, count: int) -> tuple[int, int, int, int]:
    for _ in range(count):
        a, c = wrap(a + b), wrap(c + d)
        b, d = rotated(b, 51) ^ a, rotated(d, 48) ^ c
        a = rotated(a, 32)
        c, a = wrap(c + b), wrap(a + d)
        b, d = rotated(b, 47) ^ c, rotated(d, 43) ^ a
        c = rotated(c, 32)
    return a, b, c, d


def siphash(s: Any, n: int, key0: int, key1: int) -> int:
    """SipHash-2-4 of n bytes under a key of two words."""
    a, b, c, d = key0 ^ _SIP0, key1 ^ _SIP1, key0 ^ _SIP2, key1 ^ _SIP3
    for i in range(n // 8 + 1):
        whole = 8 * i + 8 <= n
        m = word(offset(s, 8 * i), 8) if whole else wrap(word(offset(s, 8 * i), n - 8 * i) | (n << 56))
        d ^= m
        a, b, c, d = _rounds(a, b, c, d, 2)
        a ^= m
    a, b, c, d = _rounds(a, b, c ^ 255, d, 4)
    return a ^ b ^ c ^ d


def crossed(h: int, value: int) -> int:
    """A fingerprint and one more word as one fingerprint."""
    out = wrap(wrap((h ^ CROSS) ^ wrap(mixed(wrap(value * CROSS)) * CROSS)) * CROSS)
    return mixed(wrap(mixed(out) * CROSS))


def bucket(x: int, count: int) -> int:
    """x, read as unsigned, modulo count."""
    return (shifted(x, 1) % count * 2 + (x & 1)) % count


def written(value: int, s: Any) -> int:
    """Writes a whole number in decimal digits; returns how many bytes that are."""
    n, negative = 0, 1 if value < 0 else 0
    rest = value if value < 0 else -value
    while n == 0 or rest != 0:
        more = -(-rest // 10) if rest % 10 == 0 else rest // 10 + 1
        s[n] = 48 + (more * 10 - rest)
        rest = more
        n += 1
    if negative == 1:
        s[n] = 45
        n += 1
    for i in range(n // 2):
        low, high = s[i], s[n - 1 - i]
        s[i] = high
        s[n - 1 - i] = low
    return n
