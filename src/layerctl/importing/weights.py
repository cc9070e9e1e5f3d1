"""The weights of a file saved by Keras under layerctl's names: by the layers' places in the file, then by name, then by order."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from layerctl.diagnostics import Diagnostic, Problems, Span
from layerctl.graph.model import Model
from layerctl.importing.archive import Saved
from layerctl.importing.expressions import is_op
from layerctl.importing.graph import model_kind
from layerctl.layers._defined import DefinedLayer
from layerctl.layers.base import Layer
from layerctl.modelfile import hdf5, kerasweights
from layerctl.modelfile.hdf5 import Array
from layerctl.ops.value import Weight
from layerctl.training.starting import by_owner, own_order


def weights_of(graph: Model, saved: Saved, problems: Problems, span: Span) -> tuple[dict[str, np.ndarray], list[Diagnostic]]:
    """Values for all of the graph's weights, and warnings; what is missing or has another shape goes to `problems`."""
    assert saved.weights is not None
    found = kerasweights.layers(saved.weights)
    warnings: list[Diagnostic] = []
    if saved.layout == "h5":
        groups = {layer.path: list(layer.arrays) for layer in found}
        pairs = [(layer, [(own_order(layer.weights()), groups.get(layer.path, []))]) for layer in graph.layers()]
    else:
        places = dict(_places(saved.config, "", ""))
        own = [layer for layer in graph.layers() if layer.path in places and isinstance(layer, (Model, DefinedLayer))]
        pairs = [(layer, [_of_a_class(layer, places[layer.path], found, warnings, span)]) for layer in own]
        pairs += [(layer, _parts(layer, places.get(layer.path), found)) for layer in _leaves(graph, own)]
        pairs = [(layer, _of_another_model(layer, parts, found, warnings, span)) for layer, parts in pairs]
    out: dict[str, np.ndarray] = {}
    for layer, parts in pairs:
        for weights, arrays in parts:
            _assign(layer, weights, arrays, out, problems, span)
    return out, warnings


def _leaves(graph: Model, without: Sequence[Layer] = ()) -> Iterator[Layer]:
    for layer in graph.layers():
        if any(layer is w for w in without):
            continue
        if isinstance(layer, Model):
            yield from _leaves(layer, without)
        else:
            yield layer


def _of_a_class(
    layer: Layer, place: str, found: Sequence[kerasweights.Layer], warnings: list[Diagnostic], span: Span
) -> tuple[list[Weight], Sequence[Array]]:  # fmt: skip
    """The weights of a definition that stands for a class of another program: by shape, by what they are called in both, then in order."""
    inside = sorted((f for f in found if f.place == place or f.place.startswith(f"{place}/")), key=kerasweights.order)
    arrays = [({*f.path.split("/"), *f.place.split("/")}, f.place, a) for f in inside for a in f.arrays]
    weights = own_order(layer.weights())
    if len(weights) != len(arrays):
        return weights, [a for *_, a in arrays]
    taken: list[Array] = []
    for w in weights:
        words = set(w.path.removeprefix(layer.path).strip("/").split("/"))
        fitting = [c for c in arrays if c[2].shape == tuple(w.shape)] or arrays
        most = max(len(words & c[0]) for c in fitting)
        best = [c for c in fitting if len(words & c[0]) == most]
        if len({c[1] for c in best}) > 1:
            warnings.append(Diagnostic("not-imported", f"which weights of the file '{w.path}' has is told by their order: several have its shape", span,
                                       hint="call the definition's weights and items as the program's class does", severity="warning"))  # fmt: skip
        arrays.remove(best[0])
        taken.append(best[0][2])
    return weights, taken


def give_vocabularies(saved: Saved) -> None:
    """Puts what lookups learned before the model was saved, which stands in files of its own, into their configurations."""
    for _, place, own in _placed(saved.config, "", ""):
        text = saved.assets.get(place)
        if text is None or own.get("vocabulary") is not None:
            continue
        lines = text.rstrip("\n").split("\n")
        whole = own.get("vocabulary_dtype") == "int64"
        own["vocabulary"] = [int(v) if whole and v.lstrip("-").isdecimal() else v for v in lines]
        group = saved.weights.at(*place.split("/"), "vars") if saved.weights is not None else None
        if group is not None and kerasweights.IDF in group.arrays:
            own["idf_weights"] = group.arrays[kerasweights.IDF].read().tolist()


