"""Chains: neighbouring nodes whose calls keep to parts of the batch run share by share, so that what one leaves is near for the next.

A call that keeps to parts (see `ops.kernel.Call`) makes the i-th part of its results from the i-th part of what came before it. A chain of
such nodes is run for one share after the other instead of one node after the other, and threads meet once.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from layerctl.compile.memory import Planner
from layerctl.compile.program import Chain
from layerctl.ops.kernel import Call, Scratch, memory_of
from layerctl.ops.value import Node, Value, unviewed

FEWEST_SHARES, MOST_SHARES = 8, 64
NEAR = 1 << 20
"""Bytes that stay in a core's own cache: what a chain's share may make. A chain in which less is made and used up is not worth it."""


@dataclass
class _Growing:
    """A chain that is being found: its nodes, what they make, and what bounds its shares."""

    first: int
    last: int = 0
    nodes: list[Node] = field(default_factory=list)
    made: set[int] = field(default_factory=set)
    parts: int = 0
    most: int = MOST_SHARES
    size: int = 0

    def shares(self, parts: int = 0, most: int = MOST_SHARES) -> int:
        """The fewest shares whose parts are near, else as many as there can be; 0 if they are too few for threads."""
        common, most = math.gcd(self.parts, parts), min(self.most, most)
        fitting = [d for d in range(FEWEST_SHARES, most + 1) if common % d == 0]
        near = [d for d in fitting if self.size <= NEAR * d]
        return near[0] if near else fitting[-1] if fitting else 0

    def add(self, place: int, node: Node, parts: int, most: int) -> None:
        """Goes on with a node."""
        self.last, self.parts, self.most = place, math.gcd(self.parts, parts), min(self.most, most)
        self.nodes.append(node)
        self.made |= {id(v) for v in node.outputs}
        self.size += sum(v.type.size for v in node.outputs)


def chains(planner: Planner, calls: Mapping[int, Sequence[Call]]) -> list[Chain]:
    """The chains of a program whose `calls` are those of each step."""
    producer, pinned = planner.producer, planner.memory.pinned
    found: list[Chain] = []
    growing: _Growing | None = None

    def close() -> None:
        if growing is None:
            return
        passing = sum(v.type.size for n in growing.nodes for v in n.outputs if planner.last_use.get(id(v), 0) <= growing.last)
        if len(growing.nodes) > 1 and passing >= NEAR:
            found.append(Chain(growing.first, growing.last, growing.shares(), {id(n) for n in growing.nodes}))

    for place, node in enumerate(planner.nodes):
        own = calls.get(id(node), ())
        if not own:
            continue
        bounds = None if any(id(v) in pinned for v in node.outputs) else _bounds(own)
        if bounds is not None and growing is not None and growing.shares(*bounds) and _reads_parts(node, own, growing.made, producer):
            growing.add(place, node, *bounds)
            continue
        close()
        growing = _Growing(place)
        if bounds is not None and growing.shares(*bounds):
            growing.add(place, node, *bounds)
        else:
            growing = None
    close()
    return found


def before(call: Call) -> bool:
    """Whether a call of a chain's node is made before the chain."""
    return call.prepares is not None


def _bounds(calls: Sequence[Call]) -> tuple[int, int] | None:
    """(what shares must divide, their largest number) for a node whose calls keep to parts, or None."""
    following = [c for c in calls if not before(c)]
    if not following or any(c.parts == 0 for c in following):
        return None
    rooms = [{id(b) for a in c.args if isinstance(b := memory_of(a), Scratch)} for c in following]
    if any(rooms[i] & rooms[j] for i in range(len(rooms)) for j in range(i)):
        return None
    return math.gcd(*(c.parts for c in following)), min(c.tasks for c in following)


def _reads_parts(node: Node, calls: Sequence[Call], made: set[int], producer: dict[int, Node]) -> bool:
    """Whether what a node reads of the chain so far it reads by parts."""
    along = set.intersection(*({id(v) for v in c.along} for c in calls if not before(c)))
    within = [v for v in node.inputs if id(unviewed(v, producer)) in made]
    prepared = [b for c in calls if before(c) and isinstance(b := memory_of(c.prepares), Value)]
    return all(id(v) in along for v in within) and not any(id(unviewed(v, producer)) in made for v in prepared)
