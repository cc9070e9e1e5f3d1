"""Delimited text cut into fields, as a kernel: the dialect of Python's csv module on UTF-8 bytes.

Where fields end is found 64 bytes at a time (Langdale and Lemire 2019, "Parsing gigabytes of JSON per second", cut down to what a table needs).
A field is a slice of the block of bytes, without blanks around it; what quoting hides inside one (doubled quotes, escapes, two-byte line ends,
text behind the closing quote) is moved together in place first.
"""

from __future__ import annotations

from layerctl.ops.bits import lowest, places, shifted_left
from layerctl.ops.kernel import kernel

AT, FIELDS, RECORDS, LINE, OPEN, TALL, TALL_LINES, WIDE = range(8)
"""What `cut` keeps in `state`: the first byte that is not used up, fields and records found, the line that the next record begins in; the lines of
a record whose quote is still open at the end (0 if none is); the first line and the number of lines of a record that is too tall (0 if none is);
the bytes of the longest field."""


def skip_blanks(data: object, start: int, end: int) -> int:
    """The first byte from `start` on that is no blank, as `str.strip` knows them, in UTF-8."""
    going = True
    while going and start < end:
        width = blank(data, start, end)
        going = width > 0
        start += width
    return start


def blank(data: object, at: int, end: int) -> int:
    """How many bytes the blank at a place has; 0 if there is none."""
    c = data[at]
    if c > 32 and c < 128:
        return 0
    if c == 32 or (c >= 9 and c <= 13) or (c >= 28 and c <= 31):
        return 1
    if c == 0xC2 and at + 1 < end and (data[at + 1] == 0x85 or data[at + 1] == 0xA0):
        return 2
    if at + 2 < end:
        b, a = data[at + 1], data[at + 2]
        if c == 0xE2 and b == 0x80 and ((a >= 0x80 and a <= 0x8A) or a == 0xA8 or a == 0xA9 or a == 0xAF):
            return 3
        if (c == 0xE2 and b == 0x81 and a == 0x9F) or (c == 0xE1 and b == 0x9A and a == 0x80) or (c == 0xE3 and b == 0x80 and a == 0x80):
            return 3
    return 0


def drop_blanks(data: object, start: int, end: int) -> int:
    """The end of the slice without the blanks behind it."""
    going = True
    while going and start < end:
        going = False
        if data[end - 1] < 128:
            if blank(data, end - 1, end) == 1:
                end -= 1
                going = True
        elif end - 2 >= start and blank(data, end - 2, end) == 2:
            end -= 2
            going = True
        elif end - 3 >= start and blank(data, end - 3, end) == 3:
            end -= 3
            going = True
    return end


def compact(data: object, start: int, end: int, quote: int, escape: int, inside: bool) -> int:
    """Moves the content of a field (from behind its first quote, where it is `inside` one) to its end together; returns where it ends then."""
    out, i, closed = start, start, -1
    while i < end:
        c = data[i]
        i += 1
        if inside and c == quote:
            if i < end and data[i] == quote:
                i += 1
            else:
                inside = False
                closed = i
                continue
        elif c == escape and i < end and i - 1 != closed:
            c = data[i]
            i += 1
        if c == 13:
            if i < end and data[i] == 10:
                i += 1
            c = 10
        data[out] = c
        out += 1
    return out


def end_of_field(data: object, at: int, size: int, base: int, mask: int, delimiter: int) -> tuple[int, int, int]:
    """(the first delimiter or line end from `at` on, or `size`; the 64 bytes that were looked at last, and where in them such bytes are)."""
    if at - base >= 64:
        base = at
        mask = places(data, base, delimiter, 10, 13)
    elif at > base:
        mask &= shifted_left(-1, at - base)
    while mask == 0 and base + 64 < size:
        base += 64
        mask = places(data, base, delimiter, 10, 13)
    found = base + lowest(mask)
    if found > size:
        found = size
    return found, base, mask


def find(data: object, at: int, size: int, a: int, b: int, c: int) -> int:
    """The first byte from `at` on that is a, b or c, or `size`."""
    mask = 0
    while mask == 0 and at < size:
        mask = places(data, at, a, b, c)
        if mask == 0:
            at += 64
    if mask != 0:
        at += lowest(mask)
    if at > size:
        at = size
    return at


def escaped(data: object, start: int, at: int, escape: int) -> bool:
    """Whether an odd number of escapes stands before a place, of those from `start` on."""
    i = at
    while i > start and data[i - 1] == escape:
        i -= 1
    return (at - i) % 2 == 1


def end_with_escapes(data: object, start: int, size: int, delimiter: int, escape: int) -> tuple[int, int, bool]:
    """(the first delimiter or line end from `start` on that is not escaped, or `size`; line ends before it; whether the last byte's escape is open)."""
    i, tall, going, opened = start, 0, True, False
    while going:
        i = find(data, i, size, delimiter, 10, 13)
        going = i < size and escaped(data, start, i, escape)
        if going:
            c = data[i]
            i += 1
            if c != delimiter:
                tall += 1
                if c == 13 and i < size and data[i] == 10:
                    i += 1
    if i >= size and size > start:
        c = data[size - 1]
        opened = c == 10 or c == 13 or escaped(data, start, size, escape)
    return i, tall, opened


