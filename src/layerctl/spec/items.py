"""The `model` section's items: which layer, under which names, from where."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from layerctl.catalogue import catalogue
from layerctl.diagnostics import Problems, Span, closest, did_you_mean
from layerctl.source.document import Mapping, Node, Scalar, Sequence
from layerctl.spec.refused import type_cure

RESERVED = {
    "name": "The name of the result, by which `from` takes it; a list of names where the layer has several results.",
    "from": "What the layer takes: a name, a list of names, or call arguments by name; the item before if not given.",
    "use": "The name of an earlier layer that is used again, with the same weights.",
    "repeat": "How often the item stands here, each time with weights of its own.",
    "trainable": "Whether training changes the layer's weights.",
    "print": "true, or a text: the result is shown on the first batch of each epoch.",
}
"""What an item may have beside its layer."""


@dataclass
class Reference:
    """A name of a value, and where the file says it."""

    name: str
    span: Span


@dataclass(frozen=True)
class Constant:
    """A call's argument that is no tensor: true or false."""

    value: bool


Sources = list[Reference] | dict[str, list[Reference] | Reference | Constant] | Reference | None


@dataclass
class Item:
    """One item as written: a layer's type with its arguments' node, or the use of an earlier layer."""

    kind: str | None
    kind_span: Span
    arguments: Node | None
    use: Reference | None
    names: list[Reference]
    sources: Sources
    repeat: int
    trainable: bool | None
    span: Span
    path: tuple[str | int, ...] = field(default=())
    print: bool | str = False
    source_places: dict[str, Span] = field(default_factory=dict)
    """Where the arguments of `from` stand, by name."""
    amiss: bool = False
    """Whether something of it was no use, which is said: it makes no step, and its names are known."""


def items(node: Node, problems: Problems) -> list[Item]:
    """The items of a list of layers."""
    if not isinstance(node, Sequence):
        problems.error("wrong-type", "expected a list of layers", node.span, hint="start each layer with `- `")
        return []
    return [i if (i := item(n, problems)) is not None else _lost(n) for n in node.items]


def _lost(node: Node) -> Item:
    """What is left of an item that says no layer: its names, which others may take."""
    names = _names(node, Problems()) if isinstance(node, Mapping) else []
    return Item(None, node.span, None, None, names, None, 1, None, node.span, node.path, amiss=True)


def item(node: Node, problems: Problems) -> Item | None:
    """One item; None after an error."""
    if isinstance(node, Scalar):
        if not isinstance(node.value, str):
            problems.error("wrong-type", f"expected a layer, got {node.text or 'nothing'}", node.span, hint="write `- Dense: 64`")
            return None
        return Item(node.value, node.span, None, None, [], None, 1, None, node.span, node.path)
    if not isinstance(node, Mapping):
        problems.error("wrong-type", "expected a layer, got a list", node.span, hint="write `Name: {argument: value}`")
        return None
    before = len(problems.found)
    kinds = [e for e in node.entries if e.key.value not in RESERVED]
    empty = node.get("from")
    if isinstance(empty, Scalar) and empty.text in ("~", "null", "Null", "NULL"):
        _reference(empty, problems)
    use = _use(node, problems)
    if len(kinds) > 1 or (kinds and use):
        extra = kinds[1] if len(kinds) > 1 else kinds[0]
        key = str(extra.key.value)
        known = catalogue("layers").get(str(kinds[0].key.value))
        if known is not None and key in known.model_fields:
            owner = kinds[0].key.value
            hint = f"'{key}' is an argument of {owner}: indent it below the layer, or write {{{key}: ...}} behind the colon"
        elif isinstance(kinds[0].value, Scalar) and kinds[0].key.value in ("type", "class_name", "layer", "class"):
            extra, key = kinds[0], str(kinds[0].key.value)
            hint = f"write the layer's name as the key: `- {kinds[0].value.text}: {{…}}`"
        elif use and not (len(kinds) > 1):
            hint = "an item makes a layer, or uses one again: write two items"
        elif catalogue("layers").get(key) is not None:
            hint = f"{key} is a layer: give it an item of its own, `- {key}: …`"
        elif key in ("inputs", "input", "input_layer", "inbound", "inbound_nodes"):
            hint = "it is 'from' here: the name of what the layer takes"
        elif closest(key, [str(kinds[0].key.value)]) is not None:
            hint = f"did you mean '{kinds[0].key.value}'? An item is one layer"
        else:
            hint = f"an item is one layer with {', '.join(RESERVED)}{did_you_mean(key, RESERVED)}"
        problems.error("unknown-key", f"'{key}' is not a key of a layer's item", extra.key.span, hint=hint)
        right = closest(key, RESERVED)
        if known is None or right is None or right in node:
            return None
        node = node.renamed({key: right})
    if not kinds and use is None:
        if node.get("use") is None:
            problems.error("missing-layer", "this item names no layer", node.span, hint="write `- Dense: {units: 64}`")
        return None
    kind = kinds[0] if kinds else None
    named = node.get("name")
    layers = catalogue("layers")
    called = layers.get(named.text) if isinstance(named, Scalar) else None
    if kind is not None and called is not None and layers.get(str(kind.key.value)) is None and str(kind.key.value) in called.model_fields:
        problems.error("unknown-key", f"'{kind.key.value}' is not a key of a layer's item", kind.key.span,
                       hint=f"write the layer's name as the key: `- {named.text}: {{{kind.key.value}: …}}`")  # fmt: skip
        return None
    names = _names(node, problems)
    return Item(
        str(kind.key.value) if kind else None, kind.key.span if kind else node.span, kind.value if kind else None, use, names,
        _sources(node.get("from"), problems), _repeat(node, problems),
        _flag(node, "trainable", problems), kind.key.span if kind else node.span, node.path, _print(node, problems),
        {str(e.key.value): e.key.span for e in taken.entries} if isinstance(taken := node.get("from"), Mapping) else {},
        amiss=len(problems.found) > before,
    )  # fmt: skip


