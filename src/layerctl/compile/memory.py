"""Liveness and the arena: a place for every value, before anything runs."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from layerctl.compile.program import Chain, Layout, Location, aligned
from layerctl.ops.kernel import Call, Scratch, memory_of
from layerctl.ops.leaves import Constant
from layerctl.ops.value import SIZE_OF, Node, Value, Weight, unviewed

LEAVES = ("parameter", "constant", "input")


@dataclass
class Arena:
    """A free list over one block of memory that grows as needed."""

    size: int = 0
    free: list[tuple[int, int]] = field(default_factory=list)

    def take(self, size: int) -> int:
        """An offset with room for `size` bytes: the smallest hole that fits, else the end."""
        size = aligned(max(size, 1))
        fitting = [(length, start) for start, length in self.free if length >= size]
        if fitting:
            length, start = min(fitting)
            self.free.remove((start, length))
            if length > size:
                self.free.append((start + size, length - size))
            return start
        last = max(self.free, default=None)
        if last and last[0] + last[1] == self.size:
            self.free.remove(last)
            start = last[0]
        else:
            start = self.size
        self.size = start + size
        return start

    def give(self, start: int, size: int) -> None:
        """Takes a block back and joins it with its free neighbours."""
        size = aligned(max(size, 1))
        merged = []
        for s, n in self.free:
            if s + n == start:
                start, size = s, size + n
            elif start + size == s:
                size += n
            else:
                merged.append((s, n))
        self.free = [*merged, (start, size)]


@dataclass
class Memory:
    """The result: places of values and of scratch, the arena's size, the constants."""

    locations: dict[int, Location] = field(default_factory=dict)
    scratch: dict[int, Location] = field(default_factory=dict)
    arena_size: int = 0
    constants: list[tuple[int, object]] = field(default_factory=list)
    constants_size: int = 0
    pinned: set[int] = field(default_factory=set)


