"""Texts as rows of token ids: 0 is padding, 1 a word that was not kept, 2.. the vocabulary."""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING

import numpy as np

from layerctl.data.table import Table
from layerctl.spec.features import LINE_END, ColumnFit, FeatureFit

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


def fit_text(table: Table, name: str, spec: FeatureSpec, rows: np.ndarray, *, ends: bool = False) -> FeatureFit:
    """The vocabulary of the training rows, most frequent first, and the length. With `ends` the first word is the end of a text."""
    values = table.texts(name)
    counts: Counter[str] = Counter()
    longest = 0 if len(rows) else 1
    for i in rows:
        found = tokens(values[i] or "", spec.split, spec.lowercase)
        counts.update(found)
        longest = max(longest, len(found))
    first = [LINE_END] if ends else []
    kept = [w for w, n in sorted(counts.items(), key=lambda p: (-p[1], p[0])) if n >= spec.min_count and w not in first][: spec.vocabulary - len(first)]
    length = spec.length or max(1, min(LONGEST, longest + len(first)))
    empty = sum(values[i] is None for i in rows)
    column = ColumnFit(name, "text", words=first + kept, rows=len(rows), empty=empty, different=len(counts))
    return FeatureFit("text", [length], "i32", [column], missing=spec.missing, length=length, lowercase=spec.lowercase, split=spec.split)


def ids_of(text: str, fit: FeatureFit, ids: dict[str, int]) -> list[int]:
    """A text's token ids, uncut; `ids` are those of `word_ids`."""
    return [ids.get(t, 1) for t in tokens(text, fit.split, fit.lowercase)]


def word_ids(fit: FeatureFit) -> dict[str, int]:
    """The vocabulary's ids: 2 and on."""
    return {w: i + 2 for i, w in enumerate(fit.columns[0].words)}


def encode_text(table: Table, fit: FeatureFit) -> np.ndarray:
    """Token ids (rows, length), padded behind; what is longer is cut."""
    ids = word_ids(fit)
    codes, words = table.coded(fit.columns[0].name)
    return _padded([*(ids_of(w, fit, ids)[: fit.length] for w in words), []], fit.length)[codes]


def pieces(table: Table, fit: FeatureFit, join: bool) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """What a language model learns from: pieces of texts, the token after each of theirs (both int32 (pieces, length)), and the row of each.

    An end stands before and behind each text; padded steps are 0 in both. With `join` the rows are one long text with ends between them.
    """
    ids, length = word_ids(fit), fit.length
    end = ids[LINE_END]
    x, y, source = [], [], []
    streams: list[tuple[int, list[int]]] = [(row, [end, *ids_of(t or "", fit, ids), end]) for row, t in enumerate(table.texts(fit.columns[0].name))]
    if join:
        streams = [(0, [end, *(i for _, s in streams for i in s[1:])])]
    for row, s in streams:
        for start in range(0, len(s) - 1, length):
            x.append(s[start : min(start + length, len(s) - 1)])
            y.append(s[start + 1 : start + length + 1])
            source.append(row)
    return _padded(x, length), _padded(y, length), np.array(source, np.int64)


def _padded(lists: list[list[int]], length: int) -> np.ndarray:
    out = np.zeros((len(lists), length), np.int32)
    for row, found in enumerate(lists):
        out[row, : len(found)] = found
    return out


def joined(words: list[str], split: str) -> str:
    """Tokens as a text: the reverse of `tokens` but for blanks between words and marks."""
    if split == "characters":
        return "".join(words)
    out, opening = "", (LINE_END, "(", "[") if split == "words" else (LINE_END,)
    for w in words:
        tight = not out or out.endswith(opening) or w == LINE_END or (split == "words" and re.fullmatch(r"[^\w\s([]", w) is not None)
        out += w if tight else f" {w}"
    return out
