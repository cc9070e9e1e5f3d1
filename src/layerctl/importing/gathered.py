"""What the optimizer of a file saved by Keras has gathered, under layerctl's names: Keras writes it as a bare list."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from layerctl.diagnostics import Diagnostic, Span
from layerctl.importing.archive import Saved
from layerctl.importing.weights import paths
from layerctl.layers._defined import DefinedLayer
from layerctl.modelfile.hdf5 import Array
from layerctl.modelfile.kerasweights import in_order
from layerctl.ops.value import Weight
from layerctl.training.gathered import RATE, STEPS, key

if TYPE_CHECKING:
    from layerctl.api import Model

_PRODUCT = "product"
"""Nadam's, of which Keras has one for all weights."""
Listed = Iterator[tuple[str, tuple[int, ...]]]
"""(layerctl's name, or nothing where layerctl keeps no such array; shape) of each array in the list."""


def gathered(model: Model, saved: Saved, span: Span) -> tuple[dict[str, np.ndarray], list[Diagnostic]]:
    """(the arrays by name, a warning where there are some that cannot be told apart): nothing of an optimizer that has made no step."""
    arrays = _arrays(saved)
    steps = _steps(arrays)
    if not steps or model.optimizer is None:
        return {}, []
    weights = _in_kerass_order(model, saved)
    wanted = list(_listed(model.optimizer, weights)) if weights is not None and saved.version.startswith("3.") else []
    if [tuple(s) for _, s in wanted] == [a.shape for a in arrays]:
        found = {name: a.read() for (name, _), a in zip(wanted, arrays, strict=True) if name}
        product = found.pop(_PRODUCT, None)
        return found | ({key(w.path, _PRODUCT): product for w in weights or ()} if product is not None else {}), []
    text = f"the optimizer's state after {steps} steps stays in the file: training begins here with a new one, and a schedule at its first step"
    return {}, [Diagnostic("not-imported", text, span, hint="predictions do not depend on it; to go on with it, train in Keras", severity="warning")]


def _arrays(saved: Saved) -> Sequence[Array]:
    root = saved.weights
    own = root and root.at("optimizer", "vars")
    if own:
        return in_order(own)
    older = root and root.at("optimizer_weights")
    return in_order(older) if older else []


def _steps(arrays: Sequence[Array]) -> int:
    first = arrays[0] if arrays else None
    return int(first.read()) if first is not None and first.shape == () and "int" in first.dtype else 0


def _in_kerass_order(model: Model, saved: Saved) -> list[Weight] | None:
    """The trained weights as Keras lists them: layer by layer as the file does. None where a class of another program orders its own."""
    graph = model.graph
    if any(isinstance(layer, DefinedLayer) and layer.weights() for layer in graph.layers()):
        return None
    rank = {path: i for i, path in enumerate(paths(saved.config))}

    def place(w: Weight) -> int:
        parts = w.path.split("/")
        return next((rank[p] for n in range(len(parts), 0, -1) if (p := "/".join(parts[:n])) in rank), len(rank))

    return sorted((w for w in graph.weights() if graph.is_trainable(w)), key=place)


def _listed(optimizer: Any, weights: Sequence[Weight]) -> Listed:
    yield STEPS, ()
    if isinstance(optimizer.learning_rate, float):
        yield RATE, ()
    for slot, wanted in (("average", optimizer.use_ema), ("accumulated", optimizer.gradient_accumulation_steps)):
        yield from ((key(w.path, slot), w.shape) for w in weights if wanted)
    kind, kept = type(optimizer).__name__, optimizer.slot_shapes
    if kind == "Adafactor":
        for w in weights:
            yield from _factored(w, kept(w))
        return
    later = [[n] for n in optimizer.slot_names()] if kind == "RMSprop" else [["velocity_hat"]] if "velocity_hat" in optimizer.slot_names() else []
    apart = {_PRODUCT, *(n for block in later for n in block)}
    yield from ((key(w.path, n), shape) for w in weights for n, shape in kept(w).items() if n not in apart)
    yield from ((key(w.path, n), w.shape) for block in later for n in block for w in weights)
    if kind == "Nadam":
        yield _PRODUCT, ()


def _factored(weight: Weight, shapes: dict[str, tuple[int, ...]]) -> Listed:
    """A matrix has a row, a column and a square that nobody looks at; a vector has numbers in the first two's places."""
    flat = "row" not in shapes
    yield ("", ()) if flat else (key(weight.path, "row"), shapes["row"])
    yield ("", ()) if flat else (key(weight.path, "column"), shapes["column"])
    yield (key(weight.path, "velocity") if flat else "", weight.shape)
