"""Room for numpy where memory is bounded: OpenBLAS, which numpy loads, ends the process with a word and exit code of its own if it gets none."""

from __future__ import annotations

import sys
from typing import Any

from layerctl.limits import bounded

NUMPY = 96 << 20
"""Bytes of addresses that numpy and one thread's buffers of OpenBLAS take, with some to spare."""


class _Room:
    """A finder that finds nothing: it looks whether there is room when numpy is first asked for."""

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> None:
        if name != "numpy":
            return
        import mmap

        sys.meta_path.remove(self)  # type: ignore[arg-type]
        try:
            mmap.mmap(-1, NUMPY).close()
        except OSError:
            raise MemoryError from None


def watch() -> None:
    """Where memory is bounded, an import of numpy for which there is no room raises MemoryError from now on."""
    if bounded() and "numpy" not in sys.modules:
        sys.meta_path.insert(0, _Room())  # type: ignore[arg-type]
