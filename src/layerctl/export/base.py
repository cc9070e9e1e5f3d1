"""What an export says of itself."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from layerctl.ops.value import DTYPES, product

OTHER_TARGETS = "`layerctl export --help` lists the formats; another may have a form for it"
DIFFERS = "this is a fault of the export, please report it with the model's file; other formats may do"


@dataclass(frozen=True)
class Report:
    """On how many rows the file was compared with layerctl's own results, and the largest difference relative to their scale."""

    rows: int
    difference: float
    notes: tuple[str, ...] = field(default_factory=tuple)
    unchecked: str | None = None
    """Why the file was not compared with anything, where it was not."""
    what: str = "rows"
    """What `rows` counts: a file of weights is compared array by array."""


def held_back_rows(model: Any, most: int = 64) -> dict[str, np.ndarray]:
    """Encoded rows that the model was not trained on; where the data cannot be read, rows made up in the inputs' shapes."""
    from layerctl.diagnostics import LayerctlError

    try:
        if model.spec.data is not None:
            data = model.data
            rows = data.test or data.validation or data.train
            return {n: np.ascontiguousarray(a[:most]) for n, a in rows.inputs.items()}
    except LayerctlError:
        pass
    rng = np.random.default_rng(0)
    out = {}
    for name, port in model.graph.inputs.items():
        shape = (7, *(model.graph.open_size if d is None else d for d in port.shape))
        if port.dtype == "i32":
            out[name] = rng.integers(0, id_bound(model, name), shape).astype(np.int32)
        else:
            out[name] = rng.standard_normal(shape).astype(DTYPES[port.dtype])
    return out


def id_bound(model: Any, name: str) -> int:
    """The number of ids that an integer input may have: that of the Embedding it goes into."""
    sizes = [
        s.layer.input_dim for s in model.graph.steps
        if type(s.layer).__name__ == "Embedding" and name in (s.sources if isinstance(s.sources, list) else [s.sources])
    ]  # fmt: skip
    return min(sizes, default=2)


def relative_difference(ours: np.ndarray, theirs: np.ndarray) -> float:
    """The largest difference over the largest value; numbers that are not finite are to be the same."""
    ours, theirs = ours.astype(np.float64), theirs.astype(np.float64)
    alike = (ours == theirs) | (np.isnan(ours) & np.isnan(theirs))
    scale = max(float(np.abs(ours).max(initial=0.0, where=np.isfinite(ours))), 1e-6)
    return float(np.abs(np.subtract(ours, theirs, where=~alike, out=np.zeros(ours.shape))).max(initial=0.0)) / scale


def origin_of(model: Any, origin: str) -> Any:
    """The place in the file of the layer that a node came from."""
    step = next((s for s in model.graph.steps if origin == s.layer.path or origin.startswith(f"{s.layer.path}/")), None)
    return step.span if step else None


@dataclass
class Traced:
    """A model's forward pass for a number of rows: its inputs and outputs, and the features that its inputs are made of."""

    model: Any
    inputs: dict[str, Any]
    outputs: dict[str, Any]
    features: dict[str, Any]

    def problems(self, what: str) -> list[Any]:
        """Inputs that a file cannot take whose shapes are known beforehand and which holds no table of texts."""
        from layerctl.diagnostics import Diagnostic
        from layerctl.ops.value import shown

        out = []
        for name, port in self.model.graph.inputs.items():
            fit = self.features.get(name)
            if fit is not None and fit.kind == "string":
                place = self.model.spec.data_span("features", name) if self.model.spec.data is not None else port.span
                text = f"{what} export has no form for the feature '{name}': its texts go into the model as they are"
                out.append(Diagnostic("cannot-export", text, place, (), "`kind: text` makes ids of words, which can be exported"))
                continue
            if any(d is None for d in port.shape or ()):
                text = f"{what} export needs sizes that are known: the input '{name}' is {shown((None, *port.shape))}"
                out.append(Diagnostic("cannot-export", text, port.span, (), "give the open dimension a size"))
            if port.dtype == "u8" and name not in self.features:
                out.append(Diagnostic("cannot-export", f"{what} export has no form for the texts of the input '{name}'", port.span, (), OTHER_TARGETS))
        images = [n for n, f in self.features.items() if f.kind == "image"]
        for name in images:
            text = f"{what} export has no form for the feature '{name}': images are read from files"
            place, cure = self.model.spec.data_span("features", name), "`--to keras` and `--to onnx` take the image's numbers"
            out.append(Diagnostic("cannot-export", text, place, (), cure))
        return out


