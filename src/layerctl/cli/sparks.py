"""Curves of one line: eight heights of a block (Unicode, Block Elements)."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

BLOCKS = "▁▂▃▄▅▆▇█"


def spark(values: Sequence[float | None], width: int = 24) -> str:
    """Values as blocks, at most `width` of them: longer rows are cut into pieces of about one length, each its mean. A gap for no number."""
    known = [v if v is not None and math.isfinite(v) else None for v in values]
    n = min(width, len(known))
    cuts = [round(i * len(known) / n) for i in range(n + 1)] if n else []
    pieces = [[v for v in known[a:b] if v is not None] for a, b in itertools.pairwise(cuts)]
    means = [sum(p) / len(p) if p else None for p in pieces]
    finite = [m for m in means if m is not None]
    if not finite:
        return ""
    low, high = min(finite), max(finite)
    step = (high - low) / (len(BLOCKS) - 1)
    return "".join(" " if m is None else BLOCKS[round((m - low) / step) if step > 0 else 3] for m in means)
