"""JSON Schema (draft 7) of what a pydantic model takes in a file: its fields as users write them, with `${…}` wherever no text is expected.

Editors show what a schema says, so that alternatives of different types are one schema with several types: where something is wrong they
then say what, and not that none of many alternatives fits.
"""

from __future__ import annotations

import math
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue

from layerctl.catalogue import CATALOGUES, catalogue
from layerctl.configured import OR_NUMBER, REFERENCE, Configured, singular

Schema = dict[str, Any]

VARIABLE = r"\$\{"
_VARIABLE_MESSAGE = "expected {}, or a variable: \"${{name}}\""
_WORDS = {"integer": "a whole number", "number": "a number", "boolean": "true or false", "array": "a list", "object": "a mapping", "null": "null"}
_BEFORE = "x-before"


class _Generator(GenerateJsonSchema):
    """Pydantic's schema without titles; what is converted before it is checked carries a mark, since more is taken than the type says."""

    def field_title_should_be_set(self, schema: Any) -> bool:
        return False

    def function_before_schema(self, schema: Any) -> JsonSchemaValue:
        inner = dict(self.generate_inner(schema["schema"]))
        return {**inner, _BEFORE: True} if inner else inner

    def handle_invalid_for_json_schema(self, schema: Any, error_info: str) -> JsonSchemaValue:
        return {}

    def encode_default(self, default: Any) -> Any:
        return None if isinstance(default, float) and not math.isfinite(default) else super().encode_default(default)


def reference_to(name: str) -> Schema:
    """The schema under a name in the file's definitions."""
    return {"$ref": f"#/definitions/{name}"}


def arguments(cls: type[BaseModel], definitions: dict[str, Schema]) -> Schema:
    """A mapping of a model's arguments; models inside of it are added to `definitions`."""
    made = cls.model_json_schema(schema_generator=_Generator, ref_template="#/definitions/{model}")
    for name, inner in made.pop("$defs", {}).items():
        definitions[name] = _as_written(inner)
    return _as_written(made)


def entry(cls: type[Configured], definitions: dict[str, Schema]) -> Schema:
    """What stands behind the name of a catalogue's entry: its arguments, the first one alone, or nothing."""
    whole = arguments(cls, definitions)
    first = cls.first_argument()
    forms = [whole]
    if first is not None:
        alone = {k: v for k, v in whole["properties"][first].items() if k not in ("default", "description")}
        forms += _no_mapping(alone)
    if not whole.get("required"):
        forms.append({"type": "null"})
    return {**any_of(forms), "description": whole.get("description", "")}


def catalogue_schemas(kind: str, installed: bool) -> dict[str, Schema]:
    """Definitions of a catalogue: `KIND` is a name or a name with arguments, `KIND.name` and `KIND.entry` are these, `KIND.NAME` the arguments.

    `installed` are entries of other packages, too.
    """
    known = catalogue(kind)
    definitions: dict[str, Schema] = {}
    names = list(known) if installed else list(known.entries)
    shown = {n: known.spelled(n) for n in names}
    short = {a: n for n in names if n in known.entries for a in known.entries[n].aliases}
    others = {other: n for other, n in known.names.items() if n in shown and other != shown[n] and other not in short}
    for n in names:
        definitions[f"{kind}.{n}"] = entry(known.get(n), definitions)
    named = {**{shown[n]: n for n in names}, **short}
    words = {n: definitions[f"{kind}.{n}"]["description"].split("\n", 1)[0] for n in names}
    pattern = "|".join([VARIABLE, *(f"^{other}$" for other in sorted(others))])
    definitions[f"{kind}.name"] = any_of([
        *({"const": given, "description": words[n]} for given, n in named.items()),
        {"type": "string", "pattern": pattern, "patternErrorMessage": f"expected the name of a {singular(kind)}"},
    ])  # fmt: skip
    definitions[f"{kind}.entry"] = {
        "type": "object",
        "minProperties": 1,
        "maxProperties": 1,
        "additionalProperties": False,
        "properties": {given: reference_to(f"{kind}.{n}") for given, n in named.items()},
        "patternProperties": {f"^{other}$": reference_to(f"{kind}.{n}") for other, n in sorted(others.items())},
    }
    definitions[kind] = any_of([reference_to(f"{kind}.name"), reference_to(f"{kind}.entry")])
    return definitions


