"""Encoded rows in a file of the cache that is mapped into memory: written once, checked before it is used, the longest unused ones taken away.

The file: MAGIC, the header's length, the header (JSON: size, the payload's digest, schema, the parts' arrays and where they stand), arrays at multiples
of 64 bytes. Its name is the hash of all that it depends on.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import math
import mmap
import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from layerctl.data.rows import Dataset, digest
from layerctl.data.shortened import heed
from layerctl.diagnostics import fail
from layerctl.kernels import shelf
from layerctl.spec.features import FeatureSchema
from layerctl.temporary import clean_stale, temporary_file, temporary_folder, write_all

MAGIC = b"layerctl rows 1\n"
ENDING = ".rows"
MOST = 64 << 30
"""Bytes of all files together, if LAYERCTL_CACHE_GB does not say otherwise."""
_ALIGNED = 64
_LARGEST_HEADER = 1 << 28
_INPUT, _TARGET, _WEIGHT, _NUMBERS = "input:", "target:", "weight", "row_numbers"


@dataclass(frozen=True, eq=False)
class Part:
    """Rows to be encoded: how many, and the pieces in which they come."""

    rows: int
    pieces: Callable[[], Iterator[Dataset]]


def place() -> Path | None:
    """The folder of such files; None where there is no cache that only this user can write to."""
    return shelf.place("rows")


def kept(key: str) -> tuple[dict[str, Dataset], FeatureSchema] | None:
    """The parts and the schema under a key; None where there is no file that is whole and ours. A damaged one is taken away."""
    folder = place()
    if folder is None:
        return None
    path = folder / f"{key}{ENDING}"
    try:
        with open(path, "rb") as file:
            status = os.fstat(file.fileno())
            header, start = _header(file) if shelf.trusted(status) else (None, 0)
            if header is None or status.st_size != header["size"] or _digest(file, start) != header["digest"]:
                path.unlink()
                return None
            os.utime(path)
            heed(str(path))
            memory = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    except (OSError, ValueError, KeyError, TypeError):
        return None
    whole = np.frombuffer(memory, np.uint8)
    return {n: _part(p, whole[start:]) for n, p in header["parts"].items()}, FeatureSchema.from_dict(header["schema"])


def _header(file: Any) -> tuple[dict[str, Any] | None, int]:
    if file.read(len(MAGIC)) != MAGIC:
        return None, 0
    length = int.from_bytes(file.read(8), "little")
    if not 0 < length <= _LARGEST_HEADER:
        return None, 0
    return json.loads(file.read(length)), len(MAGIC) + 8 + length


def _digest(file: Any, start: int) -> str:
    file.seek(start)
    return hashlib.file_digest(file, "sha256").hexdigest()


def _part(plain: Mapping[str, Any], whole: np.ndarray) -> Dataset:
    arrays = {}
    for name, (dtype, shape, start) in plain["arrays"].items():
        size = np.dtype(dtype).itemsize * int(np.prod(shape, dtype=np.int64))
        arrays[name] = whole[start : start + size].view(dtype).reshape(shape)
    made = Dataset(
        {n.removeprefix(_INPUT): a for n, a in arrays.items() if n.startswith(_INPUT)},
        {n.removeprefix(_TARGET): a for n, a in arrays.items() if n.startswith(_TARGET)}, arrays.get(_WEIGHT), arrays[_NUMBERS],
    )  # fmt: skip
    vars(made)["fingerprint"] = plain["fingerprint"]
    return made


def write(key: str, schema: FeatureSchema, parts: Mapping[str, Part]) -> bool:
    """Encodes the parts into the file of a key, whole or not at all; False where the disk does not take it."""
    folder = place()
    if folder is None:
        return False
    clean_stale(folder)
    path = folder / f"{key}{ENDING}"
    try:
        with temporary_file(folder) as (descriptor, temporary):
            _fill(descriptor, schema, parts)
            os.fsync(descriptor)
            os.replace(temporary, path)
    except OSError:
        return False
    bound(folder, path)
    return True


def _fill(descriptor: int, schema: FeatureSchema, parts: Mapping[str, Part]) -> None:
    """Payload first, then the header, whose length does not depend on what the hashes are."""
    plain, size = _layout(parts)
    header: dict[str, Any] = {"size": 0, "digest": "0" * 64, "schema": schema.to_dict(), "parts": plain}
    length = len(json.dumps(header)) + 24
    length += -(len(MAGIC) + 8 + length) % _ALIGNED
    start = len(MAGIC) + 8 + length
    header["size"] = start + size
    os.ftruncate(descriptor, start + size)
    for name, part in parts.items():
        _write_part(descriptor, start, plain[name]["arrays"], part)
    with os.fdopen(os.dup(descriptor), "rb") as file:
        header["digest"] = _digest(file, start)
    whole = np.frombuffer(mmap.mmap(descriptor, 0, access=mmap.ACCESS_READ), np.uint8)
    for p in plain.values():
        made = _part(p, whole[start:])
        p["fingerprint"] = digest(made.inputs, made.targets, made.weights)
    text = json.dumps(header).encode()
    write_all(descriptor, MAGIC + length.to_bytes(8, "little") + text + b" " * (length - len(text)), 0)


def _layout(parts: Mapping[str, Part]) -> tuple[dict[str, Any], int]:
    """Where each part's arrays stand behind the header, and the bytes of them all."""
    first = arrays_of(next(iter(next(iter(parts.values())).pieces())))
    plain: dict[str, Any] = {}
    at = 0
    for name, part in parts.items():
        arrays = {}
        for label, array in first.items():
            arrays[label] = [array.dtype.str, [part.rows, *array.shape[1:]], at]
            at += part.rows * array[:1].nbytes
            at += -at % _ALIGNED
        plain[name] = {"arrays": arrays, "fingerprint": "0" * 32}
    return plain, at


