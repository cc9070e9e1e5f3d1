"""The YAML that an import writes: the sections, and beside each layer the shape of its result."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from layerctl.source.dump import dumps

WIDEST = 110


def is_name(value: object) -> bool:
    """Whether what a file calls a layer can be its name here."""
    short = isinstance(value, str) and 0 < len(value) <= 200 and value not in (".", "..")
    return short and str(value).isprintable() and not set("/\\") & set(str(value))


def document(head: Sequence[str], sections: Mapping[str, Any], notes: Sequence[str]) -> str:
    """The text of a model file. `notes` are comments for the model's items, in order."""
    out = [f"# {line}" for line in head]
    for key, value in sections.items():
        if key == "model":
            out += ["", *_model(value, notes)]
        else:
            out += [*([""] if key in ("define", "compile", "fit") else []), dumps({key: value}).rstrip("\n")]
    return "\n".join(out) + "\n"


def _model(model: Any, notes: Sequence[str]) -> list[str]:
    if isinstance(model, list):
        return ["model:", *_items(model, notes, 2)]
    lines = dumps({"model": {"inputs": model["inputs"]}}).rstrip("\n").split("\n")
    lines += ["  layers:", *_items(model["layers"], notes, 4)]
    return lines + ["  " + row for row in dumps({"outputs": model["outputs"]}).rstrip("\n").split("\n")]


def _items(items: Sequence[Mapping[str, Any]], notes: Sequence[str], indent: int) -> list[str]:
    out, left = [], iter(notes)
    for item in items:
        first, *rest = dumps([item]).rstrip("\n").split("\n")
        note = next(left, "") if "Input" not in item else ""
        if note and indent + len(first) + len(note) < WIDEST:
            first += f"  # {note}"
        out += [" " * indent + row for row in (first, *rest)]
    return out

