"""The layers, loss and training that fit a table of some size."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from layerctl.commands.starting.facts import Facts, Target
from layerctl.commands.starting.features import Inputs, Item, joined

FEW = 400
"""Training rows below which small batches, at a larger rate, are seen many times."""
WATCHED = 160
"""Training rows below which validation rows are too few to say when training should end."""
STEADY = 700
"""Training rows from which validation rows say it of a table too, where fewer are better all trained on."""
AMPLE = 100
"""Rows for each number of a row from which even a curve that bends often is more than chance."""
SOME = 2_000
"""Training rows below which models of numbers are dropped out of more, and held to smaller weights."""
FAR_ROWS, FAR_STEPS = 3_000, 1_500
"""Training rows below which it is one or two of the held-back rows that say nearly all of the loss, where some numbers to predict are far above the
others; and the steps that are taken in place of asking them."""
STRAIGHT = 4.0
"""How many times faster layers learn that lead from the row straight to an output: words that are met seldom are learned there."""
UPWARDS = "where(x > 0, x + 0.5 * x * x, x)"
"""What leads to numbers of which some are far above the others: what the layers add up is nearer to their logarithm."""
COUNTED = 64
"""Units that have a weight for each word of a text."""
AVERAGED = 0.98
"""What the running mean of the weights keeps of itself at each step: about the last fifty steps count."""


@dataclass(frozen=True)
class Size:
    """How large a model, and how it is trained, for a number of rows; with `patience` 0 all epochs, at a rate that falls along a cosine, because rows are
    few or, if `far`, because of far values."""

    units: int
    dropout: float
    rate: float
    decay: float
    batch: int
    epochs: int
    patience: int
    rows: int
    hidden: int = 2
    far: bool = False


def size_of(rows: int, width: int, held: float, classes: int, words: bool, far: bool = False) -> Size:
    """For `rows` training rows of `width` numbers and categories, while the share `held` of rows is held back for validation; `classes`: the most that
    a target has, 0 where only numbers are predicted; `words`: texts, arrays or a series are read; `far`: some of the numbers to predict are far above the
    others."""
    if not held or rows < (WATCHED if words else STEADY):
        return _watched_not(rows, width, classes, words)
    numbers = not classes
    units = 64 if rows < 300 else 128 if rows < 50_000 else 256
    dropout = 0.3 if width > rows / 4 else 0.1 if rows >= 20_000 or (numbers and not words) else 0.25
    batch = 16 if rows < 500 else 32 if rows < 3_000 else 64 if rows < 10_000 else 256 if rows < 200_000 else 512
    epochs = int(min(200, max(20, math.ceil(8_000 / max(1, rows // batch)))))
    decay = 0.02 if words else 0.2 if numbers else 0.5
    if numbers and not words and rows < SOME:
        dropout, decay = 0.3, 0.6
    if far and numbers and not words and rows < FAR_ROWS:
        return Size(units, dropout, 0.002, decay, batch, math.ceil(FAR_STEPS / math.ceil(rows / batch)), 0, rows, far=True)
    return Size(units, dropout, 0.002 if batch <= 64 else 0.003, decay, batch, epochs, max(4, min(25, epochs // 5)), rows)


def _watched_not(rows: int, width: int, classes: int, words: bool) -> Size:
    """A number of epochs with which nothing has to be held back to say when training should end: few, since more would learn what is chance in these
    rows, but the more classes the more. What predicts numbers has one hidden layer, a wide one, and is held to smaller weights."""
    if words:
        batch = 16 if rows < 500 else 32 if rows < 3_000 else 64
        return Size(64 if rows < 300 else 128, 0.2, 0.002, 0.02, batch, max(20, round(1_000 / max(1, rows // batch))), 0, rows)
    if rows < FEW:
        steps = math.ceil(max(rows, 1) / 16)
        if not classes:
            return Size(256, 0.2, 0.001, 0.5, 16, max(20, min(200, math.ceil(1_000 / steps))), 0, rows, 1)
        most = max(8 * steps, min(140 * classes, 800, 20 * min(classes, 4) * steps))
        return Size(128, 0.1, 0.001, 0.1, 64, math.ceil(most / math.ceil(max(rows, 1) / 64)), 0, rows)
    batch = 32 if rows < 1_000 else 64 if rows < 10_000 else 256
    if classes and rows < STEADY:
        return Size(128, 0.3 if width > rows / 4 else 0.2, 0.0015, 0.5, batch, math.ceil(1_500 / math.ceil(rows / batch)), 0, rows)
    if not classes and rows < min(STEADY, AMPLE * width):
        return Size(128, 0.3, 0.002, 1.5, 16, math.ceil(2_000 / math.ceil(rows / 16)), 0, rows)
    dropout = 0.3 if width > rows / 4 else 0.2 if not classes or rows < 1_000 else 0.1
    return Size(128, dropout, 0.0015, 0.02, batch, max(20, min(100, math.ceil(3_000 / math.ceil(rows / batch)))), 0, rows)


def layers_of(facts: Facts, inputs: Inputs, size: Size) -> tuple[list[Item], list[str], dict[str, str]]:
    """(the model's items, its outputs, comments by item's name)."""
    items = list(inputs.layers)
    parts, said = list(inputs.parts), {}
    if inputs.layers and any(i["name"] == "tamed" for i in items):
        said["tamed"] = "about a logarithm, on both sides of the middle"
        said["clipped"] = "as they are, but no number counts as being farther off"
    for name in inputs.texts:
        parts.append(_text(name, items, said, facts.rows))
    for name, shape in inputs.arrays.items():
        parts.append(_array(name, shape, items, size))
    row = joined(parts, "row", items)
    deep = row
    if inputs.parts or len(parts) > 1 or inputs.arrays:
        for i, units in enumerate((size.units, size.units // 2)[: size.hidden]):
            items.append({"Dense": {"units": units, "activation": "relu"}, "name": f"hidden_{i + 1}", "from": deep})
            items.append({"Dropout": size.dropout, "name": f"drop_{i + 1}"})
            deep = f"drop_{i + 1}"
    outputs = []
    for target in facts.targets:
        name = _output_name(target, {i["name"] for i in items if "name" in i} | set(inputs.features))
        if inputs.parts:
            said[f"{name}_wide"] = "what is linear in the row is learned straight from it, the rest by the layers; both begin at nothing"
            units, activation = _head(target)["units"], _head(target).get("activation")
            items.append({"Dense": {"units": units, "kernel_initializer": "zeros"}, "name": f"{name}_wide", "from": row})
            items.append({"Dense": {"units": units, "use_bias": False, "kernel_initializer": "zeros"}, "name": f"{name}_deep", "from": deep})
            curved = size.hidden == 2 and target.lopsided_up
            items.append({"Add": {}, "name": f"{name}_sum" if activation or curved else name, "from": [f"{name}_wide", f"{name}_deep"]})
            if activation:
                items.append({"Activation": activation, "name": name})
            elif curved:
                items.append({"Lambda": UPWARDS, "name": name})
                said[name] = "some values are far above the others: what is above the mean grows with its square too"
        else:
            items.append({"Dense": _head(target), "name": name, "from": deep})
        outputs.append(name)
    return items, outputs, said


def _head(target: Target) -> dict[str, Any]:
    if target.kind == "number":
        return {"units": 1}
    return {"units": 1, "activation": "sigmoid"} if target.kind == "binary" else {"units": len(target.classes), "activation": "softmax"}


def _output_name(target: Target, taken: set[str]) -> str:
    import re

    made = re.sub(r"\W+", "_", target.column).strip("_")[:40] or "output"
    made = made if made[0].isalpha() else f"target_{made}"
    while any(f"{made}{end}" in taken for end in ("", "_wide", "_deep", "_sum")):
        made += "_out"
    return made


IS_WORD = "where(x[1] > 0, 1.0, 0.0)"
SUM_OF_WORDS = f"sum(x[0] * expand_dims({IS_WORD}, -1), axis=1)"
WORDS = f"maximum(sum({IS_WORD}, axis=1, keepdims=True), 1.0)"
MEAN_OF_WORDS = f"{SUM_OF_WORDS} / {WORDS}"
UNITS_OF_WORDS = f"relu({SUM_OF_WORDS} / sqrt({WORDS}))"


def _text(name: str, items: list[Item], said: dict[str, str], rows: int) -> str:
    """Words as vectors; their mean says what a text is about, the strongest pair or triple of words what stands out, and units that
    have a weight for each word, as a dense layer over the words' counts has, say which words there are."""
    size = 32 if rows < 20_000 else 64
    words, mean, strongest, weights, counted, whole = (f"{name}_{part}" for part in ("words", "mean", "strongest", "weights", "counted", "all"))
    of_words = {"input_dim": f"${{features.{name}.size}}"}
    items.append({"Embedding": {**of_words, "output_dim": size}, "name": words, "from": name})
    items.append({"Lambda": MEAN_OF_WORDS, "name": mean, "from": [words, name]})
    said[mean] = "the mean of the words' vectors, without the padding behind them; nothing where a text has no words"
    items.append({"Embedding": {**of_words, "output_dim": COUNTED, "embeddings_initializer": "glorot_uniform"}, "name": weights, "from": name})
    items.append({"Lambda": UNITS_OF_WORDS, "name": counted, "from": [weights, name]})
    said[counted] = "units with a weight for each word: what a dense layer makes of the words' counts, divided by the root of how many words there are"
    items.append({"Conv1D": {"filters": 2 * size, "kernel_size": 3, "padding": "same", "activation": "relu"}, "name": f"{name}_phrases", "from": words})
    items.append({"GlobalMaxPooling1D": {}, "name": strongest})
    items.append({"Concatenate": {"axis": -1}, "name": whole, "from": [mean, strongest, counted]})
    items.append({"Dropout": 0.4, "name": f"{name}_text"})
    return f"{name}_text"


