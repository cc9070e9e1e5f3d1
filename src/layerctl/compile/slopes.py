"""Regions of a trace that are functions of one tensor, elementwise, like y = gelu(x): their gradient is g y'(x).

By the chain rule through each function, the factors of g are several tensors that have to be kept from the forward pass: x and what lies
between it and y. The slope y'(x) is one, and reads nothing of g: fusion computes it in the pass that computes y.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from layerctl.ops.leaves import is_scalar_constant
from layerctl.ops.value import Node, Value

Region = tuple[Value, list[Node]]
"""The tensor that it reads, and its nodes in order."""


def regions(nodes: Sequence[Node], readers: Mapping[int, list[Node]], kept: Iterable[int]) -> dict[int, Region]:
    """The region of each node that ends one, by the node's identity; `kept` are identities of values that end regions whoever reads them."""
    opaque = set(kept)
    while True:
        source = _sources(nodes, opaque)
        inside = {id(n): [id(source.get(id(r))) == id(source[id(n)]) for r in readers.get(id(n.outputs[0]), ())] for n in nodes if id(n) in source}
        torn = {id(n.outputs[0]) for n in nodes if id(n) in source and any(inside[id(n)]) and not all(inside[id(n)])}
        if not torn:
            break
        opaque |= torn
    ends = [n for n in nodes if id(n) in source and not any(inside[id(n)])]
    return {id(n): (source[id(n)], _region(n, source)) for n in ends}


def _sources(nodes: Sequence[Node], opaque: set[int]) -> dict[int, Value]:
    """The one tensor that each elementwise node is a function of, by the node's identity; opaque values are functions of themselves alone."""
    found: dict[int, Value] = {}
    for node in nodes:
        if node.op.name != "elementwise":
            continue
        read = [v for v in node.inputs if not is_scalar_constant(v)]
        of = {id(s): s for s in (v if id(v) in opaque else found.get(id(v.node), v) for v in read)}
        if len(of) == 1:
            (source,) = of.values()
            if source.shape == node.outputs[0].shape != ():
                found[id(node)] = source
    return found


def _region(end: Node, source: Mapping[int, Value]) -> list[Node]:
    of, seen, todo = source[id(end)], dict[int, Node](), [end]
    while todo:
        node = todo.pop()
        if node.id not in seen and source.get(id(node)) is of:
            seen[node.id] = node
            todo += [v.node for v in node.inputs if v is not of]
    return [seen[i] for i in sorted(seen)]


def worth(slope: Value, region: Region) -> bool:
    """Whether the slope reads two tensors or more of the forward pass beside the result, which is there anyway."""
    source, nodes = region
    own, result = {id(n) for n in nodes}, nodes[-1].outputs[0]
    read: set[int] = set()
    seen: set[int] = set()
    todo = [slope.node]
    while todo:
        node = todo.pop()
        if id(node) in seen or node is source.node or id(node) in own:
            continue
        seen.add(id(node))
        for v in node.inputs:
            if v is source or id(v.node) in own:
                read.add(id(v))
            else:
                todo.append(v.node)
    return len(read - {id(result)}) > 1
