"""The layout of a picture in pixels: strokes and words, the same for every format."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from layerctl.commands.pictures.curves import Curve
from layerctl.commands.pictures.panel import Panel, panels_of
from layerctl.reporting.axes import PALETTE, label, ticks

WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM, ROW = 460, 340, 58, 14, 34, 30, 20
INK, GRID, ZERO = "#222222", "#e6e6e6", "#b0b0b0"


@dataclass(frozen=True)
class Stroke:
    """A line through points (x, y) in pixels, y downwards."""

    points: np.ndarray
    colour: str
    width: float


@dataclass(frozen=True)
class Word:
    """A text at its base line; `anchor` is start, middle or end."""

    x: float
    y: float
    text: str
    anchor: str = "start"


@dataclass
class Figure:
    """What is drawn, in this order."""

    width: int
    height: int
    strokes: list[Stroke] = field(default_factory=list)
    words: list[Word] = field(default_factory=list)


def figure(curves: Sequence[Curve]) -> Figure:
    """Panels side by side, under them a legend."""
    panels = panels_of(curves)
    width = WIDTH * len(panels)
    cells = _legend(curves, width)
    out = Figure(width, HEIGHT + ROW * (cells[-1][1] + 1) + 10)
    for i, panel in enumerate(panels):
        _draw(out, panel, i * WIDTH)
    for i, (x, row) in enumerate(cells):
        y = HEIGHT + ROW * row + 10.0
        out.strokes += _styled(np.stack([np.linspace(x, x + 26, 40), np.full(40, y - 4)], axis=1), i)
        out.words.append(Word(x + 32, y, curves[i].name))
    return out


def _legend(curves: Sequence[Curve], width: int) -> list[tuple[float, int]]:
    """(x, row) of each name; a row that is full is followed by another."""
    cells, x, row = [], float(LEFT), 0
    for curve in curves:
        wide = 32 + 7.5 * len(curve.name) + 18
        if x > LEFT and x + wide > width - RIGHT:
            x, row = float(LEFT), row + 1
        cells.append((x, row))
        x += wide
    return cells


def _draw(out: Figure, panel: Panel, offset: int) -> None:
    left, right, top, bottom = offset + LEFT, offset + WIDTH - RIGHT, TOP, HEIGHT - BOTTOM

    def place(unit: np.ndarray) -> np.ndarray:
        return np.stack([left + unit[:, 0] * (right - left), bottom - unit[:, 1] * (bottom - top)], axis=1)

    for t in ticks(panel.low, panel.high, 6):
        y = bottom - panel.height(t) * (bottom - top)
        out.strokes.append(Stroke(np.array([[left, y], [right, y]]), GRID if t else ZERO, 1.0))
        out.words.append(Word(left - 6, y + 4, label(t), "end"))
    for t in ticks(float(panel.x[0]), float(panel.x[-1]), 7):
        x = left + panel.width(t) * (right - left)
        out.strokes.append(Stroke(np.array([[x, top], [x, bottom]]), GRID if t else ZERO, 1.0))
        out.words.append(Word(x, bottom + 17, label(t), "middle"))
    out.words.append(Word((left + right) / 2, top - 12, panel.title, "middle"))
    for i, line in enumerate(panel.lines):
        for piece in panel.places(line):
            out.strokes += _styled(place(piece), i)


def _styled(points: np.ndarray, i: int) -> list[Stroke]:
    """The strokes of curve number i: whole, or in dashes once the colours are used up."""
    colour, dashed = PALETTE[i % len(PALETTE)], i >= len(PALETTE)
    pieces = [points[j : j + 9] for j in range(0, len(points), 14)] if dashed else [points]
    return [Stroke(p, colour, 2.0) for p in pieces if len(p) > 1]
