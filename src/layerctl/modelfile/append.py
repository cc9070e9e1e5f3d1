"""Files that only grow: a training's history as JSON lines, callbacks' logs as bytes."""

from __future__ import annotations

import contextlib
import json
import math
import os
import stat
from collections.abc import Callable
from typing import Any

from layerctl.diagnostics import Diagnostic, LayerctlError, Source, Span
from layerctl.modelfile.atomic import cannot_write, kind_of
from layerctl.temporary import write_all


def write_at(path: str | os.PathLike[str], data: bytes, at: int | None = None, *, mode: int = 0o644) -> int:
    """Makes `data` the end of a file, behind its first `at` bytes (None, or more than it has: behind all); returns the new size.

    What stood behind is cut off first. After a failure what was written of `data` is taken back.

    Raises:
        LayerctlError: `cannot-write`.
    """
    path = os.fspath(path)
    try:
        descriptor = _opened(path, mode)
        try:
            size = os.fstat(descriptor).st_size
            start = size if at is None else min(at, size)
            os.ftruncate(descriptor, start)
            try:
                write_all(descriptor, data)
            except BaseException:
                with contextlib.suppress(OSError):
                    os.ftruncate(descriptor, start)
                raise
            return start + len(data)
        finally:
            os.close(descriptor)
    except OSError as error:
        raise LayerctlError(cannot_write(path, error)) from error


def _opened(path: str, mode: int) -> int:
    """A descriptor that appends to the regular file at `path`, made if there is none.

    Raises:
        OSError: the system's; a symbolic link is one.
        LayerctlError: `cannot-write` for what is no file.
    """
    flags = os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
    descriptor = os.open(path, flags, mode)
    status = os.fstat(descriptor)
    if not stat.S_ISREG(status.st_mode):
        os.close(descriptor)
        raise LayerctlError(Diagnostic(
            "cannot-write", f"cannot write {os.path.basename(path)!r}: it is {kind_of(status.st_mode)}",
            Span(Source(path)), hint="choose another path"))
    return descriptor


class JsonLines:
    """A JSON object a line, as a context manager or until `close`.

    A process that is killed while it appends leaves a torn last line: opening the file cuts it off. NaN and infinite
    numbers, which JSON does not have, are written as null.
    """

    def __init__(self, path: str | os.PathLike[str], *, mode: int = 0o644):
        """Opens the file, or makes it.

        Raises:
            LayerctlError: `cannot-write`; `file-damaged` for a line before the last that is not a JSON object.
        """
        self.path = os.fspath(path)
        try:
            self._descriptor = _opened(self.path, mode)
        except OSError as error:
            raise LayerctlError(cannot_write(self.path, error)) from error
        try:
            self._rows, self._ends = self._recover()
        except BaseException:
            os.close(self._descriptor)
            raise

    @property
    def rows(self) -> list[dict[str, Any]]:
        """The records, oldest first."""
        return list(self._rows)

    def append(self, record: dict[str, Any]) -> None:
        """Adds a record. A process that is killed later leaves it there; a power cut may take it unless `sync` follows.

        Raises:
            LayerctlError: `cannot-write`; the file is as before.
            TypeError: a record that is not plain data.
        """
        line = (json.dumps(_finite(record), ensure_ascii=False, allow_nan=False) + "\n").encode()
        end = self._ends[-1] if self._ends else 0
        try:
            write_all(self._descriptor, line)
        except BaseException as error:
            with contextlib.suppress(OSError):
                os.ftruncate(self._descriptor, end)
            if isinstance(error, OSError):
                raise LayerctlError(cannot_write(self.path, error)) from error
            raise
        self._rows.append(json.loads(line))
        self._ends.append(end + len(line))

    def truncate_after(self, keep: Callable[[dict[str, Any]], bool]) -> int:
        """Drops the first record that `keep` is false of, and all after it; returns how many were dropped.

        One change of the file's length: a kill leaves all of them or none. `lambda r: r["epoch"] < 7` keeps 0 to 6.

        Raises:
            LayerctlError: `cannot-write`.
        """
        count = next((i for i, row in enumerate(self._rows) if not keep(row)), len(self._rows))
        dropped = len(self._rows) - count
        if dropped:
            self._cut(self._ends[count - 1] if count else 0)
            del self._rows[count:], self._ends[count:]
        return dropped

    def sync(self) -> None:
        """Makes what was appended survive a power cut; call it before a checkpoint that counts on it.

        Raises:
            LayerctlError: `cannot-write`.
        """
        try:
            os.fsync(self._descriptor)
        except OSError as error:
            raise LayerctlError(cannot_write(self.path, error)) from error

    def close(self) -> None:
        """Closes the file; a second call does nothing."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def __enter__(self) -> JsonLines:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _recover(self) -> tuple[list[dict[str, Any]], list[int]]:
        """The records and where each ends; the file ends with the last whole one afterwards."""
        with open(self._descriptor, "rb", closefd=False) as file:
            data = file.read()
        rows: list[dict[str, Any]] = []
        ends: list[int] = []
        at = 0
        for number, line in enumerate(_lines(data), 1):
            record = _record(line) if line.endswith(b"\n") else None
            if record is None:
                if at + len(line) < len(data):
                    raise LayerctlError(Diagnostic(
                        "file-damaged", f"line {number} is not a JSON object, expected one a line",
                        Span(Source(self.path), number, 1), hint="repair or remove the line, or remove the file"))
                self._cut(at)
                break
            at += len(line)
            rows.append(record)
            ends.append(at)
        return rows, ends

    def _cut(self, size: int) -> None:
        try:
            os.ftruncate(self._descriptor, size)
            os.fsync(self._descriptor)
        except OSError as error:
            raise LayerctlError(cannot_write(self.path, error)) from error


def _lines(data: bytes) -> list[bytes]:
    # splitlines would also split at a lone carriage return
    parts = data.split(b"\n")
    return [p + b"\n" for p in parts[:-1]] + ([parts[-1]] if parts[-1] else [])


def _record(line: bytes) -> dict[str, Any] | None:
    try:
        value = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def _finite(value: Any) -> Any:
    """Plain data without numpy scalars, NaN and infinity."""
    if isinstance(value, dict):
        return {k: _finite(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(v) for v in value]
    if getattr(value, "shape", None) == () and hasattr(value, "item"):
        value = value.item()
    return None if isinstance(value, float) and not math.isfinite(value) else value
