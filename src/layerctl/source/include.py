"""`include: other.yaml`: a file that starts from the sections of others.

Mappings are joined, key by key; of two other values the including file's counts, and of two included files' the later one's. Values keep the
places where they stand.
"""

from __future__ import annotations

import os
from typing import Any

from layerctl.diagnostics import LayerctlError, Problems, fail
from layerctl.source import files
from layerctl.source.document import Document, Entry, Mapping, Node, Scalar, Sequence
from layerctl.source.read import MOST_NODES, load
from layerctl.source.syntax import DEEPEST

KEY = "include"
DEEPEST_INCLUDE = 10
MOST_FILES = 100


def included(document: Document) -> Document:
    """The document with the files that it includes, and those that they include, joined into it.

    Raises:
        LayerctlError: for files that cannot be read or include each other in a cycle, for what is no relative path, and beyond 10 files one
            inside the other, 100 files or 100,000 values in all.
    """
    if not (isinstance(document.root, Mapping) and KEY in document.root):
        return document
    path = document.source.name
    return Document(document.source, _Including().joined(document.root, path, [_identity(path)]))


class _Including:
    """One walk over files. `budget` is how many values may still be taken in."""

    def __init__(self) -> None:
        self.files = 0
        self.budget = MOST_NODES

    def joined(self, root: Mapping, path: str, chain: list[Any]) -> Mapping:
        """A file's root with what it includes; `chain` are the files on the way to it."""
        problems = Problems()
        result: Node | None = None
        for node in self._named(root.get(KEY), root, problems):
            try:
                base = self._read(node, path, chain)
            except LayerctlError as error:
                problems.found.extend(error.diagnostics)
                continue
            result = base if result is None else _over(result, base)
        problems.check()
        own = Mapping([e for e in root.entries if e.key.value != KEY], root._span, root.path)
        made = own if result is None else _over(result, own)
        assert isinstance(made, Mapping)
        return made

    def _named(self, node: Node | None, root: Mapping, problems: Problems) -> list[Scalar]:
        found = []
        for n in node.items if isinstance(node, Sequence) else [node]:
            if isinstance(n, Scalar) and isinstance(n.value, str) and n.value.strip():
                found.append(n)
            else:
                problems.error("wrong-type", "'include' takes a file's name, or a list of them", n.span if n is not None else root.span,
                               hint="as in `include: base.yaml`")  # fmt: skip
        return found

    def _read(self, node: Scalar, path: str, chain: list[Any]) -> Mapping:
        """The root of one included file, all that it includes in it."""
        name = node.value
        if "://" in name:
            fail("include-path", f"'{name}' is an address, expected a file here", node.span, hint="fetch it first, and name the file")
        if "${" in name:
            fail("include-path", f"'{name}' has a variable, expected a plain path", node.span, hint="files are joined before variables are known")
        if os.path.isabs(name) or name.startswith("~"):
            fail("include-path", f"'{name}' is an absolute path, expected one relative to this file", node.span,
                 hint="a file that names its neighbours can be moved along with them")  # fmt: skip
        folder = "" if path.startswith("<") else os.path.dirname(path)
        target = os.path.normpath(os.path.join(folder, name))
        identity = _identity(target)
        if identity in chain:
            fail("include-cycle", f"'{name}' includes itself, on the way {' → '.join(os.path.basename(c) for c in [*chain, identity])}", node.span,
                 hint="take what both need into a file that includes neither")  # fmt: skip
        self.files += 1
        if len(chain) > DEEPEST_INCLUDE or self.files > MOST_FILES:
            deep = len(chain) > DEEPEST_INCLUDE
            what = f"{DEEPEST_INCLUDE} files are included, one inside the other" if deep else f"{MOST_FILES} files are included"
            fail("include-too-deep", f"more than {what}", node.span, hint="join some of them")
        if not os.path.exists(target):
            near = files.similar(target, node.span.source.name)
            fail("file-not-found", f"there is no file '{target}'{near}", node.span, hint="the path is relative to the file that includes it")
        root = load(target).root
        self.budget -= _count(root)
        if self.budget < 0:
            fail("yaml-too-many-values", f"included files have more than {MOST_NODES} values, expected at most {MOST_NODES}", node.span,
                 hint="data belong in files of their own, named in `data: {source: …}`")  # fmt: skip
        if not isinstance(root, Mapping):
            fail("wrong-type", f"'{name}' is no mapping of sections", root.span, hint="an included file is written like any other")
            raise AssertionError
        return self.joined(root, target, [*chain, identity]) if KEY in root else root


def _identity(path: str) -> str:
    return os.path.realpath(path)


def _count(node: Node) -> int:
    if isinstance(node, Mapping):
        return 1 + sum(1 + _count(e.value) for e in node.entries)
    return 1 + sum(map(_count, node.items)) if isinstance(node, Sequence) else 1


def _over(below: Node, above: Node, depth: int = 0) -> Node:
    """Two values as one: mappings are joined, in the order of the lower one; otherwise the upper one counts."""
    if not (isinstance(below, Mapping) and isinstance(above, Mapping)) or depth > DEEPEST:
        return above
    entries = []
    for key, value in below.entries:
        own = above.entry(key.value)
        entries.append(Entry(own.key, _over(value, own.value, depth + 1)) if own is not None else Entry(key, value))
    entries += [e for e in above.entries if e.key.value not in below]
    return Mapping(entries, above._span, above.path)
