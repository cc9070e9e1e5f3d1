"""What `layerctl init` writes against scikit-learn's MLPClassifier and MLPRegressor, on real and made-up tables.

    python benchmarks/tables.py [NAME or real, made, odd, chosen-by, held-out, drawn, texts ...] [--seeds 3] [--data ../shared/data] [--json FILE]

Each table is cut into a file for training and one for the test, by seed. layerctl gets the first file and the target's name: `init`, `train`,
`predict` on the second. scikit-learn gets all rows of the first, with each column's true kind: StandardScaler behind a SimpleImputer,
OneHotEncoder(handle_unknown="ignore"), TfidfVectorizer for text, default settings otherwise. layerctl keeps its own validation and test rows
out of the first file, so that it learns from fewer rows. Scores are accuracy and R². Where numbers are predicted, scikit-learn runs a second time with
its targets standardised, which its defaults leave out; the better of both is what layerctl is compared with. The last lines tell the mean difference
over the tables with its standard error; an R² below -0.5 counts as that.
"""

from __future__ import annotations

import argparse
import csv
import io
import json
import sys
import tempfile
import time
import warnings
from pathlib import Path

import numpy as np
from tables_drawn import DRAWN
from tables_made import MADE
from tables_odd import ODD
from tables_packages import CHOSEN_BY, HELD_OUT
from tables_real import REAL, Columns
from tables_texts import TEXTS

TEST = 0.25
WORST = -0.5
"""The R² below which a prediction is as bad as any."""


def write(columns: Columns, rows: np.ndarray, path: Path) -> None:
    """Rows as a CSV file; NaN and None are empty fields."""
    dialect = {"encoding": "utf-8", **columns.dialect}
    with open(path, "w", newline="", encoding=dialect.pop("encoding")) as file:
        out = csv.writer(file, **dialect)
        out.writerow(columns.values)
        for i in rows:
            out.writerow(["" if (v := c[i]) is None or v != v else repr(float(v)) if isinstance(v, (float, np.floating)) else v
                          for c in {**columns.values, **columns.written}.values()])  # fmt: skip


