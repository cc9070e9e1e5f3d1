"""What bounds this process: the control groups around it, and the memory that it may have."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

GROUPS = Path("/sys/fs/cgroup")
OWN = Path("/proc/self/cgroup")
UNBOUNDED = 1 << 62


def groups(own: Path = OWN) -> Iterator[tuple[str, Path]]:
    """(controllers, none in version 2; path below their folder) of each control group around this process, its own first.

    In a container the file system may show its own group as the root, whatever path the kernel tells.
    """
    try:
        rows = [line.split(":", 2) for line in own.read_text().splitlines()]
    except OSError:
        return
    for _, controllers, path in (row for row in rows if len(row) == 3):
        inside = Path(path.lstrip("/"))
        for step in (inside, *inside.parents):
            yield controllers, step


def numbers(path: Path) -> list[int]:
    """The numbers in a control file, -1 for `max`; none where there is no such file."""
    try:
        return [-1 if word == "max" else int(word) for word in path.read_text().split()]
    except (OSError, ValueError):
        return []


def bounded() -> bool:
    """Whether the process's addresses are bounded (`ulimit -v`), so that memory may be refused."""
    try:
        import resource
    except ImportError:
        return False
    return resource.getrlimit(resource.RLIMIT_AS)[0] != resource.RLIM_INFINITY


def memory(root: Path = GROUPS, own: Path = OWN) -> int:
    """Bytes that this process may have: the machine's, or less where a control group or `ulimit` says so.

    An allocation beyond it may succeed, and end the process later.
    """
    found = [_physical(), _limit()]
    for controllers, step in groups(own):
        if not controllers:
            found += numbers(root / step / "memory.max")
        elif "memory" in controllers.split(","):
            found += [n for name in (controllers, "memory") for n in numbers(root / name / step / "memory.limit_in_bytes")]
    return min(n for n in found if n > 0)


def _physical() -> int:
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (ValueError, OSError):
        return UNBOUNDED


def _limit() -> int:
    try:
        import resource
    except ImportError:
        return UNBOUNDED
    soft = resource.getrlimit(resource.RLIMIT_AS)[0]
    return UNBOUNDED if soft == resource.RLIM_INFINITY else soft
