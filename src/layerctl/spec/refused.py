"""What pydantic refuses, told as diagnostics: at the deepest place of the file, with what was wanted, what was given, and a cure."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, get_args

from pydantic import BaseModel
from pydantic_core import ErrorDetails

from layerctl.configured import Configured
from layerctl.diagnostics import LayerctlError, Problems, Span, closest, did_you_mean
from layerctl.source.document import Mapping, Node, Scalar, Sequence
from layerctl.spec.foreign import argument_here, value_here
from layerctl.spec.foreign_names import ARGUMENTS

_SHORTEST = 15
"""Characters below which a description says nothing that the argument's name does not."""
_TYPES = {
    "int_type": "a whole number", "int_from_float": "a whole number", "float_type": "a number", "string_type": "text",
    "bool_type": "true or false", "list_type": "a list", "tuple_type": "a list", "dict_type": "a mapping", "finite_number": "a finite number",
    "model_type": "a mapping", "int_parsing": "a whole number", "float_parsing": "a number", "model_attributes_type": "a mapping",
}  # fmt: skip
_NUMBER = r"[-+]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][-+]?\d+)?"
_BOUNDS = {"greater_than": "gt", "greater_than_equal": "ge", "less_than": "lt", "less_than_equal": "le"}
_WORDS = {"gt": "greater than", "ge": "at least", "lt": "less than", "le": "at most"}


def joined(errors: list[ErrorDetails], nodes: dict[str, tuple[Span, Node]]) -> list[ErrorDetails]:
    """Pydantic says of each branch of a union what is wrong; here one error says all types, and one inside goes before one of the whole."""
    kept: list[ErrorDetails] = []
    paths: list[tuple[Any, ...]] = []
    for e in errors:
        path = _reached(e["loc"], nodes)[1]
        if e["type"] == "literal_error" and isinstance(e.get("input"), str) and closest(e["input"], re.findall("'(.*?)'", (e.get("ctx") or {})["expected"])):
            typed = [n for n, (p, k) in enumerate(zip(paths, kept, strict=True)) if p == path and k["type"] in _TYPES]
            for n in typed[:1]:
                kept[n] = {**e}  # a word that is nearly one of those taken was meant to be it
            if typed:
                continue
        if any(p == path and "literal_error" in (kinds := (e["type"], k["type"])) and {*kinds} & {*_TYPES} for p, k in zip(paths, kept, strict=True)):
            continue
        same = next((i for i, p in enumerate(paths) if p == path and e["type"] in _TYPES and kept[i]["type"] in _TYPES), None)
        if same is None:
            kept.append({**e})
            paths.append(path)
        else:
            kept[same].setdefault("ctx", {}).setdefault("types", [kept[same]["type"]]).append(e["type"])
    beyond = [p for e, p in zip(kept, paths, strict=True) if e["type"] in _BOUNDS]
    return [e for e, path in zip(kept, paths, strict=True)
            if e["type"] not in (*_TYPES, "literal_error") or not (path in beyond or any(len(p) > len(path) and p[: len(path)] == path for p in paths))]


