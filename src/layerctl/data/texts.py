"""Texts as rows of token ids: 0 is padding, 1 a word that was not kept, 2.. the vocabulary."""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING

import numpy as np

from layerctl.data.table import Table
from layerctl.spec.features import ColumnFit, FeatureFit

if TYPE_CHECKING:
    from layerctl.spec.data import FeatureSpec

LONGEST = 200
_WORDS = re.compile(r"\w+(?:'\w+)?|[^\w\s]")


def tokens(text: str, split: str, lowercase: bool) -> list[str]:
    """A text cut into words (punctuation marks are words of their own), at blanks, or into characters."""
    text = text.lower() if lowercase else text
    if split == "characters":
        return list(text)
    return text.split() if split == "whitespace" else _WORDS.findall(text)


def fit_text(table: Table, name: str, spec: FeatureSpec, rows: np.ndarray) -> FeatureFit:
    """The vocabulary of the training rows, most frequent first, and the length."""
    values = table.texts(name)
    cut = [tokens(values[i] or "", spec.split, spec.lowercase) for i in rows]
    counts = Counter(t for c in cut for t in c)
    kept = [w for w, n in sorted(counts.items(), key=lambda p: (-p[1], p[0])) if n >= spec.min_count][: spec.vocabulary]
    length = spec.length or max(1, min(LONGEST, max((len(c) for c in cut), default=1)))
    return FeatureFit(
        "text", [length], "i32", [ColumnFit(name, "text", words=kept)], missing=spec.missing, length=length,
        lowercase=spec.lowercase, split=spec.split,
    )  # fmt: skip


def encode_text(table: Table, fit: FeatureFit) -> np.ndarray:
    """Token ids (rows, length), padded behind; what is longer is cut."""
    ids = {w: i + 2 for i, w in enumerate(fit.columns[0].words)}
    values = table.texts(fit.columns[0].name)
    out = np.zeros((len(values), fit.length), np.int32)
    for row, text in enumerate(values):
        found = [ids.get(t, 1) for t in tokens(text or "", fit.split, fit.lowercase)[: fit.length]]
        out[row, : len(found)] = found
    return out
