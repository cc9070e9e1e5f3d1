"""The model as a picture: a box a layer, ranks from top to bottom, lines where tensors go.

The layout is that of layered graphs (Sugiyama, Tagawa and Toda 1981): ranks by the longest way from an input, places for lines that pass a
rank, an order with few crossings by the neighbours' mean places.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from layerctl.ops.value import shown
from layerctl.reporting.chart import framed
from layerctl.reporting.markup import short, text
from layerctl.spec.items import Constant

if TYPE_CHECKING:
    from layerctl.graph.model import Model

WIDE, HIGH, ACROSS, DOWN, LANE = 214, 50, 22, 26, 14
COLUMN = 7
"""Layers of a chain in a column; longer ones go on in the next column."""
MOST = 120
"""Layers beyond which the middle of the model is left out."""


@dataclass
class Node:
    """A box, or (without a kind) the place where a line passes a rank."""

    name: str
    kind: str = ""
    shape: str = ""
    parameters: int = 0
    sources: list[str] = field(default_factory=list)
    rank: int = 0
    x: float = 0.0

    @property
    def wide(self) -> float:
        """Its width in pixels."""
        return WIDE if self.kind else LANE


def blocks_of(model: Model) -> dict[str, Model]:
    """The models within a model by their kinds, the first of each kind, those within them too."""
    out: dict[str, Model] = {}
    for step in model.steps:
        kind = getattr(step.layer, "_kind_name", None)
        if kind is not None and kind not in out:
            out[kind] = step.layer
            out |= {k: m for k, m in blocks_of(step.layer).items() if k not in out}
    return out


def nodes_of(model: Model) -> list[Node]:
    """Inputs and layers in order; a layer that is used twice has a box for each use, and its parameters in the first."""
    given = model.called_with
    out = [Node(n, "Input", shown(given[n].shape if n in given else (None, *(p.shape or ())))) for n, p in model.inputs.items()]
    seen: set[int] = set()
    for step in model.steps:
        layer = step.layer
        own = 0 if id(layer) in seen else sum(_size(w.shape) for w in layer.weights())
        seen.add(id(layer))
        kind = getattr(layer, "_kind_name", None) or getattr(layer, "kind_name", None) or type(layer).__name__
        shapes = ", ".join(shown(s) for s in step.shapes[:2])
        out.append(Node(step.names[0], kind, shapes, own, list(_names(step.sources))))
        out += [Node(n, "", "", 0, [step.names[0]]) for n in step.names[1:]]
    return _without_names(out)


def _without_names(nodes: list[Node]) -> list[Node]:
    """Further results of a layer are lines from its box, not boxes of their own."""
    alias = {n.name: n.sources[0] for n in nodes if not n.kind}
    boxes = [n for n in nodes if n.kind]
    for n in boxes:
        n.sources = list(dict.fromkeys(alias.get(s, s) for s in n.sources))
    return boxes


def _size(shape: tuple[int, ...]) -> int:
    out = 1
    for d in shape:
        out *= int(d)
    return out


def _names(sources: Any) -> Iterator[str]:
    """The tensors that a step takes."""
    given = sources.values() if isinstance(sources, dict) else [sources]
    for g in given:
        if not isinstance(g, Constant):
            yield from g if isinstance(g, list) else [g]


def diagram(model: Model) -> str:
    """The picture as SVG."""
    boxes = nodes_of(model)
    left_out = len(boxes) - MOST
    if left_out > 0:
        boxes = _shortened(boxes)
    ranks, lines = _ranked(boxes)
    if len(boxes) > COLUMN and all(len(rank) == 1 for rank in ranks):
        return _folded(boxes)
    _ordered(ranks, lines)
    _spread(ranks, lines)
    return _drawn(ranks, lines)


def _shortened(boxes: list[Node]) -> list[Node]:
    """The first and last layers, and between them a box that says how many are not shown."""
    head, tail = boxes[: MOST * 2 // 3], boxes[-MOST // 3 :]
    hidden = {b.name for b in boxes[len(head) : len(boxes) - len(tail)]}
    gap = Node("more", f"{len(hidden)} more layers", "", 0, [head[-1].name])
    known = {b.name for b in (*head, gap, *tail)}
    for b in tail:
        b.sources = list(dict.fromkeys(s if s in known else gap.name for s in b.sources))
    return [*head, gap, *tail]


def _ranked(boxes: list[Node]) -> tuple[list[list[Node]], list[tuple[Node, Node]]]:
    """Ranks of nodes with the places of passing lines among them, and lines from a rank to the next."""
    by_name = {b.name: b for b in boxes}
    for b in boxes:
        b.sources = [s for s in b.sources if s in by_name]
        b.rank = 1 + max((by_name[s].rank for s in b.sources), default=-1)
    for b in boxes:  # an input stands just above its first reader
        readers = [r.rank for r in boxes if b.name in r.sources]
        if b.kind == "Input" and readers:
            b.rank = max(b.rank, min(readers) - 1)
    ranks: list[list[Node]] = [[] for _ in range(1 + max((b.rank for b in boxes), default=0))]
    lines = []
    for b in boxes:
        ranks[b.rank].append(b)
    for b in boxes:
        for s in b.sources:
            above = by_name[s]
            for r in range(above.rank + 1, b.rank):
                passing = Node(f"{s}>{b.name}", rank=r)
                ranks[r].append(passing)
                lines.append((above, passing))
                above = passing
            lines.append((above, b))
    return ranks, lines


def _ordered(ranks: list[list[Node]], lines: list[tuple[Node, Node]]) -> None:
    """Sorts each rank by the mean place of the nodes above, then of those below, a few times."""
    above: dict[int, list[Node]] = {}
    below: dict[int, list[Node]] = {}
    for a, b in lines:
        above.setdefault(id(b), []).append(a)
        below.setdefault(id(a), []).append(b)
    for turn in range(6):
        place = {id(n): i / max(len(r) - 1, 1) if len(r) > 1 else 0.5 for r in ranks for i, n in enumerate(r)}
        near, order = (above, ranks) if turn % 2 == 0 else (below, ranks[::-1])
        for rank in order:
            rank.sort(key=lambda n: _mean([place[id(m)] for m in near.get(id(n), [])], place[id(n)]))
            for i, n in enumerate(rank):
                place[id(n)] = i / max(len(rank) - 1, 1) if len(rank) > 1 else 0.5


def _mean(values: list[float], otherwise: float) -> float:
    return sum(values) / len(values) if values else otherwise


def _spread(ranks: list[list[Node]], lines: list[tuple[Node, Node]]) -> None:
    """Places on a rank: as near to the neighbours' mean as the nodes beside allow."""
    near: dict[int, list[Node]] = {}
    for a, b in lines:
        near.setdefault(id(a), []).append(b)
        near.setdefault(id(b), []).append(a)
    for rank in ranks:
        _pushed(rank, [0.0] * len(rank))
    for turn in range(12):
        for rank in ranks if turn % 2 == 0 else ranks[::-1]:
            _pushed(rank, [_mean([m.x for m in near.get(id(n), [])], n.x) for n in rank])


