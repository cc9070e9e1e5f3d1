"""What a model's features and targets ask of an exported program, by name, so that an exporter can say what it has no form for."""

from __future__ import annotations

from collections.abc import Container, Iterator
from typing import Any

from layerctl.diagnostics import Diagnostic
from layerctl.export.base import OTHER_TARGETS
from layerctl.predicting.telling import named_numbers
from layerctl.spec.features import ColumnFit, FeatureFit, TargetFit

DEFAULT_PARTS = ["days", "month", "weekday"]


def of_column(c: ColumnFit) -> Iterator[tuple[str, str]]:
    """(name, words) of what a column asks for beyond scaled numbers, words, and dates of one format."""
    if c.kind in ("vector", "sequence"):
        yield c.kind, f"numbers of a {c.kind} in one field"
    if c.strip:
        yield "strip", f"characters that do not count in numbers ({c.strip!r})"
    if c.units:
        yield "units", f"numbers whose units count ({', '.join(map(repr, c.units))})"
    if c.outlying:
        yield f"outlying: {c.outlying}", f"`outlying: {c.outlying}`"
    if c.kind in ("category", "binary") and c.unseen != "bucket":
        yield f"unseen: {c.unseen}", f"`unseen: {c.unseen}`"
    if c.parts and c.parts != DEFAULT_PARTS:
        yield "parts", f"dates taken apart into {', '.join(c.parts)}"
    if c.formats:
        yield "formats", "dates in several formats"


def of_target(schema: Any, t: TargetFit, width: int) -> Iterator[tuple[str, str]]:
    """(name, words) of what an output's results ask for beyond a class or a number."""
    if t.kind == "labels":
        yield "labels", "labels of which any number may be there"
    if t.kind == "sequence":
        yield "steps", "a label or a number a step"
    if t.kind == "next":
        yield "next", "a text that is gone on with"
    if t.kind == "input" and named_numbers(schema, t, width) is None:
        yield "input", "an input that is given back and is not made of numbers alone"


def unmet(traced: Any, what: str, cannot: Container[str]) -> list[Diagnostic]:
    """A diagnostic for each thing that is asked for and that an exporter cannot do; `what` is the language."""
    model = traced.model
    span = model.spec.data_span if model.spec.data is not None else lambda *_: None
    out: dict[str, Diagnostic] = {}
    features: dict[str, FeatureFit] = traced.features
    for name, fit in features.items():
        for c in fit.columns:
            for key, words in of_column(c):
                if key in cannot:
                    text = f"{what} export has no form for {words} of the feature '{name}'"
                    out.setdefault(text, Diagnostic("cannot-export", text, span("features", name), (), OTHER_TARGETS))
    for name, value in traced.outputs.items():
        target = model.schema.target(name if len(traced.outputs) > 1 else None) if model.schema is not None else None
        width = 1
        for d in value.shape[1:]:
            width *= int(d)
        for key, words in of_target(model.schema, target, width) if target is not None else ():
            if key in cannot:
                text = f"{what} export has no form for {words}, which '{name}' predicts"
                hint = "`export --to onnx` or `npz` has the numbers before they are told"
                out.setdefault(text, Diagnostic("cannot-export", text, span("target"), (), hint))
    return list(out.values())
