"""Variables: `${name}` in any value, from the file's `vars:` or from the arguments of a block."""

from __future__ import annotations

import re
from collections.abc import Callable
from collections.abc import Mapping as Scope
from typing import Any

from layerctl.diagnostics import Diagnostic, LayerctlError, Problems, Span, did_you_mean, fail
from layerctl.source.document import Document, Entry, Mapping, Node, Path, Scalar, Sequence
from layerctl.source.inside import within
from layerctl.source.read import MOST_NODES
from layerctl.source.syntax import DEEPEST

Evaluate = Callable[[str, Span | None, Scope[str, Any]], Any]
"""Computes the text between `${` and `}` in a scope; what raises a LayerctlError is shown at that place."""

LONGEST_TEXT = 1 << 20
_NAME = re.compile(r"[A-Za-z_]\w*")
_WORDS = frozenset(("and", "or", "not", "if", "else", "in", "is", "True", "False", "None"))
_PART = re.compile(r"\$\$\{|\$\{")


def resolve_variables(document: Document, evaluate: Evaluate | None = None) -> Document:
    """The document with `${…}` replaced by what `vars:` says, everywhere.

        Inside `define:`, what names an argument of the block (or anything else that is not known yet) stays for
        `substitute` to replace when the block is used; an argument goes before a variable of its name. Variables may use
    each other.
        Raises:
            LayerctlError: for unknown names, cycles, texts that cannot be pasted; all of them at once.
    """
    root = document.root
    if not isinstance(root, Mapping):
        return document
    variables = root.get("vars")
    problems = Problems()
    scope = _Variables(variables if isinstance(variables, Mapping) else Mapping([], root._span), evaluate)
    entries = []
    for key, value in root.entries:
        if key.value == "vars" and isinstance(value, Mapping):
            resolved = [Entry(k, scope.node(k.value, problems)) for k, _ in value.entries]
            entries.append(Entry(key, Mapping(resolved, value._span, value.path)))
        elif key.value == "define" and isinstance(value, Mapping):
            blocks = [Entry(k, _block(b, scope, problems, evaluate)) for k, b in value.entries]
            entries.append(Entry(key, Mapping(blocks, value._span, value.path)))
        else:
            entries.append(
                Entry(key, _Substitution(scope, False, evaluate, problems, scope.budget).node(value, value.path))
            )
    problems.check()
    return Document(document.source, Mapping(entries, root._span, root.path))


def substitute(node: Node, scope: Scope[str, Any], *, defer: bool = False, evaluate: Evaluate | None = None) -> Node:
    """A copy of `node` with `${…}` replaced by values of `scope` (plain data), which keeps places and paths.

    A scalar that is exactly `${x}` becomes the value, a list or mapping too; within a longer text a scalar is pasted;
    `$${` is the text `${`. What is more than a name is given to `evaluate`. With `defer`, a scalar that names what
    the scope lacks is left as it is; otherwise that is an error.

    Raises:
        LayerctlError: for unknown names, texts that cannot be pasted; all of them at once.
    """
    problems = Problems()
    result = _Substitution(scope, defer, evaluate, problems, [MOST_NODES, LONGEST_TEXT]).node(node, node.path)
    problems.check()
    return result


def variables_of(node: Mapping, evaluate: Evaluate | None = None) -> dict[str, Any]:
    """The values of `vars:`, which may use each other in any order, by their names and as `vars.name`.

    Raises:
        LayerctlError: for unknown names, cycles, texts that cannot be pasted; all of them at once.
    """
    problems = Problems()
    scope = _Variables(node, evaluate)
    found: dict[str, Any] = {}
    for key in (e.key.value for e in node):
        try:
            found[key] = scope.node(key, problems).plain()
        except LayerctlError as error:
            problems.found.extend(error.diagnostics)
    problems.check()
    return found


