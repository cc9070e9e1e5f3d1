"""Keras 3's own file: a zip of the configuration and the weights; read again by layerctl and compared before it counts as done."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from layerctl import __version__
from layerctl.diagnostics import LayerctlError, Source, Span, fail
from layerctl.export._keras_graph import Writer, layers_of
from layerctl.export.base import DIFFERS, Report, held_back_rows, keeps_states, relative_difference
from layerctl.graph.model import Model as Graph
from layerctl.graph.model import input_types
from layerctl.layers.base import Layer
from layerctl.modelfile.atomic import write
from layerctl.modelfile.kerasweights import place_of
from layerctl.ops.leaves import input_
from layerctl.ops.value import Trace, tracing
from layerctl.temporary import scratch_folder

SUFFIX = ".keras"
VERSION = "3.12.0"
"""The oldest Keras whose names and arguments are all that are written here."""
TOLERANCE = 1e-5
_SAVED_AT = (1980, 1, 1, 0, 0, 0)


def export(model: Any, path: Path) -> Report:
    """Writes the model as a `.keras` file; it takes the model's encoded inputs and gives its outputs.

    Raises:
        LayerctlError: without the extra, for layers that Keras does not have (all of them at once), for a result that differs.
    """
    try:
        import h5py
    except ImportError:
        fail("missing-extra", "export to Keras needs the package h5py", Span(Source("--to keras")), hint="pip install 'layerctl[keras]'")
        raise
    weights = model.weights
    batch = model.spec.fit.batch_size if keeps_states(model) else None
    writer = Writer(_masks(model.graph, batch or 2), batch)
    config = writer.model(model.graph, model.spec.name)
    if writer.refused:
        raise LayerctlError(writer.refused.values())
    body = io.BytesIO()
    with h5py.File(body, "w", track_order=False) as file:
        _model(file, model.graph, config, weights)
    data = _packed({
        "metadata.json": json.dumps({"keras_version": VERSION, "date_saved": "1980-01-01@00:00:00", "layerctl": __version__}).encode(),
        "config.json": json.dumps(config).encode(), "model.weights.h5": body.getvalue(),
    })  # fmt: skip
    report = _checked(model, data, path)
    write(path, [data])
    return report


def _packed(members: Mapping[str, bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_STORED) as archive:
        for name, data in members.items():
            archive.writestr(zipfile.ZipInfo(name, _SAVED_AT), data)
    return out.getvalue()


def _checked(model: Any, data: bytes, path: Path) -> Report:
    """The report of reading the file as any file of Keras's is read, and predicting with what was read."""
    from layerctl.api import load
    from layerctl.importing.keras import import_model

    rows = held_back_rows(model)
    if keeps_states(model):
        size = model.spec.fit.batch_size
        rows = {n: np.resize(a, (size, *a.shape[1:])) for n, a in rows.items()}
    with scratch_folder() as folder:
        saved = Path(folder) / f"model{SUFFIX}"
        saved.write_bytes(data)
        with load(import_model(saved, Path(folder) / "model.yaml").model or "") as again:
            x = {n: rows[o] for n, o in zip(again.graph.inputs, model.graph.inputs, strict=True)}
            theirs, ours = _listed(again.predict(x)), _listed(model.predict(rows))
    difference = max(relative_difference(a, b) for a, b in zip(ours, theirs, strict=True))
    if not difference <= TOLERANCE:
        fail("export-differs", f"the file's results differ by {difference:.2g} of their scale; nothing was written", Span(Source(str(path))), hint=DIFFERS)
    notes = [f"'{name}' takes the encoded feature, not the raw columns" for name in (model.schema.features if model.schema else ())]
    return Report(len(next(iter(rows.values()))), difference, tuple(notes))


def _listed(result: Any) -> list[np.ndarray]:
    return list(result.values()) if isinstance(result, dict) else [result]


def _masks(graph: Graph, batch: int) -> dict[str, int]:
    """The results of the graph that carry a mask, and which one it is: found by tracing it once."""
    with tracing(Trace(training=False)):
        values = graph.run({n: input_(n, t) for n, t in input_types(graph, batch).items()})
    return {n: id(v.mask) for n, v in values.items() if v.mask is not None}


def _model(group: Any, graph: Graph, config: Mapping[str, Any], weights: Mapping[str, np.ndarray]) -> None:
    """The weights of a model's layers, at the places where Keras looks for them."""
    by_name = {layer.path.rpartition("/")[2]: layer for layer in graph.layers()}
    taken: dict[str, int] = {}
    for saved in layers_of(config):
        kind = place_of(saved["class_name"])
        taken[kind] = taken.get(kind, -1) + 1
        place = group.create_group(f"layers/{kind}" + (f"_{taken[kind]}" if taken[kind] else ""))
        layer = by_name.get(saved["config"]["name"])
        _layer(place, layer, saved, weights, saved["config"]["name"])


def _layer(group: Any, layer: Layer | None, saved: Mapping[str, Any], weights: Mapping[str, np.ndarray], name: str) -> None:
    own = group.create_group("vars")
    own.attrs["name"] = name
    if layer is None:
        return
    if isinstance(layer, Graph):
        _model(group, layer, saved, weights)
        return
    inside = list(layer.sublayers())
    mine = [w for w in layer._weights if not w.flags.get("stateful")]
    if type(layer).__name__ == "SpectralNormalization":
        mine = [layer._of, *mine]  # type: ignore[attr-defined]
    for i, w in enumerate([*(w for w in mine if w.trainable), *(w for w in mine if not w.trainable)]):
        own.create_dataset(str(i), data=weights[w.path])
    if getattr(layer, "seed", 0) != 0 or "seed" in type(layer).model_fields:
        seeds = group.create_group("seed_generator/vars")
        seeds.create_dataset("0", data=np.array([getattr(layer, "seed", None) or 0, 0], np.uint32))
    for place, inner in zip(_attributes(layer, inside), inside, strict=True):
        within = saved["config"].get("layer") if isinstance(inner, Graph) else {}
        _layer(group.create_group(place), inner, within or {}, weights, inner.path.rpartition("/")[2])


def _attributes(layer: Layer, inside: list[Layer]) -> list[str]:
    """Where Keras's layer keeps the layers inside of it."""
    kind = type(layer).__name__
    if kind == "Bidirectional":
        return ["forward_layer", "backward_layer"]
    if hasattr(layer, "the_cell"):
        return ["cell"]
    if kind == "StackedRNNCells":
        taken: dict[str, int] = {}
        out = []
        for cell in inside:
            name = place_of(type(cell).__name__)
            taken[name] = taken.get(name, -1) + 1
            out.append(f"cells/{name}" + (f"_{taken[name]}" if taken[name] else ""))
        return out
    if layer.category == "attention":
        names = [(i.name or "").removeprefix("attention_") for i in inside]
        return [f"{'_' if kind.startswith('Group') or n == 'gate' else ''}{n}_dense" for n in names]
    return ["layer"] * len(inside)
