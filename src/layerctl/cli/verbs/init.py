"""The options of `layerctl init`, and what it says of the file that it wrote."""

from __future__ import annotations

from typing import Annotated

import typer

from layerctl.cli.ending import usage
from layerctl.cli.options import Json, Rows, number_of_rows
from layerctl.diagnostics import did_you_mean

_KINDS = ("classes", "number")


def init_command(
    source: Annotated[str | None, typer.Argument(metavar="[DATA]", help="A file of data, or builtin:NAME; a template's own data if not given.")] = None,
    target: Annotated[str | None, typer.Option("--target", "-t", metavar="NAME", help="The column to predict; several with commas, or its number.")] = None,
    out: Annotated[str | None, typer.Option("--out", "-o", metavar="MODEL.yaml", help="The file to write; standard output if not given.")] = None,
    template: Annotated[str | None, typer.Option("--template", metavar="NAME", help="autoencoder, cnn, language, table, text, timeseries.")] = None,
    wanted: Annotated[str | None, typer.Option("--as", metavar="classes|number", help="What the target is taken for.")] = None,
    columns: Annotated[str | None, typer.Option("--columns", metavar="NAMES", help="Names for the columns of a file without a header: a,b,c.")] = None,
    test: Annotated[str | None, typer.Option("--test", metavar="FILE|SHARE", help="A file of test rows, or the share of rows held back.")] = None,
    validation: Annotated[float | None, typer.Option("--validation", metavar="SHARE", help="The share of rows held back for validation.")] = None,
    name: Annotated[str | None, typer.Option("--name", metavar="NAME", help="The model's name; the file's if not given.")] = None,
    rows: Rows = None,
    force: Annotated[bool, typer.Option("--force", help="Replace what is there.")] = False, as_json: Json = False,
) -> None:  # fmt: skip
    """Write a commented model file that trains as it is: for a file of data, or from a template."""
    from layerctl.cli import output
    from layerctl.commands.init import init

    if source is None and template is None:
        raise usage("there is nothing to start from", "name a file of data (`layerctl init data.csv --target price`) or a --template")
    if wanted is not None and wanted not in _KINDS:
        raise usage(f"--as takes classes or number, got '{wanted}'{did_you_mean(wanted, _KINDS)}", "without --as it is guessed from the column")
    share = _share("--test", test)
    started = init(
        source, target=target, out=out, wanted=wanted, columns=columns.split(",") if columns else None, template=template,
        test=test if share is None else None, held=share, validation=_share("--validation", None if validation is None else str(validation)), name=name,
        force=force, rows=number_of_rows(rows),
    )  # fmt: skip
    if as_json:
        output.emit({"event": "init", "file": None if started.path is None else str(started.path), "targets": list(started.targets),
                     "rows": started.rows, "looked_at": started.looked_at, "notes": started.notes,
                     **({"text": started.text} if started.path is None else {})})  # fmt: skip
        return
    for note in started.notes:
        output.say(note)
    if started.path is None:
        print(started.text, end="")
    else:
        print(f"wrote {started.path}; train it with: layerctl train {started.path}")


def _share(option: str, text: str | None) -> float | None:
    """A share of rows; None for what is no number.

    Raises:
        LayerctlError: for a number that is no share.
    """
    if text is None:
        return None
    try:
        share = float(text)
    except ValueError:
        return None
    if not 0 <= share < 1:
        raise usage(f"{option} takes a share of rows such as 0.1, got '{text}'", "a share is a number from 0 to below 1")
    return share
