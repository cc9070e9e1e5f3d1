"""Warnings: what a file may say, and hardly anybody means."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

from layerctl.catalogue import catalogue, snake_case
from layerctl.diagnostics import Diagnostic, Span

if TYPE_CHECKING:
    import numpy as np

    from layerctl.activations.base import Activation
    from layerctl.graph.model import Model, Step
    from layerctl.spec.features import FeatureSchema

_NOISE = ("Dropout", "SpatialDropout1D", "SpatialDropout2D", "SpatialDropout3D", "AlphaDropout", "GaussianDropout")
_LAYERS = {"Softmax": "Softmax", "ReLU": "Relu", "LeakyReLU": "LeakyRelu", "ELU": "Elu"}
"""Layers that are an activation with arguments of the same names."""
_RECURRENT = ("LSTM", "GRU", "SimpleRNN")
"""Layers whose activation is within a step, not at the end of all."""


def doubts(model: Model, outputs: Mapping[str, Any]) -> list[Diagnostic]:
    """Warnings for layers and losses that know nothing of rows. A number that is doubtful by itself is told where it is read (`configured.Usual`)."""
    found = [d for name, judged in outputs.items() if (step := last(model, name)) is not None for d in _of_losses(name, step, judged)]
    found += _of_layers(model)
    return found


def _warning(code: str, message: str, place: Span | None, hint: str) -> Diagnostic:
    return Diagnostic(code, message, place, (), hint, "warning")


def last(model: Model, name: str) -> Step | None:
    """The step that makes an output."""
    return next((s for s in model.steps if name in s.names), None)


def ending(layer: Any) -> Activation | None:
    """The activation at the end of a layer; linear where the layer has the argument and it is not given; None where it has none."""
    name, known = type(layer).__name__, catalogue("activations")
    if name in _LAYERS:
        cls = known.get(_LAYERS[name])
        return cls(**{n: v for n in cls.model_fields if (v := getattr(layer, n)) is not None and not isinstance(v, list)})
    if "activation" not in type(layer).model_fields or name in _RECURRENT:
        return None
    return known.get("Linear")() if layer.activation is None else layer.activation


def _named(activation: Activation) -> str:
    name = snake_case(type(activation).__name__)
    return "no activation" if name == "linear" else f"the activation {name}"


def _of_losses(name: str, step: Step, judged: Any) -> Iterable[Diagnostic]:
    """Crossentropies that take probabilities or logits, and get something else."""
    activation = ending(step.layer)
    for loss in (part.loss for part in judged.losses):
        logits, kind = getattr(loss, "from_logits", None), type(loss).__name__
        if activation is None or logits is None:
            continue
        low, high = activation.bounds()
        wanted = "sigmoid" if kind.startswith("Binary") else "softmax"
        if logits:
            if (low, high) == (0.0, 1.0):
                yield _warning("not-logits", f"the loss {kind} takes logits, but the output '{name}' has {_named(activation)}",
                               judged.places.get(id(loss), step.span),
                               "leave `from_logits` out, or take the activation away: the loss brings its own")  # fmt: skip
        elif low < 0.0 or high > 1.0:
            yield _warning("not-probabilities", f"the loss {kind} takes probabilities, but the output '{name}' has {_named(activation)}", step.span,
                           f"say `activation: {wanted}`, or `loss: {{{kind}: {{from_logits: true}}}}` for an output without activation")  # fmt: skip
        elif wanted == "softmax" and not activation.distribution:
            text = f"the loss {kind} takes probabilities that sum to 1, but the output '{name}' has {_named(activation)}, each unit by itself"
            yield _warning("not-probabilities", text, step.span, "say `activation: softmax`")


def _of_layers(model: Model) -> Iterable[Diagnostic]:
    made = {n: s for s in model.steps for n in s.names}
    for step in model.steps:
        kind, name = type(step.layer).__name__, step.names[0]
        if kind in _NOISE and name in model.outputs:
            yield _warning("doubtful-layer", f"{kind} '{name}' is the last layer: in training it sets a part of what is predicted to 0", step.span,
                           "put it before the layer that predicts")  # fmt: skip
        before = made.get(step.sources) if isinstance(step.sources, str) else None
        own = ending(step.layer) if kind in ("Softmax", "Activation") else None
        if before is not None and own is not None and own.distribution and (already := ending(before.layer)) is not None and already.distribution:
            yield _warning("doubtful-layer", f"{kind} '{name}' is a softmax of '{before.names[0]}', which is one already: all classes become nearly alike",
                           step.span, "take one of the two away")  # fmt: skip


def out_of_reach(model: Model, schema: FeatureSchema, targets: Callable[[], Mapping[str, np.ndarray]]) -> Iterable[Diagnostic]:
    """Numbers to predict that the activation at the end of the model never gives; `targets` reads those of the training rows."""
    for name in model.outputs:
        target, step = schema.target(name), last(model, name)
        activation = ending(step.layer) if step is not None else None
        if target is None or target.kind not in ("number", "numbers") or activation is None or all(map(math.isinf, activation.bounds())):
            continue
        low, high = activation.bounds()
        values = targets().get(name)
        if values is None or not values.size:
            continue
        least, most = float(values.min()), float(values.max())
        if least < low - 1e-6 or most > high + 1e-6:
            assert step is not None
            scaled = ", as it is scaled," if (target.centre, target.spread) != (0.0, 1.0) or any(target.centres) else ""
            yield _warning("out-of-reach", f"the output '{name}' has {_named(activation)}, which gives {_between(low, high)}, but the target "
                           f"'{target.column}'{scaled} goes from {least:g} to {most:g}", step.span,
                           "leave the last layer without activation for numbers of any size")  # fmt: skip


def _between(low: float, high: float) -> str:
    if math.isinf(high):
        return f"{low:g} or more"
    return f"{high:g} or less" if math.isinf(low) else f"{low:g} to {high:g}"
