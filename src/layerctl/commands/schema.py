"""`layerctl schema`: the JSON Schema of the whole file, for editors: `python -m layerctl.commands.schema` writes the one that ships."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

from layerctl.catalogue import CATALOGUES
from layerctl.graph.define import BLOCK_KEYS, LAYER_KEYS
from layerctl.layers._definition import WEIGHT_KEYS
from layerctl.losses.base import BY_SHAPE
from layerctl.metrics.base import BY_LOSS
from layerctl.spec.data import DataSpec
from layerctl.spec.file import COMPILE, FORMAT, SECTIONS, FitSpec
from layerctl.spec.items import RESERVED
from layerctl.spec.jsonschema import Schema, any_of, arguments, catalogue_schemas, reference_to, with_variable
from layerctl.spec.searchschema import searchable
from layerctl.training.bases import KEY, UPTO

SHIPPED = Path(__file__).with_name("layerctl.schema.json")

FIXED = ("layerctl", "include", "vars", "define")
"""Sections that no range stands in the place of: it would be the format, a file's name, or the user's own names."""

_TEXT: Schema = {"type": "string"}
_TEXTS: Schema = {"type": "array", "items": _TEXT}
_NAMES: Schema = {"type": ["string", "array"], "items": _TEXT}
_NULL: Schema = {"type": "null"}
_SIZES: Schema = {"type": "array", "items": {"type": ["integer", "string"]}}


def modeline(schema: str | None = None) -> str:
    """The first line of a file by which editors find its schema: the shipped one, or the path or address that is given."""
    return f"# yaml-language-server: $schema={schema or SHIPPED.as_uri()}"


def schema(installed: bool = True) -> Schema:
    """The schema of a file, in draft 7; with `installed` also what other packages add to the catalogues."""
    definitions: dict[str, Schema] = {}
    for kind in CATALOGUES:
        definitions |= catalogue_schemas(kind, installed)
    definitions["data"] = arguments(DataSpec, definitions)
    definitions["fit"] = arguments(FitSpec, definitions)
    definitions |= _items(definitions["layers.entry"])
    definitions |= _judging()
    definitions |= {"model": _model("items"), "model.open": _model("items.open"), "define": _define()}
    sections = {
        "layerctl": {"const": FORMAT}, "include": _NAMES, "name": _TEXT, "seed": with_variable({"type": "integer", "minimum": 0}),
        "vars": {"type": ["object", "null"]}, "data": reference_to("data"), "define": reference_to("define"), "model": {},
        "compile": {}, "fit": reference_to("fit"),
    }  # fmt: skip
    whole: Schema = {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "layerctl",
        "type": "object",
        "additionalProperties": False,
        "properties": _described(sections, SECTIONS),
        "if": {"anyOf": [{"required": ["define"]}, {"required": ["include"]}]},  # then names may be the file's own
        "then": {"properties": {"model": reference_to("model.open"), "compile": reference_to("compile.open")}},
        "else": {"properties": {"model": reference_to("model"), "compile": reference_to("compile")}, "required": ["layerctl", "model"]},
    }
    return searchable({**whole, "definitions": _shared(definitions)}, FIXED)


def text(installed: bool = True) -> str:
    """The schema as JSON, one definition a line."""
    made = schema(installed)
    definitions = made.pop("definitions")
    lines = ",\n".join(f"  {json.dumps(n)}: {json.dumps(d, ensure_ascii=False, allow_nan=False)}" for n, d in sorted(definitions.items()))
    head = json.dumps(made, ensure_ascii=False, allow_nan=False, indent=1)
    return f'{head[:-2]},\n "definitions": {{\n{lines}\n }}\n}}\n'


def _described(schemas: dict[str, Schema], words: dict[str, str]) -> dict[str, Schema]:
    """Each key's schema with what it is for; a reference goes into `allOf`, since what stands beside one is not read.

    Raises:
        KeyError: for a key without a schema.
    """
    return {k: {**(s if "$ref" not in s else {"allOf": [s]}), "description": words[k]} for k in words for s in [schemas[k]]}


def _closed(schemas: dict[str, Schema], words: dict[str, str], **more: Any) -> Schema:
    return {"type": "object", "additionalProperties": False, "properties": _described(schemas, words), **more}


def _items(layers: Schema) -> dict[str, Schema]:
    """Items of a list of layers: those of a file that defines layers of its own are open to any name."""
    sources = {
        "type": ["string", "array", "object", "null"],
        "items": _TEXT,
        "additionalProperties": {"type": ["string", "array", "boolean"], "items": _TEXT},
    }
    beside = _described(
        {"name": _NAMES, "from": sources, "use": _TEXT, "repeat": with_variable({"type": "integer", "minimum": 1, "maximum": 1000}),
         "trainable": with_variable({"type": "boolean"}), "print": {"type": ["boolean", "string"]}}, RESERVED,
    )  # fmt: skip
    base = {
        KEY: {"type": "string", "description": "A trained model as a layer: a run's folder or a model.safetensors, relative to the file."},
        UPTO: {"type": "string", "description": "The last layer of the trained model that is taken; all of it if not given."},
    }
    item = {"type": "object", "minProperties": 1, "properties": {**beside, **layers["properties"], **base}}
    item["patternProperties"] = layers["patternProperties"]
    return {
        "item": any_of([reference_to("layers.name"), {**item, "additionalProperties": False}]),
        "item.open": any_of([reference_to("layers.name"), item, _TEXT]),
        "items": {"type": "array", "items": reference_to("item")},
        "items.open": {"type": "array", "items": reference_to("item.open")},
    }


def _model(items: str) -> Schema:
    inputs = {"type": "object", "additionalProperties": reference_to("layers.Input")}
    outputs = {**_NAMES, "description": "The names of the results; the last item's if not given."}
    functional = {
        "type": "object",
        "additionalProperties": False,
        "required": ["layers"],
        "properties": {
            "inputs": {**inputs, "description": "Inputs by name: `{shape: [28, 28, 1]}`; the data section's features if not given."},
            "layers": {"allOf": [reference_to(items)], "description": "The layers, wired by `from` and `name`."},
            "outputs": outputs,
        },
    }
    return {"anyOf": [{"type": "array", "items": reference_to(items.replace("items", "item"))}, functional]}


def _define() -> Schema:
    """Blocks and layers of expressions; which of the two a definition is, its key `layers` says."""
    weight = _closed({"shape": _SIZES, "initializer": reference_to("initializers"), "trainable": {"type": "boolean"},
                      "regularizer": reference_to("regularizers"), "constraint": reference_to("constraints")}, WEIGHT_KEYS, required=["shape"])  # fmt: skip
    expression: Schema = {"type": ["string", "number"]}
    expressions: Schema = {"type": "object", "additionalProperties": expression}
    shared = {"args": {"type": ["object", "null"]}, "inputs": _NAMES}
    block = _closed({**shared, "layers": reference_to("items.open"), "outputs": _NAMES}, BLOCK_KEYS)
    layer = _closed(
        {**shared, "weights": {"type": "object", "additionalProperties": weight}, "update": expressions, "call": expression, "add_loss": expression,
         "state": {"type": "object", "additionalProperties": {"type": ["integer", "string"]}}, "next": expressions,
         "supports_masking": {"type": "boolean"}}, LAYER_KEYS, required=["call"],
    )  # fmt: skip
    return {"type": ["object", "null"], "additionalProperties": {"type": "object", "if": {"required": ["layers"]}, "then": block, "else": layer}}


def _judging() -> dict[str, Schema]:
    """The `compile` section: an entry for all outputs, a list, or a mapping by output."""

    def forms(kind: str, more: tuple[str, ...]) -> dict[str, Schema]:
        known = [reference_to(f"{kind}.name"), reference_to(f"{kind}.entry"), {"enum": list(more)}, _NULL]
        own = [_TEXT, {"type": "object", "minProperties": 1, "maxProperties": 1}]
        out: dict[str, Schema] = {}
        for ending, ways in (("", known), (".open", [*known, *own])):
            one = reference_to(f"{kind}.one{ending}")
            many: Schema = {"type": "array", "items": any_of([one, {"type": "array", "items": one}])}
            by_output: Schema = {"type": "object", "additionalProperties": any_of([one, many])}
            out |= {f"{kind}.one{ending}": any_of(ways), f"{kind}.given{ending}": any_of([one, many, by_output])}
        return out

    number: Schema = with_variable({"type": "number"})
    numbers: Schema = {"type": "array", "items": any_of([number, {"type": "array", "items": number}])}
    weights = any_of([number, numbers, {"type": "object", "additionalProperties": any_of([number, numbers])}])

    def section(ending: str) -> Schema:
        keys = {"optimizer": reference_to("optimizers"), "loss": reference_to(f"losses.given{ending}"), "loss_weights": weights,
                "metrics": reference_to(f"metrics.given{ending}"), "weighted_metrics": reference_to(f"metrics.given{ending}")}  # fmt: skip
        return _closed(keys, COMPILE)

    judges = {**forms("losses", BY_SHAPE), **forms("metrics", tuple(BY_LOSS))}
    return {**judges, "compile": section(""), "compile.open": section(".open")}


def _shared(definitions: dict[str, Schema], least: int = 3) -> dict[str, Schema]:
    """The definitions with each argument's schema that several entries have in one place: a third of the size."""

    def text_of(s: Schema) -> str:
        return json.dumps(s, sort_keys=True)

    count = Counter((n, text_of(p)) for d in definitions.values() for form in (d, *d.get("anyOf", ())) for n, p in form.get("properties", {}).items())
    names: dict[tuple[str, str], str] = {}
    fields: dict[str, Schema] = {}
    for (n, t), times in sorted(count.items()):
        if times >= least and len(t) > 80:
            names[n, t] = f"argument.{n}" + (f".{k}" if (k := sum(o == n for o, _ in names)) else "")
            fields[names[n, t]] = json.loads(t)

    def form(s: Schema) -> Schema:
        out = dict(s)
        if "properties" in s:
            out["properties"] = {n: reference_to(names[n, text_of(p)]) if (n, text_of(p)) in names else p for n, p in s["properties"].items()}
        if "anyOf" in s:
            out["anyOf"] = [form(f) for f in s["anyOf"]]
        return out

    return {**{n: form(d) for n, d in definitions.items()}, **fields}


if __name__ == "__main__":
    SHIPPED.write_text(text(installed=False), encoding="utf-8")
    print(f"{SHIPPED.name}: {SHIPPED.stat().st_size:,} bytes")
