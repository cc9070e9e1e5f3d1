"""`${env:NAME}` and `${env:NAME:-default}`: values of the environment in a user's own file.

They are put in when a file is opened by its name, and nowhere else: neither data nor a trained model's file can ask for them.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping as Environment

from layerctl.diagnostics import Diagnostic, Problems, did_you_mean
from layerctl.source import scalars
from layerctl.source.document import Document, Entry, Mapping, Node, Scalar, Sequence
from layerctl.source.inside import within

ASKED = re.compile(r"(?<!\$)\$\{\s*env:([^}]*)\}")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
LONGEST = 32768


def with_environment(document: Document, environment: Environment[str, str] | None = None) -> Document:
    """The document with each `${env:…}` in a value replaced. What is the whole value is read as YAML reads it, so that 3 is a number.

    Raises:
        LayerctlError: for names that are not set and have no default, and for what is no name; all of them at once.
    """
    problems = Problems()
    root = _Replacing(os.environ if environment is None else environment, problems).node(document.root)
    problems.check()
    return Document(document.source, root)


class _Replacing:
    def __init__(self, environment: Environment[str, str], problems: Problems):
        self.environment, self.problems = environment, problems

    def node(self, node: Node) -> Node:
        """The node itself where nothing in it asks for the environment."""
        if isinstance(node, Mapping):
            entries = [Entry(e.key, self.node(e.value)) for e in node.entries]
            same = all(a.value is b.value for a, b in zip(entries, node.entries, strict=True))
            return node if same else Mapping(entries, node._span, node.path)
        if isinstance(node, Sequence):
            items = [self.node(n) for n in node.items]
            return node if all(a is b for a, b in zip(items, node.items, strict=True)) else Sequence(items, node._span, node.path)
        if isinstance(node, Scalar) and isinstance(node.value, str) and "env:" in node.value:
            return self._scalar(node)
        return node

    def _scalar(self, node: Scalar) -> Node:
        found = list(ASKED.finditer(node.value))
        if not found:
            return node
        texts, at = [], 0
        for m in found:
            value = self._value(node, m)
            texts += [node.value[at : m.start()], value]
            at = m.end()
        text = "".join([*texts, node.value[at:]])
        if found[0].span() != (0, len(node.value)):
            return Scalar(text, text, node.style, node._span, node.path)
        return Scalar(self._read(text, node), text, node.style, node._span, node.path)

    def _read(self, text: str, node: Scalar) -> object:
        try:
            return scalars.resolve(text)
        except scalars.NumberError as error:
            self.problems.error("yaml-number", str(error), node.span, hint="the environment's value is read as YAML")
            return text

    def _value(self, node: Scalar, m: re.Match[str]) -> str:
        """The text for one `${env:…}`, in which `${` means nothing."""
        place = within(node.text, node.span, m.start(), m.end()) if node.text == node.value else node.span
        name, sign, default = m[1].partition(":-")
        name = name.strip()
        if not _NAME.fullmatch(name):
            self.problems.error("variable-syntax", f"'{name}' is no name of an environment variable", place,
                                hint="write `${env:NAME}`, or `${env:NAME:-default}`")  # fmt: skip
            return ""
        value = self.environment.get(name)
        if value is None and not sign:
            self.problems.found.append(Diagnostic(
                "missing-environment", f"the environment variable '{name}' is not set{did_you_mean(name, self.environment)}", place,
                hint=f"set it: `{name}=… layerctl …`; or give a default: `${{env:{name}:-…}}`",
            ))  # fmt: skip
            return ""
        value = default if value is None else value
        if len(value) > LONGEST or "\0" in value or not value.isprintable():
            self.problems.error("variable-too-large" if len(value) > LONGEST else "yaml-character",
                                f"the environment variable '{name}' holds more than {LONGEST} characters" if len(value) > LONGEST
                                else f"the environment variable '{name}' holds characters that cannot be printed", place,
                                hint="values are texts of a line")  # fmt: skip
            return ""
        return value.replace("${", "$${")
