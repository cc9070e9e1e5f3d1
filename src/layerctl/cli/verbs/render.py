"""`layerctl render`."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from layerctl.cli import output
from layerctl.cli.ending import usage
from layerctl.cli.options import Diagnostics, Json, Overrides, Seed
from layerctl.diagnostics import ExitCode


def render_command(
    models: Annotated[list[str], typer.Argument(metavar="MODEL.yaml", help="The model file, or - for standard input; with --diff two, which may be runs.")],
    diff: Annotated[bool, typer.Option("--diff", help="Say what two files or runs mean differently; exit 1 if anything.")] = False,
    overrides: Overrides = None, seed: Seed = None, as_json: Json = False, diagnostics: Diagnostics = None,
) -> None:  # fmt: skip
    """Print a file with every default filled in, or compare two by what they mean."""
    from layerctl.commands import render

    if len(models) != (2 if diff else 1):
        raise usage(f"render takes one file, or two with --diff, got {len(models)}{' with --diff' if diff else ''}")
    if diff:
        if seed is not None:
            raise usage("--seed does not go with --diff")
        _differences(render.diff(models[0], models[1], overrides=overrides or ()), as_json)
        return
    made = render.render(models[0], overrides=overrides or (), seed=seed)
    if made.warnings:
        output.show(made.warnings, as_json)
    if as_json:
        output.emit({"event": "render", "text": made.text})
    else:
        print(made.text, end="")


def _differences(found: list[Any], as_json: bool) -> None:
    for d in found:
        if as_json:
            output.emit({"event": "difference", "path": d.path, "before": d.values[0], "after": d.values[1], "has": list(d.has)})
        else:
            print(d)
    if as_json:
        output.emit({"event": "diff", "equal": not found, "differences": len(found)})
    if found:
        raise typer.Exit(ExitCode.BELOW_THRESHOLD)
