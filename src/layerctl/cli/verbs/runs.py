"""`layerctl runs`."""

from __future__ import annotations

from typing import Annotated

import typer

from layerctl.cli.options import Json


def runs_command(
    folder: Annotated[str, typer.Argument(metavar="[DIR]", help="The folder that runs are in.")] = "runs",
    sort: Annotated[str | None, typer.Option("--sort", metavar="KEY", help="when (the newest first), name, state, epochs, time, or a score.")] = None,
    as_json: Json = False,
) -> None:
    """List runs with their scores, epochs, time and state."""
    from layerctl.cli import comparing
    from layerctl.commands.runs import runs

    comparing.listed(runs(folder, sort), folder, as_json)
