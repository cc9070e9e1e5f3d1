"""What `--json` prints: every event with its fields, declared once. The documentation and the tests' check derive from here.

    python -m layerctl.events > docs/events.md
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from typing import Any

VERSION = 1
"""Grows when a field or an event goes or changes its meaning; what is added leaves it as it is."""


@dataclass(frozen=True)
class Field:
    """A field of an event. `kind` is text, number, count, flag, list, object, numbers (an object of numbers or nulls), with `or null`, or any."""

    name: str
    kind: str
    what: str
    optional: bool = False


@dataclass(frozen=True)
class Event:
    """A line of JSON: what it says, the commands that print it (none: all), its fields besides `event` and `version`."""

    name: str
    commands: tuple[str, ...]
    what: str
    fields: tuple[Field, ...]
    several: bool = False
    """Whether a command prints any number of them."""


ROWS = "predict"
"""The command whose lines are rows of predictions and not events."""

_RUN = (
    Field("folder", "text", "The run's folder."), Field("name", "text", "The folder's name."),
    Field("state", "text", "`running`, `finished`, `interrupted` or `failed`."), Field("epochs", "count", "Epochs that were trained."),
    Field("seconds", "number or null", "Seconds of training."), Field("when", "number", "Its last change, in seconds since 1970."),
    Field("scores", "numbers", "Scores by name."), Field("split", "text", "The rows that the scores are of."),
    Field("error", "text or null", "Why it failed."),
)  # fmt: skip

EVENTS = (
    Event("begin", ("train",), "Training starts.", (
        Field("epochs", "count", "Epochs that are wanted."), Field("rows", "count", "Training rows."),
        Field("parameters", "count", "Numbers that are learned."),
    )),
    Event("compiling", ("train",), "A kernel is compiled, which happens once on a machine.", (
        Field("kernel", "text", "Its name."), Field("done", "count", "Which one it is."), Field("total", "count", "Of how many."),
    ), several=True),
    Event("epoch", ("train",), "An epoch is done, and its validation.", (
        Field("epoch", "count", "From 1."), Field("epochs", "count", "Epochs that are wanted."),
        Field("logs", "numbers", "The loss, the metrics, `val_` ones and `learning_rate`."), Field("seconds", "number", "Seconds of the epoch."),
    ), several=True),
    Event("layer", ("train",), "A layer's result on an epoch's first batch, where the file says `print`.", (
        Field("epoch", "count", "From 1."), Field("layer", "text", "The layer's name."), Field("text", "text", "What the file says to print with it."),
        Field("shape", "list", "The result's shape."), Field("dtype", "text", "The result's type."), Field("min", "number or null", "The least number."),
        Field("mean", "number or null", "The mean."), Field("max", "number or null", "The greatest number."), Field("first", "list", "The first numbers."),
    ), several=True),
    Event("message", ("train",), "A line for people, by callbacks and by what training notes.", (Field("text", "text", "The line."),), several=True),
    Event("end", ("train",), "Training has ended.", (
        Field("reason", "text", "`done`, `early` (a callback), `time`, `steps` or `interrupted`."), Field("folder", "text", "The run's folder."),
        Field("epochs", "count", "Epochs that were trained."), Field("seconds", "number", "Seconds of training."),
        Field("split", "text", "The rows that the scores are of: `test`, `validation` or `train`."), Field("scores", "numbers", "Loss and metrics."),
        Field("report", "text or null", "The report's file."),
    )),
    Event("folds", ("train",), "With --folds, in place of `end`: what the folds score.", (
        Field("folder", "text", "The folder of the folds' runs."), Field("count", "count", "Folds that are wanted."),
        Field("reason", "text", "How the last one ended, as `end` tells it."),
        Field("folds", "list", "Folds that are trained: fold, folder, reason, epochs, seconds, scores."),
        Field("mean", "numbers", "The mean of each score that all folds have."), Field("spread", "numbers", "Its standard deviation (n - 1) over folds."),
    )),
    Event("lr_find", ("train",), "With --lr-find: a range test of the learning rate.", (
        Field("rates", "list", "The rate of each step."), Field("losses", "list", "The loss of each step."),
        Field("smoothed", "list", "The running mean of the losses."),
        Field("suggestion", "number or null", "The rate at which the loss fell most steeply; null where it never fell."),
        Field("lowest", "number or null", "The rate at which the running mean was least."),
        Field("reason", "text", "`done`, `diverged` or `not-finite`."), Field("seconds", "number", "What it took."),
    )),
    Event("overfit", ("train",), "With --overfit-one-batch: whether a batch could be learned by heart.", (
        Field("rows", "count", "Rows of the batch."), Field("steps", "count", "Steps that were trained."),
        Field("losses", "list", "The batch's loss before the first step and from time to time."),
        Field("reached", "flag", "Whether it became less than 1% of the first."),
        Field("reason", "text", "`reached`, `steps`, `time` or `not-finite`."), Field("seconds", "number", "What it took."),
        Field("hints", "list", "What may be wrong, where it was not reached."),
    )),
    Event("dry_run", ("train",), "With --dry-run: what a training would take.", (
        Field("name", "text", "The model's name."), Field("rows", "count", "Training rows."), Field("held", "count", "Validation rows."),
        Field("tested", "count", "Test rows."), Field("batch", "count", "Rows of a step."), Field("steps", "count", "Steps of an epoch."),
        Field("epochs", "count", "Epochs that are wanted."), Field("trained", "count", "Numbers that are learned."),
        Field("other", "count", "Numbers that are not."), Field("measured", "count", "Steps that were measured."),
        Field("step_seconds", "number", "Their median."), Field("validation_seconds", "number", "Seconds of a validation."),
        Field("ready_seconds", "number", "Seconds until all is ready for the first step, kernels being compiled."),
        Field("epoch_seconds", "number", "Seconds of an epoch with its validation and all else but callbacks."),
        Field("seconds", "number", "Seconds of getting ready and all epochs, within the budgets."),
        Field("state", "count", "Bytes of weights and optimizer."), Field("work", "count", "Bytes that a step computes with."),
        Field("data", "count", "Bytes of the rows."), Field("peak", "count", "Bytes that this process has had."),
        Field("checkpoint", "count", "Bytes of a checkpoint."), Field("checkpoints", "count", "Checkpoints that are kept."),
        Field("model", "count", "Bytes of the model file's tensors."),
    )),
    Event("build", ("build",), "A model is what its file says.", (
        Field("name", "text", "The model's name."), Field("rows", "list", "Its layers: name, kind, shape, parameters, macs, line, depth."),
        Field("trainable", "count", "Numbers that are learned."), Field("other", "count", "Numbers that are not."),
        Field("macs", "count", "Multiply-adds of a row."), Field("batch", "count", "Rows of the batch that memory is told for."),
        Field("memory_training", "count or null", "Bytes; null where the file does not say how to train."),
        Field("memory_inference", "count", "Bytes."), Field("inputs", "object", "Shapes by input."), Field("outputs", "object", "Shapes by output."),
        Field("notes", "list", "Remarks."), Field("profile", "object", "With --profile: instructions, seconds, rates.", True),
        Field("features", "list", "With --show features: inputs and targets as they were fitted: role, name, kind, columns, …", True),
        Field("text", "text", "With --show of another stage: its text.", True),
    )),
    Event("eval", ("eval",), "A model was judged.", (
        Field("rows", "text", "The rows: a split, or a file."), Field("scores", "numbers", "Loss and metrics."),
        Field("measured", "numbers", "Numbers that follow from the predictions, for gates too: roc_auc, ece, r2, …"),
        Field("outputs", "list", "Of each output: output, kind, rows and what was measured; classes, confusion, roc, precision_recall and calibration of "
                                 "`category`; labels, averages, roc, precision_recall and calibration of `labels`; residual_quantiles of "
                                 "`number`, and its columns (column, mae, rmse, r2) where it has several."),
        Field("thresholds", "list", "Thresholds that are in force: output, positive, threshold, rule, value, rows, label (whether it is that of a label)."),
        Field("kept", "text or null", "The model file that they were written to, with --keep."),
        Field("unknown", "list", "Classes of rows of the file that training did not have: column, class, rows."),
        Field("missed", "list", "Gates that were missed: name, value, over."),
    )),
    Event("continuation", ("predict",), "With --prompt: a language model has gone on with a text.", (
        Field("prompt", "text", "The text that was given."), Field("text", "text", "What stands behind it."),
        Field("tokens", "list", "The tokens that were drawn."),
    )),
    Event("export", ("export",), "A file was written and compared.", (
        Field("path", "text", "The file."), Field("target", "text", "The format."), Field("rows", "count", "Rows that were compared."),
        Field("difference", "number or null", "The largest difference."), Field("notes", "list", "Remarks."),
        Field("unchecked", "text or null", "Why it was not compared."),
    )),
    Event("import", ("import",), "A file of Keras was read.", (
        Field("yaml", "text", "The model's file."), Field("model", "text or null", "The trained model."), Field("layers", "count", "Layers."),
        Field("weights", "count", "Weights."),
    )),
    Event("inspect", ("inspect",), "What a model file holds.", (
        Field("path", "text", "The file."), Field("size", "count", "Bytes."), Field("name", "text", "The model's name."),
        Field("layerctl", "text", "The version that wrote it."), Field("format", "count", "The file's format."),
        Field("created_by", "object", "Versions of what made it."), Field("data", "text", "The training rows' fingerprint."),
        Field("scores", "numbers", "Scores."), Field("parameters", "count", "Numbers in its tensors."),
        Field("thresholds", "object", "By output, the threshold that predictions use: threshold, positive, rule, value, rows; or by its labels: labels."),
        Field("yaml", "text", "The model's file, resolved."),
        Field("features", "list", "Inputs and targets: name, role, kind, shape, columns, fitted."),
        Field("tensors", "list", "Tensors: name, dtype, shape, size."),
    )),
    Event("data", ("data",), "What is in a file of data, and what is wrong with it.", (
        Field("source", "text", "The file."), Field("rows", "count", "Its rows."), Field("looked_at", "count", "Those that were looked at."),
        Field("dialect", "object", "How it is read: delimiter, columns, …"), Field("why", "object", "By the dialect's names, what tells so."),
        Field("targets", "object", "By column, `classes` or `number`."), Field("parts", "object", "Rows of train, validation and test, where a model says so."),
        Field("columns", "list", "Columns: name, kind, why, missing, distinct, format, most_frequent, low, high."),
        Field("errors", "count", "Findings that are errors."), Field("warnings", "count", "Those that are warnings."),
        Field("findings", "list", "What is wrong or doubtful, with the fields of a `diagnostic`."),
    )),
    Event("init", ("init",), "A model's file was made.", (
        Field("file", "text or null", "The file; null where it is in `text`."), Field("targets", "list", "What is predicted."),
        Field("rows", "count", "Rows of the data."), Field("looked_at", "count", "Those that were looked at."),
        Field("notes", "list", "What was decided, and why."),
        Field("text", "text", "Where no file was written: what it would hold.", True),
    )),
    Event("check", ("doctor",), "One thing that was looked at.", (
        Field("group", "text", "What it belongs to."), Field("name", "text", "What was looked at."), Field("found", "text", "What was found."),
        Field("ok", "flag or null", "Whether it is as it should be; null where it says nothing."), Field("advice", "text or null", "What to do."),
        Field("seconds", "number or null", "What it took."),
    ), several=True),
    Event("entry", ("layers",), "A name that files may use.", (
        Field("name", "text", "The name."), Field("kind", "text", "layer, loss, metric, …"), Field("category", "text", "Its group among its kind."),
        Field("aliases", "list", "Other names."), Field("text", "text", "All that is said of it."),
        Field("arguments", "list", "Its arguments: name, default, description, …"), Field("example", "object or null", "An example: yaml, rows."),
    ), several=True),
    Event("curve", ("layers",), "With --plot: a function at some points.", (
        Field("name", "text", "The function."), Field("x", "list", "Points."), Field("y", "list", "Values."),
        Field("derivative", "list or null", "Slopes; null for a schedule."),
    ), several=True),
    Event("report", ("report",), "A report was written.", (Field("path", "text", "The file."), Field("size", "count", "Bytes."))),
    Event("run", ("runs",), "A run.", _RUN, several=True),
    Event("compare", ("compare",), "Runs side by side; lists are in the order that they were given in.", (
        Field("runs", "list", "Runs, as `run` tells them, and `given`."), Field("scores", "object", "By name, each run's score or null."),
        Field("best", "object", "By name, which run is the best (from 0), or null."),
        Field("differences", "list", "Where the files differ: path, values."),
        Field("weights", "list", "Against the first run: same, differing, tensors, largest; null for the first and where there is no model."),
        Field("curves", "list", "Of each run: epoch, loss, val_loss."), Field("path", "text or null", "The page that was written."),
    )),
    Event("schema", ("schema",), "The schema of a model file.", (
        Field("path", "text", "Where the schema that ships is."), Field("modeline", "text", "A file's first line, by which editors find it."),
        Field("schema", "object", "The JSON Schema, with what other packages add to the catalogues."),
    )),
    Event("render", ("render",), "A file with every default filled in.", (Field("text", "text", "The file."),)),
    Event("difference", ("render",), "With --diff: a place at which two files mean something else.", (
        Field("path", "text", "The place, as `--set` names it."), Field("before", "any", "What the first file has; null where it has nothing."),
        Field("after", "any", "What the second file has."), Field("has", "list", "Whether the first file has something there, and the second."),
    ), several=True),
    Event("diff", ("render",), "With --diff: all differences were told.", (
        Field("equal", "flag", "Whether the two mean the same."), Field("differences", "count", "How many there are."),
    )),
    Event("code", ("explain",), "What a code at the end of a message means.", (
        Field("code", "text", "The code."), Field("group", "text", "What it belongs to."), Field("means", "text", "What is wrong."),
        Field("cure", "text", "What to do."), Field("example", "object or null", "name, file, command, says."),
    ), several=True),
    Event("tune-begin", ("tune",), "A search starts or goes on.", (
        Field("parameters", "list", "The ranges' names."), Field("trials", "count", "Trials that are wanted."),
        Field("ended", "count", "Trials that are there already."),
    )),
    Event("trial", ("tune",), "A trial has ended.", (
        Field("number", "count", "From 0."), Field("state", "text", "`done`, `pruned`, `diverged` or `refused`."),
        Field("value", "number or null", "The metric; of the last epoch where it was pruned."), Field("epochs", "count", "Epochs that were trained."),
        Field("seconds", "number", "What it took."), Field("chosen", "object", "What was tried, by the range's name."),
        Field("why", "text", "Why it did not come to an end; empty where it did."), Field("best", "count or null", "The best trial so far."),
    ), several=True),
    Event("tune", ("tune",), "The search has ended.", (
        Field("reason", "text", "`done`, `time` or `interrupted`."), Field("folder", "text", "The study's folder."),
        Field("metric", "text", "What trials are judged by."), Field("direction", "text", "`minimize` or `maximize`."),
        Field("trials", "count", "Trials that ended."), Field("seconds", "number", "What it took."),
        Field("best", "object or null", "The best trial: number, state, value, epochs, seconds, chosen, why."),
        Field("file", "text or null", "The plain file of the best trial."), Field("report", "text", "The study's report."),
    )),
    Event("diagnostic", (), "Something is wrong (the exit code says so too) or doubtful.", (
        Field("severity", "text", "`error` or `warning`."), Field("code", "text", "A stable name."), Field("message", "text", "What is wrong."),
        Field("file", "text", "The file.", True), Field("line", "count", "From 1.", True), Field("column", "count", "From 1.", True),
        Field("end_line", "count", "The place's end.", True), Field("end_column", "count", "Exclusive.", True),
        Field("notes", "list", "Other places: message, place.", True), Field("hint", "text", "A cure.", True),
    ), several=True),
)  # fmt: skip
BY_NAME = {e.name: e for e in EVENTS}


def line(record: dict[str, Any], first: bool) -> str:
    """An event as JSON on one line; a stream's first one has the version. Numbers that JSON has no word for become null."""
    if first:
        record = {"event": record["event"], "version": VERSION, **record}
    return json.dumps(_plain(record), ensure_ascii=False)


