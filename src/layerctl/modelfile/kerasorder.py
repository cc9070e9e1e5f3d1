"""The orders in which Keras lists a functional model's layers once it has read it, and in which it calls them.

Keras sorts by depth, the longest way to an output, and layers of one depth by when they are first met on the way back from the outputs
(`map_graph` in keras/src/ops/function.py). By the first order its files number weights: a layer listed elsewhere would be given another
one's.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

Node = tuple[str, int]
"""A layer's name, and which of its calls it is."""


def listed_as_keras_does(layers: Mapping[str, Mapping[str, Any]], outputs: Sequence[Node]) -> list[str]:
    """The layers' names in Keras's order; `outputs` are the calls whose results the model gives."""
    parents = {(n, i): list(dict.fromkeys(_taken(call))) for n, layer in layers.items() for i, call in enumerate(layer["inbound_nodes"])}
    depths, met = _depths(parents, outputs)
    deepest: dict[str, int] = {}
    for (name, _), depth in depths.items():
        deepest[name] = max(depth, deepest.get(name, 0))
    return sorted(layers, key=lambda n: (-deepest.get(n, 0), met.get(n, -1)))


def called_as_keras_does(parents: Mapping[Node, Sequence[Node]], outputs: Sequence[Node]) -> dict[Node, int]:
    """When each call is made, counted from 0; `parents` are the calls whose results a call takes."""
    depths, _ = _depths(parents, outputs)
    return {node: i for i, node in enumerate(sorted(depths, key=lambda n: -depths[n]))}


def _depths(parents: Mapping[Node, Sequence[Node]], outputs: Sequence[Node]) -> tuple[dict[Node, int], dict[str, int]]:
    """(how far each call is from an output, when each layer is met)."""
    met: dict[str, int] = {}
    finished: dict[Node, None] = {}
    for output in outputs:
        _visit(output, parents, met, finished)
    depths: dict[Node, int] = {}
    deepest: dict[str, int] = {}
    for node in reversed(finished):
        deepest[node[0]] = depths[node] = max(depths.get(node, 0), deepest.get(node[0], 0))
        for parent in parents.get(node, ()):
            depths[parent] = max(depths.get(parent, 0), depths[node] + 1)
    return depths, met


def _visit(start: Node, parents: Mapping[Node, Sequence[Node]], met: dict[str, int], finished: dict[Node, None]) -> None:
    """Goes back from a call, what it takes first; `finished` ends up in topological order. A circle is gone through once."""
    waiting: list[tuple[Node, Iterator[Node]]] = []
    entered = set(finished)

    def enter(node: Node) -> None:
        if node not in entered:
            entered.add(node)
            met.setdefault(node[0], len(met))
            waiting.append((node, iter(parents.get(node, ()))))

    enter(start)
    while waiting:
        node, rest = waiting[-1]
        parent = next(rest, None)
        if parent is not None:
            enter(parent)
        else:
            waiting.pop()
            finished.setdefault(node)


def _taken(value: Any) -> Iterator[Node]:
    """The calls whose results stand in a call's arguments, by position first, then by name."""
    if isinstance(value, Mapping):
        if value.get("class_name") == "__keras_tensor__":
            name, call, _ = value["config"]["keras_history"]
            yield name, call
            return
        for key in ("args", "kwargs") if value.keys() == {"args", "kwargs"} else sorted(value):
            yield from _taken(value[key])
    elif isinstance(value, (list, tuple)):
        for v in value:
            yield from _taken(v)
