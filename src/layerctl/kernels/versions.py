"""What stands for the code that kernels are made from: our sources, and installed packages without importing them or reading their metadata."""

from __future__ import annotations

import functools
import hashlib
import sys
from pathlib import Path


@functools.cache
def signature(package: str) -> bytes:
    """Bytes that change with a package's version; the package's name alone where it is not installed."""
    for folder in sys.path:
        for name in ("_version.py", "version.py"):
            try:
                return package.encode() + b"\n" + Path(folder or ".", package, name).read_bytes()
            except OSError:
                continue
    from importlib.metadata import PackageNotFoundError, version

    try:
        return f"{package} {version(package)}\n".encode()
    except PackageNotFoundError:
        return f"{package}\n".encode()


@functools.cache
def sources() -> str:
    """The hash of the files of `ops/` and `kernels/`."""
    digest = hashlib.sha256()
    root = Path(__file__).parent.parent
    for part in ("ops", "kernels"):
        for path in sorted((root / part).glob("*.py")):
            digest.update(path.name.encode())
            digest.update(path.read_bytes())
    return digest.hexdigest()