def to_node(value: Any, span: Any, path: Path = (), budget: list[int] | None = None) -> Node:
    """Plain data as nodes that all stand at one place.

    Raises:
        LayerctlError: for more than 100,000 values, or nesting deeper than 50.
    """
    budget = [MOST_NODES] if budget is None else budget
    budget[0] -= 1
    if budget[0] < 0 or len(path) > DEEPEST:
        what = f"more than {MOST_NODES} values" if budget[0] < 0 else f"values nested more than {DEEPEST} deep"
        fail(
            "variable-too-large",
            f"the variables make {what}, expected fewer",
            span if isinstance(span, Span) else None,
            hint="variables that use variables multiply; write the values out",
        )
    if isinstance(value, dict):
        entries = []
        for key, item in value.items():
            at = (*path, str(key))
            entries.append(Entry(Scalar(str(key), str(key), "plain", span, at), to_node(item, span, at, budget)))
        return Mapping(entries, span, path)
    if isinstance(value, (list, tuple)):
        return Sequence([to_node(item, span, (*path, i), budget) for i, item in enumerate(value)], span, path)
    return Scalar(value, shown(value), '"' if isinstance(value, str) else "plain", span, path)


def shown(value: Any) -> str:
    """A scalar as YAML writes it, text without quotes."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    return value if isinstance(value, str) else repr(value)


def _block(block: Node, scope: Scope[str, Any], problems: Problems, evaluate: Evaluate | None) -> Node:
    """A block of `define`: its arguments' defaults are known now, the rest as far as no argument is concerned."""
    args = block.get("args") if isinstance(block, Mapping) else None
    hidden = set(args.keys()) if isinstance(args, Mapping) else set()
    seen = _Without(scope, hidden | {"input"})
    budget = scope.budget if isinstance(scope, _Variables) else [MOST_NODES, LONGEST_TEXT]
    return _Substitution(seen, True, evaluate, problems, budget).node(block, block.path)


class _Without(Scope):  # type: ignore[type-arg]
    """A scope in which some names are not known yet."""

    def __init__(self, scope: Scope[str, Any], hidden: set[str]):
        self.scope, self.hidden = scope, hidden

    def __getitem__(self, name: str) -> Any:
        if name in self.hidden:
            raise KeyError(name)
        return self.scope[name]

    def __iter__(self) -> Any:
        return (n for n in self.scope if n not in self.hidden)

    def __len__(self) -> int:
        return sum(1 for _ in self)


class _Variables(Scope):  # type: ignore[type-arg]
    """The values of `vars:`, each resolved when it is first asked for."""

    def __init__(self, variables: Mapping, evaluate: Evaluate | None):
        self.variables = variables
        self.evaluate = evaluate
        self.values: dict[str, Node] = {}
        self.open: list[str] = []
        self.budget = [MOST_NODES, LONGEST_TEXT]

    def __getitem__(self, name: str) -> Any:
        if name == "vars" and name not in self.variables:
            return self
        if name not in self.variables:
            raise KeyError(name)
        problems = Problems()
        node = self.node(name, problems)
        problems.check()
        return node.plain()

    def __iter__(self) -> Any:
        return iter(self.variables.keys())

    def __len__(self) -> int:
        return len(self.variables)

    def node(self, name: str, problems: Problems) -> Node:
        """The resolved value of a variable."""
        if name in self.values:
            return self.values[name]
        if name in self.open:
            chain = " → ".join([*self.open[self.open.index(name) :], name])
            fail(
                "variable-cycle",
                f"the variable '{name}' is defined by itself: {chain}",
                self.variables.key(name).span,
                hint="give one of them a value",
            )
        self.open.append(name)
        try:
            value = self.variables.get(name)
            self.values[name] = _Substitution(self, False, self.evaluate, problems, self.budget).node(value, value.path)
        finally:
            self.open.pop()
        return self.values[name]