def _array(name: str, shape: tuple[int, ...], items: list[Item], size: Size) -> str:
    """Images and sequences by convolutions, vectors as they are."""
    if len(shape) == 1:
        return name
    last = name
    if len(shape) == 2 and shape[0] >= 8 and shape[1] >= 8 and max(shape) <= 4 * min(shape):
        items.append({"Reshape": [*shape, 1], "name": f"{name}_image", "from": name})
        last, shape = f"{name}_image", (*shape, 1)
    if len(shape) == 3 and min(shape[:2]) >= 4:
        for i, filters in enumerate((32, 64)):
            items.append({"Conv2D": {"filters": filters, "kernel_size": 3, "padding": "same", "activation": "relu"}, "name": f"{name}_conv_{i + 1}",
                          "from": last})  # fmt: skip
            items.append({"MaxPooling2D": 2, "name": f"{name}_pool_{i + 1}"})
            last = f"{name}_pool_{i + 1}"
    elif len(shape) == 2 and shape[0] >= 8:
        items.append({"Conv1D": {"filters": 64, "kernel_size": 3, "padding": "same", "activation": "relu"}, "name": f"{name}_conv", "from": last})
        last = f"{name}_conv"
    items.append({"Flatten": {}, "name": f"{name}_flat", "from": last})
    return f"{name}_flat"


