"""Texts as numbers: each distinct one is kept once, and a column is the numbers of its texts. A hash table in a kernel."""

from __future__ import annotations

from layerctl.data.native.decimals import is_word
from layerctl.ops.kernel import kernel

WORDS, BYTES = range(2)
"""What `code` keeps in `counts`."""


@kernel
def code(
    task, tasks, data: "u8*", starts: "i32*", ends: "i32*", rows: "i64", columns: "i64", column: "i64", words: "u8*", bounds: "i64*",
    count: "i64", longest: "i64", seed: "i64", slots: "i64*", mask: "i64", hashes: "i64*", places: "i64*", texts: "u8*", counts: "i64*", out: "i32*",
):  # fmt: skip
    """The number of each row's text in a dictionary, in the order of first sight; -1 for a missing value.

    Block: the bytes and the fields' bounds (rows, columns), the column; the words for missing values and the bytes of the longest; where hashes
    begin; the table of `mask + 1` slots (a power of two; 0 or a text's number and 1), the texts' hashes, where each begins in `texts` and where the
    last ends, the texts' bytes, their numbers (WORDS, BYTES); the results. There must be room for every row's text to be a new one, with empty
    slots left.
    """
    for r in range(rows):
        k = r * columns + column
        s, e = starts[k] + 0, ends[k] + 0
        if e - s <= longest and is_word(data, s, e, words, bounds, count):
            out[r] = -1
        else:
            h = seed
            for i in range(e - s):
                h = (h ^ data[s + i]) * 1099511628211
            h ^= h >> 29
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
                elif hashes[known] == h and places[known + 1] - places[known] == e - s:
                    low, same = places[known], True
                    for i in range(e - s):
                        if texts[low + i] != data[s + i]:
                            same = False
                    if same:
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
