"""One writer to a folder: an advisory lock that the system drops when its holder ends, however it ends."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os

from layerctl.diagnostics import Diagnostic, LayerctlError, Source, Span
from layerctl.modelfile.atomic import cannot_write, reason
from layerctl.temporary import write_all

NAME = ".layerctl-lock"


class FolderLock:
    """Holds a folder against other processes, as a context manager or by `acquire` and `release`.

    The lock file stays when the lock is released: removing it would let two others hold two files of one name.
    `warning` is a Diagnostic where the file system has no locks, and None otherwise.
    """

    def __init__(self, folder: str | os.PathLike[str]):
        self.folder = os.fspath(folder)
        self.warning: Diagnostic | None = None
        self._descriptor: int | None = None

    def acquire(self) -> FolderLock:
        """Takes the lock, or fails at once.

        Raises:
            LayerctlError: `run-in-use` where another process (or another lock of this one) holds the folder;
                `cannot-write` where the lock file cannot be made.
        """
        path = os.path.join(self.folder, NAME)
        try:
            flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
            descriptor = os.open(path, flags, 0o644)
        except OSError as error:
            raise LayerctlError(cannot_write(path, error)) from error
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            if error.errno in (errno.EWOULDBLOCK, errno.EACCES):
                holder = _holder(descriptor)
                os.close(descriptor)
                raise LayerctlError(self._in_use(holder)) from error
            self.warning = Diagnostic(
                "no-lock", f"the folder is not locked against a second training: {reason(error)}",
                Span(Source(self.folder)), severity="warning", hint="start only one training into this folder")
        self._descriptor = descriptor
        with contextlib.suppress(OSError):  # who holds it is a courtesy to the other; the lock is what counts
            os.ftruncate(descriptor, 0)
            write_all(descriptor, f"process {os.getpid()} on {os.uname().nodename}".encode())
        return self

    def release(self) -> None:
        """Gives the folder back; a second call does nothing."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def __enter__(self) -> FolderLock:
        return self.acquire()

    def __exit__(self, *_: object) -> None:
        self.release()

    def _in_use(self, holder: str) -> Diagnostic:
        name = os.path.basename(os.path.normpath(self.folder))
        return Diagnostic("run-in-use", f"the folder {name!r} is in use by {holder}; expected one training to a folder",
                          Span(Source(self.folder)), hint="wait for it to end, or choose another folder with --out")


def _holder(descriptor: int) -> str:
    try:
        text = os.pread(descriptor, 200, 0).decode("utf-8", "replace")
    except OSError:
        text = ""
    return "".join(c if c.isprintable() else "?" for c in text) or "another process"
