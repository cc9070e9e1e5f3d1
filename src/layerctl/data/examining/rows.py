"""What is wrong or doubtful in rows and parts: rows twice, the same rows in training and in what judges it, values that training never saw, rare classes."""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from layerctl.data.examining.columns import error, warning
from layerctl.data.examining.kinds import Column
from layerctl.data.table import Table
from layerctl.diagnostics import Diagnostic

MANY_TWICE = 0.05
ORDINARY = 0.9
"""The share of different rows from which equal ones are no matter of few categories."""
RARE = 0.2
_TOTAL = re.compile(r"((grand|sub)?[ -]?totals?|sum|average|mean|gesamt|summe|insgesamt|somme|suma|totale)\s*:?", re.IGNORECASE)
FEW_OF_A_CLASS = 10
FEW_ROWS = 50


@dataclass(frozen=True)
class Part:
    """Rows of one table that are trained on, or held back."""

    name: str
    table: Table
    rows: np.ndarray


def keys(table: Table, names: Sequence[str] | None = None) -> list[bytes]:
    """A hash of each row's values, of all columns or of some."""
    names = list(table.columns) if names is None else [n for n in names if n in table.columns]
    flat = [table.columns[n] for n in names]
    texts = [[c[i].tobytes().hex() for i in range(len(table))] if isinstance(c, np.ndarray) and c.ndim > 1 else table.texts(n)
             for n, c in zip(names, flat, strict=True)]  # fmt: skip
    return [
        hashlib.blake2b("\x1f".join("\x00" if v is None else v for v in row).encode(), digest_size=12).digest()
        for row in zip(*texts, strict=True)
    ]


def duplicates(table: Table, telling: Sequence[str]) -> Iterator[Diagnostic]:
    """Rows that stand in the table before; but for what tells rows apart and nothing else, where other rows are hardly ever alike."""
    if len(table) < FEW_ROWS and len(table) > 0:
        yield Diagnostic(
            "few-rows",
            f"{len(table)} rows are few: scores on held-out rows will be uncertain",
            table.span(0),
            (),
            "gather more, or use `train --folds`",
            "warning",
        )
    found, but = keys(table), ""
    if len(telling) < len(table.columns):
        some = keys(table, telling)
        if len(set(found)) == len(found) and len(set(some)) > ORDINARY * len(some):
            found, but = some, f" but for {', '.join(n for n in table.columns if n not in telling)}"
    seen: dict[bytes, int] = {}
    again = [(i, seen[k]) for i, k in enumerate(found) if seen.setdefault(k, i) != i]
    if again:
        row, first = again[0]
        line = table.lines[first] if first < len(table.lines) else first + 1
        text = f"{len(again)} of {len(table)} rows stand in the table before{but}; the first is the same as line {line}"
        yield Diagnostic(
            "duplicate-rows",
            text,
            table.span(row),
            (),
            "take them out, or split so that the same rows stay together",
            "warning",
        )


def no_rows(table: Table, columns: Mapping[str, Column]) -> Iterator[Diagnostic]:
    """Lines among the rows that are none: the header once more, as where files were put behind each other, units below the header, totals at the end."""
    flat = [n for n, c in columns.items() if c.kind != "array"]
    if not flat or not len(table):
        return
    again = [i for i, v in enumerate(table.texts(flat[0])) if v == flat[0]]
    again = [i for i in again if all(table.texts(n)[i] == n for n in flat)]
    if again and len(flat) > 1:
        yield Diagnostic("row-is-header", f"the header stands among the rows{f' {len(again)} times' if len(again) > 1 else ''}", table.span(again[0]), (),
                         "take it out: `awk 'NR == 1 { h = $0 } NR == 1 || $0 != h' FILE > rows.csv`")  # fmt: skip
        return
    yield from _total(table, flat)
    numbers = [c for c in columns.values() if c.kind == "number"]
    units = [table.texts(c.name)[0] for c in numbers]
    if len(numbers) > 1 and len(table) > FEW_OF_A_CLASS and all(u is not None and c.odd.get(u) == 1 for c, u in zip(numbers, units, strict=True)):
        shown = ", ".join(f"'{u}'" for u in units[:3])
        text = f"this line has words where all columns of numbers have numbers, such as {shown}: it seems to tell units"
        yield Diagnostic("row-is-units", text, table.span(0), (),
                         "take it out of the file, or put it into the header")  # fmt: skip