def _reached(loc: tuple[Any, ...], nodes: dict[str, tuple[Span, Node]]) -> tuple[Node | None, tuple[Any, ...]]:
    """(the deepest node of the file on a way of pydantic's, the parts of the way that the file has)."""
    if not loc:
        return None, ()
    place, reached = nodes[str(loc[0])][1] if str(loc[0]) in nodes else None, [str(loc[0])]
    for part in loc[1:] if place is not None else ():
        if isinstance(place, Sequence) and isinstance(part, int) and part < len(place.items):
            place = place.items[part]
        elif isinstance(place, Mapping) and place.get(str(part)) is not None:
            place = place.get(str(part))
        else:
            continue
        reached.append(str(part))
    return place, tuple(reached)


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
        raised = (e.get("ctx") or {}).get("error", e["msg"])
        if hasattr(raised, "word") and any(_in_an_expression(raised, node, problems) for _, node in nodes.values()):
            return
        text = str(raised)
        meant = _mentioned(text, [n for n in nodes if n in cls.model_fields])
        shows = f"`layerctl layers {cls.__name__}` shows its arguments" if issubclass(cls, Configured) else None
        problems.error("bad-value", text if text.startswith(what) else f"{what}: {text}", nodes[meant][1].span if meant else span,
                       hint=(about_argument(cls, (meant,)) if meant else None) or shows)  # fmt: skip
        return
    field = str(loc[0])
    if kind == "missing" and len(loc) == 1:
        problems.error("missing-argument", f"{what} needs '{field}'", span, hint=_description(cls, field))
        return
    place, reached = _reached(loc, nodes)
    where = place.span if place is not None else span
    name, about = ".".join(reached), about_argument(cls, loc)
    if kind in _TYPES:
        wanted = " or ".join(dict.fromkeys(_TYPES[k] for k in (e.get("ctx") or {}).get("types", [kind])))
        cure = type_cure(wanted, got)
        known = _fields_of(_annotation(cls, loc))
        if cure is None and wanted.endswith("a mapping") and known:
            cure = _of_features(reached, got) or f"as in `{reached[-1]}: {{{known[0]}: …}}`; its arguments are {', '.join(known)}"
        problems.error("wrong-type", f"{what}: '{name}' must be {wanted}, got {told(got)}", where, hint=cure or about)
    elif kind in _BOUNDS:
        bound = e["ctx"][_BOUNDS[kind]]
        problems.error(
            "out-of-range", f"{what}: '{name}' must be {_WORDS[_BOUNDS[kind]]} {bound:g}, got {told(got)}", where, hint=_share(reached[-1], got) or about
        )
    elif kind == "literal_error":
        allowed = e["ctx"]["expected"]
        names = [a.strip(" '") for a in allowed.replace(" or ", ", ").split(",")]
        known = value_here(reached[-1], got)
        near = "" if known else did_you_mean(str(got), names)
        problems.error("unknown-value", f"{what}: '{name}' must be {allowed}, got {told(got)}{near}", where,
                       hint=f"write `{known}`" if known else None if near else about)  # fmt: skip
    elif kind == "missing":
        problems.error("missing-argument", f"{what}: '{name}' needs '{loc[-1]}'", where, hint=about)
    elif kind == "extra_forbidden":
        _unknown_inside(what, loc, place, nodes[field][1], cls, problems)
    elif kind in ("value_error", "assertion_error"):
        if _in_an_expression(e["ctx"]["error"], place, problems):
            return
        text = str(e["ctx"]["error"])
        inside, way = _inside(place, text)
        if inside is not None:
            where, about = inside, about_argument(cls, (*loc, *way))
        text, _, cure = text.partition("; write ")
        problems.error("bad-value", f"{what}: '{name}': {text}", where, hint=f"write {cure}" if cure else None if "did you mean" in text else about)
    else:
        problems.error(
            "wrong-type", f"{what}: '{name}': {e['msg'][:1].lower()}{e['msg'][1:]}, got {told(got)}", where, hint=about
        )


_ENDS = ("min", "low", "min_value", "from", "max", "high", "max_value", "to")
"""What others call the ends of a range, the least before the greatest."""
_SHARES = ("rate", "dropout", "recurrent_dropout", "validation", "test", "ratio", "label_smoothing")


def _share(name: str, got: Any) -> str | None:
    """A share that was written as a percentage: `Dropout: 20`."""
    if name not in _SHARES or not isinstance(got, (int, float)) or not 1 < got < 100:
        return None
    return f"it is a share, from 0 to 1: write {got / 100:g} for {got:g} percent"


def _inside(place: Node | None, text: str) -> tuple[Span | None, tuple[str, ...]]:
    """(where within a value a message is about, the way to there): what it has in quotes, else the first argument that it names."""
    way: list[str] = []
    found: Node | None = place
    span: Span | None = None
    for word in re.findall(r"'(\w+)[^']*'", text):
        if isinstance(found, Mapping) and word in found:
            value = found.get(word)
            span = found.key(word).span if f"has no '{word}" in text else value.span if value is not None else span
            found = value
            way.append(word)
    if span is None and isinstance(place, Mapping):
        meant = _mentioned(text, [str(n.key.value) for n in place.entries])
        span, way = ((place.get(meant) or place).span, [meant]) if meant is not None else (None, [])
    return span, tuple(way)


def _mentioned(text: str, given: list[str]) -> str | None:
    """The argument of those given that a message on several of them is about: the first in quotes, else the first that it names."""
    quoted = [w for w in re.findall(r"'(\w+)[^']*'", text) if w in given]
    words = [w for w in re.findall(r"\w+", text) if w in given]
    return quoted[0] if quoted else words[0] if words else None


def _in_an_expression(error: Exception, place: Node | None, problems: Problems) -> bool:
    """Says what is wrong in an expression where in the text it is, if that is what the error is about."""
    if not isinstance(place, Scalar) or not isinstance(place.value, str):
        return False
    if not hasattr(error, "word") and not isinstance(error.__cause__, LayerctlError):
        return False
    from layerctl.expressions.mistakes import UnknownWord
    from layerctl.expressions.parse import parse

    try:
        tree = parse(place.value, place.span)
    except LayerctlError as exact:
        problems.found.extend(exact.diagnostics)
        return True
    if not isinstance(error, UnknownWord):
        return False
    found = next((t.span for t in tree.walk() if error.word in (getattr(t, "name", None), getattr(t, "function", None))), None)
    if found is not None:
        problems.error(error.code, str(error), found,
                       hint="an expression knows x, its `arguments` and the functions of keras.ops" if "did you mean" not in str(error) else None)  # fmt: skip
    return found is not None


