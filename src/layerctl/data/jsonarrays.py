"""A JSON array of objects as JSON lines: the same reader takes both, however the array is written."""

from __future__ import annotations

import codecs
import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from layerctl.data.jsonlines import LONGEST_LINE
from layerctl.diagnostics import Source, Span, fail

_decode = json.JSONDecoder().raw_decode
_BLANK = re.compile(r"[ \t\r\n]*")
_BREAK = re.compile(r"\r\n|\r|\n")
_MARK = b"\xef\xbb\xbf"
_ARRAY = re.compile(rb"\s*\[\s*([{[\]]|$)")
"""How an array of objects or lists begins; `[1]` is a line that is no object."""


def begins_as_json(piece: bytes) -> bool:
    """Whether a text begins as JSON lines, or as an array of objects or lists, do."""
    return re.match(rb'\s*(\[\s*([{[]|$)|\{\s*("|$))', piece.removeprefix(_MARK)) is not None


def as_lines(pieces: Iterable[bytes], name: str) -> Iterator[bytes]:
    """Pieces of UTF-8: of an array each element on a line, all else as it is. Elements keep the lines that they begin in, where each begins in
    one of its own.

    Raises:
        LayerctlError: `data-syntax`, for an array that is no JSON.
    """
    rest, head = iter(pieces), b""
    for piece in rest:
        head += piece
        if head.strip():
            break
        if not piece:
            yield b""
    if not _ARRAY.match(head):
        if head:
            yield head
        yield from rest
        return
    array, text = _Array(name), codecs.getincrementaldecoder("utf-8")()
    lacking = 0
    yield array.lines(text.decode(head))
    for piece in rest:
        array.held += text.decode(piece)
        if not piece:
            yield b""
        elif len(array.held) >= lacking:
            yield array.lines("")
            lacking = 2 * len(array.held) if len(array.held) > len(piece) else 0
    yield array.lines(text.decode(b"", True), last=True)


@dataclass
class _Array:
    """How far an array is read: the text that is `held` since its element is not whole, the place where that begins, the lines that were written."""

    name: str
    held: str = ""
    line: int = 1
    column: int = 0
    written: int = 1
    begun: bool = False
    ended: bool = False
    between: bool = False
    """Whether an element came, and no comma yet."""

    def lines(self, more: str, last: bool = False) -> bytes:
        """The elements that are whole with more text, on lines; with `last` the text ends."""
        text, at, out = self.held + more, 0, []
        while True:
            start = _BLANK.match(text, at).end()  # type: ignore[union-attr]
            halved = start == len(text) and text[-1:] == "\r" and not last
            start -= halved  # its other half may come
            self.line += len(_BREAK.findall(text, at, start))
            at = start
            if halved or at == len(text):
                break
            if self._sign(text, at, last):
                at += 1
                continue
            try:
                _, end = _decode(text, at)
            except (json.JSONDecodeError, RecursionError) as error:
                if last or isinstance(error, RecursionError):
                    self._refuse(text, getattr(error, "pos", at), at, getattr(error, "msg", "it is nested too deeply"))
                break
            if end == len(text) and not last and text[end - 1] not in '}]"':
                break  # a number may go on
            out.append("\n" * max(self.line - self.written, 0) + _BREAK.sub(" ", text[at:end]) + "\n")
            self.written = max(self.line, self.written) + 1
            self.line += len(_BREAK.findall(text, at, end))
            at, self.between = end, True
        self.held, self.column = text[at:], self._column(text, at)
        if len(self.held) > LONGEST_LINE:
            self._refuse(text, at, at, f"an element has more than {LONGEST_LINE >> 20} MB, or is no JSON")
        if last and not self.ended:
            self._refuse(text, at, at, "the array is not closed")
        return "".join(out).encode()

    def _sign(self, text: str, at: int, last: bool) -> bool:
        """Whether a bracket or comma stands there, as it may."""
        sign = text[at]
        if not self.begun:
            self.begun = True
            return True
        if self.ended:
            self._refuse(text, at, at, "something stands behind the array's end")
        if sign == "]":
            self.ended = True
            return True
        if self.between != (sign == ","):
            self._refuse(text, at, at, "a comma is missing between elements" if self.between else "an element is missing before a comma")
        self.between = self.between and sign != ","
        return sign == ","

    def _column(self, text: str, at: int) -> int:
        """The characters before a place of the text in its line."""
        break_ = max(text.rfind("\n", 0, at), text.rfind("\r", 0, at))
        return at - break_ - 1 if break_ >= 0 else self.column + at

    def _refuse(self, text: str, at: int, since: int, why: str) -> None:
        line = self.line + len(_BREAK.findall(text, since, at))
        fail("data-syntax", f"this array is not JSON: {why}", Span(Source(self.name), line, self._column(text, at) + 1),
             hint='write an array of objects, as in [{"x": 1}, {"x": 2}], or an object to a line')  # fmt: skip
