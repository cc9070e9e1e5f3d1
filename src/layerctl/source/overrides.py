"""`--set path=value`: a value of the file replaced from the command line."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import NoReturn

from layerctl.diagnostics import LayerctlError, Problems, Source, Span, did_you_mean, fail
from layerctl.source import files
from layerctl.source.document import Document, Entry, Mapping, Node, Path, Scalar, Sequence
from layerctl.source.read import read_node

SOURCE_NAME = "--set"


def apply_overrides(document: Document, overrides: Iterable[str]) -> Document:
    """The document with each `a.b.0.c=value` applied, in order.

        A part of the path is a key, the index of an item (from 0; -1 is the last), or the `name` of an item. Mappings
        that are missing on the way are made. The value is YAML. Places of what is set are in the argument's text, under
    the name `--set`.
        Raises:
            LayerctlError: for arguments that are no `path=value`, and paths that lead nowhere; all of them at once.
    """
    problems = Problems()
    root = document.root
    for text in overrides:
        try:
            root = _Override(text).applied(root)
        except LayerctlError as error:
            problems.found.extend(error.diagnostics)
    if any(d.severity == "error" for d in problems.found):
        raise LayerctlError(problems.found)
    return Document(document.source, root)


_NAMED = ("optimizer", "loss", "activation", "_rate", "_regularizer", "_initializer", "_constraint", "layer")
"""Ends of keys whose value is a name, with arguments or without."""


def _folded(name: str) -> str:
    return name.replace("_", "").lower()


class _Override:
    """One argument: the parts of its path with their columns, and its value."""

    def __init__(self, text: str):
        self.source = Source(SOURCE_NAME, text)
        path, sign, value = text.partition("=")
        whole = Span(self.source, 1, 1, 1, len(text) + 1)
        if not sign:
            fail(
                "override-syntax", f"'{text}' has no '=', expected path=value", whole, hint="as in `--set fit.epochs=3`"
            )
        self.parts: list[tuple[str, Span]] = []
        indexed = re.sub(r"\[(-?\d+)\]", r".\1", path)
        if indexed != path:
            at = path.index("[") + 1
            fail("override-syntax", f"the path '{path}' has brackets, expected an item's number between dots", Span(self.source, 1, at, 1, path.index("]") + 2),
                 hint=f"write `--set {indexed}={value}`")  # fmt: skip
        if "/" in path and "." not in path:
            slash = Span(self.source, 1, path.index("/") + 1, 1, path.index("/") + 2)
            fail("override-syntax", f"the path '{path}' has slashes, expected names between dots", slash,
                 hint=f"write `--set {path.replace('/', '.')}={value}`")  # fmt: skip
        at = 1
        for part in path.split("."):
            if not part.strip() or part != part.strip():
                fail(
                    "override-syntax",
                    f"the path '{path}' has an empty part or a space, expected names between dots",
                    Span(self.source, 1, at, 1, at + max(len(part), 1)),
                    hint="as in `--set fit.epochs=3`",
                )
            self.parts.append((part, Span(self.source, 1, at, 1, at + len(part))))
            at += len(part) + 1
        self.value = self._value(value, len(path) + 1)

    def _value(self, text: str, offset: int) -> Node:
        if not text.strip():
            return Scalar(None, "", "plain", Span(self.source, 1, offset + 1, 1, offset + 1))
        if text.strip() == "-":  # standard input, not a list of nothing
            return Scalar("-", "-", "plain", Span(self.source, 1, offset + 1, 1, offset + 2))
        text = files.normalised(" " * offset + text, SOURCE_NAME)
        return read_node(text, self.source)

    def applied(self, root: Node) -> Node:
        """A copy of the tree, new along the path."""
        return self._set(root, 0, ())

    def _set(self, node: Node | None, depth: int, path: Path) -> Node:
        if depth == len(self.parts):
            return self.value.moved(path)
        part, span = self.parts[depth]
        if isinstance(node, Sequence):
            at = self._index(node, part, span, depth)
            items = list(node.items)
            items[at] = self._set(items[at], depth + 1, (*path, at))
            return Sequence(items, node._span, path)
        if isinstance(node, Scalar) and node.value is not None:
            node = self._named(node, part, span, depth)
        entries = list(node.entries) if isinstance(node, Mapping) else []
        place = node._span if isinstance(node, Mapping) else span
        for i, (key, value) in enumerate(entries):
            if key.value == part:
                entries[i] = Entry(key, self._set(value, depth + 1, (*path, part)))
                return Mapping(entries, place, path)
        near = did_you_mean(part, [k.value for k, _ in entries]) if path == ("vars",) else ""
        if near:
            fail("unknown-variable", f"there is no variable '{part}'{near}", span, hint=f"`vars:` has {', '.join(k.value for k, _ in entries)}")
        key = Scalar(part, part, "plain", span, (*path, part))
        entries.append(Entry(key, self._set(None, depth + 1, (*path, part))))
        return Mapping(entries, place, path)

    def _so_far(self, depth: int) -> str:
        return ".".join(p for p, _ in self.parts[:depth]) or "the file"

    def _named(self, node: Scalar, part: str, span: Span, depth: int) -> Node | None:
        """`optimizer: adam` and `optimizer.Adam.…` mean the same thing; other scalars have nothing below them."""
        if isinstance(node.value, str) and node.value.lower() == part.lower():
            return None
        inner = f"{{{'.'.join(p for p, _ in self.parts[depth:])}: …}}"
        if isinstance(node.value, str) and self.parts[depth - 1][0].endswith(_NAMED):
            inner = f"{{{node.text}: {inner}}}"
        fail(
            "override-path",
            f"'{self._so_far(depth)}' is the value {node.text}, which has no '{part}'",
            span,
            hint=f"replace the value: --set '{self._so_far(depth)}={inner}'",
        )
        raise AssertionError

    def _index(self, node: Sequence, part: str, span: Span, depth: int) -> int:
        """The item that a part means: by index, or by the item's `name`."""
        if re.fullmatch(r"-?[0-9]{1,9}", part):
            at = int(part)
            if -len(node.items) <= at < len(node.items):
                return at % len(node.items)
            self._no_item(
                f"'{self._so_far(depth)}' has {len(node.items)} item{'s' * (len(node.items) != 1)}, there is no item {part}, expected "
                f"{'0 to ' + str(len(node.items) - 1) if len(node.items) > 1 else '0' if node.items else 'a list with items'}",
                span,
            )
        names: dict[str, int] = {}
        for i, item in enumerate(node.items):
            name = item.get("name") if isinstance(item, Mapping) else None
            if isinstance(name, Scalar) and isinstance(name.value, str):
                names.setdefault(name.value, i)
        if part not in names:
            kinds = [(i, k) for i, n in enumerate(node.items) for k in (n.keys() if isinstance(n, Mapping) else [str(n.plain())])]
            like = next(((i, k) for i, k in kinds if _folded(k) == _folded(part)), None)
            if like is not None:
                rest = ".".join([like[1], *(p for p, _ in self.parts[depth + 1 :])])
                fail("override-path", f"'{self._so_far(depth)}' is a list without an item named '{part}'", span,
                     hint=f"the first {like[1]} is its item {like[0]}: `{self._so_far(depth)}.{like[0]}.{rest}=…`")  # fmt: skip
            self._no_item(
                f"'{self._so_far(depth)}' is a list without an item named '{part}', expected an index from 0 or a name"
                f"{did_you_mean(part, names)}",
                span,
            )
        return names[part]

    def _no_item(self, message: str, span: Span) -> NoReturn:
        fail("override-path", message, span, hint="items are counted from 0, -1 is the last")
        raise AssertionError
