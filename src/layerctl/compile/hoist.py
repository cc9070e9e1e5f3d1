"""What does not change from step to step is computed once: values of weights that the program leaves alone, and their packed forms."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from layerctl.compile.memory import LEAVES
from layerctl.compile.program import Layout
from layerctl.ops.kernel import Call, Scratch, memory_of
from layerctl.ops.value import Node, Value, Weight, unviewed

LARGEST = 1 << 26
"""Bytes of a value beyond which computing it again is preferred to keeping it."""


class Unchanging:
    """The nodes and calls of a program that need to be done only once while its weights are not changed from outside.

    `values` are the identities of what stays the same.
    """

    def __init__(self, nodes: Sequence[Node], updates: Iterable[Weight], keep: Iterable[Value], layout: Layout):
        changed = {id(w) for u in updates for w in layout.overlapping(u)}
        kept = {id(v) for v in keep}
        self._producer = {id(v): n for n in nodes for v in n.outputs}
        self.values: set[int] = set()
        self.nodes: set[int] = set()
        for n in nodes:
            if n.op.name == "parameter":
                fixed = id(n.attrs["weight"]) not in changed
            elif n.op.name in LEAVES:
                fixed = n.op.name == "constant"
            else:
                fixed = all(id(v) in self.values for v in n.inputs) and not any(id(v) in kept for v in n.outputs)
                fixed = fixed and sum(v.type.size for v in n.outputs) <= LARGEST
                if fixed and not n.op.is_view:
                    self.nodes.add(id(n))
            if fixed:
                self.values.update(id(v) for v in n.outputs)

    def call(self, node: Node, call: Call) -> bool:
        """Whether a call is made once."""
        if id(node) in self.nodes:
            return True
        base = memory_of(call.prepares)
        return isinstance(base, Value) and id(unviewed(base, self._producer)) in self.values

    def lasting(self, nodes: Sequence[Node], calls: dict[int, list[Call]]) -> tuple[list[Value], list[Scratch]]:
        """Values and scratch memory that must outlive a step."""
        values = [v for n in nodes if id(n) in self.nodes for v in n.outputs]
        rooms: dict[int, Scratch] = {}
        for n in nodes:
            for call in calls.get(id(n), ()):
                once = id(n) not in self.nodes and self.call(n, call)
                bases = [memory_of(a) for a in call.args]
                rooms |= {id(b): b for b in bases if isinstance(b, Scratch) and (once or b.stays)}
        return values, list(rooms.values())
