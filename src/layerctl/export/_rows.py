"""Rows of data as text, and what layerctl predicts for them: what an exported program is compared with."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from layerctl.data.dataset import complete
from layerctl.data.features import spread
from layerctl.data.measures import written
from layerctl.data.pieces import pieces
from layerctl.data.readers import read_table
from layerctl.data.table import Table
from layerctl.diagnostics import LayerctlError, Source, Span, fail
from layerctl.export.base import DIFFERS, Traced, answers_of, dialect_of, held_back_rows, plain_reading
from layerctl.ops.value import DTYPES
from layerctl.predicting.lines import field
from layerctl.temporary import scratch_folder

MOST = 64
TOLERANCE = 1e-5
"""How far a number may be from layerctl's, relative to the largest of its column."""


def sample(traced: Traced, most: int = MOST) -> tuple[str, int]:
    """(a table's text, its rows): held-back rows of the model's data, or rows made up where the data cannot be read."""
    table, dialect = table_for(traced, most), dialect_of(traced.model)
    names, values = _texts(traced, table, next(iter(sorted(dialect.missing)), ""))
    if dialect.columns is not None:
        order = [names.index(n) for n in dialect.columns if n in names]
        names, values = [names[i] for i in order], [values[i] for i in order]
    out = io.StringIO()
    quote = dialect.quote
    quoting = csv.QUOTE_NONE if not quote else csv.QUOTE_ALL if dialect.comment or dialect.runs else csv.QUOTE_MINIMAL
    writer = csv.writer(out, delimiter=dialect.delimiter, quotechar=quote, escapechar=dialect.escape, lineterminator="\n", quoting=quoting)
    clean = [[_plain(v, dialect) for v in column] for column in values]
    spec = traced.model.spec.data
    goals = {n for t in spec.targets().values() for n in t.names()} if spec is not None else set()
    if dialect.columns is None or names not in (list(dialect.columns), [n for n in dialect.columns if n not in goals]):
        writer.writerow(names)
    rows = [r for r in zip(*clean, strict=True) if any(r)]
    writer.writerows(rows)
    return out.getvalue(), len(rows)


def table_for(traced: Traced, most: int) -> Table:
    """Rows as a table: held back, or made up."""
    table = _held_back(traced, most)
    if table is None:
        table = _encoded(traced, most) if traced.model.schema is None else _made_up(traced)
    return table


def _plain(text: str, dialect: Any) -> str:
    """A text that a file without quotes can hold, and numbers with the file's decimal sign."""
    if dialect.decimal == "," and text.replace(".", "").replace("-", "").isdigit():
        text = text.replace(".", ",")
    return text if dialect.quote else " ".join(text.replace(dialect.delimiter, " ").split("\n"))


def _held_back(traced: Traced, most: int) -> Table | None:
    model = traced.model
    spec = model.spec.data
    if spec is None:
        return None
    files = not isinstance(spec.source, str)
    try:
        data = model.data
        source = (spec.source.test or spec.source.validation or spec.source.train) if files else spec.source
        table = read_table(source, spec.reading(), model.folder)
    except LayerctlError:
        return None
    window = next((f.length for f in traced.features.values() if f.kind == "window"), None)
    if window is not None:
        first = max(0, len(table) - most - window)
        return table.take(np.arange(first, len(table)))
    if any(f.missing == "drop" for f in spec.features.values()) or any(t.missing == "drop" for t in spec.targets().values()):
        keep = complete(spec, table, {n: [c.name for c in f.columns] for n, f in traced.features.items()})
        table = table.take(keep)
    part = data.test or data.validation or data.train
    rows = np.arange(min(most, len(table))) if files else part.row_numbers[:most]
    return table.take(rows)


def _made_up(traced: Traced) -> Table:
    """Rows that the features can take: numbers around their centre, words that training knew and one that it did not."""
    rng = np.random.default_rng(0)
    rows, made = 40, {}
    for fit in traced.features.values():
        for c in fit.columns:
            if c.kind in ("vector", "sequence"):
                size = int(np.prod(fit.shape))
                made[c.name] = [" ".join(f"{v:.6g}" for v in rng.normal(c.centre, c.spread, size)) for _ in range(rows)]
            elif fit.kind == "text":
                words = np.array([*c.words[:50], "zebra"])
                made[c.name] = [" ".join(rng.choice(words, 7).tolist()) for _ in range(rows)]
            elif c.kind == "number" and fit.kind == "array" and len(fit.columns) == 1:
                made[c.name] = rng.normal(fit.columns[0].centre, fit.columns[0].spread, (rows, *fit.shape))
            elif c.kind == "number":
                bounds = (c.low, c.high) if c.outlying == "error" else (None, None)
                values = np.clip(rng.normal(c.centre, c.spread, rows), *bounds)
                made[c.name] = [written(v, c.units) for v in values.tolist()] if c.units else values
            elif c.kind == "date":
                form = c.format or (c.formats[0] if c.formats else "%Y-%m-%d")
                made[c.name] = [_day(c.centre + c.spread * v, form) for v in rng.normal(size=rows)]
            else:
                other = ["zebra"] if c.unseen != "error" else []
                made[c.name] = rng.choice(np.array([*c.words, *c.aliases, *other]), rows).tolist()
    return Table("made up", made)


