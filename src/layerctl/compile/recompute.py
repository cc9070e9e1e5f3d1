"""Cheap elementwise values are computed again where they are read, instead of being stored and read back.

A value floats if it takes a few cheap functions of at most one operand of its own size, which is in memory anyway, and of smaller ones
(a channel's mean, a bias, a number): reading that operand costs what reading the value would. Each elementwise reader gets a copy of its own.
"""

from __future__ import annotations

from collections.abc import Sequence

from layerctl.ops.leaves import is_scalar_constant
from layerctl.ops.value import Node, Value, product

CHEAP = ("identity", "add", "sub", "mul", "neg")
DEEPEST = 3
SMALL = 4
"""An operand is small if it has at most the value's elements divided by this."""


def recomputed(nodes: list[Node], keep: Sequence[Value]) -> tuple[list[Node], set[int]]:
    """The nodes with a copy of each floating node before each of its readers, and the copies' identities."""
    readers: dict[int, list[Node]] = {}
    for n in nodes:
        for v in n.inputs:
            readers.setdefault(id(v), []).append(n)
    kept = {id(v) for v in keep}
    stored = {id(n) for n in nodes if n.op.name == "elementwise" and (id(n.outputs[0]) in kept or not _read_elementwise(n, readers))}
    depth: dict[int, int] = {}
    for n in nodes:
        found = _depth(n, depth, stored)
        if found is not None and id(n) not in stored:
            depth[id(n)] = found
    out: list[Node] = []
    floating: set[int] = set()
    for n in nodes:
        if id(n) in depth:
            continue
        copies: list[Node] = []
        if n.op.name == "elementwise":
            n.inputs = tuple(_copied(v, n, depth, copies) for v in n.inputs)
        out += [*copies, n]
        floating.update(map(id, copies))
    return out, floating


def _depth(node: Node, depth: dict[int, int], stored: set[int]) -> int | None:
    """How many cheap functions a value is away from memory; None if it cannot float."""
    if node.op.name != "elementwise" or node.attrs["fn"] not in CHEAP:
        return None
    size = int(product(node.outputs[0].shape))
    large = {id(v): v for v in node.inputs if not is_scalar_constant(v) and int(product(v.shape)) * SMALL > size}
    if size < SMALL or len(large) > 1 or any(v.node.op.is_view for v in large.values()):
        return None
    at = 1
    for v in large.values():
        if int(product(v.shape)) != size:
            return None
        if v.node.op.name == "elementwise" and id(v.node) not in stored:
            if id(v.node) not in depth:
                return None
            at = 1 + depth[id(v.node)]
    return at if at <= DEEPEST else None


def _read_elementwise(node: Node, readers: dict[int, list[Node]]) -> bool:
    """Whether only elementwise nodes of the value's own size read it."""
    size = int(product(node.outputs[0].shape))
    own = readers.get(id(node.outputs[0]), [])
    return bool(own) and all(r.op.name == "elementwise" and int(product(r.outputs[0].shape)) == size for r in own)


def _copied(value: Value, reader: Node, depth: dict[int, int], copies: list[Node]) -> Value:
    """The value, or that of a new copy of the floating node that makes it."""
    node = value.node
    if id(node) not in depth:
        return value
    inputs = tuple(_copied(v, reader, depth, copies) for v in node.inputs)
    copy = Node(node.op, inputs, node.attrs, reader.id, node.origin)
    copy.outputs = (Value(value.type, copy),)
    copies.append(copy)
    return copy.outputs[0]
