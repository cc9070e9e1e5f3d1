"""`layerctl predict`: its options checked; and read without typer where they are plain, since importing typer takes as long as predicting."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from layerctl.cli.ending import usage

READ = ("csv", "tsv", "jsonl", "npz")
_TAKING = {
    "--format": "form", "--input-format": "input_format", "--out": "out", "-o": "out", "--keep": "keep", "--batch": "batch", "--threads": "threads",
}  # fmt: skip
_NUMBERS = ("batch", "threads")


def run(
    model: str, data: str | None, *, form: str | None = None, input_format: str | None = None, out: str | None = None, keep: str | None = None,
    layers: Sequence[str] = (), batch: int | None = None, threads: int | None = None, as_json: bool = False,
) -> None:  # fmt: skip
    """Predicts as the options say.

    Raises:
        LayerctlError: for an option's value, and as `commands.predict.predict` does.
    """
    from layerctl.commands.predict import FORMATS, predict

    if form is not None and form not in FORMATS:
        raise usage(f"--format takes {', '.join(FORMATS)}, got '{form}'")
    if input_format is not None and input_format not in READ:
        raise usage(f"--input-format takes csv, tsv, jsonl or npz, got '{input_format}'")
    kept = [k.strip() for k in keep.split(",") if k.strip()] if keep else []
    predict(model, data, form="jsonl" if as_json and form is None else form, input_format=input_format, out=out, batch=batch, keep=kept,
            layers=layers, threads=threads)  # fmt: skip


def plain(arguments: Sequence[str]) -> dict[str, Any] | None:
    """What `run` takes, of the arguments of `layerctl predict`; None where typer is to read them, as it would: help, mistakes, shorthands."""
    places: list[str] = []
    found: dict[str, Any] = {}
    rest = iter(arguments)
    for word in rest:
        name = _TAKING.get(word)
        if word == "--json" and "as_json" not in found:
            found["as_json"] = True
        elif name is not None and name not in found:
            value = next(rest, "")
            if not value or value.startswith("-") or (name in _NUMBERS and not _is_count(value)):
                return None
            found[name] = int(value) if name in _NUMBERS else value
        elif word and (word == "-" or not word.startswith("-")):
            places.append(word)
        else:
            return None
    return {"model": places[0], "data": places[1], **found} if len(places) == 2 else None


def _is_count(text: str) -> bool:
    return text.isascii() and text.isdecimal() and len(text) < 9 and int(text) >= 1
