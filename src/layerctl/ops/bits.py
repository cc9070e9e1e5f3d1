"""The plain Python twins of arithmetic on 64-bit words as unsigned numbers; a word is held as a signed int64 throughout."""

from __future__ import annotations

_WORD = (1 << 64) - 1


def _signed(x: int) -> int:
    return x - (1 << 64) if x >> 63 else x


def product_high(a: int, b: int) -> int:
    """The upper word of the 128-bit product."""
    return _signed((int(a) & _WORD) * (int(b) & _WORD) >> 64)


def product_low(a: int, b: int) -> int:
    """The lower word of the product."""
    return _signed(int(a) * int(b) & _WORD)


def sum_of(a: int, b: int) -> int:
    """The sum modulo 2**64."""
    return _signed(int(a) + int(b) & _WORD)


def below(a: int, b: int) -> bool:
    """Whether a is less than b."""
    return (int(a) & _WORD) < (int(b) & _WORD)


def shifted_right(x: int, bits: int) -> int:
    """The word shifted right by 0 to 63 bits, zeros coming in."""
    return _signed((int(x) & _WORD) >> int(bits))


def shifted_left(x: int, bits: int) -> int:
    """The word shifted left by 0 to 63 bits."""
    return _signed((int(x) << int(bits)) & _WORD)


def leading_zeros(x: int) -> int:
    """How many of the upper bits are zero: 64 for 0."""
    return 64 - (int(x) & _WORD).bit_length()
