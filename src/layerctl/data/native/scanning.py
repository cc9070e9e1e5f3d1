"""Delimited text cut into fields, as a kernel: the dialect of Python's csv module on UTF-8 bytes.

A field is a slice of the block of bytes, without blanks around it; what quoting hides inside one (doubled quotes, two-byte line ends, text
behind the closing quote) is moved together in place first.
"""

from __future__ import annotations

from layerctl.ops.kernel import kernel

AT, FIELDS, RECORDS, LINE, OPEN, TALL, TALL_LINES, WIDE = range(8)
"""What `cut` keeps in `state`: the first byte that is not used up, fields and records found, the line that the next record begins in; the lines of
a record whose quote is still open at the end (0 if none is); the first line and the number of lines of a record that is too tall (0 if none is);
the bytes of the longest field."""
DELIMITER, BREAK, QUOTE = 1, 2, 4
"""Bits of the classes of bytes."""


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


def compact(data: object, start: int, end: int, quote: int) -> int:
    """Moves the content of a quoted field, from behind its first quote to its end, together; returns where it ends then."""
    out, i, inside = start, start, True
    while i < end:
        c = data[i]
        i += 1
        if inside and c == quote:
            if i < end and data[i] == quote:
                i += 1
            else:
                inside = False
                continue
        elif c == 13:
            if i < end and data[i] == 10:
                i += 1
            c = 10
        data[out] = c
        out += 1
    return out


@kernel
def cut(
    task, tasks, data: "u8*", size: "i64", classes: "u8*", quote: "i64", lead: "i64", last: "i64", tallest: "i64",
    state: "i64*", starts: "i32*", ends: "i32*", firsts: "i32*", lines: "i64*",
):  # fmt: skip
    """Cuts the whole records of a block of bytes; with `last` the data end with it.

    Block: the bytes and their number; the class of each byte; the quote; whether blanks are skipped before a quote; whether the data end
    here; the most lines of a record; `state` (above); for each field its first byte and the byte behind it; for each record that is not blank its
    first field and its line. There must be room for as many fields as there are bytes, and two more.
    """
    i, fields, records, line = state[0], state[1], state[2], state[3]
    wide = state[7]
    complete = True
    while complete and i < size and state[5] == 0:
        begin, first = i, fields
        tall, filled, inside, opened = 1, False, True, False
        while inside:
            inside = False
            if lead == 1:
                while i < size and data[i] == 32:
                    i += 1
            s, e = i, i
            if i < size and classes[data[i]] & 4:
                i += 1
                s = i
                dirty, opened = False, True
                while opened and i < size:
                    c = data[i]
                    if c == quote:
                        if i + 1 < size and data[i + 1] == quote:
                            dirty = True
                            i += 2
                        else:
                            opened = False
                    elif c == 10:
                        tall += 1
                        i += 1
                    elif c == 13:
                        tall += 1
                        dirty = True
                        i += 1
                        if i < size and data[i] == 10:
                            i += 1
                    else:
                        i += 1
                e = i
                if not opened:
                    i += 1
                    behind = i
                    while i < size and classes[data[i]] & 3 == 0:
                        i += 1
                    if i > behind:
                        dirty = True
                    if dirty and (i < size or last == 1):
                        e = compact(data, s, i, quote)
            else:
                while i < size and classes[data[i]] & 3 == 0:
                    i += 1
                e = i
            if i >= size and last == 0:
                complete = False
            elif opened:
                complete = False
                state[4] = tall
            else:
                s = skip_blanks(data, s, e)
                e = drop_blanks(data, s, e)
                starts[fields] = s
                ends[fields] = e
                fields += 1
                if e > s:
                    filled = True
                if e - s > wide:
                    wide = e - s
                if i < size:
                    c = data[i]
                    i += 1
                    if classes[c] & 1:
                        inside = True
                    elif c == 13:
                        if i < size:
                            if data[i] == 10:
                                i += 1
                        elif last == 0:
                            complete = False
        if complete:
            if filled:
                firsts[records] = first
                lines[records] = line
                records += 1
            else:
                fields = first
            if tall > tallest:
                state[5] = line
                state[6] = tall
            line += tall
        else:
            i, fields = begin, first
    state[0], state[1], state[2], state[3] = i, fields, records, line
    state[7] = wide
