"""Recurrent ops project their input themselves where nobody else reads the projection, and keep no results that nobody reads."""

from __future__ import annotations

from collections.abc import Iterable

from layerctl.compile.differentiate import readers
from layerctl.ops.projecting import FEWEST_ROWS, Projecting
from layerctl.ops.value import Node, Value


def project(nodes: list[Node], keep: Iterable[Value]) -> list[Node]:
    """The nodes with projections made part of the recurrent ops that read them. Values stay the same objects."""
    users = readers(nodes)
    kept = {id(v) for v in keep}
    producer = {id(v): n for n in nodes for v in n.outputs}
    gone: set[int] = set()
    placed: dict[int, Node] = {}
    for node in nodes:
        if hasattr(node.op, "projecting"):
            before = _projection(node, users, kept, producer)
            read = tuple(i for i, v in enumerate(node.outputs) if i == 0 or id(v) in kept or id(v) in users)
            if before or len(read) < len(node.outputs):
                gone |= {id(n) for n in before}
                placed[id(node)] = _projecting(node, before, read)
    return [placed.get(id(n), n) for n in nodes if id(n) not in gone]


def _projection(node: Node, users: dict[int, list[Node]], kept: set[int], producer: dict[int, Node]) -> list[Node]:
    """The nodes, in order, that project the first input of a recurrent op for it alone: a product (with its bias) and views; none if they do not."""
    value, found = node.inputs[0], list[Node]()
    if int(value.shape[0]) < FEWEST_ROWS:
        return []
    while id(value) not in kept and len(users[id(value)]) == 1:
        maker = producer[id(value)]
        found.insert(0, maker)
        if not maker.op.is_view:
            return found if _projects(maker) else []
        value = maker.inputs[0]
    return []


def _projects(node: Node) -> bool:
    """Whether a node is the product of a matrix and a weight, of no more than a bias."""
    if node.op.name == "finished":
        node, relu = node.attrs["node"], node.attrs["relu"]
        return not relu and _projects(node)
    if node.op.name != "matmul" or node.attrs["ta"] or any(v.rank != 2 for v in node.inputs):
        return False
    return bool(node.op.finishes(node))  # type: ignore[attr-defined]


def _projecting(node: Node, before: list[Node], read: tuple[int, ...]) -> Node:
    maker = before[0] if before else None
    product = maker.attrs["node"] if maker is not None and maker.op.name == "finished" else maker
    first = maker.inputs if maker is not None else node.inputs[:1]
    attrs = {
        "node": node, "product": product, "biased": product is not None and len(first) > 2, "kept": read,
        "nodes": (*(n for step in before for n in step.attrs.get("nodes", (step,))), node),
    }  # fmt: skip
    made = Node(Projecting.instance(), (*first, *node.inputs[1:]), attrs, node.id, node.origin)
    made.outputs = tuple(node.outputs[i] for i in read)
    return made
