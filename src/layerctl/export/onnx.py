"""ONNX: the graph of the forward pass, run again in onnxruntime and compared before it counts as done."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from layerctl import __version__
from layerctl.compile.differentiate import ancestors
from layerctl.diagnostics import Diagnostic, LayerctlError, Source, Span, fail
from layerctl.export._onnx_more import CONVERTERS
from layerctl.export._onnx_ops import Converter
from layerctl.export.base import Report, held_back_rows, relative_difference
from layerctl.graph.model import input_types
from layerctl.modelfile.atomic import write
from layerctl.ops.leaves import input_
from layerctl.ops.value import Trace, Unknown, Value, tracing

SUFFIX = ".onnx"
OPSET = 18
TOLERANCE = 1e-4
TRACED_BATCH = 2


def export(model: Any, path: Path) -> Report:
    """Writes the model as ONNX; it takes the model's encoded inputs and gives its outputs, for any batch.

    Raises:
        LayerctlError: without the extra, for what ONNX cannot express (all of it at once), for a result that differs.
    """
    try:
        import onnx
        import onnxruntime
    except ImportError as error:
        fail("missing-extra", f"export to ONNX needs the package {error.name}", Span(Source("--to onnx")), hint="pip install 'layerctl[onnx]'")
        raise
    proto = _model(model, onnx)
    data = proto.SerializeToString()
    onnx.checker.check_model(proto)
    rows = held_back_rows(model)
    difference, n = 0.0, len(next(iter(rows.values())))
    session = onnxruntime.InferenceSession(data, providers=["CPUExecutionProvider"])
    for size in sorted({1, n}):
        some = {k: np.ascontiguousarray(a[:size]) for k, a in rows.items()}
        ours = model.predict(some)
        ours = ours if isinstance(ours, dict) else {model.graph.outputs[0]: ours}
        theirs = session.run(model.graph.outputs, {k: a for k, a in some.items() if k in {i.name for i in session.get_inputs()}})
        for name, result in zip(model.graph.outputs, theirs, strict=True):
            difference = max(difference, relative_difference(ours[name], np.asarray(result)))
    if not difference <= TOLERANCE:
        fail("export-differs", f"onnxruntime's results differ by {difference:.2g} of their scale; nothing was written", Span(Source(str(path))))
    write(path, [data])
    notes = [f"'{name}' takes the encoded feature, not the raw columns" for name in (model.schema.features if model.schema else ())]
    return Report(n, difference, tuple(notes))


def _model(model: Any, onnx: Any) -> Any:
    trace = Trace(training=False, seed=model.spec.seed, compose=True)
    with tracing(trace):
        inputs = {n: input_(n, t) for n, t in input_types(model.graph, TRACED_BATCH).items()}
        values = model.graph.run(inputs)
    outputs = {n: values[n] for n in model.graph.outputs}
    nodes = ancestors(outputs.values())
    converter = Converter(onnx, OPSET)
    weights = model.weights
    problems: dict[str, Diagnostic] = {}
    for node in nodes:
        if node.op.name == "parameter":
            converter.constant(weights[node.attrs["weight"].path], converter.name(node.outputs[0], node.attrs["weight"].path))
        elif node.op.name == "input":
            converter.name(node.outputs[0], node.attrs["label"])
        elif not _converted(converter, node):
            step = next((s for s in model.graph.steps if node.origin == s.layer.path or node.origin.startswith(f"{s.layer.path}/")), None)
            text = f"ONNX export has no form for '{node.op.name}' of {node.origin or 'the model'}"
            problems.setdefault(node.origin, Diagnostic("cannot-export", text, step.span if step else None))
            for v in node.outputs:
                converter.name(v, converter.fresh())
    if problems:
        raise LayerctlError(problems.values())
    for name, v in outputs.items():
        converter.add("Identity", [converter.name(v)], name)
    helper = onnx.helper
    used = {n.attrs["label"] for n in nodes if n.op.name == "input"}
    graph = helper.make_graph(
        converter.nodes, model.spec.name,
        [_info(helper, converter, n, v) for n, v in inputs.items() if n in used],
        [_info(helper, converter, n, v) for n, v in outputs.items()], converter.initializers,
    )  # fmt: skip
    proto = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], producer_name="layerctl", producer_version=__version__)
    proto.ir_version = 9
    if model.schema is not None:
        helper.set_model_props(proto, {"layerctl.features": json.dumps(model.schema.to_dict(), sort_keys=True)})
    return proto


def _info(helper: Any, converter: Converter, name: str, v: Value) -> Any:
    dims = ["batch" if i == 0 and isinstance(d, Unknown) else f"{name}_{i}" if isinstance(d, Unknown) else int(d) for i, d in enumerate(v.shape)]
    return helper.make_tensor_value_info(name, converter.dtype(v.dtype), dims)


def _converted(converter: Converter, node: Any) -> bool:
    """Whether an op has a form in ONNX, which is then added."""
    rule = CONVERTERS.get(node.op.name)
    if rule is None:
        return False
    try:
        rule(converter, node)
    except ValueError:
        return False
    return True
