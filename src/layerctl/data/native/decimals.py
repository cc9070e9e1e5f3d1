"""Decimal numbers as float64, correctly rounded, as a kernel.

Numbers of up to 18 digits whose power of ten is exact are one multiplication or division (Clinger 1990, "How to read floating point numbers
accurately"), their digits read eight at a time; others take 64 to 128 bits of a power of five (Lemire 2021, "Number parsing at a gigabyte per
second"). What neither decides, numbers that overflow or are denormal among them, is left to the caller.
"""

from __future__ import annotations

import functools

import numpy as np

from layerctl.ops.bits import (
    below,
    leading_zeros,
    lowest,
    product_high,
    product_low,
    shifted_left,
    shifted_right,
    sum_of,
    word_at,
)
from layerctl.ops.kernel import kernel

NUMBER, MISSING, OTHER = range(3)
"""States of a field: a number, a missing value, neither (or a number that the kernel does not decide)."""
LEAST, MOST = -342, 308
_ZEROS, _TOPS, _HALVES = 0x3030303030303030, -0x7F7F7F7F7F7F7F80, -0x0F0F0F0F0F0F0F10
"""Words of eight bytes `0`, 0x80 and 0xF0."""


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


def is_missing(data: object, start: int, end: int, words: object, bounds: object, count: int, begins: object) -> bool:
    """Whether a field is missing: it is not there (it ends before it starts), or is one of the words. `begins` has for each byte whether a word
    begins with it, and at 256 whether the empty text is one."""
    if end <= start:
        return end < start or begins[256] == 1
    return begins[data[start]] == 1 and is_word(data, start, end, words, bounds, count)


def eight_digits(word: int) -> int:
    """The number that eight bytes of digits are, the first byte lowest (Lemire 2021, "SIMD within a register")."""
    word = shifted_right(product_low(word & 0x0F0F0F0F0F0F0F0F, 2561), 8)
    word = shifted_right(product_low(word & 0x00FF00FF00FF00FF, 6553601), 16)
    return shifted_right(product_low(word & 0x0000FFFF0000FFFF, 42949672960001), 32)


def tiny_number(word: int, length: int, point: int) -> tuple[int, int, bool]:
    """(digits, exponent, whether they are all) of a number of 1 to 8 bytes: digits, and perhaps a decimal sign among them.

    The bytes are moved up so that the last is highest, the decimal sign is taken out, and zeros stand in for what is not there.
    """
    word = shifted_left(word, 64 - 8 * length)
    apart = word ^ (point * 0x0101010101010101)
    signs = sum_of(apart, -0x0101010101010101) & ~apart & _TOPS
    exponent = 0
    if signs != 0:
        at = lowest(signs) >> 3
        upto = shifted_right(-1, 56 - 8 * at)
        word = (word & ~upto) | shifted_left(word & shifted_right(upto, 8), 8)
        exponent = at - 7
        length -= 1
    lacking = shifted_right(shifted_right(_ZEROS, 4 * length), 4 * length)
    word |= lacking
    plain = ((word & _HALVES) | shifted_right(sum_of(word, 0x0606060606060606) & _HALVES, 4)) == 0x3333333333333333
    return eight_digits(word), exponent, plain and length > 0


def digits_at(data: object, start: int, end: int) -> tuple[int, int]:
    """(how many digits stand at a place, 8 at most and none from `end` on; the number they are)."""
    word = word_at(data, start)
    apart = word ^ _ZEROS
    count = lowest((sum_of(apart, 0x7676767676767676) | apart) & _TOPS) >> 3
    if count > end - start:
        count = end - start
    if count == 0:
        return 0, 0
    lacking = shifted_right(shifted_right(_ZEROS, 4 * count), 4 * count)
    return count, eight_digits(shifted_left(word, 64 - 8 * count) | lacking)


def short_number(data: object, start: int, end: int, point: int, tens: object) -> tuple[int, int, int, bool]:
    """(digits, exponent, the byte behind them, whether there are any) of a number of at most 18 bytes: digits, a decimal sign, digits."""
    p, whole, exponent, going = start, 0, 0, True
    while going:
        count, more = digits_at(data, p, end)
        whole = whole * int(tens[count]) + more
        p += count
        going = count == 8
    some = p > start
    if p < end and data[p] == point:
        p += 1
        behind = p
        going = True
        while going:
            count, more = digits_at(data, p, end)
            whole = whole * int(tens[count]) + more
            p += count
            going = count == 8
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


def exponent_at(data: object, start: int, end: int) -> tuple[int, int, bool]:
    """(the exponent, the byte behind it, whether it has digits) from behind an `e` on."""
    p, down, given, some = start, False, 0, False
    if p < end and (data[p] == 45 or data[p] == 43):
        down = data[p] == 45
        p += 1
    while p < end and data[p] >= 48 and data[p] <= 57:
        some = True
        if given < 100000:
            given = given * 10 + data[p] - 48
        p += 1
    if down:
        given = -given
    return given, p, some


def any_number(data: object, start: int, end: int, comma: int, table: object, tens: object, values: object, bits: object, to: int) -> int:
    """The state of a field without its sign, NUMBER where it was put into `values` (or `bits`, the same memory)."""
    p, cut = start, False
    if comma == 0 and end - p <= 18:
        whole, exponent, p, some = short_number(data, p, end, 46, tens)
    else:
        whole, exponent, p, some, cut = long_number(data, p, end, 46 - 2 * comma, comma == 1)
    if p < end and some and (data[p] == 101 or data[p] == 69):
        given, p, some = exponent_at(data, p + 1, end)
        exponent += given
    state = 2
    if some and p == end:
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
    return state


@kernel
def numbers(
    task, tasks, data: "u8*", starts: "i32*", ends: "i32*", rows: "i64", columns: "i64", wanted: "u8*", words: "u8*", bounds: "i64*",
    count: "i64", begins: "u8*", comma: "i64", table: "i64*", tens: "f64*", values: "f64*", bits: "i64*", states: "u8*",
):  # fmt: skip
    """The fields of the wanted columns as numbers: values and states (columns, rows).

    Block: the bytes, with BEYOND more behind them, and the fields' bounds (rows, columns); which columns are wanted; the words for missing values
    and the bytes that they begin with (`is_missing`); whether the decimal sign is a comma (dots then group digits and are passed over); the powers;
    10^0 to 10^22; the values, and the same memory as words; the states. A missing value is NaN.
    """
    for r in range(rows):
        for c in range(columns):
            if wanted[c] == 1:
                k, to = r * columns + c, c * rows + r
                p, e = starts[k] + 0, ends[k] + 0
                state = 2
                if is_missing(data, p, e, words, bounds, count, begins):
                    state = 1
                elif p < e:
                    negative = data[p] == 45
                    p += int(negative or data[p] == 43)  # signs fall as they like: no branch on them
                    plain = False
                    if comma == 0 and p < e and e - p <= 8:
                        whole, exponent, plain = tiny_number(word_at(data, p), e - p, 46)
                        if plain:
                            state = 0
                            values[to] = whole * (1.0 - 2.0 * negative) / tens[-exponent]
                    if not plain:
                        state = any_number(data, p, e, comma, table, tens, values, bits, to)
                        if negative:
                            values[to] = -values[to]
                if state != 0:
                    bits[to] = 0x7FF8000000000000
                states[to] = state
