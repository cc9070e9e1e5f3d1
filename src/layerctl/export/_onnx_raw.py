"""Raw columns as an ONNX model's inputs: numbers, categories and arrays are encoded by the graph itself."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from layerctl.data.features import encode_feature
from layerctl.data.numbers import numbers_of
from layerctl.data.table import Table
from layerctl.export._demands import of_column
from layerctl.export._rows import table_for
from layerctl.export.base import Traced, dialect_of, traced
from layerctl.ops.onnx_graph import OnnxGraph
from layerctl.spec.features import ColumnFit, FeatureFit

ML_OPSET = 3
_WHY = {
    "text": "ONNX's operators do not cut texts as the feature does", "date": "ONNX has no dates",
    "string": "its texts go into the model as they are", "image": "ONNX reads no files",
    "vector": "ONNX's operators do not cut texts into numbers", "sequence": "ONNX's operators do not cut texts into numbers",
    "outlying: error": "ONNX cannot refuse a number", "unseen: error": "ONNX cannot refuse a word",
}  # fmt: skip


@dataclass
class Raw:
    """What stands before a model: inputs by column as (name, ONNX type, shape), and the names of encoded features.

    `kept` are features that stay encoded inputs, with the reason.
    """

    inputs: list[tuple[str, Any, list[Any]]] = field(default_factory=list)
    encoded: dict[str, str] = field(default_factory=dict)
    kept: dict[str, str] = field(default_factory=dict)
    columns: dict[str, tuple[str, str]] = field(default_factory=dict)

    def input(self, column: str, kind: str, onnx_type: Any, shape: list[Any]) -> str:
        """The input of a column, made when it is first asked for; a column of numbers and of texts is two inputs."""
        for name, (c, k) in self.columns.items():
            if (c, k) == (column, kind):
                return name
        name = column if column not in self.columns else f"{column} ({kind})"
        self.columns[name] = (column, kind)
        self.inputs.append((name, onnx_type, shape))
        return name


def raw_inputs(c: OnnxGraph, model: Any, raw: Raw) -> None:
    """Adds the encoding of all features that ONNX can express to the graph, and tells `raw` of it."""
    for name, fit in model.schema.features.items():
        kinds = {fit.kind, *(x.kind for x in fit.columns), *(key for x in fit.columns for key, _ in of_column(x))} & set(_WHY)
        if kinds:
            raw.kept[name] = _WHY[min(kinds)]
            continue
        raw.encoded[name] = _encoding(c, raw, model, fit)


def _encoding(c: OnnxGraph, raw: Raw, model: Any, fit: FeatureFit) -> str:
    if fit.kind == "array":
        return _array(c, raw, fit)
    if fit.kind == "window":
        columns = [_number(c, raw, x, ["batch", fit.length]) for x in fit.columns]
        last = c.row(-1)
        return c.add("Concat", [c.add("Unsqueeze", [x, last]) for x in columns], axis=-1)
    missing = sorted(dialect_of(model).missing)
    parts, start = [], 0
    for x in fit.columns:
        if x.kind == "number":
            parts.append(_number(c, raw, x, ["batch", 1]))
            continue
        if x.kind == "binary":
            parts.append(_truth(c, raw, x, missing))
            continue
        ids = _category(c, raw, x, missing)
        if fit.encode == "index" and fit.dtype == "i32":
            moved = c.add("Add", [ids, c.whole(start)]) if start else ids
            parts.append(c.add("Cast", [moved], to=c.dtype("i32")))
            start += len(x.words) + 1
        else:
            parts.append(c.add("Cast", [c.add("Equal", [ids, c.constant(np.arange(len(x.words) + 1))])], to=c.dtype("f32")))
    joined = c.add("Concat", parts, axis=1) if len(parts) > 1 else parts[0]
    return joined if fit.shape else c.add("Reshape", [joined, c.row(-1)])


def _scaled(c: OnnxGraph, x: str, fit: ColumnFit) -> str:
    """In double precision, as layerctl scales."""
    less = c.add("Sub", [x, c.constant(np.array(fit.centre, np.float64))])
    return c.add("Cast", [c.add("Div", [less, c.constant(np.array(fit.spread, np.float64))])], to=c.dtype("f32"))


def _number(c: OnnxGraph, raw: Raw, fit: ColumnFit, shape: list[Any]) -> str:
    x = raw.input(fit.name, "number", c.dtype("f64"), shape)
    if fit.outlying and fit.low is not None and fit.high is not None:
        low, high = (c.constant(np.array(v, np.float64)) for v in (fit.low, fit.high))
        if fit.outlying == "clip":
            x = c.add("Where", [c.add("Less", [x, low]), low, c.add("Where", [c.add("Greater", [x, high]), high, x])])
        else:
            outside = c.add("Or", [c.add("Less", [x, low]), c.add("Greater", [x, high])])
            x = c.add("Where", [outside, c.constant(np.array(np.nan, np.float64)), x])
    if fit.fill is not None:
        x = c.add("Where", [c.add("IsNaN", [x]), c.constant(np.array(float(fit.fill), np.float64)), x])
    return _scaled(c, x, fit)


def _array(c: OnnxGraph, raw: Raw, fit: FeatureFit) -> str:
    if len(fit.columns) == 1:
        return _scaled(c, raw.input(fit.columns[0].name, "array", c.dtype("f64"), ["batch", *fit.shape]), fit.columns[0])
    columns = [raw.input(x.name, "number", c.dtype("f64"), ["batch", 1]) for x in fit.columns]
    return c.add("Reshape", [_scaled(c, c.add("Concat", columns, axis=1), fit.columns[0]), c.row(-1, *fit.shape)])


def _category(c: OnnxGraph, raw: Raw, fit: ColumnFit, missing: list[str]) -> str:
    x = raw.input(fit.name, "text", c.onnx.TensorProto.STRING, ["batch", 1])
    ids = {w: i + 1 for i, w in enumerate(fit.words)}
    ids |= {s: ids[w] for s, w in fit.aliases.items()}
    ids |= {m: 0 if fit.fill is None else ids.get(str(fit.fill), 0) for m in missing}
    rest = ids.get(str(fit.common), 0) if fit.unseen == "most_frequent" else 0
    table = {"keys_strings": list(ids), "values_int64s": list(ids.values()), "default_int64": rest}
    return c.add("LabelEncoder", [x], domain="ai.onnx.ml", **table)


def _truth(c: OnnxGraph, raw: Raw, fit: ColumnFit, missing: list[str]) -> str:
    x = raw.input(fit.name, "text", c.onnx.TensorProto.STRING, ["batch", 1])
    numbers = dict(zip(fit.words, fit.values, strict=True)) | {m: float(fit.fill) for m in missing if fit.fill is not None}
    rest = numbers.get(str(fit.common), 0.0)
    table = {"keys_strings": list(numbers), "values_floats": list(numbers.values()), "default_float": rest}
    return c.add("LabelEncoder", [x], domain="ai.onnx.ml", **table)


def raw_rows(model: Any, raw: Raw, most: int = 64) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """(rows as the ONNX model takes them, the same rows encoded)."""
    made: Traced = traced(model, 2)
    table = table_for(made, most)
    window = next((f for f in model.schema.features.values() if f.kind == "window"), None)
    ours = {n: encode_feature(n, table, f) for n, f in model.schema.features.items()}
    shapes = {name: shape[1:] for name, _, shape in raw.inputs}
    written = {x.name: x for f in model.schema.features.values() for x in f.columns if x.strip or x.units}
    theirs = {name: _values(table, column, kind, shapes[name], written.get(column)) for name, (column, kind) in raw.columns.items()}
    if window is not None:
        places = np.arange(len(table) - window.length + 1)[:, None] + np.arange(window.length)
        fits = model.schema.features
        ours = {n: np.ascontiguousarray(a[places] if fits[n].kind == "window" else a[places[:, -1]]) for n, a in ours.items()}
        inside = {x.name for f in fits.values() if f.kind == "window" for x in f.columns}
        theirs = {n: a[places, 0] if raw.columns[n][0] in inside else a[places[:, -1]] for n, a in theirs.items()}
    return {**theirs, **{n: ours[n] for n in raw.kept}}, ours


def _values(table: Table, column: str, kind: str, shape: list[int], fit: ColumnFit | None) -> np.ndarray:
    if kind == "text":
        return np.array(["" if v is None else v for v in table.texts(column)], object)[:, None]
    found = table.columns[column]
    if kind == "array" and isinstance(found, np.ndarray) and found.ndim > 1:
        return found.astype(np.float64).reshape(-1, *shape)
    return (numbers_of(table, column) if fit is None else numbers_of(table, column, fit.strip, fit.units))[:, None]
