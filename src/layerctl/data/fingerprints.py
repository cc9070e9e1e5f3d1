"""What identifies the content of sources: a hash of their bytes, remembered for files that have not been touched since."""

from __future__ import annotations

import hashlib
import json
import os
import time
from pathlib import Path

from layerctl.data.arrays import BUILTIN
from layerctl.data.readers import Files

REMEMBERED = 1 << 22
"""Bytes from which on a file's hash is remembered."""
_SETTLED = 2.0
"""Seconds after which a file's time tells of every later change."""


def fingerprint_of(source: str, folder: Path) -> bytes:
    """The hash of a source's bytes, its files' names left out; empty where it cannot be read now (a stream, or nothing is there)."""
    if source.startswith(BUILTIN):
        paths: tuple[str, ...] = (str(Path(__file__).parent / "builtin" / f"{source.removeprefix(BUILTIN)}.npz"),)
    else:
        paths = Files.of(source, folder).paths
    out = hashlib.sha256()
    try:
        for path in paths:
            if os.path.isdir(path):
                out.update(_folder(path))
            elif os.path.isfile(path):
                out.update(_file(path))
            else:
                return b""
    except OSError:
        return b""
    return out.digest()


def _file(path: str) -> bytes:
    """A file's hash."""
    status = os.stat(path)
    if status.st_size < REMEMBERED:
        return hashlib.sha256(Path(path).read_bytes()).digest()
    from layerctl.kernels import shelf

    known = json.dumps([os.path.realpath(path), status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino, status.st_dev])
    name = hashlib.sha256(known.encode()).hexdigest()[:32]
    place = shelf.place("fingerprints")
    kept = shelf.read(place, name, ".sha256")
    if kept is not None:
        return kept
    with open(path, "rb") as file:
        made = hashlib.file_digest(file, "sha256").digest()
    if time.time() - status.st_mtime > _SETTLED:
        shelf.keep(place, name, made, ".sha256")
    return made


def _folder(path: str) -> bytes:
    """A hash of the names, sizes and times of a folder's files."""
    out = hashlib.sha256()
    for folder, folders, files in os.walk(path):
        folders.sort()
        for name in sorted(files):
            status = os.stat(os.path.join(folder, name))
            out.update(f"{os.path.relpath(folder, path)}/{name} {status.st_size} {status.st_mtime_ns}\n".encode("utf-8", "surrogateescape"))
    return out.digest()
