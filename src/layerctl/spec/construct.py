"""From nodes of a document to configured objects, every mistake a diagnostic at its place.

A name is resolved first (layer, loss, optimizer, ...), then its arguments are validated against that class alone, so that a place in
the file is never lost in a union of all classes.
"""

from __future__ import annotations

import contextlib
import contextvars
import re
from collections.abc import Callable, Iterable, Iterator
from typing import Any, get_args, get_origin

from pydantic import BaseModel, ValidationError

from layerctl.catalogue import CATALOGUES, catalogue
from layerctl.configured import Configured, Reference, Usual, singular
from layerctl.diagnostics import Problems, Span, did_you_mean
from layerctl.source.document import Mapping, Node, Scalar, Sequence
from layerctl.spec.foreign import argument_here, code_here, meant_argument, name_here, stands_for, written_wrong
from layerctl.spec.refused import about_argument, cut_at_comma, joined, report, told, type_cure

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
                "wrong-type", f"expected the name of {a(what)}, got {node.text or 'nothing'}", node.span,
                hint=hint or (f"write `{{L2: {node.text}}}`" if kind == "regularizers" and isinstance(node.value, (int, float))
                              else f"`layerctl layers` lists every {what}"),
            )  # fmt: skip
            return None
        if node.value in definitions() and (own := _own(kind, node.value)) is not None:
            return own(None, node.span, problems)
        cls = find(kind, node.value, node.span, problems, _own_names(kind))
        return cls and construct(cls, None, node.span, problems)
    if isinstance(node, Mapping) and len(node.entries) == 1:
        key, value = node.entries[0].key, node.entries[0].value
        if str(key.value) in definitions() and (own := _own(kind, str(key.value))) is not None:
            return own(value, key.span, problems)
        cls = find(kind, str(key.value), key.span, problems, _own_names(kind))
        return construct(cls, value, key.span, problems) if cls is not None else strange_arguments(kind, str(key.value), value, problems)
    problems.error(
        "wrong-type", f"expected {a(what)}: its name, or one name with its arguments", node.span,
        hint=hint or _entry_hint(node, kind, what),
    )  # fmt: skip
    return None


def strange_arguments(kind: str, name: str, arguments: Node | None, problems: Problems) -> None:
    """What the arguments of something that is called otherwise here are called here, so that one look mends all."""
    cls = stands_for(kind, name)
    for e in arguments.entries if isinstance(arguments, Mapping) and cls is not None else ():
        if str(e.key.value) not in cls.model_fields:
            cure, hint = argument_here(cls.__name__, str(e.key.value), cls.model_fields)
            problems.error("unknown-argument", f"{cls.__name__} has no argument '{e.key.value}'{cure}", e.key.span, hint=hint)


def _own(kind: str, name: str) -> Factory | None:
    """What makes a layer, a loss or a metric of a definition; None for other kinds."""
    make = definitions()[name]
    if kind == "layers":
        return make
    judge = getattr(make, "judge", None) if kind in JUDGED else None
    return None if judge is None else lambda arguments, span, problems: judge(kind, arguments, span, problems)


JUDGED = ("losses", "metrics")
"""What a definition can be beside a layer."""


def _own_names(kind: str) -> Iterable[str]:
    return definitions() if kind == "layers" or kind in JUDGED else ()


def a(word: str) -> str:
    """The word with its article."""
    return f"{'an' if word[0] in 'aeiou' else 'a'} {word}"


def _entry_hint(node: Node, kind: str, what: str) -> str:
    """How an entry is written, after the example of what stands there: `{type: Dense, units: 3}`, several in one mapping."""
    if isinstance(node, Mapping):
        named = next((n for k in ("type", "class_name", "name") if isinstance(n := node.get(k), Scalar) and isinstance(n.value, str)), None)
        if named is not None:
            others = ", ".join(f"{e.key.value}: …" for e in node.entries if e.value is not named)
            return f"write the name first: `{named.value}: {{{others or 'argument: value'}}}`"
        first, *others = (str(e.key.value) for e in node.entries) if len(node) else ("",)
        cls = catalogue(kind).get(first)
        if others and cls is not None and all(o in cls.model_fields for o in others):
            return f"put {others[0]} into the braces behind {first}: `{first}: {{{others[0]}: …}}`"
        if others and kind in ("callbacks", "metrics", "losses"):
            plain = all(isinstance(e.value, Scalar) and e.value.value is None for e in node.entries)
            written = f"[{first}, {others[0]}]" if plain else f"[{{{first}: {{…}}}}, {{{others[0]}: {{…}}}}]"
            return f"write a list, {a(what)} to an item: `{written}`"
    return f"write `Name` or `{{Name: {{argument: value}}}}` for one {what}"