def _day(number: float, form: str) -> str:
    import datetime

    day = datetime.date.fromordinal(int(min(max(number, 1), 3_652_059)))
    return day.strftime(form.replace("%q", str((day.month + 2) // 3)))


def _encoded(traced: Traced, most: int) -> Table:
    return Table("made up", {traced.features[n].columns[0].name if n in traced.features else n: a for n, a in held_back_rows(traced.model, most).items()})


def _texts(traced: Traced, table: Table, missing: str) -> tuple[list[str], list[list[str]]]:
    """(names, values) of the columns; arrays are spread over one column for each number."""
    arrays = {f.columns[0].name: spread(f) for f in traced.features.values() if f.kind == "array" and len(f.columns) == 1}
    names: list[str] = []
    values: list[list[str]] = []
    for n, column in table.columns.items():
        if isinstance(column, np.ndarray) and n in arrays:
            flat = column.reshape(len(column), -1).astype(np.int32 if column.dtype == bool else column.dtype)
            names += arrays[n]
            values += [[repr(v) for v in flat[:, j].tolist()] for j in range(flat.shape[1])]
        elif isinstance(column, np.ndarray) and column.ndim > 1:
            continue
        elif isinstance(column, np.ndarray) and column.dtype.kind == "f" and not (column == np.round(column)).all():
            names.append(n)
            values.append([repr(v) if v == v else missing for v in column.tolist()])
        else:
            names.append(n)
            values.append([missing if v is None else v for v in table.texts(n)])
    return names, values


def own(traced: Traced, text: str) -> list[list[str]]:
    """What `layerctl predict` writes for a table: the columns' names, then the rows."""
    model = traced.model
    dialect, spec = dialect_of(model), model.spec.data
    made: dict[str, list[Any]] = {}
    if spec is None:
        rows = list(csv.reader(io.StringIO(text)))
        flat = np.array([[float(v) for v in r] for r in rows[1:]], np.float64)
        inputs, at = {}, 0
        for n, v in traced.inputs.items():
            size = int(np.prod(v.shape[1:], dtype=int))
            inputs[n] = flat[:, at : at + size].reshape(len(flat), *map(int, v.shape[1:])).astype(DTYPES[v.dtype])
            at += size
        found = model.predict(inputs)
        told = answers_of(model).columns(found if isinstance(found, dict) else {model.graph.outputs[0]: found})
        made = {n: c.tolist() for n, c in told.items()}
    else:
        reading = replace(plain_reading(spec), delimiter=dialect.delimiter, encoding="utf-8", format="csv")
        with scratch_folder() as folder:
            path = Path(folder) / "rows.csv"
            path.write_text(text, encoding="utf-8", newline="")
            found = pieces(path, model.schema, reading, 4096)
            for piece in answers_of(model).stream(found, lambda rows, _: model.session(rows).predict(rows, 256)):
                for n, column in piece.columns.items():
                    made.setdefault(n, []).extend(column)
    return [list(made), *([field(v) for v in r] for r in zip(*made.values(), strict=True))]


def compare(traced: Traced, path: Path, run: Callable[[str], str]) -> tuple[int, float]:
    """(rows, difference) of a program beside `layerctl predict`: `run` gives what it writes for a table.

    Raises:
        LayerctlError: `export-differs`.
    """
    text, rows = sample(traced)
    found = difference(own(traced, text), list(csv.reader(io.StringIO(run(text)))))
    if not found <= TOLERANCE:
        what = "they are other rows, or other classes" if found == float("inf") else f"by {found:.2g} of their scale"
        text = f"the exported program's predictions differ from layerctl's: {what}; nothing was written"
        fail("export-differs", text, Span(Source(str(path))), hint=DIFFERS)
    return rows, found


def difference(ours: list[list[str]], theirs: list[list[str]]) -> float:
    """The largest difference of a number relative to its column's scale; infinite where texts, names or rows differ."""
    if not ours or [len(r) for r in ours] != [len(r) for r in theirs] or ours[0] != theirs[0]:
        return float("inf")
    worst = 0.0
    for a, b in zip(zip(*ours[1:], strict=True), zip(*theirs[1:], strict=True), strict=True):
        pairs = [(_number(x), _number(y)) for x, y in zip(a, b, strict=True)]
        numbers = [(x, y) for x, y in pairs if isinstance(x, float) and isinstance(y, float)]
        if any(p not in numbers and p[0] != p[1] for p in pairs):
            return float("inf")
        scale = max((abs(x) for x, _ in numbers if np.isfinite(x)), default=1.0)
        worst = max([worst, *(abs(x - y) / max(scale, 1e-6) for x, y in numbers if x != y and not (np.isnan(x) and np.isnan(y)))])
    return worst


def _number(text: str) -> float | str:
    try:
        return float(text)
    except ValueError:
        return text