def _places(config: Mapping[str, Any], place: str, path: str) -> Iterator[tuple[str, str]]:
    """(a layer's path, its place in the file) for the layers of a model: places are classes' names, numbered."""
    return ((name, here) for name, here, _ in _placed(config, place, path))


def paths(config: Mapping[str, Any]) -> list[str]:
    """The paths of a model's layers, those of nested models in their places, as Keras lists them."""
    return [name for name, _, _ in _placed(config, "", "")]


def _placed(config: Mapping[str, Any], place: str, path: str) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """(a layer's path, its place in the file, its configuration)."""
    inner = config.get("config")
    listed = inner.get("layers", []) if isinstance(inner, Mapping) else inner
    taken: dict[str, int] = {}
    for saved in listed if isinstance(listed, list) else ():
        if not isinstance(saved, Mapping) or is_op(saved):
            continue
        own = saved.get("config") if isinstance(saved.get("config"), dict) else {}
        kind = kerasweights.place_of(str(saved.get("class_name")))
        taken[kind] = taken.get(kind, -1) + 1
        here = f"{place}layers/{kind}" + (f"_{taken[kind]}" if taken[kind] else "")
        name = f"{path}{saved.get('name') or own.get('name')}"
        if model_kind(saved) is not None:
            yield from _placed(saved, f"{here}/", f"{name}/")
        else:
            yield name, here, own


Parts = list[tuple[list[Weight], Sequence[Array]]]


def _parts(layer: Layer, place: str | None, found: Sequence[kerasweights.Layer]) -> Parts:
    """What a layer and those inside of it declare, beside the file's arrays."""
    ours = by_owner(layer.weights())
    inside = [f for f in found if place is not None and (f.place == place or f.place.startswith(f"{place}/"))]
    inside = inside or [f for f in found if f.path == layer.path or f.path.startswith(f"{layer.path}/")]
    named = {f.path: f for f in inside}
    if set(ours) == set(named):
        return [(weights, named[path].arrays) for path, weights in ours.items()]
    ordered = sorted(inside, key=kerasweights.order)
    return [(weights, ordered[i].arrays if i < len(ordered) else []) for i, weights in enumerate(ours.values())]


def _of_another_model(layer: Layer, parts: Parts, found: Sequence[kerasweights.Layer], warnings: list[Diagnostic], span: Span) -> Parts:
    """The weights of a layer that stands in several models, one within the other: Keras writes them for one of them alone."""
    if not layer.weights() or any(arrays for _, arrays in parts):
        return parts
    name = layer.path.rpartition("/")[2]
    owners = {f.path[: at + len(name)] for f in found if (at := f"/{f.path}/".find(f"/{name}/")) >= 0}
    ours = by_owner(layer.weights())
    made = []
    for owner in owners:
        named = {layer.path + f.path.removeprefix(owner): f for f in found if f.path == owner or f.path.startswith(f"{owner}/")}
        if set(named) == set(ours):
            made.append([(weights, named[path].arrays) for path, weights in ours.items()])
    if len(made) != 1:
        return parts
    text = f"the layer '{name}' stands in several models of the file: '{layer.path}' has a copy of its weights here, which training changes by itself"
    warnings.append(Diagnostic("not-imported", text, span, severity="warning"))
    return made[0]


def _assign(
    layer: Layer, weights: Sequence[Weight], arrays: Sequence[Array], out: dict[str, np.ndarray], problems: Problems, span: Span
) -> None:  # fmt: skip
    extra = len(arrays) - len(weights)
    inner = [tuple(w.shape) for s in layer.sublayers() for w in s.weights()]
    if extra > 0 and all(a.shape in inner for a in arrays[:extra]):
        arrays = arrays[extra:]  # a wrapper that counts a weight of the layer inside as its own too (SpectralNormalization)
    if len(weights) != len(arrays):
        problems.error("wrong-weights", f"layer '{layer.path}' has {len(weights)} weights, the file holds {len(arrays)} for it", span, hint=hdf5.DAMAGED)
        return
    for w, a in zip(weights, arrays, strict=True):
        if a.shape != tuple(w.shape):
            problems.error("wrong-weights", f"the weight '{w.path}' has shape {tuple(w.shape)}, the file's has {a.shape}", span, hint=hdf5.DAMAGED)
            continue
        out[w.path] = a.read()