def find(kind: str, name: str, span: Span, problems: Problems, own: Iterable[str] = ()) -> type[Configured] | None:
    """The class behind a name; an error says what it is here, or names the nearest, the file's `own` names included."""
    cls = catalogue(kind).get(name)
    if cls is not None:
        return cls
    what = singular(kind)
    answer = code_here(kind, name) if "(" in name else name_here(kind, name) or written_wrong(kind, name)
    if answer is not None:
        problems.error(f"unknown-{what}", answer[0], span, hint=answer[1])
        return None
    several = [n for n in re.split(r"[\s,]+", name) if n]
    if len(several) > 1 and all(catalogue(kind).get(n) is not None for n in several):
        problems.error(f"unknown-{what}", f"'{name}' is one text, expected a list", span, hint=f"write it in brackets: `[{', '.join(several)}]`")
        return None
    near = did_you_mean(name, [*own, *catalogue(kind).names, *catalogue(kind).installed])
    elsewhere = None if near else next((k for k in CATALOGUES if k != kind and name in catalogue(k).names), None)
    hint = f"'{name}' is {a(singular(elsewhere))}" if elsewhere else f"`layerctl layers` lists every {what}"
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
    if values is None:
        return None
    values |= given
    try:
        made = cls.model_validate(values)
    except ValidationError as error:
        amiss = len(problems.errors) > before
        bad = {e for e in cls.model_fields if amiss and e in nodes and values.get(e) is None}
        meant = {meant_argument(str(n.key.value), cls.model_fields) for n in node.entries} if isinstance(node, Mapping) else set()
        unsaid = _strangers(cls, node)  # an argument that is missing was most likely meant by one that there is not
        found = joined(error.errors(include_url=False), nodes)
        if _listed(cls, node, [e["loc"][:1] for e in found], what, problems):
            return None
        unnamed = isinstance(node, (Scalar, Sequence)) and any(e["type"] != "missing" for e in found)  # what else it lacks may be in that value
        lacking = [str(e["loc"][0]) for e in found if e["type"] == "missing" and len(e["loc"]) == 1 and e["loc"][0] not in meant]
        if len(lacking) > 1 and not unnamed and not unsaid:
            needed = ", ".join(f"{n}: …" for n in lacking)
            problems.error("missing-argument", f"{what} needs {', '.join(map(repr, lacking))}", span, hint=f"write `{what}: {{{needed}}}`"
                           if node is None or isinstance(node, Scalar) else f"add `{needed}`")  # fmt: skip
            found = [e for e in found if e["type"] != "missing" or len(e["loc"]) > 1 or e["loc"][0] in meant]
        for e in found:
            if e["type"] == "missing" and unnamed:
                continue
            if e["type"] == "missing" and len(e["loc"]) == 1 and unsaid > 0:
                unsaid -= e["loc"][0] not in meant
                continue
            if not e["loc"] and amiss:
                continue  # what arguments make of each other is not known while one of them is wrong
            if not (e["loc"] and (e["loc"][0] in bad or (e["type"] == "missing" and e["loc"][0] in meant))):
                report(e, what, nodes, span, problems, cls)
        return None
    if isinstance(made, Configured):
        made.keep_places({name: value.span for name, (_, value) in nodes.items()})
    _doubt(cls, nodes, what, problems)
    return made if len(problems.errors) == before else None


def _doubt(cls: type[BaseModel], nodes: dict[str, tuple[Span, Node]], what: str, problems: Problems) -> None:
    """Warns of numbers that are computed with, and hardly anybody means."""
    for name, (_, node) in nodes.items():
        field = cls.model_fields[name]
        marks = [m for m in (*field.metadata, *_marks(field.annotation)) if isinstance(m, Usual)]
        for n in (node.items if isinstance(node, Sequence) else [node]) if marks else ():
            value = n.value if isinstance(n, Scalar) else None
            amiss = next((m for m in marks if isinstance(value, (int, float)) and not m.holds(value)), None)
            if amiss is not None:
                problems.warn("doubtful-value", f"{what}: '{name}' is {told(value)}: {amiss.then}", n.span, hint=amiss.cure)


def _marks(annotation: Any) -> Iterator[Any]:
    """What is said of a type and of those within it."""
    yield from getattr(annotation, "__metadata__", ())
    for inner in get_args(annotation):
        yield from _marks(inner)


