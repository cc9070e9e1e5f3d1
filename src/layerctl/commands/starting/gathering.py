"""Reads a file as its dialect is guessed, looks at its columns, finds the targets."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from layerctl.commands.starting.facts import Facts, Target, target_of
from layerctl.data.delimited import RaggedLines
from layerctl.data.examining import kinds
from layerctl.data.examining.dialect import Dialect, guess
from layerctl.data.examining.kinds import column, examine
from layerctl.data.examining.rows import no_rows
from layerctl.data.examining.sampling import looked_at
from layerctl.data.examining.words import NOTHING, PERHAPS
from layerctl.data.table import Table, without
from layerctl.diagnostics import LayerctlError, Source, Span, did_you_mean, fail
from layerctl.spec.data import MISSING

CLEAR = frozenset({"target", "label", "class", "y", "outcome", "species", "response"})
"""Names that say by themselves what is to be predicted."""
MOST_CATEGORIES = 20
A_CLASS = 0.05
"""The share of rows from which a word in a column to predict is a class, also a word such as unknown, which elsewhere stands for a missing value."""
RAGGED, SHORT = 0.05, 1.0
"""How many lines with another number of fields there may be for each that has the header's, and how many where all of them lack the last ones."""
MOST_TURNS = 5
"""How often a file is opened anew because of lines that are no rows."""


def gather(
    source: str, targets: Sequence[str], wanted: str | None = None, names: Sequence[str] | None = None, test: str | None = None, most: int | None = None
) -> Facts:  # fmt: skip
    """What is known of a file; `targets` name columns (or their numbers, from 1), `names` the columns of a file without a header, `most` is how many
    rows are looked at.

    Raises:
        LayerctlError: for a file that cannot be read, for targets that are not there or cannot be predicted.
    """
    dialect, table, columns = _without_notes(source, names, targets, most)
    goals = named_targets(targets, table, columns) or [_clear(table, columns)]
    if none := list(no_rows(table, columns)):
        raise LayerctlError(none)
    found = []
    for name in goals:
        try:
            found.append(target_of(table, columns[name], wanted))
        except ValueError as error:
            fail("bad-target", f"column '{name}' cannot be predicted: {error}", table.span(0, name), hint=_listing(columns))
    if test is not None:
        found = [_with_test(t, test, dialect, most) for t in found]
    return Facts(source, dialect, table, columns, tuple(found), test)


Opened = tuple[Dialect, Table, dict[str, kinds.Column]]


def _without_notes(source: str, names: Sequence[str] | None, goals: Sequence[str], most: int | None = None) -> Opened:
    """As `opened`, but lines that are no rows are skipped, which the dialect then says: titles, notes, units, totals, a header that comes again.

    Raises:
        LayerctlError: as `opened`.
    """
    skip: list[str] = []
    ragged: tuple[str, str] | None = None
    for _ in range(MOST_TURNS):
        uneven: RaggedLines | None = None
        try:
            found = opened(source, names, goals, skip, ragged, most)
            wrong = list(no_rows(found[1], found[2]))
        except LayerctlError as error:
            wrong = list(error.diagnostics)
            uneven = error if isinstance(error, RaggedLines) else None
            if not all(d.code == "data-ragged" for d in wrong):
                raise
        if not wrong:
            return found
        lines = _lines(source, {d.span.line for d in wrong if d.span is not None}, found[0] if wrong[0].code != "data-ragged" else None)
        if wrong[0].code == "row-is-header":
            names = list(found[1].columns)
        if not lines and uneven is not None and uneven.lines <= (SHORT if uneven.short else RAGGED) * uneven.rows:
            ragged = "fill", (f"{uneven.lines} lines have another number of fields, line {wrong[0].span.line if wrong[0].span else 1} the first: "
                              "what one lacks at its end is missing, and one with too many is left out")  # fmt: skip
            continue
        if not lines or set(lines) <= set(skip):
            break
        skip += lines
    raise LayerctlError(wrong)


