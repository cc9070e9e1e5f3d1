"""What is wrong in the model and compile sections as far as that can be told before the data are known, so that all mistakes are told at once."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from layerctl.catalogue import catalogue
from layerctl.diagnostics import Diagnostic, LayerctlError, Problems, in_order
from layerctl.graph.build import build_model, using_definitions
from layerctl.graph.judging import check_keys
from layerctl.graph.model import Port
from layerctl.losses.base import BY_SHAPE
from layerctl.metrics.base import BY_LOSS
from layerctl.source.document import Mapping, Node, Scalar, Sequence
from layerctl.spec.construct import definitions, entry
from layerctl.spec.data import DataSpec, is_feature
from layerctl.spec.file import Spec
from layerctl.spec.variables import resolved

SIZES = "features."
"""What stands in a line whose numbers come from the data: of such a line nothing can be told."""
_GUESS = {"size": 8, "length": 8, "width": 8}


def with_mistakes(spec: Spec, error: LayerctlError, model: bool = True) -> LayerctlError:
    """The error with the mistakes of the compile section beside it, and with `model` those of the model section."""
    found = [*error.diagnostics, *mistakes(spec, model)]
    return error if len(found) == len(error.diagnostics) else LayerctlError(in_order(found))


def mistakes(spec: Spec, model: bool = True) -> list[Diagnostic]:
    """Mistakes in names, arguments and wiring."""
    found = [*(_of_model(spec) if model else ()), *_of_compile(spec)]
    return [d for d in found if d.severity == "error" and not _of_sizes(d)]


def _of_sizes(d: Diagnostic) -> bool:
    line = d.span.source.line(d.span.line) if d.span is not None and d.span.line else None
    return line is not None and SIZES in line


def _features(spec: Spec) -> dict[str, Any]:
    """Sizes for the features that the data section names, be it right or not."""
    root = spec.document.root
    data = root.get("data") if isinstance(root, Mapping) else None
    named = data.get("features") if isinstance(data, Mapping) else None
    if not isinstance(named, Mapping) or not isinstance(data, Mapping):
        return {}
    moved = [e for e in data.entries if e.key.value not in DataSpec.model_fields and is_feature(e.value)]  # a feature that lost its indentation
    own = [e for e in named.entries if e.key.value not in DataSpec.model_fields or is_feature(e.value)]
    return {str(e.key.value): _GUESS for e in (*own, *moved)}


def _of_model(spec: Spec) -> Iterable[Diagnostic]:
    """Those of the model, with inputs of any shape where the data say them."""
    names = _features(spec)
    if not names and isinstance(spec.document.root, Mapping) and "data" in spec.document.root:
        return ()
    try:
        build_model(spec, {n: Port(None, "f32") for n in names}, names)
    except LayerctlError as error:
        return error.diagnostics
    return ()


def _of_compile(spec: Spec) -> Iterable[Diagnostic]:
    """Keys and names that there are not, and their arguments."""
    problems = Problems()
    if spec.compile is None:
        return ()
    scope = {**spec.variables, "vars": spec.variables, "features": _features(spec)}
    try:
        node = resolved(spec.compile, scope, defer=False)
    except LayerctlError as error:
        return error.diagnostics
    assert isinstance(node, Mapping)
    check_keys(node, problems)
    with using_definitions(spec, scope, problems):
        chosen = node.get("optimizer")
        if chosen is not None:
            entry("optimizers", chosen, problems)
        _named(node.get("loss"), "losses", BY_SHAPE, problems)
        for key in ("metrics", "weighted_metrics"):
            _named(node.get(key), "metrics", BY_LOSS, problems)
    return problems.found


def _named(node: Node | None, kind: str, stand_ins: Iterable[str], problems: Problems) -> None:
    """Each entry of one, a list, or a mapping by outputs' names, whatever these are."""
    if isinstance(node, Sequence):
        for n in node.items:
            _named(n, kind, stand_ins, problems)
    elif isinstance(node, Scalar):
        if isinstance(node.value, str) and node.value not in stand_ins:
            entry(kind, node, problems)
    elif isinstance(node, Mapping):
        first = str(node.entries[0].key.value) if len(node.entries) == 1 else ""
        if catalogue(kind).get(first) is not None or first in definitions():
            entry(kind, node, problems)
        else:
            for e in node.entries:
                _named(e.value, kind, stand_ins, problems)
