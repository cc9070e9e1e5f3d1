"""Mistakes that can be told by names alone, in sections that are not reached because one before them is at fault.

A file is read section by section: the model is built when the others are known, and losses when the model is. What is wrong in itself, a
layer that does not exist, an argument that has another name, is said with the first mistakes all the same, so that one look at the file mends all.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from layerctl.catalogue import catalogue
from layerctl.diagnostics import Diagnostic, LayerctlError, Problems, in_order
from layerctl.graph.build import Wiring, using_definitions
from layerctl.losses.base import BY_SHAPE
from layerctl.source.document import Mapping as MappingNode
from layerctl.source.document import Node, Scalar, Sequence
from layerctl.spec.construct import definitions, entry
from layerctl.spec.file import Spec
from layerctl.spec.items import items
from layerctl.spec.variables import resolved

JUDGES = {"loss": "losses", "metrics": "metrics", "weighted_metrics": "metrics"}


def with_others(error: LayerctlError, spec: Spec, *, model: bool) -> LayerctlError:
    """The error with what is wrong in the compile section besides, and, if `model`, in the model's layers."""
    problems = Problems()
    scope = {**spec.variables, "vars": spec.variables}
    try:
        with using_definitions(spec, scope, problems):
            if model:
                _layers(spec, scope, problems)
            _compile(spec, scope, problems)
    except LayerctlError as other:
        problems.found.extend(other.diagnostics)
    known = {(d.span.source.name, d.span.line, d.span.column) for d in error.diagnostics if d.span is not None}
    return type(error)(in_order([*error.diagnostics, *_elsewhere(problems.errors, known)]))


def _elsewhere(found: Iterable[Diagnostic], known: set[tuple[str, int, int]]) -> Iterator[Diagnostic]:
    """What stands at places of which nothing was said."""
    return (d for d in found if d.span is not None and (d.span.source.name, d.span.line, d.span.column) not in known)


def _layers(spec: Spec, scope: Mapping[str, Any], problems: Problems) -> None:
    listed = spec.model.get("layers") if isinstance(spec.model, MappingNode) else spec.model
    if not isinstance(listed, Sequence):
        return
    node = resolved(listed, scope, defer=True)
    wiring = Wiring(problems, {})
    for item in items(node, problems):
        if item.use is None and item.kind is not None and item.kind not in definitions() and not _waits(item.arguments):
            wiring.layer_of(item)


def _compile(spec: Spec, scope: Mapping[str, Any], problems: Problems) -> None:
    if spec.compile is None:
        return
    node = resolved(spec.compile, scope, defer=True)
    assert isinstance(node, MappingNode)
    chosen = node.get("optimizer")
    if chosen is not None and not _waits(chosen):
        entry("optimizers", chosen, problems)
    for key, kind in JUDGES.items():
        for named in _entries(node.get(key), kind):
            if not _waits(named):
                entry(kind, named, problems)


def _entries(node: Node | None, kind: str) -> Iterator[Node]:
    """What names a loss or a metric, of whichever output it is."""
    if isinstance(node, Sequence):
        for n in node.items:
            yield from _entries(n, kind)
    elif isinstance(node, Scalar) and isinstance(node.value, str) and node.value not in BY_SHAPE:
        yield node
    elif isinstance(node, MappingNode):
        first = str(node.entries[0].key.value) if len(node.entries) == 1 else ""
        if first and (catalogue(kind).get(first) is not None or first in definitions()):
            yield node
            return
        for e in node.entries:
            if not isinstance(e.value, MappingNode) or any(catalogue(kind).get(str(i.key.value)) for i in e.value.entries):
                yield from _entries(e.value, kind)


def _waits(node: Node | None) -> bool:
    """Whether a `${…}` within a node is not known yet."""
    if isinstance(node, MappingNode):
        return any(_waits(e.value) for e in node.entries)
    if isinstance(node, Sequence):
        return any(map(_waits, node.items))
    return isinstance(node, Scalar) and isinstance(node.value, str) and "${" in node.value
