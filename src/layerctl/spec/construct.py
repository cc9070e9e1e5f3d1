"""From nodes of a document to configured objects, every mistake a diagnostic at its place.

A name is resolved first (layer, loss, optimizer, ...), then its arguments are validated against that class alone, so that a place in
the file is never lost in a union of all classes.
"""

from __future__ import annotations

import contextlib
import contextvars
from collections.abc import Callable, Iterable, Iterator
from typing import Any, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from layerctl.catalogue import CATALOGUES, catalogue
from layerctl.configured import Configured, Reference, singular
from layerctl.diagnostics import Problems, Span, closest, did_you_mean
from layerctl.source.document import Mapping, Node, Scalar, Sequence
from layerctl.spec.foreign import argument_here, code_here, name_here

Factory = Callable[[Node | None, Span, Problems], Any]
_DEFINITIONS: contextvars.ContextVar[dict[str, Factory] | None] = contextvars.ContextVar("definitions", default=None)


def definitions() -> dict[str, Factory]:
    """The file's own layers by name, while its model is built."""
    return _DEFINITIONS.get() or {}


@contextlib.contextmanager
def defining(table: dict[str, Factory]) -> Iterator[None]:
    """Makes a file's own layers known."""
    token = _DEFINITIONS.set(table)
    try:
        yield
    finally:
        _DEFINITIONS.reset(token)


def entry(kind: str, node: Node, problems: Problems, hint: str | None = None) -> Any:
    """The configured object that a node names: `relu`, `{Adam: {learning_rate: 0.1}}`, `{Dropout: 0.2}`; None after an error."""
    what = singular(kind)
    if isinstance(node, Scalar):
        if not isinstance(node.value, str):
            problems.error(
                "wrong-type", f"expected the name of a {what}, got {node.text or 'nothing'}", node.span, hint=hint
            )
            return None
        if kind == "layers" and node.value in definitions():
            return definitions()[node.value](None, node.span, problems)
        cls = find(kind, node.value, node.span, problems)
        return cls and construct(cls, None, node.span, problems)
    if isinstance(node, Mapping) and len(node.entries) == 1:
        key, value = node.entries[0].key, node.entries[0].value
        if kind == "layers" and str(key.value) in definitions():
            return definitions()[str(key.value)](value, key.span, problems)
        cls = find(kind, str(key.value), key.span, problems)
        return cls and construct(cls, value, key.span, problems)
    problems.error(
        "wrong-type", f"expected a {what}: its name, or one name with its arguments", node.span,
        hint=hint or f"write `Name` or `{{Name: {{argument: value}}}}` for one {what}",
    )  # fmt: skip
    return None


def find(kind: str, name: str, span: Span, problems: Problems, own: Iterable[str] = ()) -> type[Configured] | None:
    """The class behind a name; an error says what it is here, or names the nearest, the file's `own` names included."""
    cls = catalogue(kind).get(name)
    if cls is not None:
        return cls
    what = singular(kind)
    answer = code_here(kind, name) if "(" in name else name_here(kind, name)
    if answer is not None:
        problems.error(f"unknown-{what}", answer[0], span, hint=answer[1])
        return None
    near = did_you_mean(name, [*own, *catalogue(kind).names, *catalogue(kind).installed])
    elsewhere = None if near else next((k for k in CATALOGUES if k != kind and name in catalogue(k).names), None)
    hint = f"'{name}' is {'an' if elsewhere[0] in 'aeiou' else 'a'} {singular(elsewhere)}" if elsewhere else f"`layerctl layers` lists every {what}"
    problems.error(f"unknown-{what}", f"there is no {what} '{name}'{near}", span, hint=None if near else hint)
    return None


def construct(
    cls: type[BaseModel], node: Node | None, span: Span, problems: Problems, what: str | None = None, **given: Any
) -> Any:
    """An instance of `cls` from its arguments' node (a mapping; a bare value is the first argument; None is no arguments).

    `given` are arguments already made. `what` names it in messages.
    """
    what = what or cls.__name__
    before = len(problems.errors)
    values, nodes = _arguments(cls, node, span, problems, what)
    values |= given
    try:
        made = cls.model_validate(values)
    except ValidationError as error:
        bad = {e for e in cls.model_fields if e in nodes and values.get(e) is None and len(problems.errors) > before}
        meant = {closest(str(n.key.value), cls.model_fields) for n in node.entries} if isinstance(node, Mapping) else set()
        for e in error.errors(include_url=False):
            if not (e["loc"] and (e["loc"][0] in bad or (e["type"] == "missing" and e["loc"][0] in meant))):
                report(e, what, nodes, span, problems, cls)
        return None
    return made if len(problems.errors) == before else None


def _arguments(
    cls: type[BaseModel], node: Node | None, span: Span, problems: Problems, what: str
) -> tuple[dict[str, Any], dict[str, tuple[Span, Node]]]:
    values: dict[str, Any] = {}
    nodes: dict[str, tuple[Span, Node]] = {}
    if node is None or (isinstance(node, Scalar) and node.value is None):
        return values, nodes
    if not isinstance(node, Mapping):
        first = cls.first_argument() if issubclass(cls, Configured) else None
        if first is None:
            problems.error("wrong-type", f"{what} takes no value, got {_shown(node.plain())}", node.span)
            return values, nodes
        _one(cls, first, node, node.span, values, nodes, problems)
        return values, nodes
    for item in node.entries:
        name = str(item.key.value)
        if name not in cls.model_fields:
            cure, hint = argument_here(what, name, cls.model_fields)
            problems.error("unknown-argument", f"{what} has no argument '{name}'{cure}", item.key.span, hint=hint)
            continue
        _one(cls, name, item.value, item.key.span, values, nodes, problems)
    return values, nodes


