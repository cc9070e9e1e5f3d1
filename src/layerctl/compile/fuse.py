"""Fusion of elementwise nodes: neighbours of one iteration shape become one pass over memory.

Each node has a level: one more than the highest level among the producers of its inputs, unless it joins a group. An elementwise
node joins the groups of its highest producers, made one, if all else that it reads comes from strictly lower levels: no path leads
between groups of one level, nor from a group through an outside node back into it, so groups never form a cycle. Scalars of one
level go together whatever they read. Linear in the number of edges.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable

from layerctl.compile.recompute import recomputed
from layerctl.ops.fused import Fused
from layerctl.ops.leaves import is_scalar_constant
from layerctl.ops.value import Node, Value

_LARGEST = 48


class _Group:
    __slots__ = ("level", "merged", "nodes", "shape")

    def __init__(self, level: int, shape: tuple[int, ...]):
        self.level, self.shape = level, shape
        self.nodes: list[Node] = []
        self.merged: _Group | None = None


def fuse(nodes: list[Node], keep: Iterable[Value]) -> list[Node]:
    """The nodes with elementwise groups replaced by `fused` nodes, in an order that respects data.

    `keep` are values needed after the program. The values themselves stay the same objects.
    """
    keep = list(keep)
    nodes, floating = recomputed(nodes, keep)
    group_of = _groups(nodes, floating)
    used: dict[int, set[int]] = {}
    for node in nodes:
        for v in node.inputs:
            used.setdefault(id(v), set()).add(id(group_of.get(id(node), node)))
    kept = {id(v) for v in keep}
    out: list[Node] = []
    done: set[int] = set()
    for node in nodes:
        group = group_of.get(id(node))
        if group is None or len(group.nodes) == 1:
            out.append(node)
        elif id(group) not in done:
            done.add(id(group))
            out.append(_fused(group, used, kept))
    return schedule(out)


def _groups(nodes: list[Node], floating: set[int]) -> dict[int, _Group]:
    """The group of each elementwise node, by the node's identity. A floating node goes where its one user goes."""
    level: dict[int, int] = {}
    group_of: dict[int, _Group] = {}
    scalars: dict[int, _Group] = {}
    carried: dict[int, list[Node]] = {}
    for node in nodes:
        here = id(node)
        if node.op.name != "elementwise":
            level[here] = 1 + max((level[id(v.node)] for v in node.inputs), default=-1)
            continue
        shape = tuple(map(int, node.outputs[0].shape))
        own = [v for v in node.inputs if not is_scalar_constant(v)]
        with_it = [n for v in own for n in [*carried.get(id(v.node), ()), *([v.node] if id(v.node) in floating else [])]]
        if here in floating:
            carried[here] = with_it
            continue
        inside = {id(n) for n in with_it}
        inputs = [v for n in [node, *with_it] for v in n.inputs if not is_scalar_constant(v) and id(v.node) not in inside]
        home = _home(shape, [(level[id(v.node)], _current(group_of.get(id(v.node)))) for v in inputs], 1 + len(with_it))
        if home is None:
            at = 1 + max((level[id(v.node)] for v in inputs), default=-1)
            home = _current(scalars.get(at)) if shape == () else None
            if home is None or len(home.nodes) >= _LARGEST:
                home = _Group(at, shape)
        if shape == ():
            scalars[home.level] = home
        for n in [*with_it, node]:
            home.nodes.append(n)
            group_of[id(n)], level[id(n)] = home, home.level
    return {n: _current(g) for n, g in group_of.items()}


def _current(group: _Group | None) -> _Group | None:
    while group is not None and group.merged is not None:
        group = group.merged
    return group


def _home(shape: tuple[int, ...], inputs: list[tuple[int, _Group | None]], more: int) -> _Group | None:
    """The group that a node of these inputs (level, group), `more` nodes with it, may join; groups of its level are made one for it."""
    top = max((lv for lv, _ in inputs), default=-1)
    highest = {id(g): g for lv, g in inputs if lv == top}
    groups = [g for g in highest.values() if g is not None]
    fits = (
        len(groups) == len(highest)
        and all(g.shape == shape for g in groups)
        and sum(len(g.nodes) for g in groups) + more <= _LARGEST
    )
    if not groups or not fits:
        return None
    home = groups[0]
    for other in groups[1:]:
        home.nodes += other.nodes
        other.merged = home
    return home


def _fused(group: _Group, used: dict[int, set[int]], kept: set[int]) -> Node:
    members = {id(n.outputs[0]) for n in group.nodes}
    found: dict[int, Value] = {}
    group.nodes.sort(key=lambda n: n.id)
    for node in group.nodes:
        for v in node.inputs:
            if id(v) not in members and not is_scalar_constant(v):
                found[id(v)] = v
    inputs = list(found.values())
    index = {id(v): i for i, v in enumerate(inputs)}
    instructions, outputs, results, known = [], [], [], {}
    for node in group.nodes:
        args = tuple(
            ("const", v.dtype, v.node.attrs["array"].item()) if is_scalar_constant(v) else index[id(v)]
            for v in node.inputs
        )
        value = node.outputs[0]
        instruction = (node.attrs["fn"], value.dtype, args)
        same = known.get(instruction)
        index[id(value)] = len(inputs) + len(instructions) if same is None else same
        if same is None:
            known[instruction] = len(inputs) + len(instructions)
            instructions.append(instruction)
        if id(value) in kept or used.get(id(value), set()) - {id(group)}:
            outputs.append(index[id(value)])
            results.append(value)
    attrs = {
        "instructions": tuple(instructions), "outputs": tuple(outputs), "shape": results[0].shape, "nodes": tuple(group.nodes),
    }  # fmt: skip
    last = group.nodes[-1]
    fused = Node(Fused.instance(), tuple(inputs), attrs, last.id, last.origin)
    fused.outputs = tuple(results)
    return fused


def schedule(nodes: list[Node]) -> list[Node]:
    """The nodes in an order in which every input is computed before it is used; by their numbers otherwise."""
    producer = {id(v): n for n in nodes for v in n.outputs}
    waiting = {id(n): len({id(producer[id(v)]) for v in n.inputs}) for n in nodes}
    consumers: dict[int, list[Node]] = {}
    for n in nodes:
        for p in {id(producer[id(v)]) for v in n.inputs}:
            consumers.setdefault(p, []).append(n)
    ready = [(n.id, i, n) for i, n in enumerate(nodes) if not waiting[id(n)]]
    heapq.heapify(ready)
    out, count = [], len(nodes)
    while ready:
        node = heapq.heappop(ready)[2]
        out.append(node)
        for c in consumers.get(id(node), ()):
            waiting[id(c)] -= 1
            if not waiting[id(c)]:
                count += 1
                heapq.heappush(ready, (c.id, count, c))
    if len(out) != len(nodes):
        raise AssertionError("fusion made a cycle")
    return out
