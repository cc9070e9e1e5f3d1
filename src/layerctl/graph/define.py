"""The `define` section: blocks made of layers, and layers of expressions."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from layerctl.catalogue import catalogue
from layerctl.configured import singular
from layerctl.diagnostics import Note, Problems, Span, closest, did_you_mean
from layerctl.graph.deferred import Deferred, asks_for
from layerctl.graph.model import Model, Port, Step, at_its_argument
from layerctl.source.document import Mapping as MappingNode
from layerctl.source.document import Node, Scalar, Sequence
from layerctl.spec.construct import defining, definitions
from layerctl.spec.variables import resolved

if TYPE_CHECKING:
    from layerctl.graph.wiring import Wiring

BLOCK_KEYS = {
    "args": "Arguments by name, with their defaults.",
    "inputs": "The names of the inputs; one called `input` if not given.",
    "layers": "The items of a block.",
    "outputs": "The names of the results; the last item's if not given.",
}
"""The keys of a block, and what each is for."""
LAYER_KEYS = {
    "args": "Arguments by name, with their defaults.",
    "inputs": "The names of the inputs; one called `x` if not given.",
    "weights": "Weights by name: `{shape: [...], initializer: ...}`.",
    "update": "Expressions for the next values of weights, in training, before `call`.",
    "call": "The expression of the result.",
    "add_loss": "An expression that is added to the loss.",
    "state": "The sizes of a cell's states by name.",
    "next": "Expressions for the states' next values.",
    "supports_masking": "Whether the input's mask is handed on.",
}
"""The keys of a layer of expressions, and what each is for."""
_DEEPEST = 20


@contextlib.contextmanager
def definitions_of(node: MappingNode | None, scope: Mapping[str, Any], problems: Problems) -> Iterator[None]:
    """Makes each definition of the section known as a layer under its name."""
    table: dict[str, Any] = {}
    depth = [0]
    entries = node.entries if node is not None else []
    loose = [e.key for e in entries if e.key.value in {**BLOCK_KEYS, **LAYER_KEYS}]
    if loose:
        problems.error("unknown-key", f"'{loose[0].value}' stands where a definition has its name", loose[0].span,
                       hint="indent it below the name of what it defines: `Name:` on a line, and its keys below it, further in")  # fmt: skip
    for e in entries:
        name = str(e.key.value)
        if loose and (e.key in loose or (isinstance(e.value, Scalar) and e.value.value is None)):
            table[name] = lambda arguments, span, problems: None
        elif not isinstance(e.value, MappingNode):
            problems.error("wrong-type", f"the definition of '{name}' must be a mapping", e.value.span,
                           hint=f"as in `{name}: {{layers: [{{Dense: 3}}]}}`, or `{name}: {{call: {_expression(e.value) or 'x * 2'}}}`")  # fmt: skip
            table[name] = lambda arguments, span, problems: None
        elif catalogue("layers").get(name) is not None and (used := _use(name, e.value.get("layers"))) is not None:
            problems.error("cycle", f"the definition of '{name}' has a layer {name}, which is the definition itself: it has the name of a layer", used,
                           notes=(Note("the definition is here", e.key.span),), hint=f"call it otherwise, here and where it is used: `My{name}`")  # fmt: skip
            table[name] = lambda arguments, span, problems: None
        else:
            table[name] = _factory(name, _checked(name, e.value, problems, whole=not loose), scope, depth)
    with defining(table):
        yield


def _checked(name: str, body: MappingNode, problems: Problems, whole: bool) -> MappingNode:
    """The definition; keys that are nearly right are read as what is meant, and said to be wrong. `whole`: none of its keys stands elsewhere."""
    meant: dict[str, str] = {}
    every = {**BLOCK_KEYS, **LAYER_KEYS}
    is_block = body.get("layers") is not None or any(k not in every and closest(str(k), every) == "layers" for k in body.keys())  # noqa: SIM118
    known = BLOCK_KEYS if is_block else LAYER_KEYS
    for e in body.entries:
        key = str(e.key.value)
        if key not in known:
            near = did_you_mean(key, known) or did_you_mean(key, every)
            right = closest(key, known) or ("weights" if "weights" in known and _has_shapes(e.value) else None)
            if right is not None and right not in body:
                meant[key] = right
            problems.error("unknown-key", f"the definition of '{name}' has no key '{key}'{near}", e.key.span,
                           hint=f"a {'block' if is_block else 'layer of expressions'} has {', '.join(known)}")  # fmt: skip
    nearly = any(k not in LAYER_KEYS and (closest(k, ("layers", "call")) or isinstance(v, Scalar)) for k, v in ((e.key.value, e.value) for e in body))
    if whole and not is_block and body.get("call") is None and not nearly:
        problems.error(
            "missing-key", f"the definition of '{name}' needs 'layers' (a block) or 'call' (an expression)", body.span,
            hint=f"as in `{name}: {{layers: [{{Dense: 3}}]}}`, or `{name}: {{call: x * 2}}`",
        )  # fmt: skip
    return body.renamed(meant)


def _expression(node: Node) -> str | None:
    """A text that was given for a definition, as its `call` has it."""
    text = node.value.strip() if isinstance(node, Scalar) and isinstance(node.value, str) else ""
    text = re.sub(r"^lambda\s+x\s*:\s*", "", text)
    return f'"{text}"' if text and not text.isidentifier() and "lambda" not in text and '"' not in text and len(text) <= 60 else None


def _use(name: str, node: Node | None) -> Span | None:
    """The first place in a definition's layers where a name stands for a layer."""
    if isinstance(node, Scalar):
        return node.span if node.value == name else None
    if isinstance(node, MappingNode):
        return next((e.key.span for e in node if e.key.value == name), None) or next((s for e in node if (s := _use(name, e.value))), None)
    return next((s for n in node.items if (s := _use(name, n))), None) if isinstance(node, Sequence) else None


