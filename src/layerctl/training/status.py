"""`run.json` of a run's folder: what became of a training, and the machine that it ran on.

Times and places stand here and not in the model file, whose bytes know neither.
"""

from __future__ import annotations

import errno
import fcntl
import os
import platform
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from layerctl import __version__
from layerctl.modelfile import strictjson
from layerctl.modelfile.atomic import write
from layerctl.modelfile.lock import NAME

STATUS = "run.json"
LONGEST = 1 << 20


def read_status(folder: Path) -> dict[str, Any]:
    """What `run.json` says; nothing where there is none, or none that can be read."""
    try:
        with open(folder / STATUS, "rb") as file:
            found = strictjson.loads(file.read(LONGEST).decode())
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def write_status(folder: Path, status: Mapping[str, Any]) -> None:
    """Writes `run.json`, all or nothing."""
    write(folder / STATUS, [(strictjson.dumps({k: v for k, v in status.items() if v is not None}) + "\n").encode()])


def note(folder: Path, **more: Any) -> None:
    """Adds to `run.json`."""
    write_status(folder, {**read_status(folder), **more})


def environment(threads: int) -> dict[str, str]:
    """Versions, the processor and its threads, as a report tells them."""
    return {
        "layerctl": __version__, "Python": platform.python_version(), "numpy": np.__version__, "numba": installed_version("numba"),
        "system": f"{os.uname().sysname} {os.uname().release} on {os.uname().machine}", "processor": processor(), "threads": str(threads),
    }  # fmt: skip


def processor() -> str:
    """The processor's name, as Linux tells it."""
    try:
        with open("/proc/cpuinfo", encoding="utf-8", errors="replace") as file:
            told = dict(line.split(":", 1) for line in file.read(16384).split("\n\n")[0].splitlines() if ":" in line)
    except OSError:
        told = {}
    names = {k.strip(): v.strip() for k, v in told.items()}
    return names.get("model name") or names.get("CPU part") or os.uname().machine


def installed_version(package: str) -> str:
    """A package's version by the name of its metadata's folder: reading the metadata takes a twentieth of a second."""
    for folder in sys.path:
        for found in Path(folder or ".").glob(f"{package}-*.dist-info"):
            return found.name.removeprefix(f"{package}-").removesuffix(".dist-info")
    return "unknown"


def moment() -> str:
    """The time as ISO 8601, in UTC."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())


def numeric(value: Any) -> float | None:
    """A number of a file as a float; None for what is none, and for what no float holds."""
    if not isinstance(value, (int, float)) or isinstance(value, bool) or not -1e300 < value < 1e300:
        return None
    return float(value)


def scores_of(status: Mapping[str, Any]) -> dict[str, float]:
    """The scores of a status."""
    found = status.get("scores")
    return {str(k): n for k, v in found.items() if (n := numeric(v)) is not None} if isinstance(found, dict) else {}


def state_of(folder: Path, status: Mapping[str, Any]) -> str:
    """running, finished, interrupted or failed: a training that says it runs and holds no lock was killed."""
    said = str(status.get("state", ""))
    return said if said in ("finished", "interrupted", "failed") or _locked(folder) else "interrupted"


def _locked(folder: Path) -> bool:
    """Whether a process holds the folder."""
    try:
        descriptor = os.open(folder / NAME, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError as error:
        return error.errno in (errno.EWOULDBLOCK, errno.EACCES)
    finally:
        os.close(descriptor)
    return False
