"""What is learnt of targets from the training rows: classes, labels, scales, the inputs that they run along or are."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from layerctl.data.columns import BOOLEANS, folded, narrowed, one_spelling, stripped_of
from layerctl.data.labels import best_spelled, coded_labels, cut, respelled, say_both, truth_of, truths
from layerctl.data.numbers import numbers_of
from layerctl.data.statistics import distinct, mean_and_deviation
from layerctl.data.table import SHOWN, BadRows, Table, columns_hint, words_for_numbers
from layerctl.diagnostics import Span, did_you_mean, fail
from layerctl.spec.features import FeatureFit, TargetFit

if TYPE_CHECKING:
    from layerctl.spec.targets import TargetSpec

MOST_CLASSES = 20
SEPARATORS = ("|", ";", ",")
DROP_HINT = "leave such rows out with `target: {column: ..., missing: drop}`"


def fit_target(
    table: Table, spec: TargetSpec, rows: np.ndarray, hint: str | None, features: Mapping[str, FeatureFit], span: Callable[..., Span | None] | None = None
) -> TargetFit:  # fmt: skip
    """Classes, labels and scales of the training rows. `hint` is the kind that the loss wants.

    Raises:
        LayerctlError: for a column that is not there, missing targets, numbers that are none.
    """
    place = span("target") if span is not None else None
    if spec.input is not None or spec.next is not None:
        return _of_input(spec, features, place)
    for name in spec.names():
        if name not in table.columns:
            fail("unknown-column", f"the target '{name}' is no column of {table.name}{did_you_mean(name, table.columns)}",
                 place, hint=columns_hint(table.columns))  # fmt: skip
    seen = narrowed(table, spec.names(), rows)
    if spec.columns is not None:
        of_labels = spec.kind == "labels" or (spec.kind is None and hint == "category")
        return _columns_of_labels(table, spec, rows) if of_labels else _numbers(table, spec, rows, seen)
    column = spec.names()[0]
    if spec.kind == "sequence":
        return _sequence(table, spec, rows, hint, features, place)
    if spec.kind == "labels":
        return _labels(table, spec, rows)
    kind = spec.kind or hint or ("number" if _numeric(seen, column, spec) and not _few(seen, column, spec) else "category")
    if kind == "number":
        try:
            fit = _numbers(table, spec, rows, seen)
        except BadRows as error:
            if spec.kind is not None and span is not None:
                cure = "say `kind: category`; `binary` for two words"
                words_for_numbers(error, table, f"the target '{column}' is to be a number", span("target", "kind"), cure)
            if spec.kind is not None or _numeric(seen, column, spec) or not _words(seen, column):
                raise
            cure = "words take a loss of classes: `loss: sparse_categorical_crossentropy`, with a unit for each"
            words_for_numbers(error, table, f"the loss wants numbers of the target '{column}'", place, cure)
            raise BadRows([replace(d, hint=cure) for d in error.diagnostics], error.rows) from None
        return TargetFit(column, "number", centre=fit.centres[0], spread=fit.spreads[0], strip=fit.strip, units=fit.units)
    return _category(table, spec, rows)


def _words(seen: Table, column: str) -> bool:
    """Whether no value of a column begins like a number."""
    return not any(v and any(c.isdigit() for c in v) for v in seen.texts(column))


def _numeric(seen: Table, column: str, spec: TargetSpec) -> bool:
    return bool(spec.units) or seen.is_numeric(column) or bool(stripped_of(seen, column, spec.strip))


def _strip(seen: Table, column: str, spec: TargetSpec) -> str:
    return (spec.strip or "") if spec.units else stripped_of(seen, column, spec.strip)


def _few(seen: Table, column: str, spec: TargetSpec) -> bool:
    values = numbers_of(seen, column, _strip(seen, column, spec), spec.units)
    found = values[~np.isnan(values)]
    return bool((found == np.round(found)).all()) and distinct(found) <= MOST_CLASSES


def _numbers(table: Table, spec: TargetSpec, rows: np.ndarray, seen: Table) -> TargetFit:
    names = spec.names()
    found = {c for n in names for c in _strip(seen, n, spec)}
    fit = TargetFit(names[0], "numbers", columns=names, strip="".join(sorted(found)), units=dict(spec.units or {}))
    for name in names:
        values = numbers_of(table, name, fit.strip, fit.units)
        _check(table, name, spec, np.isnan(values))
        present = values[rows][~np.isnan(values[rows])]
        if not len(present):
            fail("data-empty-column", f"the target '{name}' has no values in the training rows", table.span(0, name),
                 hint="give rows that have one, or predict another column")  # fmt: skip
        centre, spread = 0.0, 1.0
        if spec.scale == "standard":
            centre, spread = mean_and_deviation(present)
        elif spec.scale == "minmax":
            centre, spread = float(present.min()), float(present.max() - present.min()) or 1.0
        fit.centres.append(centre)
        fit.spreads.append(spread)
    return fit


def _category(table: Table, spec: TargetSpec, rows: np.ndarray) -> TargetFit:
    column = spec.names()[0]
    codes, labels = coded_labels(table, column, spec.strip_suffix)
    _check(table, column, spec, codes < 0)
    counts = _counted(codes, labels, rows)
    if spec.ignore_case:
        best = spec.classes or list(one_spelling(counts)[0])
        codes, labels = respelled(codes, labels, best)
        counts = _counted(codes, labels, rows)
    aliases: dict[str, str] = {}
    if spec.kind == "binary":
        aliases = _truth(counts)
        if aliases:
            counts = Counter({w: sum(n for c, n in counts.items() if aliases.get(c, c) == w) for w in sorted(set(aliases.values()), key=truth_of)})
    classes = spec.classes or (list(counts) if aliases else _sorted(counts))
    _check_known(table, column, codes, labels, rows, {*classes, *aliases}, classes)
    if spec.classes is None and not aliases and not spec.ignore_case:
        _check_spelling(table, column, codes, labels, rows, classes)
    if len(classes) < 2:
        fail("data-one-class", f"the target '{column}' has one class only: {classes[0] if classes else 'none'}", table.span(0, column),
             hint="give rows of another class, or predict another column; for numbers say `kind: number`")  # fmt: skip
    if spec.kind == "binary" and len(classes) != 2:
        fail("data-not-binary", f"the target '{column}' has {len(classes)} classes in the training rows ({', '.join(classes[:4])}), a binary one has two",
             table.span(int(rows[0]), column), hint="say `kind: category`")  # fmt: skip
    return TargetFit(column, "category", classes, strip_suffix=spec.strip_suffix, counts=[counts[c] for c in classes], aliases=aliases,
                     ignore_case=spec.ignore_case)  # fmt: skip


def _counted(codes: np.ndarray, labels: list[str], rows: np.ndarray) -> Counter[str]:
    """How often each label occurs in some rows."""
    seen = np.bincount(codes[rows] + 1, minlength=len(labels) + 1)[1:].tolist()
    return Counter({w: n for w, n in zip(labels, seen, strict=True) if n})


def _truth(counts: Counter[str]) -> dict[str, str]:
    """Spellings of truth values, each with the most frequent spelling of the same; empty if the words are none or say all the same."""
    if not say_both(counts):
        return {}
    best = best_spelled(counts)
    return {s: best[t] for w, t in BOOLEANS.items() for s in (w, w.capitalize(), w.upper())} | {w: best[truth_of(w)] for w in counts}


def _sorted(found: Any) -> list[str]:
    return sorted(found, key=int if all(_whole(v) for v in found) else str)


def _whole(v: str) -> bool:
    return v.lstrip("-").isascii() and v.lstrip("-").isdigit()


def _check_known(
    table: Table, column: str, codes: np.ndarray, labels: list[str], rows: np.ndarray, known: set[str], classes: list[str]
) -> None:  # fmt: skip
    unknown = np.array([*(w not in known for w in labels), False], bool)
    bad = rows[unknown[codes[rows]]]
    if len(bad):
        shown = {int(i): labels[codes[i]] for i in bad[:SHOWN]}
        table.refuse(column, bad, shown, "is not among the classes", f"they are {', '.join(classes)}", "data-unknown-class")


def _check_spelling(table: Table, column: str, codes: np.ndarray, labels: list[str], rows: np.ndarray, classes: list[str]) -> None:
    """Two classes that differ in capital letters alone are one that was written in two ways."""
    found: dict[str, str] = {}
    for c in classes:
        other = found.setdefault(folded(c), c)
        if other != c and len(c) > 1:
            at = int(rows[np.argmax(codes[rows] == labels.index(c))])
            fail("data-class-spelling", f"column '{column}': the classes '{other}' and '{c}' differ in capital letters or blanks only", table.span(at, column),
                 hint="`ignore_case: true` in the target makes them one; if they are two, list all `classes`; truth values may be `kind: binary`")  # fmt: skip


def _labels(table: Table, spec: TargetSpec, rows: np.ndarray) -> TargetFit:
    """Any number of labels in one field; a missing value is none of them."""
    column = spec.names()[0]
    codes, words = table.coded(column)
    often = np.bincount(codes[rows] + 1, minlength=len(words) + 1)[1:].tolist()
    seen = {w: n for w, n in zip(words, often, strict=True) if n}
    separator = spec.separator
    if separator is None:
        separator = next((s for s in SEPARATORS if any(s in v for v in seen)), None)
    counts: Counter[str] = Counter()
    for word, n in seen.items():
        counts.update(dict.fromkeys(cut(word, separator), n))
    classes = spec.classes or _sorted(counts)
    if len(classes) < 2:
        fail("data-one-class", f"the target '{column}' has {len(classes)} different labels: {', '.join(classes) or 'none'}", table.span(0, column),
             hint="say which `separator` stands between labels")  # fmt: skip
    return TargetFit(column, "labels", classes, separator=separator, counts=[counts[c] for c in classes])


def _columns_of_labels(table: Table, spec: TargetSpec, rows: np.ndarray) -> TargetFit:
    """Columns of truth values, a label each."""
    names = spec.names()
    for name in names:
        _check(table, name, spec, table.missing(name))
    fit = TargetFit(names[0], "labels", names, columns=names)
    fit.counts = [int(np.nansum(truths(table, name)[rows])) for name in names]
    return fit


def _sequence(table: Table, spec: TargetSpec, rows: np.ndarray, hint: str | None, features: Mapping[str, FeatureFit], place: Span | None) -> TargetFit:
    """A label or a number for each step of an input."""
    column, along = spec.names()[0], _chosen(spec.along, features, ("text", "sequence"), "along", place)
    values = table.texts(column)
    _check(table, column, spec, table.missing(column))
    fit = TargetFit(column, "sequence", separator=spec.separator, along=along, length=features[along].length)
    counts = Counter(label for i in rows if (v := values[i]) is not None for label in cut(v, spec.separator))
    if spec.classes is not None or hint != "number":
        fit.classes = spec.classes or _sorted(counts)
        fit.counts = [counts[c] for c in fit.classes]
    return fit


def _chosen(given: str | None, features: Mapping[str, FeatureFit], kinds: tuple[str, ...], key: str, place: Span | None) -> str:
    """The input that a target is made of or runs along."""
    fitting = [n for n, f in features.items() if not kinds or f.kind in kinds]
    if given not in (None, "*"):
        if given not in features:
            fail("unknown-input", f"the target's '{key}' names the feature '{given}', which is not there{did_you_mean(str(given), features)}", place,
                 hint=f"there are {', '.join(features)}")  # fmt: skip
        if given not in fitting:
            fail("bad-target", f"the target's '{key}' names '{given}', which is of kind {features[str(given)].kind}, not {' or '.join(kinds)}", place,
                 hint="name a feature of that kind")  # fmt: skip
        return str(given)
    if len(fitting) != 1:
        wanted = f" of kind {' or '.join(kinds)}" if kinds else ""
        fail("bad-target", f"there are {len(fitting)} features{wanted}: the target's '{key}' must name one", place,
             hint=f"there are {', '.join(f'{n} ({f.kind})' for n, f in features.items())}")  # fmt: skip
    return fitting[0]


def _of_input(spec: TargetSpec, features: Mapping[str, FeatureFit], place: Span | None) -> TargetFit:
    if spec.next is not None:
        return TargetFit(name := _chosen(spec.next, features, ("text",), "next", place), "next", length=features[name].length, join=spec.join)
    name = _chosen(spec.input, features, (), "input", place)
    if features[name].dtype == "u8":
        fail("bad-target", f"the feature '{name}' holds texts as they are, which no output can give back", place, hint="say `kind: text` for the feature")
    return TargetFit(name, "input")


def _check(table: Table, column: str, spec: TargetSpec, empty: np.ndarray) -> None:
    if spec.missing == "error" and empty.any():
        shown = ["" if v is None else v for v in table.texts(column)]
        table.refuse(column, np.flatnonzero(empty), shown, "is missing in the target", DROP_HINT, "data-missing")


