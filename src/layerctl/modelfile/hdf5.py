"""HDF5 files read with care: what they hold is listed first, and nothing outside of the file is ever opened.

An HDF5 file can point at other files (external links, external storage, virtual datasets), form cycles, and declare terabytes that it
does not hold. All of that is refused before a byte of an array is allocated.
"""

from __future__ import annotations

import io
import mmap
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, NoReturn

import numpy as np

from layerctl.apart import ends_badly
from layerctl.diagnostics import LayerctlError, Source, Span, fail
from layerctl.limits import memory

MOST_OBJECTS = 200_000
DEEPEST = 64
MOST_EXPANSION = 1100
"""Bytes of an array for one stored byte: the most that deflate can reach, and a little."""

LONGEST = 20
"""Seconds of CPU time that reading may take, and those for a file's bytes."""
_BYTES_A_SECOND = 10 << 20
SIGNATURE = b"\x89HDF\r\n\x1a\n"
_HEAP = b"GCOL\x01\0\0\0"
"""How a heap begins: texts of any length stand in such, one object after another."""
UNSAFE = "do not use a file like this; no model is saved so"
DAMAGED = "take a copy of the file that is whole, or save the model again"


@dataclass(frozen=True)
class Array:
    """An array of the file: its shape and dtype, and its values once they are asked for."""

    shape: tuple[int, ...]
    dtype: str
    read: Callable[[], np.ndarray]


@dataclass
class Group:
    """A group of the file: its `name` attribute, arrays and groups within, in the order of their names."""

    name: str | None = None
    arrays: dict[str, Array] = field(default_factory=dict)
    groups: dict[str, Group] = field(default_factory=dict)
    attributes: dict[str, Any] = field(default_factory=dict)

    def at(self, *path: str) -> Group | None:
        """The group at a path within this one, or None."""
        found: Group | None = self
        for part in path:
            found = found.groups.get(part) if found is not None else None
        return found


def read(path: str | os.PathLike[str], data: bytes | None = None, label: str | None = None) -> Group:
    """What a file (or the bytes of one) holds.

    Raises:
        LayerctlError: `missing-extra` without h5py; `file-damaged`; `unsafe-file` for what points elsewhere or declares more than it holds.
    """
    shown = label or os.fspath(path)
    try:
        import h5py
    except ImportError:
        fail("missing-extra", f"{os.path.basename(shown)!r} holds HDF5, which needs the package h5py", Span(Source(shown)),
             hint="pip install 'layerctl[keras]'")  # fmt: skip
    size = _check_bytes(os.fspath(path), data, shown)

    def opened() -> Group:
        return _Reader(h5py, shown).group(h5py.File(io.BytesIO(data) if data is not None else os.fspath(path), "r"), 0)

    ended = ends_badly(lambda: _read_all(opened()), LONGEST + size // _BYTES_A_SECOND)
    if ended is not None:
        damaged(shown, f"is no whole HDF5 file (the library that reads it {ended})")
    try:
        return opened()
    except LayerctlError:
        raise
    except Exception as error:  # the library raises OSError, RuntimeError, KeyError, ValueError and others for what is damaged
        damaged(shown, f"is no whole HDF5 file ({_first_line(error)})")
    raise AssertionError


def _read_all(group: Group) -> None:
    for array in group.arrays.values():
        array.read()
    for inner in group.groups.values():
        _read_all(inner)


def damaged(path: str, what: str) -> NoReturn:
    """Raises `file-damaged`."""
    fail("file-damaged", f"{os.path.basename(path)!r} {what}", Span(Source(path)), hint=DAMAGED)
    raise AssertionError


def _unsafe(path: str, what: str) -> NoReturn:
    fail("unsafe-file", f"{os.path.basename(path)!r} {what}", Span(Source(path)), hint=UNSAFE)
    raise AssertionError


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0][:120]


def _check_bytes(path: str, data: bytes | None, shown: str) -> int:
    """Looks at what the library takes on trust: it runs in a circle for ever where an object of a heap of texts has no length. Returns the size."""
    if data is not None:
        _check_heaps(data, shown)
        return len(data)
    try:
        with open(path, "rb") as file:
            size = os.fstat(file.fileno()).st_size
            if not size:
                damaged(shown, "is empty, expected an HDF5 file")
            with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as mapped:
                _check_heaps(mapped, shown)
            return size
    except FileNotFoundError:
        fail("no-such-file", f"{os.path.basename(shown)!r} does not exist", Span(Source(shown)), hint="the path starts from the folder you are in")
    except (OSError, ValueError) as error:
        damaged(shown, f"cannot be read ({_first_line(error)})")
    raise AssertionError


