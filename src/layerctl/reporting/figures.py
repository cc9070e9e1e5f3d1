"""The report's figures: each takes numbers and gives HTML with SVG inside."""

from __future__ import annotations

import base64
import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from layerctl.reporting.chart import Chart, figure, framed, legend, span_of
from layerctl.reporting.importance import Importance
from layerctl.reporting.judged import (
    BINS,
    Classified,
    Curve,
    Labelled,
    Measured,
    calibration,
    confusion,
    precision_recall,
    roc,
    tallies,
)
from layerctl.reporting.markup import number, short, text
from layerctl.reporting.png import png

MOST_CLASSES = 20
MOST_LINES = 7
MOST_TRIED = 50
"""Classes, those with most mistakes, among which the lowest curves are looked for."""
MOST_DOTS = 1500
STEEP = 30.0
"""How many times the greatest loss is the least one where its axis is logarithmic."""


def values(history: Sequence[dict[str, Any]], key: str) -> list[float]:
    """A measure by epoch; NaN where it was not taken."""
    found = [row.get(key) for row in history]
    return [float(v) if isinstance(v, (int, float)) else math.nan for v in found]


def measures(history: Sequence[dict[str, Any]]) -> list[str]:
    """The names of what was measured, without their validation twins: the loss first, the learning rate last."""
    names = dict.fromkeys(k for row in history for k, v in row.items() if isinstance(v, (int, float)))
    plain = [k for k in names if k not in ("epoch", "seconds", "learning_rate") and not k.startswith("val_")]
    return sorted(plain, key=lambda k: k != "loss") + [k for k in ("learning_rate",) if k in names]


def curve(history: Sequence[dict[str, Any]], name: str) -> str:
    """One measure by epoch, on the training rows and on the validation rows."""
    epochs = [float(row.get("epoch", i + 1)) for i, row in enumerate(history)]
    lines = {"training": values(history, name), "validation": values(history, f"val_{name}")}
    lines = {n: v for n, v in lines.items() if any(math.isfinite(y) for y in v)}
    return over_epochs(name, {n: (epochs, v) for n, v in lines.items()}, legend(list(lines)) if len(lines) > 1 else "")


def over_epochs(title: str, lines: dict[str, tuple[Sequence[float], Sequence[float]]], below: str = "") -> str:
    """Lines by epoch in one chart."""
    finite = [y for _, ys in lines.values() for y in ys if math.isfinite(y)]
    if not finite:
        return ""
    wide = any(word in title for word in ("loss", "error", "rate"))
    log = wide and min(finite) > 0 and max(finite) > STEEP * min(finite)
    across = [x for xs, _ in lines.values() for x in xs]
    chart = Chart((min(across), max(across)), span_of(finite, log), "epoch", log=log, whole=True)
    for i, (xs, ys) in enumerate(lines.values()):
        chart.line(xs, ys, i)
    return figure(title.replace("_", " "), chart.svg(f"{title} by epoch"), below)


def matrix(c: Classified) -> str:
    """The confusion matrix: rows are true classes, columns what the model told; the classes with most mistakes where there are many."""
    n = len(c.classes)
    totals = tallies(c)[2]
    kept = np.sort(_most_mistaken(c)[:MOST_CLASSES]) if n > MOST_CLASSES else np.arange(n)
    names = [c.classes[i] for i in kept.tolist()]
    shown = confusion(c, kept)
    cell = 44 if len(names) <= 8 else 30 if len(names) <= 12 else 24
    left, top = 12 + 7 * min(max(len(s) for s in names), 16), 14 + 5 * min(max(len(s) for s in names), 12)
    parts = []
    for i, row in enumerate(shown.tolist()):
        total = max(int(totals[kept[i]]), 1)
        y = top + i * cell
        parts.append(f'<text x="{left - 8}" y="{y + cell / 2 + 4:.0f}" class=end>{text(short(names[i], 16))}</text>')
        for j, v in enumerate(row):
            x, share = left + j * cell, v / total
            kind = "right" if i == j else "wrong"
            told = f"{v} of {total} rows of {names[i]} told as {names[j]}"
            parts.append(f'<rect class="cell {kind}" x="{x + 1}" y="{y + 1}" width="{cell - 2}" height="{cell - 2}" rx="3" '
                         f'fill-opacity="{0.06 + 0.94 * share if v else 0.04:.3f}"><title>{text(told)}</title></rect>')  # fmt: skip
            if v:
                strong = " over" if share > 0.55 else ""
                parts.append(f'<text x="{x + cell / 2:.0f}" y="{y + cell / 2 + 4:.0f}" class="mid{strong}">{_brief(v)}</text>')
    for j, name in enumerate(names):
        x = left + j * cell + cell / 2
        parts.append(f'<text transform="translate({x + 4:.0f} {top - 6}) rotate(-40)">{text(short(name, 16))}</text>')
    width = left + len(names) * cell + 60
    drawn = framed(width, top + len(names) * cell + 6, "confusion matrix", parts)
    note = "<p class=dim>Rows are the true classes, columns what the model told.</p>"
    if n > MOST_CLASSES:
        note += f"<p class=dim>The {MOST_CLASSES} of {n} classes with most mistakes.</p>"
    return figure("confusion matrix", drawn, note)


