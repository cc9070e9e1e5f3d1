"""Where bytes of data come from: files, standard input, gzip, zip, other encodings; always as pieces of UTF-8 without a byte order mark."""

from __future__ import annotations

import codecs
import io
import itertools
import os
import select
import stat
import sys
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import IO, Any

import numpy as np

from layerctl.data import zips
from layerctl.data.foreign import refuse_foreign
from layerctl.diagnostics import Source, Span, fail
from layerctl.spec.reading import ENCODINGS

PIECE = 3 << 17
"""Bytes that are read at a time."""
BOMB = 200
"""How many times its size a packed file may unpack to, beyond the first gigabyte: tables reach 50, zeros 1,000."""
_SPARED = 1 << 30
_LINE_END = 10
MARKS_OF_UTF_16 = (b"\xff\xfe", b"\xfe\xff")
_MARK = 2
_PATIENCE = 0.05
"""Seconds without data after which what has come is handed on."""


@dataclass
class Stream:
    """A source of text. With `lenient`, what is not in the encoding becomes a replacement character; with `prompt`, a pause of a pipe is told.

    Iterating gives pieces of UTF-8; an empty piece says that nothing more is there at the moment.
    """

    path: str
    encoding: str
    place: Span
    lenient: bool = False
    prompt: bool = False
    waits: bool = False
    """Whether pieces come as somebody writes them (a pipe)."""
    lines: int = 0
    """Line ends in the pieces that were handed on."""

    def __iter__(self) -> Iterator[bytes]:
        return self._checked(self._decoded(self.unpacked()))

    def unpacked(self) -> Iterator[bytes]:
        """The file's bytes, out of their gzip or zip.

        Raises:
            LayerctlError: for a file that cannot be read, is damaged, or is of a kind that has no rows of text.
        """
        found = self._unpacked(self._raw())
        for piece in found:
            if piece:
                refuse_foreign(piece, self.place)
                yield piece
                break
            yield piece
        yield from found

    def _raw(self) -> Iterator[bytes]:
        """The bytes as they are."""
        with opened(self.path, self.place) as file:
            status = os.fstat(file.fileno())
            self.waits = not stat.S_ISREG(status.st_mode)
            try:
                while True:
                    if self.waits and self.prompt and not select.select([file], [], [], _PATIENCE)[0]:
                        yield b""
                    piece = os.read(file.fileno(), PIECE)
                    if not piece:
                        break
                    yield piece
            except OSError as error:
                fail("file-unreadable", f"cannot read {self.path}: {error.strerror or error}", self.place,
                     hint="see whether the file is there and may be read: ls -l")  # fmt: skip
            after = os.fstat(file.fileno())
            if not self.waits and (after.st_size, after.st_mtime_ns) != (status.st_size, status.st_mtime_ns):
                fail("file-changed", "the file was changed while it was read", self.place, hint="read it again when nothing writes to it")

    def _unpacked(self, pieces: Iterator[bytes]) -> Iterator[bytes]:
        """Unpacked where the data are gzip (one or several members)."""
        first = next((p for p in pieces if p), b"")
        if first[:4] in (zips.SIGN, zips.EMPTY):
            yield from self._unzipped(first, pieces)
            return
        if first[:2] != b"\x1f\x8b":
            if first:
                yield first
            yield from pieces
            return
        taken = made = 0
        unpacker = zlib.decompressobj(wbits=31)
        rest = first
        try:
            while rest or not unpacker.eof:
                if not rest:
                    rest = next((p for p in pieces if p), b"")
                    if not rest:
                        self._damaged()
                taken += len(rest)
                out = unpacker.decompress(rest, PIECE)
                rest = unpacker.unconsumed_tail or unpacker.unused_data
                taken -= len(rest)
                made += len(out)
                self._bounded(made, taken)
                if out:
                    yield out
                if unpacker.eof:
                    rest = (rest or next((p for p in pieces if p), b"")).lstrip(b"\0")
                    if rest:
                        unpacker = zlib.decompressobj(wbits=31)
        except zlib.error:
            self._damaged()

    def _bounded(self, made: int, taken: int) -> None:
        if made > max(_SPARED, taken * BOMB):
            fail("file-too-large", f"the file unpacks to more than {BOMB} times its size", self.place, hint="unpack it yourself if that is meant")

    def _unzipped(self, first: bytes, pieces: Iterator[bytes]) -> Iterator[bytes]:
        """The one file of a zip archive; where the archive comes through a pipe it is held in memory, since its list of files stands at its end."""
        archive: str | IO[bytes] = self.path
        if self.waits or self.path == "-":
            held = bytearray(first)
            for piece in pieces:
                held += piece
                if len(held) > _SPARED:
                    fail("file-too-large", "the archive is too large to come through a pipe", self.place,
                         hint="give it as a file, or unpack it: `unzip -p FILE |`")  # fmt: skip
            archive = io.BytesIO(held)
        made = 0
        for piece, taken in zips.unzipped(archive, PIECE, self.place):
            made += len(piece)
            self._bounded(made, taken)
            yield piece

    def _damaged(self) -> None:
        fail("file-unreadable", f"cannot read {self.path}: the gzip data end too soon or are damaged", self.place,
             hint="take a copy that is whole: `gzip -t` tests it")  # fmt: skip

    def _decoded(self, pieces: Iterator[bytes]) -> Iterator[bytes]:
        """UTF-8 without a byte order mark, cut between characters."""
        plain = self.encoding == "utf-8"
        if self.encoding == "utf-16":
            first = b""
            for piece in pieces:
                first += piece
                if len(first) >= _MARK:
                    break
            pieces = itertools.chain([first], pieces)
            if first and not first.startswith(MARKS_OF_UTF_16) and 0 not in first and not self.lenient:
                fail("file-encoding", "the file is not utf-16", self.place, hint="leave `encoding` out of the data section if it is UTF-8, or say which it has")
        else:
            first = b""
        decoder = codecs.getincrementaldecoder("utf-8-sig" if plain else decoder_of(self.encoding, first))("replace" if self.lenient else "strict")
        begun, pending = False, False
        for piece in pieces:
            if not piece:
                yield b""
                continue
            if not begun and plain and piece.startswith(MARKS_OF_UTF_16):
                fail("file-encoding", "the file is UTF-16", self.place, hint="say `encoding: utf-16` in the data section")
            if plain and begun and not pending and piece.isascii():
                yield piece
                continue
            if made := self._characters(decoder, piece, False):
                yield made.encode("utf-8", "replace")
            begun, pending = True, bool(decoder.getstate()[0])
        if made := self._characters(decoder, b"", True):
            yield made.encode("utf-8", "replace")

    def _characters(self, decoder: Any, piece: bytes, final: bool) -> str:
        try:
            return decoder.decode(piece, final)
        except UnicodeDecodeError as error:
            line = self.lines + error.object[: error.start].count(b"\n") + 1
            byte = error.object[error.start]
            hint = f"say which `encoding` it has ({', '.join(e for e in ENCODINGS if e != self.encoding)}) in the data section"
            if self.encoding == "utf-8" and mostly_utf8(error.object):
                hint = "the other letters are UTF-8: correct it, or leave out what is not: `iconv -c -f utf-8 -t utf-8 FILE > rows.csv`"
            fail("file-encoding", f"the file is not {self.encoding}: byte 0x{byte:02x} in line {line}", self._at(line, error.object, error.start), hint=hint)
            raise

    def _at(self, line: int, piece: bytes, at: int) -> Span:
        """The place of a byte of a piece; its column where the line begins in the piece."""
        start = piece.rfind(b"\n", 0, at)
        column = at - start if start >= 0 or line == 1 else 1
        return Span(self.place.source, line, column, line, column + 1)

    def _checked(self, pieces: Iterator[bytes]) -> Iterator[bytes]:
        """Not empty, and without NUL bytes."""
        filled = False
        for piece in pieces:
            if b"\0" in piece and (not self.lenient or (not filled and piece.count(b"\0") * 2 > len(piece))):
                at = self.lines + piece[: piece.index(b"\0")].count(b"\n") + 1
                place = self.place if self.lenient else self._at(at, piece, piece.index(b"\0"))
                fail("file-binary", f"the file has a NUL byte in line {at}: it is not text", place,
                     hint="text has none: `tr -d '\\0' < FILE > rows.csv` takes stray ones out; say `encoding: utf-16` if it is that; arrays and "
                     "Parquet are known by their ending, or by `format`")  # fmt: skip
            filled = filled or bool(piece.strip())
            self.lines += 0 if self.lenient else line_ends(piece)
            yield piece
        if not filled:
            fail("file-empty", "the file has no data", self.place, hint="give a file with rows; a first line of columns' names is the header")


