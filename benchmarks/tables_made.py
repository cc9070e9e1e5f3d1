"""Made-up tables of many kinds: what is hidden in them is known, how they are written down is not kind."""

from __future__ import annotations

from typing import Any

import numpy as np
from tables_real import Columns


def table(x: dict[str, Any], target: Any, classes: bool, kinds: dict[str, str] | None = None) -> Columns:
    values = {n: list(c) for n, c in x.items()}
    found = {n: (kinds or {}).get(n) or ("number" if isinstance(c[0], (float, int, np.floating, np.integer)) else "category") for n, c in values.items()}
    values["outcome"] = [str(t) for t in target] if classes else [float(t) for t in target]
    return Columns(values, found, ("outcome",), classes)


def numbers_of(x: np.ndarray, prefix: str = "x") -> dict[str, Any]:
    return {f"{prefix}{j}": x[:, j].astype(float) for j in range(x.shape[1])}


def holes_in(rng: np.random.Generator, columns: dict[str, Any], share: float) -> dict[str, Any]:
    out = {}
    for n, c in columns.items():
        gone = rng.random(len(c)) < share
        out[n] = [None if g else v for g, v in zip(gone, c, strict=True)]
    return out


def binary(rng: np.random.Generator, logit: np.ndarray, names: tuple[str, str] = ("no", "yes")) -> list[str]:
    return [names[int(v)] for v in rng.random(len(logit)) < 1 / (1 + np.exp(-logit))]


def friedman(seed: int) -> Columns:
    rng = np.random.default_rng(seed)
    x = rng.random((1200, 10))
    y = 10 * np.sin(np.pi * x[:, 0] * x[:, 1]) + 20 * (x[:, 2] - 0.5) ** 2 + 10 * x[:, 3] + 5 * x[:, 4] + rng.normal(size=1200)
    return table(numbers_of(x), y, False)


def linear(seed: int) -> Columns:
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(300, 20))
    return table(numbers_of(x), x @ rng.normal(size=20) + 0.5 * rng.normal(size=300), False)


def holes(seed: int) -> Columns:
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(1500, 8))
    city = rng.integers(0, 6, 1500)
    y = binary(rng, 1.5 * x[:, 0] - x[:, 1] * x[:, 2] + 0.8 * (city - 2.5))
    return table(holes_in(rng, {**numbers_of(x), "city": [f"city {c}" for c in city]}, 0.2), y, True, dict.fromkeys(numbers_of(x), "number"))


def skewed_target(seed: int) -> Columns:
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(1500, 6))
    kind = rng.integers(0, 5, 1500)
    y = np.exp(9 + 0.6 * x[:, 0] + 0.3 * x[:, 1] * x[:, 2] + 0.2 * kind + 0.2 * rng.normal(size=1500))
    return table({**numbers_of(x), "kind": [f"k{k}" for k in kind]}, y, False)


def wide_ranges(seed: int) -> Columns:
    rng = np.random.default_rng(seed)
    z = rng.normal(size=(1500, 6))
    x = np.exp(z * np.array([1, 2, 3, 4, 5, 6]) + np.array([0, -8, 5, 12, 0, 20]))
    return table(numbers_of(x), binary(rng, 2 * (z[:, 0] + z[:, 1] - z[:, 2] + 0.5 * z[:, 3] * z[:, 4])), True)


def outliers(seed: int) -> Columns:
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(1000, 8))
    y = 3 * x[:, 0] + np.abs(x[:, 1]) * 2 + x[:, 2] * x[:, 3] + 0.3 * rng.normal(size=1000)
    bad = rng.random(x.shape) < 0.01
    return table(numbers_of(np.where(bad, x * 1000, x)), 100 * y + 5000, False)


def imbalanced(seed: int) -> Columns:
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(2500, 10))
    logit = 3 * x[:, 0] + 2 * x[:, 1] * x[:, 2] - 5.5
    return table(numbers_of(x), binary(rng, logit, ("ok", "fault")), True)


def few_rows(seed: int) -> Columns:
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(60, 5))
    return table(numbers_of(x), binary(rng, 3 * x[:, 0] - 2 * x[:, 1], ("a", "b")), True)


def few_rows_number(seed: int) -> Columns:
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(70, 4))
    return table(numbers_of(x), 10 + 4 * x[:, 0] - 2 * x[:, 1] + rng.normal(size=70), False)


def many_columns(seed: int) -> Columns:
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(400, 200))
    return table(numbers_of(x), binary(rng, 2 * x[:, :5].sum(axis=1)), True)


def high_cardinality(seed: int) -> Columns:
    rng = np.random.default_rng(seed)
    n, many = 4000, 400
    effect, where = rng.normal(size=many), rng.zipf(1.3, n) % many
    other, shop = rng.normal(size=12), rng.integers(0, 12, n)
    x = rng.normal(size=(n, 3))
    y = 2 * effect[where] + other[shop] + x[:, 0] + 0.5 * rng.normal(size=n)
    return table({"town": [f"town-{w}" for w in where], "shop": [f"S{s}" for s in shop], **numbers_of(x)}, 50 + 10 * y, False)


