"""Where Keras's files keep weights: an index of arrays by layer, for both layouts that Keras has written.

Keras 3 keeps `layers/<class>_<n>/…/vars/<i>`, with the layer's name in an attribute of `vars` (since 3.6); older whole-model files keep
`model_weights/<layer>/<weight name>` with the order in an attribute.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from layerctl.modelfile.hdf5 import Array, Group

CONTAINERS = ("layers", "cells", "_layers")
ASIDE = ("optimizer", "seed_generator", "_metrics", "metrics", "vars", "random_generator", "states")
"""Groups that hold no weights of layers."""
IDF = "idf_weights"
"""An array of a lookup that is an argument of the layer here."""


CLASSES = {"GroupQueryAttention": "GroupedQueryAttention"}
"""Layers whose class Keras calls otherwise than it exports it."""
_WORDS = re.compile(r"(?<=.)(?=[A-Z][a-z])|(?<=[a-z])(?=[A-Z])")


def place_of(kind: str) -> str:
    """What Keras's files call a layer of a class: `PReLU` is `p_re_lu`, `Conv2DTranspose` is `conv2d_transpose`."""
    return _WORDS.sub("_", CLASSES.get(kind, kind)).lower()


@dataclass(frozen=True)
class Layer:
    """What a file has of one layer: its path of names (`outer/inner`), its place in the file, its arrays in Keras's order."""

    path: str
    place: str
    arrays: Sequence[Array]


_ATTRIBUTES = ("layer", "forward_layer", "backward_layer", "cell", "query", "key", "gate", "value", "output", "attention_output")
"""Keras's attributes that hold layers, in the order of the weights."""


def order(layer: Layer) -> list[tuple[int, int]]:
    """Sorts layers inside of one layer as their weights are in order, for matching where their names differ."""
    return [_rank(p) for p in layer.place.split("/")]


def _rank(part: str) -> tuple[int, int]:
    stem = part.removesuffix("_dense").lstrip("_")
    if stem in _ATTRIBUTES:
        return _ATTRIBUTES.index(stem), 0
    head, _, number = part.rpartition("_")
    return len(_ATTRIBUTES), int(number) if head and number.isdecimal() and len(number) < 9 else 0


def layers(root: Group) -> list[Layer]:
    """The layers of a file that have weights.

    A layer without a name in the file goes by the last part of its place there.
    """
    if is_older(root):
        return list(_older(root.groups.get("model_weights", root)))
    return list(_layers(root, (), ""))


def _layers(group: Group, path: tuple[str, ...], place: str) -> Iterator[Layer]:
    own = group.groups.get("vars")
    if own is not None and place and (names := [k for k in _numbered(own.arrays) if k != IDF]):
        yield Layer("/".join(path), place, [own.arrays[k] for k in names])
    for key in group.groups:
        if key in CONTAINERS:
            for name, inner in group.groups[key].groups.items():
                yield from _layers(inner, (*path, _name(inner, name)), f"{place}/{key}/{name}".lstrip("/"))
        elif key not in ASIDE and not ("seed" in key and _is_seed(group.groups[key])):
            inner = group.groups[key]
            yield from _layers(inner, (*path, _name(inner, key)), f"{place}/{key}".lstrip("/"))


def _is_seed(group: Group) -> bool:
    own = group.groups.get("vars")
    return own is not None and all(a.dtype.startswith("uint") for a in own.arrays.values())


def _name(group: Group, key: str) -> str:
    own = group.groups.get("vars")
    return own.name if own is not None and own.name else key


def in_order(group: Group) -> list[Array]:
    """A group's arrays as its list of names has them, or by their numbers."""
    listed = group.attributes.get("weight_names")
    named = [_at(group, str(n)) for n in listed] if isinstance(listed, list) else []
    found = [a for a in named if a is not None]
    return found if found and len(found) == len(named) else [group.arrays[k] for k in _numbered(group.arrays)]


def _numbered(arrays: Mapping[str, Array]) -> list[str]:
    return sorted(arrays, key=lambda k: (0, int(k), k) if k.isdecimal() and len(k) < 9 else (1, 0, k))


def is_older(root: Group) -> bool:
    """Whether a file has the older layout, in which layers are listed in order."""
    return "model_weights" in root.groups or "layer_names" in root.attributes


def _older(root: Group) -> Iterator[Layer]:
    names = root.attributes.get("layer_names")
    for name in dict.fromkeys([*(n for n in names if n in root.groups), *root.groups]) if isinstance(names, list) else root.groups:
        group = root.groups[name]
        listed = group.attributes.get("weight_names")
        found = [_at(group, str(n)) for n in listed] if isinstance(listed, list) else []
        arrays = [a for a in found if a is not None]
        if arrays and len(arrays) == len(found):
            yield Layer(name, name, arrays)


def _at(group: Group, path: str) -> Array | None:
    *groups, last = path.split("/")
    found = group.at(*groups)
    return found.arrays.get(last) if found is not None else None
