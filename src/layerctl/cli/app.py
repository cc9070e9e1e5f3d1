"""The command line's commands and their options, and nothing else."""

from __future__ import annotations

from typing import Annotated

import typer

from layerctl.cli import runs
from layerctl.cli.ending import usage
from layerctl.cli.options import (
    Diagnostics,
    Json,
    Length,
    Overrides,
    Prompt,
    Seed,
    Temperature,
    Threads,
    TopK,
    TopP,
    span,
)
from layerctl.cli.verbs.compare import compare_command
from layerctl.cli.verbs.data import data_command
from layerctl.cli.verbs.explain import explain_command
from layerctl.cli.verbs.init import init_command
from layerctl.cli.verbs.render import render_command
from layerctl.cli.verbs.report import report_command
from layerctl.cli.verbs.runs import runs_command
from layerctl.cli.verbs.schema import schema_command
from layerctl.cli.verbs.train import train_command
from layerctl.cli.verbs.tune import tune_command
from layerctl.diagnostics import ExitCode

app = typer.Typer(
    name="layerctl", rich_markup_mode=None, no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Neural networks from YAML: build, train, evaluate, predict, export.",
    epilog="Exit codes: 0 done, 1 a threshold was missed, or doctor or data found a fault, 2 the file, data or arguments are at fault, "
    "3 training failed numerically, 70 a bug in layerctl, 129 the terminal is gone, 130 and 143 interrupted, 152 out of CPU time, with the state saved.",
)  # fmt: skip


@app.callback(invoke_without_command=True)
def general(
    version: Annotated[bool, typer.Option("--version", "-V", help="Print the version and exit.")] = False,
    show: Annotated[str | None, typer.Option("--show-completion", metavar="bash|zsh|fish", help="Print the shell's completion script and exit.")] = None,
    install: Annotated[str | None, typer.Option("--install-completion", metavar="bash|zsh|fish", help="Install the script for yourself and exit.")] = None,
) -> None:  # fmt: skip
    """Neural networks from YAML: build, train, evaluate, predict, export."""
    if version:
        from layerctl import __version__

        print(f"layerctl {__version__}")
        raise typer.Exit
    if show is not None or install is not None:
        from layerctl.cli.completing import installed, script

        print(script(show) if show is not None else installed(install or ""), end="")
        raise typer.Exit


@app.command(name="build")
def build_command(
    model: Annotated[str, typer.Argument(metavar="MODEL", help="The model file, or - for standard input; or a run's folder or .safetensors, as trained.")],
    show: Annotated[str | None, typer.Option("--show", metavar="graph|ops|program|memory|features",
                                             help="Print this stage of the compiler, or what was fitted on the training rows.")] = None,
    batch: Annotated[int | None, typer.Option("--batch", min=1, help="Rows of a batch, for the memory.")] = None,
    profile: Annotated[bool, typer.Option("--profile", help="Measure a training step on made-up rows, instruction by instruction.")] = False,
    predicting: Annotated[bool, typer.Option("--predicting", help="With --profile: a step of prediction.")] = False,
    overrides: Overrides = None, seed: Seed = None, threads: Threads = None, as_json: Json = False, diagnostics: Diagnostics = None,
) -> None:  # fmt: skip
    """Check a model; print its layers, shapes, parameters, work and memory."""
    runs.build(model, show=show, batch=batch, profile=profile, predicting=predicting, overrides=overrides or (), seed=seed, threads=threads,
               as_json=as_json)  # fmt: skip


app.command(name="train")(train_command)


