"""Texts as numbers: each distinct one is kept once, and a column is the numbers of its texts. A hash table in a kernel."""

from __future__ import annotations

from layerctl.data.native.decimals import is_missing
from layerctl.ops.bits import product_high, product_low, shifted_right, word_at
from layerctl.ops.kernel import kernel

WORDS, BYTES = range(2)
"""What `code` keeps in `counts`."""


def mixed(h: int, word: int) -> int:
    """A hash that goes on with a word: both halves of a product, which depend on all bits."""
    x = h ^ word
    return product_high(x, 0x2127599BF4325C37) ^ product_low(x, 0x2127599BF4325C37)


def hash_of(data: object, start: int, end: int, seed: int) -> int:
    """A text's hash, eight bytes at a time, its length included."""
    h = mixed(seed, end - start)
    while start + 8 <= end:
        h = mixed(h, word_at(data, start))
        start += 8
    if start < end:
        h = mixed(h, word_at(data, start) & shifted_right(-1, 64 - 8 * (end - start)))
    return h


def same(a: object, i: int, b: object, j: int, length: int) -> bool:
    """Whether two texts of a length are the same."""
    alike = True
    while alike and length >= 8:
        alike = word_at(a, i) == word_at(b, j)
        i += 8
        j += 8
        length -= 8
    if alike and length > 0:
        alike = (word_at(a, i) ^ word_at(b, j)) & shifted_right(-1, 64 - 8 * length) == 0
    return alike


@kernel
def code(
    task, tasks, data: "u8*", starts: "i32*", ends: "i32*", rows: "i64", columns: "i64", column: "i64", words: "u8*", bounds: "i64*",
    count: "i64", begins: "u8*", seed: "i64", slots: "i64*", mask: "i64", hashes: "i64*", places: "i64*", texts: "u8*", counts: "i64*", out: "i32*",
):  # fmt: skip
    """The number of each row's text in a dictionary, in the order of first sight; -1 for a missing value.

    Block: the bytes, with BEYOND more behind them, and the fields' bounds (rows, columns), the column; the words for missing values and the bytes
    that they begin with (`is_missing`); where hashes begin; the table of `mask + 1` slots (a power of two; 0 or a text's number and 1), the texts'
    hashes, where each begins in `texts` and where the last ends, the texts' bytes and BEYOND more, their numbers (WORDS, BYTES); the results. There
    must be room for every row's text to be a new one, with empty slots left.
    """
    for r in range(rows):
        k = r * columns + column
        s, e = starts[k] + 0, ends[k] + 0
        if is_missing(data, s, e, words, bounds, count, begins):
            out[r] = -1
        else:
            h = hash_of(data, s, e, seed)
            at, found = h & mask, -1
            while found < 0:
                known = slots[at] - 1
                if known < 0:
                    found = counts[0]
                    counts[0] = found + 1
                    slots[at] = found + 1
                    hashes[found] = h
                    used = counts[1]
                    for i in range(e - s):
                        texts[used + i] = data[s + i]
                    counts[1] = used + e - s
                    places[found + 1] = used + e - s
                elif hashes[known] == h and places[known + 1] - places[known] == e - s and same(data, s, texts, places[known], e - s):
                    found = known
                at = (at + 1) & mask
            out[r] = found


@kernel
def settle(task, tasks, hashes: "i64*", n: "i64", slots: "i64*", mask: "i64"):
    """Puts n texts with these hashes into an empty table of `mask + 1` slots."""
    for i in range(n):
        at = hashes[i] & mask
        while slots[at] != 0:
            at = (at + 1) & mask
        slots[at] = i + 1
