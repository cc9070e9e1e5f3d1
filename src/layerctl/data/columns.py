"""One column at a time: numbers, categories, truth values, texts, fitted on the training rows and encoded alike ever after."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Container, Iterable, Mapping
from typing import TYPE_CHECKING

import numpy as np

from layerctl.data.numbers import numbers_of, strip_of
from layerctl.data.statistics import distinct, mean_and_deviation, median, middle_and_width, most_frequent, quantile
from layerctl.data.table import Table
from layerctl.diagnostics import fail
from layerctl.spec.features import ColumnFit

if TYPE_CHECKING:
    from layerctl.spec.data import FeatureSpec

MISSING_HINT = "say what stands for missing values in the feature: `missing: mean` (median, most_frequent, constant, drop)"
BOOLEANS = {
    "true": 1.0, "yes": 1.0, "y": 1.0, "t": 1.0, "on": 1.0, "1": 1.0, "1.0": 1.0,
    "false": 0.0, "no": 0.0, "n": 0.0, "f": 0.0, "off": 0.0, "0": 0.0, "0.0": 0.0,
}  # fmt: skip
"""Truth values as people write them, in small letters."""


def narrowed(table: Table, names: list[str], rows: np.ndarray) -> Table:
    """Some rows of some columns: what a kind is inferred from. Its places are not the file's."""
    return Table(table.name, {n: table.columns[n] for n in names}, [], table.decimal).take(rows)


def stripped_of(seen: Table, name: str, given: str | None) -> str:
    """The characters that do not count in a column's numbers: as given, or as the training rows need it."""
    if given is not None or seen.is_numeric(name):
        return given or ""
    return strip_of([t for t in seen.texts(name) if t is not None], seen.decimal) or ""


def fit_number(table: Table, name: str, spec: FeatureSpec, rows: np.ndarray) -> ColumnFit:
    """Centre and spread of the values that are there; the range outside which they are outlying; what stands for missing ones."""
    units = dict(spec.units or {})
    strip = (spec.strip or "") if units else stripped_of(narrowed(table, [name], rows), name, spec.strip)
    fit = ColumnFit(name, "number", strip=strip, units=units)
    values = _single(table, name, numbers_of(table, name, fit.strip, fit.units))
    present = _present(values, rows)
    if spec.missing == "error" and np.isnan(values).any():
        refuse_missing(table, name, np.isnan(values))
    if not len(present):
        fail("data-empty-column", f"column '{name}' has no values in the training rows", table.span(0, name),
             hint=f"leave it out: `ignore: [{name}]` in the data section")  # fmt: skip
    fit.rows, fit.empty, fit.different = len(rows), len(rows) - len(present), distinct(present)
    if spec.outlying is not None:
        fit.outlying = spec.outlying
        fit.low, fit.high = spec.range or [quantile(present, q) for q in spec.quantiles or (0.0, 1.0)]
        values = within(table, fit, values)
        present = _present(values, rows)
        if not len(present):
            fail("data-empty-column", f"column '{name}' has no values from {fit.low:g} to {fit.high:g} in the training rows", table.span(0, name),
                 hint="widen the feature's `range`, or leave the column out with `ignore`")  # fmt: skip
    if spec.missing in ("mean", "median", "most_frequent", "constant"):
        fit.fill = fill_of(name, spec, present)
        values = np.where(np.isnan(values), float(fit.fill), values)
        present = values[rows]
    scale(fit, present, spec.scale or "standard")
    return fit


def _single(table: Table, name: str, values: np.ndarray) -> np.ndarray:
    """A column's numbers, of which a row has one."""
    if values.ndim > 1:
        lists = [str(v) for v in table.columns[name].tolist()]  # type: ignore[union-attr]
        table.refuse(name, np.arange(len(values)), lists, "is a list, expected a number", "give each row one number; for lists say `kind: array`")
    return values