def quoted(
    data: object, start: int, size: int, quote: int, escape: int, delimiter: int, last: int
) -> tuple[int, int, int, bool]:  # fmt: skip
    """A field from behind its first quote on: (its end, the place behind it, line ends in it, whether its quote or an escape is still open)."""
    i, tall, dirty, opened = start, 0, escape >= 0, True
    while opened and i < size:
        i = find(data, i, size, quote, 10, 13)
        if i < size:
            c = data[i]
            i += 1
            if c == quote:
                if escape >= 0 and escaped(data, start, i - 1, escape):
                    continue
                if i < size and data[i] == quote:
                    dirty = True
                    i += 1
                else:
                    opened = False
            else:
                tall += 1
                if c == 13:
                    dirty = True
                    if i < size and data[i] == 10:
                        i += 1
    end = i
    if not opened:
        end = i - 1
        behind = i
        if escape >= 0:
            i, more, opened = end_with_escapes(data, i + 1 if i < size and data[i] == escape else i, size, delimiter, escape)
            tall += more
        else:
            i = find(data, i, size, delimiter, 10, 13)
        if i > behind:
            dirty = True
        if dirty and (i < size or last == 1):
            end = compact(data, start, i, quote, escape, True)
    return end, i, tall, opened


def cut_records(
    data: object, size: int, delimiter: int, quote: int, escape: int, comment: int, lead: int, last: int, tallest: int,
    state: object, starts: object, ends: object, firsts: object, lines: object,
) -> None:  # fmt: skip
    """The whole records of a block of bytes, cut into fields; see `cut_marked`."""
    i, fields, records, line, wide = state[0], state[1], state[2], state[3], state[7]
    base, mask = i - 64, 0
    complete = True
    while complete and i < size and state[5] == 0:
        begin, first = i, fields
        tall, filled, inside, opened, noted = 1, False, True, False, data[i] == comment
        while inside:
            inside = False
            if lead == 1:
                while i < size and data[i] == 32:
                    i += 1
            s = i
            if i < size and data[i] == quote:
                s += 1
                e, i, more, opened = quoted(data, s, size, quote, escape, delimiter, last)
                tall += more
            elif noted:
                i = find(data, i, size, 10, 10, 13)
                base, s, e = i - 64, i, i
            elif escape >= 0:
                i, more, opened = end_with_escapes(data, s, size, delimiter, escape)
                tall += more
                base, e = i - 64, i
                if not opened:
                    e = compact(data, s, i, quote, escape, False)
            else:
                i, base, mask = end_of_field(data, i, size, base, mask, delimiter)
                e = i
            if opened or (i >= size and last == 0):
                complete = False
                if opened and last == 1:
                    state[4] = tall
            else:
                if e > s:
                    if data[s] <= 32 or data[s] >= 128:
                        s = skip_blanks(data, s, e)
                    if data[e - 1] <= 32 or data[e - 1] >= 128:
                        e = drop_blanks(data, s, e)
                starts[fields], ends[fields] = s, e
                fields += 1
                filled = filled or e > s
                wide = max(wide, e - s)
                if i < size:
                    c = data[i]
                    i += 1
                    inside = c == delimiter
                    if c == 13:
                        if i < size and data[i] == 10:
                            i += 1
                        elif i >= size and last == 0:
                            complete = False
        if complete:
            if filled:
                firsts[records], lines[records] = first, line
                records += 1
            else:
                fields = first
            if tall > tallest:
                state[5], state[6] = line, tall
            line += tall
        else:
            i, fields = begin, first
    state[0], state[1], state[2], state[3], state[7] = i, fields, records, line, wide


@kernel
def cut(
    task, tasks, data: "u8*", size: "i64", delimiter: "i64", quote: "i64", lead: "i64", last: "i64", tallest: "i64",
    state: "i64*", starts: "i32*", ends: "i32*", firsts: "i32*", lines: "i64*",
):  # fmt: skip
    """As `cut_marked`, of a dialect without escapes and comments, which costs their tests at no field."""
    cut_records(data, size, delimiter, quote, -1, -1, lead, last, tallest, state, starts, ends, firsts, lines)


@kernel
def cut_marked(
    task, tasks, data: "u8*", size: "i64", delimiter: "i64", quote: "i64", escape: "i64", comment: "i64", lead: "i64", last: "i64", tallest: "i64",
    state: "i64*", starts: "i32*", ends: "i32*", firsts: "i32*", lines: "i64*",
):  # fmt: skip
    """Cuts the whole records of a block of bytes; with `last` the data end with it.

    Block: the bytes, with BEYOND more behind them, and their number; the delimiter; the quote, the escape and what a line of comment begins with
    (-1: none); whether blanks are skipped before a quote; whether the data end here; the most lines of a record; `state` (above); for each field its
    first byte and the byte behind it; for each record that is not blank its first field and its line. There must be room for as many fields as there
    are bytes, and half as many records, and two more of each.
    """
    cut_records(data, size, delimiter, quote, escape, comment, lead, last, tallest, state, starts, ends, firsts, lines)
