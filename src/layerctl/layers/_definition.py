"""Reads the body of a layer that a file defines by expressions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from layerctl.catalogue import catalogue
from layerctl.diagnostics import Problems, Span, closest, did_you_mean
from layerctl.expressions.functions import functions
from layerctl.expressions.parse import parse
from layerctl.expressions.tree import Expression
from layerctl.layers._defined import Definition, Size, WeightDefinition
from layerctl.source.document import Mapping as MappingNode
from layerctl.source.document import Node, Scalar, Sequence

_ALWAYS = {"training", "constant", "input", "vars", "features"}
"""Names that every expression of a definition may use."""
WEIGHT_KEYS = {
    "shape": "Its sizes: numbers, or expressions such as `${input[-1]}`.",
    "initializer": "Fills it; glorot_uniform if not given.",
    "trainable": "Whether training changes it.",
    "regularizer": "The penalty on it.",
    "constraint": "Applied to it after each step.",
}
"""The arguments of a weight, and what each is for."""


def definition_of(
    name: str, body: MappingNode, scope: Mapping[str, Any], span: Span, problems: Problems, inputs: Iterable[str] = ("x",)
) -> Definition | None:  # fmt: skip
    """The definition; None after an error. `scope` has the file's variables and the definition's arguments, `inputs` what it takes unless
    it says otherwise."""
    before = len(problems.errors)
    inputs = _inputs(body.get("inputs")) or list(inputs)
    weights = _weights(name, body.get("weights"), problems)
    state = _mapping(body.get("state"), f"'state' of '{name}'", problems)
    known = {*inputs, *_mapping(body.get("weights"), "", Problems()), *state, *scope, *_ALWAYS}
    call = _expression(body.get("call"), problems)
    update = {k: e for k, n in _mapping(body.get("update"), f"'update' of '{name}'", problems).items() if (e := _expression(n, problems))}
    following = {k: e for k, n in _mapping(body.get("next"), f"'next' of '{name}'", problems).items() if (e := _expression(n, problems))}
    penalty = _expression(body.get("add_loss"), problems) if body.get("add_loss") is not None else None
    for key in update:
        if key not in weights:
            problems.error("unknown-weight", f"'update' names '{key}', which is no weight of '{name}'{did_you_mean(key, weights)}",
                           body.get("update").key(key).span,  # type: ignore[union-attr]
                           hint=f"its weights are {', '.join(weights) or 'none'}; they stand below `weights:`")  # fmt: skip
        elif weights[key].trainable:
            problems.error("trained-update", f"'{key}' of '{name}' is trained: the optimizer's step would take the place of its update",
                           body.get("update").key(key).span,  # type: ignore[union-attr]
                           hint=f"say `trainable: false` of the weight, below `weights: {key}:`")  # fmt: skip
    for e, more in ((call, ()), *((u, ()) for u in update.values()), *((n, ("output",)) for n in following.values()), (penalty, ("result",))):
        if e is not None:
            _check_names(e, {*known, *more}, problems)
    if call is None or len(problems.errors) > before:
        return None
    sizes = {k: Size(n.plain(), n.span) for k, n in state.items()}
    flag = body.get("supports_masking")
    return Definition(name, call, inputs, dict(scope), weights, update, penalty, sizes, following,
                      bool(flag.plain()) if flag is not None else False)  # fmt: skip


def _inputs(node: Node | None) -> list[str]:
    return [] if node is None else [str(n.plain()) for n in (node.items if isinstance(node, Sequence) else [node])]


def _mapping(node: Node | None, what: str, problems: Problems) -> dict[str, Node]:
    if node is None or (isinstance(node, Scalar) and node.value is None):
        return {}
    if not isinstance(node, MappingNode):
        problems.error("wrong-type", f"{what} must be a mapping", node.span, hint="write `name: value` for each, in lines of their own or in braces")
        return {}
    return {str(e.key.value): e.value for e in node.entries}


def _weights(name: str, node: Node | None, problems: Problems) -> dict[str, WeightDefinition]:
    out = {}
    for key, body in _mapping(node, f"'weights' of '{name}'", problems).items():
        if not isinstance(body, MappingNode):
            problems.error("wrong-type", f"the weight '{key}' must be a mapping", body.span,
                           hint=f"write `{key}: {{shape: {body.plain() if isinstance(body, Sequence) else '[8]'}}}`")  # fmt: skip
            continue
        parts = _mapping(body, f"the weight '{key}'", problems)
        for k, n in parts.items():
            if k not in WEIGHT_KEYS:
                problems.error("unknown-argument", f"a weight has no argument '{k}'{did_you_mean(k, WEIGHT_KEYS)}", body.key(k).span,  # type: ignore[attr-defined]
                               hint=f"its arguments are {', '.join(WEIGHT_KEYS)}")  # fmt: skip
            if k in ("initializer", "regularizer", "constraint"):
                _check_reference(f"{k}s", n, problems)
        shape = parts.get("shape")
        if shape is None or not isinstance(shape, Sequence):
            if shape is not None or not any(closest(k, WEIGHT_KEYS) == "shape" for k in parts):
                problems.error("missing-argument", f"the weight '{key}' needs 'shape', a list of sizes", body.span, hint='write `shape: ["${input[-1]}", 8]`')
            continue
        values = {k: n.plain() for k, n in parts.items() if k in WEIGHT_KEYS}
        if not isinstance(values.get("trainable", True), bool):
            problems.error("wrong-type", f"the weight '{key}': 'trainable' must be true or false", parts["trainable"].span, hint="write `trainable: false`")
        out[key] = WeightDefinition(**{**values, "shape": [Size(n.plain(), n.span) for n in shape.items]})
    return out


def _check_reference(kind: str, node: Node, problems: Problems) -> None:
    plain = node.plain()
    name = next(iter(plain)) if isinstance(plain, dict) and plain else plain
    if isinstance(name, str) and catalogue(kind).get(name) is None:
        near = catalogue(kind).nearest(name)
        problems.error(f"unknown-{kind[:-1]}", f"there is no {kind[:-1]} '{name}'" + (f"; did you mean '{near}'?" if near else ""), node.span,
                       hint=f"`layerctl layers` lists the {kind}")  # fmt: skip


def _expression(node: Node | None, problems: Problems) -> Expression | None:
    from layerctl.diagnostics import LayerctlError

    if node is None:
        return None
    if not isinstance(node, Scalar) or node.value is None:
        problems.error("expression-syntax", "expected an expression, such as x @ w + b", node.span, hint='put it into quotes: call: "x @ w + b"')
        return None
    try:
        return parse(node.text, node.span)
    except LayerctlError as error:
        problems.found.extend(error.diagnostics)
        return None


def _check_names(expression: Expression, known: set[str], problems: Problems) -> None:
    spans = {getattr(t, "name", None) or getattr(t, "function", None): t.span for t in expression.walk()}
    for n in expression.names():
        if n not in known and n not in ("True", "False", "None", "pi", "e"):
            problems.error("unknown-name", f"the expression uses '{n}', which is not defined{did_you_mean(n, known)}", spans.get(n) or expression.span,
                           hint=f"weights stand below `weights:`, arguments below `args:`; there are {', '.join(sorted(known - _ALWAYS)[:12])}")  # fmt: skip
    for f in expression.functions():
        if f not in functions():
            problems.error("unknown-function", f"there is no function '{f}'{did_you_mean(f, functions())}", spans.get(f) or expression.span,
                           hint="`layerctl layers` lists the functions")  # fmt: skip