def _plain(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, dict):
        return {str(k): _plain(v) for k, v in value.items()}
    return [_plain(v) for v in value] if isinstance(value, (list, tuple)) else value


def problems(record: Any, command: str | None = None) -> list[str]:
    """What is wrong with a line as an event of a command; nothing if all is as declared."""
    if not isinstance(record, dict) or not isinstance(record.get("event"), str):
        return ["it is no object with the name of an event"]
    event = BY_NAME.get(record["event"])
    if event is None:
        return [f"no event is called {record['event']!r}"]
    out = [] if command is None or not event.commands or command in event.commands else [f"{command} has no event {event.name}"]
    fields = {f.name: f for f in event.fields}
    for name, value in record.items():
        if name == "event" or (name == "version" and value == VERSION):
            continue
        if name not in fields:
            out.append(f"{event.name} has no field {name!r}")
        elif not _fits(value, fields[name].kind):
            out.append(f"{event.name}.{name} is to be {fields[name].kind}, got {value!r:.80}")
    return out + [f"{event.name} lacks {f.name!r}" for f in event.fields if not f.optional and f.name not in record]


def _fits(value: Any, kind: str) -> bool:
    if kind.endswith(" or null"):
        return value is None or _fits(value, kind.removesuffix(" or null"))
    if kind == "any":
        return True
    if kind == "numbers":
        return isinstance(value, dict) and all(v is None or _fits(v, "number") for v in value.values())
    if kind == "number":
        return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)
    if kind == "count":
        return isinstance(value, int) and not isinstance(value, bool) and value >= 0
    return isinstance(value, {"text": str, "flag": bool, "list": list, "object": dict}[kind])