def _listed(cls: type[BaseModel], node: Node | None, amiss: list[tuple[Any, ...]], what: str, problems: Problems) -> bool:
    """Says of several arguments without names, `Conv2D: [32, 3]`, how they are written; whether they are that."""
    first = cls.first_argument() if issubclass(cls, Configured) else None
    if node is None or isinstance(node, Mapping) or (first,) not in amiss:
        return False
    given = [str(n.plain()) for n in node.items] if isinstance(node, Sequence) else re.split(r"\s*,\s*", str(node.plain()))
    if len(given) < 2:
        return False
    needed = [n for n in cls.own_fields() if cls.model_fields[n].is_required()]  # of these the order is known
    order = needed + ["activation"] * ("activation" in cls.model_fields and catalogue("activations").get(given[-1]) is not None)
    if len(given) != len(order):
        return False
    named = ", ".join(f"{n}: {v}" for n, v in zip(order, given, strict=True))
    problems.error("wrong-type", f"{what} takes one value without a name, got {len(given)}", node.span, hint=f"write `{what}: {{{named}}}`")
    return True


def _strangers(cls: type[BaseModel], node: Node | None) -> int:
    """How many of the arguments given are none of the class, nor near one."""
    return sum(meant_argument(str(e.key.value), cls.model_fields) is None for e in node.entries) if isinstance(node, Mapping) else 0


def _arguments(
    cls: type[BaseModel], node: Node | None, span: Span, problems: Problems, what: str
) -> tuple[dict[str, Any] | None, dict[str, tuple[Span, Node]]]:
    """(values by argument, their places); no values where the node is none of arguments."""
    values: dict[str, Any] = {}
    nodes: dict[str, tuple[Span, Node]] = {}
    if node is None or (isinstance(node, Scalar) and node.value is None):
        return values, nodes
    if not isinstance(node, Mapping):
        first = cls.first_argument() if issubclass(cls, Configured) else None
        if first is None:
            names = list(cls.model_fields)
            problems.error("wrong-type", f"{what} must be a mapping, got {told(node.plain())}" if names else f"{what} takes no value", node.span,
                           hint=f"write `{what}: {{{names[0]}: …}}`; its arguments are {', '.join(names)}" if names else None)  # fmt: skip
            return None, nodes
        _one(cls, first, node, node.span, values, nodes, problems)
        return values, nodes
    for item in node.entries:
        name = str(item.key.value)
        if name not in cls.model_fields:
            cure, hint = argument_here(what, name, cls.model_fields)
            if "layer" in cls.model_fields and catalogue("layers").get(name) is not None:
                cure, hint = "", f"write `{what}: {{layer: {{{name}: …}}}}`"
            if what == "data" and "features" in node and _is_feature(item.value):
                cure, hint = "", "a feature is indented below `features:`, in the column of the others"
            listed = cut_at_comma(node, item.key)
            problems.error("unknown-argument", f"{what} has no argument '{name}'{'' if listed else cure}", item.key.span, hint=listed or hint)
            continue
        _one(cls, name, item.value, item.key.span, values, nodes, problems)
    return values, nodes


def _is_feature(node: Node) -> bool:
    from layerctl.spec.data import is_feature

    return is_feature(node)


def _one(cls: type[BaseModel], name: str, node: Node, key: Span, values: dict, nodes: dict, problems: Problems) -> None:
    nodes[name] = (key, node)
    reference, many = reference_of(cls, name)
    empty = isinstance(node, Scalar) and node.value is None
    number = isinstance(node, Scalar) and isinstance(node.value, (int, float))
    if empty and not node.text and issubclass(cls, Configured) and cls.model_fields[name].default is None:  # type: ignore[union-attr]
        problems.error("wrong-type", f"{cls.__name__}: '{name}' has no value", node.span, hint="a value is missing behind the colon; `null` is none")
    if reference is None or empty or (reference.or_number and number):
        values[name] = node.plain()
    elif many and isinstance(node, Sequence):
        values[name] = [entry(reference.kind, n, problems) for n in node.items]
    else:
        if reference.or_number and isinstance(node, Scalar) and isinstance(node.value, str) and not _may_be_name(reference.kind, node.value):
            wanted = f"a number or the name of {a(singular(reference.kind))}"
            problems.error("wrong-type", f"{cls.__name__}: '{name}' must be {wanted}, got {told(node.value)}", node.span,
                           hint=type_cure("a number", node.value) or about_argument(cls, (name,)))  # fmt: skip
            values[name] = None
            return
        made = entry(reference.kind, node, problems)
        only_lists = get_origin(cls.model_fields[name].annotation) is list
        values[name] = [made] if only_lists else made


def _may_be_name(kind: str, text: str) -> bool:
    """Whether a text is a name of a catalogue, or near one."""
    return "(" in text or name_here(kind, text) is not None or catalogue(kind).get(text) is not None or bool(did_you_mean(text, catalogue(kind).names))


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