def _most_mistaken(c: Classified) -> np.ndarray:
    """Classes by their mistakes, those that were told wrongly and those that were missed, most first."""
    hits, told, true = tallies(c)
    return np.argsort(2 * hits - told - true, kind="stable")


def _brief(v: int) -> str:
    return str(v) if v < 10_000 else f"{v / 1000:.0f}k"


def _lines_of(c: Classified | Labelled, of: Callable[[Classified, int], Curve | None]) -> list[Curve]:
    """Curves of the classes: of the second of two, else of those with the smallest areas; of labels likewise."""
    if isinstance(c, Labelled):
        wrong = (c.true != c.told).sum(axis=0)
        found = [of(c.one(j), 1) for j in sorted(np.argsort(-wrong, kind="stable")[:MOST_TRIED].tolist())]
    elif len(c.classes) == 2:
        return [k for k in [of(c, 1)] if k is not None]
    else:
        found = [of(c, i) for i in sorted(_most_mistaken(c)[:MOST_TRIED].tolist())]
    return sorted((k for k in found if k is not None), key=lambda k: k.area)[:MOST_LINES]


def rocs(c: Classified | Labelled) -> str:
    """Receiver operating characteristics, a class against the rest, or a label."""
    lines = _lines_of(c, roc)
    chart = Chart((0.0, 1.0), (0.0, 1.0), "false positives", "true positives", width=350, height=300)
    chart.guide(0, 0, 1, 1)
    for i, k in enumerate(lines):
        chart.line(k.x, k.y, i)
    return figure("ROC", chart.svg("ROC"), _keys(c, lines, "area under the line")) if lines else ""


def recalls(c: Classified | Labelled) -> str:
    """Precision by recall, a class against the rest, or a label."""
    lines = _lines_of(c, precision_recall)
    chart = Chart((0.0, 1.0), (0.0, 1.0), "recall", "precision", width=350, height=300)
    for i, k in enumerate(lines):
        chart.line(k.x, k.y, i)
    return figure("precision and recall", chart.svg("precision by recall"), _keys(c, lines, "average precision")) if lines else ""


def _keys(c: Classified | Labelled, lines: list[Curve], what: str) -> str:
    many, kind = (len(c.labels), "labels") if isinstance(c, Labelled) else (len(c.classes), "classes")
    more = f"<p class=dim>The {MOST_LINES} lowest of {many} {kind}.</p>" if many > MOST_LINES else ""
    return legend([f"{short(k.name, 20)}: {k.area:.3f}" for k in lines]) + f"<p class=dim>Numbers: {what}.</p>" + more


def reliability(c: Classified | Labelled) -> str:
    """How often the model was right where it said so with a probability; labels are taken all together."""
    labels = isinstance(c, Labelled)
    c = c.pooled() if isinstance(c, Labelled) else c
    found = calibration(c)
    chart = Chart((0.0, 1.0), (0.0, 1.0), "probability told", "share that was so", width=350, height=300)
    most = max(int(found.rows.max()), 1)
    for i, n in enumerate(found.rows.tolist()):
        if n:
            chart.bar(i / BINS, (i + 1) / BINS, 0.25 * n / most, 5, f"{n} rows")
    chart.guide(0, 0, 1, 1)
    full = found.rows > 0
    chart.line(found.said[full], found.right[full], 0)
    chart.dots(found.said[full], found.right[full], 0, 3.5)
    of = f"probability of {'a label' if labels else short(c.classes[1], 24)}" if len(c.classes) == 2 else "probability of the class told"
    note = f"<p class=dim>{text(of)}; mean difference {found.error:.3f}. Bars: rows.</p>"
    return figure("calibration", chart.svg("calibration"), note)


def scatter(m: Measured) -> str:
    """Predicted against true numbers."""
    true, told = _thinned(m)
    low, high = span_of([*true.tolist(), *told.tolist()])
    chart = Chart((low, high), (low, high), "true", "predicted", width=350, height=300)
    chart.guide(low, low, high, high)
    chart.dots(true, told, 0)
    return figure("predicted and true", chart.svg("predicted against true values"))


def residuals(m: Measured) -> str:
    """Differences against predictions."""
    true, told = _thinned(m)
    chart = Chart(span_of(told.tolist()), span_of((told - true).tolist()), "predicted", "predicted − true", width=350, height=300)
    chart.guide(*chart.x[:1], 0, *chart.x[1:], 0)
    chart.dots(told, told - true, 1)
    return figure("residuals", chart.svg("residuals by prediction"))


