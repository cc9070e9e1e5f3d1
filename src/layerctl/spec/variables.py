"""`${…}` in a node: variables, arithmetic on them, and the sizes of features by dotted names (`${features.words.size}`)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from layerctl.diagnostics import Span, did_you_mean, fail
from layerctl.source import resolve
from layerctl.source.document import Mapping as MappingNode
from layerctl.source.document import Node
from layerctl.source.resolve import substitute

_DOTTED = re.compile(r"\b([A-Za-z_]\w*)((?:\.[A-Za-z_]\w*)+)\b")


def resolved(node: Node, scope: Mapping[str, Any], *, defer: bool = False) -> Node:
    """A copy of the node with its variables replaced by what the scope says.

    Raises:
        LayerctlError: for unknown names, unless `defer` leaves them as they are.
    """
    return substitute(node, scope, defer=defer, evaluate=_evaluate)


def variables_of(node: MappingNode) -> dict[str, Any]:
    """The values of `vars:`, with arithmetic on each other.

    Raises:
        LayerctlError: as `source.resolve.variables_of`.
    """
    return resolve.variables_of(node, _evaluate)


def _evaluate(text: str, span: Span | None, scope: Mapping[str, Any]) -> Any:
    """The value of an expression; dotted names are looked up first."""
    from layerctl.expressions.evaluate import evaluate_text

    found: dict[str, Any] = {}

    def replace(match: re.Match[str]) -> str:
        value: Any = scope.get(match[1])
        if not isinstance(value, Mapping):
            return match[0]
        for part in match[2][1:].split("."):
            if not isinstance(value, Mapping) or part not in value:
                known = value if isinstance(value, Mapping) else ()
                fail("unknown-variable", f"'{match[0]}': there is no '{part}'{did_you_mean(part, known)}", span,
                     hint=f"there are {', '.join(map(str, known)) or 'no names'}")  # fmt: skip
            value = value[part]
        name = f"dotted_{len(found)}"
        found[name] = value
        return name

    plain = _DOTTED.sub(replace, text)
    if found and plain == "dotted_0":
        return found["dotted_0"]
    return evaluate_text(plain, span, {**scope, **found} if found else scope)