@app.command(name="eval")
def eval_command(
    model: Annotated[str, typer.Argument(metavar="MODEL", help="A run's folder, a model file, or the YAML (its newest run).")],
    data: Annotated[str | None, typer.Argument(metavar="DATA", help="A file to judge by, in place of the split-off rows.")] = None,
    split: Annotated[str | None, typer.Option("--split", metavar="test|validation|train", help="Which rows of the data section; test if not given, "
                                              "validation where there are none.")] = None,
    under: Annotated[list[str] | None, typer.Option("--fail-under", metavar="NAME=VALUE", help="Exit 1 if the metric is below.")] = None,
    over: Annotated[list[str] | None, typer.Option("--fail-over", metavar="NAME=VALUE", help="Exit 1 if the metric is above.")] = None,
    threshold: Annotated[str | None, typer.Option("--threshold", metavar="RULE", help="Choose on the validation rows above which probability the "
                                                  "second of two classes is predicted: f1, youden, accuracy, precision=0.9, recall=0.9, cost=1:5, "
                                                  "or a number.")] = None,
    keep: Annotated[bool, typer.Option("--keep", help="Write the threshold into the model file, for predict and eval to use.")] = False,
    batch: Annotated[int | None, typer.Option("--batch", min=1, help="Rows of a batch.")] = None,
    threads: Threads = None, as_json: Json = False, diagnostics: Diagnostics = None,
) -> None:  # fmt: skip
    """Evaluate a trained model: metrics, each class, confusion, curves, calibration; or how far numbers are off."""
    from layerctl.cli.evaluating import evaluated
    from layerctl.commands.evaluate import evaluate

    if split not in (None, "test", "validation", "train"):
        raise usage(f"--split takes test, validation or train, got '{split}'")
    result = evaluate(model, data, split=split, under=under or (), over=over or (), batch=batch, threads=threads, threshold=threshold, keep=keep)
    evaluated(result, as_json)
    if result.missed:
        raise typer.Exit(ExitCode.BELOW_THRESHOLD)


@app.command(name="predict")
def predict_command(
    model: Annotated[str, typer.Argument(metavar="MODEL", help="A run's folder, a model file, or the YAML (its newest run).")],
    data: Annotated[str | None, typer.Argument(metavar="DATA", help="The rows: a file, or - for a stream.")] = None,
    form: Annotated[str | None, typer.Option("--format", metavar="csv|jsonl|npz", help="The output's format.")] = None,
    input_format: Annotated[str | None, typer.Option("--input-format", metavar="csv|tsv|jsonl|npz|parquet|arrow", help="The input's format.")] = None,
    out: Annotated[str | None, typer.Option("--out", "-o", metavar="FILE", help="Write here, in place of standard output.")] = None,
    keep: Annotated[str | None, typer.Option("--keep", metavar="COLUMNS", help="Columns of the input to repeat: id,name.")] = None,
    layer: Annotated[list[str] | None, typer.Option("--layer", metavar="NAME", help="Print this layer's result.")] = None,
    every: Annotated[bool, typer.Option("--proba", help="The probabilities of all classes, a column each.")] = False,
    top: Annotated[int | None, typer.Option("--top", metavar="N", min=1, help="The N likeliest classes with their probabilities.")] = None,
    on_error: Annotated[str | None, typer.Option("--on-error", metavar="fail|null|skip", help="What becomes of a row that cannot be used: an error, "
                                                 "an empty prediction, or nothing.")] = None,
    batch: Annotated[int | None, typer.Option("--batch", min=1, help="Rows of a batch.")] = None,
    prompt: Prompt = None, length: Length = None, temperature: Temperature = None, top_k: TopK = None, top_p: TopP = None, seed: Seed = None,
    threads: Threads = None, as_json: Json = False,
) -> None:  # fmt: skip
    """Predict: a line out for every row in, in order; a language model goes on with a text."""
    drawn = {"length": length, "temperature": temperature, "top_k": top_k, "top_p": top_p, "seed": seed}
    runs.predict(model, data, form=form, input_format=input_format, out=out, keep=keep, layers=layer or (), every=every, top=top,
                 on_error=on_error, batch=batch, threads=threads, as_json=as_json, prompt=prompt,
                 sampling={k: v for k, v in drawn.items() if v is not None} or None)  # fmt: skip