def _check_heaps(data: bytes | mmap.mmap, shown: str) -> None:
    head = data[:16]
    older = head[8:9] in b"\x00\x01"
    if head[:8] != SIGNATURE or len(head) < 16 or {*(head[13:15] if older else head[9:11])} != {8}:
        damaged(shown, "is no HDF5 file whose lengths and places have 8 bytes")
    left = MOST_OBJECTS
    start = data.find(_HEAP)
    while start >= 0:
        size = int.from_bytes(data[start + 8 : start + 16], "little")
        at, end = start + 16, start + size
        if end > len(data):
            damaged(shown, f"has a heap of {size} bytes at {start}, where the file has {len(data) - start}")
        while end - at >= 16:
            number, length = int.from_bytes(data[at : at + 2], "little"), int.from_bytes(data[at + 8 : at + 16], "little")
            step = 16 + (length + 7) // 8 * 8 if number else length
            if not 16 <= step <= end - at:
                damaged(shown, f"has an object of {length} bytes in the heap at {start}, where {end - at} are left")
            at, left = at + step, left - 1
            if left < 0:
                _unsafe(shown, f"has more than {MOST_OBJECTS} objects")
        start = data.find(_HEAP, start + 1)


class _Reader:
    def __init__(self, h5py: Any, path: str):
        self.h5py, self.path = h5py, path
        self.seen: set[int] = set()
        self.total = 0

    def group(self, found: Any, depth: int) -> Group:
        """A group with all that is in it."""
        if depth > DEEPEST:
            _unsafe(self.path, f"has groups more than {DEEPEST} deep")
        self._once(found)
        attributes = dict(self._attributes(found))
        name = attributes.get("name")
        out = Group(name if isinstance(name, str) else None, attributes=attributes)
        for key in found:
            link = found.get(key, getlink=True)
            where = f"{found.name.rstrip('/')}/{key}"
            if not isinstance(link, self.h5py.HardLink):
                _unsafe(self.path, f"has a link at {where[:200]!r} that leads elsewhere")
            item = found[key]
            if isinstance(item, self.h5py.Group):
                out.groups[key] = self.group(item, depth + 1)
            elif isinstance(item, self.h5py.Dataset):
                self._once(item)
                out.arrays[key] = self._array(item, where)
        return out

    def _once(self, item: Any) -> None:
        """Each object has one place: a group within itself would have no end."""
        address = self.h5py.h5o.get_info(item.id).addr
        if address in self.seen or len(self.seen) >= MOST_OBJECTS:
            _unsafe(self.path, "has a group or array twice" if address in self.seen else f"has more than {MOST_OBJECTS} objects")
        self.seen.add(address)

    def _attributes(self, item: Any) -> Iterator[tuple[str, Any]]:
        for key in ("name", "model_config", "training_config", "weight_names", "layer_names", "keras_version"):
            if key in item.attrs:
                value = item.attrs[key]
                if isinstance(value, bytes):
                    value = value.decode("utf-8", "replace")
                elif isinstance(value, np.ndarray):
                    value = [v.decode("utf-8", "replace") if isinstance(v, bytes) else str(v) for v in value.tolist()]
                yield key, value

    def _array(self, item: Any, where: str) -> Array:
        shape, dtype = tuple(int(d) for d in item.shape or ()), item.dtype
        if item.external or item.is_virtual:
            _unsafe(self.path, f"takes the array {where[:200]!r} from another file")
        halves = dtype.kind == "V" and dtype.itemsize == 2 and item.attrs.get("dtype") == "bfloat16"
        if dtype.kind not in "fiub" and not halves:
            return Array(shape, str(dtype), lambda: damaged(self.path, f"has an array of {dtype} at {where[:200]!r}, expected numbers"))
        count = 1
        for d in shape:
            count *= d
        stored, size = item.id.get_storage_size(), count * dtype.itemsize
        self.total += size
        if size > max(stored * (MOST_EXPANSION if item.chunks else 1), 0) or self.total > memory():
            _unsafe(self.path, f"declares {size} bytes at {where[:200]!r} and holds {stored}")
        if halves:
            return Array(shape, "float32", lambda: (self._values(item, where).view(np.uint16).astype(np.uint32) << 16).view(np.float32))
        return Array(shape, str(dtype), lambda: self._values(item, where))

    def _values(self, item: Any, where: str) -> np.ndarray:
        try:
            return np.asarray(item[()])
        except Exception as error:
            damaged(self.path, f"cannot be read at {where[:200]!r} ({_first_line(error)})")
