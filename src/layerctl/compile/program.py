"""A program: calls in order, and a place for every value."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from layerctl.compile.alignment import aligned
from layerctl.ops.kernel import Call
from layerctl.ops.value import SIZE_OF, Node, Type, Value, Weight, product


@dataclass(frozen=True, slots=True)
class Location:
    """A place in memory: `arena` (this program's), `state` (weights and all that outlives a step), `constants`."""

    space: str
    offset: int


@dataclass
class Chain:
    """Nodes from place `first` to place `last` that run in so many shares."""

    first: int
    last: int
    shares: int
    nodes: set[int] = field(default_factory=set)


class Group(Weight):
    """Several weights of one dtype as one flat vector, gaps included: what an optimizer's instruction runs over."""

    def __init__(self, path: str, members: Sequence[Weight]):
        self.members = tuple(members)
        self.starts: list[int] = []
        self.width = SIZE_OF[self.members[0].dtype]
        at = 0
        for w in self.members:
            self.starts.append(at // self.width)
            at += aligned(w.type.size)
        super().__init__(path, (at // self.width,), self.members[0].dtype, None)

    __hash__ = Weight.__hash__


@dataclass
class Layout:
    """The segment table: where each weight stands in the one state buffer. Groups' members are adjacent."""

    offsets: dict[Weight, int] = field(default_factory=dict)
    groups: list[Group] = field(default_factory=list)
    size: int = 0

    def add(self, weight: Weight) -> None:
        """Gives a weight (or a group, and with it its members) a place; a weight that has one keeps it."""
        if weight in self.offsets:
            return
        self.offsets[weight] = self.size
        if isinstance(weight, Group):
            self.groups.append(weight)
            for member, start in zip(weight.members, weight.starts, strict=True):
                self.offsets[member] = self.size + weight.width * start
        self.size += aligned(weight.type.size)

    def overlapping(self, weight: Weight) -> list[Weight]:
        """The weight, the groups it stands in, and its members."""
        groups = [g for g in self.groups if weight in g.members]
        return [weight, *groups, *(weight.members if isinstance(weight, Group) else ())]


@dataclass
class Planned:
    """A call with the node it belongs to and the decision whether its work is shared out.

    `chain`: so many calls from here on are made one after the other for each share; 1 but for the first call of a chain.
    """

    call: Call
    node: Node
    tasks: int
    barrier: bool
    chain: int = 1


@dataclass
class Program:
    """What the machine runs: `calls` in order over places in memory.

    `inputs` are filled from outside by label, `outputs` read after a run by name; `arena_size` and the constants' size are bytes.
    """

    nodes: list[Node]
    calls: list[Planned]
    locations: dict[int, Location]
    scratch: dict[int, Location]
    inputs: dict[str, tuple[Location, Type]]
    outputs: dict[str, tuple[Location, Type]]
    layout: Layout
    arena_size: int
    constants: list[tuple[int, Any]]
    constants_size: int
    prologue: list[Planned] = field(default_factory=list)
    """Calls of what does not change from step to step; made before the first, and again when weights were changed from outside."""

    def location(self, value: Value) -> Location:
        """Where a value's first element is."""
        return self.locations[id(value)]

    @property
    def macs(self) -> int:
        """Multiply-accumulates of one run."""
        return sum(int(n.op.macs(n)) for n in self.nodes)

    def text(self) -> str:
        """The program, an instruction a line: place, kernel, shape, origin."""
        lines = []
        for i, p in enumerate([*self.prologue, *self.calls]):
            outs = ", ".join(f"{self.location(v).space}+{self.location(v).offset}" for v in p.node.outputs)
            shapes = ", ".join(f"{v.dtype}{list(map(int, v.shape))}" for v in p.node.outputs)
            mark = "^" if i < len(self.prologue) else "|" if p.barrier else " "
            names = names_of(p.node)
            name = "+".join(names)
            name = name if len(name) < 60 else f"fused[{len(names)}]"
            key = getattr(p.call.ref, "kernel", None)
            kernel = key.name if key is not None else type(p.call.ref).__name__.lower()
            lines.append(
                f"{i:4d} {mark} {name:24s} {kernel:28s} x{p.tasks:<4d} {outs:28s} {shapes:36s} {p.node.origin}"
            )
        return "\n".join(lines)


def names_of(node: Node) -> list[str]:
    """What a node does, in order: the functions of an elementwise pass, the steps of what it stands for, or its op."""
    if "instructions" in node.attrs:
        return [str(fn) for fn, *_ in node.attrs["instructions"]]
    if "nodes" in node.attrs:
        return [name for step in node.attrs["nodes"] if not step.op.is_view for name in names_of(step)]
    return [str(node.attrs["fn"])] if node.op.name in ("elementwise", "reduce") else [node.op.name]


def elements(value: Value) -> int:
    """The number of elements as a plain int."""
    return int(product(value.shape))