def type_cure(wanted: str, got: Any) -> str | None:
    """How a value of the wrong type is usually meant."""
    if got is None:
        return "a value is missing behind the colon"
    if isinstance(got, dict) and closest(str(next(iter(got), "")), ("search",)):
        return "a range is written `{search: [4, 64]}`"
    ends = [got[k] for k in _ENDS if k in got] if isinstance(got, dict) else []
    if len(ends) == 2 and all(isinstance(e, (int, float)) for e in ends):
        return f"a range is written `{{search: [{ends[0]}, {ends[1]}]}}`"
    if isinstance(got, str):
        text = got.strip()
        if text == "None":
            return "None is written `null`"
        before, mark, comment = text.partition("#")
        if mark and wanted in ("a number", "a whole number") and re.fullmatch(_NUMBER, before):
            return f"write `{before} # {comment.strip()}`: a comment has a space before it"
        bare = re.sub(r"\s*(//.*|[,;])$", "", text)
        if bare != text and wanted in ("a number", "a whole number") and re.fullmatch(_NUMBER, bare):
            return f"write {bare}" + ("; a comment begins with #" if "//" in text else f" without the '{text[-1]}'")
        if wanted == "a number" and (worth := _worth(text)) is not None:
            return f"write {worth:g}"
        if re.fullmatch(r"\$\{?[\w.]+[^{}]*\}?|\$\([A-Za-z_][\w.]*\)|\{[A-Za-z_][\w.]*\}|\{\{ *[A-Za-z_][\w.]* *\}\}|%\([A-Za-z_]\w*\)[sd]", text):
            return f'a variable is written "${{{text.rstrip("sd").strip("%${}() ") if text[0] == "%" else text.strip("${}() ")}}}"'
        if re.fullmatch(r"[-+]?\d+" if wanted == "a whole number" else r"[-+]?[\d.]+(?:[eE][-+]?\d+)?" if wanted == "a number" else "(?!)", text):
            return f"write it without quotes: {text}" if text.isascii() else f"write it in ordinary digits: {float(text):g}"
        ordinary = text.translate(dict.fromkeys(map(ord, "−–—‒"), "-"))
        if ordinary != text and wanted in ("a number", "a whole number") and re.fullmatch(_NUMBER, ordinary):
            return f"write it with the ordinary minus: {ordinary}"
        if wanted == "a whole number" and re.fullmatch(r"\d+\s*%", text):
            return f"write {text.rstrip('% ')} without the sign"
        if wanted in ("a number", "a whole number") and re.fullmatch(r"[\d.]+\s*%", text):
            return f"write {float(text.rstrip('% ')) / 100:g}"
        if wanted == "true or false" and text.lower() in ("yes", "no", "on", "off", "true", "false"):
            return f"write {'true' if text.lower() in ('yes', 'on', 'true') else 'false'}" + ("" if text.lower() in ("true", "false") else f": {text} is text")
        if wanted == "true or false":
            return "write true or false, without quotes"
        if wanted == "a list":
            return f"write it in brackets: [{text.strip('()')}]"
        if wanted in ("a number", "a whole number") and re.fullmatch(r"[-+.\deE]+\s*,\s*[^,]+", text):
            return "several arguments stand in braces, each with its name: `{name: value, name: value}`"
        if wanted in ("a number", "a whole number") and re.fullmatch(r"[-+]?\d{1,3}(?:[_',]\d{3})+|[-+]?\d+(?:_\d+)+", text):
            return f"write {text.translate(dict.fromkeys(map(ord, '_,' + chr(39))))}: digits stand without signs between them"
    if wanted in ("a number", "a whole number") and isinstance(got, list) and len(got) == 1 and isinstance(got[0], (int, float)):
        return f"write it without brackets: {got[0]}"
    if wanted in ("a number", "a whole number") and isinstance(got, list) and len(got) > 1:
        return "several arguments stand in braces, each with its name: `{name: value, name: value}`"
    if wanted == "a whole number" and isinstance(got, float) and got.is_integer():
        return f"write {int(got)}"
    if wanted == "true or false" and isinstance(got, (int, float)) and got in (0, 1):
        return f"write {str(bool(got)).lower()}"
    if wanted == "a list" and isinstance(got, (int, float)) and not isinstance(got, bool):
        return f"write it in brackets: [{got}]"
    if wanted.startswith("text") and isinstance(got, list) and len(got) == 1 and isinstance(got[0], str):
        return f"write it without brackets: {got[0]}"
    if wanted == "text" and isinstance(got, (int, float)) and not isinstance(got, bool):
        return f'quote it: "{got}"'
    return None