def arrays_of(rows: Dataset) -> dict[str, np.ndarray]:
    """A data set's arrays by the names that they have in a file."""
    out = {f"{_INPUT}{n}": a for n, a in rows.inputs.items()} | {f"{_TARGET}{n}": a for n, a in rows.targets.items()}
    return out | ({} if rows.weights is None else {_WEIGHT: rows.weights}) | {_NUMBERS: rows.row_numbers}


def _write_part(descriptor: int, start: int, places: Mapping[str, Any], part: Part) -> None:
    done = 0
    for piece in part.pieces():
        for label, array in arrays_of(piece).items():
            dtype, shape, at = places[label]
            if array.dtype.str != dtype or list(array.shape[1:]) != shape[1:]:
                raise ValueError(f"{label} is {array.dtype} {array.shape} in one piece and {dtype} {shape} in another")
            write_all(descriptor, np.ascontiguousarray(array).reshape(-1).view(np.uint8), start + at + done * array[:1].nbytes)
        done += len(piece)
    if done != part.rows:
        raise ValueError(f"{part.rows} rows were promised, {done} came")


def _most() -> int:
    given = os.environ.get("LAYERCTL_CACHE_GB", "").strip()
    if not given:
        return MOST
    try:
        most = float(given)
    except ValueError:
        most = math.nan
    if not 0 <= most < 1e9:
        fail("bad-option", f"LAYERCTL_CACHE_GB is {given!r}; expected a number of gigabytes", None, hint="export LAYERCTL_CACHE_GB=20")
    return int(most * (1 << 30))


def bound(folder: Path, newest: Path) -> None:
    """Takes away the files that were not used for longest, as long as all together are more than the bound; never the newest."""
    most = _most()
    found = [(p, p.stat()) for p in folder.glob(f"*{ENDING}")]
    total = sum(s.st_size for _, s in found)
    for path, status in sorted(found, key=lambda f: f[1].st_mtime_ns):
        if total <= most:
            return
        if path != newest:
            with contextlib.suppress(OSError):  # another process was quicker
                path.unlink()
            total -= status.st_size


@contextlib.contextmanager
def workshop() -> Iterator[Path | None]:
    """A folder for temporary files beside the rows; None where there is no cache."""
    folder = place()
    if folder is None:
        yield None
        return
    clean_stale(folder)
    with temporary_folder(folder) as made:
        yield Path(made)
