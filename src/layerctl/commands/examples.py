"""An example of each layer: a model of that layer alone, and what `layerctl build` says of it.

examples.yaml holds one case of each layer's specification: `python -m layerctl.commands.examples tests/layers` takes them from there.
"""

from __future__ import annotations

import functools
import re
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from layerctl.catalogue import catalogue
from layerctl.source.dump import dumps
from layerctl.source.read import loads

CASES = Path(__file__).with_name("examples.yaml")
_BLOCK = re.compile(r"```yaml\n(.*?)```", re.DOTALL)


HEAD = ("layer", "type", "output shape", "parameters")


@dataclass(frozen=True)
class Example:
    """A model file that uses a layer, and the rows of its summary (HEAD)."""

    yaml: str
    rows: list[tuple[str, str, str, int]]


@functools.cache
def cases() -> dict[str, dict[str, Any]]:
    """{layer: {input, layer}}; an input is a shape with the batch, {shape, dtype} or {texts}, or a list of these."""
    return loads(CASES.read_text(encoding="utf-8"), CASES.name).plain()


def example_of(name: str) -> Example | None:
    """A layer's example, built; None for layers that installed packages add."""
    from layerctl.api import Model

    case = cases().get(name)
    if case is None:
        return None
    text = model_of(case)
    described = Model.from_yaml(text).describe()
    return Example(text, [(r.name, r.kind, r.shape, r.parameters) for r in described.rows])


def model_of(case: dict[str, Any]) -> str:
    """The YAML of a model that does what a case does."""
    ports = [_port(p) for p in (case["input"] if _several(case["input"]) else [case["input"]])]
    layer = case["layer"]
    if len(ports) == 1:
        own = isinstance(layer, dict) and "Input" in layer
        return dumps({"layerctl": 1, "model": [layer] if own else [{"Input": ports[0]}, layer]})
    names = [chr(ord("a") + i) for i in range(len(ports))]
    item = {**(layer if isinstance(layer, dict) else {layer: None}), "from": names, "name": "result"}
    text = dumps({"layerctl": 1, "model": {"inputs": dict(zip(names, ports, strict=True)), "layers": [item], "outputs": ["result"]}})
    return text.replace(": null\n      from:", ":\n      from:")


def _several(given: Any) -> bool:
    return isinstance(given, list) and isinstance(given[0], (list, dict))


def _port(given: Any) -> dict[str, Any]:
    """The arguments of an Input for a case's input."""
    if isinstance(given, list):
        return {"shape": given[1:]}
    if "texts" in given:
        inner = given["texts"][0]
        return {"shape": [len(inner)] if isinstance(inner, list) else [], "dtype": "string"}
    return {"shape": given["shape"][1:], **({"dtype": given["dtype"]} if "dtype" in given else {})}


def gather(folder: Path) -> dict[str, dict[str, Any]]:
    """For each layer the plainest case of the specifications, the first of several."""
    found = [loads(b, p.name).plain() for p in sorted(folder.glob("*.md")) for b in _BLOCK.findall(p.read_text(encoding="utf-8"))]
    usable = [c for c in found if not {"error", "extra"} & set(c)]
    out = {}
    for name in catalogue("layers").entries:
        fitting = [c for c in usable if re.search(rf"\b{name}\b", str(c["layer"]))]
        if fitting:
            best = min(fitting, key=lambda c: _oddity(c, name))
            out[name] = {"input": _kept(best["input"]), "layer": best["layer"]}
    return out


def _oddity(case: dict[str, Any], name: str) -> int:
    """How little a case is the usual one: another layer around it, states, training, masks, Keras left out, channels first, many arguments."""
    layer, text = case["layer"], str(case)
    direct = layer == name or (isinstance(layer, dict) and name in layer)
    given = layer.get(name) if isinstance(layer, dict) else None
    more = max(0, len(given) - 2) if isinstance(given, dict) else 0
    words = ("return_state", "'training'", "'mask'", "'keras'", "channels_first")
    return 100 * (not direct) + more + sum((len(words) - i) * 2 for i, word in enumerate(words) if word in text)


def _kept(given: Any) -> Any:
    """A case's input without what fills its tensor."""
    if _several(given):
        return [_kept(g) for g in given]
    return {k: v for k, v in given.items() if k in ("shape", "dtype", "texts")} if isinstance(given, dict) else given


def write(folder: Path) -> str:
    """The text of examples.yaml."""
    return dumps(gather(folder))


if __name__ == "__main__":
    CASES.write_text(write(Path(sys.argv[1])), encoding="utf-8")
    print(CASES)