def _total(table: Table, flat: Sequence[str]) -> Iterator[Diagnostic]:
    """A last line that sums the others up: its first word says so, and stands in no other row of its column."""
    last = [(n, v) for n in flat if (v := table.texts(n)[-1]) is not None]
    name, word = next(((n, v) for n, v in last if not v[:1].isdigit()), ("", ""))
    if len(table) <= FEW_OF_A_CLASS or not _TOTAL.fullmatch(word.strip()) or table.texts(name).count(word) > 1:
        return
    yield Diagnostic("row-is-total", f"the last line begins with '{word}': it seems to sum up the others", table.span(len(table) - 1), (),
                     "take it out: `sed '$d' FILE > rows.csv`")  # fmt: skip


def across(parts: Sequence[Part], columns: Sequence[str] | None = None) -> Iterator[Diagnostic]:
    """Rows held back that are trained on as well, by the columns that a model takes and predicts: an error where they are many and no table of a few
    categories makes them."""
    hashed = {id(p.table): keys(p.table, columns) for p in parts}
    train = next(p for p in parts if p.name == "train")
    known = {hashed[id(train.table)][i] for i in train.rows.tolist()}
    ordinary = len(known) > ORDINARY * len(train.rows)
    for p in parts:
        if p.name == "train":
            continue
        both = [i for i in p.rows.tolist() if hashed[id(p.table)][i] in known]
        if both:
            share = len(both) / len(p.rows)
            severity = "error" if share > MANY_TWICE and ordinary else "warning"
            text = f"{len(both)} of {len(p.rows)} rows of {p.name} are in training as well ({share:.1%}): scores are too good by them"
            yield Diagnostic(
                "duplicates-across-splits", text, p.table.span(both[0]), (), "take duplicates out of the data", severity
            )


def unseen(parts: Sequence[Part], columns: Mapping[str, Column], targets: Mapping[str, bool]) -> Iterator[Diagnostic]:
    """Categories in held-back rows that training rows do not have; classes that they lack are errors. `targets` says which are classes."""
    train = next(p for p in parts if p.name == "train")
    for c in columns.values():
        if c.kind != "category" and not targets.get(c.name, False):
            continue
        texts = train.table.texts(c.name)
        known = {texts[i] for i in train.rows.tolist()} | {None}
        for p in parts:
            if p.name == "train" or c.name not in p.table.columns:
                continue
            values = p.table.texts(c.name)
            new = [i for i in p.rows.tolist() if values[i] not in known]
            if not new:
                continue
            words = sorted({str(values[i]) for i in new})
            shown = ", ".join(repr(w) for w in words[:4]) + (", …" if len(words) > 4 else "")
            text = f"{len(new)} of {len(p.rows)} rows of {p.name} have values that training does not: {shown}"
            if targets.get(c.name, False):
                hint = (
                    '`target: {column: ..., strip_suffix: "."}` takes an ending off'
                    if all(w.endswith(".") for w in words)
                    else "`stratify: true` gives each part all classes"
                )
                yield error(p.table, new[0], c.name, "unseen-classes", text, hint)
            elif len(new) > 0.01 * len(p.rows):
                yield warning(
                    p.table,
                    new[0],
                    c.name,
                    "unseen-values",
                    text,
                    "they share the bucket of the unseen; `min_count: 2` trains it on rare words",
                )


def classes(table: Table, column: Column) -> Iterator[Diagnostic]:
    """A target of classes: one only, rare ones, classes of a few rows."""
    texts = [v for v in table.texts(column.name) if v is not None]
    counts = Counter(texts)
    if len(counts) < 2:
        yield error(
            table,
            0,
            column.name,
            "target-one-class",
            f"all rows are of the class {texts[0] if texts else 'none'!r}",
            "a model needs rows of two classes at least",
        )
        return
    if len(counts) > max(2, 0.5 * len(texts)):
        yield error(
            table,
            0,
            column.name,
            "target-no-classes",
            f"{len(counts)} different words in {len(texts)} rows are no classes",
            "choose another target",
        )
        return
    word, least = min(counts.items(), key=lambda p: (p[1], p[0]))
    row = table.texts(column.name).index(word)
    share = least / len(texts)
    if least < FEW_OF_A_CLASS:
        few = sum(n < FEW_OF_A_CLASS for n in counts.values())
        yield warning(table, row, column.name, "target-rare-classes", f"{few} of {len(counts)} classes have under {FEW_OF_A_CLASS} rows: {word!r} has {least}",
                      "gather more rows, or put rare classes together")  # fmt: skip
    elif share * len(counts) < RARE:
        often = max(counts, key=lambda w: counts[w])
        yield warning(table, row, column.name, "target-imbalance", f"{word!r} has {share:.1%} of the rows, {often!r} {counts[often] / len(texts):.1%}",
                      "judge by AUC or F1Score beside accuracy; `fit: {class_weight: …}` weighs rare classes")  # fmt: skip
