"""Mel filters, as known numbers."""

from __future__ import annotations

from typing import Any


def mel_matrix(mels: int, bins: int, rate: int, low: float, high: float) -> Any:
    """Triangular filters (bins, mels), evenly spaced on the mel scale `1127 log(1 + f / 700)`, in float32 as in Keras."""
    import numpy as np

    def mel(f: Any) -> Any:
        return np.float32(1127) * np.log(np.float32(1) + f / np.float32(700))

    frequencies = np.linspace(0, rate / 2, bins, dtype=np.float32)[1:]
    edges = np.linspace(mel(np.float32(low)), mel(np.float32(high)), mels + 2, dtype=np.float32)
    at = mel(frequencies)[:, None]
    rising = (at - edges[:-2]) / (edges[1:-1] - edges[:-2])
    falling = (edges[2:] - at) / (edges[2:] - edges[1:-1])
    return np.pad(np.maximum(0, np.minimum(rising, falling)), [(1, 0), (0, 0)])
