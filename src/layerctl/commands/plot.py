"""`layerctl layers NAME... --plot`: curves of activations and schedules, for the terminal or as a file."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from layerctl.commands.pictures.curves import Curve, curves
from layerctl.diagnostics import Source, Span, fail


def plot(names: Sequence[str], span: tuple[float, float] | None = None, out: str | None = None) -> list[Curve]:
    """The curves of what is named; drawn into `out` if that is given.

    Raises:
        LayerctlError: for names without a curve, and for a file that is neither .svg nor .png or cannot be written.
    """
    if not names:
        fail("no-curve", "say what to draw", Span(Source("layers")), hint="layerctl layers relu gelu --plot")
    ending = Path(out).suffix.lower() if out is not None else None
    if ending not in (None, ".svg", ".png"):
        fail("bad-option", f"--out takes a file that ends in .svg or .png, got '{out}'", Span(Source("--out")), hint="as in `-o curves.svg`")
    found = curves(names, span)
    if out is not None:
        from layerctl.commands.pictures.figure import figure
        from layerctl.modelfile.atomic import write

        if ending == ".svg":
            from layerctl.commands.pictures.svg import svg as made
        else:
            from layerctl.commands.pictures.png import png as made
        write(Path(out), [made(figure(found))])
    return found
