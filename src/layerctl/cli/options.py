"""Options that several commands have, and how their values are read."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from layerctl.cli.ending import usage
from layerctl.cli.output import FORMS

Overrides = Annotated[list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Change a value of the file: fit.epochs=3.")]
Seed = Annotated[int | None, typer.Option("--seed", min=0, help="The seed, in place of the file's.")]
Threads = Annotated[int | None, typer.Option("--threads", min=1, help="The most threads; all allowed cores if not given.")]
Json = Annotated[bool, typer.Option("--json", help="Results and diagnostics as JSON.")]
Diagnostics = Annotated[str | None, typer.Option("--diagnostics", metavar="text|json|github|sarif", callback=lambda form: _known(form),
                                                help="The form of errors and warnings; json and sarif have standard output to themselves.")]
Rows = Annotated[str | None, typer.Option("--rows", metavar="N|all", help="About how many rows are looked at; what memory has room for if not given.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Say nothing but results and errors.")]

Prompt = Annotated[str | None, typer.Option("--prompt", metavar="TEXT", help="A language model goes on with this text; DATA may hold it instead.")]
Length = Annotated[int | None, typer.Option("--length", min=1, max=1_000_000, help="The most tokens to go on with; 100 if not given.")]
Temperature = Annotated[float | None, typer.Option("--temperature", min=0.0, help="Evens out (above 1) or sharpens probabilities; 0 takes the likeliest.")]
TopK = Annotated[int | None, typer.Option("--top-k", min=1, help="Draw among so many of the likeliest tokens.")]
TopP = Annotated[float | None, typer.Option("--top-p", min=0.0, max=1.0, help="Draw among the fewest tokens with this share of the probability.")]


def _known(form: str | None) -> str | None:
    """Checks the form; `output.use` has it already, since other options may be at fault."""
    if form is not None and form not in FORMS:
        raise usage(f"--diagnostics takes {', '.join(FORMS)}, got '{form}'")
    return form


def span(text: str | None) -> tuple[float, float] | None:
    """`-6:6` as two rising numbers."""
    if text is None:
        return None
    low, _, high = text.partition(":")
    try:
        found = float(low), float(high)
    except ValueError:
        found = 0.0, 0.0
    if not -1e30 < found[0] < found[1] < 1e30:
        raise usage(f"--range takes two rising numbers such as -6:6, got '{text}'")
    return found


def seconds(text: str | None) -> float | None:
    """`90s`, `10m` or `1h` in seconds."""
    if text is None:
        return None
    units = {"s": 1, "m": 60, "h": 3600}
    number, unit = (text[:-1], text[-1]) if text[-1:] in units else (text, "s")
    try:
        value = float(number) * units[unit]
    except ValueError:
        value = -1.0
    if not 0 < value < 1e9:
        raise usage(f"--max-time takes a time such as 90s, 10m or 1h, got '{text}'")
    return value


def number_of_rows(text: str | None) -> int | None:
    """`all`, or a number of rows."""
    if text is None or (text.isdecimal() and 0 < int(text) < 1e15):
        return None if text is None else int(text)
    if text != "all":
        raise usage(f"--rows takes a number of rows or all, got '{text}'")
    return sys.maxsize