def _pushed(rank: list[Node], wanted: list[float]) -> None:
    """Gives a rank's nodes places in their order, apart from each other, about where they are wanted: blocks that would overlap are joined."""
    blocks: list[list[Any]] = []  # [sum of wanted starts, nodes, start, width]
    for node, want in zip(rank, wanted, strict=True):
        wide = node.wide + ACROSS
        blocks.append([want - wide / 2, [node], want - wide / 2, wide])
        while len(blocks) > 1 and blocks[-2][2] + blocks[-2][3] > blocks[-1][2]:
            later, earlier = blocks.pop(), blocks[-1]
            earlier[0] += later[0] - earlier[3] * len(later[1])
            earlier[1] += later[1]
            earlier[3] += later[3]
            earlier[2] = earlier[0] / len(earlier[1])
    for _, nodes, start, _ in blocks:
        at = start
        for node in nodes:
            node.x = at + (node.wide + ACROSS) / 2
            at += node.wide + ACROSS


def _drawn(ranks: list[list[Node]], lines: list[tuple[Node, Node]]) -> str:
    least = min(n.x - n.wide / 2 for r in ranks for n in r) - 4
    wide = max(n.x + n.wide / 2 for r in ranks for n in r) + 4 - least
    high = len(ranks) * (HIGH + DOWN) - DOWN + 8
    parts = []
    for a, b in lines:
        x0, x1 = a.x - least, b.x - least
        y0, y1 = _top(a) + HIGH, _top(b)
        middle = (y0 + y1) / 2
        parts.append(f'<path class=wire d="M{x0:.1f} {y0}C{x0:.1f} {middle} {x1:.1f} {middle} {x1:.1f} {y1}"/>')
        if not b.kind:
            parts.append(f'<path class=wire d="M{x1:.1f} {y1}V{y1 + HIGH}"/>')
    for node in (n for r in ranks for n in r if n.kind):
        parts.append(_box(node, node.x - least - WIDE / 2, _top(node)))
    return framed(wide, high, "the layers of the model and their connections", parts)


