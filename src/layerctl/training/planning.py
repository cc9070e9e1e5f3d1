"""The plan that a model's predictions leave for the next process."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from layerctl.ops.kernel import External
from layerctl.ops.value import DTYPES, Type
from layerctl.predicting.plan import Kind, Plan, Recorded
from layerctl.runtime.machine import Bound
from layerctl.training.using import answers_of, batch_of_predictions

if TYPE_CHECKING:
    from layerctl.api import Model


def plan_of(model: Model) -> Plan | None:
    """A plan of the programs of prediction that the model has run; None if there are none, or they read more than the model's weights."""
    session = model._session
    bound = session.predictions() if session is not None else []
    if not bound or model.schema is None or model.spec.data is None:
        return None
    task, layout = session.task, session.task.layout
    own = {*model.graph.weights(), task.cursor}
    read = {node.attrs["weight"] for _, _, b in bound for node in b.program.nodes if node.op.name == "parameter"}
    if not read <= own:
        return None
    answers = answers_of(model)
    return Plan(
        model.spec.data.reading(), batch_of_predictions(model), answers.outputs, answers.logits, layout.size,
        {w.path: (layout.offsets[w], _kind(w.type, 0)) for w in model.graph.weights()},
        tuple((layout.offsets[w], w.type.size) for w in model.graph.weights() if w.flags.get("stateful")), layout.offsets[task.cursor],
        [Recorded(rows, {n: _kind(t, 1) for n, t in inputs.items()}, _results(b, answers.outputs), b.tape) for rows, inputs, b in bound],
    )  # fmt: skip


def _results(bound: Bound, names: Sequence[str]) -> dict[str, Kind]:
    """The kinds of what the program writes outside."""
    written = {
        arg.name: _kind(p.node.inputs[0].type, 1) for p in bound.program.calls for arg in p.call.args
        if isinstance(arg, External) and arg.name.startswith("result:")
    }  # fmt: skip
    return {n: written[f"result:{n}"] for n in names}


def _kind(type_: Type, skip: int) -> Kind:
    """The kind behind the first `skip` dimensions."""
    return np.dtype(DTYPES[type_.dtype]).str, tuple(int(d) for d in type_.shape[skip:])
