"""Templates: model files that train as they are on data that ship with layerctl, or on a user's own data put into their place."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from layerctl.commands.starting.facts import Facts, target_of
from layerctl.data.examining.kinds import Column
from layerctl.diagnostics import Source, Span, did_you_mean, fail

FOLDER = Path(__file__).with_name("templates")


def template_names() -> list[str]:
    """The templates by name."""
    return sorted(p.stem for p in FOLDER.glob("*.yaml"))


def builtin_text(template: str, name: str | None) -> str:
    """A template as it ships, with its builtin data.

    Raises:
        LayerctlError: for a name that is none.
    """
    from layerctl.source.dump import dumps

    known = template_names()
    if template not in known:
        fail("unknown-template", f"there is no template '{template}'{did_you_mean(template, known)}", Span(Source("--template")),
             hint=f"there are {', '.join(known)}")  # fmt: skip
    text = (FOLDER / f"{template}.yaml").read_text(encoding="utf-8")
    return re.sub(r"^name: .*$", lambda _: dumps({"name": name}).rstrip(), text, count=1, flags=re.MULTILINE) if name else text


def filled(template: str, facts: Facts, source: str, name: str) -> str:
    """A template with the section of data (and the number of classes) that a user's file needs; the rest of it stays as it is.

    Raises:
        LayerctlError: for a file without the columns that the template is for.
    """
    from layerctl.commands.starting.table import Draft, data_head, literal
    from layerctl.source.dump import dumps

    text = builtin_text(template, name)
    draft = Draft({})
    data = data_head(facts, source, None, draft)
    told = FILLS[template](facts)
    data.update(told["data"])
    section = dumps({"data": literal(data)}, draft.said)
    text = re.sub(r"^data:\n(?:[ #].*\n|\n)*", lambda _: section, text, count=1, flags=re.MULTILINE)
    for key, value in told.get("vars", {}).items():
        text = re.sub(rf"(?<={key}: )\w+", str(value), text, count=1)
    return text


def _cnn(facts: Facts) -> dict[str, Any]:
    arrays = [c for c in facts.inputs("array") if 2 <= len(_shape(facts, c)) <= 3]
    if arrays:
        shape = _shape(facts, arrays[0])
        columns = [arrays[0].name]
        shape = shape if len(shape) == 3 else (*shape, 1)
    else:
        columns = _pixels(facts)
        side = math.isqrt(len(columns))
        if side < 4 or side * side != len(columns):
            _needs(facts, "cnn", f"images: a column of arrays, or the columns of square images (16, 64, 784, ...); columns of numbers: {len(columns)}")
        shape = (side, side, 1)
    feature = {"columns": columns, "kind": "array", "shape": list(shape), "scale": "minmax"}
    return {"data": {"features": {"image": feature}, **_classes(facts, "cnn")}, "vars": {"classes": len(facts.targets[0].classes)}}


def _pixels(facts: Facts) -> list[str]:
    """The columns of numbers in the table's order, with those at an image's edge that never change."""
    goals = {t.column for t in facts.targets}
    even = [c.name for c in facts.inputs("constant") if facts.table.is_numeric(c.name)]
    return [n for n, c in facts.columns.items() if n not in goals and (c.kind == "number" or n in even)]


def _text(facts: Facts) -> dict[str, Any]:
    from layerctl.commands.starting.features import text_feature

    return {"data": {"features": {"words": text_feature(facts, _written(facts, "text"))}, **_classes(facts, "text")},
            "vars": {"classes": len(facts.targets[0].classes)}}  # fmt: skip


def _autoencoder(facts: Facts) -> dict[str, Any]:
    columns = [c.name for c in facts.inputs("number")]
    if len(columns) < 2:
        _needs(facts, "autoencoder", "two columns of numbers or more")
    feature = {"columns": columns, "kind": "number", "scale": "standard", "missing": "median"}
    return {"data": {"features": {"row": feature}, "target": "input", "split": {"validation": 0.1, "test": 0.1}},
            "vars": {"code": max(1, min(16, len(columns) // 3))}}  # fmt: skip


def _language(facts: Facts) -> dict[str, Any]:
    feature = {"columns": [_written(facts, "language").name], "kind": "text", "split": "characters", "length": 80}
    return {"data": {"features": {"text": feature}, "target": "next", "split": {"validation": 0.1, "test": 0.1}}}


FILLS: dict[str, Callable[[Facts], dict[str, Any]]] = {"cnn": _cnn, "text": _text, "autoencoder": _autoencoder, "language": _language}
"""What each template makes of a table; `table` and `timeseries` are chosen for the data altogether."""
UNTARGETED = ("autoencoder", "language")
"""Templates that predict no column."""


def _classes(facts: Facts, template: str) -> dict[str, Any]:
    from layerctl.commands.starting.table import target_plain

    target = facts.targets[0]
    if target.kind == "number":
        _needs(facts, template, f"classes to predict; '{target.column}' is {target.why}")
    return {"target": target_plain(target), "split": {"validation": 0.1, "test": 0.1, "stratify": True}}


def _written(facts: Facts, template: str) -> Column:
    found = facts.inputs("text")
    if not found:
        _needs(facts, template, "a column of text")
    return found[0]


def _shape(facts: Facts, column: Column) -> tuple[int, ...]:
    return tuple(int(d) for d in facts.table.columns[column.name].shape[1:])


def _needs(facts: Facts, template: str, what: str) -> None:
    listed = ", ".join(f"{c.name} ({c.kind})" for c in list(facts.columns.values())[:20])
    fail("template-data", f"the template '{template}' needs {what}", Span(Source(facts.source)), hint=f"the columns are {listed}")


def facts_without_target(source: str, columns: Sequence[str] | None, most: int | None = None) -> Facts:
    """A table for a template that predicts no column."""
    from layerctl.commands.starting.gathering import opened

    dialect, table, found = opened(source, columns, most=most)
    return Facts(source, dialect, table, found, ())


def facts_with_classes(source: str, goals: Sequence[str], columns: Sequence[str] | None, most: int | None = None) -> Facts:
    """A table whose target is taken for classes, whatever it is written as."""
    from layerctl.commands.starting.gathering import gather

    found = gather(source, goals, None, columns, most=most)
    target = found.targets[0]
    if target.kind == "number" and found.columns[target.column].distinct <= 1000:
        again = target_of(found.table, found.columns[target.column], "classes")
        return Facts(found.source, found.dialect, found.table, found.columns, (again,))
    return found