def _has_shapes(node: Node) -> bool:
    """Whether a value has weights by name."""
    return isinstance(node, MappingNode) and len(node) > 0 and all(isinstance(e.value, MappingNode) and "shape" in e.value for e in node)


def _factory(name: str, body: MappingNode, scope: Mapping[str, Any], depth: list[int]) -> Any:
    def make(arguments: Node | None, span: Span, problems: Problems) -> Any:
        if depth[0] >= _DEEPEST:
            problems.error(
                "cycle",
                f"'{name}' is made of itself",
                span,
                hint="a definition may use others, but none that leads back to it",
            )
            return None
        depth[0] += 1
        try:
            own, chosen = _arguments(name, body, arguments, span, scope, problems)
            if _malformed(body.get("args")) or any(v is None for v in own.values()):
                return None  # what the body asks for is not known
            inner, before = {**scope, **own}, len(problems.found)
            made = (
                _block(name, body, inner, chosen, problems)
                if body.get("layers") is not None
                else _defined(name, body, inner, chosen, span, problems)
            )
            places = _given_at(body, arguments)
            if made is not None and hasattr(made, "given_at"):
                made.given_at = places
            problems.found[before:] = [at_its_argument(d, places) for d in problems.found[before:]]
            return made
        finally:
            depth[0] -= 1

    def judge(kind: str, arguments: Node | None, span: Span, problems: Problems) -> Any:
        return _judge(kind, name, body, arguments, span, scope, problems)

    make.judge = judge  # type: ignore[attr-defined]
    return make


def _malformed(declared: Node | None) -> bool:
    """Whether a definition's `args` are something else than names with defaults."""
    return declared is not None and not isinstance(declared, MappingNode) and not (isinstance(declared, Scalar) and declared.value is None)


def _given_at(body: MappingNode, given: Node | None) -> dict[str, Span]:
    """Where each argument of a definition gets its value: in the use, or as a default."""
    declared = body.get("args")
    places = {str(e.key.value): e.value.span for e in declared.entries} if isinstance(declared, MappingNode) else {}
    if isinstance(given, MappingNode):
        return places | {str(e.key.value): e.value.span for e in given.entries}
    return places | ({next(iter(places)): given.span} if given is not None and places else {})


def _judge(
    kind: str, name: str, body: MappingNode, given: Node | None, span: Span, scope: Mapping[str, Any], problems: Problems
) -> Any:  # fmt: skip
    """A loss or a metric of the file's own; None after an error."""
    from layerctl.graph.own_judges import INPUTS, JUDGES, REFUSED
    from layerctl.layers._definition import definition_of

    what = singular(kind)
    refused = [e.key for e in body.entries if str(e.key.value) in REFUSED or str(e.key.value) == "layers"]
    if refused:
        problems.error("unknown-key", f"'{name}' is used as a {what}, which has no '{refused[0].value}'", refused[0].span,
                       hint=f"a {what} is an expression of y_true and y_pred: `{name}: {{call: mean(square(y_true - y_pred), axis=-1)}}`")  # fmt: skip
        return None
    own, _ = _arguments(name, body, given, span, scope, problems)
    made = definition_of(name, body, {**scope, **own}, span, problems, INPUTS)
    if made is not None and len(made.inputs) != len(INPUTS):
        problems.error("wrong-number", f"'{name}' is used as a {what}, which takes two inputs, targets and predictions; it has {', '.join(made.inputs)}", span,
                       hint="leave `inputs` out: the expression then takes y_true and y_pred")  # fmt: skip
        return None
    return made and JUDGES[kind].of(made)


