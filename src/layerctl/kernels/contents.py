"""What the kernel store holds, told without loading anything."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from layerctl.cache import cache_folder
from layerctl.kernels.store import folder


@dataclass(frozen=True)
class Contents:
    """What the store holds: this generation's kernels and bytes, those of all others, whether new ones can be kept; what is wrong."""

    path: Path | None
    kernels: int = 0
    size: int = 0
    others: int = 0
    others_size: int = 0
    writable: bool = False
    problem: str | None = None


def contents() -> Contents:
    """Looks into the store without loading anything."""
    base = cache_folder()
    if base is None:
        return Contents(None, problem="there is no home directory, and LAYERCTL_CACHE is not set: kernels are compiled in every run")
    here = folder()
    if here is None:
        path = base / "kernels"
        others = path.exists() and os.access(path, os.W_OK)
        why = "other users may write to it, so that nothing is loaded from there" if others else "it cannot be made or written to"
        return Contents(path, problem=f"{why}: kernels are compiled in every run; LAYERCTL_CACHE names another folder")
    sizes = {p: p.stat().st_size for p in here.parent.glob("*/*.o")}
    own = [n for p, n in sizes.items() if p.parent == here]
    writable = os.access(here, os.W_OK)
    problem = None if writable else "it cannot be written to: what is not there is compiled in every run"
    return Contents(here, len(own), sum(own), len(sizes) - len(own), sum(sizes.values()) - sum(own), writable, problem)
