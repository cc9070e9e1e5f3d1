"""A study's report: one HTML file without scripts, network or fonts of its own; its pictures are SVG within it."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from html import escape
from typing import TYPE_CHECKING, Any

from layerctl.commands.pictures.figure import GRID, INK, PALETTE
from layerctl.reporting.axes import label, ticks
from layerctl.spec.search import Choices, Search, short_names

if TYPE_CHECKING:
    from layerctl.commands.tune import TuneResult
    from layerctl.commands.tuning.study import Tried

WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 420, 260, 64, 12, 28, 40
_STYLE = (
    "body{font:15px/1.5 system-ui,sans-serif;color:#222;max-width:1320px;margin:2em auto;padding:0 1em}"
    "table{border-collapse:collapse}td,th{padding:.2em .8em;text-align:left;border-bottom:1px solid #ddd}"
    ".n{text-align:right;font-variant-numeric:tabular-nums}svg{max-width:100%;height:auto}.pictures{display:flex;flex-wrap:wrap;gap:8px}"
)
Place = Callable[[Any], float]
"""A value's place on an axis, 0 to 1."""


def html(result: TuneResult, source: str) -> str:
    """The whole report."""
    best = result.best
    way = "greatest" if result.maximize else "least"
    found = f"The best of them is trial {best.number} with {_number(best.value)}." if best is not None else "None of them was trained to the end."
    counts = ", ".join(f"{sum(t.state == s for t in result.trials)} {s}" for s in ("done", "pruned", "diverged", "refused"))
    pictures = [_history(result), *(_parameter(result, s) for s in result.searches)]
    return "\n".join([
        '<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">',
        f"<title>{escape(source)}: study</title><style>{_STYLE}</style></head><body>",
        f"<h1>{escape(source)}</h1>",
        f"<p>{len(result.trials)} trials ({counts}), looking for the {way} <b>{escape(result.metric)}</b>. {found}</p>",
        *(["<h2>The best</h2>", _chosen(best)] if best is not None else []),
        f'<h2>Scores</h2><div class="pictures">{"".join(pictures)}</div>',
        "<h2>All trials</h2>", _table(result), "</body></html>", "",
    ])  # fmt: skip


def rows(result: TuneResult) -> list[list[str]]:
    """Head and trials, the best first; then what was pruned, diverged or refused."""
    sign = -1.0 if result.maximize else 1.0
    order = sorted(result.trials, key=lambda t: (t.state != "done", t.value is None, sign * (t.value or 0.0), t.number))
    names = short_names(s.name for s in result.searches)
    out = [["trial", "state", result.metric, "epochs", "seconds", *names.values()]]
    for t in order:
        values = [_number(t.chosen[n]) if n in t.chosen else "" for n in names]
        out.append([str(t.number), t.state, _number(t.value), str(t.epochs), f"{t.seconds:.1f}", *values])
    return out


def _number(value: Any) -> str:
    return "" if value is None else f"{value:.5g}" if isinstance(value, float) else str(value)


def _chosen(best: Tried) -> str:
    cells = "".join(f'<tr><td>{escape(n)}</td><td class="n">{escape(_number(v))}</td></tr>' for n, v in best.chosen.items())
    return f"<table>{cells}</table>"


def _table(result: TuneResult) -> str:
    head, *body = rows(result)
    why = {str(t.number): t.why for t in result.trials}
    lines = ["<table><tr>" + "".join(f"<th>{escape(c)}</th>" for c in [*head, ""]) + "</tr>"]
    for row in body:
        cells = [f'<td class="n">{escape(c)}</td>' if i != 1 else f"<td>{escape(c)}</td>" for i, c in enumerate(row)]
        lines.append(f"<tr>{''.join(cells)}<td>{escape(why[row[0]])}</td></tr>")
    return "\n".join([*lines, "</table>"])


def _history(result: TuneResult) -> str:
    """Each trial's score by its number, with the best so far."""
    scored = [t for t in result.trials if t.value is not None and math.isfinite(t.value)]
    last = max((t.number for t in result.trials), default=0)
    across = _linear(-0.5, last + 0.5)
    marks = [(float(str(t)), str(t)) for t in map(round, ticks(0, max(last, 1), 6))]
    best, line = None, []
    for t in (t for t in scored if t.state == "done"):
        best = t.value if best is None else max(best, t.value) if result.maximize else min(best, t.value)
        line.append((across(t.number), best))
    return _picture("trials in their order; the line is the best so far", scored, result, [across(t.number) for t in scored],
                    [(across(x), text) for x, text in dict(marks).items()], line)  # fmt: skip


