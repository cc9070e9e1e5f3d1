"""`layerctl schema`."""

from __future__ import annotations

from typing import Annotated

import typer

from layerctl.cli import output
from layerctl.cli.ending import usage
from layerctl.cli.options import Json


def schema_command(
    path: Annotated[bool, typer.Option("--path", help="Print where the schema that ships with layerctl is.")] = False,
    modeline: Annotated[bool, typer.Option("--modeline", help="Print a file's first line, by which editors find that schema.")] = False,
    as_json: Json = False,
) -> None:
    """Print the JSON Schema of a model file, for editors: completion, descriptions, mistakes while typing."""
    from layerctl.commands import schema

    if path and modeline:
        raise usage("--path and --modeline do not go together")
    if as_json:
        output.emit({"event": "schema", "path": str(schema.SHIPPED), "modeline": schema.modeline(), "schema": schema.schema()})
    elif path:
        print(schema.SHIPPED)
    elif modeline:
        print(schema.modeline())
    else:
        print(schema.text(), end="")
