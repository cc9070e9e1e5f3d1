"""Made-up tables as people hand them over: marks in numbers, words for missing values, codes, copies, columns that say nothing, few or many of all."""

from __future__ import annotations

import csv
import datetime
from typing import Any

import numpy as np
from tables_made import binary, holes_in, numbers_of, table
from tables_real import Columns


def european(seed: int) -> Columns:
    """Semicolons, decimal commas, dots between thousands, latin-1."""
    rng = np.random.default_rng(seed)
    area, age, town = rng.gamma(4, 30, 900), rng.integers(0, 90, 900), rng.choice(["Köln", "Münster", "Zürich", "Málaga"], 900)
    price = 1500 * area + 40000 * (town == "Zürich") - 900 * age + 15000 * rng.normal(size=900)
    made = table({"fläche": area, "alter": age.astype(float), "stadt": list(town)}, price, False)
    made.written |= {"fläche": [f"{v:.2f}".replace(".", ",") for v in area], "alter": [str(v) for v in age],
                     "outcome": [f"{v:,.2f}".replace(",", " ").replace(".", ",").replace(" ", ".") for v in price]}  # fmt: skip
    made.dialect |= {"delimiter": ";", "encoding": "latin-1"}
    return made


def currencies(seed: int) -> Columns:
    """Dollars with commas between thousands, percent signs, a skewed price to predict from."""
    rng = np.random.default_rng(seed)
    price, rate, debt = np.exp(rng.normal(7, 1.2, 1500)), rng.uniform(0, 30, 1500), rng.normal(20000, 8000, 1500).round()
    y = binary(rng, 1.5 * (np.log(price) - 7) - 0.15 * (rate - 15) + (debt - 20000) / 8000, ("repaid", "defaulted"))
    made = table({"price": price.round(2), "rate": rate.round(1), "debt": debt}, y, True)
    made.written |= {"price": [f"${v:,.2f}" for v in price], "rate": [f"{v:.1f}%" for v in rate], "debt": [f"{v:,.0f}" for v in debt]}
    made.dialect |= {"quoting": csv.QUOTE_ALL, "lineterminator": "\r\n", "encoding": "utf-8-sig"}
    return made


def yes_and_no(seed: int) -> Columns:
    """Truth in several spellings, with gaps, and a target of the same kind."""
    rng = np.random.default_rng(seed)
    x = rng.integers(0, 2, (800, 6))
    y = binary(rng, 2.5 * (x[:, 0] ^ x[:, 1]) + 1.5 * x[:, 2] - x[:, 3] - 1.5, ("No", "Yes"))
    spelled = [("no", "yes"), ("N", "Y"), ("false", "true"), ("FALSE", "TRUE"), ("off", "on"), ("0", "1")]
    columns: dict[str, Any] = {f"flag_{j}": [spelled[j][v] for v in x[:, j]] for j in range(6)}
    return table(holes_in(rng, columns, 0.05), y, True, dict.fromkeys(columns, "category"))


def codes_and_ids(seed: int) -> Columns:
    """A key, a constant, an empty column, codes with leading zeros that matter by their word."""
    rng = np.random.default_rng(seed)
    codes = [f"{v:05d}" for v in rng.choice(20000, 25, replace=False)]
    effect, at = rng.normal(size=25), rng.integers(0, 25, 1500)
    x = rng.normal(size=(1500, 2))
    y = 3 * effect[at] + x[:, 0] * x[:, 1] + x[:, 0] + 0.3 * rng.normal(size=1500)
    keys = [f"{v:08x}" for v in rng.choice(1 << 31, 1500, replace=False)]
    columns = {"key": keys, "country": ["Utopia"] * 1500, "remark": [None] * 1500, "zip": [codes[i] for i in at], **numbers_of(x)}
    made = table(columns, y, False)
    made.kinds |= {"key": "none", "country": "none", "remark": "none", "zip": "category"}
    return made


def words_among_numbers(seed: int) -> Columns:
    """Numbers in which some rows say unknown, n/a or a dash."""
    rng = np.random.default_rng(seed)
    x = rng.normal(50, 20, size=(1200, 5)).round(2)
    y = binary(rng, (x[:, 0] - 50) / 10 + (x[:, 1] - 50) * (x[:, 2] - 50) / 400, ("pass", "fail"))
    gone = rng.random(x.shape) < 0.06
    columns = {n: [None if g else v for v, g in zip(c, gone[:, j], strict=True)] for j, (n, c) in enumerate(numbers_of(x, "score_").items())}
    made = table(columns, y, True, dict.fromkeys(columns, "number"))
    words = ["unknown", "n/a", "-", "", "none"]
    made.written |= {n: [words[j] if v is None else f"{v}" for v in c] for j, (n, c) in enumerate(columns.items())}
    return made


