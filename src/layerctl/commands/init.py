"""`layerctl init`: a model file for a file of data, or from a template."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from layerctl.diagnostics import Source, Span, fail

LOOKED = "looked at {some} of {rows} rows, from all over the file, those with new words among them"


@dataclass(frozen=True)
class Started:
    """The file that was written, what it predicts, how many rows there are and were looked at, and what was found on the way."""

    path: Path | None
    text: str
    targets: tuple[str, ...]
    rows: int
    notes: list[str] = field(default_factory=list)
    looked_at: int = 0


def init(
    source: str | None, *, target: str | None = None, out: str | None = None, wanted: str | None = None, columns: Sequence[str] | None = None,
    template: str | None = None, test: str | None = None, validation: float | None = None, held: float | None = None,
    name: str | None = None, force: bool = False, rows: int | None = None,
) -> Started:  # fmt: skip
    """Writes a model file for `source`, of which about `rows` rows are looked at.

    Raises:
        LayerctlError: for a file that cannot be read, targets that are not there, and files that are there already, unless `force`.
    """
    from layerctl.commands.starting.templates import builtin_text
    from layerctl.modelfile.atomic import write
    from layerctl.temporary import clean_stale

    _check_options(source, template, {
        "--target": bool(target), "--as": wanted is not None, "--columns": columns is not None, "--test": test is not None or held is not None,
        "--validation": validation is not None, "--rows": rows is not None,
    }, wanted)  # fmt: skip
    path = Path(out) if out else None
    if path is not None and path.exists() and not force:
        fail(
            "file-exists",
            f"'{path}' is there already",
            Span(Source(str(path))),
            hint="give another name with --out, or --force",
        )
    from layerctl.commands.schema import SHIPPED, modeline

    folder = path.parent if path is not None else Path()
    goals = [target] if target else []
    if source is None:
        made = Started(None, builtin_text(template or "table", name), (), 0)
    elif template not in (None, "table", "timeseries"):
        made = _of_template(str(template), source, goals, columns, name, folder, rows)
    else:
        made = _of_data(source, goals, wanted, columns, template, test, (validation, held), name, folder, rows)
    text = f"{modeline(SHIPPED.name if path is None else schema_name(folder))}\n{made.text}"
    if path is not None:
        clean_stale(path.parent)
        write(path, [text.encode()])
    return Started(path, text, made.targets, made.rows, made.notes, made.looked_at)


def _check_options(source: str | None, template: str | None, given: dict[str, bool], wanted: str | None) -> None:
    """Whether options were given that change nothing in what is written.

    Raises:
        LayerctlError: `bad-option`.
    """
    from layerctl.commands.starting.templates import UNTARGETED
    from layerctl.commands.unused import refuse_unused

    if source is None:
        refuse_unused(given, "a template comes with its own data", dict.fromkeys(given, "name a file of data: layerctl init data.csv --template NAME"))
    elif template == "timeseries":
        refuse_unused({"--as classes": wanted == "classes"}, "a series predicts a number")
    elif template not in (None, "table"):
        refuse_unused({k: v for k, v in given.items() if k in ("--as", "--test", "--validation")}, f"the template {template} says it itself",
                      dict.fromkeys(given, "leave it out and change the file that is written"))  # fmt: skip
        refuse_unused({"--target": given["--target"] and template in UNTARGETED}, f"the template {template} predicts its own input")


def _of_data(
    source: str, goals: Sequence[str], wanted: str | None, columns: Sequence[str] | None, template: str | None, test: str | None,
    shares: tuple[float | None, float | None], name: str | None, folder: Path, most: int | None,
) -> Started:  # fmt: skip
    from layerctl.commands.starting.gathering import base_name, gather
    from layerctl.commands.starting.series import is_series, series_draft
    from layerctl.commands.starting.table import table_draft
    from layerctl.source.dump import dumps, printable

    facts = gather(source, goals, "number" if template == "timeseries" else wanted, columns, test, most)
    draft_of = series_draft if template == "timeseries" or (template is None and is_series(facts)) else table_draft
    draft = draft_of(
        facts,
        name or base_name(source),
        relative(source, folder),
        shares,
        None if test is None else relative(test, folder),
    )
    chosen = (
        []
        if goals
        else [f"nothing was said of the target: {facts.targets[0].column} it is, the only column that can be meant"]
    )
    head = f"# {printable(', '.join(t.column for t in facts.targets))} from {base_name(source)}: {facts.rows} rows, {len(facts.columns)} columns.\n"
    if facts.table.whole:
        head += f"# {LOOKED.format(some=len(facts.table), rows=facts.rows)}: what is said below is said of these.\n"
        chosen.append(f"{LOOKED.format(some=len(facts.table), rows=facts.rows)} (`--rows all` takes all)")
    return Started(
        None,
        head + dumps(draft.plain, draft.said),
        tuple(t.column for t in facts.targets),
        facts.rows,
        [*chosen, *draft.notes],
        len(facts.table),
    )


def _of_template(
    template: str, source: str, goals: Sequence[str], columns: Sequence[str] | None, name: str | None, folder: Path, most: int | None
) -> Started:
    from layerctl.commands.starting import templates
    from layerctl.commands.starting.gathering import base_name

    templates.builtin_text(template, None)
    facts = (
        templates.facts_without_target(source, columns, most)
        if template in templates.UNTARGETED
        else templates.facts_with_classes(source, goals, columns, most)
    )
    text = templates.filled(template, facts, relative(source, folder), name or base_name(source))
    return Started(None, text, tuple(t.column for t in facts.targets), facts.rows, looked_at=len(facts.table))


def schema_name(folder: Path) -> str:
    """What editors find the file format's schema by, from a model file in `folder`: a copy beside it of the schema that ships with layerctl."""
    from layerctl.commands.schema import SHIPPED
    from layerctl.modelfile.atomic import write

    if not (folder / SHIPPED.name).exists():
        write(folder / SHIPPED.name, [SHIPPED.read_bytes()])
    return f"./{SHIPPED.name}"


def relative(source: str, folder: Path) -> str:
    """A file's name as a model file in `folder` says it."""
    if source.startswith("builtin:") or os.path.isabs(source):
        return source
    return os.path.relpath(source, folder)
