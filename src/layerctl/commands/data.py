"""`layerctl data`: what a file of data holds, and what is wrong with it, before anything is trained on it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from layerctl.data.examining.kinds import Column
from layerctl.diagnostics import Diagnostic, LayerctlError, Source, Span, did_you_mean, fail

if TYPE_CHECKING:
    from layerctl.data.examining.rows import Part
    from layerctl.data.table import Table
    from layerctl.spec.data import DataSpec

_READING = ("data-", "file-encoding", "file-binary", "file-empty")
"""Codes of what a reader finds in a file, in contrast to a file that cannot be read at all."""


@dataclass(frozen=True)
class Report:
    """What was found: how the file is written and why, its columns, the targets (and whether they are classes), rows by part, how many rows
    were looked at."""

    source: str
    rows: int
    dialect: Mapping[str, Any]
    why: Mapping[str, str]
    columns: list[Column]
    targets: Mapping[str, bool]
    parts: Mapping[str, int]
    findings: list[Diagnostic] = field(default_factory=list)
    looked_at: int = 0

    @property
    def errors(self) -> int:
        """How many of the findings are errors."""
        return sum(d.severity == "error" for d in self.findings)


def look(source: str, *, target: str | None = None, columns: Sequence[str] | None = None, rows: int | None = None) -> Report:
    """Looks at a file of data, of which about `rows` rows are looked at, or at the data section of a model file, a run or a trained model.

    Raises:
        LayerctlError: for what is not there or cannot be read at all, and for targets that are no columns.
    """
    from layerctl.commands.unused import refuse_unused
    from layerctl.modelfile.finding import is_model

    if not source.startswith("builtin:") and (Path(source).suffix.lower() in (".yaml", ".yml") or is_model(source)):
        refuse_unused({"--columns": columns is not None}, "the model's file says how its data are read",
                      {"--columns": "leave it out, or give the file of data itself"})  # fmt: skip
        refuse_unused({"--rows": rows is not None}, "a model's rows are all looked at", {"--rows": "leave it out, or give the file of data itself"})
        return _of_model(source, target)
    return _of_file(source, target, columns, rows)


def _of_file(source: str, target: str | None, names: Sequence[str] | None, most: int | None) -> Report:
    from layerctl.commands.starting.gathering import clear_target, named_targets, opened
    from layerctl.data.examining.dialect import guess

    try:
        dialect, table, columns = opened(source, names, most=most)
    except LayerctlError as error:
        found = _readers(error)
        dialect = guess(source) if found[0].code not in ("file-empty", "data-title", "data-quoted-lines") else None
        return Report(source, 0, dialect.settings() if dialect else {}, dialect.why if dialect else {}, [], {}, {}, found)
    goals = named_targets([target], table, columns) if target else [g] if (g := clear_target(columns)) else []
    judged = {g: _is_classes(table, columns[g]) for g in goals}
    findings = list(_findings(table, columns, judged))
    return Report(source, table.whole or len(table), dialect.settings(), dialect.why, list(columns.values()), judged, {}, findings, len(table))


def _readers(error: LayerctlError) -> list[Diagnostic]:
    """What a reader found in a file, as findings.

    Raises:
        LayerctlError: the error itself, where there is no file to look at.
    """
    if not all(d.code.startswith(_READING) for d in error.diagnostics):
        raise error
    return list(error.diagnostics)


def _is_classes(table: Table, column: Column) -> bool:
    from layerctl.commands.starting.facts import target_of

    try:
        return target_of(table, column).kind != "number"
    except ValueError:
        return column.kind not in ("number", "array")


def _findings(table: Table, columns: Mapping[str, Column], targets: Mapping[str, bool], used: frozenset[str] | None = None) -> Iterator[Diagnostic]:
    """What is to be told of a table; `used` are the columns that a model takes, all if None."""
    from layerctl.data.examining import columns as in_columns
    from layerctl.data.examining import leaks, rows

    wanted = {n: c for n, c in columns.items() if used is None or n in used or n in targets}
    one_class = {n for n, is_classes in targets.items() if is_classes and columns[n].kind == "constant"}
    yield from in_columns.findings(table, {n: c for n, c in wanted.items() if n not in one_class}, frozenset(targets))
    yield from rows.no_rows(table, columns)
    yield from rows.duplicates(table, [c.name for c in columns.values() if c.kind != "id"])
    for name, is_classes in targets.items():
        if is_classes and columns[name].kind != "empty":
            yield from rows.classes(table, columns[name])
        if columns[name].kind in ("empty", "constant"):
            continue
        yield from leaks.findings(table, {n: c for n, c in wanted.items() if n == name or n not in targets}, name, is_classes)


def _of_model(source: str, target: str | None) -> Report:
    from layerctl.data.examining.kinds import examine
    from layerctl.data.examining.rows import across, unseen

    spec, folder, seed, hints, span = _section(source)
    try:
        tables = _tables(spec, folder)
    except LayerctlError as error:
        return Report(source, 0, _settings(spec), {}, [], {}, {}, _readers(error))
    tables = _as_encoded(tables, spec)
    table = tables["train"]
    columns = examine(table)
    targets = {t.column: _judged(t.kind, hints.get(o), table, columns, t.column) for o, t in spec.targets().items() if t.column in columns}
    if target is not None:
        targets = {n: _is_classes(table, columns[_known(n, table)]) for n in target.split(",")}
    used = None if any(f.columns is None for f in spec.features.values()) else frozenset(c for f in spec.features.values() for c in f.columns or ())
    findings = list(_findings(table, columns, targets, used))
    parts, failed = _parts(spec, folder, seed, hints, span, tables)
    findings += failed
    if len(parts) > 1:
        judged = {n: c for n, c in columns.items() if used is None or n in used or n in targets}
        findings += [*across(parts, _taken(spec, table, span)), *unseen(parts, judged, targets)]
    sizes = {p.name: len(p.rows) for p in parts}
    return Report(source, len(table), _settings(spec), {}, list(columns.values()), targets, sizes, findings, len(table))


def _section(source: str) -> tuple[DataSpec, Path, int, dict[str, str | None], Any]:
    """(the data section, the folder that its paths start from, the seed, the kinds of target that losses want, places in the section)."""
    from layerctl.api import folder_of, origin_of
    from layerctl.graph.judging import target_hints
    from layerctl.modelfile.artifact import read_model
    from layerctl.modelfile.finding import find_model
    from layerctl.source.read import load, loads
    from layerctl.spec.file import read_spec

    if Path(source).suffix.lower() in (".yaml", ".yml"):
        document = load(source)
        spec, folder = read_spec(document), folder_of(document)
    else:
        file = find_model(source)
        spec, folder = read_spec(loads(read_model(file).yaml, f"{file} (its YAML)")), origin_of(file)
    if spec.data is None:
        fail("missing-section", "the file has no 'data' section", Span(Source(source)), hint="say under `data:` what to train on")
    return spec.data, folder, spec.seed, target_hints(spec), spec.data_span


def _known(name: str, table: Table) -> str:
    if name not in table.columns:
        fail("unknown-column", f"there is no column '{name}' to predict{did_you_mean(name, table.columns)}", Span(Source(table.name)),
             hint=f"the columns are {', '.join(list(table.columns)[:30])}")  # fmt: skip
    return name


def _judged(kind: str | None, hint: str | None, table: Table, columns: Mapping[str, Column], name: str) -> bool:
    return (kind or hint) == "category" if kind or hint else _is_classes(table, columns[name])


def _settings(spec: DataSpec) -> dict[str, Any]:
    from layerctl.data.examining.dialect import Dialect

    return Dialect(spec.reading()).settings()


def _tables(spec: DataSpec, folder: Path) -> dict[str, Table]:
    from layerctl.data.readers import read_table

    if isinstance(spec.source, str):
        return {"train": read_table(spec.source, spec.reading(), folder)}
    files = {"train": spec.source.train, "validation": spec.source.validation, "test": spec.source.test}
    return {part: read_table(name, spec.reading(), folder) for part, name in files.items() if name is not None}


def _as_encoded(tables: dict[str, Table], spec: DataSpec) -> dict[str, Table]:
    """The tables with one spelling of each word in columns of which capital letters do not count."""
    from layerctl.data.columns import as_spelled, one_spelling

    names = {n for name, f in spec.features.items() if f.ignore_case for n in f.columns or (name,)}
    names |= {n for t in spec.targets().values() if t.ignore_case for n in t.names()}
    out = dict(tables)
    for n in names & set(tables["train"].columns):
        best = one_spelling(Counter(v for v in tables["train"].texts(n) if v is not None))[0]
        for part, table in out.items():
            if n in table.columns:
                out[part] = replace(table, columns={**table.columns, n: as_spelled(table.texts(n), best)})
    return out


def _parts(spec: DataSpec, folder: Path, seed: int, hints: dict[str, str | None], span: Any, tables: dict[str, Table]) -> tuple[list[Part], list[Diagnostic]]:
    """The parts as training would have them, and what stands in the way of it."""
    from layerctl.data.dataset import complete, load
    from layerctl.data.examining.rows import Part
    from layerctl.data.features import columns_of

    try:
        data = load(spec, seed, span, folder, hints)
        kept = complete(spec, tables["train"], columns_of(spec, tables["train"], span))
    except LayerctlError as error:
        whole = [Part(p, t, np.arange(len(t))) for p, t in tables.items()]
        return (whole if len(whole) > 1 else []), list(error.diagnostics)
    if spec.split.by == "time" or any(f.window is not None for f in spec.features.values()):
        return [], []
    out = []
    for part in ("train", "validation", "test"):
        rows = getattr(data, part)
        if part != "train" and part in tables:
            out.append(Part(part, tables[part], np.arange(len(tables[part]))))
        elif rows is not None:
            out.append(Part(part, tables["train"], kept[rows.row_numbers]))
    return out, []


def _taken(spec: DataSpec, table: Table, span: Any) -> list[str] | None:
    """The columns of the features and targets, not those that rows are split or told apart by; None where they are not there."""
    from layerctl.data.features import columns_of

    try:
        features = columns_of(spec, table, span)
    except LayerctlError:
        return None
    return list(dict.fromkeys([*(c for names in features.values() for c in names), *(n for t in spec.targets().values() for n in t.names())]))


def plain(report: Report) -> dict[str, Any]:
    """A report as data."""
    columns = [{"name": c.name, "kind": c.kind, "why": c.why, "missing": c.missing, "distinct": c.distinct,
                "format": c.formats[0] if len(c.formats) == 1 else list(c.formats) or None,
                "most_frequent": [{"value": v, "rows": n} for v, n in c.counts[:5]], "low": c.low, "high": c.high} for c in report.columns]  # fmt: skip
    return {
        "event": "data", "source": report.source, "rows": report.rows, "looked_at": report.looked_at, "dialect": dict(report.dialect), "why": dict(report.why),
        "targets": {n: "classes" if c else "number" for n, c in report.targets.items()}, "parts": dict(report.parts), "columns": columns,
        "errors": report.errors, "warnings": len(report.findings) - report.errors, "findings": [d.as_dict() for d in report.findings],
    }  # fmt: skip