def _present(values: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """The numbers of some rows that are there."""
    picked = values[rows]
    gone = np.isnan(picked)
    return picked[~gone] if gone.any() else picked


def fill_of(name: str, spec: FeatureSpec, present: np.ndarray) -> float:
    """What stands for missing numbers, by the policy."""
    if spec.missing == "constant":
        if isinstance(spec.constant, str):
            fail("bad-value", f"column '{name}' holds numbers; its constant is {spec.constant!r}", hint="write a number: `constant: 0`")
        return float(spec.constant or 0.0)
    if spec.missing == "median":
        return median(present)
    if spec.missing == "mean":
        return mean_and_deviation(present)[0]
    return most_frequent(present)


def within(table: Table, fit: ColumnFit, values: np.ndarray) -> np.ndarray:
    """Numbers with outlying ones brought inside, or missing.

    Raises:
        LayerctlError: `data-outlying`, where the policy is an error.
    """
    if not fit.outlying or fit.low is None or fit.high is None:
        return values
    with np.errstate(invalid="ignore"):
        outside = (values < fit.low) | (values > fit.high)
    if fit.outlying == "clip":
        return np.where(outside, np.where(values < fit.low, fit.low, fit.high), values)
    if fit.outlying == "error" and outside.any():
        table.refuse(fit.name, np.flatnonzero(outside), table.texts(fit.name), f"is not from {fit.low:g} to {fit.high:g}",
                     "correct it, widen the feature's `range`, or say `outlying: clip`", "data-outlying")  # fmt: skip
    return np.where(outside, np.nan, values)


def scale(fit: ColumnFit, values: np.ndarray, how: str) -> None:
    """Sets centre and spread by `how`."""
    if how == "standard":
        fit.centre, fit.spread = mean_and_deviation(values)
    elif how == "minmax":
        fit.centre = float(values.min())
        fit.spread = float(values.max() - values.min()) or 1.0
    elif how == "robust":
        fit.centre, fit.spread = middle_and_width(values)


def encode_number(table: Table, fit: ColumnFit) -> np.ndarray:
    """The column as float32, scaled."""
    values = within(table, fit, _single(table, fit.name, numbers_of(table, fit.name, fit.strip, fit.units)))
    empty = np.isnan(values)
    if empty.any():
        if fit.fill is None:
            refuse_missing(table, fit.name, empty)
        values = np.where(empty, float(fit.fill), values)  # type: ignore[arg-type]
    return float32((values - fit.centre) / fit.spread, table, fit.name)


def float32(values: np.ndarray, table: Table, name: str) -> np.ndarray:
    """Numbers that a float32 can hold, a row of them for each row.

    Raises:
        LayerctlError: `data-not-a-number`, for the rows of those that it cannot.
    """
    rows = beyond(values)
    if len(rows):
        table.refuse(name, rows, table.texts(name), "is too large for a float32, as it is scaled", BEYOND_HINT)
    return values.astype(np.float32)


BEYOND_HINT = "numbers of the model go to 3.4e38: correct it, or say `scale: standard`, or `outlying: clip`"


def beyond(values: np.ndarray) -> np.ndarray:
    """The rows with a number that a float32 cannot hold."""
    most = np.finfo(np.float32).max
    if not values.size or (values.max() <= most and values.min() >= -most):
        return np.zeros(0, np.int64)
    return np.flatnonzero((np.abs(values) > most).reshape(len(values), -1).any(axis=1))


def shown(table: Table, name: str) -> list[str]:
    """A column's values as messages show them."""
    return ["" if v is None else v for v in table.texts(name)]


def refuse_missing(table: Table, name: str, empty: np.ndarray) -> None:
    """Ends with the rows whose value is missing."""
    table.refuse(name, np.flatnonzero(empty), shown(table, name), "is missing", MISSING_HINT, "data-missing")


def counts_of(table: Table, name: str, rows: np.ndarray) -> Counter[str]:
    """How often each text occurs in some rows of a column."""
    codes, words = table.coded(name)
    found = np.bincount(codes[rows] + 1, minlength=len(words) + 1)[1:].tolist()
    return Counter({w: n for w, n in zip(words, found, strict=True) if n})


def folded(word: str) -> str:
    """A word without what capital letters and blanks make of it."""
    return " ".join(word.split()).casefold()


def as_spelled(texts: Iterable[str | None], words: Iterable[str]) -> list[str | None]:
    """Texts, each that differs from one of some words in capital letters or blanks only written as that word."""
    written = {folded(w): w for w in words}
    return [t if t is None else written.get(folded(t), t) for t in texts]


def one_spelling(counts: Mapping[str, int]) -> tuple[Counter[str], dict[str, str]]:
    """(how often each word occurs, in the most frequent of the spellings that differ in capital letters or blanks only; the word of each other
    spelling: of those that occur, and in small, capital and title letters)."""
    best: dict[str, str] = {}
    for w in sorted(counts, key=lambda w: (-counts[w], w)):
        best.setdefault(folded(w), w)
    merged: Counter[str] = Counter()
    aliases: dict[str, str] = {}
    for w in sorted(counts):
        merged[best[folded(w)]] += counts[w]
        aliases |= {s: best[folded(w)] for s in (w, w.lower(), w.upper(), w.title(), w.capitalize()) if folded(s) == folded(w)}
    return merged, {s: w for s, w in aliases.items() if s != w}


def by_word(table: Table, name: str, values: Mapping[str, float], rest: float, missing: float, dtype: type) -> np.ndarray:
    """A number for each row by its text; `rest` for other texts, `missing` where there is none."""
    codes, words = table.coded(name)
    return np.array([*(values.get(w, rest) for w in words), missing], dtype)[codes]


def rows_with(table: Table, name: str, wanted: Callable[[str], bool]) -> np.ndarray:
    """The rows whose text is wanted."""
    codes, words = table.coded(name)
    return np.flatnonzero(np.array([*map(wanted, words), False], bool)[codes])


def fit_category(table: Table, name: str, spec: FeatureSpec, rows: np.ndarray) -> ColumnFit:
    """The training rows' words, in alphabetical order; the most frequent ones where there are more than `vocabulary`."""
    _check_missing(table, name, spec)
    counts, aliases = counts_of(table, name, rows), {}
    if spec.ignore_case:
        counts, aliases = one_spelling(counts)
    kept = [w for w, n in sorted(counts.items(), key=lambda p: (-p[1], p[0])) if n >= spec.min_count][: spec.vocabulary]
    fit = ColumnFit(name, "category", words=sorted(kept), unseen=spec.unseen or "bucket")
    fit.rows, fit.empty, fit.different = len(rows), len(rows) - sum(counts.values()), len(counts)
    fit.aliases = {s: w for s, w in aliases.items() if w in set(kept)}
    if fit.unseen != "bucket":
        fit.common = _most_frequent(counts)
    if fit.unseen == "error" and len(kept) < len(counts):
        fail("bad-value", f"column '{name}' keeps {len(kept)} of its {len(counts)} words, and 'unseen: error' would refuse the others",
             table.span(0, name), hint="keep them all, or say `unseen: bucket`")  # fmt: skip
    if spec.missing == "most_frequent" and counts:
        fit.fill = _most_frequent(counts)
    elif spec.missing == "constant":
        fit.fill = str(spec.constant)
    elif spec.missing in ("mean", "median"):
        fail("bad-value", f"column '{name}' holds categories, which have no {spec.missing}", table.span(0, name),
             hint="use `missing: most_frequent`, or `constant`")  # fmt: skip
    return fit


def _most_frequent(counts: Counter[str]) -> str | None:
    return min(counts, key=lambda w: (-counts[w], w)) if counts else None


def encode_category(table: Table, fit: ColumnFit) -> np.ndarray:
    """The column's words as ids from 1; 0 for what was not in the training rows, and for missing values without a policy at prediction.

    Raises:
        LayerctlError: `data-unseen`, where the policy for what was not in the training rows is an error.
    """
    ids = {w: i + 1 for i, w in enumerate(fit.words)}
    ids |= {s: ids[w] for s, w in fit.aliases.items()}
    missing = 0 if fit.fill is None else ids.get(str(fit.fill), 0)
    known = {*ids, str(fit.fill)}
    _check_seen(table, fit, known)
    return by_word(table, fit.name, ids, ids[str(fit.common)] if fit.unseen == "most_frequent" else 0, missing, np.int32)


def _check_seen(table: Table, fit: ColumnFit, known: Container[str]) -> None:
    if fit.unseen != "error":
        return
    unseen = rows_with(table, fit.name, lambda w: w not in known)
    if len(unseen):
        words = list(dict.fromkeys(fit.words))
        listed = ", ".join(words[:8]) + (", …" if len(words) > 8 else "")
        table.refuse(fit.name, unseen, shown(table, fit.name), "was not in the training rows",
                     f"they have {listed}; `unseen: {'bucket' if fit.kind == 'category' else 'most_frequent'}` would take it", "data-unseen")  # fmt: skip


def fit_binary(table: Table, name: str, spec: FeatureSpec, rows: np.ndarray) -> ColumnFit:
    """Two values as 0 and 1: truth values as people write them (yes is 1 and no 0), or any two words, the first in alphabetical order 0.

    Raises:
        LayerctlError: `data-not-binary`, if the training rows have more or fewer.
    """
    _check_missing(table, name, spec)
    counts, aliases = counts_of(table, name, rows), {}
    if spec.ignore_case:
        counts, aliases = one_spelling(counts)
    fit = ColumnFit(name, "binary", unseen=spec.unseen or "error")
    fit.rows, fit.empty, fit.different = len(rows), len(rows) - sum(counts.values()), len(counts)
    if counts and all(w.lower() in BOOLEANS for w in counts):
        spelled = {w: BOOLEANS[w.lower()] for w in sorted(counts)}
        spelled |= {s: v for w, v in BOOLEANS.items() for s in (w, w.capitalize(), w.upper())}
        fit.words, fit.values = list(spelled), list(spelled.values())
    elif len(counts) == 2:
        fit.words, fit.values = sorted(counts), [0.0, 1.0]
        value = dict(zip(fit.words, fit.values, strict=True))
        fit.words, fit.values = [*fit.words, *aliases], [*fit.values, *(value[w] for w in aliases.values())]
    else:
        some = ", ".join(repr(w) for w in sorted(counts)[:4]) + (", …" if len(counts) > 4 else "")
        fail("data-not-binary", f"column '{name}' has {len(counts)} different values in the training rows ({some or 'none'}), a binary one has two",
             table.span(int(rows[0]), name), hint="say `kind: category`, or what stands for a missing value in `missing_values`")  # fmt: skip
    number = dict(zip(fit.words, fit.values, strict=True))
    fit.common = _most_frequent(counts)
    if spec.missing == "constant" and isinstance(spec.constant, str):
        if spec.constant not in number:
            fail("bad-value", f"column '{name}': the constant {spec.constant!r} is none of its values", table.span(0, name), hint=", ".join(sorted(counts)))
        fit.fill = number[spec.constant]
    elif spec.missing not in ("error", "drop"):
        fit.fill = fill_of(name, spec, np.array([number[w] for w, n in sorted(counts.items()) for _ in range(n)]))
    return fit


def encode_binary(table: Table, fit: ColumnFit) -> np.ndarray:
    """The column as 0 and 1 in float32."""
    number = dict(zip(fit.words, fit.values, strict=True))
    if fit.fill is None and table.missing(fit.name).any():
        refuse_missing(table, fit.name, table.missing(fit.name))
    _check_seen(table, fit, number)
    return by_word(table, fit.name, number, number[str(fit.common)], float(fit.fill or 0.0), np.float32)


def fit_string(table: Table, name: str, spec: FeatureSpec, rows: np.ndarray) -> ColumnFit:
    """Texts that a layer of the model reads: what stands for missing ones."""
    found = fit_category(table, name, spec.model_copy(update={"unseen": None}), rows)
    return ColumnFit(name, "string", fill=found.fill, rows=found.rows, empty=found.empty, different=found.different)


def encode_string(table: Table, fit: ColumnFit) -> list[str]:
    """The column's texts; for missing ones without a policy at prediction, none."""
    rest = "" if fit.fill is None else str(fit.fill)
    return [rest if v is None else v for v in table.texts(fit.name)]


def _check_missing(table: Table, name: str, spec: FeatureSpec) -> None:
    if spec.missing == "error":
        empty = table.missing(name)
        if empty.any():
            refuse_missing(table, name, empty)
