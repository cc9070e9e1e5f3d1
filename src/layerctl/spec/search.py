"""Ranges in place of values: `units: {search: [16, 256], scale: log}`, and what becomes of them.

`layerctl tune` fills them with what it tries; everything else takes their `default`, or says that there is none.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, TypeAlias

from layerctl.diagnostics import LayerctlError, Problems, Span, did_you_mean, fail
from layerctl.source.document import Document, Entry, Mapping, Node, Path, Scalar, Sequence

KEY = "search"
SCALES = ("linear", "log")
KEYS = {
    KEY: "What `layerctl tune` tries: two numbers, the least and the greatest, or `{choices: [...]}`.",
    "scale": "linear, or log where factors count and not differences.",
    "step": "The distance of the numbers that are tried, from the least; every number if not given.",
    "default": "What all other commands take in the range's place.",
}
"""The keys of a range, and what each is for."""
NAMED_BY_USERS = frozenset((
    "vars", "features", "target", "source", "inputs", "outputs", "from", "define", "args", "weights", "state", "update", "next", "loss", "loss_weights",
    "metrics", "weighted_metrics", "class_weight", "learning_rate_multipliers",
))  # fmt: skip
"""Mappings whose keys are names of the user's own, so that one may be called `search`."""
_EXAMPLE = "as in `{search: [16, 256], scale: log}` or `{search: {choices: [relu, tanh]}}`"


@dataclass(frozen=True)
class Range:
    """Numbers from `low` to `high`, both included; whole numbers if both ends are, in steps of `step` from `low`."""

    low: float
    high: float
    log: bool = False
    step: float | None = None

    @property
    def whole(self) -> bool:
        """Whether only whole numbers are meant."""
        return isinstance(self.low, int)

    def has(self, value: Any) -> bool:
        """Whether a value is in the range and of its kind."""
        if isinstance(value, bool) or not isinstance(value, int if self.whole else (int, float)) or not self.low <= value <= self.high:
            return False
        steps = (value - self.low) / self.step if self.step is not None else 0.0
        return abs(steps - round(steps)) < 1e-9


@dataclass(frozen=True)
class Choices:
    """Values of any kind; some may hold further ranges."""

    values: tuple[Node, ...]

    def labels(self) -> list[str]:
        """Each value in a few words: a scalar as it is, a mapping of one key (a layer, an optimizer) by the key."""
        return [_label(v) for v in self.values]


@dataclass(frozen=True)
class Search:
    """A range of the file: its dotted name (items by their `name` if they have one), its place, what it is over, its default."""

    name: str
    span: Span
    over: Range | Choices
    default: Any = None
    has_default: bool = False


def short_names(names: Iterable[str]) -> dict[str, str]:
    """For each dotted name its shortest ending that no other has."""
    parts = {n: n.split(".") for n in names}
    out = {}
    for name, own in parts.items():
        ends = (".".join(own[-k:]) for k in range(1, len(own) + 1))
        out[name] = next((e for e in ends if sum(f".{o}".endswith(f".{e}") for o in parts) == 1), name)
    return out


Pick: TypeAlias = Callable[[Search], Any]
"""Chooses: a number of a Range, the index of one of the Choices."""


def searches(document: Document) -> list[Search]:
    """All ranges of a file, those inside of choices too, in the file's order.

    Raises:
        LayerctlError: with everything that is wrong in them.
    """
    problems = Problems()
    found: list[Search] = []

    def visit(node: Node, name: tuple[str, ...]) -> None:
        for inner, own in _ranges(node, name, _names(document)):
            try:
                search = _read(inner, own)
            except LayerctlError as error:
                problems.found.extend(error.diagnostics)
                continue
            found.append(search)
            for i, value in enumerate(search.over.values if isinstance(search.over, Choices) else ()):
                visit(value, (*own, str(i)))

    visit(document.root, ())
    problems.check()
    return found


def filled(document: Document, pick: Pick) -> Document:
    """The file with each range replaced by what `pick` chooses; ranges inside of a value that was not chosen are never asked for.

    Raises:
        LayerctlError: for a range that says nothing sensible.
    """
    names = _names(document)
    return Document(document.source, _filled(document.root, (), document.root.path, pick, names))


