"""Panels: a range of both axes, round numbers on them, and curves as points of the unit square."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from layerctl.commands.pictures.curves import Curve


@dataclass(frozen=True)
class Panel:
    """Lines over one pair of axes; NaN in a line is a gap."""

    title: str
    x: np.ndarray
    lines: list[np.ndarray]
    low: float
    high: float

    def places(self, line: np.ndarray) -> list[np.ndarray]:
        """A line's finite pieces as rows (x, y) of the unit square, y upwards."""
        across = (self.x - self.x[0]) / (self.x[-1] - self.x[0])
        up = (line - self.low) / (self.high - self.low)
        finite = np.isfinite(up)
        cuts = np.flatnonzero(np.diff(finite)) + 1
        pieces = np.split(np.stack([across, up], axis=1), cuts)
        return [p for p in pieces if len(p) and np.isfinite(p[0, 1])]

    def height(self, y: float) -> float:
        """Where a value stands, 0 to 1."""
        return (y - self.low) / (self.high - self.low)

    def width(self, x: float) -> float:
        """Where a point of the x axis stands, 0 to 1."""
        return float((x - self.x[0]) / (self.x[-1] - self.x[0]))


def panel(title: str, x: np.ndarray, lines: Sequence[np.ndarray]) -> Panel:
    """A panel whose range of y holds all lines with a little room."""
    finite = np.concatenate([line[np.isfinite(line)] for line in lines])
    low, high = (float(finite.min()), float(finite.max())) if len(finite) else (0.0, 1.0)
    if high - low < 1e-12 * max(1.0, abs(high)):
        low, high = low - 0.5, high + 0.5
    room = 0.04 * (high - low)
    return Panel(title, x, list(lines), low - room, high + room)


def panels_of(curves: Sequence[Curve]) -> list[Panel]:
    """All curves in one panel, and their derivatives in a second."""
    slopes = [c.derivative for c in curves if c.derivative is not None]
    first = panel("activation" if slopes else "learning rate", curves[0].x, [c.y for c in curves])
    return [first, panel("derivative", curves[0].x, slopes)] if slopes else [first]


def panels_of_one(curve: Curve) -> list[Panel]:
    """One curve in a panel, its derivative in a second."""
    first = panel(curve.name, curve.x, [curve.y])
    return [first] if curve.derivative is None else [first, panel("its derivative", curve.x, [curve.derivative])]
