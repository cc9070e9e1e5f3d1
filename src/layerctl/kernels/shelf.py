"""Files of the cache that this machine wrote for itself and trusts: whole, ours, and of the right name, or not there at all."""

from __future__ import annotations

import contextlib
import hashlib
import os
import stat
from pathlib import Path

from layerctl.cache import cache_folder
from layerctl.temporary import temporary_file, write_all

MAGIC = b"layerctl kernel 2\n"


def place(*parts: str) -> Path | None:
    """A folder of the cache: made if need be; None if it cannot be had or others may write to it."""
    base = cache_folder()
    if base is None:
        return None
    path = base.joinpath(*parts)
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        return path if trusted(path.stat()) else None
    except OSError:
        return None


def trusted(file: os.stat_result) -> bool:
    """Whether only we (or root) can have written it: what is loaded from here runs."""
    return not hasattr(os, "getuid") or (
        file.st_uid in (os.getuid(), 0) and not file.st_mode & (stat.S_IWGRP | stat.S_IWOTH)
    )


def read(folder: Path | None, name: str, ending: str = ".o") -> bytes | None:
    """What was kept under a name; None where there is nothing, or nothing that is whole and ours."""
    if folder is None:
        return None
    try:
        with open(folder / f"{name}{ending}", "rb") as file:
            data = file.read() if trusted(os.fstat(file.fileno())) else b""
    except OSError:
        return None
    head = MAGIC + name.encode() + b"\n"
    if not data.startswith(head):
        return None
    digest, content = data[len(head) : len(head) + 32], data[len(head) + 32 :]
    return content if hashlib.sha256(content).digest() == digest else None


def keep(folder: Path | None, name: str, content: bytes, ending: str = ".o") -> None:
    """Keeps bytes under a name, whole or not at all; a folder that cannot be written to stays as it is."""
    if folder is None:
        return
    content = MAGIC + name.encode() + b"\n" + hashlib.sha256(content).digest() + content
    with contextlib.suppress(OSError), temporary_file(folder) as (descriptor, temporary):
        write_all(descriptor, content)
        os.replace(temporary, folder / f"{name}{ending}")
