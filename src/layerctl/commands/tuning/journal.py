"""A study's journal: Optuna's log in a file that several processes append to, under a lock that ends with its holder.

Optuna's own locks are files that a killed process leaves behind, and are taken over after half a minute; this one is the system's. What a
killed process, or a full disk, left of a line is cut off before anything is added to it, which Optuna would not read again.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from layerctl.diagnostics import LayerctlError, Source, Span, fail
from layerctl.modelfile.atomic import cannot_write
from layerctl.temporary import write_all

NAME = "journal.log"


class Turn:
    """A lock that is waited for: whoever holds it may append to the journal, or choose the next trial."""

    def __init__(self, path: Path):
        self._path = path
        self._held: int | None = None

    def acquire(self) -> bool:
        """Waits for the lock and takes it; True, as Optuna wants it."""
        flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
        try:
            descriptor = os.open(self._path, flags, 0o644)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX)
            except BaseException:
                os.close(descriptor)
                raise
        except OSError as error:
            raise LayerctlError(cannot_write(self._path, error)) from error
        self._held = descriptor
        return True

    def release(self) -> None:
        """Gives the lock back."""
        if self._held is not None:
            os.close(self._held)
            self._held = None

    @contextlib.contextmanager
    def taken(self) -> Iterator[None]:
        """The lock for a block of statements."""
        self.acquire()
        try:
            yield
        finally:
            self.release()


def storage(folder: Path) -> Any:
    """Optuna's storage over the journal of a study's folder.

    Raises:
        LayerctlError: if the journal is not one, or cannot be written.
    """
    from optuna.storages import JournalStorage
    from optuna.storages.journal import JournalFileBackend

    class Journal(JournalFileBackend):
        def append_logs(self, logs: list[dict[str, Any]]) -> None:
            with writing.taken():
                _append(path, "".join(json.dumps(log, separators=(",", ":")) + "\n" for log in logs).encode())

    path = folder / NAME
    writing = Turn(folder / "journal.lock")
    with writing.taken():
        _mend(path)
        _check(path)
    try:
        return JournalStorage(Journal(str(path), lock_obj=writing))
    except (ValueError, KeyError, TypeError, AssertionError) as error:  # what Optuna makes of a line that is no log of its own
        what = "it has a log of a kind that there is not" if isinstance(error, AssertionError) else error
        fail("bad-journal", f"this is no journal of a study: {what}", Span(Source(str(path))), hint="start anew with --force, or in another folder with --out")


def _check(path: Path) -> None:
    """Each line is one of Optuna's logs as far as its form goes: of the last one it would say so only when another is added.

    Raises:
        LayerctlError: `bad-journal`, with the line.
    """
    with open(path, "rb") as file:
        for number, line in enumerate(file, 1):
            try:
                log = json.loads(line)
            except ValueError:
                log = None
            if not isinstance(log, dict) or type(log.get("op_code")) is not int:
                fail("bad-journal", "this line is no log of a study", Span(Source(str(path)), number, 1),
                     hint="remove the line; or start anew with --force, or in another folder with --out")  # fmt: skip


def _append(path: Path, lines: bytes) -> None:
    """Adds lines that last, or none: what was written of them before an error is taken back, since others may add theirs next.

    Half a line that a killed process left since this one opened the journal goes first.
    """
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o644)
        try:
            start = os.fstat(descriptor).st_size
            if start and os.pread(descriptor, 1, start - 1) != b"\n":
                _mend(path)
                start = os.fstat(descriptor).st_size
            try:
                write_all(descriptor, lines)
            except BaseException:
                os.ftruncate(descriptor, start)
                raise
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
    except OSError as error:
        raise LayerctlError(cannot_write(path, error)) from error


def _mend(path: Path) -> None:
    """Cuts off a last line that has no end."""
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o644)
        with os.fdopen(descriptor, "r+b") as file:
            end = file.seek(0, os.SEEK_END)
            while end:
                start = max(0, end - 65536)
                file.seek(start)
                at = file.read(end - start).rfind(b"\n")
                if at >= 0:
                    end = start + at + 1
                    break
                end = start
            file.truncate(end)
    except OSError as error:
        raise LayerctlError(cannot_write(path, error)) from error