def _use(node: Mapping, problems: Problems) -> Reference | None:
    value = node.get("use")
    if value is None:
        return None
    return _reference(value, problems)


def _reference(node: Node, problems: Problems) -> Reference | None:
    if isinstance(node, Scalar) and isinstance(node.value, (str, int)) and not isinstance(node.value, bool):
        return Reference(str(node.value), node.span)
    got = (node.text or "nothing") if isinstance(node, Scalar) else "a list" if isinstance(node, Sequence) else "a mapping"
    problems.error("wrong-type", f"expected a name, got {got}", node.span, hint="write a name, such as `hidden`, or leave the key out")
    return None


def _names(node: Mapping, problems: Problems) -> list[Reference]:
    value = node.get("name")
    if value is None:
        return []
    found = [_reference(n, problems) for n in (value.items if isinstance(value, Sequence) else [value])]
    names = [r for r in found if r is not None]
    for r in names:
        if not r.name or any(c in r.name for c in "/\\\n\r\0") or r.name in (".", "..") or len(r.name) > 200:
            problems.error(
                "bad-name",
                f"a name may not be empty, hold slashes or line breaks, or be '.' or '..': got {r.name!r}",
                r.span,
                hint="letters, digits, - and _ make names of weights and files",
            )
    return names


def _sources(node: Node | None, problems: Problems) -> Sources:
    if node is None or (isinstance(node, Scalar) and node.value is None):
        return None
    if isinstance(node, (Sequence, Mapping)) and not len(node):
        problems.error("missing-input", "'from' names nothing", node.span, hint="name what the layer takes, or leave `from` out")
        return None
    if isinstance(node, Sequence):
        return [r for n in node.items if (r := _reference(n, problems))]
    if isinstance(node, Mapping):
        out: dict[str, Any] = {}
        for e in node.entries:
            flag = e.value.value if isinstance(e.value, Scalar) else None
            out[str(e.key.value)] = Constant(flag) if isinstance(flag, bool) else _sources(e.value, problems)
        return out
    return _reference(node, problems)


def _repeat(node: Mapping, problems: Problems) -> int:
    value = node.get("repeat")
    if value is None:
        return 1
    n = value.plain()
    if not isinstance(n, int) or isinstance(n, bool) or not 1 <= n <= 1000:
        problems.error("out-of-range", f"'repeat' must be a whole number from 1 to 1000, got {n!r}", value.span, hint="as in `repeat: 3`")
        return 1
    return n


def _print(node: Mapping, problems: Problems) -> bool | str:
    value = node.get("print")
    plain = value.plain() if value is not None else False
    if not isinstance(plain, (bool, str)):
        problems.error("wrong-type", f"'print' must be true, false or a text, got {plain!r}", value.span, hint="as in `print: true`")
        return False
    return plain


def _flag(node: Mapping, key: str, problems: Problems) -> bool | None:
    value = node.get(key)
    if value is None:
        return None
    if not isinstance(value.plain(), bool):
        problems.error("wrong-type", f"'{key}' must be true or false, got {value.plain()!r}", value.span, hint=type_cure("true or false", value.plain()))
        return None
    return value.plain()
