"""YAML text → Document, over the parser's event stream.

Libyaml's composer recurses and crashes the process on deep nesting, so nodes are put together here, with bounds on
size, depth and count that hold before anything is built, aliases included.
"""

from __future__ import annotations

import re
from typing import Any

import yaml

from layerctl.diagnostics import Diagnostic, Note, Problems, Source, Span, did_you_mean, fail
from layerctl.source import files, scalars, slips, syntax
from layerctl.source.document import Document, Entry, Mapping, Node, Scalar, Sequence
from layerctl.source.marks import ODD_SPACE, ODD_SPACE_CURE, SPACES
from layerctl.source.syntax import DEEPEST

MOST_NODES = 100_000
_CLOSED = {"]": "[", "}": "{"}


def _closes_nothing(text: str) -> bool:
    """Whether a plain text ends in a bracket that closes nothing, and has none that is left open, as an expression may."""
    counts = {c: text.count(c) - text.count(o) for c, o in ((")", "("), *_CLOSED.items())}
    return len(text) > 1 and counts.get(text[-1], 0) > 0 and all(n >= 0 for n in counts.values())


def _odd_space(text: str) -> int | None:
    """Where a text begins with a space that is none to YAML, or has one behind a ':' or a list's dash."""
    return next((i for i, c in enumerate(text) if c in SPACES and (not i or text[i - 1] == ":" or text[:i] == "-")), None)


class _PureParser(yaml.reader.Reader, yaml.scanner.Scanner, yaml.parser.Parser):
    """PyYAML's own parser, for an installation without libyaml."""

    def __init__(self, text: str):
        yaml.reader.Reader.__init__(self, text)
        yaml.scanner.Scanner.__init__(self)
        yaml.parser.Parser.__init__(self)


try:
    from yaml.cyaml import CParser as _Parser
except ImportError:
    _Parser = _PureParser


def load(path: Any) -> Document:
    """Reads a file; `-` is standard input.

    Raises:
        LayerctlError: with everything that is wrong with the file or its YAML.
    """
    return loads(files.read_text(path), files.shown_name(path))


def loads(text: str, name: str = "<text>") -> Document:
    """Reads a text; `name` is what its diagnostics call it.

    Raises:
        LayerctlError: with everything that is wrong with the YAML.
    """
    text = files.normalised(text, name)
    source = Source(name, text)
    return Document(source, read_node(text, source))


def read_node(text: str, source: Source) -> Node:
    """The root of a text whose columns are those of `source`'s.

    Raises:
        LayerctlError: with everything that is wrong with the YAML.
    """
    return _Builder(source).read(_Parser(text))


class _Open:
    """A collection whose end has not been read yet."""

    __slots__ = ("before", "key", "node", "seen", "twice")

    def __init__(self, node: Mapping | Sequence, before: int):
        self.node = node
        self.before = before
        self.key: Scalar | None = None
        self.seen: dict[str, Scalar] = {}
        self.twice = False


