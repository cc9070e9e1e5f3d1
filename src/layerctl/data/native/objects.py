"""JSON lines of flat objects cut into fields, as a kernel.

A line is plain if it is an object whose keys are among those that are known and whose values are texts without escapes, numbers, `true`, `false`
and `null`; a field is then a slice of the block of bytes, a number as it is written. Every other line is odd, and left to Python's json.
"""

from __future__ import annotations

from layerctl.data.native.dictionary import same
from layerctl.data.native.scanning import drop_blanks, find, skip_blanks
from layerctl.ops.bits import lowest, places, places_below, word_at
from layerctl.ops.kernel import kernel

AT, ROWS, LINE, ODD = range(4)
"""What `objects` keeps in `state`: the first byte that is not used up, rows found, the line that comes next, odd rows among them."""
NOT_THERE, NULL = -1, -2
"""Where a field that has no value ends; it starts at 0."""


def json_blanks(data: object, at: int, end: int) -> int:
    """The first byte from `at` on that is no blank in JSON."""
    while at < end and (data[at] == 32 or data[at] == 9):
        at += 1
    return at


def text_end(data: object, at: int, end: int) -> int:
    """Where the quote stands that closes a text; -1 if there is an escape, a control character or the line's end before it."""
    found = 0
    while found == 0 and at < end:
        found = places(data, at, 34, 92, 34) | places_below(data, at, 32)
        if found == 0:
            at += 64
    at += lowest(found)
    if found == 0 or at >= end or data[at] != 34:
        return -1
    return at


def digits_end(data: object, at: int, end: int) -> int:
    """The first byte from `at` on that is no digit."""
    while at < end and data[at] >= 48 and data[at] <= 57:
        at += 1
    return at


def number_end(data: object, at: int, end: int) -> int:
    """Where a number in JSON's grammar ends; -1 for what is none, for -0 and for one that may be too large: Python's json knows better."""
    begin, whole = at, True
    if data[at] == 45:
        at += 1
    first = at
    at = digits_end(data, first, end)
    if at == first or (data[first] == 48 and at > first + 1):
        return -1
    if at < end and data[at] == 46:
        whole = False
        behind = digits_end(data, at + 1, end)
        if behind == at + 1:
            return -1
        at = behind
    if at < end and (data[at] == 101 or data[at] == 69):
        whole = False
        at += 1
        if at < end and (data[at] == 43 or data[at] == 45):
            at += 1
        behind = digits_end(data, at, end)
        if behind == at or behind > at + 2:
            return -1
        at = behind
    if at - begin > 200 or (whole and first > begin and data[first] == 48):
        return -1
    return at


def key_number(data: object, at: int, length: int, expected: int, names: object, bounds: object, count: int) -> int:
    """Which of the names a key is, most likely the expected one; -1 for none."""
    tried = 0
    while tried < count:
        c = expected + tried
        if c >= count:
            c -= count
        if bounds[c + 1] - bounds[c] == length and same(data, at, names, bounds[c], length):
            return c
        tried += 1
    return -1


def value_end(data: object, at: int, end: int) -> int:
    """Where a number, `true`, `false` or `null` ends; -1 for everything else."""
    if at >= end:
        return -1
    word = word_at(data, at) & 0xFFFFFFFF
    if (word == 0x65757274 or word == 0x6C6C756E) and at + 4 <= end:
        return at + 4
    if word == 0x736C6166 and at + 5 <= end and data[at + 4] == 101:
        return at + 5
    return number_end(data, at, end)


def object_at(data: object, at: int, end: int, names: object, bounds: object, count: int, starts: object, ends: object, low: int) -> bool:
    """Whether a line is plain; its fields' bounds are then in their places from `low` on, which hold NOT_THERE before."""
    if data[at] != 123:
        return False
    at = json_blanks(data, at + 1, end)
    if at < end and data[at] == 125:
        return json_blanks(data, at + 1, end) == end
    expected, going = 0, True
    while going:
        key = at + 1
        if at >= end or data[at] != 34:
            return False
        at = text_end(data, key, end)
        if at < 0:
            return False
        c = key_number(data, key, at - key, expected, names, bounds, count)
        at = json_blanks(data, at + 1, end)
        if c < 0 or at >= end or data[at] != 58 or ends[low + c] != -1:
            return False
        at = json_blanks(data, at + 1, end)
        s = at
        if at < end and data[at] == 34:
            s = at + 1
            e = text_end(data, s, end)
            at = e + 1
            if e > s:
                s = skip_blanks(data, s, e)
                e = drop_blanks(data, s, e)
        else:
            e = value_end(data, at, end)
            at = e
            if e > s and data[s] == 110:
                s, e = 0, -2
        if e == -1:
            return False
        starts[low + c], ends[low + c] = s, e
        expected = c + 1
        at = json_blanks(data, at, end)
        if at >= end or (data[at] != 44 and data[at] != 125):
            return False
        going = data[at] == 44
        at = json_blanks(data, at + 1, end)
    return at == end


@kernel
def objects(
    task, tasks, data: "u8*", size: "i64", last: "i64", names: "u8*", bounds: "i64*", count: "i64", state: "i64*",
    starts: "i32*", ends: "i32*", lines: "i64*", odd: "i32*",
):  # fmt: skip
    """Cuts the whole lines of a block of bytes; with `last` the data end with it.

    Block: the bytes, with BEYOND more behind them, and their number; whether the data end here; the names of the columns behind each other, with
    BEYOND bytes more behind them, each from `bounds[i]` to `bounds[i + 1]`, and how many there are; `state` (above); the fields' bounds (rows,
    columns) and the rows' lines, with room for as many rows as there are line ends and one more; for each odd row its number and its line's bounds.
    """
    i, rows, line, odds = state[0], state[1], state[2], state[3]
    complete = True
    while complete and i < size:
        e = find(data, i, size, 10, 13, 10)
        behind = e + 1
        if e < size and data[e] == 13:
            if behind < size and data[behind] == 10:
                behind += 1
            elif behind >= size and last == 0:
                complete = False
        if e >= size and last == 0:
            complete = False
        if complete:
            s = skip_blanks(data, i, e)
            if s < e:
                for c in range(count):
                    starts[rows * count + c], ends[rows * count + c] = 0, -1
                if not object_at(data, s, e, names, bounds, count, starts, ends, rows * count):
                    odd[3 * odds], odd[3 * odds + 1], odd[3 * odds + 2] = rows, s, e
                    odds += 1
                lines[rows] = line
                rows += 1
            line += 1
            i = min(behind, size)
    state[0], state[1], state[2], state[3] = i, rows, line, odds