def spread_of(m: Measured) -> str:
    """How residuals are distributed."""
    off = (m.told - m.true).reshape(-1)
    off = off[np.isfinite(off)]
    if not len(off):
        return ""
    low, high = float(off.min()), float(off.max())
    counts, edges = np.histogram(off, 30, (low, high) if high > low else (low - 0.5, low + 0.5))
    chart = Chart((float(edges[0]), float(edges[-1])), (0.0, float(counts.max()) * 1.05), "predicted − true", "rows", width=350, height=300)
    for a, b, n in zip(edges[:-1].tolist(), edges[1:].tolist(), counts.tolist(), strict=True):
        if n:
            chart.bar(a, b, n, 1, f"{n} rows from {number(a)} to {number(b)}")
    return figure("distribution of residuals", chart.svg("distribution of residuals"))


def _thinned(m: Measured) -> tuple[np.ndarray, np.ndarray]:
    true, told = m.true.reshape(-1), m.told.reshape(-1)
    known = np.flatnonzero(np.isfinite(true) & np.isfinite(told))
    keep = known[np.unique(np.linspace(0, max(len(known) - 1, 0), min(len(known), MOST_DOTS)).astype(int))] if len(known) else known
    return true[keep], told[keep]


def importances(found: Importance) -> str:
    """Bars by column, or a picture's blocks."""
    title = "importance of columns" if found.grid is None else "importance of the picture's parts"
    drawn = _bars(found) if found.grid is None else _blocks(found)
    rounds = f"mean of {found.rounds} permutations" if found.rounds > 1 else "one permutation"
    note = f"<p class=dim>How much the loss grows when values are dealt out anew among {found.rows:,} rows; {rounds}.</p>"
    return figure(title, drawn, note, "wide" if found.grid is None else "")


def _bars(found: Importance) -> str:
    order = np.argsort(-found.mean, kind="stable")[:25].tolist()
    most = max(float(np.max(found.mean + found.deviation)), 1e-12)
    left, wide, high = 190, 420, 24
    parts = []
    for row, i in enumerate(order):
        y, v, d = 4 + row * high, max(float(found.mean[i]), 0.0), float(found.deviation[i])
        parts.append(f'<text x="{left - 8}" y="{y + 15}" class=end>{text(short(found.units[i].name, 26))}</text>')
        parts.append(f'<rect class=f0 x="{left}" y="{y + 3}" width="{max(v / most * wide, 1):.1f}" height="{high - 8}" rx="3"/>')
        if d > 0:
            a, b = left + max(v - d, 0) / most * wide, left + min((v + d) / most, 1) * wide
            parts.append(f'<path class=axis d="M{a:.1f} {y + high / 2 - 1:.1f}H{b:.1f}"/>')
        parts.append(f'<text x="{left + min((v + d) / most, 1) * wide + 8:.1f}" y="{y + 15}" class=dim>{number(float(found.mean[i]))}</text>')
    return framed(left + wide + 80, 8 + len(order) * high, "importance by permutation", parts)


def _blocks(found: Importance) -> str:
    high, wide = (1 + max(u.block[k] for u in found.units if u.block is not None) for k in (0, 1))
    cell = 200 // max(high, wide)
    most = max(float(found.mean.max()), 1e-12)
    parts = []
    for unit, v in zip(found.units, found.mean.tolist(), strict=True):
        if unit.block is not None:
            y, x = (k * cell for k in unit.block)
            parts.append(f'<rect class="cell right" x="{x + 1}" y="{y + 1}" width="{cell - 2}" height="{cell - 2}" rx="3" '
                         f'fill-opacity="{0.05 + 0.95 * max(v, 0) / most:.3f}"><title>{text(f"{unit.name}: {number(v)}")}</title></rect>')  # fmt: skip
    return framed(wide * cell, high * cell, "importance by permutation", parts)


def picture(pixels: np.ndarray, name: str) -> str:
    """A small picture, drawn with sharp pixels."""
    channels = pixels if pixels.shape[2] in (1, 3) else pixels[:, :, :1]
    data = base64.b64encode(png(channels)).decode()
    return f'<img class=pixels alt="{text(name)}" src="data:image/png;base64,{data}">'


def sparkline(ys: Sequence[float]) -> str:
    """A line without axes, for a cell of a table."""
    low, high = span_of(list(ys))
    points = " ".join(f"{2 + 116 * i / max(len(ys) - 1, 1):.1f},{26 - 24 * (y - low) / (high - low):.1f}" for i, y in enumerate(ys))
    return framed(120, 28, "values over time", [f'<polyline class="line s0" points="{points}"/>'])
