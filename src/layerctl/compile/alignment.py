"""Where values may start."""

from __future__ import annotations

ALIGNMENT = 64


def aligned(size: int) -> int:
    """The size, rounded up so that what follows starts on a cache line."""
    return -(-size // ALIGNMENT) * ALIGNMENT