def _parameter(result: TuneResult, search: Search) -> str:
    """A parameter's values against the score."""
    over = search.over
    scored = [t for t in result.trials if t.value is not None and math.isfinite(t.value) and search.name in t.chosen]
    if isinstance(over, Choices):
        labels = over.labels()
        across: Place = lambda v: (labels.index(v) + 0.5) / len(labels)  # noqa: E731
        marks = [((i + 0.5) / len(labels), text) for i, text in enumerate(labels)]
    elif over.log:
        low, high = math.log10(over.low), math.log10(over.high)
        inner = _linear(low, high)
        across = lambda v: inner(math.log10(v))  # noqa: E731
        points = [10.0**p for p in range(math.ceil(low), math.floor(high) + 1)]
        marks = [(across(v), label(v)) for v in (points if len(points) > 1 else [over.low, over.high])]
    else:
        across = _linear(over.low, over.high)
        marks = [(across(v), label(v)) for v in ticks(over.low, over.high, 6)]
    return _picture(search.name, scored, result, [across(t.chosen[search.name]) for t in scored], marks, [])


def _linear(low: float, high: float) -> Place:
    return lambda v: (v - low) / (high - low)


def _picture(title: str, trials: Sequence[Tried], result: TuneResult, across: Sequence[float], marks: Sequence[tuple[float, str]],
             line: Sequence[tuple[float, float]]) -> str:  # fmt: skip
    """Points (full for trials that are done, hollow for others, the best with a ring) over axes, as SVG."""
    values = [float(t.value or 0.0) for t in trials]
    low, high = (min(values), max(values)) if values else (0.0, 1.0)
    if high - low < 1e-12:
        low, high = low - 0.5, high + 0.5
    low, high = low - 0.05 * (high - low), high + 0.05 * (high - low)

    def x(unit: float) -> float:
        return LEFT + unit * (WIDTH - LEFT - RIGHT)

    def y(value: float) -> float:
        return HEIGHT - BOTTOM - (value - low) / (high - low) * (HEIGHT - TOP - BOTTOM)

    out = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{HEIGHT}" viewBox="0 0 {WIDTH} {HEIGHT}" role="img"',
        f' font-family="sans-serif" font-size="12" fill="{INK}"><title>{escape(title)}</title>',
        f'<text x="{WIDTH / 2:g}" y="16" text-anchor="middle">{escape(title)}</text>',
    ]
    for t in ticks(low, high, 5):
        out.append(f'<path d="M{LEFT} {y(t):.1f}H{WIDTH - RIGHT}" stroke="{GRID}"/><text x="{LEFT - 6}" y="{y(t) + 4:.1f}" text-anchor="end">{label(t)}</text>')
    for unit, text in marks:
        short = text if len(text) <= 14 else f"{text[:13]}…"
        out.append(f'<path d="M{x(unit):.1f} {TOP}V{HEIGHT - BOTTOM}" stroke="{GRID}"/>'
                   f'<text x="{x(unit):.1f}" y="{HEIGHT - BOTTOM + 16}" text-anchor="middle">{escape(short)}</text>')  # fmt: skip
    if line:
        steps = " ".join(f"{x(u):.1f},{y(v):.1f}" for u, v in line)
        out.append(f'<polyline points="{steps}" fill="none" stroke="{PALETTE[1]}" stroke-width="1.5"/>')
    for t, unit, value in zip(trials, across, values, strict=True):
        fill = PALETTE[0] if t.state == "done" else "none"
        out.append(f'<circle cx="{x(unit):.1f}" cy="{y(value):.1f}" r="3.5" fill="{fill}" stroke="{PALETTE[0]}">'
                   f"<title>trial {t.number}, {t.state}: {_number(value)}</title></circle>")  # fmt: skip
        if result.best is not None and t.number == result.best.number:
            out.append(f'<circle cx="{x(unit):.1f}" cy="{y(value):.1f}" r="7" fill="none" stroke="{PALETTE[1]}" stroke-width="2"/>')
    return "".join([*out, "</svg>"])