def copies(seed: int) -> Columns:
    """Rows that stand in the table three times."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(350, 6))
    kind = rng.integers(0, 4, 350)
    y = [f"c{int(v)}" for v in np.digitize(x[:, 0] + 0.8 * x[:, 1] + (kind == 2), [-1, 0.3, 1.2])]
    rows = rng.permutation(np.repeat(np.arange(350), 3))
    return table({**numbers_of(x[rows].round(3)), "kind": [f"k{v}" for v in kind[rows]]}, [y[i] for i in rows], True)


def very_wide(seed: int) -> Columns:
    """More columns than rows."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(260, 800)) + rng.normal(size=(260, 1))
    return table(numbers_of(x.round(4), "gene_"), binary(rng, 1.5 * (x[:, :12].sum(axis=1) - 12 * x[:, 12:].mean(axis=1))), True)


def one_column(seed: int) -> Columns:
    """One number, and a curve to find."""
    rng = np.random.default_rng(seed)
    x = rng.uniform(0, 20, 600)
    return table({"minutes": x.round(3)}, 3 * np.sin(x / 2) + 0.1 * x + 0.3 * rng.normal(size=600), False)


def heavy_tail(seed: int) -> Columns:
    """A target of which a few rows are a hundred times the rest."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(2000, 6))
    return table(numbers_of(x), np.exp(1.0 * x[:, 0] + 0.5 * x[:, 1] + 0.4 * x[:, 2] ** 2 + 0.3 * rng.normal(size=2000)), False)


def timestamps(seed: int) -> Columns:
    """Moments as Americans write them; the hour and the weekday count."""
    rng = np.random.default_rng(seed)
    start = datetime.datetime(2022, 1, 1)
    when = [start + datetime.timedelta(minutes=int(m)) for m in rng.integers(0, 2 * 365 * 1440, 1500)]
    x = rng.normal(size=1500)
    busy = np.array([8 <= w.hour < 18 for w in when]) * np.array([w.weekday() < 5 for w in when])
    y = 30 * busy + 4 * x + 3 * rng.normal(size=1500)
    return table({"when": [w.strftime("%m/%d/%Y %I:%M %p") for w in when], "x": x}, y, False, {"when": "none"})


def titles(seed: int) -> Columns:
    """Short texts with quotes, delimiters and line ends in them, some missing, beside a number and a category."""
    rng = np.random.default_rng(seed)
    things, marks = ["lamp", "chair", "desk", "shelf", "sofa"], ["oak", "steel", "used", "broken", "antique", "new", "cheap", "solid"]
    worth = {"oak": 30, "steel": 10, "used": -25, "broken": -60, "antique": 90, "new": 20, "cheap": -30, "solid": 15}
    texts, prices, sizes = [], [], rng.normal(size=1300)
    for i in range(1300):
        picked = list(rng.choice(marks, rng.integers(1, 4), replace=False))
        thing = str(rng.choice(things))
        filler = [f"item{v}" for v in rng.integers(0, 200, 3)]
        texts.append(None if rng.random() < 0.03 else f'{picked[0]} "{thing}", {" ".join([*picked[1:], *filler])}\nfor sale')
        prices.append(100 + 40 * things.index(thing) + sum(worth[m] for m in picked) + 10 * sizes[i] + 5 * rng.normal())
    return table({"title": texts, "size": sizes}, prices, False, {"title": "text", "size": "number"})


def rare_classes(seed: int) -> Columns:
    """Three classes of which one has nine rows in ten, and one two in a hundred."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(3000, 8))
    score = x[:, 0] + 0.7 * x[:, 1] * x[:, 2] + 0.25 * rng.normal(size=3000)
    return table(numbers_of(x), [("normal", "warning", "failure")[int(v)] for v in np.digitize(score, np.quantile(score, [0.9, 0.98]))], True)


def many_words(seed: int) -> Columns:
    """Three columns of hundreds of words, some met once, and a class to predict."""
    rng = np.random.default_rng(seed)
    n, sizes = 3000, (80, 300, 900)
    at = [rng.zipf(1.4, n) % k for k in sizes]
    effects = [rng.normal(size=k) for k in sizes]
    x = rng.normal(size=n)
    y = binary(rng, 1.2 * sum(e[a] for e, a in zip(effects, at, strict=True)) + x, ("stay", "leave"))
    return table({**{f"group_{j}": [f"g{j}-{v}" for v in a] for j, a in enumerate(at)}, "x": x}, y, True)


def telling_gaps(seed: int) -> Columns:
    """Numbers that are missing where the outcome is likely."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(1500, 5))
    y = binary(rng, 2 * x[:, 0] - x[:, 1], ("no", "yes"))
    columns = numbers_of(x)
    for n in ("x2", "x3"):
        columns[n] = [None if rng.random() < (0.5 if t == "yes" else 0.1) else v for v, t in zip(columns[n], y, strict=True)]
    return table(columns, y, True, dict.fromkeys(columns, "number"))


ODD = {f.__name__.replace("_", "-"): f for f in (
    european, currencies, yes_and_no, codes_and_ids, words_among_numbers, copies, very_wide, one_column, heavy_tail, timestamps, titles, rare_classes,
    many_words, telling_gaps,
)}  # fmt: skip
"""Tables by name: functions of the seed."""