def decoder_of(encoding: str, first: bytes) -> str:
    """The name of what decodes a file that begins with these bytes: of UTF-16 without its mark, the order in which its first character has a zero."""
    if encoding != "utf-16" or first.startswith(MARKS_OF_UTF_16):
        return encoding
    return "utf-16-be" if first[:1] == b"\0" else "utf-16-le"


def mostly_utf8(text: bytes, share: float = 0.5) -> bool:
    """Whether more than a share of the bytes beyond ASCII are letters in UTF-8."""
    high = np.count_nonzero(np.frombuffer(text, np.uint8) > 0x7F)
    return bool(high) and sum(len(c.encode()) for c in text.decode("utf-8", "ignore") if c > "\x7f") > share * high


def line_ends(piece: bytes) -> int:
    """How many line ends there are, many at a time."""
    return int(np.count_nonzero(np.frombuffer(piece, np.uint8) == _LINE_END))


def opened(path: str, place: Span) -> IO[bytes]:
    """A file, or standard input for `-`, without a buffer.

    Raises:
        LayerctlError: if it is not there or cannot be read.
    """
    if path == "-":
        return open(os.dup(sys.stdin.buffer.fileno()), "rb", buffering=0)
    try:
        if os.path.isdir(path):
            fail("file-unreadable", "this is a folder, not a file of data", place, hint="name a file in it, or several by a pattern: `source: folder/*.csv`")
        return open(path, "rb", buffering=0)
    except FileNotFoundError:
        missing(path, place)
        raise
    except OSError as error:
        fail("file-unreadable", f"cannot read {path}: {error.strerror or error}", place, hint="see whether the file is there and may be read: ls -l")
        raise


def missing(path: str, place: Span) -> None:
    """Ends with the diagnostic for a file that is not there."""
    from layerctl.source.files import instead

    fail("file-not-found", f"there is no file {path}{instead(path)}", place,
         hint="a path on the command line starts from this folder, `source` in a model file from the file's")  # fmt: skip


def place_of(path: str) -> Span:
    """The place of a whole source."""
    return Span(Source("<stdin>" if path == "-" else path))