def any_of(forms: list[Schema]) -> Schema:
    """A schema of several forms: one flat schema as far as their types are apart."""
    flat: list[Schema] = []
    for form in forms:
        inner = form.get("anyOf")
        flat += [{**f} for f in inner] if inner and not set(form) - {"anyOf"} else [form]
    merged: list[Schema] = []
    for form in flat:
        if form in merged:
            continue
        at = next((i for i, other in enumerate(merged) if _apart(other, form)), None)
        if at is None:
            merged.append(form)
        else:
            other = merged[at]
            merged[at] = {**form, **other, "type": [*_types(other), *_types(form)]}
    return merged[0] if len(merged) == 1 else {"anyOf": merged}


def with_variable(schema: Schema) -> Schema:
    """The schema, and `${…}` in its place."""
    forms = schema.get("anyOf", [schema])
    if not schema or any("string" in _types(f) and "enum" not in f and "const" not in f for f in forms) or "$ref" in schema:
        return schema
    words = list(dict.fromkeys(_WORDS[t] for f in forms for t in _types(f) if t in _WORDS and t != "null"))
    message = _VARIABLE_MESSAGE.format(" or ".join(words)) if words else "expected one of the values, or a variable"
    rest = {k: v for k, v in schema.items() if k in ("description", "default")}
    bare = [{k: v for k, v in f.items() if k not in rest} for f in forms]
    return {**any_of([*bare, {"type": "string", "pattern": VARIABLE, "patternErrorMessage": message}]), **rest}


def _types(schema: Schema) -> list[str]:
    found = schema.get("type", [])
    return [found] if isinstance(found, str) else list(found)


def _apart(a: Schema, b: Schema) -> bool:
    """Whether two schemas can be one: their types differ, and no keyword of one would count for the other's."""
    mixed = {"enum", "const", "$ref", "anyOf"}
    alike = (set(a) & set(b)) - {"type", "description"}
    numbers = {"integer", "number"}
    ta, tb = set(_types(a)), set(_types(b))
    return bool(ta and tb) and not (mixed & (set(a) | set(b))) and not ta & tb and not alike and not (numbers & ta and numbers & tb)


def _as_written(schema: Schema) -> Schema:
    """Pydantic's schema in draft 7, with names of catalogues, wider forms and variables."""
    made = _forms(schema)
    return made if "properties" in made or made.get("enum") == [] else with_variable(made)


def _forms(schema: Schema) -> Schema:
    """The same without a variable in place of the whole."""
    kept = {k: v for k, v in schema.items() if k in ("description", "default")}
    if REFERENCE in schema:
        forms = [reference_to(schema[REFERENCE]), {"type": ["number", "null"] if schema.get(OR_NUMBER) else "null"}]
        return {"anyOf": forms, **kept}
    out = {k: v for k, v in schema.items() if k not in ("title", _BEFORE, "anyOf", "allOf", *kept)}
    several = schema.get("anyOf") or schema.get("allOf")
    if several:
        out = {**any_of([_forms(f) for f in several]), **out}
    for key in ("items", "additionalProperties"):
        if isinstance(out.get(key), dict):
            out[key] = _as_written(out[key])
    if "prefixItems" in out:
        out["items"] = [_as_written(i) for i in out.pop("prefixItems")]
    if "properties" in out:
        out["properties"] = {n: _as_written(p) for n, p in out["properties"].items()}
    return {**(_widened(out) if schema.get(_BEFORE) else out), **kept}


def _widened(schema: Schema) -> Schema:
    """What may stand before a conversion: one value for a list of such, any scalar in a list of texts, text for a mapping."""
    forms = [dict(f) for f in schema.get("anyOf", [schema])]
    more: list[Schema] = []
    for f in forms:
        if "array" in _types(f) and isinstance(f.get("items"), dict):
            if _types(f["items"]) == ["string"]:
                f["items"] = {"type": ["string", "number", "boolean", "null"]}
            else:
                more.append({"type": [t for t in _types(f["items"]) if t != "string"]})
        if "$ref" in f or "object" in _types(f):
            more.append({"type": "string"})
    return any_of([*forms, *more])


def _no_mapping(schema: Schema) -> list[Schema]:
    """The schema's forms without mappings: behind a name, a mapping is the arguments."""
    out = []
    for f in schema.get("anyOf", [schema]):
        if "$ref" in f:
            kind = f["$ref"].rsplit("/", 1)[1]
            if kind in CATALOGUES:
                out.append({"$ref": f"{f['$ref']}.name"})
            continue
        types = [t for t in _types(f) if t != "object"]
        if types or not _types(f):
            kept = {k: v for k, v in f.items() if k not in ("type", "properties", "additionalProperties", "required")}
            out.append({**kept, "type": types[0] if len(types) == 1 else types} if types else kept)
    return out