def compile_of(facts: Facts, outputs: list[str], size: Size, straight: bool) -> dict[str, Any]:
    """Optimizer, losses and metrics for the targets; `straight`: there are layers that lead from the row straight to the outputs."""
    rate: Any = size.rate
    if not size.patience:
        steps = size.epochs * -(-size.rows // size.batch)
        rate = {"CosineDecay": {"initial_learning_rate": size.rate, "decay_steps": steps}}
    loss: dict[str, Any] = {"number": "mean_squared_error", "binary": "binary_crossentropy", "classes": "sparse_categorical_crossentropy"}
    metrics = {"number": ["mae", "R2Score"], "binary": ["accuracy", "AUC"], "classes": ["accuracy"]}
    losses = {n: {"Huber": {"delta": 1.0}} if bends(t, size) else loss[t.kind] for n, t in zip(outputs, facts.targets, strict=True)}
    judged = {n: metrics[t.kind] for n, t in zip(outputs, facts.targets, strict=True)}
    single = len(outputs) == 1
    more: dict[str, Any] = {"use_ema": True, "ema_momentum": AVERAGED} if size.patience else {}
    if size.patience and straight:
        more["learning_rate_multipliers"] = {"*_wide/*": STRAIGHT}
    return {
        "optimizer": {"AdamW": {"learning_rate": rate, "weight_decay": size.decay, **more}},
        "loss": losses[outputs[0]] if single else losses,
        "metrics": judged[outputs[0]] if single else judged,
    }


def bends(target: Target, size: Size) -> bool:
    """Whether a target's loss is a line for large errors, as it is where few rows give one hidden layer: the values far to one side would say most of what
    is learned."""
    return target.lopsided and size.hidden == 1


def fit_of(size: Size) -> dict[str, Any]:
    """Epochs, batches and callbacks: what is judged by validation rows, and kept, are the weights' running means."""
    out: dict[str, Any] = {"epochs": size.epochs, "batch_size": size.batch}
    if size.patience:
        out["callbacks"] = [
            {"SwapEMAWeights": {"swap_on_epoch": True}},
            {"ReduceLROnPlateau": {"monitor": "val_loss", "factor": 0.4, "patience": max(2, size.patience // 3)}},
            {"EarlyStopping": {"monitor": "val_loss", "patience": size.patience, "restore_best_weights": True}},
        ]
    return out