def settled(document: Document) -> Document:
    """The file with each range replaced by its `default`.

    Raises:
        LayerctlError: for all ranges that have none, and for what is wrong in them.
    """
    found = searches(document)
    if not found:
        return document
    problems = Problems()

    def pick(search: Search) -> Any:
        if search.has_default:
            return search.default
        problems.error("search-without-default", f"'{search.name}' is a range to be searched, expected one value", search.span,
                       hint=f"`layerctl tune {document.source.name}` finds a value and writes it down; or add `default:` to the range")  # fmt: skip
        return 0 if isinstance(search.over, Choices) else search.over.low

    out = filled(document, pick)
    problems.check()
    return out


def _names(document: Document) -> frozenset[str]:
    """The keys whose mappings have names of the user's own: those of the format, and the definitions'."""
    define = document.root.get("define") if isinstance(document.root, Mapping) else None
    return NAMED_BY_USERS | frozenset(define.keys() if isinstance(define, Mapping) else ())


def _is_range(node: Node, names: frozenset[str]) -> bool:
    if not isinstance(node, Mapping) or KEY not in node or not node.path:
        return False
    over = node.get(KEY)
    if str(node.path[-1]) not in names:
        return True
    numbers = isinstance(over, Sequence) and len(over) == 2 and all(isinstance(i, Scalar) and not isinstance(i.value, str) for i in over)
    return len(node.path) > 1 and (numbers or (isinstance(over, Mapping) and "choices" in over))


def _ranges(node: Node, name: tuple[str, ...], names: frozenset[str]) -> Iterator[tuple[Mapping, tuple[str, ...]]]:
    """The outermost ranges below a node, with their names."""
    if isinstance(node, Mapping) and _is_range(node, names):
        yield node, name
        return
    for part, below in _below(node):
        yield from _ranges(below, (*name, part), names)


def _below(node: Node) -> Iterator[tuple[str, Node]]:
    """What stands under a node, by key, by an item's `name`, or by index."""
    if isinstance(node, Mapping):
        yield from ((e.key.value, e.value) for e in node.entries)
    elif isinstance(node, Sequence):
        for i, item in enumerate(node.items):
            own = item.get("name") if isinstance(item, Mapping) else None
            yield (own.value if isinstance(own, Scalar) and isinstance(own.value, str) else str(i)), item


def _filled(node: Node, name: tuple[str, ...], path: Path, pick: Pick, names: frozenset[str]) -> Node:
    if isinstance(node, Mapping) and _is_range(node, names):
        search = _read(node, name)
        chosen = pick(search)
        if isinstance(search.over, Range):
            return Scalar(chosen, repr(chosen), "plain", node._span, path)
        return _filled(search.over.values[chosen], (*name, str(chosen)), path, pick, names)
    parts = iter(_below(node))
    if isinstance(node, Mapping):
        entries = []
        for (key, value), (part, _) in zip(node.entries, parts, strict=True):
            at = (*path, key.value)
            entries.append(Entry(key.moved(at), _filled(value, (*name, part), at, pick, names)))
        return Mapping(entries, node._span, path)
    if isinstance(node, Sequence):
        items = [_filled(item, (*name, part), (*path, i), pick, names) for i, (part, item) in enumerate(parts)]
        return Sequence(items, node._span, path)
    return node.moved(path)


def _read(node: Mapping, name: tuple[str, ...]) -> Search:
    """One range, checked."""
    for key, _ in node.entries:
        if key.value not in KEYS:
            fail("unknown-key", f"a range has no '{key.value}'{did_you_mean(key.value, KEYS)}", key.span, hint=f"a range has {', '.join(KEYS)}; {_EXAMPLE}")
    over = node.get(KEY)
    assert over is not None
    found = _choices(node, over) if isinstance(over, Mapping) else _range(node, over)
    default = node.get("default")
    if default is None:
        return Search(".".join(name), node.span, found)
    return Search(".".join(name), node.span, found, _default(found, default), True)


