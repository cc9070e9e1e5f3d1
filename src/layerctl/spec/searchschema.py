"""JSON Schema of ranges, `{search: [16, 256], scale: log}`, and their place wherever a value stands.

Whether a mapping is a range is a condition and no further alternative: where it is none, editors say what they would say without ranges.
"""

from __future__ import annotations

from collections.abc import Container

from layerctl.spec.jsonschema import Schema, reference_to
from layerctl.spec.search import KEY, KEYS, NAMED_BY_USERS, SCALES

_RANGE, _IS, _SURELY = "search", "search.is", "search.surely"
_OUTSIDE = ("description", "default")


def searchable(whole: Schema, fixed: Container[str]) -> Schema:
    """The schema of a file with ranges in place of values, but for the sections in `fixed` themselves."""
    definitions: dict[str, Schema] = whole["definitions"]
    wanted: set[str] = set()
    root = {**whole, "definitions": {}, "properties": {n: s for n, s in whole["properties"].items() if n not in fixed}}
    made = _inside(root, wanted)
    made["properties"] = {n: made["properties"].get(n, s) for n, s in whole["properties"].items()}
    inner = {name: _inside(d, wanted) for name, d in definitions.items()}
    ranges = {name: _or_range(d, _IS) if name in wanted else d for name, d in inner.items()}
    return {**made, "definitions": {**ranges, **_definitions()}}


def _definitions() -> dict[str, Schema]:
    """A range, and two conditions: that a mapping is one, and that one is where `search` may be a name of the user's own."""
    number: Schema = {"type": "number"}
    pair: Schema = {"items": number, "minItems": 2, "maxItems": 2}
    choices: Schema = {"required": ["choices"], "additionalProperties": False, "properties": {"choices": {
        "type": "array", "minItems": 2, "description": "Values of any kind, and mappings with further ranges."}}}  # fmt: skip
    keys = {KEY: {"type": ["array", "object"], **pair, **choices}, "scale": {"enum": list(SCALES)}, "step": {**number, "exclusiveMinimum": 0}, "default": {}}
    properties = {k: {**keys[k], "description": words} for k, words in KEYS.items()}
    given: Schema = {"type": "object", "required": [KEY]}
    either: Schema = {"anyOf": [{"type": "array", **pair}, {"type": "object", "required": ["choices"]}]}
    return {_RANGE: {**given, "additionalProperties": False, "properties": properties}, _IS: given, _SURELY: {**given, "properties": {KEY: either}}}


def _or_range(schema: Schema, condition: str) -> Schema:
    outside = {k: schema[k] for k in _OUTSIDE if k in schema}
    inside = {k: v for k, v in schema.items() if k not in outside}
    if not inside:
        return schema
    offered = [o for form in inside.get("anyOf", inside.get("allOf", [inside])) for o in _offered(form)]
    hints = {"anyOf": [*offered, {}]} if offered else {}
    return {"if": reference_to(condition), "then": reference_to(_RANGE), "else": inside, **hints, **outside}


def _offered(form: Schema) -> list[Schema]:
    """What editors offer for a value: they look for it in alternatives, and not behind conditions. Beside one that takes all, they check nothing."""
    out = [{k: form[k] for k in (key, "description") if k in form} for key in ("$ref", "enum", "const") if key in form]
    types = form.get("type", ())
    return out or ([{"type": "boolean"}] if "boolean" in ([types] if isinstance(types, str) else types) else [])


def _value(schema: Schema, name: str | None, wanted: set[str]) -> Schema:
    """The schema of what stands under a key or in a list; a definition that it names alone is noted as `wanted` with ranges, for all its uses."""
    if name in NAMED_BY_USERS:
        return _or_range(_inside(schema, wanted), _SURELY)
    named = schema["allOf"][0] if len(schema.get("allOf", ())) == 1 and not set(schema) - {"allOf", *_OUTSIDE} else schema
    if "$ref" in named:
        wanted.add(named["$ref"].rsplit("/", 1)[1])
        return schema
    return _or_range(_inside(schema, wanted), _IS)


def _inside(schema: Schema, wanted: set[str]) -> Schema:
    """The schema with ranges for the values inside of what it describes."""
    out = dict(schema)
    if "properties" in out:
        out["properties"] = {n: _value(s, n, wanted) for n, s in out["properties"].items()}
    if "patternProperties" in out:
        out["patternProperties"] = {n: _value(s, None, wanted) for n, s in out["patternProperties"].items()}
    for key in ("items", "additionalProperties"):
        if isinstance(out.get(key), dict):
            out[key] = _value(out[key], None, wanted)
        elif isinstance(out.get(key), list):
            out[key] = [_value(s, None, wanted) for s in out[key]]
    for key in ("anyOf", "allOf"):
        if key in out:
            out[key] = [_inside(s, wanted) for s in out[key]]
    for key in ("then", "else"):
        if key in out:
            out[key] = _inside(out[key], wanted)
    return out
