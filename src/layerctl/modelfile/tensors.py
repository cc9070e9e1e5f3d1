"""Named arrays and text in a safetensors file, sealed with a digest.

Written and read here rather than by the safetensors library, which orders metadata at random (the same model would
have different bytes each time), accepts a key twice, and holds the file a second time in memory.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import stat
from collections.abc import Iterator, Mapping
from typing import NoReturn

import numpy as np

from layerctl.diagnostics import Diagnostic, Source, Span, did_you_mean, fail
from layerctl.limits import memory
from layerctl.modelfile import atomic, foreign, header
from layerctl.modelfile.header import DIGEST, DTYPES, Malformed

_CODES = {v: k for k, v in DTYPES.items()}
_DAMAGED = "take a copy of the file that is whole, or train again"


def save(path: str | os.PathLike[str], tensors: Mapping[str, np.ndarray],
         metadata: Mapping[str, str]) -> Diagnostic | None:
    """Writes tensors and metadata, all or nothing; the same content gives the same bytes.

    Args:
        path: the file; its folder must exist.
        tensors: by name; float64, float32, float16, any integer, or bool, of any shape and layout.
        metadata: text by key; `layerctl.digest` is added: sha256 over the header with a blank digest, and the data.

    Returns:
        None, or the warning `durability-unknown`.

    Raises:
        LayerctlError: `cannot-write`, `header-too-large`, `bad-tensor-name`.
        TypeError: a dtype that the format does not have.
    """
    arrays = {name: _little_endian(name, array) for name, array in tensors.items()}
    try:
        entries = header.lay_out({n: (_CODES[a.dtype.str], a.shape) for n, a in arrays.items()})
        head = header.build(entries, metadata)
    except Malformed as error:
        large = error.code == "header-too-large"
        _fail(os.fspath(path), error.code, f"cannot be written: {error}",
              "limit the features' vocabularies (`vocabulary`)" if large else "choose another name for the layer")
    buffers = [memoryview(arrays[e.name].reshape(-1).view(np.uint8)) for e in entries]
    digest = hashlib.sha256(head.raw)
    for buffer in buffers:
        digest.update(buffer)
    return atomic.write(path, [header.sealed(head, digest.hexdigest()), *buffers])


def _little_endian(name: str, array: np.ndarray) -> np.ndarray:
    array = np.asarray(array)
    code = array.dtype.newbyteorder("<").str
    if code not in _CODES:
        raise TypeError(f"tensor {name!r} has the dtype {array.dtype}, which the format does not have")
    # ascontiguousarray makes a vector of a scalar
    return np.ascontiguousarray(array, dtype=code).reshape(array.shape)


def load(path: str | os.PathLike[str], *,
         foreign_allowed: bool = False) -> tuple[dict[str, np.ndarray], dict[str, str]]:
    """Reads a file that `save` wrote; with `foreign_allowed` any safetensors file, with or without a digest.

    Returns:
        Arrays of their own memory, writable, by name in the file's order; and the metadata without the digest.

    Raises:
        LayerctlError: `no-such-file`, `cannot-read`, `not-a-model-file`, `file-damaged`, `unknown-dtype`,
            `bad-tensor-name`, `file-changed`, `file-too-large`.
    """
    path = os.fspath(path)
    with _opened(path) as (file, status):
        head = _header(path, file, status.st_size)
        if DIGEST not in head.metadata and not foreign_allowed:
            _refuse_unsealed(path, head)
        digest = hashlib.sha256(head.blanked())
        tensors = {}
        try:
            for e in head.entries:
                array = np.empty(e.shape, DTYPES[e.dtype])
                buffer = memoryview(array.reshape(-1).view(np.uint8))
                _read_into(path, file, buffer)
                digest.update(buffer)
                tensors[e.name] = array
        except MemoryError:
            _too_large(path, status.st_size)
        _check_unchanged(path, file, status)
    metadata = dict(head.metadata)
    expected = metadata.pop(DIGEST, None)
    if expected is not None and expected != digest.hexdigest():
        _fail(path, "file-damaged", "is damaged: its content does not match its digest", _DAMAGED)
    for e in head.entries:
        if e.dtype == "BOOL" and tensors[e.name].size and tensors[e.name].view(np.uint8).max() > 1:
            _fail(path, "file-damaged", f"is damaged: tensor {e.name!r} is BOOL, and not all 0 or 1", _DAMAGED)
    return tensors, metadata


def load_metadata(path: str | os.PathLike[str]) -> dict[str, str]:
    """The metadata alone, without reading the tensors and so without checking the digest. Raises as `load` does."""
    path = os.fspath(path)
    with _opened(path) as (file, status):
        return _header(path, file, status.st_size).metadata


def _fail(path: str, code: str, what: str, hint: str) -> NoReturn:
    name = os.path.basename(path) or path
    fail(code, f"{name!r} {what}", Span(Source(path)), hint=hint)
    raise AssertionError


@contextlib.contextmanager
def _opened(path: str) -> Iterator[tuple[object, os.stat_result]]:
    """The open file and its status; what is not a regular file is refused before it can block."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        folder = os.path.dirname(path) or "."
        near = []
        with contextlib.suppress(OSError):
            near = [n for n in os.listdir(folder) if n.endswith(".safetensors")]
        _fail(path, "no-such-file", f"does not exist{did_you_mean(os.path.basename(path), near)}",
              "give a run's folder or the .safetensors file that `layerctl train` wrote")
    except (OSError, ValueError) as error:
        _cannot_read(path, error)
    status = os.fstat(descriptor)
    if not stat.S_ISREG(status.st_mode):
        os.close(descriptor)
        _fail(path, "not-a-model-file", f"is {atomic.kind_of(status.st_mode)}, expected a .safetensors file",
              "give the .safetensors file itself")
    with open(descriptor, "rb") as file:
        try:
            yield file, status
        except OSError as error:
            _cannot_read(path, error)


