"""Lines that are no delimited text as they stand, made so as they come: lines in quotes as a whole, columns of fixed widths, quotes of two signs."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence

UNIT = "\x1f"
"""What stands between fields that were cut by their widths."""
_WHOLE = re.compile(rb'^[ \t]*"(.*)"[ \t]*(?=\r?$)', re.MULTILINE)


def by_lines(pieces: Iterable[bytes], change: Callable[[bytes], bytes]) -> Iterator[bytes]:
    """Text whose whole lines are changed; the last line of a piece waits for its end."""
    rest = b""
    for piece in pieces:
        rest += piece
        end = rest.rfind(b"\n") + 1
        if end or not piece:
            yield change(rest[:end])
        rest = rest[end:]
    if rest:
        yield change(rest)


def unwrapped(text: bytes) -> bytes:
    """Lines without the quotes around each, whose own quotes are doubled."""
    return _WHOLE.sub(lambda m: m[1].replace(b'""', b'"'), text)


def cut_at(widths: Sequence[int]) -> Callable[[bytes], bytes]:
    """What cuts lines into fields of so many characters, the last of them as wide as the line."""
    starts = [sum(widths[:i]) for i in range(len(widths))]
    bounds = list(zip(starts, [*starts[1:], None], strict=True))

    def cut(text: bytes) -> bytes:
        lines = text.decode().replace("\r\n", "\n").replace(UNIT, " ").split("\n")
        return "\n".join(UNIT.join(line[a:b].strip() for a, b in bounds) if line.strip() else "" for line in lines).encode()

    return cut


def plain_quotes(pair: str) -> Callable[[bytes], bytes]:
    """What writes `"` for the two signs of a pair, such as “ and ”."""
    signs = [c.encode() for c in pair]
    return lambda text: text.replace(signs[0], b'"').replace(signs[1], b'"')