def cut(columns: Columns, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """(rows for training, rows for the test); stratified for classes, the last rows for a series."""
    from sklearn.model_selection import train_test_split

    n = len(columns)
    if columns.ordered or columns.tested:
        last = columns.tested or n // 4
        return np.arange(n - last), np.arange(n - last, n)
    goal = columns.values[columns.targets[0]]
    labels = None
    if columns.classes:
        _, ids, counts = np.unique(np.array(goal, dtype=object).astype(str), return_inverse=True, return_counts=True)
        labels = ids if counts.min() > 3 else None
    rows = train_test_split(np.arange(n), test_size=TEST, random_state=seed, stratify=labels)
    return np.sort(rows[0]), np.sort(rows[1])


def peer(columns: Columns, train: np.ndarray, test: np.ndarray, seed: int, scaled: bool = False) -> np.ndarray:
    """scikit-learn's predictions for the test rows; with `scaled` its targets are standardised, which its defaults leave out."""
    from sklearn.compose import ColumnTransformer, TransformedTargetRegressor
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.impute import SimpleImputer
    from sklearn.neural_network import MLPClassifier, MLPRegressor
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder, StandardScaler

    if columns.ordered:
        return lagged(columns, train, test, seed, scaled)
    names = [n for n in columns.values if n not in columns.targets]
    x = np.empty((len(columns), len(names)), dtype=object)
    for j, n in enumerate(names):
        fill = np.nan if columns.kinds[n] == "number" else "missing" if columns.kinds[n] != "text" else ""
        x[:, j] = [fill if v is None or v != v else v for v in columns.values[n]]
    places = {k: [j for j, n in enumerate(names) if columns.kinds[n] == k] for k in ("number", "category", "text")}
    steps = [("number", make_pipeline(SimpleImputer(), StandardScaler()), places["number"]),
             ("category", OneHotEncoder(handle_unknown="ignore"), places["category"]),
             *((f"text{j}", TfidfVectorizer(), j) for j in places["text"])]  # fmt: skip
    model = (MLPClassifier if columns.classes else MLPRegressor)(random_state=seed)
    model = TransformedTargetRegressor(model, transformer=StandardScaler()) if scaled else model
    pipeline = make_pipeline(ColumnTransformer([s for s in steps if s[2] != []]), model)
    goals = [columns.values[t] for t in columns.targets]
    y = np.array([str(v) for v in goals[0]]) if columns.classes else np.stack([np.array(g, float) for g in goals], axis=1)
    pipeline.fit(x[train], y[train] if y.ndim == 1 or y.shape[1] > 1 else y[train, 0])
    return pipeline.predict(x[test])


def lagged(columns: Columns, train: np.ndarray, test: np.ndarray, seed: int, scaled: bool, length: int = 28) -> np.ndarray:
    """A series: the numbers before as the inputs."""
    from sklearn.compose import TransformedTargetRegressor
    from sklearn.neural_network import MLPRegressor
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    series = np.array(columns.values[columns.targets[0]], float)
    x = np.lib.stride_tricks.sliding_window_view(series, length)[:-1]
    y = series[length:]
    model = make_pipeline(StandardScaler(), MLPRegressor(random_state=seed))
    model = TransformedTargetRegressor(model, transformer=StandardScaler()) if scaled else model
    model.fit(x[: len(train) - length], y[: len(train) - length])
    return model.predict(x[len(train) - length :])


def own(columns: Columns, train: np.ndarray, test: np.ndarray, seed: int, folder: Path) -> tuple[np.ndarray, float]:
    """(layerctl's predictions for the test rows, seconds of training)."""
    from layerctl.commands.init import init
    from layerctl.commands.predict import predict
    from layerctl.commands.train import train as train_model

    write(columns, train, folder / "train.csv")
    context = train[-columns.context :] if columns.context else train[:0]
    write(columns, np.concatenate([context, test]), folder / "test.csv")
    init(str(folder / "train.csv"), target=",".join(columns.targets), wanted=None if columns.classes else "number", out=str(folder / "model.yaml"), force=True)
    started = time.perf_counter()
    train_model(str(folder / "model.yaml"), out=str(folder / "run"), seed=seed, force=True, threads=1)
    seconds = time.perf_counter() - started
    predict(str(folder / "run"), str(folder / "test.csv"), form="csv", out=str(folder / "out.csv"))
    rows = list(csv.DictReader(io.StringIO((folder / "out.csv").read_text())))
    if len(columns.targets) > 1:
        return np.array([[float(r[f"{t}_prediction"] if f"{t}_prediction" in r else r[t]) for t in columns.targets] for r in rows]), seconds
    found = [r["prediction"] for r in rows]
    if columns.context:
        found = found[columns.context - 1 : -1]  # a window's prediction stands at its last row, and is of the next
    return (np.array(found) if columns.classes else np.array(found, float)), seconds


def score(columns: Columns, found: np.ndarray, test: np.ndarray) -> float:
    """Accuracy, or R² (the targets' mean where there are several)."""
    if columns.classes:
        return float(np.mean(found == np.array([str(columns.values[columns.targets[0]][i]) for i in test])))
    from sklearn.metrics import r2_score

    wanted = np.stack([np.array(columns.values[t], float)[test] for t in columns.targets], axis=1)
    got = found.reshape(len(found), -1)
    return float(r2_score(wanted[: len(got)], got[: len(wanted)]))


def main() -> None:
    """Prints a row for each table, layerctl's and scikit-learn's means over the seeds, and how often each was ahead."""
    parser = argparse.ArgumentParser()
    parser.add_argument("names", nargs="*")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--data", type=Path, default=Path(__file__).parents[2] / "shared" / "data")
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    real = {n: lambda seed, f=f: f(given.data) for n, f in {**REAL, **CHOSEN_BY, **HELD_OUT, **DRAWN, **TEXTS}.items()}
    groups = {"real": REAL, "made": MADE, "odd": ODD, "chosen-by": CHOSEN_BY, "held-out": HELD_OUT, "drawn": DRAWN, "texts": TEXTS}
    known = {**real, **MADE, **ODD}
    print(f"{'table':24} {'rows':>6} {'score':>8} {'layerctl':>9} {'sklearn':>9} {'scaled':>9} {'ahead':>6} {'s':>6}")
    out, gaps = [], {"classes": [], "numbers": []}
    for name in [n for given_name in given.names or ("real", "made", "odd") for n in groups.get(given_name, (given_name,))]:
        ours, theirs, scaled, seconds = [], [], [], []
        for seed in range(given.seeds):
            columns = known[name](seed)
            train, test = cut(columns, seed)
            with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
                warnings.simplefilter("ignore")
                found, took = own(columns, train, test, seed, Path(folder))
                ours.append(score(columns, found, test))
                theirs.append(score(columns, peer(columns, train, test, seed), test))
                if not columns.classes:
                    scaled.append(score(columns, peer(columns, train, test, seed, scaled=True), test))
            seconds.append(took)
        best = np.maximum(theirs, scaled or theirs)
        ahead = sum(a >= b for a, b in zip(ours, best, strict=True))
        row = [len(columns), "accuracy" if columns.classes else "R2", np.mean(ours), np.mean(theirs)]
        mark = " " if row[2] >= max(row[3], np.mean(scaled or theirs)) else "<"
        shown = f"{np.mean(scaled):9.4f}" if scaled else " " * 9
        print(f"{name:24} {row[0]:6} {row[1]:>8} {row[2]:9.4f} {row[3]:9.4f} {shown} {ahead:>3}/{given.seeds} {np.mean(seconds):6.1f} {mark}", flush=True)
        gaps["classes" if columns.classes else "numbers"].append(float(np.mean(np.maximum(ours, WORST) - np.maximum(best, WORST))))
        out.append({"table": name, "ours": ours, "theirs": theirs, "scaled": scaled, "seconds": seconds})
    for kind, found in gaps.items():
        if len(found) > 1:
            print(f"{kind}: {np.mean(found):+.4f} ± {np.std(found, ddof=1) / len(found) ** 0.5:.4f} over {len(found)} tables, "
                  f"ahead on {sum(g > 0 for g in found)}, level on {sum(g == 0 for g in found)}")  # fmt: skip
    if given.json:
        given.json.write_text(json.dumps(out, indent=1))


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parent))
    main()