def _folded(chain: list[Node]) -> str:
    """A chain in columns of one height, read from top to bottom and then on the right."""
    columns = -(-len(chain) // COLUMN) if len(chain) <= 4 * COLUMN else 4
    rows = -(-len(chain) // columns)
    parts = []
    for i, node in enumerate(chain):
        x, y = 4 + (i // rows) * (WIDE + 2 * ACROSS), 4 + DOWN // 2 + (i % rows) * (HIGH + DOWN)
        middle = x + WIDE / 2
        if i + 1 < len(chain):
            bottom = y + HIGH
            aside = f"v{DOWN // 2}H{x + WIDE + ACROSS}V4H{middle + WIDE + 2 * ACROSS}v{DOWN // 2}" if i % rows == rows - 1 else f"v{DOWN}"
            parts.append(f'<path class=wire d="M{middle} {bottom}{aside}"/>')
        parts.append(_box(node, x, y))
    wide = columns * (WIDE + 2 * ACROSS) - 2 * ACROSS + 8
    return framed(wide, rows * (HIGH + DOWN) + 8, "the layers of the model in their order", parts)


def _top(node: Node) -> int:
    return 4 + node.rank * (HIGH + DOWN)


def _box(node: Node, x: float, y: float) -> str:
    kind = "input" if node.kind == "Input" else "layer" if node.parameters else "plain"
    told = f"{node.kind} {node.name}, {node.shape}" + (f", {node.parameters:,} parameters" if node.parameters else "")
    number = _brief(node.parameters) if node.parameters else ""
    shape = short(node.shape, 22)
    return (
        f'<g class="box {kind}"><title>{text(told)}</title>'
        f'<rect x="{x:.1f}" y="{y}" width="{WIDE}" height="{HIGH}" rx="7"/>'
        f'<text x="{x + 10:.1f}" y="{y + 20}" class=strong>{text(short(node.kind, 22))}</text>'
        f'<text x="{x + WIDE - 10:.1f}" y="{y + 20}" class="end dim">{number}</text>'
        f'<text x="{x + 10:.1f}" y="{y + 39}" class=dim>{text(short(node.name, max(6, 28 - len(shape))))}</text>'
        f'<text x="{x + WIDE - 10:.1f}" y="{y + 39}" class="end dim">{text(shape)}</text></g>'
    )


def _brief(n: int) -> str:
    """A count of parameters in a few characters."""
    return f"{n / 1e6:.1f} M" if n >= 1_000_000 else f"{n:,}"