def _lines(source: str, numbers: set[int], dialect: Dialect | None) -> list[str]:
    """The text of a file's lines; without a dialect those alone that no delimiter cuts, none if one of them is cut."""
    from layerctl.data.delimited import lines_of
    from layerctl.data.streams import Stream

    dialect, whole = dialect or guess(source, passing=True), dialect is None
    stream = Stream(source, dialect.reading.encoding, Span(Source(source)))
    found = [line.rstrip() for i, line in enumerate(lines_of(stream), 1) if i in numbers]
    cut = any((dialect.reading.delimiter or ",") in line for line in found) and whole
    return [] if cut or not all(found) else found


def opened(
    source: str, names: Sequence[str] | None = None, goals: Sequence[str] = (), skip: Sequence[str] | None = None, ragged: tuple[str, str] | None = None,
    most: int | None = None,
) -> Opened:  # fmt: skip
    """A file's dialect with the words that stand for missing values, the table read by it, and its columns. A first line with one of the `goals` in it
    is the header, whatever else it has. With `skip` lines that begin so, and titles above the header, are passed over. `ragged` is
    what becomes of lines with another number of fields, and why; `most` how many rows are looked at.

    Raises:
        LayerctlError: for a file that cannot be read.
    """
    from layerctl.commands.unused import refuse_unused
    from layerctl.data.readers import format_of

    dialect = guess(source, goals=frozenset(part.strip() for g in goals for part in (g, *g.split(","))), passing=skip is not None)
    if skip:
        told = {"skip": "what is no row: titles, notes, units, totals"}
        dialect = replace(dialect, reading=replace(dialect.reading, skip=[*dialect.reading.skip, *skip]), why={**dialect.why, **told})
    if ragged is not None:
        dialect = replace(dialect, reading=replace(dialect.reading, ragged=ragged[0]), why={**dialect.why, "ragged": ragged[1]})
    if names is not None:
        named = source.startswith("builtin:") or format_of(source, dialect.reading) not in ("csv", "tsv")
        refuse_unused({"--columns": named}, f"the columns of {source} have names")
        reading = replace(dialect.reading, columns=list(names))
        dialect = replace(dialect, reading=reading, why={**dialect.why, "columns": "as given"}, header=False)
    table = looked_at(source, dialect.reading, most, [part for g in goals for part in (g, *g.split(","))])
    columns = examine(table)
    odd = {n: set(c.odd) for n, c in columns.items() if c.kind in ("number", "date")}
    if any(no_rows(table, columns)):
        odd = {}  # they are no values
    every = frozenset().union(*odd.values())
    values = {n: table.having(n, every | NOTHING) for n in table.columns}
    classes = _classes(table, columns, goals)
    some = {w for w in every if w in classes or any(w in found and w not in odd.get(n, ()) for n, found in values.items())}
    own = {n: sorted(words & some) for n, words in odd.items() if words & some}
    seen = NOTHING & frozenset().union(*values.values())
    words = sorted(((every - some) | seen) - set(MISSING) - classes)
    if words or own:
        strange = [f"{w!r} among the {columns[n].kind}s of {n}" for n, found in odd.items() for w in sorted(found - (PERHAPS - some))]
        told = {"missing_values": f"{', '.join(strange[:5])} is taken for a missing value"} if strange else {}
        reading = replace(dialect.reading, missing_values=[*MISSING, *words], missing_in=own)
        dialect = replace(dialect, reading=reading, why={**dialect.why, **told})
        lost = {n: w for n, found in values.items() if (w := found & {*words, *own.get(n, ())})}
        table = replace(table, columns={n: without(c, lost[n]) if n in lost else c for n, c in table.columns.items()})
        columns = {n: column(table, n) if n in lost else c for n, c in columns.items()}
    return dialect, table, columns


