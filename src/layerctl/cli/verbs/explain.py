"""`layerctl explain`."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer

from layerctl.cli import output
from layerctl.cli.options import Json


def explain_command(
    code: Annotated[str | None, typer.Argument(metavar="[CODE]", help="The code at the end of a message: yaml-tab.")] = None,
    as_json: Json = False,
) -> None:
    """Say what a code in a message means, with an example and the cure; without CODE list all of them."""
    from layerctl.commands.explain import explain, explanations

    pages = [explain(code)] if code is not None else list(explanations().values())
    if as_json:
        for p in pages:
            output.emit({"event": "code", **asdict(p)})
        return
    if code is not None:
        p = pages[0]
        print(f"{p.code}\n\n{p.means}\n\n{p.cure[:1].upper()}{p.cure[1:]}")
        if p.example is not None:
            says = "\n".join(f"    {line}".rstrip() for line in p.example.says.splitlines())
            file = "\n".join(f"    {line}".rstrip() for line in p.example.file.rstrip().splitlines())
            print(f"\nexample:\n\n{file}\n\n    $ {p.example.command}\n{says}")
        return
    width = max(len(p.code) for p in pages)
    group = ""
    for p in pages:
        if p.group != group:
            print(f"{chr(10) if group else ''}{p.group}")
            group = p.group
        print(f"  {p.code.ljust(width)}  {p.summary}")
