"""Which columns a model leans on: how much worse it gets when a column's values are dealt out anew among the rows (Breiman 2001).

The permutations come from the seed, and how many rows and rounds there are from sizes alone, never from a clock: the same numbers every time.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from layerctl import randoms
from layerctl.reporting.decoding import is_picture, places

if TYPE_CHECKING:
    from layerctl.data.dataset import Dataset
    from layerctl.spec.features import FeatureSchema

ROUNDS = 5
MOST_UNITS = 64
MOST_ROWS = 2000
ROWS_OF_A_BLOCK = 100
"""Rows below which a picture is cut into fewer blocks."""


@dataclass(frozen=True)
class Unit:
    """What is permuted at once: a part of an input; `block` is its row and column in a picture's grid."""

    name: str
    input: str
    part: tuple[slice, ...]
    block: tuple[int, int] | None = None


@dataclass(frozen=True)
class Importance:
    """By unit: how much the loss grows, the mean of the rounds and their standard deviation; `grid` is a picture's, else None."""

    units: list[Unit]
    mean: np.ndarray
    deviation: np.ndarray
    rows: int
    rounds: int
    grid: int | None


def units(schema: FeatureSchema, rows: Dataset, grid: int) -> list[Unit]:
    """Columns where an input is made of columns; else whole inputs, or `grid` by `grid` blocks of the only picture."""
    out = []
    for name, array in rows.inputs.items():
        fit = schema.features.get(name)
        found = places(name, fit, array.shape[-1] if array.ndim > 1 else 1) if fit is not None else []
        if found:
            out += [Unit(p.column.name, name, (Ellipsis, slice(p.start, p.end)) if array.ndim > 1 else ()) for p in found]
        elif len(rows.inputs) == 1 and is_picture(array):
            out += _blocks(name, array, grid)
        else:
            out.append(Unit(name, name, ()))
    return out


def _blocks(name: str, array: np.ndarray, grid: int) -> list[Unit]:
    high, wide = (np.linspace(0, n, min(grid, n) + 1).round().astype(int).tolist() for n in array.shape[1:3])
    return [
        Unit(f"rows {a}–{b - 1}, columns {c}–{d - 1}", name, (slice(a, b), slice(c, d)), (i, j))
        for i, (a, b) in enumerate(itertools.pairwise(high)) for j, (c, d) in enumerate(itertools.pairwise(wide))
    ]  # fmt: skip


def importance(schema: FeatureSchema, rows: Dataset, passes: int, step: int, seed: int, loss: Callable[[Dataset], float]) -> Importance | None:
    """The importance of each unit, with at most about `passes` rows predicted, `step` at a time; None where there is nothing to compare.

    `loss` predicts rows and says how wrong the predictions are.
    """
    grid = next((g for g in (8, 4) if passes >= (g * g + 1) * max(step, ROWS_OF_A_BLOCK)), 3)
    found = units(schema, rows, grid)[:MOST_UNITS]
    if len(found) < 2 or len(rows) < 2 or passes < (len(found) + 1) * step:
        return None
    n = int(min(len(rows), max(1, min(MOST_ROWS, passes // (len(found) + 1)) // step) * step))
    rounds = int(min(ROUNDS, max(1, passes // (n * (len(found) + 1)))))
    part = rows.take(np.linspace(0, len(rows) - 1, n).round().astype(np.int64)) if n < len(rows) else rows
    before = loss(part)
    grown = np.array([[loss(_dealt(part, u, seed, r)) - before for r in range(rounds)] for u in found])
    return Importance(found, grown.mean(axis=1), grown.std(axis=1), n, rounds, grid if found[0].block is not None else None)


def _dealt(rows: Dataset, unit: Unit, seed: int, turn: int) -> Dataset:
    """The rows with one unit's values in another order."""
    order = randoms.permutation(randoms.key_of(seed, "importance", unit.input, unit.name), len(rows), turn)
    array = rows.inputs[unit.input].copy()
    at = (slice(None), *unit.part) if unit.part[:1] != (Ellipsis,) else unit.part
    array[at] = array[order][at]
    return replace(rows, inputs={**rows.inputs, unit.input: array})
