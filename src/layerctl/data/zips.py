"""What a damaged zip archive raises."""

from __future__ import annotations

import zipfile
import zlib

_LZMA = getattr(getattr(zipfile, "lzma", None), "LZMAError", zlib.error)
DAMAGED = (zipfile.BadZipFile, zipfile.LargeZipFile, zlib.error, _LZMA, EOFError, OSError, NotImplementedError, RuntimeError, ValueError)
"""Errors of reading members: lengths, checksums, compressed data, a method or a password that is not there."""
