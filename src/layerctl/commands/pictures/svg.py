"""A figure as SVG."""

from __future__ import annotations

from xml.sax.saxutils import escape

from layerctl.commands.pictures.figure import INK, Figure, Stroke


def svg(figure: Figure) -> bytes:
    """The file's bytes."""
    size = f"{figure.width} {figure.height}"
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{figure.width}" height="{figure.height}" viewBox="0 0 {size}">',
        f'<rect width="{figure.width}" height="{figure.height}" fill="#ffffff"/>',
        '<g fill="none" stroke-linejoin="round" stroke-linecap="round">',
        *(_stroke(s) for s in figure.strokes),
        "</g>",
        f'<g fill="{INK}" font-family="sans-serif" font-size="13">',
        *(f'<text x="{w.x:g}" y="{w.y:g}" text-anchor="{w.anchor}">{escape(w.text)}</text>' for w in figure.words),
        "</g>",
        "</svg>",
    ]
    return ("\n".join(lines) + "\n").encode()


def _stroke(stroke: Stroke) -> str:
    points = " ".join(f"{x:.2f},{y:.2f}" for x, y in stroke.points)
    return f'<polyline points="{points}" stroke="{stroke.colour}" stroke-width="{stroke.width:g}"/>'
