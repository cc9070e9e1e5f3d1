"""The plain Python twins of arithmetic on 64-bit words as unsigned numbers; a word is held as a signed int64 throughout.

What reads bytes looks at 8 or 64 of them at a time; an array of bytes is as much longer than what it holds (`BEYOND`).
"""

from __future__ import annotations

from typing import Any

BEYOND = 64
"""Bytes that may be read behind the last one that counts; their values do not matter."""

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


def lowest(x: int) -> int:
    """The number of the lowest bit that is set: 64 for 0."""
    word = int(x) & _WORD
    return (word & -word).bit_length() - 1 if word else 64


def word_at(data: Any, at: int) -> int:
    """Eight bytes as a word, the first byte lowest."""
    return _signed(int.from_bytes(bytes(int(b) for b in data[at : at + 8]), "little"))


def places(data: Any, at: int, a: int, b: int, c: int) -> int:
    """Which of the 64 bytes from `at` on are a, b or c: bit i stands for byte `at + i`."""
    return _signed(sum(1 << i for i, byte in enumerate(data[at : at + 64]) if int(byte) in (a, b, c)))


def places_below(data: Any, at: int, least: int) -> int:
    """Which of the 64 bytes from `at` on are less than `least`."""
    return _signed(sum(1 << i for i, byte in enumerate(data[at : at + 64]) if int(byte) < least))
