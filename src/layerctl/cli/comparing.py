"""Runs as a table, and side by side, as text or JSON."""

from __future__ import annotations

import time
from typing import Any

from layerctl.cli import output
from layerctl.cli.render import number, table
from layerctl.cli.sparks import spark
from layerctl.commands import compare, runs

MOST_SCORES = 5
WIDEST = 40
"""Characters of a value beyond which it is cut in a table."""


def listed(found: list[runs.Run], folder: str, as_json: bool) -> None:
    """Runs, a line each."""
    if as_json:
        for r in found:
            output.emit(runs.plain(r))
        return
    if not found:
        output.say(f"there are no runs in {folder}; `layerctl train MODEL.yaml` makes one")
        return
    names = list(dict.fromkeys(s for r in found for s in r.scores))[:MOST_SCORES]
    rows = [["run", "state", "epochs", "time", *map(_plain, names), "on", "when"]]
    for r in found:
        own = [_score(r.scores.get(n)) for n in names]
        rows.append([_plain(r.name), r.state, str(r.epochs), _time(r.seconds), *own, _plain(r.split) or "–", _when(r.when)])
    print(table(rows, {2, 3, *range(4, 4 + len(names))}))
    for r in found:
        if r.error:
            output.say(_plain(f"{r.name}: {r.error}"))


def compared(found: compare.Comparison, out: str | None, as_json: bool) -> None:
    """Scores, differences, curves and weights."""
    if as_json:
        output.emit({**compare.plain(found), "path": out})
        return
    rows = [["", *found.names], ["state", *(r.state for r in found.runs)], ["epochs", *(str(r.epochs) for r in found.runs)],
            ["time", *(_time(r.seconds) for r in found.runs)]]  # fmt: skip
    for name, values in found.scores.items():
        rows.append([_plain(name), *(_score(v) + (" *" if i == found.best[name] else "  ") for i, v in enumerate(values))])
    for name in ("loss", "val_loss"):
        lines = [spark([row.get(name) for row in h]) for h in found.histories]
        rows += [[f"{name} by epoch", *lines]] if any(lines) else []
    print(table(rows, set(range(1, len(found.names) + 1))))
    if found.differences:
        rows = [["the files differ in", *found.names], *([path, *map(_value, values)] for path, values in found.differences)]
        print("\n" + table(rows, set()))
    else:
        print("\nthe files say the same")
    for name, w in zip(found.names, found.weights, strict=True):
        if w is not None:
            print(f"{name}: {_weights(w)}")
    if out is not None:
        print(out)


def _weights(w: compare.Weights) -> str:
    from layerctl.reporting.comparison import told

    return told(w)


def _value(v: Any) -> str:
    """A value of a file as YAML has it; nothing where a file has none."""
    from layerctl.commands.meaning import shown

    said = "–" if v is None else _plain(shown(v, WIDEST))
    return said if len(said) <= WIDEST else said[: WIDEST - 1] + "…"


def _plain(v: Any) -> str:
    """A text of another's file on one line, without what a terminal would obey."""
    return "".join(c if c.isprintable() else "?" for c in " ".join(str(v).split()))


def _score(v: float | None) -> str:
    return "–" if v is None else number(v)


def _time(seconds: float | None) -> str:
    return "–" if seconds is None else f"{seconds:.1f} s" if seconds < 120 else f"{seconds / 60:.0f} min"


def _when(moment: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M", time.localtime(moment))