def _choices(node: Mapping, over: Mapping) -> Choices:
    for key, _ in over.entries:
        if key.value != "choices":
            fail("unknown-key", f"'search' has no '{key.value}'{did_you_mean(key.value, ('choices',))}", key.span,
                 hint=f"it is two numbers or choices; {_EXAMPLE}")  # fmt: skip
    for key in ("scale", "step"):
        if key in node:
            fail("bad-search", f"'{key}' is for a range of numbers, expected none beside choices", node.key(key).span, hint="leave it out")
    values = over.get("choices")
    if not isinstance(values, Sequence) or len(values) < 2:
        fail("bad-search", "'choices' must be a list of at least two values", values.span if values is not None else over.span, hint=_EXAMPLE)
    assert isinstance(values, Sequence)
    plain = [repr(v.plain()) for v in values]
    for i, v in enumerate(values):
        if plain[i] in plain[:i]:
            fail("bad-search", f"the choice {_label(v)} stands here a second time", v.span, hint="name each choice once")
    return Choices(tuple(values))


def _range(node: Mapping, over: Node) -> Range:
    ends = [i.value for i in over if isinstance(i, Scalar)] if isinstance(over, Sequence) else []
    if len(ends) != 2 or not isinstance(over, Sequence) or len(over) != 2 or not all(_number(e) for e in ends):
        texts = [str(i.text) for i in over if isinstance(i, Scalar)] if isinstance(over, Sequence) else []
        fail("bad-search", f"'search' must be two numbers, the least and the greatest, or choices; got {over.plain()!r}", over.span,
             hint=f"write `{{search: {{choices: [{', '.join(texts)}]}}}}`" if 1 < len(texts) == len(over) and not all(map(_number, ends))
             else _EXAMPLE)  # fmt: skip
    if not all(isinstance(e, int) for e in ends):
        ends = [float(e) for e in ends]
    low, high = ends
    if not low < high:
        fail("bad-search", f"the range ends at {high!r}, which is not above its start {low!r}", over.span, hint=f"write `search: [{high!r}, {low!r}]`"
             if low > high else "give one value in place of the range, or a wider one")  # fmt: skip
    scale = node.get("scale")
    log = scale is not None and scale.plain() == "log"
    if scale is not None and scale.plain() not in SCALES:
        given = str(scale.plain())
        fail("bad-search", f"'scale' must be {' or '.join(SCALES)}, got '{given}'{did_you_mean(given, SCALES)}", scale.span, hint="linear if not given")
    if log and low <= 0:
        fail("bad-search", f"a range on a log scale must start above 0, got {low!r}", over.span, hint="start it at a small number, or leave out `scale: log`")
    return Range(low, high, log, _step(node, low, high, log))


def _step(node: Mapping, low: float, high: float, log: bool) -> float | None:
    step = node.get("step")
    if step is None:
        return None
    value = step.plain()
    if log:
        fail("bad-search", "'step' and `scale: log` do not go together", node.key("step").span, hint="list the values: `{search: {choices: [16, 32, 64]}}`")
    if not _number(value) or not 0 < value <= high - low or (isinstance(low, int) and not isinstance(value, int)):
        kind = "a whole number" if isinstance(low, int) else "a number"
        fail("bad-search", f"'step' must be {kind} above 0 and at most {high - low!r}, the range's width; got {value!r}", step.span, hint=_EXAMPLE)
    return value


def _default(over: Range | Choices, node: Node) -> Any:
    """The default as `Pick` gives it: a number, or the index of a choice."""
    value = node.plain()
    if isinstance(over, Range):
        if not over.has(value):
            steps = f" in steps of {over.step!r}" if over.step is not None else ""
            fail("bad-search", f"the default {value!r} is not in the range {over.low!r} to {over.high!r}{steps}", node.span, hint="choose one of the range")
        return value if over.whole else float(value)
    plain = [repr(v.plain()) for v in over.values]
    if repr(value) not in plain:
        near = did_you_mean(_label(node), over.labels())
        fail("bad-search", f"the default {_label(node)} is none of the choices {', '.join(over.labels())}{near}", node.span, hint="name one of them")
    return plain.index(repr(value))


def _number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)


def _label(node: Node) -> str:
    if isinstance(node, Scalar):
        return "null" if node.value is None else str(node.value).lower() if isinstance(node.value, bool) else str(node.value)
    if isinstance(node, Mapping) and len(node) == 1:
        return node.entries[0].key.value
    return str(node.plain())
