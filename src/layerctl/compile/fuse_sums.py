"""Sums over leading dimensions join the elementwise pass that computes what they add up, which then need not be stored."""

from __future__ import annotations

from collections.abc import Iterable

from layerctl.ops.elementwise import FLOATING
from layerctl.ops.fused import FusedSums, matrix_strides
from layerctl.ops.leaves import is_scalar_constant
from layerctl.ops.reduce import split
from layerctl.ops.value import Node, Value, product

MOST_SUMS = 8


def fuse_sums(nodes: list[Node], keep: Iterable[Value]) -> list[Node]:
    """The nodes with sums of elementwise results moved into the nodes that compute them. Values stay the same objects."""
    producer = {id(v): n for n in nodes for v in n.outputs}
    users: dict[int, int] = {}
    for n in nodes:
        for v in n.inputs:
            users[id(v)] = users.get(id(v), 0) + 1
    for v in keep:
        users[id(v)] = users.get(id(v), 0) + 1
    taken: dict[int, list[Node]] = {}
    for n in nodes:
        home = _home(n, producer)
        if home is not None and _agree(taken.setdefault(id(home), []), n):
            taken[id(home)].append(n)
    gone = {id(n) for own in taken.values() for n in own}
    return [_joined(n, taken[id(n)], users) if taken.get(id(n)) else n for n in nodes if id(n) not in gone]


def _home(node: Node, producer: dict[int, Node]) -> Node | None:
    """The elementwise node whose pass a sum can join."""
    if node.op.name != "reduce" or node.attrs["fn"] != "sum":
        return None
    x = node.inputs[0]
    home = producer.get(id(x))
    if home is None or home.op.name not in ("elementwise", "fused") or x.dtype not in FLOATING:
        return None
    outer, length, inner = (int(product(p)) for p in split(x.shape, node.attrs["axes"]))
    if outer != 1 or length == 1 or (inner < 8 and length * inner > 1 << 12):
        return None
    operands = [v for v in home.inputs if not is_scalar_constant(v)]
    if any(matrix_strides(v.shape, x.shape, length, inner) is None for v in operands):
        return None
    return home


def _agree(others: list[Node], node: Node) -> bool:
    """Whether a node sums as those do that are in the pass already."""
    return not others or (len(others) < MOST_SUMS and others[0].attrs["axes"] == node.attrs["axes"])


def _joined(home: Node, sums: list[Node], users: dict[int, int]) -> Node:
    if home.op.name == "fused":
        inputs, instructions = home.inputs, home.attrs["instructions"]
        index = {id(v): o for v, o in zip(home.outputs, home.attrs["outputs"], strict=True)}
        members = home.attrs["nodes"]
    else:
        inputs = tuple(v for v in home.inputs if not is_scalar_constant(v))
        places = {id(v): i for i, v in enumerate(inputs)}
        args = tuple(("const", v.dtype, v.node.attrs["array"].item()) if is_scalar_constant(v) else places[id(v)] for v in home.inputs)
        instructions = ((home.attrs["fn"], home.attrs["dtype"], args),)
        index = {id(home.outputs[0]): len(inputs)}
        members = (home,)
    for n in sums:
        users[id(n.inputs[0])] -= 1
    stored = [v for v in home.outputs if users.get(id(v), 0) > 0]
    x = sums[0].inputs[0]
    _, length, inner = (int(product(p)) for p in split(x.shape, sums[0].attrs["axes"]))
    attrs = {
        "instructions": instructions, "outputs": tuple(index[id(v)] for v in stored), "shape": x.shape, "nodes": (*members, *sums),
        "sums": tuple((index[id(n.inputs[0])], n.outputs[0].type) for n in sums), "length": length, "inner": inner,
    }  # fmt: skip
    out = Node(FusedSums.instance(), inputs, attrs, home.id, home.origin)
    out.outputs = (*stored, *(n.outputs[0] for n in sums))
    return out
