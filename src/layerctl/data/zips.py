"""Zip archives: the file of rows in one, and what a damaged one raises."""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Iterator, Sequence
from pathlib import PurePosixPath
from typing import IO

from layerctl.diagnostics import Span, fail

SIGN = b"PK\x03\x04"
EMPTY = b"PK\x05\x06"
_LZMA = getattr(getattr(zipfile, "lzma", None), "LZMAError", zlib.error)
DAMAGED = (zipfile.BadZipFile, zipfile.LargeZipFile, zlib.error, _LZMA, EOFError, OSError, NotImplementedError, RuntimeError, ValueError)
"""Errors of reading members: lengths, checksums, compressed data, a method or a password that is not there."""
_OFFICE = {"[Content_Types].xml": "an Excel workbook, or another document of Office", "mimetype": "an OpenDocument file"}
SHOWN = 4


def unzipped(file: str | IO[bytes], size: int, place: Span) -> Iterator[tuple[bytes, int]]:
    """(a piece of up to so many bytes, how many bytes of the archive the whole file takes), of the one file in an archive.

    Raises:
        LayerctlError: for an archive that is damaged, locked, or has no file or several.
    """
    try:
        with zipfile.ZipFile(file) as packed:
            inside = _one(packed.infolist(), place)
            with packed.open(inside) as unpacked:
                while piece := unpacked.read(size):
                    yield piece, inside.compress_size
    except DAMAGED as error:
        fail("file-unreadable", f"cannot read {place.source.name} as a zip archive: {error}", place,
             hint="unpack it, or take a copy that is whole: `unzip -t` tests it")  # fmt: skip


def _one(entries: Sequence[zipfile.ZipInfo], place: Span) -> zipfile.ZipInfo:
    """The archive's only file, but for what systems leave beside files."""
    office = next((_OFFICE[e.filename] for e in entries if e.filename in _OFFICE), None)
    if office is not None:
        fail("file-binary", f"the file is {office}, not rows of text", place, hint="save the sheet as CSV")
    files = [e for e in entries if not e.is_dir() and not e.filename.startswith("__MACOSX/") and PurePosixPath(e.filename).name[:1] != "."]
    if is_arrays(files):
        fail("file-binary", "the file is an archive of numpy's arrays, not rows of text", place,
             hint="say `format: npz` in the data section, or call it .npz")  # fmt: skip
    if len(files) != 1:
        names = [e.filename for e in files]
        listed = ", ".join(names[:SHOWN]) + (f" and {len(names) - SHOWN} more" if len(names) > SHOWN else "")
        fail("file-binary", f"the archive has {len(names)} files{f': {listed}' if names else ''}; an archive of one is read", place,
             hint=f"take the one out that is meant: `unzip {place.source.name} {names[0]}`" if names else "pack the file anew")  # fmt: skip
    return files[0]


def is_arrays(entries: Sequence[zipfile.ZipInfo]) -> bool:
    """Whether an archive holds numpy's arrays."""
    return bool(entries) and all(e.filename.endswith(".npy") for e in entries)


def holds_arrays(path: str) -> bool:
    """Whether a file is an archive of numpy's arrays."""
    try:
        with zipfile.ZipFile(path) as packed:
            return is_arrays(packed.infolist())
    except DAMAGED:
        return False