def keeps_states(model: Any) -> list[Any]:
    """The layers that start a batch from the states that the one before it ended with."""
    return [layer for layer in model.graph.layers() if any(w.flags.get("stateful") for w in layer.weights())]


def refuse_states(model: Any, what: str) -> None:
    """Raises a diagnostic for layers that keep states: an exported program answers each row by itself."""
    from layerctl.diagnostics import Diagnostic, LayerctlError

    found = [
        Diagnostic("cannot-export", f"{what} export has no form for '{layer.path}', which keeps its states from batch to batch",
                   origin_of(model, layer.path), (), "train with `stateful: true`, export a model file without it that has the same weights")
        for layer in keeps_states(model)
    ]  # fmt: skip
    if found:
        raise LayerctlError(found)


def traced(model: Any, rows: int) -> Traced:
    """The model's forward pass; a model without a data section takes its inputs' numbers as they are."""
    from layerctl.graph.model import input_types
    from layerctl.ops.leaves import input_
    from layerctl.ops.value import Trace, tracing
    from layerctl.spec.features import ColumnFit, FeatureFit

    with tracing(Trace(training=False, seed=model.spec.seed)):
        inputs = {n: input_(n, t) for n, t in input_types(model.graph, rows).items()}
        values = model.graph.run(inputs)
    if model.schema is not None:
        features = dict(model.schema.features)
    else:
        numbers = {n: v for n, v in inputs.items() if v.dtype != "u8"}
        features = {
            n: FeatureFit("array", [int(d) for d in v.shape[1:]], v.dtype, [ColumnFit(c, "number")])
            for (n, v), c in zip(numbers.items(), _columns({n: int(product(v.shape[1:])) for n, v in numbers.items()}), strict=True)
        }
    return Traced(model, inputs, {n: values[n] for n in model.graph.outputs}, features)


def _columns(sizes: dict[str, int]) -> list[str]:
    """What the inputs' columns are called: by the inputs' names, but for those that another one's NAME_0, NAME_1, ... are called like."""
    taken = {f"{n}_{i}" for n, size in sizes.items() if size > 1 for i in range(size)}
    out = []
    for name, size in sizes.items():
        column = name
        while (column if size == 1 else f"{column}_0") in taken - {f"{name}_0"} or column in out:
            column += "_"
        out.append(column)
    return out


def dialect_of(model: Any) -> Any:
    """How the model's tables are written: as its data section says, by its source's name."""
    from layerctl.data.delimited import Dialect
    from layerctl.spec.data import MISSING

    spec = model.spec.data
    if spec is None:
        return Dialect(",", '"', frozenset(MISSING), ".", None)
    name = spec.source if isinstance(spec.source, str) else spec.source.train
    return Dialect.of(plain_reading(spec), name)


def plain_reading(spec: Any) -> Any:
    """How exported programs read files: delimited text as it stands, with plain quotes, each line of as many fields."""
    found = spec.reading()
    quote = found.quote if found.quote in (None, "none") or len(found.quote) == 1 else '"'
    return replace(found, wrapped=False, widths=None, ragged="error", quote=quote)


def reading_notes(spec: Any) -> tuple[str, ...]:
    """What to know of files that an exported program reads otherwise than layerctl does."""
    found = None if spec is None else spec.reading()
    if found is None or found == plain_reading(spec):
        return ()
    return ("the program reads plain delimited text: lines of fixed widths or in quotes as a whole, typographic quotes and ragged lines are layerctl's",)


def answers_of(model: Any) -> Any:
    """How the model's results are told; without a data section, as numbers. Kept thresholds do not travel."""
    from layerctl.training import using

    return replace(using.answers_of(model), thresholds={})
