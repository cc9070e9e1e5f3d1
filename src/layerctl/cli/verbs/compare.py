"""`layerctl compare`."""

from __future__ import annotations

from typing import Annotated

import typer

from layerctl.cli.options import Json


def compare_command(
    given: Annotated[list[str], typer.Argument(metavar="RUN RUN...", help="Runs' folders.")],
    out: Annotated[str | None, typer.Option("--out", "-o", metavar="FILE.html", help="Write a page with the curves over each other.")] = None,
    as_json: Json = False,
) -> None:
    """Set runs side by side: scores, what differs in their files, curves, weights."""
    from layerctl.cli import comparing
    from layerctl.commands.compare import compare

    comparing.compared(compare(given, out), out, as_json)
