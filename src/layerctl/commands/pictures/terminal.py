"""Curves as text: braille characters, of which each is two dots wide and four high (Unicode 1.1, U+2800)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from layerctl.commands.pictures.curves import Curve
from layerctl.commands.pictures.panel import Panel, panels_of_one
from layerctl.reporting.axes import label, ticks

ROWS = 9
LABELS = 7
NARROW = 22
"""A panel with fewer columns than this is put below its neighbour."""
_BITS = np.array([[0x01, 0x08], [0x02, 0x10], [0x04, 0x20], [0x40, 0x80]])
_CURVE, _AXES, _END = "\x1b[36m", "\x1b[90m", "\x1b[0m"


def text(curves: Sequence[Curve], width: int, colour: bool) -> str:
    """A row of panels for each curve, `width` columns wide in all."""
    out = []
    for curve in curves:
        panels = panels_of_one(curve)
        across = len(panels) if width // len(panels) >= NARROW + LABELS else 1
        for i in range(0, len(panels), across):
            drawn = [_panel(p, max(NARROW // 2, (width - (across - 1)) // across - LABELS), colour) for p in panels[i : i + across]]
            out += [" ".join(parts).rstrip() for parts in zip(*drawn, strict=True)]
        out.append("")
    return "\n".join(out[:-1])


def _panel(panel: Panel, columns: int, colour: bool) -> list[str]:
    """Lines of one width: title, rows with the numbers of y before them, numbers of x."""
    axes, curve = _axes(panel, columns), np.zeros((ROWS * 4, columns * 2), bool)
    for line in panel.lines:
        for piece in panel.places(line):
            _trace(curve, piece)
    over, under = _characters(curve), _characters(axes)
    numbers = {min(ROWS - 1, int((1 - panel.height(t)) * ROWS)): label(t) for t in ticks(panel.low, panel.high, 4)}
    title = panel.title if len(panel.title) <= columns else panel.title[: columns - 1] + "…"
    lines = [" " * LABELS + title.ljust(columns)]
    for r in range(ROWS):
        lines.append(numbers.get(r, "").rjust(LABELS - 1)[: LABELS - 1] + " " + _row(over[r], under[r], colour))
    return [*lines, " " * LABELS + _below(panel, columns)]


def _axes(panel: Panel, columns: int) -> np.ndarray:
    """The dots of x = 0 and y = 0, every third of them."""
    dots = np.zeros((ROWS * 4, columns * 2), bool)
    if panel.low <= 0 <= panel.high:
        dots[_down(panel.height(0.0), ROWS * 4), ::3] = True
    if panel.x[0] <= 0 <= panel.x[-1]:
        dots[::3, round(panel.width(0.0) * (columns * 2 - 1))] = True
    return dots


def _down(height: float, rows: int) -> int:
    return round((1 - height) * (rows - 1))


def _trace(dots: np.ndarray, piece: np.ndarray) -> None:
    """Sets the dots of a line; between two of its points as many as the longer way has."""
    rows, columns = dots.shape
    x, y = piece[:, 0] * (columns - 1), (1 - piece[:, 1]) * (rows - 1)
    for i in range(max(len(x) - 1, 1)):
        j = min(i + 1, len(x) - 1)
        n = int(max(abs(x[j] - x[i]), abs(y[j] - y[i]))) + 2
        dots[np.rint(np.linspace(y[i], y[j], n)).astype(int), np.rint(np.linspace(x[i], x[j], n)).astype(int)] = True


def _characters(dots: np.ndarray) -> np.ndarray:
    """The braille pattern (0 to 255) of each cell of four by two dots."""
    rows, columns = dots.shape
    cells = dots.reshape(rows // 4, 4, columns // 2, 2).transpose(0, 2, 1, 3)
    return (cells * _BITS).sum((2, 3))


def _row(over: np.ndarray, under: np.ndarray, colour: bool) -> str:
    """The curve, and the axes in the cells that it leaves free."""
    parts, now = [], ""
    for a, b in zip(over.tolist(), under.tolist(), strict=True):
        wanted = (_CURVE if a else _AXES if b else now) if colour else ""
        parts.append(("" if wanted == now else wanted) + (chr(0x2800 + (a or b)) if a or b else " "))
        now = wanted
    return "".join(parts) + (_END if now else "")


def _below(panel: Panel, columns: int) -> str:
    """The numbers of x, each centred under its place."""
    line = [" "] * columns
    for tick in ticks(float(panel.x[0]), float(panel.x[-1]), max(2, columns // 10)):
        said = label(tick)
        at = min(max(0, round(panel.width(tick) * (columns - 1)) - len(said) // 2), columns - len(said))
        if at >= 0 and all(c == " " for c in line[max(0, at - 1) : at + len(said) + 1]):
            line[at : at + len(said)] = said
    return "".join(line)