def _classes(table: Table, columns: dict[str, kinds.Column], goals: Sequence[str]) -> set[str]:
    """Words met so often in columns of words to predict that they are classes, whatever they stand for elsewhere."""
    named = named_targets(goals, table, columns) or [n for n in [clear_target(columns)] if n is not None]
    often = [Counter(_texts(table, n)) for n in named if columns[n].kind not in ("number", "date")]
    return {word for counts in often for word, count in counts.items() if count >= A_CLASS * counts.total()}


def _texts(table: Table, name: str) -> list[str]:
    return [] if isinstance(table.columns[name], np.ndarray) else [v for v in table.texts(name) if v is not None]


def named_targets(targets: Sequence[str], table: Table, columns: dict[str, kinds.Column]) -> list[str]:
    """Columns by their names, or by their numbers from 1 (from -1 backwards); several with commas between, unless a column is called so.

    Raises:
        LayerctlError: for a name that is no column.
    """
    out = []
    order = list(columns)
    for given in [part for whole in targets for part in _parted(whole, columns)]:
        name = given
        if given not in columns and given.lstrip("-").isdigit() and 0 < abs(int(given)) <= len(order):
            name = order[int(given) - 1 if int(given) > 0 else int(given)]
        if name not in columns:
            fail("unknown-column", f"there is no column '{given}' to predict{did_you_mean(given, columns)}", Span(Source(table.name)), hint=_listing(columns))
        if name in out:
            fail("bad-target", f"the target '{name}' is named twice", Span(Source(table.name)), hint="name each column once, by its name or its number")
        out.append(name)
    return out


def _parted(names: str, columns: dict[str, kinds.Column]) -> list[str]:
    return [names] if names in columns else [part for n in names.split(",") if (part := n.strip())]


def clear_target(columns: dict[str, kinds.Column]) -> str | None:
    """The one column that can be meant where no target is named: by its name, or the only column of words at an end of a table of numbers."""
    by_name = [c.name for c in columns.values() if c.name.lower().strip() in CLEAR]
    if len(by_name) == 1:
        return by_name[0]
    words = [c for c in columns.values() if c.kind == "category"]
    ends = {next(iter(columns)), next(reversed(columns))}
    others = any(c.kind in ("number", "text", "array") for c in columns.values())
    if len(words) == 1 and words[0].name in ends and words[0].distinct <= MOST_CATEGORIES and others:
        return words[0].name
    return None


def _clear(table: Table, columns: dict[str, kinds.Column]) -> str:
    found = clear_target(columns)
    if found is None:
        fail("no-target", "which column is to be predicted?", Span(Source(table.name)), hint=f"name it with --target; {_listing(columns)}")
    return str(found)


def _listing(columns: dict[str, kinds.Column], most: int = 30) -> str:
    shown = [f"{c.name} ({c.kind})" for c in list(columns.values())[:most]]
    return f"the columns are {', '.join(shown)}" + (f" and {len(columns) - most} more" if len(columns) > most else "")


def _with_test(target: Target, test: str, dialect: Dialect, most: int | None) -> Target:
    """The target with an ending that only the test file's labels have."""
    if target.kind == "number":
        return target
    table = looked_at(test, dialect.reading, most, [target.column])
    if target.column not in table.columns:
        fail("unknown-column", f"{test} lacks the target '{target.column}'", Span(Source(test)), hint=f"it has {', '.join(table.columns)}")
    new = {v for v in table.texts(target.column) if v is not None} - set(target.classes)
    if new and all(v.endswith(".") and v[:-1] in target.classes for v in new):
        return replace(target, strip_suffix=".")
    return target


def base_name(source: str) -> str:
    """What a model of this file is called: the file's name without endings, in letters, digits and dashes."""
    plain = source.split(":")[-1] if source.startswith("builtin:") else Path(source).name
    stem = plain.split(".")[0] or "model"
    made = "".join(c if c.isalnum() and c.isascii() else "-" for c in stem).strip("-")
    return made[:60] or "model"
