"""Real tables: those in the data folder, and those that ship with scikit-learn."""

from __future__ import annotations

import csv
import gzip
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np


@dataclass
class Columns:
    """A table by column, with each column's true kind (number, category or text; others are no inputs of the peer's).

    The last `tested` rows are those that the table's makers judge by; of a series the last quarter are. `written` are columns as the file has them
    where that is not what they mean; `dialect` is how the file is written (csv's names, and `encoding`).
    """

    values: dict[str, list[Any]]
    kinds: dict[str, str]
    targets: tuple[str, ...]
    classes: bool
    ordered: bool = False
    context: int = 0
    tested: int = 0
    written: dict[str, list[str]] = field(default_factory=dict)
    dialect: dict[str, Any] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(next(iter(self.values.values())))

    def take(self, rows: np.ndarray) -> Columns:
        """Some rows."""
        return Columns({n: [c[i] for i in rows] for n, c in self.values.items()}, self.kinds, self.targets, self.classes, self.ordered, self.context)


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return np.nan


def _file(path: Path, classes: bool, target: int = -1, delimiter: str = ",", quoting: int = csv.QUOTE_MINIMAL, text: tuple[int, ...] = (),
          numeric_target: bool = False) -> Columns:  # fmt: skip
    opener = gzip.open if path.suffix == ".gz" else open
    with opener(path, "rt", encoding="utf-8") as file:
        rows = [[f.strip() for f in r] for r in csv.reader(file, delimiter=delimiter, quoting=quoting) if r]
    width = len(rows[0])
    target %= width
    values, kinds = {}, {}
    for j in range(width):
        column = [r[j] for r in rows]
        name = f"c{j}"
        present = [v for v in column if v != "?"]
        numbers = all(_number(v) == _number(v) for v in present)
        kinds[name] = "text" if j in text else "number" if numbers else "category"
        if j == target:
            values[name] = [float(v) for v in column] if numeric_target else column
        else:
            values[name] = [_number(v) for v in column] if kinds[name] == "number" else [None if v == "?" else v for v in column]
    return Columns(values, kinds, (f"c{target}",), classes)


def _adult(data: Path, rows: int | None) -> Columns:
    columns = _file(data / "adult-train.csv.gz", True)
    return columns if rows is None else columns.take(np.random.default_rng(0).permutation(len(columns))[:rows])


def _adult_as_given(data: Path) -> Columns:
    """Both files of adult: trained on the one, judged by the other, whose labels may end in a dot."""
    first, second = _file(data / "adult-train.csv.gz", True), _file(data / "adult-test.csv.gz", True)
    goal = first.targets[0]
    second.values[goal] = [v.removesuffix(".") for v in second.values[goal]]
    return replace(first, values={n: c + second.values[n] for n, c in first.values.items()}, tested=len(second))


def _temperatures(data: Path) -> Columns:
    with open(data / "daily-min-temperatures.csv", encoding="utf-8") as file:
        rows = list(csv.reader(file))[1:]
    return Columns({"Date": [r[0] for r in rows], "Temp": [float(r[1]) for r in rows]}, {"Date": "date", "Temp": "number"}, ("Temp",), False,
                   ordered=True, context=28)  # fmt: skip


def _shipped(name: str, classes: bool):
    def made(data: Path) -> Columns:
        from sklearn import datasets

        found = getattr(datasets, f"load_{name}")()
        x, y = found.data, np.asarray(found.target).reshape(len(found.data), -1)
        values: dict[str, list[Any]] = {f"x{j}": x[:, j].tolist() for j in range(x.shape[1])}
        names = ("target",) if y.shape[1] == 1 else tuple(found.target_names)
        for j, n in enumerate(names):
            values[n] = [str(found.target_names[v]) for v in y[:, j]] if classes else y[:, j].tolist()
        return Columns(values, dict.fromkeys(values, "number"), names, classes)

    return made


REAL = {
    "iris": lambda d: _file(d / "iris.csv", True),
    "wine-quality-classes": lambda d: _file(d / "winequality-red.csv", True),
    "wine-quality-number": lambda d: _file(d / "winequality-red.csv", False, numeric_target=True),
    "auto-price": lambda d: _file(d / "auto_imports.csv", False, numeric_target=True),
    "adult-4000": lambda d: _adult(d, 4000),
    "adult": lambda d: _adult(d, None),
    "adult-as-given": _adult_as_given,
    "sms": lambda d: _file(d / "sms.tsv", True, 0, "\t", csv.QUOTE_NONE, (1,)),
    "temperatures": _temperatures,
    "breast-cancer": _shipped("breast_cancer", True),
    "wine": _shipped("wine", True),
    "digits": _shipped("digits", True),
    "diabetes": _shipped("diabetes", False),
    "linnerud": _shipped("linnerud", False),
}
"""Tables by name: functions of the data folder."""
