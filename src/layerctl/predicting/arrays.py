"""Results as one npz file in bounded memory: arrays grow in temporary files, since an array's header says how many rows follow it."""

from __future__ import annotations

import contextlib
import tempfile
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import IO

import numpy as np

from layerctl.diagnostics import fail

BLOCK = 1 << 20
"""Bytes that are copied at a time."""


class Arrays:
    """Arrays by name that grow by rows, in files without a name: gone when this is closed, or the process is.

    Raises:
        OSError: the system's, where `folder` (the system's own if None) cannot be written to.
    """

    def __init__(self, folder: Path | None):
        self._folder, self._files = folder, contextlib.ExitStack()
        self._arrays: dict[str, tuple[IO[bytes], np.dtype, tuple[int, ...]]] = {}
        self._rows: dict[str, int] = {}

    @property
    def rows(self) -> int:
        """The rows of each."""
        return next(iter(self._rows.values()), 0)

    def add(self, arrays: Mapping[str, np.ndarray]) -> None:
        """Adds rows.

        Raises:
            OSError: the system's.
            LayerctlError: `shape`, where a row's results are not as large as those before.
        """
        for name, array in arrays.items():
            if name not in self._arrays:
                file = self._files.enter_context(tempfile.TemporaryFile(dir=self._folder))  # noqa: SIM115 (closed with the others)
                self._arrays[name], self._rows[name] = (file, array.dtype, array.shape[1:]), 0
            file, dtype, shape = self._arrays[name]
            if array.shape[1:] != shape:
                fail("shape", f"the results of '{name}' are {shape} for some rows and {array.shape[1:]} for others, which one array cannot hold",
                     hint="use --format jsonl or csv")  # fmt: skip
            file.write(np.ascontiguousarray(array, dtype).reshape(-1).view(np.uint8).data)
            file.flush()
            self._rows[name] += len(array)

    def zipped(self) -> Iterator[bytes]:
        """The npz file's bytes, as numpy's `savez` packs them: stored, each with the same date."""
        sink = _Sink()
        with zipfile.ZipFile(sink, "w") as packed:  # type: ignore[call-overload]
            for name, (file, dtype, shape) in self._arrays.items():
                with packed.open(zipfile.ZipInfo(f"{name}.npy"), "w", force_zip64=True) as entry:
                    head = {"descr": np.lib.format.dtype_to_descr(dtype), "fortran_order": False, "shape": (self._rows[name], *shape)}
                    np.lib.format.write_array_header_1_0(entry, head)
                    file.seek(0)
                    while block := file.read(BLOCK):
                        entry.write(block)
                        yield sink.taken()
        yield sink.taken()

    def close(self) -> None:
        """Takes the files away."""
        self._files.close()


class _Sink:
    """A file that nobody can go back in: what was written since it was last asked."""

    def __init__(self) -> None:
        self._written: list[bytes] = []

    def write(self, data: bytes) -> int:
        self._written.append(bytes(data))
        return len(data)

    def flush(self) -> None:
        """There is nothing behind it."""

    def taken(self) -> bytes:
        """What was written, once."""
        out = b"".join(self._written)
        self._written.clear()
        return out
