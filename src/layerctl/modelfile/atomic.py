"""Writing files so that a kill, a full disk or a power cut leaves the old file or the new one, never a mixture.

A temporary file in the same folder, fsync, rename, fsync of the folder. A symbolic link as target is refused, not
followed: a rename would replace the link, and writing through it would let whoever made it choose what is overwritten.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterable

from layerctl.diagnostics import Diagnostic, LayerctlError, Source, Span
from layerctl.temporary import temporary_file, write_all


def write(path: str | os.PathLike[str], chunks: Iterable[bytes | memoryview], *,
          mode: int = 0o644) -> Diagnostic | None:
    """Replaces a file by the bytes of `chunks`, all or nothing.

    A file that is replaced keeps its permissions; a new one gets `mode` less the umask.

    Returns:
        None, or the warning `durability-unknown`: the new file is in place, but the folder could not be synced.

    Raises:
        LayerctlError: `cannot-write`. What stood at `path` is unchanged and the temporary file is gone.
    """
    path = os.fspath(path)
    folder = os.path.dirname(path) or "."
    try:
        present = _permissions(path)
        with temporary_file(folder, mode if present is None else present) as (descriptor, name):
            if present is not None:
                os.fchmod(descriptor, present)
            for chunk in chunks:
                write_all(descriptor, chunk)
            os.fsync(descriptor)
            os.replace(name, path)
    except OSError as error:
        raise LayerctlError(cannot_write(path, error)) from error
    return _sync_folder(folder, path)


def _permissions(path: str) -> int | None:
    """The permission bits of the regular file at `path`, or None where there is no file."""
    try:
        present = os.lstat(path)
    except FileNotFoundError:
        return None
    kind = kind_of(present.st_mode)
    if kind == "a file":
        return stat.S_IMODE(present.st_mode)
    hint = "choose another path"
    if kind == "a symbolic link":
        hint = f"give the path that it points at, {os.path.realpath(path)!r}, or remove the link"
    raise LayerctlError(_refused(path, f"it is {kind}; expected a file or nothing", hint))


def kind_of(mode: int) -> str:
    """What a file's mode says it is, in words: `a file`, `a directory`, `a pipe`, ..."""
    names = {stat.S_IFREG: "a file", stat.S_IFDIR: "a directory", stat.S_IFLNK: "a symbolic link",
             stat.S_IFIFO: "a pipe", stat.S_IFSOCK: "a socket", stat.S_IFCHR: "a device", stat.S_IFBLK: "a device"}
    return names.get(stat.S_IFMT(mode), "something else")


def _sync_folder(folder: str, path: str) -> Diagnostic | None:
    try:
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
    except OSError as error:
        message = (f"{os.path.basename(path)} is saved, but its durability is unknown: "
                   f"syncing its folder failed: {reason(error)}")
        return Diagnostic("durability-unknown", message, Span(Source(path)), severity="warning",
                          hint="a power cut may bring the earlier file back; check the disk")
    return None


# errno → (what it means, what to do about it)
_REASONS: dict[int, tuple[str, str]] = {
    errno.ENOSPC: ("no space is left on the disk", "free some space, or choose another folder with --out"),
    errno.EDQUOT: ("your quota on this disk is used up", "free some space, or choose another folder with --out"),
    errno.EFBIG: ("the file would be larger than is allowed", "raise the limit (ulimit -f), or choose another disk"),
    errno.EROFS: ("the disk is mounted read-only", "choose another folder with --out"),
    errno.EACCES: ("permission denied", "check the folder's owner and permissions"),
    errno.EPERM: ("the operation is not permitted", "check the folder's owner and permissions"),
    errno.EIO: ("the disk reports an input/output error", "check the disk; the system's log (dmesg) says more"),
    errno.ENOENT: ("its folder does not exist", "create the folder first"),
    errno.ENOTDIR: ("a part of its path is not a folder", "check the path"),
    errno.ENAMETOOLONG: ("the name is too long", "choose a shorter name"),
    errno.ELOOP: ("it is a symbolic link", "give the path that it points at, or remove the link"),
    errno.EMFILE: ("too many files are open", "raise the limit (ulimit -n)"),
    errno.EXDEV: ("the file lies on another disk than its folder", "choose another path"),
}


def reason(error: OSError) -> str:
    """What the system said, in words."""
    known = _REASONS.get(error.errno or 0)
    return known[0] if known else (error.strerror or str(error) or type(error).__name__)


def cannot_write(path: str | os.PathLike[str], error: OSError) -> Diagnostic:
    """The diagnostic `cannot-write` for what the system said of `path`."""
    known = _REASONS.get(error.errno or 0)
    return _refused(os.fspath(path), reason(error), known[1] if known else "check the disk and the path")


def _refused(path: str, why: str, hint: str) -> Diagnostic:
    name = os.path.basename(path) or path
    return Diagnostic("cannot-write", f"cannot write {name!r}: {why}", Span(Source(path)), hint=hint)
