"""Products and convolutions finish their results themselves: pooling, a bias and relu while what they work on is near.

A result goes through these, in this order, each of which is all that reads what is before it: max pooling by windows next to each other, and
an elementwise pass that adds a column's bias, applies relu, or both. Reshapes between them are passed by.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from layerctl.compile.differentiate import readers
from layerctl.ops.elementwise import FLOATING
from layerctl.ops.finish import Finished
from layerctl.ops.value import Node, Value, product, unviewed


@dataclass
class _Finishing:
    """What a result goes through: the nodes in order, and what they come to."""

    nodes: list[Node]
    value: Value
    pool: tuple[int, int] = (1, 1)
    bias: Value | None = None
    relu: bool = False
    columns: int = field(init=False)

    def __post_init__(self) -> None:
        self.columns = int(self.value.shape[-1])


def finish(nodes: list[Node], keep: Iterable[Value]) -> list[Node]:
    """The nodes with what finishes a product or convolution made part of it, in the place of the last. Values stay the same objects."""
    users = readers(nodes)
    kept = {id(v) for v in keep}
    gone: set[int] = set()
    placed: dict[int, Node] = {}
    for node in nodes:
        if node.op.name in ("matmul", "conv"):
            found = _of(node, users, kept)
            if len(found.nodes) > 1:
                gone |= {id(n) for n in found.nodes}
                placed[id(found.nodes[-1])] = _finished(found)
    return [placed.get(id(n), n) for n in nodes if id(n) in placed or id(n) not in gone]


def _of(source: Node, users: dict[int, list[Node]], kept: set[int]) -> _Finishing:
    """All that can be made part of a product or convolution."""
    found, passed, value = _Finishing([source], source.outputs[0]), list[Node](), source.outputs[0]
    stage = 0
    while id(value) not in kept and len(users.get(id(value), ())) == 1:
        (user,) = users[id(value)]
        if user.op.is_view:
            passed.append(user)
        elif stage == 0 and _pools(found, user):
            found.pool = (1, *user.attrs["size"])[-2:]  # type: ignore[assignment]
            stage = 1
        elif stage < 2 and _ends(found, user, value):
            stage = 2
        else:
            break
        value = user.outputs[0]
        if not user.op.is_view:
            found.nodes += [*passed, user]
            found.value, passed = value, []
    return found


def _pools(found: _Finishing, node: Node) -> bool:
    """Whether a node is max pooling that the convolution can do, by windows that fill its result."""
    source, a = found.nodes[0], node.attrs
    if node.op.name != "pool" or a["kind"] != "max" or len(found.nodes) > 1 or source.op.name != "conv" or not source.op.pools(source):
        return False
    fills = all(int(n) == int(out) * size for n, out, size in zip(found.value.shape[1:-1], node.outputs[0].shape[1:-1], a["size"], strict=True))
    return fills and len(a["size"]) < 3 and tuple(a["size"]) == tuple(a["strides"]) and not any(map(any, a["pads"]))


def _ends(found: _Finishing, node: Node, value: Value) -> bool:
    """Whether a node adds a bias and applies relu to `value`, one of them or both; remembers which."""
    source, n = found.nodes[0], len(node.inputs)
    if not source.op.finishes(source) or value.dtype not in FLOATING or not value.rank or int(value.shape[-1]) != found.columns:
        return False
    if node.op.name == "elementwise":
        names, at = [node.attrs["fn"]], node.inputs.index(value)
    elif node.op.name == "fused" and len(node.outputs) == 1:
        names, at = [fn for fn, _, _ in node.attrs["instructions"]], node.inputs.index(value)
        if [args for _, _, args in node.attrs["instructions"][1:]] != [(n,)]:
            return False
    else:
        return False
    bias = node.inputs[1 - at] if n == 2 else None
    if names not in (["add"], ["relu"], ["add", "relu"]) or (bias is None) != (names == ["relu"]) or node.outputs[0].type != value.type:
        return False
    if bias is not None and (bias.dtype != value.dtype or not bias.rank or not int(bias.shape[-1]) == int(product(bias.shape)) == found.columns):
        return False
    if bias is not None and int(product(value.shape)) == found.columns and unviewed(bias).node.inputs:
        return False  # one row, to which another result is added that may be finished itself
    found.bias, found.relu = bias, names[-1] == "relu"
    return True


def _finished(found: _Finishing) -> Node:
    source, last = found.nodes[0], found.nodes[-1]
    inputs = source.inputs if found.bias is None else (*source.inputs, found.bias)
    attrs = {"node": source, "nodes": tuple(found.nodes), "type": found.value.type, "pool": found.pool, "relu": found.relu}
    node = Node(Finished.instance(), inputs, attrs, last.id, source.origin)
    node.outputs = last.outputs
    return node