def _of_features(reached: tuple[str, ...], got: Any) -> str | None:
    """How features are written that are columns' names alone, or one without `columns`."""
    names = [got] if isinstance(got, str) else got
    if reached[0] != "features" or not isinstance(names, list) or not names or not all(isinstance(n, str) for n in names):
        return None
    columns = f"{{columns: [{', '.join(names)}]}}"
    if len(reached) == 1:
        return f"write `features: {{x: {columns}}}`; `x` is the model's input"
    return f"write `{reached[-1]}: {columns}`" if len(reached) == 2 else None


def _worth(text: str) -> float | None:
    """The number of a fraction or a power, such as `1/100` or `10^-3`."""
    found = re.fullmatch(rf"({_NUMBER})\s*(/|\^|\*\*)\s*({_NUMBER})", text)
    if found is None:
        return None
    try:
        a, b = float(found[1]), float(found[3])
        return a / b if found[2] == "/" else float(a**b)
    except (ArithmeticError, TypeError, ValueError):
        return None


def _annotation(cls: type[BaseModel], loc: tuple[Any, ...]) -> Any:
    """The type of what a way of pydantic's ends in."""
    found: Any = None
    for part in loc:
        field = cls.model_fields.get(part) if isinstance(part, str) else None
        if field is not None:
            found = field.annotation
            cls = next(iter(_models(found)), cls)
    return found


def _unknown_inside(what: str, loc: tuple[Any, ...], place: Any, top: Node, cls: type[BaseModel], problems: Problems) -> None:
    """An argument that a nested section does not have: the key's place, and the name that was meant."""
    key, around = str(loc[-1]), top
    if what == "data" and loc[0] == "features" and len(loc) > 2 and str(loc[1]) in cls.model_fields and isinstance(top, Mapping) and loc[1] in top:
        problems.error("unknown-key", f"'{loc[1]}' is a key of data, and stands among the features", top.key(str(loc[1])).span,
                       hint="start its line in the column of `features:`")  # fmt: skip
        return
    for part in loc[1:-1]:
        below = around.get(str(part)) if isinstance(around, Mapping) else None
        around = below if below is not None else around
    span = around.key(key).span if isinstance(around, Mapping) and key in around else place.span
    known = _fields_of(cls.model_fields[str(loc[0])].annotation)
    name = ".".join(_reached(loc[:-1], {str(loc[0]): (span, top)})[1])
    cure, hint = argument_here(f"'{name}'", key, known)
    if what == "data" and loc[0] == "source" and (key in cls.model_fields or "source" in ARGUMENTS.get(key, ())):
        cure, hint = "", f"it is `source: FILE`{'' if 'source' in ARGUMENTS.get(key, ()) else f', and `{key}` stands beside `source`'}"
    listed = cut_at_comma(around, around.key(key)) if isinstance(around, Mapping) and key in around else None
    problems.error("unknown-argument", f"{what}: '{name}' has no argument '{key}'{'' if listed else cure}", span, hint=listed or hint)


def cut_at_comma(mapping: Mapping, key: Scalar) -> str | None:
    """How a list is written that a comma cut in braces: `{columns: age, income}` has a key `income` without a value."""
    at = next(i for i, e in enumerate(mapping.entries) if e.key is key)
    value, before = mapping.entries[at].value, mapping.entries[at - 1] if at else None
    bare = isinstance(value, Scalar) and value.style == "plain" and value.text == "" and key.style == "plain" and key.text.isidentifier()
    if not bare or before is None or not isinstance(before.value, Scalar) or not isinstance(before.value.value, str):
        return None
    return f"a list stands in brackets: `{before.key.text}: [{before.value.text}, {key.text}]`"


def _fields_of(annotation: Any) -> list[str]:
    """The fields of the first model in an annotation."""
    return next((list(m.model_fields) for m in _models(annotation)), [])


def _models(annotation: Any) -> Iterator[type[BaseModel]]:
    """The models in an annotation."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for inner in get_args(annotation):
        yield from _models(inner)


def about_argument(cls: type[BaseModel], loc: tuple[Any, ...]) -> str | None:
    """What the argument at the end of a way is for, and its default."""
    name, field = "", None
    for part in loc:
        inner = cls.model_fields.get(part) if isinstance(part, str) else None
        if inner is not None:
            name, field = part, inner
            cls = next(iter(_models(inner.annotation)), cls)
    if field is None or len(field.description or "") < _SHORTEST:
        return None
    default = None if field.is_required() else field.get_default(call_default_factory=True)
    simple = isinstance(default, (str, int, float)) and "if not given" not in field.description
    return f"{name}: {field.description}" + (f" {told(default)} if not given." if simple else "")


def _description(cls: type[BaseModel], field: str) -> str | None:
    text = cls.model_fields[field].description if field in cls.model_fields else None
    return f"{field}: {text}" if text else None


def told(value: Any) -> str:
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, Configured):
        return type(value).__name__
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."