def _cannot_read(path: str, error: Exception) -> NoReturn:
    why = atomic.reason(error) if isinstance(error, OSError) else str(error)
    _fail(path, "cannot-read", f"cannot be read: {why}", "check the file's owner and permissions, and the disk")


def _header(path: str, file: object, size: int) -> header.Header:
    """The checked header; the file stands at the first tensor's byte afterwards."""
    first = file.read(9)
    length = int.from_bytes(first[:8], "little")
    if size == 0:
        _fail(path, "not-a-model-file", "is empty, expected a safetensors file", _DAMAGED)
    if first[8:9] != b"{" or not 2 <= length <= header.LIMIT:
        what, hint = foreign.recognise(first + file.read(4096))
        if first[8:9] != b"{" or what != foreign.UNKNOWN:
            _fail(path, "not-a-model-file", f"is {what}, expected a safetensors file", hint)
        _fail(path, "file-damaged",
              f"is damaged: its header would take {length} bytes, expected at most {header.LIMIT}", _DAMAGED)
    if 8 + length > size:
        _fail(path, "file-damaged", f"is damaged: it is cut short within its header ({size} bytes, expected more than "
                                    f"{8 + length})", _DAMAGED)
    if size > memory():
        _too_large(path, size)
    raw = b"{" + file.read(length - 1)
    if len(raw) != length:
        _changed(path)
    try:
        return header.parse(raw, size - 8 - length)
    except Malformed as error:
        lead = "is damaged: " if error.code == "file-damaged" else "cannot be used: "
        _fail(path, error.code, lead + str(error), _DAMAGED if error.code == "file-damaged" else
              "convert the tensor with the program that wrote the file")


def _refuse_unsealed(path: str, head: header.Header) -> NoReturn:
    if any(k.startswith("layerctl") for k in head.metadata):
        _fail(path, "file-damaged", "is damaged: its digest is missing", _DAMAGED)
    _fail(path, "not-a-model-file",
          "is a safetensors file of another program: it has tensors, but no model of layerctl's",
          "give the .safetensors file that `layerctl train` wrote")


def _read_into(path: str, file: object, buffer: memoryview) -> None:
    while len(buffer):
        count = file.readinto(buffer)
        if not count:
            _changed(path)
        buffer = buffer[count:]


def _check_unchanged(path: str, file: object, before: os.stat_result) -> None:
    after = os.fstat(file.fileno())
    if (after.st_size, after.st_mtime_ns) != (before.st_size, before.st_mtime_ns):
        _changed(path)


def _changed(path: str) -> NoReturn:
    _fail(path, "file-changed", "changed while it was read", "try again once nothing writes to it")


def _too_large(path: str, size: int) -> NoReturn:
    _fail(path, "file-too-large", f"takes {size} bytes, more than this machine's memory holds",
          "use a machine with more memory")
