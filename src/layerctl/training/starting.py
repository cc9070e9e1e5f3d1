"""Starting from other weights: those of a file, matched with a model's by name or by order."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from layerctl.diagnostics import Diagnostic, LayerctlError, Source, Span, did_you_mean, fail, placed
from layerctl.modelfile.hdf5 import Array
from layerctl.modelfile.kerasweights import order
from layerctl.modelfile.weightfiles import WeightFile, read
from layerctl.ops.value import Weight

_MOST_NAMED = 12


@dataclass(frozen=True)
class Loaded:
    """Which of the model's weights were taken from a file, which were not there, which have another shape, and what else the file has."""

    loaded: list[str]
    missing: list[str] = field(default_factory=list)
    mismatched: list[str] = field(default_factory=list)
    unused: list[str] = field(default_factory=list)

    def lines(self, path: str) -> list[str]:
        """The same for people."""
        out = [f"{len(self.loaded)} weights from {path}"]
        for what, names in (("not in the file", self.missing), ("of another shape", self.mismatched), ("in the file alone", self.unused)):
            if names:
                out.append(f"{what}: {_listed(names)}")
        return out


def own_order(weights: Sequence[Weight]) -> list[Weight]:
    """Weights in Keras's order, those that are trained first; states that are carried between batches are not saved."""
    kept = [w for w in weights if not w.flags.get("stateful")]
    return [*(w for w in kept if w.trainable), *(w for w in kept if not w.trainable)]


def by_owner(weights: Sequence[Weight]) -> dict[str, list[Weight]]:
    """Weights by the path of the layer that declares them, in Keras's order."""
    out: dict[str, list[Weight]] = {}
    for w in weights:
        out.setdefault(w.path.rpartition("/")[0], []).append(w)
    return {path: own for path, ws in out.items() if (own := own_order(ws))}


def starting_weights(
    weights: Sequence[Weight], path: str | os.PathLike[str], *, by_name: bool = True, partial: bool = False, span: Span | None = None
) -> tuple[dict[str, np.ndarray], Loaded]:  # fmt: skip
    """(values by the weights' paths, what was found): `matched`, read."""
    taken, found = matched(weights, path, by_name=by_name, partial=partial, span=span)
    return {p: a.read() for p, a in taken.items()}, found


def matched(
    weights: Sequence[Weight], path: str | os.PathLike[str], *, by_name: bool = True, partial: bool = False, span: Span | None = None
) -> tuple[dict[str, Array], Loaded]:
    """(the file's arrays by the weights' paths, what was found).

    With `partial`, weights that the file does not have or has in another shape are left as they are.

    Raises:
        LayerctlError: for a file that cannot be read; and, unless `partial`, for all names and shapes that do not fit; in any case if
            nothing fits.
    """
    with placed(span):
        file = read(path)
    place = span or Span(Source(os.fspath(path)))
    if not by_name and not file.ordered:
        fail("no-order", f"the weights in {os.path.basename(os.fspath(path))!r} stand in the order of their names: match them by name", place,
             hint="leave `by_name: false` out")  # fmt: skip
    wanted = [w for w in weights if not w.flags.get("stateful")]
    pairs = _by_name(wanted, file) if by_name else _by_order(wanted, file)
    taken, missing, mismatched = {}, [], []
    used: set[str] = set()
    for w in wanted:
        label, array = pairs.get(w.path, ("", None))
        if array is None:
            missing.append(w.path)
            continue
        used.add(label)
        if array.shape != tuple(w.shape):
            mismatched.append(f"{w.path} {tuple(w.shape)}, in the file {array.shape}")
        else:
            taken[w.path] = array
    unused = [n for n in file.names() if n not in used]
    found = Loaded(list(taken), missing, mismatched, unused)
    if not taken or (not partial and (missing or mismatched or unused)):
        raise LayerctlError(_problems(found, os.path.basename(os.fspath(path)), place, file, partial))
    return taken, found


def _by_name(weights: Sequence[Weight], file: WeightFile) -> dict[str, tuple[str, Array]]:
    """The file's name and array for each weight: its whole name, or its place among those of its layer."""
    out = {w.path: (w.path, file.named[w.path]) for w in weights if w.path in file.named}
    layers = {layer.path: layer for layer in file.layers}
    for path, own in by_owner(weights).items():
        layer = layers.get(path)
        for i, (w, array) in enumerate(zip(own, layer.arrays if layer is not None else (), strict=False)):
            out[w.path] = (f"{path}/{i}", array)
    out |= _within(weights, file, set(out))
    for layer in file.layers:  # older files list all of a layer's weights under its own name, those of layers inside of it too
        own = own_order([w for w in weights if w.path.startswith(f"{layer.path}/")])
        if len(own) == len(layer.arrays) and not any(w.path in out for w in own):
            out |= {w.path: (f"{layer.path}/{i}", a) for i, (w, a) in enumerate(zip(own, layer.arrays, strict=True))}
    return out


def _within(weights: Sequence[Weight], file: WeightFile, done: set[str]) -> dict[str, tuple[str, Array]]:
    """Weights of layers inside of a layer that the file has: those inside often have names that Keras numbered, and go by order."""
    out: dict[str, tuple[str, Array]] = {}
    groups: dict[str, list[list[Weight]]] = {}
    for path, own in by_owner(weights).items():
        groups.setdefault(path.split("/")[0], []).append(own)
    for name, parts in groups.items():
        inside = [x for x in file.layers if x.path.split("/")[0] == name and "/layers/" not in x.place]
        fits = len(inside) == len(parts) and not any(w.path in done for own in parts for w in own)
        for own, layer in zip(parts, sorted(inside, key=order), strict=True) if fits else ():
            out |= {w.path: (f"{layer.path}/{i}", a) for i, (w, a) in enumerate(zip(own, layer.arrays, strict=False))}
    return out


def _by_order(weights: Sequence[Weight], file: WeightFile) -> dict[str, tuple[str, Array]]:
    found = [(n, a) for n, a in file.named.items()] + [
        (f"{layer.path}/{i}", a) for layer in file.layers for i, a in enumerate(layer.arrays)
    ]
    return {w.path: pair for w, pair in zip(weights, found, strict=False)}


def _problems(found: Loaded, name: str, span: Span, file: WeightFile, partial: bool) -> list[Diagnostic]:
    if not found.loaded and found.missing and found.unused:
        text = f"none of the model's weights is in {name!r}: it has {_listed(found.unused)}, the model {_listed(found.missing)}"
        cure = "give weights of layers that are called the same" + ", or match them by order: `by_name: false`" * file.ordered
        return [Diagnostic("missing-weight", text, span, (), cure)]
    out = []
    cure = None if partial else "with `partial: true` only what fits is taken"
    if found.mismatched:
        out.append(Diagnostic("wrong-weight", f"weights of another shape in {name!r}: {_listed(found.mismatched)}", span, (), cure))
    if found.missing:
        near = did_you_mean(found.missing[0], file.names())
        out.append(Diagnostic("missing-weight", f"the model's weights that {name!r} lacks: {_listed(found.missing)}{near}", span, (), cure))
    if found.unused and not partial:
        out.append(Diagnostic("unknown-weight", f"weights of {name!r} that the model does not have: {_listed(found.unused)}", span, (), cure))
    return out


def _listed(names: Sequence[str]) -> str:
    more = len(names) - _MOST_NAMED
    return ", ".join(names[:_MOST_NAMED]) + (f" and {more} more" if more > 0 else "")