def _one(cls: type[BaseModel], name: str, node: Node, key: Span, values: dict, nodes: dict, problems: Problems) -> None:
    nodes[name] = (key, node)
    reference, many = reference_of(cls, name)
    empty = isinstance(node, Scalar) and node.value is None
    number = isinstance(node, Scalar) and isinstance(node.value, (int, float))
    if reference is None or empty or (reference.or_number and number):
        values[name] = node.plain()
    elif many and isinstance(node, Sequence):
        values[name] = [entry(reference.kind, n, problems) for n in node.items]
    else:
        made = entry(reference.kind, node, problems)
        only_lists = get_origin(cls.model_fields[name].annotation) is list
        values[name] = [made] if only_lists else made


def reference_of(cls: type[BaseModel], name: str) -> tuple[Reference | None, bool]:
    """(the catalogue that the field refers to or None, whether it holds a list of them)."""
    field = cls.model_fields[name]
    for m in field.metadata:
        if isinstance(m, Reference):
            return m, False
    for inner in get_args(field.annotation):
        for candidate in (inner, *get_args(inner)):
            for m in getattr(candidate, "__metadata__", ()):
                if isinstance(m, Reference):
                    return m, True
    return None, False


_TYPES = {
    "int_type": "a whole number", "int_from_float": "a whole number", "float_type": "a number", "string_type": "text",
    "bool_type": "true or false", "list_type": "a list", "tuple_type": "a list", "dict_type": "a mapping", "finite_number": "a finite number",
    "model_type": "a mapping", "int_parsing": "a whole number", "float_parsing": "a number", "model_attributes_type": "a mapping",
}  # fmt: skip
_BOUNDS = {"greater_than": "gt", "greater_than_equal": "ge", "less_than": "lt", "less_than_equal": "le"}
_WORDS = {"gt": "greater than", "ge": "at least", "lt": "less than", "le": "at most"}


def report(
    e: ErrorDetails,
    what: str,
    nodes: dict[str, tuple[Span, Node]],
    span: Span,
    problems: Problems,
    cls: type[BaseModel],
) -> None:
    """One of pydantic's errors as a diagnostic at the deepest place of the file that it reaches."""
    kind, loc, got = e["type"], e["loc"], e.get("input")
    if not loc:
        text = str((e.get("ctx") or {}).get("error", e["msg"]))
        problems.error("bad-value", f"{what}: {text}", span)
        return
    field = str(loc[0])
    if kind == "missing" and len(loc) == 1:
        problems.error("missing-argument", f"{what} needs '{field}'", span, hint=_description(cls, field))
        return
    place = nodes[field][1] if field in nodes else None
    where, reached = span, [field]
    if place is not None:
        for part in loc[1:]:
            if isinstance(place, Sequence) and isinstance(part, int) and part < len(place.items):
                place = place.items[part]
            elif isinstance(place, Mapping) and place.get(str(part)) is not None:
                place = place.get(str(part))
            else:
                continue
            reached.append(str(part))
        where = place.span
    name = ".".join(reached)
    if kind in _TYPES:
        problems.error("wrong-type", f"{what}: '{name}' must be {_TYPES[kind]}, got {_shown(got)}", where)
    elif kind in _BOUNDS:
        bound = e["ctx"][_BOUNDS[kind]]
        problems.error(
            "out-of-range", f"{what}: '{name}' must be {_WORDS[_BOUNDS[kind]]} {bound:g}, got {_shown(got)}", where
        )
    elif kind == "literal_error":
        allowed = e["ctx"]["expected"]
        names = [a.strip(" '") for a in allowed.replace(" or ", ", ").split(",")]
        problems.error(
            "unknown-value",
            f"{what}: '{name}' must be {allowed}, got {_shown(got)}{did_you_mean(str(got), names)}",
            where,
        )
    elif kind == "missing":
        problems.error("missing-argument", f"{what}: '{name}' needs '{loc[-1]}'", where)
    elif kind == "extra_forbidden":
        _unknown_inside(what, loc, place, nodes[field][1], cls, problems)
    elif kind in ("value_error", "assertion_error"):
        problems.error("bad-value", f"{what}: '{name}': {e['ctx']['error']}", where)
    else:
        problems.error(
            "wrong-type", f"{what}: '{name}': {e['msg'][:1].lower()}{e['msg'][1:]}, got {_shown(got)}", where
        )


def _unknown_inside(what: str, loc: tuple[Any, ...], place: Any, top: Node, cls: type[BaseModel], problems: Problems) -> None:
    """An argument that a nested section does not have: the key's place, and the name that was meant."""
    key, around = str(loc[-1]), top
    for part in loc[1:-1]:
        below = around.get(str(part)) if isinstance(around, Mapping) else None
        around = below if below is not None else around
    span = around.key(key).span if isinstance(around, Mapping) and key in around else place.span
    known = _fields_of(cls.model_fields[str(loc[0])].annotation)
    name = ".".join(str(p) for p in loc[:-1])
    cure, hint = argument_here(f"'{name}'", key, known)
    problems.error("unknown-argument", f"{what}: '{name}' has no argument '{key}'{cure}", span, hint=hint)


def _fields_of(annotation: Any) -> list[str]:
    """The fields of the first model in an annotation."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return list(annotation.model_fields)
    return next((found for a in get_args(annotation) if (found := _fields_of(a))), [])


def _description(cls: type[BaseModel], field: str) -> str | None:
    text = cls.model_fields[field].description if field in cls.model_fields else None
    return f"{field}: {text}" if text else None


def _shown(value: Any) -> str:
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, Configured):
        return type(value).__name__
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."
