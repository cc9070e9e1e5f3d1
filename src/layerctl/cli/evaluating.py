"""What `eval` found, as tables or JSON."""

from __future__ import annotations

import shutil
from dataclasses import asdict
from typing import Any

import numpy as np

from layerctl.cli import output
from layerctl.cli.render import number, table
from layerctl.reporting.judged import (
    BINS,
    Calibration,
    Classified,
    Labelled,
    Measured,
    calibration,
    confusion,
    fit_of,
    table_of_classes,
)
from layerctl.reporting.labelled import areas, averages, table_of_labels
from layerctl.reporting.summary import curves, numbers_of, plain, residual_quantiles

MOST_CLASSES = 20
"""Classes of which each has a line; of more, the worst."""


def evaluated(result: Any, as_json: bool) -> None:
    """The scores, a line each, what lies behind them, and the gates that were missed."""
    if result.fallen_back:
        output.say("the data section splits off no test rows: these are the validation rows, which training has seen scores of")
    if result.strangers is not None:
        output.warn(result.strangers.told, as_json)
    if as_json:
        output.emit({
            "event": "eval", "rows": result.rows, "scores": result.scores, "measured": result.measured,
            "outputs": [plain(f) for f in result.outputs], "thresholds": [asdict(d) for d in result.decisions],
            "unknown": [{"column": n, "class": c, "rows": r} for s in [result.strangers] if s for n in s.classes for c, r in s.counts(n).items()],
            "kept": str(result.kept) if result.kept is not None else None, "missed": [asdict(g) for g in result.missed],
        })  # fmt: skip
        return
    shown = result.scores if result.outputs else {**result.scores, **{n: v for n, v in result.measured.items() if n not in result.scores}}
    width = max(map(len, shown))
    for name, value in shown.items():
        print(f"{name.ljust(width)}  {number(value)}")
    for found in result.outputs:
        head = f"{found.name}: " if len(result.outputs) > 1 else ""
        own = [d for d in result.decisions if d.output == found.name]
        if isinstance(found, Classified):
            _classes(found, head, own[0] if own else None)
        elif isinstance(found, Labelled):
            _labels(found, head, own)
        else:
            _numbers(found, head)
    if result.kept is not None:
        several = len(result.decisions) > 1
        output.say(f"the threshold{'s are' if several else ' is'} in {result.kept}: predict and eval use {'them' if several else 'it'}")
    known = {**result.measured, **result.scores}
    for g in result.missed:
        word = "above" if g.over else "below"
        output.say(f"{g.name} is {number(known[g.name])}, {word} {g.value:g}")


def _classes(c: Classified, head: str, decision: Any) -> None:
    rows = table_of_classes(c)
    picked = _lowest(rows)
    lines = [["class", "precision", "recall", "f1", "rows"]]
    lines += [[c.classes[i], *(_share(v) for v in rows[i][:3]), f"{rows[i][3]:,}"] for i in picked]
    more = f" (the worst {MOST_CLASSES} of {len(rows)})" if len(rows) > MOST_CLASSES else ""
    print(f"\n{head}each class{more}\n{table(lines, {1, 2, 3, 4})}")
    print(f"\n{head}{_confusion(c, confusion(c))}")
    print()
    for name, value in numbers_of(c).items():
        print(f"{head}{name}  {_share(value)}")
    several = [(r, p) for r, p in curves(c) if r is not None and p is not None]
    if 1 < len(several) <= MOST_CLASSES:
        lines = [["class", "roc auc", "average precision"], *([r.name, _share(r.area), _share(p.area)] for r, p in several)]
        print(f"\n{head}each class against the rest\n{table(lines, {1, 2})}")
    if c.honest:
        what = f"of '{c.classes[1]}'" if len(c.classes) == 2 else "of the class that is predicted"
        print(f"\n{head}calibration: the probability {what}\n{_bins(calibration(c))}")
    if decision is not None:
        print(f"\n{head}'{decision.positive}' is predicted above {decision.threshold:.9g}: {decision.rule}, {number(decision.value)} on the "
              f"{decision.rows:,} rows that it was chosen on")  # fmt: skip


def _lowest(rows: list[tuple[float, float, float, int]]) -> list[int]:
    """The rows of a table that are shown: all, or of many those with the lowest F1."""
    if len(rows) <= MOST_CLASSES:
        return list(range(len(rows)))
    return sorted(range(len(rows)), key=lambda i: (rows[i][2] if rows[i][2] == rows[i][2] else 2.0, i))[:MOST_CLASSES]


