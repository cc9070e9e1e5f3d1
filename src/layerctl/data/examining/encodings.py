"""The encoding of a file, from its bytes: UTF-8 and UTF-16, alphabets that are not Latin, letters of Latin ones that ASCII has not."""

from __future__ import annotations

import codecs
import re
from collections.abc import Callable

from layerctl.data.streams import Stream, decoder_of, mostly_utf8
from layerctl.diagnostics import Source, Span

SURE = 0.8
"""The share of what has to look like an alphabet's usual characters, or words, before a file is taken to be written in it."""
FEW_KINDS = 4
"""Different characters below which nothing is said of an alphabet that is not Latin."""
_UNUSED_IN_1252 = frozenset({0x81, 0x8D, 0x8F, 0x90, 0x9D})
KANA = 0.1
"""The share of kana that tells Japanese in EUC from Chinese and Korean, whose characters have the same bytes."""
LATIN = 0.4
"""The share of ASCII letters in words with high bytes from which these are letters among others; trailing bytes of two-byte characters are fewer."""
_RUN = re.compile(rb"[\x80-\xff]+")
_WORD = re.compile(rb"[A-Za-z]*[\x80-\xff][A-Za-z\x80-\xff]*")
_CYRILLIC = re.compile(rb"[\xc0-\xdf\xa8][\xe0-\xff\xb8]+|[\xe0-\xff\xb8]{2,}|[\xc0-\xdf\xa8]{2,}")
_KOI8 = re.compile(rb"[\xe0-\xff\xb3][\xc0-\xdf\xa3]+|[\xc0-\xdf\xa3]{2,}|[\xe0-\xff\xb3]{2,}")


def _kana(c: str) -> bool:
    return "\u3040" <= c <= "\u30ff"


def _japanese(c: str) -> bool:
    return (
        "\u3040" <= c <= "\u30ff" or "\u4e00" <= c <= "\u9fff" or "\u3000" <= c <= "\u3020" or "\uff00" <= c <= "\uff5e"
    )


def _led(encoding: str, first: int, last: int) -> Callable[[str], bool]:
    """Whether a character's first byte is among those of the usual ones, or it is a sign of this script's punctuation."""

    def usual(c: str) -> bool:
        return first <= c.encode(encoding)[0] <= last or "\u3000" <= c <= "\u3020" or "\uff00" <= c <= "\uff5e"

    return usual


_BY_CHARACTERS = {
    "euc-jp": _japanese, "cp949": _led("cp949", 0xB0, 0xC8), "cp932": _japanese, "gb18030": _led("gb18030", 0xB0, 0xD7), "big5": _led("big5", 0xA4, 0xC6),
}  # fmt: skip
"""Alphabets of two bytes a character, and whether one is usual; of those that do as well the first is taken."""
_BY_WORDS = {"cp1251": _CYRILLIC, "koi8-r": _KOI8}
"""Alphabets of one byte a letter by what their words look like: small letters behind one capital, or capitals."""
_SAID = ("cp1250", "cp1251", "koi8-r", "cp1253", "cp1254", "cp932", "gb18030", "cp949", "big5", "euc-jp")
"""Encodings that are tried for a header with a column of a given name."""


def encoding_of(path: str, head: bytes, goals: frozenset[str]) -> tuple[str, str | None]:
    """(encoding, why it is not UTF-8) of a file that begins with `head`; `goals` are names that its header has."""
    if head[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return "utf-16", "the file begins with UTF-16's mark"
    if any(head[i::2].count(0) > 0.5 * len(head[i::2]) and 0 not in head[1 - i :: 2] for i in (0, 1)):
        return "utf-16", "every other byte is 0, as in UTF-16"
    if b"\0" in head or _is_utf8(path):  # what is no text need not be gone through to its end
        return "utf-8", None
    whole = head[: head.rfind(b"\n") + 1] or head
    if found := _of_script(whole):
        return found, f"some bytes are no UTF-8, and nearly all are usual characters in {found}"
    if mostly_utf8(head):
        return "utf-8", None  # whoever reads the rows says which bytes are none
    high = {b for b in head if 0x80 <= b < 0xA0}
    typographic = bool(high) and not high & _UNUSED_IN_1252
    usual = "cp1252" if typographic else "latin-1"
    named = next((e for e in (usual, *_SAID) if _names(whole, e, goals)), usual)
    if named != usual:
        return named, f"some bytes are no UTF-8, and the header names the target in {named}"
    return usual, "some bytes are no UTF-8" + (", and are typographic signs in cp1252" if typographic else "")


def text_of(head: bytes, encoding: str) -> str:
    """The first bytes as text, whatever is cut off at their end."""
    return head.decode("utf-8-sig" if encoding == "utf-8" else decoder_of(encoding, head), "replace")


def _is_utf8(path: str) -> bool:
    decoder = codecs.getincrementaldecoder("utf-8")()
    try:
        for piece in Stream(path, "utf-8", Span(Source(path))).unpacked():
            decoder.decode(piece)
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return False
    return True


def _of_script(head: bytes) -> str | None:
    """The encoding of an alphabet that is not Latin, if the bytes look like it; not of UTF-8 with a few bytes that are wrong."""
    if mostly_utf8(head, SURE):
        return None
    words = b"".join(_WORD.findall(head))
    if sum(b < 0x80 for b in words) > LATIN * len(words):
        return None
    best: tuple[float, str | None] = (SURE, None)
    for encoding, usual in _BY_CHARACTERS.items():
        beyond = [c for c in _text(head, encoding) if c > "\x7f"]
        if encoding == "euc-jp" and sum(map(_kana, beyond)) < KANA * len(beyond):
            continue
        if len(set(beyond)) >= FEW_KINDS and (share := sum(map(usual, beyond)) / len(beyond)) > best[0]:
            best = share, encoding
    runs = _RUN.findall(head)
    for encoding, word in _BY_WORDS.items():
        found = [r for r in runs if word.fullmatch(r)]
        if len(set(b"".join(found))) >= FEW_KINDS and (share := sum(map(len, found)) / sum(map(len, runs))) > best[0]:
            best = share, encoding
    return best[1]


def _text(head: bytes, encoding: str) -> str:
    """The bytes as text; nothing where they are none in this encoding."""
    try:
        return head.decode(encoding)
    except UnicodeDecodeError:
        return ""


def _names(head: bytes, encoding: str, goals: frozenset[str]) -> bool:
    first = text_of(head.split(b"\n", 1)[0], encoding)
    return any(not g.isascii() and g in first for g in goals)