def categories_only(seed: int) -> Columns:
    rng = np.random.default_rng(seed)
    n = 2000
    a, b, c, d = (rng.integers(0, k, n) for k in (3, 5, 8, 20))
    effect = rng.normal(size=20)
    y = [("low", "middle", "high")[int(v)] for v in np.digitize((a == b % 3) * 2.0 + effect[d] + 0.3 * (c - 4) + 0.4 * rng.normal(size=n), [-0.5, 1.2])]
    return table({"a": [f"a{v}" for v in a], "b": [f"b{v}" for v in b], "c": [f"c{v}" for v in c], "d": [f"d{v}" for v in d]}, y, True)


def rings(seed: int) -> Columns:
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(1500, 6))
    radius = np.sqrt((x[:, :3] ** 2).sum(axis=1))
    return table(numbers_of(x), [f"ring {int(v)}" for v in np.digitize(radius + 0.1 * rng.normal(size=1500), [1.0, 1.6, 2.2])], True)


def clusters(seed: int) -> Columns:
    from sklearn.datasets import make_classification

    x, y = make_classification(2000, 20, n_informative=8, n_redundant=4, n_classes=4, n_clusters_per_class=2, flip_y=0.03, random_state=seed)
    return table(numbers_of(x * np.logspace(-3, 4, 20)), [f"class {v}" for v in y], True)


def dates(seed: int) -> Columns:
    import datetime

    rng = np.random.default_rng(seed)
    n = 1200
    days = [datetime.date(2018, 1, 1) + datetime.timedelta(int(d)) for d in rng.integers(0, 1500, n)]
    x = rng.normal(size=(n, 3))
    y = 20 * np.array([d.month in (6, 7, 8) for d in days]) + 10 * np.array([d.weekday() >= 5 for d in days]) + 5 * x[:, 0] + rng.normal(size=n)
    return table({"sold": [d.strftime("%d.%m.%Y") for d in days], **numbers_of(x)}, y, False, {"sold": "category"})


def counts(seed: int) -> Columns:
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(2000, 6))
    z = rng.integers(0, 2, 2000)
    return table({**numbers_of(x), "flag": ["true" if v else "false" for v in z]}, rng.poisson(np.exp(1.5 + 0.5 * x[:, 0] + 0.7 * z)), False)


def reviews(seed: int) -> Columns:
    rng = np.random.default_rng(seed)
    good, bad = ["great", "lovely", "excellent", "superb", "happy", "perfect"], ["awful", "broken", "poor", "terrible", "sad", "useless"]
    plain = [f"word{i}" for i in range(400)]
    texts, goal, stars = [], [], []
    for _ in range(1200):
        is_good = rng.random() < 0.5
        words = list(rng.choice(plain, rng.integers(5, 30)))
        for _ in range(rng.integers(1, 3)):
            word = rng.choice(good if is_good else bad)
            words.insert(rng.integers(0, len(words)), word)
        if rng.random() < 0.25:
            words.insert(rng.integers(0, len(words)), rng.choice(bad if is_good else good))
        texts.append(" ".join(words) + ("." if rng.random() < 0.5 else ', "they said"'))
        goal.append("positive" if is_good else "negative")
        stars.append(float(rng.normal() + is_good))
    return table({"review": texts, "stars": stars}, goal, True, {"review": "text"})


def topics(seed: int) -> Columns:
    rng = np.random.default_rng(seed)
    vocabulary = np.array([f"w{i}" for i in range(1500)])
    themes = [rng.dirichlet(np.full(1500, 0.02)) for _ in range(5)]
    base = rng.dirichlet(np.full(1500, 0.2))
    y = rng.integers(0, 5, 1000)
    texts = [" ".join(rng.choice(vocabulary, rng.integers(10, 40), p=0.3 * themes[k] + 0.7 * base)) for k in y]
    return table({"text": texts}, [f"topic {k}" for k in y], True, {"text": "text"})


def waves(seed: int) -> Columns:
    rng = np.random.default_rng(seed)
    x = rng.uniform(-3, 3, size=(3000, 4))
    return table(numbers_of(x), np.sin(3 * x[:, 0]) + np.cos(2 * x[:, 1]) * x[:, 2] + 0.1 * rng.normal(size=3000), False)


def steps(seed: int) -> Columns:
    rng = np.random.default_rng(seed)
    x = rng.random((2500, 8))
    y = 5.0 * (x[:, 0] > 0.5) * (x[:, 1] > 0.3) + 3 * (x[:, 2] > 0.7) - 2 * (x[:, 3] > 0.2) + 0.3 * rng.normal(size=2500)
    return table(numbers_of(x), y, False)


def noise(seed: int) -> Columns:
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(500, 10))
    return table(numbers_of(x), 1000 + 0.3 * x[:, 0] + rng.normal(size=500), False)


def many_classes(seed: int) -> Columns:
    rng = np.random.default_rng(seed)
    centres = rng.normal(size=(40, 10)) * 1.5
    y = rng.integers(0, 40, 2400)
    return table(numbers_of(centres[y] + rng.normal(size=(2400, 10)) * 0.7), [f"c{v:02d}" for v in y], True)


MADE = {f.__name__.replace("_", "-"): f for f in (
    friedman, linear, holes, skewed_target, wide_ranges, outliers, imbalanced, few_rows, few_rows_number, many_columns, high_cardinality,
    categories_only, rings, clusters, dates, counts, reviews, topics, waves, steps, noise, many_classes,
)}  # fmt: skip
"""Tables by name: functions of the seed."""
