"""Temporary files and folders beside what they are to become: named after their writer, gone after an error, and found again where it was killed.

A file that is written under such a name and then renamed is there whole or not at all.
"""

from __future__ import annotations

import contextlib
import errno
import itertools
import os
import stat
import time
from collections.abc import Callable, Iterator
from typing import TypeVar

T = TypeVar("T")

PREFIX = ".layerctl-tmp."
_ABANDONED_AFTER = 86_400.0  # seconds; no single write lasts a day, so an older one has no writer
_LARGEST_WRITE = 1 << 28  # bytes; some systems refuse a write of 2 GiB

_counter = itertools.count()
_active: set[str] = set()


@contextlib.contextmanager
def temporary_file(folder: str | os.PathLike[str], mode: int = 0o600) -> Iterator[tuple[int, str]]:
    """(descriptor, path) of an open, new file in `folder`; after an error of any kind it is removed. Whoever is done with it renames it.

    Raises:
        OSError: the system's.
    """
    flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW
    with _named(folder, lambda path: os.open(path, flags, mode)) as (descriptor, path):
        done = False
        try:
            yield descriptor, path
            done = True
        finally:
            with contextlib.suppress(OSError):  # what had to last was synced before
                os.close(descriptor)
            if not done:
                with contextlib.suppress(OSError):
                    os.unlink(path)


@contextlib.contextmanager
def temporary_folder(folder: str | os.PathLike[str]) -> Iterator[str]:
    """The path of a new folder in `folder`, for this user alone; it is taken away with all that is in it.

    Raises:
        OSError: the system's.
    """
    with _named(folder, lambda path: os.mkdir(path, 0o700)) as (_, path):
        try:
            yield path
        finally:
            _remove_folder(path)


@contextlib.contextmanager
def _named(folder: str | os.PathLike[str], make: Callable[[str], T]) -> Iterator[tuple[T, str]]:
    """(what `make` gave, path) of something that did not exist, known as being in use as long as this lasts."""
    while True:
        name = f"{PREFIX}{_host()}.{os.getpid()}.{next(_counter)}"
        path = os.path.join(os.fspath(folder), name)
        try:
            made = make(path)
            break
        except FileExistsError:  # left by a killed process that had this process's number
            continue
    _active.add(name)
    try:
        yield made, path
    finally:
        _active.discard(name)


@contextlib.contextmanager
def scratch_folder() -> Iterator[str]:
    """The path of a new folder where the system keeps temporary files; it is taken away with all that is in it.

    Raises:
        OSError: the system's, with the name of that place where it has none.
    """
    import tempfile  # which brings `random` and `shutil`

    with scratched(), tempfile.TemporaryDirectory(prefix="layerctl-") as folder:
        yield folder


@contextlib.contextmanager
def scratched() -> Iterator[None]:
    """Errors of writing from inside, which know no file, name the place of the system's temporary files.

    Raises:
        OSError: the system's.
    """
    import tempfile

    try:
        yield
    except OSError as error:
        if error.filename is not None or error.errno is None:
            raise
        raise OSError(error.errno, error.strerror, tempfile.tempdir or "TMPDIR") from error


def _remove_folder(path: str) -> None:
    """With all that is in it; what cannot be removed stays."""
    import shutil  # which takes longer to import than most commands need to write a file

    shutil.rmtree(path, ignore_errors=True)


def write_all(descriptor: int, data: bytes | memoryview, at: int | None = None) -> None:
    """Writes all of `data`, `at` a place of the file or behind what was written last: the system may take a part at a time, or be interrupted.

    Raises:
        OSError: the system's.
    """
    rest = memoryview(data).cast("B") if len(data) else memoryview(b"")
    while len(rest):
        piece = rest[:_LARGEST_WRITE]
        try:
            written = os.write(descriptor, piece) if at is None else os.pwrite(descriptor, piece, at)
        except InterruptedError:
            continue
        if written <= 0:
            raise OSError(errno.EIO, "nothing was written")
        rest = rest[written:]
        at = None if at is None else at + written


def clean_stale(folder: str | os.PathLike[str]) -> list[str]:
    """Removes what killed processes left half done in `folder`, and returns the names.

    What a process of this host made is stale when it is dead or is this one, at other work; any is after a day.
    What cannot be listed or removed is left: it harms nobody.
    """
    removed: list[str] = []
    try:
        names = sorted(n for n in os.listdir(folder) if n.startswith(PREFIX))
    except OSError:
        return removed
    for name in names:
        full = os.path.join(folder, name)
        with contextlib.suppress(OSError):
            status = os.lstat(full)
            if _stale(name, status):
                _remove_folder(full) if stat.S_ISDIR(status.st_mode) else os.unlink(full)
                removed.append(name)
    return removed


def _stale(name: str, status: os.stat_result) -> bool:
    if name in _active or not (stat.S_ISREG(status.st_mode) or stat.S_ISDIR(status.st_mode)):
        return False
    if time.time() - status.st_mtime > _ABANDONED_AFTER:
        return True
    host, _, process = name[len(PREFIX) :].rpartition(".")[0].rpartition(".")
    if host != _host() or not process.isascii() or not process.isdecimal() or len(process) > 10:
        return False
    return int(process) == os.getpid() or not _alive(int(process))


def _alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except OSError:
        return True
    return True


def _host() -> str:
    return os.uname().nodename.replace("/", "_")[:64] or "localhost"
