"""Decimal numbers as float64, correctly rounded, as a kernel.

Numbers of up to 18 digits whose power of ten is exact are one multiplication or division (Clinger 1990, "How to read floating point
numbers accurately"); others take 64 to 128 bits of a power of five (Lemire 2021, "Number parsing at a gigabyte per second"). What neither
decides, numbers that overflow or are denormal among them, is left to the caller.
"""

from __future__ import annotations

import functools

import numpy as np

from layerctl.ops.bits import below, leading_zeros, product_high, product_low, shifted_left, shifted_right, sum_of
from layerctl.ops.kernel import kernel

NUMBER, MISSING, OTHER = range(3)
"""States of a field: a number, a missing value, neither (or a number that the kernel does not decide)."""
LEAST, MOST = -342, 308
_UNDECIDED = -1


@functools.cache
def powers() -> np.ndarray:
    """The 128 leading bits of 10^LEAST ... 10^MOST, the lower word first, rounded down: int64 (numbers, 2)."""
    words = np.empty((MOST - LEAST + 1, 2), np.uint64)
    for i, e in enumerate(range(LEAST, MOST + 1)):
        five = 5 ** abs(e)
        if e < 0:
            bits = five.bit_length() + 127
            top = (1 << bits) // five
            top = top >> (top.bit_length() - 128)
        else:
            top = five << 128 >> five.bit_length()
        words[i] = top & ((1 << 64) - 1), top >> 64
    return words.view(np.int64)


def rounded(digits: int, exponent: int, table: object) -> int:
    """The bits of the float64 nearest to digits × 10^exponent, for digits from 1 to 10^18; -1 if they are not decided."""
    if exponent < -342 or exponent > 308:
        return -1
    zeros = leading_zeros(digits)
    word = shifted_left(digits, zeros)
    power = 2 * (exponent + 342)
    binary = ((217706 * exponent) >> 16) + 64 + 1023 - zeros
    high, low = product_high(word, table[power + 1]), product_low(word, table[power + 1])
    if high & 0x1FF == 0x1FF and below(sum_of(low, word), word):
        more, rest = product_high(word, table[power]), product_low(word, table[power])
        merged = sum_of(low, more)
        if below(merged, low):
            high = sum_of(high, 1)
        if high & 0x1FF == 0x1FF and sum_of(merged, 1) == 0 and below(sum_of(rest, word), word):
            return -1
        low = merged
    top = shifted_right(high, 63)
    mantissa = shifted_right(high, top + 9)
    binary -= 1 - top
    if low == 0 and high & 0x1FF == 0 and mantissa & 3 == 1:
        return -1
    mantissa = (mantissa + (mantissa & 1)) >> 1
    if mantissa >> 53 > 0:
        mantissa >>= 1
        binary += 1
    if binary <= 0 or binary >= 0x7FF:
        return -1
    return (binary << 52) | (mantissa & ((1 << 52) - 1))


def is_word(data: object, start: int, end: int, words: object, bounds: object, count: int) -> bool:
    """Whether a slice is one of some words, which stand in `words` behind each other, each from `bounds[i]` to `bounds[i + 1]`."""
    found = False
    for w in range(count):
        low = bounds[w]
        if not found and bounds[w + 1] - low == end - start:
            same = True
            for j in range(end - start):
                if data[start + j] != words[low + j]:
                    same = False
            found = same
    return found


def short_number(data: object, start: int, end: int, point: int) -> tuple[int, int, int, bool]:
    """(digits, exponent, the byte behind them, whether there are any) of a number of at most 18 bytes: digits, a decimal sign, digits."""
    p, whole, exponent = start, 0, 0
    while p < end and data[p] >= 48 and data[p] <= 57:
        whole = whole * 10 + (data[p] - 48)
        p += 1
    some = p > start
    if p < end and data[p] == point:
        p += 1
        behind = p
        while p < end and data[p] >= 48 and data[p] <= 57:
            whole = whole * 10 + (data[p] - 48)
            p += 1
        exponent = behind - p
        some = some or p > behind
    return whole, exponent, p, some


