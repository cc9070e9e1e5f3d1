"""Reverse-mode differentiation of a trace: the gradients are nodes of the same trace.

Through a region that is an elementwise function of one tensor the gradient goes in one step, times the region's slope.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from layerctl.compile.slopes import Region, regions, worth
from layerctl.ops.elementwise import FLOATING
from layerctl.ops.leaves import constant
from layerctl.ops.value import Node, Value, origin


def ancestors(values: Iterable[Value]) -> list[Node]:
    """All nodes that the values depend on, in order."""
    seen: dict[int, Node] = {}
    todo = [v.node for v in values]
    while todo:
        node = todo.pop()
        if node.id in seen:
            continue
        seen[node.id] = node
        todo.extend(v.node for v in node.inputs)
    return [seen[i] for i in sorted(seen)]


def readers(nodes: Iterable[Node]) -> dict[int, list[Node]]:
    """The nodes that read each value, by its identity; one that reads it twice is there twice."""
    found: dict[int, list[Node]] = {}
    for node in nodes:
        for v in node.inputs:
            found.setdefault(id(v), []).append(node)
    return found


def gradients(of: Value, wrt: Sequence[Value]) -> list[Value | None]:
    """d of / d w for each w; `of` is a scalar. None where `of` does not depend on w.

    A value stopped by `stop_gradient` lets nothing through.
    """
    nodes = ancestors([of])
    wanted = {id(w) for w in wrt}
    found = _backward(nodes, of, wanted, regions(nodes, readers(nodes), wanted))
    return [found.get(id(w)) for w in wrt]


def _backward(nodes: Sequence[Node], of: Value, wanted: set[int], ends: Mapping[int, Region]) -> dict[int, Value]:
    """The gradients of the wanted values, by their identities."""
    needed = set(wanted)
    for node in nodes:
        if any(id(v) in needed for v in node.inputs):
            needed.update(id(v) for v in node.outputs if v.dtype in FLOATING)
    grads: dict[int, Value] = {id(of): constant(1.0, of.dtype)}
    found: dict[int, Value] = {}

    def add(v: Value, g: Value) -> None:
        grads[id(v)] = grads[id(v)] + g if id(v) in grads else g

    for node in reversed(nodes):
        out = [grads.pop(id(v), None) for v in node.outputs]
        for v, g in zip(node.outputs, out, strict=True):
            if g is not None and id(v) in wanted:
                found[id(v)] = g
        if all(g is None for g in out) or not any(id(v) in needed for v in node.inputs) or node.op.no_gradient:
            continue
        with origin(node.origin):
            slope = _slope(ends[id(node)]) if id(node) in ends else None
            if slope is not None:
                add(ends[id(node)][0], out[0] * slope)
                continue
            back = node.op.gradient(node, *out)
            for v, g in zip(node.inputs, back, strict=True):
                if g is not None and id(v) in needed:
                    add(v, g)
    return found | {key: grads[key] for key in wanted & grads.keys()}


def _slope(region: Region) -> Value | None:
    """The derivative of a region's result by the tensor that it reads, where that is worth keeping in place of its factors."""
    source, nodes = region
    if len(nodes) == 1 or source.dtype not in FLOATING:
        return None
    slope = _backward(nodes, nodes[-1].outputs[0], {id(source)}, {}).get(id(source))
    return slope if slope is not None and worth(slope, region) else None