def _arguments(
    name: str, body: MappingNode, given: Node | None, span: Span, scope: Mapping[str, Any], problems: Problems
) -> tuple[dict[str, Any], dict[str, Any]]:
    """(the definition's arguments with defaults and what the use gives; `name`, `trainable` of the use)."""
    declared = body.get("args")
    out: dict[str, Any] = {}
    if isinstance(declared, MappingNode):
        for e in declared.entries:
            out[str(e.key.value)] = resolved(e.value, {**scope, **out}, defer=False).plain()
    elif _malformed(declared):
        problems.error("wrong-type", f"'args' of '{name}' must be a mapping of names to defaults", declared.span, hint="write `args: {units: 8}`")
    chosen: dict[str, Any] = {}
    meant: set[str | None] = set()
    if isinstance(given, MappingNode):
        for e in given.entries:
            key = str(e.key.value)
            if key in out:
                out[key] = e.value.plain()
            elif key in ("name", "trainable"):
                chosen[key] = e.value.plain()
            elif not _malformed(declared):
                meant.add(closest(key, out))
                problems.error("unknown-argument", f"{name} has no argument '{key}'{did_you_mean(key, out)}", e.key.span,
                               hint=f"its arguments are {', '.join(out)}" if out else f"declare it in the definition: `args: {{{key}: …}}`")  # fmt: skip
    elif given is not None and not (isinstance(given, Scalar) and given.value is None):
        if not out:
            problems.error("wrong-type", f"{name} takes no value, got {given.plain()!r}", given.span, hint=f"write `- {name}`")
        else:
            out[next(iter(out))] = given.plain()
    for key, value in out.items():
        if value is None and key not in meant:
            problems.error("missing-argument", f"{name} needs '{key}'", span, hint=f"write `{name}: {{{key}: …}}`, or give it a default below `args:`")
    return out, chosen


def _block(name: str, body: MappingNode, scope: Mapping[str, Any], chosen: dict[str, Any], problems: Problems) -> Model:
    from layerctl.graph.build import check_use
    from layerctl.graph.wiring import INPUT, wire
    from layerctl.spec.items import Reference

    named = body.get("inputs")
    ports = {str(n.plain()): Port(None, span=n.span) for n in named.items} if isinstance(named, Sequence) else {INPUT: Port(None)}

    def wired(scope: Mapping[str, Any], problems: Problems) -> tuple[Wiring, list[str]]:
        before = len(problems.found)  # a second use finds the same mistakes again
        wiring = wire(resolved(body.get("layers"), scope, defer=False), ports, problems)
        listed = body.get("outputs")
        found = listed.items if isinstance(listed, Sequence) else [listed] if listed is not None else []
        outputs = [wiring._name(Reference(str(n.plain()), n.span)) for n in found] if listed is not None else wiring.last[:1]
        if len(problems.found) == before:
            check_use(wiring, outputs)
        return wiring, outputs

    model: Model
    if asks_for(body.get("layers"), [n for n in (*ports, INPUT) if n not in scope]):
        model = Deferred.made_by(chosen.get("name"), ports, _later(wired, scope, dict(definitions())))
    else:
        wiring, outputs = wired(scope, problems)
        model = Model.of(chosen.get("name"), wiring.inputs, wiring.steps, outputs)  # type: ignore[arg-type]
    model._kind_name = name
    model.trainable = chosen.get("trainable", True)
    return model


def _later(wired: Callable[[Mapping[str, Any], Problems], tuple[Wiring, list[str]]], scope: Mapping[str, Any], known: dict[str, Any]) -> Any:
    """Wires a block when the sizes of its inputs are known; `input` stands for the first of them."""

    def make(sizes: Mapping[str, Any]) -> tuple[list[Step], list[str]]:
        problems = Problems()
        with defining(known):
            wiring, outputs = wired({**scope, "input": next(iter(sizes.values()), None), **sizes}, problems)
        problems.check()
        return wiring.steps, outputs

    return make


def _defined(
    name: str, body: MappingNode, scope: Mapping[str, Any], chosen: dict[str, Any], span: Span, problems: Problems
) -> Any:
    from layerctl.layers._defined import defined

    return defined(name, body, scope, chosen, span, problems, {**definitions()})
