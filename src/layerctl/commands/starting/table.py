"""The file for a table: every section, with comments that say what was found and what may be changed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from layerctl.commands.starting.facts import Facts, Target
from layerctl.commands.starting.features import Inputs, inputs_of
from layerctl.commands.starting.models import WATCHED, bends, compile_of, fit_of, layers_of, size_of
from layerctl.diagnostics import Source, Span, fail
from layerctl.spec.data import MISSING

Path = tuple[str | int, ...]
HELD_SHARE, HELD_OF_WORDS = 0.05, 0.1
"""The share of rows held back to say when training ends, or of fewer rows to tell how it goes; and where texts, arrays or a series are read."""


@dataclass
class Draft:
    """A model file before it is text: plain data and comments by path; `notes` are told to the user."""

    plain: dict[str, Any]
    said: dict[Path, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


def table_draft(facts: Facts, name: str, source: str, shares: tuple[float | None, float | None], test: str | None = None) -> Draft:
    """A model for the targets of a table. `shares` are the parts held back for validation and test; `test` a file in place of the latter.

    Raises:
        LayerctlError: if no column is left to predict from.
    """
    inputs = inputs_of(facts)
    if not inputs.features:
        reasons = "; ".join(f"{n}: {why}" for n, why in inputs.left_out.items())
        fail("no-features", f"no column is left to predict from{f' ({reasons})' if reasons else ''}", Span(Source(facts.source)),
             hint="add a column that differs from row to row and says something of the target")
    words = bool(inputs.texts or inputs.arrays)
    shares = shares_of(facts.rows, shares, words)
    rows = round(facts.rows * (1 - shares[0] - shares[1]))
    size = size_of(rows, inputs.width, shares[0], max(len(t.classes) for t in facts.targets), words, any(t.lopsided_up for t in facts.targets))
    items, outputs, told = layers_of(facts, inputs, size)
    draft = Draft({"layerctl": 1, "name": name, "seed": 1})
    draft.plain["data"] = literal(_data(facts, inputs, outputs, source, shares, test, draft))
    draft.plain["model"] = {"layers": items, "outputs": outputs}
    for i, item in enumerate(items):
        if item.get("name") in told:
            draft.said["model", "layers", i] = told[item["name"]]
    draft.plain["compile"] = compile_of(facts, outputs, size, bool(inputs.parts))
    draft.plain["fit"] = fit_of(size)
    if any(bends(t, size) for t in facts.targets):
        draft.said["compile", "loss"] = "some values are far to one side: errors beyond one deviation count as they are, not squared"
    if size.far:
        draft.said["fit", "epochs"] = "all epochs: some values are so far above the others that a few held-back rows tell nothing of when to end"
    if size.patience:
        draft.said["compile", "optimizer"] = "weights are held small and averaged over the last steps; what leads straight to the output learns faster"
        draft.said["fit", "callbacks"] = (
            "validation sees the weights' running means, which swing less; a smaller rate when it gets no better, then the end, and the best weights back"
        )
    return draft


def shares_of(rows: int, given: tuple[float | None, float | None], words: bool) -> tuple[float, float]:
    """The shares held back for validation and for the test, where they are not given: none for a test, and of few rows none at all, whose scores
    would be chance and which are missed in training."""
    validation, test = given
    usual = 0.0 if rows < WATCHED else HELD_OF_WORDS if words else HELD_SHARE
    return (usual if validation is None else validation), (test or 0.0)


def data_head(facts: Facts, source: str, test: str | None, draft: Draft) -> dict[str, Any]:
    """Where rows come from and how they are read."""
    dialect = facts.dialect
    out: dict[str, Any] = {"source": source if test is None else {"train": source, "test": test}, **dialect.settings()}
    if "columns" in out and not dialect.header:
        draft.said["data", "columns"] = f"the file has no header ({dialect.why.get('columns', '')}): name the columns as you like, here and below"
    for key in ("columns", "delimiter", "quote", "escape", "comment", "skip", "wrapped", "widths", "ragged", "decimal", "encoding", "format"):
        if key in out and key in dialect.why and ("data", key) not in draft.said:
            draft.said["data", key] = dialect.why[key]
    if skip := dialect.reading.skip:
        draft.notes.append(f"passed over as no rows: {', '.join(repr(line[:60]) for line in skip[:5])}{', …' if len(skip) > 5 else ''}")
    if dialect.reading.ragged != "error":
        draft.notes.append(dialect.why["ragged"])
    if facts.dialect.reading.format not in ("npz",) and not facts.source.startswith("builtin:"):
        out["missing_values"] = list(dialect.reading.missing_values)
        if set(dialect.reading.missing_values) - set(MISSING):
            draft.said["data", "missing_values"] = "what stands for a missing value in this file"
        if set(dialect.reading.missing_values) - set(MISSING) or dialect.reading.missing_in:
            draft.notes.extend([told] if (told := dialect.why.get("missing_values")) else [])
    return out


def _data(facts: Facts, inputs: Inputs, outputs: list[str], source: str, shares: tuple[float, float], test: str | None, draft: Draft) -> dict[str, Any]:
    out = data_head(facts, source, test, draft)
    out["features"], dialect = inputs.features, facts.dialect.reading
    if inputs.left_out:
        left = "\n".join(f"{n} is left out: {why}" for n, why in inputs.left_out.items())
        draft.said["data", "features"] = left
        draft.notes.extend(left.split("\n"))
    seen = f"{len(facts.table)} rows{' looked at' if facts.table.whole else ''}"
    draft.notes.extend(f"{t.column}: {n} of {seen} are without it, and left out" for t in facts.targets if (n := facts.columns[t.column].missing))
    draft.notes.extend(giving_away(facts))
    for feature, text in inputs.said.items():
        draft.said["data", "features", feature] = text
    goals = {o: target_plain(t, dialect.missing_in.get(t.column)) for o, t in zip(outputs, facts.targets, strict=True)}
    single = len(goals) == 1
    out["target"] = goals[outputs[0]] if single else goals
    draft.said["data", "target"] = "; ".join(f"{t.column}: {t.why}" for t in facts.targets)
    out["split"], draft.said["data", "split"] = split_of(facts, shares if test is None else (shares[0], 0.0))
    return out


def giving_away(facts: Facts) -> Iterator[str]:
    """What to know of each column that tells a target by itself: it follows from it, or is known too late, more often than not."""
    from layerctl.data.examining.leaks import findings

    goals = {t.column for t in facts.targets}
    for target in facts.targets:
        columns = {n: c for n, c in facts.columns.items() if n == target.column or (c.usable and n not in goals)}
        for found in findings(facts.table, columns, target.column, target.kind != "number"):
            if found.severity == "error":
                yield f"{found.message}; {found.hint}"


def literal(value: Any) -> Any:
    """Plain data in which `${` is text: columns and words may be called anything."""
    if isinstance(value, dict):
        return {k: literal(v) for k, v in value.items()}
    if isinstance(value, list):
        return [literal(v) for v in value]
    return value.replace("${", "$${") if isinstance(value, str) else value


def target_plain(target: Target, missing: list[str] | None = None) -> dict[str, Any]:
    """A target's entry; `missing` are words that stand for a missing value in its column alone."""
    out: dict[str, Any] = {"column": target.column, "kind": "number" if target.kind == "number" else "category"}
    if target.kind == "number":
        out["scale"] = "standard"
        if target.strip:
            out["strip"] = target.strip
        if target.units:
            out["units"] = dict(target.units)
    elif target.truth:
        out["kind"] = "binary"
    elif len(target.classes) <= 100:
        out["classes"] = list(target.classes)
    if target.ignore_case:
        out["ignore_case"] = True
    if target.strip_suffix:
        out["strip_suffix"] = target.strip_suffix
    if missing:
        out["missing_values"] = missing
    return {**out, "missing": "drop"} if target.incomplete else out


def split_of(facts: Facts, shares: tuple[float, float]) -> tuple[dict[str, Any], str]:
    """(the split, why it is so): by time where the rows stand in a date's order, else stratified by the classes, else at random."""
    held: dict[str, Any] = {"validation": shares[0], **({"test": shares[1]} if shares[1] else {})}
    ordered = [c for c in facts.inputs("date") if in_order(facts, c.name)]
    if ordered:
        return {**held, "by": "time"}, f"the rows stand in the order of {ordered[0].name}: the last ones are held back"
    if len(facts.targets) == 1 and facts.targets[0].kind != "number":
        return {**held, "stratify": True}, "each part has the classes in equal shares"
    return {**held, "by": "random"}, "at random, the same rows for the same seed"


def in_order(facts: Facts, name: str) -> bool:
    """Whether a date column rises from row to row, and hardly a date stands twice."""
    from itertools import pairwise

    from layerctl.data.dates import read_date

    forms = facts.columns[name].formats
    values = [v for v in facts.table.texts(name) if v is not None]
    days = [day.replace(tzinfo=None) for v in values if (day := read_date(v, forms)) is not None]
    return len(days) > 10 and all(a <= b for a, b in pairwise(days)) and len(set(days)) > 0.5 * len(days)
