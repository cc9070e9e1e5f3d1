"""Bytes of a file → text that is fit for the YAML parser, or the reason why it is none."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path
from typing import Any, NoReturn

from layerctl.diagnostics import Source, Span, did_you_mean, fail

LARGEST = 1 << 20
EMPTY_HINT = "the smallest model is `model: [{Dense: 1}]`, with `data:` and `compile:` beside it"

_TEXT_HINT = "name the YAML file; data are named in it: `data: {source: …}`"

_MAGIC = {
    b"PK\x03\x04": "a zip archive, as .keras and .npz files are", b"\x89HDF": "an HDF5 file",
    b"\x1f\x8b": "compressed with gzip",
    b"\x89PNG": "a PNG image", b"\xff\xd8\xff": "a JPEG image", b"%PDF": "a PDF",
    b"\x93NUMPY": "a .npy array", b"\x80\x04": "a pickle",
    b"\x80\x03": "a pickle", b"\x80\x05": "a pickle", b"BZh": "compressed with bzip2",
    b"\xfd7zXZ": "compressed with xz",
    b"\x28\xb5\x2f\xfd": "compressed with zstd", b"PAR1": "a Parquet file", b"\x7fELF": "a program",
}  # fmt: skip
_UNFIT_ASCII = "[^\t\n\r\x20-\x7e]"
_UNFIT = "[^\t\n\r\x20-\x7e\xa0-\u2027\u202a-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]"  # takes 5 ms to compile


def shown_name(path: Any) -> str:
    """What diagnostics call a file."""
    return "<stdin>" if str(path) == "-" else os.fspath(path)


def read_text(path: Any) -> str:
    """The text of a UTF-8 file of at most 1 MiB, without a byte order mark; `-` is standard input.

    Raises:
        LayerctlError: for a file that is missing, unreadable, too large, empty, or no text.
    """
    name = shown_name(path)
    whole = Span(Source(name))
    try:
        if str(path) == "-":
            data = sys.stdin.buffer.read(LARGEST + 1)
        else:
            with open(path, "rb") as file:
                data = file.read(LARGEST + 1)
    except FileNotFoundError:
        _missing(Path(path), whole)
    except IsADirectoryError:
        inside = _yaml_files(Path(path))
        hint = f"name a file in it: {', '.join(inside[:5])}" if inside else "name a file in it"
        fail("file-unreadable", f"'{name}' is a folder, expected a YAML file", whole, hint=hint)
    except PermissionError:
        fail("file-unreadable", f"'{name}' may not be read by this user", whole, hint="`chmod +r` gives the permission")
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        fail("file-unreadable", f"'{name}' cannot be read: {reason}", whole, hint="check the path and the disk")
    return decoded(data, whole)


def similar(path: str | Path, asking: str = "") -> str:
    """What there is in place of a YAML file that is not there; never the file that asks for it."""
    return instead(path, [n for n in _yaml_files(Path(path).parent) if n != Path(asking).name])


def instead(path: str | Path, names: list[str] | None = None) -> str:
    """What there is in place of a file that is not there, for the end of a message: `; did you mean 'b.csv'?` for one of the names (those of
    its folder if not given), where a symbolic link leads; or nothing."""
    path = Path(path)
    try:
        if os.path.islink(path):
            return f": it is a symbolic link to '{os.readlink(path)}', which leads nowhere"
        return did_you_mean(path.name, os.listdir(path.parent) if names is None else names)
    except OSError:
        return ""


def _missing(path: Path, whole: Span) -> NoReturn:
    near = similar(path)
    fail(
        "file-not-found",
        f"there is no file '{path}'{near}",
        whole,
        hint=f"names are taken from the folder {Path.cwd()}",
    )
    raise AssertionError


def _yaml_files(folder: Path) -> list[str]:
    try:
        return sorted(p.name for p in folder.iterdir() if p.suffix in (".yaml", ".yml", ".json"))
    except OSError:
        return []


def decoded(data: bytes, whole: Span) -> str:
    """UTF-8 bytes as text.

    Raises:
        LayerctlError: for other encodings, binary files, too many bytes or none.
    """
    name = whole.source.name
    for magic, what in _MAGIC.items():
        if data.startswith(magic):
            fail("file-binary", f"'{name}' is {what}, expected YAML text", whole, hint=_TEXT_HINT)
    if data[8:10] in (b'{"', b"{}") and 0 in data[:8]:
        fail("file-binary", f"'{name}' is a safetensors file, expected YAML text", whole,
             hint="`layerctl inspect` says what a trained model's file holds")  # fmt: skip
    if data.startswith((b"\xff\xfe", b"\xfe\xff")) or (len(data) > 3 and b"\0" in data and _halves(data[:64])):
        fail(
            "file-encoding",
            f"'{name}' is UTF-16, expected UTF-8",
            whole,
            hint="save it as UTF-8, or `iconv -f UTF-16 -t UTF-8`",
        )
    if b"\0" in data:
        fail("file-binary", f"'{name}' is a binary file (it has NUL bytes), expected YAML text", whole, hint=_TEXT_HINT)
    if len(data) > LARGEST:
        fail(
            "file-too-large",
            f"'{name}' has more than {LARGEST} bytes, expected at most 1 MiB of YAML",
            whole,
            hint="data belong in a file of their own, named in `data: {source: …}`",
        )
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        head = data[: error.start].decode("utf-8-sig", "replace")
        row = data[_line_start(data, error.start) :].split(b"\n", 1)[0].decode("latin-1").rstrip("\r")
        line, column = head.count("\n") + 1, len(head) - head.rfind("\n")
        span = Span(Source(name, None, {line: row}), line, column, line, column + 1)
        byte = data[error.start]
        guess = f" ('{chr(byte)}' in Latin-1)" if byte >= 0xA0 else ""
        fail(
            "file-encoding",
            f"the byte 0x{byte:02x}{guess} is not UTF-8, expected UTF-8 text",
            span,
            hint="save it as UTF-8, or `iconv -f LATIN1 -t UTF-8`",
        )
        raise AssertionError from error


def _halves(data: bytes) -> bool:
    """Whether every second byte, and no other, is 0: Latin letters in UTF-16."""
    even, odd = data[0::2], data[1::2]
    return (not any(even) and all(odd)) or (not any(odd) and all(even))


def _line_start(data: bytes, at: int) -> int:
    """Where the line of a byte begins."""
    return data.rfind(b"\n", 0, at) + 1


def normalised(text: str, name: str) -> str:
    """The text with line ends as `\\n`, after checking that every character may stand in YAML.

    Raises:
        LayerctlError: for an empty text, one of more than 1 MiB, or a control character.
    """
    source = Source(name, text)
    if len(text) > LARGEST or (not text.isascii() and len(text.encode("utf-8", "replace")) > LARGEST):
        fail(
            "file-too-large",
            f"'{name}' has more than {LARGEST} bytes, expected at most 1 MiB of YAML",
            Span(source),
            hint="data belong in a file of their own, named in `data: {source: …}`",
        )
    if "\r" in text:
        text = text.replace("\r\n", "\n").replace("\r", "\n")
        source = Source(name, text)
    text = text.removeprefix("\ufeff")
    if not text or text.isspace():
        fail("file-empty", f"'{name}' is empty, expected a model", Span(source), hint=EMPTY_HINT)
    unfit = re.search(_UNFIT_ASCII if text.isascii() else _UNFIT, text)
    if unfit:
        at = unfit.start()
        line, column = text.count("\n", 0, at) + 1, at - text.rfind("\n", 0, at)
        fail(
            "yaml-character",
            f"the character U+{ord(unfit[0]):04X} may not stand in YAML, expected printable text",
            Span(Source(name, text), line, column, line, column + 1),
            hint=f'remove it, or write it as "\\u{ord(unfit[0]):04X}" in double quotes',
        )
    return text
