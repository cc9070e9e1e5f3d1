"""numpy's files, and the sets that ship with layerctl. Nothing that would run code is read."""

from __future__ import annotations

import os
import struct
import sys
import zipfile
from pathlib import Path

import numpy as np

from layerctl.data import npy
from layerctl.data.shortened import heed
from layerctl.data.streams import missing
from layerctl.data.table import Table
from layerctl.data.zips import DAMAGED
from layerctl.diagnostics import Source, Span, did_you_mean, fail

BUILTIN = "builtin:"
LARGEST = 8 << 30
"""Bytes that a packed archive may unpack to."""
MAPPED = 64 << 20
"""Bytes of an array from which on it is mapped into memory where it stands in its file unpacked, instead of being read."""
_LOCAL = struct.Struct("<4s22xHH")
_NPY = b"\x93NUMPY"


def read_npz(path: str, place: Span) -> Table:
    """Arrays by name, the rows first; a .npy file is one array called `x`.

    Raises:
        LayerctlError: for a file that is not there, is damaged, holds Python objects or too much, or arrays of different lengths.
    """
    try:
        with open(path, "rb") as file:
            head = file.read(8)
        arrays = {"x": _array(path)} if head[:6] == _NPY else _members(path, place)
    except FileNotFoundError:
        missing(path, place)
        raise
    except (*DAMAGED, KeyError, MemoryError, struct.error) as error:
        why = str(error).split("\n")[0]
        cure = "save numbers or texts (`array.astype(float)`): objects would be code to run" if "objects" in why else "write it again with numpy.savez"
        fail("file-unreadable", f"cannot read {path} as numpy arrays: {why}", place, hint=cure)
    bare = next((n for n, a in arrays.items() if not isinstance(a, np.ndarray)), None)
    if bare is not None:
        fail("file-unreadable", f"cannot read {path} as numpy arrays: '{bare}' in it is none", place,
             hint="say `format: csv` in the data section if it is a packed file of text; arrays are written with numpy.savez")  # fmt: skip
    odd = next((n for n, a in arrays.items() if a.dtype.kind not in "fiubUSM"), None)
    if odd is not None:
        fail("file-unreadable", f"cannot read {path} as numpy arrays: the array '{odd}' is of {arrays[odd].dtype}, expected numbers, texts or dates", place,
             hint="complex numbers and records are several arrays: their real and imaginary parts, their fields")  # fmt: skip
    wide = next((n for n, a in arrays.items() if a.dtype.kind in "USM" and a.ndim > 1), None)
    if wide is not None:
        fail("data-syntax", f"{path}: the array '{wide}' has texts or dates of the shape {arrays[wide].shape}, expected one a row", place,
             hint="save each of a row's as an array of its own, or leave the array out")  # fmt: skip
    lengths = {n: len(a) for n, a in arrays.items() if a.ndim}
    if not lengths or len(set(lengths.values())) > 1 or len(lengths) < len(arrays):
        text = ", ".join(f"{n} {a.shape}" for n, a in arrays.items())
        fail("data-ragged", f"the arrays must have the same number of rows: {text or 'there are none'}", place,
             hint="the first dimension of each is the rows: leave out those that have none")  # fmt: skip
    if not next(iter(lengths.values())):
        fail("data-no-rows", "the arrays have no rows", place, hint="the first dimension of an array is its rows")
    return Table(place.source.name, {n: a if a.dtype.kind in "fiub" else _texts(path, n, a, place) for n, a in arrays.items()})


def _texts(path: str, name: str, array: np.ndarray, place: Span) -> list:
    try:
        if array.dtype.kind == "U" and array.size and np.ascontiguousarray(array).view(array.dtype.str[0] + "u4").max() > sys.maxunicode:
            raise UnicodeError
        return (np.char.decode(array, "utf-8") if array.dtype.kind == "S" else array.astype(str)).tolist()
    except UnicodeError:
        fail("file-unreadable", f"cannot read {path} as numpy arrays: the array '{name}' has texts that are no Unicode", place,
             hint="save texts as str, not as bytes of another encoding: `np.array([b.decode('cp1252') for b in array])`")  # fmt: skip
        raise


def _array(path: str) -> np.ndarray:
    size = os.path.getsize(path)
    with open(path, "rb") as file:
        npy.header(file, size)
    if size < MAPPED:
        return np.load(path, allow_pickle=False)
    heed(path)
    return np.load(path, allow_pickle=False, mmap_mode="r")


def _members(path: str, place: Span) -> dict[str, np.ndarray]:
    """An archive's arrays: large ones that are stored as they are (np.savez does that) are mapped, the others unpacked."""
    with zipfile.ZipFile(path) as packed:
        entries = packed.infolist()
        if len({e.filename for e in entries}) < len(entries):
            raise ValueError("two of its arrays have the same name")
        size = sum(e.file_size for e in entries if not _plain(e))
        if size > LARGEST:
            fail("file-too-large", f"the archive unpacks to {size / 1e9:.1f} GB", place,
                 hint="write it with numpy.savez, unpacked: then it is mapped, not read")  # fmt: skip
        return {e.filename.removesuffix(".npy"): _mapped(path, e) if _plain(e) else _unpacked(packed, e) for e in entries}


def _unpacked(packed: zipfile.ZipFile, entry: zipfile.ZipInfo) -> np.ndarray:
    with packed.open(entry) as file:
        try:
            npy.header(file, entry.file_size)
        except ValueError as error:
            raise ValueError(f"{entry.filename}: {error}") from error
    with packed.open(entry) as file:
        return np.lib.format.read_array(file, allow_pickle=False)


def _plain(entry: zipfile.ZipInfo) -> bool:
    return entry.compress_type == zipfile.ZIP_STORED and entry.file_size >= MAPPED and entry.filename.endswith(".npy")


def _mapped(path: str, entry: zipfile.ZipInfo) -> np.ndarray:
    """A stored member of an archive, mapped."""
    with open(path, "rb") as file:
        file.seek(entry.header_offset)
        magic, name, extra = _LOCAL.unpack(file.read(30))
        if magic != b"PK\x03\x04":
            raise ValueError("the archive is damaged")
        file.seek(entry.header_offset + 30 + name + extra)
        shape, columns_first, dtype = npy.header(file, entry.file_size)
        offset = file.tell()
        if offset + int(np.prod(shape, dtype=object)) * dtype.itemsize > os.fstat(file.fileno()).st_size:
            raise ValueError("an array is larger than its file")
    heed(path)
    return np.memmap(path, dtype, "r", offset, shape, "F" if columns_first else "C")


def builtin_names() -> list[str]:
    """The sets that ship with layerctl."""
    return sorted(p.stem for p in (Path(__file__).parent / "builtin").glob("*.npz"))


def builtin(name: str) -> Table:
    """A set that ships with layerctl."""
    known = builtin_names()
    if name not in known:
        fail("unknown-builtin", f"there is no builtin data set '{name}'{did_you_mean(name, known)}", hint=f"there are {', '.join(known)}")
    table = read_npz(str(Path(__file__).parent / "builtin" / f"{name}.npz"), Span(Source(BUILTIN + name)))
    table.name = BUILTIN + name
    return table