def long_number(data: object, start: int, end: int, point: int, grouped: bool) -> tuple[int, int, int, bool, bool]:
    """The same for a number of any length, and whether digits other than zeros were cut off behind the eighteenth; `grouped` passes over dots."""
    p, whole, used, exponent, some, cut, behind, going = start, 0, 0, 0, False, False, False, True
    while going and p < end:
        d = data[p] - 48
        if d >= 0 and d <= 9:
            some = True
            if used < 18:
                whole = whole * 10 + d
                if whole > 0:
                    used += 1
                if behind:
                    exponent -= 1
            else:
                if d > 0:
                    cut = True
                if not behind:
                    exponent += 1
            p += 1
        elif d + 48 == point and not behind:
            behind = True
            p += 1
        elif grouped and d + 48 == 46:
            p += 1
        else:
            going = False
    return whole, exponent, p, some, cut


@kernel
def numbers(
    task, tasks, data: "u8*", starts: "i32*", ends: "i32*", rows: "i64", columns: "i64", wanted: "u8*", words: "u8*", bounds: "i64*",
    count: "i64", longest: "i64", comma: "i64", table: "i64*", tens: "f64*", values: "f64*", bits: "i64*", states: "u8*",
):  # fmt: skip
    """The fields of the wanted columns as numbers: values and states (columns, rows).

    Block: the bytes and the fields' bounds (rows, columns); which columns are wanted; the words for missing values and the bytes of the longest;
    whether the decimal sign is a comma (dots then group digits and are passed over); the powers; 10^0 to 10^22; the values, and the same memory
    as words; the states. A missing value is NaN.
    """
    point, sign = 46, 0
    if comma == 1:
        point = 44
    for r in range(rows):
        for c in range(columns):
            if wanted[c] == 1:
                k, to = r * columns + c, c * rows + r
                p, e = starts[k] + 0, ends[k] + 0
                state = 2
                if e - p <= longest and is_word(data, p, e, words, bounds, count):
                    state = 1
                    bits[to] = 0x7FF8000000000000
                elif p < e:
                    sign = 0
                    if data[p] == 45:
                        sign = 1
                    if data[p] == 45 or data[p] == 43:
                        p += 1
                    cut = False
                    if comma == 0 and e - p <= 18:
                        whole, exponent, p, some = short_number(data, p, e, point)
                    else:
                        whole, exponent, p, some, cut = long_number(data, p, e, point, comma == 1)
                    if p < e and some and (data[p] == 101 or data[p] == 69):
                        p += 1
                        down = False
                        if p < e and (data[p] == 45 or data[p] == 43):
                            down = data[p] == 45
                            p += 1
                        given, some = 0, False
                        while p < e and data[p] >= 48 and data[p] <= 57:
                            some = True
                            if given < 100000:
                                given = given * 10 + data[p] - 48
                            p += 1
                        if down:
                            exponent -= given
                        else:
                            exponent += given
                    if some and p == e:
                        if whole == 0:
                            state = 0
                            values[to] = 0.0
                        elif not cut and whole <= 9007199254740992 and exponent >= -22 and exponent <= 22:
                            state = 0
                            if exponent < 0:
                                values[to] = whole * 1.0 / tens[-exponent]
                            else:
                                values[to] = whole * 1.0 * tens[exponent]
                        else:
                            found = rounded(whole, exponent, table)
                            if cut and found >= 0 and rounded(whole + 1, exponent, table) != found:
                                found = -1
                            if found >= 0:
                                state = 0
                                bits[to] = found
                        if state == 0 and sign == 1:
                            values[to] = -values[to]
                if state == 2:
                    bits[to] = 0x7FF8000000000000
                states[to] = state