@app.command(name="export")
def export_command(
    model: Annotated[str, typer.Argument(metavar="MODEL", help="A run's folder, a model file, or the YAML (its newest run).")],
    target: Annotated[str, typer.Option("--to", metavar="onnx|c|python|keras|npz", help="The format.")],
    out: Annotated[str | None, typer.Option("--out", "-o", metavar="FILE", help="The file; NAME with the format's ending if not given.")] = None,
    raw: Annotated[bool, typer.Option("--raw", help="ONNX: take a table's columns, as far as ONNX can encode them.")] = False,
    threads: Threads = None, as_json: Json = False,
) -> None:  # fmt: skip
    """Write a trained model in another format, compared with layerctl's own results."""
    from layerctl.cli import render
    from layerctl.commands.export import export

    render.exported(export(model, target, out, threads, raw), as_json)


@app.command(name="import")
def import_command(
    file: Annotated[str, typer.Argument(metavar="FILE.keras", help="A .keras file, a whole-model .h5, or the JSON of model.to_json().")],
    out: Annotated[str | None, typer.Option("--out", "-o", metavar="MODEL.yaml", help="The YAML; FILE.yaml here if not given.")] = None,
    define: Annotated[
        str | None, typer.Option("--define", metavar="FILE.yaml", help="A file whose `define` section says what the program's own classes of layers compute.")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace what is there.")] = False, as_json: Json = False,
) -> None:  # fmt: skip
    """Read a model saved by Keras: its YAML, and beside it a trained model with its weights."""
    from layerctl.cli import render
    from layerctl.commands.import_ import import_

    render.imported(import_(file, out, force, define), as_json)


@app.command(name="inspect")
def inspect_command(
    model: Annotated[str, typer.Argument(metavar="MODEL", help="A run's folder, a model file, or the YAML (its newest run).")],
    as_json: Json = False,
) -> None:
    """Say what a model file holds: scores, features, data fingerprint, versions, tensors."""
    from layerctl.cli import looking
    from layerctl.commands.inspect import inspect

    looking.inspected(inspect(model), as_json)


@app.command(name="doctor")
def doctor_command(threads: Threads = None, as_json: Json = False) -> None:
    """Look at the installation, the processor, threads and the kernel store, and test kernels; exit 1 if something is wrong."""
    from layerctl.cli import looking
    from layerctl.commands.doctor import doctor

    if not looking.diagnosed(doctor(threads), as_json):
        raise typer.Exit(ExitCode.BELOW_THRESHOLD)


@app.command(name="layers")
def layers_command(
    names: Annotated[list[str] | None, typer.Argument(metavar="[NAME...]", help="Layers, losses, metrics, optimizers, ...")] = None,
    plot: Annotated[bool, typer.Option("--plot", help="Draw activations and their derivatives, or learning-rate schedules; a NAME may have "
                                       "arguments: 'LeakyRelu: {negative_slope: 0.1}'.")] = False,
    range_: Annotated[str | None, typer.Option("--range", metavar="LOW:HIGH", help="From where to where to draw; -6:6 if not given.")] = None,
    out: Annotated[str | None, typer.Option("--out", "-o", metavar="FILE", help="Draw into this .svg or .png.")] = None,
    as_json: Json = False,
) -> None:  # fmt: skip
    """List what a file may name, show names' pages, or draw their curves."""
    from layerctl.cli import render
    from layerctl.commands.layers import page, pages

    if plot:
        from layerctl.commands.plot import plot as draw

        return render.curves(draw(names or (), span(range_), out), out, as_json)
    if out is not None or range_ is not None:
        raise usage("--out and --range are for --plot")
    render.pages([p for name in names for p in page(name)] if names else pages(), as_json, whole=bool(names))


app.command(name="schema")(schema_command)
app.command(name="render")(render_command)
app.command(name="explain")(explain_command)
app.command(name="report")(report_command)
app.command(name="runs")(runs_command)
app.command(name="compare")(compare_command)
app.command(name="tune")(tune_command)
app.command(name="data")(data_command)
app.command(name="init")(init_command)
