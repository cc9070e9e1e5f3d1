"""A comparison of runs as one HTML file."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from layerctl.reporting import figures
from layerctl.reporting.chart import legend
from layerctl.reporting.markup import duration, number, table, text
from layerctl.reporting.page import html
from layerctl.source.dump import inline

if TYPE_CHECKING:
    from layerctl.commands.compare import Comparison


def page(found: Comparison) -> str:
    """The whole file: scores, curves over each other, what differs in the files, and the weights."""
    sections = [
        ("scores", "Scores", _scores(found)), ("curves", "Curves", _curves(found)),
        ("file", "Differences of the files", _differences(found)), ("weights", "Weights", _weights(found)),
    ]  # fmt: skip
    title = " and ".join(found.names) if len(found.names) == 2 else f"{len(found.names)} runs"
    return html(title, f"<h1>{text(title)}</h1>", [s for s in sections if s[2]])


def _scores(found: Comparison) -> str:
    rows = [["state", *(text(r.state) for r in found.runs)], ["epochs", *(f"{r.epochs:,}" for r in found.runs)],
            ["time", *(duration(r.seconds) if r.seconds is not None else "–" for r in found.runs)]]  # fmt: skip
    for name, values in found.scores.items():
        best = found.best[name]
        rows.append([text(name), *(f"<span class=best>{number(v)}</span>" if i == best else number(v) for i, v in enumerate(values))])
    return table(["", *(text(n, 60) for n in found.names)], rows, set(range(1, len(found.names) + 1)))


def _curves(found: Comparison) -> str:
    names = list(dict.fromkeys(k for h in found.histories for m in figures.measures(h) for k in (m, f"val_{m}")))
    drawn = []
    for name in names:
        lines = {}
        for i, h in enumerate(found.histories):
            lines[f"{i}"] = ([float(row.get("epoch", j + 1)) for j, row in enumerate(h)], figures.values(h, name))
        drawn.append(figures.over_epochs(name, {k: v for k, v in lines.items() if v[0]}, legend(found.names)))
    return f"<div class=figures>{''.join(drawn)}</div>" if any(drawn) else ""


def _differences(found: Comparison) -> str:
    if not found.differences:
        return "<p>The files say the same.</p>"
    rows = [[f"<code>{text(path)}</code>", *(_value(v) for v in values)] for path, values in found.differences[:500]]
    return table(["", *(text(n, 60) for n in found.names)], rows)


def _value(v: Any) -> str:
    """A value of a file as YAML has it; nothing where a file has none."""
    return "<span class=dim>–</span>" if v is None else text(inline(v), 120)


def _weights(found: Comparison) -> str:
    lines = [f"<p>{text(found.names[i])}: {told(w)}</p>" for i, w in enumerate(found.weights) if w is not None]
    return "".join(lines)


def told(w: Any) -> str:
    """A pair of weights in words."""
    if w.same:
        return "the same weights as the first, bit for bit"
    most = f", by {number(w.largest)} at most" if w.largest is not None else ""
    return f"{w.differing} of {w.tensors} tensors differ from the first run's{most}"
