"""Kernels that the package brings as LLVM bitcode, lowered and optimised when it was built: what is left to do is code for this processor.

A file beside this one for each base of targets (kernels/target.py): a head, one line of JSON that says what it was made from and the SHA-256
of what follows; then, compressed (xz), a line of JSON with the size of each kernel by its symbol, and the bitcode. A file that
does not fit the sources as they are, that a later LLVM wrote, or that is damaged, is none: kernels are lowered by Numba then. Either way
they are the same bytes.
"""

from __future__ import annotations

import functools
import hashlib
import json
import os
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from layerctl.kernels import target
from layerctl.kernels.versions import sources

FOLDER = Path(__file__).parent / "lowered_for"
MAGIC = b"layerctl lowered 1\n"
_MOST, _MOST_UNPACKED, _MOST_HEAD = 8 << 20, 64 << 20, 4096


def path_for(base: target.Target, folder: Path = FOLDER) -> Path:
    """Where the kernels of a base are."""
    return folder / f"{base.architecture}-{base.lanes}.xz"


def find(symbol: str) -> bytes | None:
    """The bitcode of a kernel by its symbol; None where the package has none that fits."""
    return brought().get(symbol)


@functools.cache
def brought() -> Mapping[str, bytes]:
    """The bitcode of all kernels that the package brings for this machine, by symbols."""
    return read(path_for(target.base()), target.base())


def read(path: Path, base: target.Target) -> Mapping[str, bytes]:
    """Bitcode by symbols, if a file holds what the sources of this package are for this base and this LLVM; else nothing."""
    try:
        with open(path, "rb") as file:
            data = file.read(_MOST + 1) if not os.fstat(file.fileno()).st_mode & stat.S_IWOTH else b""
    except OSError:
        return {}
    if len(data) > _MOST or not data.startswith(MAGIC):
        return {}
    head, _, packed = data[len(MAGIC) : len(MAGIC) + _MOST_HEAD].partition(b"\n")
    packed = data[len(MAGIC) + len(head) + 1 :]
    try:
        told = json.loads(head)
        made = told.pop("llvm"), told.pop("sha256")
        if told != _origin(base) or tuple(made[0]) > _llvm() or made[1] != hashlib.sha256(packed).hexdigest():
            return {}
        return _unpacked(packed)
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return {}


def _unpacked(packed: bytes) -> dict[str, bytes]:
    """Bitcode by symbols.

    Raises:
        ValueError, TypeError, AttributeError: for what `write` did not write.
    """
    try:
        import lzma
    except ImportError:  # a Python that was built without it
        return {}
    try:
        whole = lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=2 * _MOST_UNPACKED).decompress(packed, _MOST_UNPACKED)
    except lzma.LZMAError as e:
        raise ValueError(str(e)) from None
    sizes, _, code = whole.partition(b"\n")
    found, start = {}, 0
    for name, size in json.loads(sizes).items():
        found[name] = code[start : start + size]
        start += size
    if start != len(code) or any(len(code) == 0 for code in found.values()):
        raise ValueError("not as long as it says")
    return found


def write(path: Path, base: target.Target, code: Mapping[str, bytes]) -> None:
    """Writes the kernels of a base: the same bytes for the same kernels."""
    import lzma

    sizes = {name: len(bitcode) for name, bitcode in code.items()}
    whole = json.dumps(sizes).encode() + b"\n" + b"".join(code.values())
    packed = lzma.compress(whole, lzma.FORMAT_XZ, preset=9 | lzma.PRESET_EXTREME)
    head = {**_origin(base), "llvm": _llvm(), "sha256": hashlib.sha256(packed).hexdigest()}
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_suffix(f".{os.getpid()}")
    temporary.write_bytes(MAGIC + json.dumps(head).encode() + b"\n" + packed)
    os.replace(temporary, path)


def _origin(base: target.Target) -> dict[str, Any]:
    """What must be as it was."""
    return {"sources": sources(), "base": base.key}


def _llvm() -> tuple[int, ...]:
    """LLVM's version: it reads what earlier ones wrote."""
    return tuple(target.binding().llvm_version_info)