_HEAD = f"""# Events

<!-- Made by `python -m layerctl.events`; a test compares the two. -->

With `--json` every command prints events to standard output: an object a line (JSON lines, UTF-8), flushed as it comes. `event` names what
it is; the first line, and `begin`, carry `"version": {VERSION}`. The version grows when an event or a field goes or changes its meaning; fields
and events may be added without that, so a reader passes over what it does not know. A number that is NaN or infinite is `null`. Standard
error may have lines for people and is not part of the stream; the exit code says how the command ended.
Training and a search go on when their reader has ended; other commands end with it, quietly.

    layerctl train model.yaml --json | jq -r 'select(.event == "epoch") | [.epoch, .logs.loss, .logs.val_loss] | @tsv'

`{ROWS} --json` prints rows, not events: an object of predictions for each row of the input, in order, as `--format jsonl` does;
with `--prompt` it prints the one event that is below. Diagnostics are events there, too: a line with `"event": "diagnostic"`.

| command | events |
|---|---|
"""


def page() -> str:
    """docs/events.md."""
    commands = sorted({c for e in EVENTS for c in e.commands})
    lines = [_HEAD.rstrip("\n")]
    for c in commands:
        names = [f"[{e.name}](#{e.name}){' …' if e.several else ''}" for e in EVENTS if c in e.commands]
        lines.append(f"| `{c}` | {', '.join(names)} |")
    lines += ["| all | [diagnostic](#diagnostic) … |", "", "… any number of them, or none."]
    for e in EVENTS:
        lines += ["", f"## {e.name}", "", e.what, "", "| field | kind | what |", "|---|---|---|"]
        lines += [f"| `{f.name}` | {f.kind}{', may be missing' if f.optional else ''} | {f.what} |" for f in e.fields]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    print(page(), end="")
