"""Layers that take state from the data, such as Normalization: given the training rows before the first step."""

from __future__ import annotations

from collections.abc import Iterator

from layerctl.data.dataset import Dataset
from layerctl.diagnostics import fail
from layerctl.graph.model import Model, Step
from layerctl.layers.base import Layer
from layerctl.ops.value import Weight
from layerctl.training.session import Session


def adapt(session: Session, rows: Dataset) -> None:
    """Adapts every layer that needs it and has not seen rows yet: to the rows of the input that it stands behind.

    Raises:
        LayerctlError: for such a layer behind another layer.
    """
    assert session.state is not None
    for step, source, layer in _waiting(session):
        if source is None:
            kind = type(layer).__name__
            fail("cannot-adapt", f"{kind} '{layer.path}' takes its numbers from the training rows, but stands behind no input of the model",
                 step.span, hint="put it first behind an input, or give it the numbers as arguments")  # fmt: skip
        for weight, value in layer.adapt(rows.inputs[source]).items():
            session.state.write(weight, value)


def _waiting(session: Session) -> Iterator[tuple[Step, str | None, Layer]]:
    """Layers that are not adapted yet, with the input that each takes; None where it takes another layer's result."""
    assert session.state is not None
    model = session.model
    for step in model.steps:
        for layer in _inside(step.layer):
            if layer.adapts and not int(session.state.view(layer.adapted())[()]):
                direct = layer is step.layer and isinstance(step.sources, str) and step.sources in model.inputs
                yield step, step.sources if direct else None, layer


def marks(model: Model) -> list[Weight]:
    """The weights that say whether layers have seen rows: 0 until they have."""
    return [layer.adapted() for layer in _inside(model) if layer.adapts]


def _inside(layer: Layer) -> Iterator[Layer]:
    if not isinstance(layer, Model):
        yield layer
    for inner in layer.sublayers():
        yield from _inside(inner)
