"""ONNX: the graph of the forward pass, run again in onnxruntime and compared before it counts as done."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NoReturn

import numpy as np

from layerctl import __version__
from layerctl.compile.differentiate import ancestors
from layerctl.diagnostics import Diagnostic, LayerctlError, Source, Span, fail
from layerctl.export._onnx_raw import ML_OPSET, Raw, raw_inputs, raw_rows
from layerctl.export.base import DIFFERS, OTHER_TARGETS, Report, held_back_rows, refuse_states, relative_difference
from layerctl.graph.model import input_types
from layerctl.modelfile.atomic import write
from layerctl.ops.leaves import input_
from layerctl.ops.onnx_graph import OnnxGraph
from layerctl.ops.onnx_recurrent import KEPT
from layerctl.ops.value import NoForm, ShapeError, Trace, Unknown, Value, tracing

SUFFIX = ".onnx"
OPSET = 18
TOLERANCE = 1e-4
TRACED_BATCH = 1009
_SIZES = [16 * n for n in (3, 5, 7, 11, 13, 17, 19, 23)]
"""Sizes of open dimensions in the trace: halved, doubled and cut they are still told apart."""


def export(model: Any, path: Path, raw: bool = False) -> Report:
    """Writes the model as ONNX; it takes the model's encoded inputs and gives its outputs, for any batch.

    With `raw` it takes the columns of a table as far as ONNX can express the features: numbers as double (batch, 1), NaN where missing,
    categories as texts (batch, 1), arrays in the feature's shape; other features stay encoded inputs, and the report names them.

    Raises:
        LayerctlError: without the extra, for what ONNX cannot express (all of it at once), for a result that differs.
    """
    os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")  # its builds send Microsoft what they are used for, unless told not to
    try:
        import onnx
        import onnxruntime
    except ImportError as error:
        fail("missing-extra", f"export to ONNX needs the package {error.name}", Span(Source("--to onnx")), hint="pip install 'layerctl[onnx]'")
        raise
    if raw and model.schema is None:
        fail("bad-option", "--raw is for models with a data section, whose features say how columns are encoded", Span(Source("--raw")),
             hint="leave --raw out")  # fmt: skip
    refuse_states(model, "ONNX")
    before = Raw()
    proto = _model(model, onnx, before if raw else None)
    data = proto.SerializeToString()
    onnx.checker.check_model(proto)
    given, rows = raw_rows(model, before) if raw else (rows := held_back_rows(model), rows)
    difference, n = 0.0, len(next(iter(rows.values())))
    answers = _answers(data, onnxruntime, path)
    for size in sorted({1, n}):
        some = {k: np.ascontiguousarray(a[:size]) for k, a in given.items()}
        ours = model.predict({k: np.ascontiguousarray(a[:size]) for k, a in rows.items()})
        ours = ours if isinstance(ours, dict) else {model.graph.outputs[0]: ours}
        for name, result in zip(model.graph.outputs, answers(model.graph.outputs, some), strict=True):
            difference = max(difference, relative_difference(ours[name], np.asarray(result)))
    if not difference <= TOLERANCE:
        fail("export-differs", f"onnxruntime's results differ by {difference:.2g} of their scale; nothing was written", Span(Source(str(path))), hint=DIFFERS)
    write(path, [data])
    return Report(n, difference, tuple(_notes(model, before if raw else None)))


def _answers(data: bytes, onnxruntime: Any, path: Path) -> Callable[[Sequence[str], Mapping[str, np.ndarray]], Sequence[Any]]:
    """What onnxruntime computes of a graph, its complaints as diagnostics."""
    from onnxruntime.capi import onnxruntime_pybind11_state as state

    complaints = (state.Fail, state.InvalidArgument, state.InvalidGraph, state.NotImplemented, state.RuntimeException)

    def refuse(error: Exception) -> NoReturn:
        said = str(error).replace("\n", " ")[:300]
        fail("export-failed", f"onnxruntime does not run the graph: {said}; nothing was written", Span(Source(str(path))),
             hint="give the inputs' open dimensions sizes, if there are any")  # fmt: skip
        raise error

    try:
        session = onnxruntime.InferenceSession(data, providers=["CPUExecutionProvider"])
    except complaints as error:
        refuse(error)
    known = {i.name for i in session.get_inputs()}

    def run(names: Sequence[str], given: Mapping[str, np.ndarray]) -> Sequence[Any]:
        try:
            return session.run(list(names), {k: a for k, a in given.items() if k in known})
        except complaints as error:
            refuse(error)

    return run


def _notes(model: Any, raw: Raw | None) -> list[str]:
    if raw is not None:
        return [f"'{name}' takes the encoded feature: {why}" for name, why in raw.kept.items()]
    names = model.schema.features if model.schema is not None else ()
    return [f"'{name}' takes the encoded feature, not the raw columns; --raw takes those" for name in names]


def _model(model: Any, onnx: Any, raw: Raw | None = None) -> Any:
    """The model; with `raw` the features' encoding stands before it, and is written down there."""
    inputs, values = _traced(model)
    outputs = {n: values[n] for n in model.graph.outputs}
    nodes = ancestors(outputs.values())
    weights = model.weights
    converter = OnnxGraph(onnx, OPSET, weights)
    if raw is not None:
        raw_inputs(converter, model, raw)
    problems: dict[str, Diagnostic] = {}
    for node in nodes:
        if node.op.name == "parameter":
            converter.constant(weights[node.attrs["weight"].path], converter.name(node.outputs[0], node.attrs["weight"].path))
        elif node.op.name == "input":
            label = node.attrs["label"]
            converter.name(node.outputs[0], raw.encoded.get(label, label) if raw is not None else label)
        elif node.op.name == "constant":
            converter.name(node.outputs[0])
        elif (why := _converted(converter, node)) is not None:
            step = next((s for s in model.graph.steps if node.origin == s.layer.path or node.origin.startswith(f"{s.layer.path}/")), None)
            text = f"ONNX export has no form for '{node.op.name}' of {node.origin or 'the model'}{why and f': {why}'}"
            problems.setdefault(node.origin, Diagnostic("cannot-export", text, step.span if step else None, (), OTHER_TARGETS))
            for v in node.outputs:
                converter.name(v, converter.fresh())
    if problems:
        raise LayerctlError(problems.values())
    for name, v in outputs.items():
        if converter.name(v) != name:  # an input that is a result too stands for itself
            converter.add("Identity", [converter.name(v)], name)
    helper = onnx.helper
    needed = _needed(converter.nodes, outputs)
    read = {i for n in needed for i in n.input}
    used = {n.attrs["label"] for n in nodes if n.op.name == "input"}
    graph = helper.make_graph(
        needed, model.spec.name,
        [_info(helper, converter, n, v) for n, v in inputs.items() if n in used and (raw is None or n in raw.kept)]
        + [helper.make_tensor_value_info(n, t, s) for n, t, s in (raw.inputs if raw is not None else ())],
        [_info(helper, converter, n, v) for n, v in outputs.items()], [i for i in converter.initializers if i.name in read],
    )  # fmt: skip
    opsets = [("", OPSET), *([("ai.onnx.ml", ML_OPSET)] if any(n.domain == "ai.onnx.ml" for n in needed) else [])]
    imports = [helper.make_opsetid(*o) for o in opsets]
    proto = helper.make_model(graph, opset_imports=imports, producer_name="layerctl", producer_version=__version__)
    proto.ir_version = 9
    if model.schema is not None:
        helper.set_model_props(proto, {"layerctl.features": json.dumps(model.schema.to_dict(), sort_keys=True)})
    return proto


