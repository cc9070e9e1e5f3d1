"""The options of `layerctl data`, and its report as text."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from layerctl.cli.options import Json, Rows, number_of_rows
from layerctl.diagnostics import ExitCode

if TYPE_CHECKING:
    from layerctl.commands.data import Report
    from layerctl.data.examining.kinds import Column


def data_command(
    source: Annotated[
        str,
        typer.Argument(metavar="FILE_OR_MODEL", help="A file of data, a model file, a run's folder, or builtin:NAME."),
    ],
    target: Annotated[
        str | None,
        typer.Option(
            "--target",
            "-t",
            metavar="NAME",
            help="The column to predict; several with commas; a number counts columns.",
        ),
    ] = None,
    columns: Annotated[
        str | None,
        typer.Option("--columns", metavar="NAMES", help="Names for the columns of a file without a header: a,b,c."),
    ] = None,
    rows: Rows = None,
    as_json: Json = False,
) -> None:
    """Look at data before training: kinds of columns, what is wrong and what to do; exit 1 if there are errors."""
    from layerctl.cli import output
    from layerctl.commands.data import look, plain

    report = look(source, target=target, columns=columns.split(",") if columns else None, rows=number_of_rows(rows))
    if as_json:
        output.emit(plain(report))
    else:
        print(_text(report))
    if report.errors:
        raise typer.Exit(ExitCode.BELOW_THRESHOLD)


def _text(report: Report) -> str:
    from layerctl.cli.render import table
    from layerctl.commands.init import LOOKED

    parts = ", ".join(f"{n:,} for {p}" for p, n in report.parts.items())
    lines = [f"{report.source}: {report.rows:,} rows, {len(report.columns)} columns{f'; {parts}' if parts else ''}"]
    if report.looked_at < report.rows:
        lines.append(f"  {LOOKED.format(some=f'{report.looked_at:,}', rows=f'{report.rows:,}')} (`--rows all` takes all)")
    for key, value in report.dialect.items():
        shown = (
            ", ".join(map(str, value[:6])) + (", …" if len(value) > 6 else "")
            if isinstance(value, list)
            else repr(value)
        )
        lines.append(f"  {key}: {shown}{f'  ({report.why[key]})' if key in report.why else ''}")
    lines += [f"  {key}: {why}" for key, why in report.why.items() if key not in report.dialect]
    for name, classes in report.targets.items():
        lines.append(f"  target: {name}, {'classes' if classes else 'a number'}")
    if report.columns:
        rows = [["column", "kind", "missing", "different", "values", "why"]]
        rows += [
            [_cut(c.name, 24), c.kind, f"{c.missing:,}" if c.missing else "", f"{c.distinct:,}", _values(c), c.why]
            for c in report.columns
        ]
        lines += ["", table(rows, {2, 3})]
    if report.findings:
        lines += ["", *(d.render() for d in report.findings)]
    warnings = len(report.findings) - report.errors
    counted = [
        f"{n} {word}{'' if n == 1 else 's'}" for n, word in ((report.errors, "error"), (warnings, "warning")) if n
    ]
    return "\n".join([*lines, "", " and ".join(counted) if counted else "nothing is wrong"])


def _values(c: Column) -> str:
    if c.low is not None and c.high is not None:
        return f"{c.low:g} to {c.high:g}"
    return _cut(", ".join(f"{_cut(v, 14)} {n:,}" for v, n in c.counts[:3]), 44)


def _cut(text: str, most: int) -> str:
    plain = " ".join(text.split())
    return plain if len(plain) <= most else plain[: most - 1] + "…"