class _Substitution:
    """One walk over a tree. `budget` is how many values and characters may still be made."""

    def __init__(
        self, scope: Scope[str, Any], defer: bool, evaluate: Evaluate | None, problems: Problems, budget: list[int]
    ):
        self.scope, self.defer, self.evaluate, self.problems, self.budget = scope, defer, evaluate, problems, budget

    def node(self, node: Node, path: Path) -> Node:
        """A copy of a node, replaced, at a path."""
        if isinstance(node, Mapping):
            return self._mapping(node, path)
        if isinstance(node, Sequence):
            return Sequence([self.node(n, (*path, i)) for i, n in enumerate(node.items)], node._span, path)
        if isinstance(node, Scalar) and isinstance(node.value, str) and "${" in node.value:
            try:
                return self._scalar(node, path)
            except LayerctlError as error:
                self.problems.found.extend(error.diagnostics)
        return node.moved(path)

    def _mapping(self, node: Mapping, path: Path) -> Mapping:
        entries: list[Entry] = []
        for key, value in node.entries:
            text = key.value
            if "${" in text:
                pasted = self.node(key, (*path, text))
                text = pasted.text if isinstance(pasted, Scalar) else text
                if any(e.key.value == text for e in entries):
                    self.problems.error(
                        "yaml-duplicate-key",
                        f"the key '{text}' stands here a second time, expected it once",
                        key.span,
                        hint="the variable has the value of another key",
                    )
            at = (*path, text)
            entries.append(Entry(Scalar(text, text, key.style, key._span, at), self.node(value, at)))
        return Mapping(entries, node._span, path)

    def _scalar(self, node: Scalar, path: Path) -> Node:
        parts = list(split(node))
        if self.defer and any(isinstance(p, tuple) and not self._known(p[0]) for p in parts):
            return node.moved(path)
        values = [
            p if isinstance(p, str) else self._value(p[0], within(node.text, node.span, p[1], p[2])) for p in parts
        ]
        if len(parts) == 1 and isinstance(parts[0], tuple):
            return to_node(values[0], node.span, path, self.budget)
        texts = []
        for part, value in zip(parts, values, strict=True):
            if isinstance(part, tuple) and isinstance(value, (list, tuple, dict)):
                kind = "a mapping" if isinstance(value, dict) else "a list"
                fail(
                    "variable-in-text",
                    f"'${{{part[0]}}}' is {kind}, expected text or a number inside a longer text",
                    within(node.text, node.span, part[1] - 2, part[2] + 1),
                    hint="let it be the whole value",
                )
            texts.append(shown(value))
        text = "".join(texts)
        self.budget[1] -= len(text)
        if self.budget[1] < 0:
            fail(
                "variable-too-large",
                f"the variables make more than {LONGEST_TEXT} characters, expected fewer",
                node.span,
                hint="variables that use variables multiply; write the values out",
            )
        return Scalar(text, text, node.style, node._span, path)

    def _known(self, text: str) -> bool:
        names = [m[0] for m in _NAME.finditer(text) if not text[m.end() :].lstrip().startswith("(")]
        return all(n in self.scope for n in names if n not in _WORDS)

    def _value(self, text: str, span: Span | None) -> Any:
        name = text.strip()
        if name.startswith("env:"):
            fail("environment-not-here", f"'${{{name}}}' asks for the environment, which only values of a model file may", span,
                 hint="a trained model's file and keys ask for none; give the value itself")  # fmt: skip
        if _NAME.fullmatch(name) and name not in _WORDS:
            if name in self.scope:
                return self.scope[name]
            raise LayerctlError(unknown(name, self.scope, span))
        if self.evaluate is None:
            fail(
                "variable-syntax",
                f"'${{{text}}}' is no name of a variable, expected `${{name}}`",
                span,
                hint="a name has letters, digits and '_'; `$${` is the text `${`",
            )
        return self.evaluate(text, span, self.scope)  # type: ignore[misc]


def unknown(name: str, scope: Scope[str, Any], span: Span | None) -> Diagnostic:
    """The error for a name that no variable has."""
    names = sorted(n for n in scope if n not in ("vars", "features"))
    hint = f"there are {', '.join(names[:20])}" if names else f"define it: `vars: {{{name}: …}}`"
    return Diagnostic(
        "unknown-variable",
        f"there is no variable '{name}'{did_you_mean(name, names)}",
        span,
        hint=f"{hint}; `$${{` is the text `${{`",
    )


def split(node: Scalar) -> Any:
    """The parts of a text: str as it is, and (text between braces, start, end) for each `${…}`.

    Raises:
        LayerctlError: for `${` without `}`.
    """
    text, at = node.value, 0
    plain = ""
    while found := _PART.search(text, at):
        plain += text[at : found.start()]
        if found[0] == "$${":
            plain += "${"
            at = found.end()
            continue
        end = text.find("}", found.end())
        if end < 0:
            fail(
                "variable-syntax",
                "'${' is not closed, expected '}'",
                within(text, node.span, found.start(), found.end()),
                hint="put '}' behind the name; `$${` is the text `${`",
            )
        if plain:
            yield plain
        plain = ""
        yield text[found.end() : end], found.end(), end
        at = end + 1
    if plain + text[at:]:
        yield plain + text[at:]
