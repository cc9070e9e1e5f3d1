"""Whether a model's last layers give what its losses take: probabilities, and more than one where they are of classes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from layerctl.catalogue import snake_case
from layerctl.diagnostics import Diagnostic, Problems
from layerctl.graph.model import Model, Step
from layerctl.ops.value import Shape
from layerctl.spec.features import FeatureSchema

_UNBOUNDED = ("Linear", "Relu", "LeakyRelu", "Elu", "Selu", "Gelu")
"""Activations whose results are no probabilities, and whose logarithm may not exist."""


def check_ids(model: Model, schema: FeatureSchema, problems: Problems) -> None:
    """An Embedding has a row for each id that its input's feature gives; numbers on a scale are no ids."""
    from layerctl.layers.embedding import Embedding

    for step in model.steps:
        feature = schema.features.get(step.sources) if isinstance(step.sources, str) and step.sources in model.inputs else None
        if feature is None or not isinstance(step.layer, Embedding):
            continue
        name, ids = step.names[0], feature.kind == "text" or (feature.kind == "category" and feature.encode == "index")
        if ids and step.layer.input_dim < feature.size and len(feature.columns) == 1:
            text = f"Embedding '{name}' has input_dim {step.layer.input_dim}, but the feature '{step.sources}' gives {feature.size} ids"
            problems.error("out-of-range", text,
                           step.span, hint=f'write `input_dim: "${{features.{step.sources}.size}}"`')  # fmt: skip
        elif feature.kind == "number" and any((c.centre, c.spread) != (0.0, 1.0) for c in feature.columns):
            problems.error("bad-value", f"Embedding '{name}' takes ids, but the feature '{step.sources}' gives numbers on a scale", step.span,
                           hint="say `kind: category, encode: index` in the feature; for whole numbers that are ids, `scale: none`")  # fmt: skip


def _last(model: Model, name: str) -> Step | None:
    return next((s for s in model.steps if name in s.names), None)


def check_softmax(model: Model, shapes: Mapping[str, Shape], problems: Problems) -> None:
    """A softmax over one number is 1 whatever the model does: nothing can be learned from it."""
    for name in model.outputs:
        step, shape = _last(model, name), shapes[name]
        if step is not None and len(shape) > 1 and shape[-1] == 1 and _activation(step.layer) == "Softmax":
            problems.error("bad-value", f"a softmax over one number is always 1: the output '{name}' of shape (None, 1) tells nothing", step.span,
                           hint="one unit takes `activation: sigmoid`; a softmax takes one unit for each class")  # fmt: skip


def check_metrics(schema: FeatureSchema, outputs: Mapping[str, Any], problems: Problems) -> None:
    """Metrics of classes say nothing of a number that is predicted: that it is hardly ever met exactly."""
    for name, judged in outputs.items():
        target = schema.target(name)
        if target is None or target.kind not in ("number", "numbers", "input") or not judged.losses or not all(p.loss.numbers for p in judged.losses):
            continue
        for label, metric in (judged.metrics | judged.weighted_metrics).items():
            if metric.of_classes:
                given = f"the input '{target.column}'" if target.kind == "input" else f"the target '{target.column}', a number"
                problems.error("metric-of-classes", f"the metric '{label}' counts classes, but is to judge {given}", judged.places.get(id(metric)),
                               hint="of numbers there are mae, root_mean_squared_error and r2_score; where the target's numbers are classes, say "
                               "`kind: category` in it, and a crossentropy as the loss")  # fmt: skip


def doubts(model: Model, outputs: Mapping[str, Any]) -> list[Diagnostic]:
    """Warnings for crossentropies that take probabilities and get numbers of any size."""
    found = []
    for name, judged in outputs.items():
        step = _last(model, name)
        activation = _activation(step.layer) if step is not None else None
        for part in judged.losses:
            kind = type(part.loss).__name__
            if step is None or activation not in _UNBOUNDED or getattr(part.loss, "from_logits", None) is not False:
                continue
            wanted = "sigmoid" if kind.startswith("Binary") else "softmax"
            has = "no activation" if activation == "Linear" else f"the activation {snake_case(activation)}"
            found.append(Diagnostic(
                "not-probabilities", f"the loss {kind} takes probabilities, but the output '{name}' has {has}", step.span, (),
                f"say `activation: {wanted}`, or `loss: {{{kind}: {{from_logits: true}}}}` for an output without activation", "warning",
            ))  # fmt: skip
    return found


def _activation(layer: Any) -> str | None:
    """The kind of activation at the end of a layer; Linear where the layer has the argument and it is not given; None where it has none."""
    if type(layer).__name__ in ("Softmax", "ReLU"):
        return {"ReLU": "Relu"}.get(type(layer).__name__, "Softmax")
    if "activation" not in type(layer).model_fields or type(layer).__name__ in ("LSTM", "GRU", "SimpleRNN"):
        return None
    return "Linear" if layer.activation is None else type(layer.activation).__name__
