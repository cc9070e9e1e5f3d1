"""What commands do with their options, for those that `plain.py` reads as well as typer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from layerctl.cli.ending import ending_cleanly, usage

STAGES = ("graph", "ops", "program", "memory", "features")
READ = ("csv", "tsv", "jsonl", "npz", "parquet", "arrow")


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
    layers: Sequence[str] = (), batch: int | None = None, threads: int | None = None, every: bool = False, top: int | None = None,
    on_error: str | None = None, as_json: bool = False, prompt: str | None = None, sampling: Mapping[str, Any] | None = None,
) -> None:  # fmt: skip
    """Predicts as the options say, and says on standard error what became of bad rows.

    Raises:
        LayerctlError: for an option's value, and as `commands.predict.predict` does.
    """
    from layerctl.cli import output
    from layerctl.commands.predict import FORMATS, predict
    from layerctl.data.faults import POLICIES
    from layerctl.diagnostics import did_you_mean

    if form is not None and form not in FORMATS:
        raise usage(f"--format takes {', '.join(FORMATS)}, got '{form}'")
    if input_format is not None and input_format not in READ:
        raise usage(f"--input-format takes {', '.join(READ[:-1])} or {READ[-1]}, got '{input_format}'")
    if on_error is not None and on_error not in POLICIES:
        raise usage(f"--on-error takes {', '.join(POLICIES[:-1])} or {POLICIES[-1]}, got '{on_error}'{did_you_mean(on_error, POLICIES)}",
                    "fail ends with the row's place, null leaves its prediction empty, skip leaves the row out")  # fmt: skip
    if every and top is not None:
        raise usage("--proba and --top exclude each other", "--proba tells all classes' probabilities, --top the likeliest classes")
    kept = [k.strip() for k in keep.split(",") if k.strip()] if keep else []
    with ending_cleanly():
        found = predict(
            model, data, form="jsonl" if as_json and form is None else form, input_format=input_format, out=out, batch=batch, keep=kept,
            layers=layers, threads=threads, every=every, top=top, on_error=on_error, prompt=prompt, sampling=sampling,
        )  # fmt: skip
    if found.warnings:
        output.warn(found.warnings, as_json)