def _labels(f: Labelled, head: str, decisions: list[Any]) -> None:
    """A line for each label, with its threshold where any was chosen, and the averages; of many labels the worst."""
    rows, under = table_of_labels(f), areas(f)
    bounds = {d.positive: f"{d.threshold:.4g}" for d in decisions}
    picked = _lowest(rows)
    lines = [["label", "precision", "recall", "f1", "rows", "roc auc", "average precision", *(["above"] if bounds else [])]]
    for i in picked:
        lines.append([f.labels[i], *map(_share, rows[i][:3]), f"{rows[i][3]:,}", *map(_share, under[i]), *([bounds.get(f.labels[i], "0.5")] if bounds else [])])
    for name, row in averages(f).items():
        lines.append([f"{name} average", *map(_share, row[:3]), f"{row[3]:,}", "", "", *([""] if bounds else [])])
    more = f" ({MOST_CLASSES} with the lowest F1 of {len(rows)})" if len(rows) > MOST_CLASSES else ""
    print(f"\n{head}each label{more}\n{table(lines, set(range(1, len(lines[0]))))}")
    print()
    for name, value in numbers_of(f).items():
        print(f"{head}{name}  {_share(value)}")
    if f.honest:
        print(f"\n{head}calibration: the probability of a label, all together\n{_bins(calibration(f.pooled()))}")
    if decisions:
        d = decisions[0]
        print(f"\n{head}a label is predicted above its own probability: {d.rule}, on the {d.rows:,} rows that it was chosen on")


def _share(v: float) -> str:
    return f"{v:.4f}" if v == v else "–"


def _confusion(c: Classified, counts: np.ndarray) -> str:
    """The matrix where it fits the terminal, else the most frequent mistakes."""
    lines = [["", *c.classes], *([name, *(f"{n:,}" for n in row)] for name, row in zip(c.classes, counts.tolist(), strict=True))]
    made = table(lines, set(range(1, len(lines[0]))))
    if len(c.classes) <= MOST_CLASSES and max(map(len, made.splitlines())) <= max(shutil.get_terminal_size().columns, 80):
        return f"confusion: a row is what is true, a column what is predicted\n{made}"
    wrong = counts.copy()
    np.fill_diagonal(wrong, 0)
    worst = [divmod(int(i), len(wrong)) for i in np.argsort(-wrong, axis=None, kind="stable")[:MOST_CLASSES]]
    rows = [["true", "predicted", "rows"], *([c.classes[i], c.classes[j], f"{wrong[i, j]:,}"] for i, j in worst if wrong[i, j])]
    return f"the most frequent mistakes\n{table(rows, {2})}" if len(rows) > 1 else "no mistakes"


def _bins(k: Calibration) -> str:
    rows = [["from", "to", "rows", "predicted", "observed"]]
    for i in range(BINS):
        if k.rows[i]:
            rows.append([f"{i / BINS:.1f}", f"{(i + 1) / BINS:.1f}", f"{k.rows[i]:,}", _share(k.said[i]), _share(k.right[i])])
    return table(rows, {0, 1, 2, 3, 4})


def _numbers(m: Measured, head: str) -> None:
    print()
    for name, value in fit_of(m).items():
        print(f"{head}{name}  {number(value) if value == value else '–'}")
    if m.columns:
        fits = [(c.name, fit_of(c)) for c in m.columns]
        shown = sorted(fits, key=lambda f: f[1]["R²"])[:MOST_CLASSES] if len(fits) > MOST_CLASSES else fits
        more = f" (the worst {MOST_CLASSES} of {len(fits)})" if len(fits) > MOST_CLASSES else ""
        lines = [["column", *fits[0][1]], *([name, *(number(v) if v == v else "–" for v in fit.values())] for name, fit in shown)]
        print(f"\n{head}each column{more}\n{table(lines, {1, 2, 3})}")
    found = residual_quantiles(m)
    rows = [["share of rows", *(f"{q:.0%}" for q in found)], ["predicted - true", *(number(v) for v in found.values())]]
    print(f"\n{head}residuals: this share of the rows is at or below\n{table(rows, set(range(1, len(found) + 1)))}")