class _Builder:
    """Puts nodes together from events."""

    def __init__(self, source: Source):
        self.source = source
        self.problems = Problems()
        self.open: list[_Open] = []
        self.anchors: dict[str, tuple[Node, int, int]] = {}
        """Nodes by anchor, with the number of their nodes and their height."""
        self.unfinished: dict[int, tuple[str, Any]] = {}
        """Anchors of collections that are still open, by the identity of the collection."""
        self.count = 0
        self.root: Node | None = None
        self.last_end: Any = None
        """The parser's mark behind the last text that it read: where a block ends."""

    def read(self, parser: Any) -> Node:
        """The root of the one document in the stream."""
        try:
            self._events(parser)
        except yaml.MarkedYAMLError as error:
            if not any(d.code in ("yaml-space", "yaml-colon") for d in self.problems.found):  # these explain why the parser stopped
                self._add_cause(syntax.explain(error, self.source))
        self._begun_again()
        self.problems.check()
        if self.root is None or (isinstance(self.root, Scalar) and self.root.text == "" and self.root.style == "plain"):
            fail("file-empty", "the file holds no YAML, expected a model", Span(self.source), hint=files.EMPTY_HINT)
        return self.root

    def _events(self, parser: Any) -> None:
        get = parser.get_event
        documents = 0
        while True:
            event = get()
            kind = type(event)
            if kind is yaml.ScalarEvent:
                self._scalar(event)
            elif kind is yaml.MappingStartEvent or kind is yaml.SequenceStartEvent:
                self._start(event, kind is yaml.MappingStartEvent)
            elif kind is yaml.MappingEndEvent or kind is yaml.SequenceEndEvent:
                self._end(event)
            elif kind is yaml.AliasEvent:
                self._alias(event)
            elif kind is yaml.DocumentStartEvent:
                documents += 1
                if documents > 1:
                    self.problems.error(
                        "yaml-documents",
                        "a second document begins at '---', expected one document",
                        self._span(event),
                        hint="keep one model in a file, and remove the '---'",
                    )
                    return
            elif kind is yaml.StreamEndEvent:
                return

    def _begun_again(self) -> None:
        """Says once that a file's text stands in it twice, in place of a word for each key."""
        twice = [d for d in self.problems.found if d.code == "yaml-duplicate-key" and d.span is not None and d.span.column == 1]
        first = self.root.entries[0].key.span if isinstance(self.root, Mapping) and self.root.entries else None
        if len(twice) < 3 or first is None or twice[0].notes[0].span is None or twice[0].notes[0].span.line != first.line:
            return
        again = Diagnostic("yaml-duplicate-key", f"the file begins again here: {len(twice)} of its keys stand in it a second time", twice[0].span,
                           twice[0].notes, "remove one of the two texts, or give each a file of its own")  # fmt: skip
        self.problems.found[:] = [again, *(d for d in self.problems.found if d not in twice)]

    def _span(self, event: Any) -> Span:
        start, end = event.start_mark, event.end_mark
        return Span(self.source, start.line + 1, start.column + 1, end.line + 1, end.column + 1)

    def _counted(self, event: Any, nodes: int = 1) -> None:
        self.count += nodes
        if self.count > MOST_NODES:
            if nodes > 1:
                self._stop(
                    "yaml-alias-bomb",
                    f"the alias '*{event.anchor}' makes the file more than {MOST_NODES} values, "
                    f"expected at most {MOST_NODES}",
                    event,
                    "aliases of aliases multiply; write the values out",
                )
            self._stop(
                "yaml-too-many-values",
                f"the file has more than {MOST_NODES} values, expected at most {MOST_NODES}",
                event,
                "data belong in a file of their own, named in `data: {source: …}`",
            )

    def _stop(self, code: str, message: str, event: Any, hint: str) -> None:
        self.problems.error(code, message, self._span(event), hint=hint)
        self.problems.check()

    def _tagged(self, event: Any) -> None:
        tag = event.tag.replace("tag:yaml.org,2002:", "!!")
        start = event.start_mark
        line = self.source.line(start.line + 1) or ""
        at = line.find("!", start.column)
        column = (at if at >= 0 else start.column) + 1
        end = column
        while end <= len(line) and not line[end - 1].isspace():
            end += 1
        span = Span(self.source, start.line + 1, column, start.line + 1, max(end, column + 1))
        self.problems.error(
            "yaml-tag",
            f"the tag '{tag}' is not taken, expected a plain value",
            span,
            hint="a file is taken in by a section: `include: FILE` at the top" if tag == "!include"
            else "remove the tag; to have text that starts with '!', quote it",
        )

    def _add_cause(self, found: Diagnostic) -> None:
        """Notes why the parser stopped. A line in a wrong column may repeat a key of the level that it fell to: that is one mistake."""
        lines = {s.line for s in (found.span, *(n.span for n in found.notes)) if s is not None} if found.code == "yaml-indentation" else ()
        repeated = [d for d in self.problems.found if d.code == "yaml-duplicate-key" and d.span is not None and d.span.line in lines]
        self.problems.found[:] = [*(d for d in self.problems.found if d not in repeated), found]

    def _scalar(self, event: Any) -> None:
        self._counted(event)
        if event.tag is not None:
            self._tagged(event)
        text, style = event.value, event.style or "plain"
        self.last_end = event.end_mark
        marks = (self.source, event.start_mark, event.end_mark)
        top = self.open[-1] if self.open else None
        if top is not None and top.key is None and type(top.node) is Mapping:
            key = Scalar(text, text, style, marks, (*top.node.path, text))
            self._key(top, key)
            if event.anchor:
                self.anchors[event.anchor] = (key, 1, 0)
            return
        value: Any = text
        if style == "plain":
            odd = _odd_space(text)
            if odd is not None and (not odd or text[: odd - 1].isidentifier()):
                self._odd_space(self._span(event), odd)
            if text[-1:] in _CLOSED and not self.problems.found and _closes_nothing(text):
                self._lone_bracket(event, text)
            if slips.quote_at_the_end(text):
                self._lone_quote(self._span(event), text)
            if event.start_mark.line != event.end_mark.line and top is not None and type(top.node) is Sequence:
                self._swallowed_item(event, text)
            try:
                value = scalars.resolve(text)
            except scalars.NumberError as error:
                self.problems.error("yaml-number", str(error), self._span(event), hint=error.cure)
        node = Scalar(value, text, style, marks, self._path(top))
        if event.anchor:
            self.anchors[event.anchor] = (node, 1, 0)
        self._place(top, node)

    def _lone_bracket(self, event: Any, text: str) -> None:
        end, opener = event.end_mark, _CLOSED[text[-1]]
        span = Span(self.source, end.line + 1, end.column, end.line + 1, end.column + 1)
        self.problems.error("yaml-unclosed", f"'{text[-1]}' closes nothing: there is no '{opener}' before it", span,
                            hint=f"write `{opener}{text}`, or remove it; quote a text that ends in '{text[-1]}'")  # fmt: skip

    def _lone_quote(self, span: Span, text: str) -> None:
        bare = " ".join(text[:-1].split())
        bare = bare if len(bare) <= 60 else f"…{bare[-57:]}"
        self.problems.error("yaml-unclosed", f"the quote {text[-1]} behind '{bare}' has none before it", span,
                            hint=f"write `{bare}`, or `{text[-1]}{bare}{text[-1]}`")  # fmt: skip

    def _swallowed_item(self, event: Any, text: str) -> None:
        """An item that is indented further than the one above it is a part of that one's text."""
        start = event.start_mark
        for line in range(start.line + 1, event.end_mark.line + 1):
            row = self.source.line(line + 1) or ""
            if row.lstrip(" ").startswith("- ") and text.split(" - ")[0].isidentifier():
                at, own = len(row) - len(row.lstrip(" ")), (self.source.line(start.line + 1) or "").rfind("-", 0, start.column)
                self.problems.error("yaml-indentation", f"an item indented by {at} spaces below one of {own}, expected {own}",
                                    Span(self.source, line + 1, at + 1, line + 1, at + 2), hint="items of one list start in the same column")  # fmt: skip
                return

    def _key(self, top: _Open, key: Scalar) -> None:
        """Takes a key, after checking that it can be one."""
        text, plain = key.text, key.style == "plain"
        top.key = key
        if plain and text == "<<":
            self.problems.error(
                "yaml-merge-key",
                "the merge key '<<' is not taken, expected the keys themselves",
                key.span,
                hint="write the keys out, or share a value with `vars:` and `${name}`",
            )
            return
        if plain and text in scalars.CONSTANTS and not isinstance(scalars.CONSTANTS[text], float):
            what = "nothing" if text == "" else f"the value {text}"
            self.problems.error(
                "yaml-key", f"a key is {what}, expected text or a number", key.span, hint="quote it to have it as text"
            )
        odd = _odd_space(text) if plain else None
        if odd is not None:
            self._odd_space(key.span, odd)
        opened = re.match(r"(\w+)\s*[:=]?\s*(?=[{\[])", text) if plain and odd is None else None
        if opened is not None:
            row = self.source.line(key.span.line) or ""
            rest = row[key.span.column - 1 + opened.end() :].rstrip()
            what = f"no space behind the ':' of '{opened[1]}'" if ":" in opened[0] else f"no ':' after '{opened[1]}'"
            self.problems.error("yaml-colon", what, key.span, hint=f"write `{opened[1]}: {rest}`")
        elif plain and text.endswith(":") and len(text) > 1:
            self.problems.error("yaml-colon", f"a second ':' behind '{text.rstrip(':')}'", key.span, hint=f"write `{text.rstrip(':')}: …`")
        elif plain and slips.quote_at_the_end(text):
            self._lone_quote(key.span, text)
        before = top.seen.setdefault(text, key)
        in_item = len(self.open) > 1 and type(self.open[-2].node) is Sequence
        if before is not key and not (in_item and top.twice):
            top.twice = True
            self.problems.error(
                "yaml-duplicate-key",
                f"the key '{text}' stands here a second time, expected it once",
                key.span,
                notes=(Note("the first one is here", before.span),),
                hint="remove one of the two" + (", or begin a new item with '- '" if in_item else ""),
            )

    def _odd_space(self, span: Span, at: int) -> None:
        place = Span(self.source, span.line, span.column + at, span.line, span.column + at + 1) if at else span
        self.problems.error("yaml-space", ODD_SPACE, place, hint=ODD_SPACE_CURE)

    def _path(self, top: _Open | None) -> tuple[str | int, ...]:
        if top is None:
            return ()
        if top.key is not None:
            return top.key.path
        return (*top.node.path, len(top.node.items))  # type: ignore[union-attr]

    def _place(self, top: _Open | None, node: Node) -> None:
        """Puts a finished or opened value into the collection around it."""
        if top is None:
            self.root = node
        elif type(top.node) is Mapping:
            key = top.key
            top.key = None
            top.node.entries.append(Entry(key, node))  # type: ignore[arg-type]
        else:
            top.node.items.append(node)  # type: ignore[union-attr]

    def _start(self, event: Any, mapping: bool) -> None:
        self._counted(event)
        if event.tag is not None:
            self._tagged(event)
        if len(self.open) >= DEEPEST:
            self._stop(
                "yaml-too-deep",
                f"values nested more than {DEEPEST} deep, expected at most {DEEPEST}",
                event,
                "a bracket too many is the usual cause",
            )
        top = self.open[-1] if self.open else None
        if top is not None and top.key is None and type(top.node) is Mapping:
            self._collection_key(event, mapping)
        path = self._path(top)
        span = (self.source, event.start_mark, event.end_mark)
        node: Mapping | Sequence = Mapping([], span, path) if mapping else Sequence([], span, path)
        self._place(top, node)
        self.open.append(_Open(node, self.count - 1))
        if event.anchor:
            self.unfinished[id(node)] = (event.anchor, event)

    def _collection_key(self, event: Any, mapping: bool) -> None:
        what = "mapping" if mapping else "list"
        start = event.start_mark
        line = self.source.line(start.line + 1) or ""
        if mapping and line.startswith("{", start.column) and line[max(start.column - 1, 0)] == "{":
            self._stop(
                "yaml-unquoted",
                "'{{' opens a mapping inside a mapping, expected a value",
                event,
                'a variable is written "${name}"; quote text that has braces',
            )
        self._stop("yaml-key", f"a key is a {what}, expected text or a number", event, "quote it to have it as text")

    def _end(self, event: Any) -> None:
        closed = self.open.pop()
        node = closed.node
        source, start, _ = node._span
        if event.start_mark.index == event.end_mark.index:  # a block: it ends where its last value does
            node._span = (source, start, self.last_end)
        else:
            self.last_end = event.end_mark
            node._span = (source, start, event.end_mark)
            if isinstance(node, Mapping):
                syntax.check_flow(node, self.problems)
        if id(node) in self.unfinished:
            anchor, _ = self.unfinished.pop(id(node))
            self.anchors[anchor] = (node, self.count - closed.before, _height(node))

    def _alias(self, event: Any) -> None:
        name = event.anchor
        self.last_end = event.end_mark
        for anchor, opened in self.unfinished.values():
            if anchor == name:
                self.problems.error(
                    "yaml-cycle",
                    f"the alias '*{name}' stands inside its own anchor '&{name}', expected values without a cycle",
                    self._span(event),
                    notes=(Note("the anchor is here", self._span(opened)),),
                    hint="write the value out",
                )
                self.problems.check()
        if name not in self.anchors:
            near = did_you_mean(name, self.anchors)
            self._stop(
                "yaml-unknown-anchor",
                f"the alias '*{name}' has no anchor '&{name}' above it{near}",
                event,
                "to have text that starts with '*', quote it",
            )
        node, nodes, height = self.anchors[name]
        self._counted(event, nodes)
        if len(self.open) + height > DEEPEST:
            self._stop(
                "yaml-too-deep",
                f"values nested more than {DEEPEST} deep through the alias '*{name}', expected at most {DEEPEST}",
                event,
                "write the values out",
            )
        top = self.open[-1] if self.open else None
        if top is not None and top.key is None and type(top.node) is Mapping:
            if not isinstance(node, Scalar):
                self._collection_key(event, isinstance(node, Mapping))
            self._key(top, Scalar(node.text, node.text, node.style, node.moved((), self._span(event))._span, (*top.node.path, node.text)))
            return
        self._place(top, node.moved(self._path(top), self._span(event)))


def _height(node: Node) -> int:
    """How many collections deep a node is."""
    if isinstance(node, Mapping):
        return 1 + max((_height(e.value) for e in node.entries), default=0)
    if isinstance(node, Sequence):
        return 1 + max((_height(i) for i in node.items), default=0)
    return 0
