"""`layerctl report`."""

from __future__ import annotations

from typing import Annotated

import typer

from layerctl.cli.options import Json, Threads


def report_command(
    run: Annotated[str, typer.Argument(metavar="RUN", help="A run's folder, or the YAML (its newest run).")],
    out: Annotated[str | None, typer.Option("--out", "-o", metavar="FILE", help="Write here; report.html in the run's folder if not given.")] = None,
    threads: Threads = None, as_json: Json = False,
) -> None:  # fmt: skip
    """Write a run's report: one HTML file with curves, mistakes, importances, the model."""
    from layerctl.cli import looking
    from layerctl.commands.report import report

    looking.reported(report(run, out, threads), as_json)
