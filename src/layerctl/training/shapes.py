"""A model's shapes before there are data: for `build`, and for laying out a state."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from layerctl.compile.program import Program
from layerctl.compile.step import Batch, Task, prediction, training
from layerctl.diagnostics import LayerctlError
from layerctl.graph.judging import Output
from layerctl.graph.model import Model, input_types
from layerctl.ops.value import Shape, Trace, Type, Unknown, Value, tracing

OPEN_SIZES = (16, 64, 256)
"""Sizes that open dimensions are tried with."""


def trace_shapes(
    model: Model, batch: int = 32, training_mode: bool = False, lengths: Mapping[str, Any] | None = None
) -> dict[str, Type]:
    """Builds the model's weights and gives every value's type by name.

    Open dimensions get a size that the layers take: many steps of two leave nothing of a small image.

    Raises:
        LayerctlError: where a layer refuses its input.
    """
    is_open = any(d is None for port in model.inputs.values() for d in port.shape or ())
    first: LayerctlError | None = None
    for size in OPEN_SIZES if is_open and lengths is None else (model.open_size,):
        model.open_dimensions(size)
        try:
            return {n: v.type for n, v in _run(model, batch, training_mode, lengths)[1].items()}
        except LayerctlError as error:
            first = first or error
    model.open_dimensions(OPEN_SIZES[0])
    assert first is not None
    raise first


def trace_named(model: Model, batch: int, lengths: Mapping[str, Any] | None = None) -> dict[str, tuple[Type, Any]]:
    """Every value's type, those of inner models included, and the step that makes it (None for inputs)."""
    trace, values = _run(model, batch, False, lengths)
    return {n: (v.type, None) for n, v in values.items()} | {n: (v.type, step) for n, (v, step) in trace.named.items()}


def _run(model: Model, batch: int, training_mode: bool, lengths: Mapping[str, Any] | None) -> tuple[Trace, dict[str, Value]]:
    from layerctl.ops.leaves import input_

    trace = Trace(training=training_mode)
    with tracing(trace):
        return trace, model.run({n: input_(n, t) for n, t in input_types(model, batch, lengths).items()})


def target_types(outputs: Mapping[str, Output], shapes: Mapping[str, Shape], batch: int) -> dict[str, Type]:
    """What targets a loss takes for each output: class indices, or values of the output's shape."""
    out = {}
    for name, judged in outputs.items():
        if judged.loss is None:
            continue
        shape = (Unknown(batch), *shapes[name][1:])
        out[name] = Type(judged.loss.target_shape(shape), "i32" if judged.loss.classes else "f32")
    return out


def program_of(task: Task, shapes: Mapping[str, Shape], batch: int) -> Program:
    """The training program, or the one for prediction where the file does not say how to train."""
    inputs = input_types(task.model, batch)
    targets = target_types(task.outputs, shapes, batch)
    if task.optimizer is not None and targets:
        for name, judged in task.outputs.items():
            for group in (judged.metrics, judged.weighted_metrics):
                for label, metric in group.items():
                    if name in targets:
                        judged.build(name, metric, f"metrics/{name}/{label}", targets[name].shape, shapes[name])
        return training(task, Batch(inputs, targets))
    return prediction(task, Batch(inputs))