class Planner:
    """Plans the memory of a scheduled list of nodes.

    `lasting` values keep their place to the end (outputs); `updates` are written into their weight's own place where nobody
    reads the old value afterwards. `late` says which updates could not, and must be copied at the end.
    """

    def __init__(self, nodes: list[Node], layout: Layout, lasting: Iterable[Value], updates: dict[Weight, Value]):
        self.nodes, self.layout = nodes, layout
        self.producer = {id(v): n for n in nodes for v in n.outputs}
        self.position = {id(n): i for i, n in enumerate(nodes)}
        self.memory = Memory()
        self.last_use: dict[int, int] = {}
        for i, n in enumerate(nodes):
            for v in n.inputs:
                self.last_use[id(self._root(v))] = i
        for v in lasting:
            self.last_use[id(self._root(v))] = len(nodes)
        self.late: dict[Weight, Value] = {}
        self._place_leaves()
        self._pin_updates(updates)
        self._pin_packed()

    def _root(self, v: Value) -> Value:
        return unviewed(v, self.producer)

    def _place_leaves(self) -> None:
        m = self.memory
        for node in self.nodes:
            v = node.outputs[0]
            if node.op.name == "parameter":
                m.locations[id(v)] = Location("state", self.layout.offsets[node.attrs["weight"]])
            elif isinstance(node.op, Constant):
                array = node.attrs["array"]
                m.locations[id(v)] = Location("constants", m.constants_size)
                m.constants.append((m.constants_size, array))
                m.constants_size += aligned(array.nbytes)

    def _pin_updates(self, updates: dict[Weight, Value]) -> None:
        readers: dict[int, int] = {}
        for i, node in enumerate(self.nodes):
            for v in node.inputs:
                r = self._root(v)
                if r.node.op.name == "parameter":
                    for w in self.layout.overlapping(r.node.attrs["weight"]):
                        readers[id(w)] = i
        for weight, value in updates.items():
            r = self._root(value)
            maker = self.producer[id(r)]
            at = self.position[id(maker)]
            last = readers.get(id(weight), -1)
            in_place = last < at or (last == at and self._reads_in_place(maker, weight))
            if (
                maker.op.name in LEAVES
                or id(r) in self.memory.pinned
                or not in_place
                or r.type.size != weight.type.size
            ):
                self.late[weight] = value
                self.last_use[id(r)] = len(self.nodes)
            else:
                self.memory.locations[id(r)] = Location("state", self.layout.offsets[weight])
                self.memory.pinned.add(id(r))

    def _reads_in_place(self, maker: Node, weight: Weight) -> bool:
        """Whether an elementwise node reads the weight exactly where it writes it."""
        if maker.op.name not in ("elementwise", "fused"):
            return False
        for v in maker.inputs:
            r = self._root(v)
            if r.node.op.name != "parameter" or all(
                r.node.attrs["weight"] is not w for w in self.layout.overlapping(weight)
            ):
                continue
            if r.node.attrs["weight"] is not weight or tuple(map(int, v.shape)) != tuple(
                map(int, maker.outputs[0].shape)
            ):
                return False
        return True

    def _pin_packed(self) -> None:
        """A packed vector keeps its memory for the whole program (its gaps stay zero), and its parts are computed in place."""
        for node in self.nodes:
            if node.op.name != "pack":
                continue
            out = node.outputs[0]
            base = self._reserve(out)
            for v, start in zip(node.inputs, node.attrs["starts"], strict=True):
                r = self._root(v)
                if r.node.op.name not in LEAVES and id(r) not in self.memory.pinned and r.type.size == v.type.size:
                    self.memory.locations[id(r)] = Location("arena", base + SIZE_OF[out.dtype] * start)
                    self.memory.pinned.add(id(r))

    def _reserve(self, value: Value) -> int:
        start = self.memory.arena_size
        self.memory.arena_size += aligned(value.type.size)
        self.memory.locations[id(value)] = Location("arena", start)
        self.memory.pinned.add(id(value))
        return start

    def placed(self) -> set[int]:
        """Identities of the values in the arena that have memory of their own, which nobody overwrites, for the whole program."""
        return {key for key in self.memory.pinned if self.memory.locations[key].space == "arena"}

    def keep(self, values: Iterable[Value], rooms: Iterable[Scratch]) -> None:
        """Gives values and scratch memory places of their own for the whole program."""
        for v in values:
            if id(v) not in self.memory.locations:
                self._reserve(v)
        for room in rooms:
            self.memory.scratch[id(room)] = Location("arena", self.memory.arena_size)
            self.memory.arena_size += aligned(max(room.size, 1))

    def plan(self, calls: dict[int, list[Call]], chains: Iterable[Chain] = ()) -> Memory:
        """Walks the nodes once, taking memory when a value is made and giving it back after its last use.

        Within a chain memory is given back after its end, when all shares are done; but what a share no longer needs it may use itself for
        what is of the same size and cut alike, so that its part is in the same place.
        """
        within = {i: c for c in chains for i in range(c.first, c.last + 1)}
        held: list[tuple[int, int]] = []
        idle: dict[tuple[int, int], list[int]] = {}
        m = self.memory
        arena = Arena(size=m.arena_size)
        for node in self.nodes:
            if node.op.name == "input":
                m.locations[id(node.outputs[0])] = Location("arena", arena.take(node.outputs[0].type.size))
                self.last_use[id(node.outputs[0])] = len(self.nodes)
        alive: dict[int, Value] = {}
        for i, node in enumerate(self.nodes):
            if node.op.name in LEAVES:
                continue
            if node.op.is_view:
                m.locations[id(node.outputs[0])] = m.locations[id(self._root(node.outputs[0]))]
                continue
            chain = within.get(i)
            taken = self._reuse(node, i, alive, chain)
            for v in node.outputs:
                if id(v) not in m.locations:
                    spare = idle.get((v.type.size, 0)) if chain is not None else None
                    m.locations[id(v)] = taken.pop(id(v), None) or Location("arena", spare.pop() if spare else arena.take(v.type.size))
                    alive[id(v)] = v
            inside = chain is not None and i < chain.last
            left = []
            for s in _scratches(calls[id(node)]):
                if id(s) in m.scratch:
                    continue
                key = (s.size, _cut(s, calls[id(node)]) if chain is not None else 0)
                start = idle[key].pop() if key[1] and idle.get(key) else arena.take(s.size)
                m.scratch[id(s)] = Location("arena", start)
                if inside and key[1]:
                    left.append((key, start))
                else:
                    held.append((start, s.size))
            for key, start in left:
                idle.setdefault(key, []).append(start)
            for key, v in list(alive.items()):
                if self.last_use.get(key, i) > i or (inside and id(self.producer[key]) not in chain.nodes):
                    continue
                if inside:
                    idle.setdefault((v.type.size, 0), []).append(m.locations[key].offset)
                else:
                    held.append((m.locations[key].offset, v.type.size))
                del alive[key]
            if not inside:
                for start, size in [*held, *((start, size) for (size, _), starts in idle.items() for start in starts)]:
                    arena.give(start, size)
                held, idle = [], {}
        m.arena_size = arena.size
        return m

    def _reuse(self, node: Node, i: int, alive: dict[int, Value], chain: Chain | None) -> dict[int, Location]:
        """Operands of an elementwise node that die here lend their memory to its results; in a chain, those that it has made itself."""
        out: dict[int, Location] = {}
        if node.op.name not in ("elementwise", "fused", "fused_sums"):
            return out
        shape = tuple(map(int, node.attrs.get("shape") or node.outputs[0].shape))
        for v in node.inputs:
            r = self._root(v)
            if id(r) not in alive or self.last_use.get(id(r)) != i:
                continue
            if chain is not None and id(self.producer[id(r)]) not in chain.nodes:
                continue
            same = [u for u in node.inputs if self._root(u) is r]
            if any(tuple(map(int, u.shape)) != shape for u in same):
                continue
            for result in node.outputs:
                if (
                    id(result) not in out
                    and id(result) not in self.memory.locations
                    and tuple(map(int, result.shape)) == shape
                    and result.type.size == r.type.size
                    and result.dtype == v.dtype
                ):
                    out[id(result)] = self.memory.locations[id(r)]
                    del alive[id(r)]
                    break
        return out


def _cut(room: Scratch, calls: Sequence[Call]) -> int:
    """Into how many shares' own parts a room is cut; 0 for one that shares have in common."""
    users = [c for c in calls if any(memory_of(a) is room for a in c.args)]
    return users[0].tasks if len(users) == 1 and users[0].parts else 0


def _scratches(calls: list[Call]) -> list[Scratch]:
    found: dict[int, Scratch] = {}
    for call in calls:
        for arg in call.args:
            base = memory_of(arg)
            if isinstance(base, Scratch):
                found[id(base)] = base
    return list(found.values())
