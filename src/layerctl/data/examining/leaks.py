"""Columns that give the target away: a single column, the places of its holes, or a sum of columns that predicts it (nearly) perfectly."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np

from layerctl.data.examining.columns import error, numbers, warning
from layerctl.data.examining.kinds import Column
from layerctl.data.table import Table
from layerctl.diagnostics import Diagnostic

LEAST_ROWS = 40
SURE = 0.9995
LIKELY = 0.97
BINS = 24
MOST_ROWS = 20_000
MOST_SUMMED = 60
_HINT = "leave it out of the features, unless it is known at the time of prediction"


def findings(table: Table, columns: Mapping[str, Column], target: str, classes: bool) -> Iterator[Diagnostic]:
    """An error for each column that predicts the target perfectly on rows it was not fitted to, a warning where it is nearly so."""
    goal = _labels(table, columns[target]) if classes else numbers(table, columns[target])
    rows = np.flatnonzero(goal >= 0 if classes else ~np.isnan(goal))[:MOST_ROWS]
    if len(rows) < LEAST_ROWS:
        return
    found = set()
    for c in columns.values():
        if c.name == target or c.kind in ("empty", "constant", "array", "text"):
            continue
        skill, how = _skill(table, c, goal, rows, classes)
        if skill >= LIKELY:
            found.add(c.name)
            make, sure = (
                (error, "gives the target away") if skill >= SURE else (warning, "nearly gives the target away")
            )
            share = f"{skill:.2%} of what a guess leaves open" if classes else f"R² {skill:.4f}"
            yield make(table, 0, c.name, "target-leak", f"it {sure}: {how} predicts '{target}' ({share})", _HINT)
    if not classes:
        yield from _sum(table, columns, target, goal, rows, found)


def _skill(table: Table, c: Column, goal: np.ndarray, rows: np.ndarray, classes: bool) -> tuple[float, str]:
    """(how well the best simple rule does on rows that it was not fitted to, in words which)."""
    values = numbers(table, c) if c.kind == "number" or (c.kind == "id" and table.is_numeric(c.name)) else None
    best, how = 0.0, ""
    if values is not None:
        groups = _bins(values, rows)
        best, how = _judge(groups, goal, rows, classes), "a threshold or two"
        if not classes:
            straight = _correlation(values[rows], goal[rows])
            if straight > best:
                best, how = straight, "a straight line"
    if values is None or c.distinct <= BINS:
        by_word = _judge(table.coded(c.name)[0] + 1, goal, rows, classes)
        if by_word > best:
            best, how = by_word, "its value"
    if c.missing:
        holes = _judge(table.missing(c.name).astype(int), goal, rows, classes)
        if holes >= best:
            best, how = holes, "whether it is missing"
    return best, how


def _bins(values: np.ndarray, rows: np.ndarray) -> np.ndarray:
    present = values[rows][~np.isnan(values[rows])]
    edges = np.unique(np.quantile(present, np.linspace(0, 1, BINS + 1)[1:-1])) if len(present) else np.zeros(0)
    return np.where(np.isnan(values), len(edges) + 1, np.searchsorted(edges, np.nan_to_num(values), side="right"))


def _judge(groups: np.ndarray, goal: np.ndarray, rows: np.ndarray, classes: bool) -> float:
    """What a group's most frequent class (or mean) says of every other row: the share of wrong guesses it mends, or R²."""
    fitted, judged = rows[::2], rows[1::2]
    most = int(groups.max()) + 1
    if classes:
        kinds = int(goal.max()) + 1
        usual = int(np.argmax(np.bincount(goal[fitted])))
        pairs, counts = np.unique(groups[fitted].astype(np.int64) * kinds + goal[fitted], return_counts=True)
        order = np.argsort(counts, kind="stable")  # of each group the most frequent is written last
        rule = np.full(most, usual)
        rule[pairs[order] // kinds] = pairs[order] % kinds
        right = float(np.mean(rule[groups[judged]] == goal[judged]))
        base = float(np.mean(goal[judged] == usual))
        return (right - base) / (1 - base) if base < 1 else 0.0
    rows_of = np.bincount(groups[fitted], minlength=most)
    means = np.bincount(groups[fitted], goal[fitted], most) / np.maximum(rows_of, 1)
    guess = np.where(rows_of > 0, means, float(goal[fitted].mean()))[groups[judged]]
    total = float(((goal[judged] - goal[judged].mean()) ** 2).sum())
    return 1.0 - float(((goal[judged] - guess) ** 2).sum()) / total if total > 0 else 0.0


def _correlation(x: np.ndarray, y: np.ndarray) -> float:
    both = ~np.isnan(x)
    if both.sum() < LEAST_ROWS or both.mean() < 0.5:
        return 0.0
    a, b = x[both] / (np.abs(x[both]).max() or 1.0), y[both] / (np.abs(y[both]).max() or 1.0)
    a, b = a - a.mean(), b - b.mean()
    size = float(np.sqrt((a * a).sum() * (b * b).sum()))
    return float((a * b).sum() / size) ** 2 if size > 0 else 0.0


def _sum(
    table: Table, columns: Mapping[str, Column], target: str, goal: np.ndarray, rows: np.ndarray, found: set[str]
) -> Iterator[Diagnostic]:
    """Numbers whose weighted sum is the target."""
    names = [
        c.name
        for c in columns.values()
        if c.kind == "number" and c.name != target and c.name not in found and not c.missing
    ][:MOST_SUMMED]
    if len(names) < 2 or len(rows) < 4 * len(names) + LEAST_ROWS:
        return
    x = np.stack([numbers(table, columns[n])[rows] for n in names], axis=1)
    x = (x - x.mean(axis=0)) / np.where(x.std(axis=0) > 0, x.std(axis=0), 1.0)
    y = goal[rows] - goal[rows].mean()
    y = y / (y.std() or 1.0)
    weights = np.linalg.lstsq(x[::2], y[::2], rcond=None)[0]
    left = float(((y[1::2] - x[1::2] @ weights) ** 2).mean())
    if left < 1e-6:
        parts = [n for n, w in zip(names, weights, strict=True) if abs(w) > 1e-4]
        yield warning(
            table,
            0,
            target,
            "target-leak",
            f"it is a weighted sum of {', '.join(parts[:6])}",
            "no network is needed, or columns are in that follow from the target",
        )


def _labels(table: Table, c: Column) -> np.ndarray:
    """The target's classes as numbers; -1 where it is missing."""
    texts = table.texts(c.name)
    ids = {v: i for i, v in enumerate(dict.fromkeys(v for v in texts if v is not None))}
    return np.array([-1 if v is None else ids[v] for v in texts])