def _traced(model: Any) -> tuple[dict[str, Value], dict[str, Value]]:
    """(inputs, all values) of the forward pass; open dimensions are told apart by their sizes, unless the model wants equal ones."""
    sizes = iter(_SIZES)
    lengths = {n: [next(sizes, _SIZES[-1]) for d in port.shape or () if d is None] for n, port in model.graph.inputs.items()}
    for given in (lengths, None):
        try:
            with tracing(Trace(training=False, seed=model.spec.seed, compose=True, kept=KEPT)):
                inputs = {n: input_(n, t) for n, t in input_types(model.graph, TRACED_BATCH, given).items()}
                return inputs, model.graph.run(inputs)
        except (LayerctlError, ShapeError):
            if given is None:
                raise
    raise AssertionError


def _info(helper: Any, converter: OnnxGraph, name: str, v: Value) -> Any:
    dims = ["batch" if i == 0 and isinstance(d, Unknown) else f"{name}_{i}" if isinstance(d, Unknown) else int(d) for i, d in enumerate(v.shape)]
    return helper.make_tensor_value_info(name, converter.dtype(v.dtype), dims)


def _needed(nodes: Sequence[Any], outputs: Iterable[str]) -> list[Any]:
    """The nodes that the outputs are made of."""
    wanted, kept = set(outputs), []
    for node in reversed(nodes):
        if wanted & set(node.output):
            wanted |= set(node.input)
            kept.append(node)
    return kept[::-1]


def _converted(converter: OnnxGraph, node: Any) -> str | None:
    """Adds an op's form in ONNX; the reason if it has none, which may be empty."""
    try:
        node.op.onnx(converter, node)
    except NoForm as why:
        return str(why)
    return None
