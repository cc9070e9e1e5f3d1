"""What commands do with their options, for those that `plain.py` reads as well as typer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from layerctl.cli.ending import usage

STAGES = ("graph", "ops", "program", "memory", "features")
READ = ("csv", "tsv", "jsonl", "npz")


def build(
    model: str, *, show: str | None = None, batch: int | None = None, profile: bool = False, predicting: bool = False,
    overrides: Sequence[str] = (), seed: int | None = None, threads: int | None = None, as_json: bool = False,
) -> None:  # fmt: skip
    """Builds a model and prints it.

    Raises:
        LayerctlError: for an option's value, and as `commands.build.build` does.
    """
    from layerctl.cli import render
    from layerctl.commands.build import build

    if show is not None and show not in STAGES:
        raise usage(f"--show takes {', '.join(STAGES)}, got '{show}'")
    wanted = ("predict" if predicting else "train") if profile or predicting else None
    result = build(model, show=show, batch=batch, overrides=overrides, seed=seed, profile=wanted, threads=threads)
    render.built(result, as_json)


def predict(
    model: str, data: str | None, *, form: str | None = None, input_format: str | None = None, out: str | None = None, keep: str | None = None,
    layers: Sequence[str] = (), batch: int | None = None, threads: int | None = None, as_json: bool = False, prompt: str | None = None,
    sampling: Mapping[str, Any] | None = None,
) -> None:  # fmt: skip
    """Predicts as the options say.

    Raises:
        LayerctlError: for an option's value, and as `commands.predict.predict` does.
    """
    from layerctl.commands.predict import FORMATS, predict

    if form is not None and form not in FORMATS:
        raise usage(f"--format takes {', '.join(FORMATS)}, got '{form}'")
    if input_format is not None and input_format not in READ:
        raise usage(f"--input-format takes {', '.join(READ[:-1])} or {READ[-1]}, got '{input_format}'")
    kept = [k.strip() for k in keep.split(",") if k.strip()] if keep else []
    predict(model, data, form="jsonl" if as_json and form is None else form, input_format=input_format, out=out, batch=batch, keep=kept,
            layers=layers, threads=threads, prompt=prompt, sampling=sampling)  # fmt: skip
