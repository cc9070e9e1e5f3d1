"""Charts as SVG, in colours that the page gives by class, so that they follow its light or dark theme."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from layerctl.reporting.axes import label, ticks
from layerctl.reporting.markup import text

SERIES = 7
"""Colours that the page knows, c0 to c6."""
MOST_POINTS = 400


class Chart:
    """Axes from `x` to `y` (pairs of numbers), and marks between them; `log` makes the y axis logarithmic."""

    def __init__(
        self, x: tuple[float, float], y: tuple[float, float], x_label: str = "", y_label: str = "", *, width: int = 350, height: int = 250,
        log: bool = False, whole: bool = False,
    ):  # fmt: skip
        self.x, self.y, self.log = _apart(x), _apart(y), log
        self.width, self.height = width, height
        self.left, self.right, self.top, self.bottom = 52, width - 10, 10, height - 38
        self._parts: list[str] = []
        self._frame(x_label, y_label, whole)

    def across(self, v: float) -> float:
        """The pixel of an x."""
        return self.left + (v - self.x[0]) / (self.x[1] - self.x[0]) * (self.right - self.left)

    def up(self, v: float) -> float:
        """The pixel of a y."""
        low, high = self.y
        share = math.log(max(v, 1e-300) / low) / math.log(high / low) if self.log else (v - low) / (high - low)
        return self.bottom - min(max(share, -0.02), 1.02) * (self.bottom - self.top)

    def _frame(self, x_label: str, y_label: str, whole: bool) -> None:
        for t in _decades(*self.y) if self.log else ticks(*self.y, 6):
            y = self.up(t)
            self._parts.append(f'<path class=grid d="M{self.left} {y:.1f}H{self.right}"/>')
            self._parts.append(f'<text x="{self.left - 6}" y="{y + 4:.1f}" class=end>{label(t)}</text>')
        for t in ticks(*self.x, 7):
            if whole and t != round(t):
                continue
            self._parts.append(f'<text x="{self.across(t):.1f}" y="{self.bottom + 16}" class=mid>{label(t)}</text>')
        self._parts.append(f'<path class=axis d="M{self.left} {self.bottom}H{self.right}"/>')
        middle = (self.left + self.right) / 2
        self._parts.append(f'<text x="{middle:.0f}" y="{self.height - 6}" class="mid dim">{text(x_label)}</text>' if x_label else "")
        if y_label:
            at = (self.top + self.bottom) / 2
            self._parts.append(f'<text class="mid dim" transform="translate(12 {at:.0f}) rotate(-90)">{text(y_label)}</text>')

    def line(self, xs: Sequence[float], ys: Sequence[float], series: int, dashed: bool = False) -> None:
        """A line through points; what is not finite is a gap, a single point a dot."""
        for px, py in _pieces(np.asarray(xs, float), np.asarray(ys, float)):
            if len(px) == 1:
                self.dots(px, py, series, 3.0)
                continue
            keep = np.unique(np.linspace(0, len(px) - 1, min(len(px), MOST_POINTS)).round().astype(int))
            points = " ".join(f"{self.across(a):.1f},{self.up(b):.1f}" for a, b in zip(px[keep].tolist(), py[keep].tolist(), strict=True))
            self._parts.append(f'<polyline class="line s{series % SERIES}{" dash" if dashed else ""}" points="{points}"/>')

    def dots(self, xs: Sequence[float], ys: Sequence[float], series: int, radius: float = 2.5) -> None:
        """A dot at each point."""
        path = "".join(f"M{self.across(float(a)):.1f} {self.up(float(b)):.1f}h0" for a, b in zip(xs, ys, strict=True))
        self._parts.append(f'<path class="dots s{series % SERIES}" stroke-width="{2 * radius:g}" d="{path}"/>')

    def bar(self, start: float, end: float, value: float, series: int, title: str = "") -> None:
        """A bar from `start` to `end` on the x axis, from the bottom to `value`."""
        x0, x1, y = self.across(start), self.across(end), self.up(value)
        told = f"<title>{text(title)}</title>" if title else ""
        wide, high = max(x1 - x0 - 1, 0.5), max(self.bottom - y, 0)
        self._parts.append(f'<rect class="f{series % SERIES}" x="{x0:.1f}" y="{y:.1f}" width="{wide:.1f}" height="{high:.1f}">{told}</rect>')

    def guide(self, x0: float, y0: float, x1: float, y1: float) -> None:
        """A thin dashed line."""
        self._parts.append(f'<path class=guide d="M{self.across(x0):.1f} {self.up(y0):.1f}L{self.across(x1):.1f} {self.up(y1):.1f}"/>')

    def svg(self, name: str) -> str:
        """The picture; `name` tells those who cannot see it what it shows."""
        return framed(self.width, self.height, name, self._parts, "fill")


def framed(width: float, height: float, name: str, parts: Sequence[str], kind: str = "") -> str:
    """An SVG element of a size in pixels, which shrinks with the page."""
    head = f'<svg class="{kind}" viewBox="0 0 {width:.0f} {height:.0f}" width="{width:.0f}" height="{height:.0f}" role="img" aria-label="{text(name)}">'
    return head + "\n".join(p for p in parts if p) + "</svg>"


def _apart(span: tuple[float, float]) -> tuple[float, float]:
    low, high = span
    return (low, high) if high - low > 1e-12 * max(1.0, abs(low), abs(high)) else (low - 0.5, high + 0.5)


def _decades(low: float, high: float) -> list[float]:
    """Powers of ten from low to high, and between them twos and fives where there are few."""
    first, last = math.floor(math.log10(low)), math.ceil(math.log10(high))
    steps = (1, 2, 5) if last - first <= 2 else (1,)
    skip = max(1, (last - first) // 6)
    return [10.0**k * s for k in range(first, last + 1, skip) for s in steps if low <= 10.0**k * s <= high]


def _pieces(xs: np.ndarray, ys: np.ndarray) -> list[tuple[np.ndarray, np.ndarray]]:
    finite = np.isfinite(ys)
    cuts = np.flatnonzero(np.diff(finite)) + 1
    return [(a, b) for a, b in zip(np.split(xs, cuts), np.split(ys, cuts), strict=True) if len(b) and np.isfinite(b[0])]


def span_of(values: Sequence[float], log: bool = False, room: float = 0.05) -> tuple[float, float]:
    """From the least to the greatest finite value, with a little room."""
    finite = np.asarray([v for v in values if math.isfinite(v)], float)
    if not len(finite):
        return (0.1, 1.0) if log else (0.0, 1.0)
    low, high = float(finite.min()), float(finite.max())
    if log:
        return low / 1.1, high * 1.1
    more = room * (high - low) if high > low else 0.5 * max(abs(high), 1e-6)
    return low - more, high + more


def legend(names: Sequence[str], dashed: Sequence[bool] | None = None) -> str:
    """The names of lines with their colours, as HTML."""
    keys = []
    for i, name in enumerate(names):
        marked = " dash" if dashed is not None and dashed[i] else ""
        keys.append(f'<span class=key><i class="k{i % SERIES}{marked}"></i>{text(name, 40)}</span>')
    return f"<div class=legend>{''.join(keys)}</div>"


def figure(title: str, drawn: str, below: str = "", kind: str = "") -> str:
    """A picture with its title and what is said of it, in markup."""
    return f'<figure class="{kind}"><figcaption>{text(title)}</figcaption>{drawn}{below}</figure>'
