"""`${…}` in a node: variables, arithmetic on them, and the sizes of features by dotted names (`${features.words.size}`)."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from layerctl.diagnostics import Diagnostic, LayerctlError, Note, Span, did_you_mean, fail
from layerctl.source import resolve
from layerctl.source.document import Document, Node
from layerctl.source.document import Mapping as MappingNode
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
    from layerctl.expressions.parse import MODULES

    found: dict[str, Any] = {}

    def replace(match: re.Match[str]) -> str:
        value: Any = scope.get(match[1])
        if not isinstance(value, Mapping):
            if match[1] not in (*scope, *MODULES, "env") and not text[match.end() :].lstrip().startswith("("):
                fail("unknown-variable", f"there is no variable '{match[1]}'{did_you_mean(match[1], scope)}", span,
                     hint="dots are for `features.NAME.size`; a value of another section is put into `vars:`")  # fmt: skip
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


_OF_A_VALUE = ("wrong-type", "out-of-range", "bad-value", "unknown-value", "unknown-activation", "unknown-initializer", "unknown-regularizer", "unknown-loss")
"""Errors that a value has wherever it is used."""


@contextlib.contextmanager
def at_variables(document: Document) -> Iterator[None]:
    """Mistakes of one variable's value, said where it is used, are one mistake where `vars` has it; of a single use its place is noted."""
    try:
        yield
    except LayerctlError as error:
        root = document.root
        given = root.get("vars") if isinstance(root, MappingNode) else None
        if not isinstance(given, MappingNode):
            raise
        places = {str(e.key.value): e.value.span for e in given}
        found = _by_variable([_bare(d, places) for d in error.diagnostics], places)
        if found == list(error.diagnostics):
            raise
        raise type(error)(found) from error


def _bare(d: Diagnostic, places: Mapping[str, Span]) -> Diagnostic:
    """The error of a value that is the name of a variable: it lacks its `${}`."""
    row = d.span.source.line(d.span.line) if d.span is not None and d.span.line and d.code == "wrong-type" else None
    name = row[d.span.column - 1 : d.span.end_column - 1].strip("\"'") if row is not None and d.span is not None else ""
    return replace(d, hint=f'a variable is written "${{{name}}}"') if name in places else d


def _by_variable(diagnostics: Iterable[Diagnostic], places: Mapping[str, Span]) -> list[Diagnostic]:
    out: list[Diagnostic] = []
    first: dict[tuple[str, str], int] = {}
    for d in diagnostics:
        name = _variable_at(d.span) if d.code in _OF_A_VALUE else None
        if name is None or name not in places:
            out.append(d)
        elif (d.code, name) not in first:
            first[d.code, name] = len(out)
            out.append(replace(d, notes=(*d.notes, Note(f"the value of '{name}' stands here", places[name]))))
        else:
            at = first[d.code, name]
            before = out[at]
            if before.span != places[name]:
                before = replace(before, span=places[name], notes=(Note(f"'{name}' is used here", before.span),))
            out[at] = replace(before, notes=(*before.notes, Note("and here", d.span)))
    return out


def _variable_at(span: Span | None) -> str | None:
    """The variable of `${name}`, or of an expression of it alone, that is the text of a place."""
    row = span.source.line(span.line) if span is not None and span.line else None
    if row is None or span is None:
        return None
    found = re.fullmatch(r"""["']?\$\{(?:vars\.)?([A-Za-z_]\w*)\s*(?:[-+*/]+\s*[\d.]+\s*)?\}["']?""", row[span.column - 1 : span.end_column - 1])
    return found[1] if found is not None else None
