"""Which sources are large, so that their rows go through the cache; small ones load nothing that it needs."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from layerctl.data.arrays import BUILTIN
from layerctl.data.readers import Files

if TYPE_CHECKING:
    from layerctl.spec.data import DataSpec

LARGE = 64 << 20
"""Bytes of a source from which on its rows go through the cache, if the data section does not say otherwise."""
PACKED = 8
"""How much smaller a packed file counts as large."""


def is_large(spec: DataSpec, source: str, folder: Path) -> bool:
    """Whether a source's rows go through the cache: as `cache` says, else by its size.

    Streams do not, nor texts for layers that read texts, nor images beside a table, of which the table's content says nothing, nor the texts of
    a language model, whose samples are not rows.
    """
    if spec.cache is False or source == "-" or source.startswith(BUILTIN) or any(f.kind == "string" for f in spec.features.values()):
        return False
    if any(t.next is not None for t in spec.targets().values()):
        return False
    paths = Files.of(source, folder).paths
    folders = all(map(os.path.isdir, paths))
    if any(f.kind == "image" for f in spec.features.values()) and not folders:
        return False
    packed = folders or all(p.endswith((".gz", ".zip", ".parquet", ".pq")) for p in paths)
    return bool(spec.cache) or size_of(paths) * (PACKED if packed else 1) >= LARGE


def size_of(paths: Sequence[str]) -> int:
    """Bytes of files and of the files in folders; 0 where one cannot be looked at."""
    try:
        files = [f for p in paths for f in ([os.path.join(d, n) for d, _, names in os.walk(p) for n in names] if os.path.isdir(p) else [p])]
        return sum(os.stat(f).st_size for f in files)
    except OSError:
        return 0
