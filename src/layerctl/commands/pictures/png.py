"""A figure as PNG: pixels by distance to the strokes, letters from a font of dots."""

from __future__ import annotations

import numpy as np

from layerctl.commands.pictures.figure import INK, Figure, Stroke, Word
from layerctl.commands.pictures.font import ADVANCE, HEIGHT, glyph
from layerctl.reporting.png import png as encoded

SCALE = 2
"""Pixels for one unit of the figure, in each direction."""


def png(figure: Figure) -> bytes:
    """The file's bytes: eight bits of red, green and blue."""
    pixels = np.full((figure.height * SCALE, figure.width * SCALE, 3), 255.0)
    for stroke in figure.strokes:
        _stroke(pixels, stroke)
    for word in figure.words:
        _word(pixels, word)
    return encoded(np.rint(pixels).astype(np.uint8))


def _colour(text: str) -> np.ndarray:
    return np.array([int(text[i : i + 2], 16) for i in (1, 3, 5)], float)


def _stroke(pixels: np.ndarray, stroke: Stroke) -> None:
    """Each pixel is covered as far as the nearest part of the stroke reaches into it; round ends and joints."""
    rows, columns = pixels.shape[:2]
    points, half = stroke.points * SCALE, stroke.width * SCALE / 2
    low = np.maximum(np.floor(points.min(0) - half - 1), 0).astype(int)
    high = np.minimum(np.ceil(points.max(0) + half + 2), (columns, rows)).astype(int)
    cover = np.zeros((high[1] - low[1], high[0] - low[0]))
    for a, b in zip(points[:-1] - low, points[1:] - low, strict=True):
        x0, y0 = np.maximum(np.floor(np.minimum(a, b) - half - 1), 0).astype(int)
        x1, y1 = np.ceil(np.maximum(a, b) + half + 2).astype(int)
        part = cover[y0:y1, x0:x1]
        y, x = np.mgrid[y0 : y0 + part.shape[0], x0 : x0 + part.shape[1]] + 0.5
        along = b - a
        t = np.clip(((x - a[0]) * along[0] + (y - a[1]) * along[1]) / max(along @ along, 1e-12), 0, 1)
        away = np.hypot(x - a[0] - t * along[0], y - a[1] - t * along[1])
        np.maximum(part, np.clip(half + 0.5 - away, 0, 1), out=part)
    area = pixels[low[1] : high[1], low[0] : high[0]]
    area += (_colour(stroke.colour) - area) * cover[..., None]


def _word(pixels: np.ndarray, word: Word) -> None:
    wide = ADVANCE * len(word.text) * SCALE
    x = round(word.x * SCALE - {"start": 0, "middle": wide / 2, "end": wide}[word.anchor])
    y = round(word.y * SCALE) - HEIGHT * SCALE
    ink = _colour(INK)
    for character in word.text:
        dots = np.kron(glyph(character), np.ones((SCALE, SCALE), bool))
        top, left = max(y, 0), max(x, 0)
        part = pixels[top : y + dots.shape[0], left : x + dots.shape[1]]
        part[dots[top - y :, left - x :][: part.shape[0], : part.shape[1]]] = ink
        x += ADVANCE * SCALE
