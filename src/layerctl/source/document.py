"""A YAML text as a tree of nodes that know their place, and the look-up from a path to that place."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any, NamedTuple, TypeAlias

from layerctl.diagnostics import Source, Span

Path: TypeAlias = tuple[str | int, ...]
Plain: TypeAlias = Any
"""Dicts with text keys, lists, and scalars: str, int, float, bool, None."""


class Node:
    """A value of the document. `path` leads to it from the root; `span` is where it stands in the text."""

    __slots__ = ("_span", "path")

    def __init__(self, span: Any, path: Path = ()):
        self._span = span
        self.path = path

    @property
    def span(self) -> Span:
        """The place of the whole value. The reader leaves the parser's marks: most spans are never asked for."""
        if isinstance(self._span, Span):
            return self._span
        source, start, end, *via = self._span
        return Span(source, start.line + 1, start.column + 1, end.line + 1, end.column + 1, *via)

    def plain(self) -> Plain:
        """The value as Python data."""
        raise TypeError(f"{type(self).__name__} is no kind of node")

    def moved(self, path: Path, via: Span | None = None) -> Node:
        """A copy that stands at another path, with its own text's spans; `via` is the alias that has it there."""
        raise TypeError(f"{type(self).__name__} is no kind of node")


def _used(span: Any, via: Span | None) -> Any:
    """A node's place, as an alias uses it: behind the aliases that are within what it uses."""
    if via is None:
        return span
    if isinstance(span, Span):
        return replace(span, via=_used(span.via, via) if span.via is not None else via)
    return (*span[:3], _used(span[3], via) if len(span) > 3 else via)


class Scalar(Node):
    """Text, a number, a truth value or null.

    `text` is what the file says, without quotes; `style` is `plain`, `'`, `"`, `|` or `>`.
    """

    __slots__ = ("style", "text", "value")

    def __init__(self, value: Any, text: str, style: str, span: Any, path: Path = ()):
        self.value = value
        self.text = text
        self.style = style
        self._span = span
        self.path = path

    def plain(self) -> Plain:
        """The value: str, int, float, bool or None."""
        return self.value

    def moved(self, path: Path, via: Span | None = None) -> Scalar:
        """A copy at another path."""
        return Scalar(self.value, self.text, self.style, _used(self._span, via), path)

    def called(self, name: str) -> Scalar:
        """A key that stands for another name, at its place in the text."""
        return Scalar(name, self.text, self.style, self._span, self.path)

    def __repr__(self) -> str:
        return f"Scalar({self.value!r})"


class Entry(NamedTuple):
    """A key of a mapping (always text) and its value."""

    key: Scalar
    value: Node


class Mapping(Node):
    """Keys and values, in the order of the file; iterating gives its entries."""

    __slots__ = ("_index", "entries")

    def __init__(self, entries: list[Entry], span: Any, path: Path = ()):
        self.entries = entries
        self._span = span
        self.path = path
        self._index: dict[str, Entry] | None = None

    def entry(self, key: str) -> Entry | None:
        """The entry of a key, or None."""
        if self._index is None or len(self._index) != len(self.entries):
            self._index = {e.key.value: e for e in self.entries}
        return self._index.get(key)

    def get(self, key: str) -> Node | None:
        """The value of a key, or None."""
        found = self.entry(key)
        return found.value if found else None

    def key(self, key: str) -> Scalar:
        """The key itself, whose span is the key's alone.

        Raises:
            KeyError: where there is none.
        """
        found = self.entry(key)
        if found is None:
            raise KeyError(key)
        return found.key

    def renamed(self, names: dict[str, str]) -> Mapping:
        """The mapping with other names for some keys, which stay where they are in the text."""
        entries = [Entry(k.called(names[k.value]) if k.value in names else k, v) for k, v in self.entries]
        return Mapping(entries, self._span, self.path) if names else self

    def keys(self) -> list[str]:
        """The keys' texts."""
        return [e.key.value for e in self.entries]

    def plain(self) -> Plain:
        """A dict."""
        return {e.key.value: e.value.plain() for e in self.entries}

    def moved(self, path: Path, via: Span | None = None) -> Mapping:
        """A copy at another path."""
        entries = []
        for key, value in self.entries:
            at = (*path, key.value)
            entries.append(Entry(key.moved(at, via), value.moved(at, via)))
        return Mapping(entries, _used(self._span, via), path)

    def __iter__(self) -> Iterator[Entry]:
        return iter(self.entries)

    def __len__(self) -> int:
        return len(self.entries)

    def __contains__(self, key: object) -> bool:
        return isinstance(key, str) and self.entry(key) is not None

    def __repr__(self) -> str:
        return f"Mapping({self.plain()!r})"


class Sequence(Node):
    """A list of values."""

    __slots__ = ("items",)

    def __init__(self, items: list[Node], span: Any, path: Path = ()):
        self.items = items
        self._span = span
        self.path = path

    def plain(self) -> Plain:
        """A list."""
        return [item.plain() for item in self.items]

    def moved(self, path: Path, via: Span | None = None) -> Sequence:
        """A copy at another path."""
        items = [item.moved((*path, i), via) for i, item in enumerate(self.items)]
        return Sequence(items, _used(self._span, via), path)

    def __iter__(self) -> Iterator[Node]:
        return iter(self.items)

    def __len__(self) -> int:
        return len(self.items)

    def __repr__(self) -> str:
        return f"Sequence({self.plain()!r})"


class Document:
    """A text that was read: its source and its root."""

    __slots__ = ("root", "source")

    def __init__(self, source: Source, root: Node):
        self.source = source
        self.root = root

    def plain(self) -> Plain:
        """The root as Python data."""
        return self.root.plain()

    def node_at(self, path: Path) -> Node | None:
        """The node that a path leads to exactly, or None."""
        node: Node | None = self.root
        for part in path:
            node = node and child(node, part)
        return node

    def span_at(self, path: Path) -> Span:
        """The place of the deepest node that a path reaches; parts that lead nowhere are passed over.

        What validators put into a path without an equal in the file (the tag of a union) is thus tolerated. Where the
        path's last part is missing, the place is the key that its mapping stands under.
        """
        node, key, missing = self.root, None, False
        for part in path:
            below = child(node, part)
            missing = below is None
            if below is not None:
                key = node.key(str(part)) if isinstance(node, Mapping) else None
                node = below
        if missing and not isinstance(node, Scalar):
            return key.span if key else _first_line(node)
        return node.span


def child(node: Node, part: str | int) -> Node | None:
    """The node under a key or an index, or None."""
    if isinstance(node, Mapping):
        return node.get(str(part))
    if isinstance(node, Sequence) and isinstance(part, int) and -len(node.items) <= part < len(node.items):
        return node.items[part]
    return None


def _first_line(node: Node) -> Span:
    """The first thing in a collection that stands under no key: pointing at all of it says less."""
    if isinstance(node, Mapping) and node.entries:
        return node.entries[0].key.span
    return node.span
