"""LSTM, GRU and SimpleRNN as ONNX's operators of their own, which take the input's kernel and biases along.

The operators know rows that end early (`sequence_lens`), not masks. A mask is obeyed exactly all the same: the steps that count are moved
to the front of their row, and each step of the result is taken from the last that counted at or before it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from layerctl.ops.onnx_graph import OnnxGraph
from layerctl.ops.value import DTYPES, Node, NoForm, Value

KEPT = frozenset((name, "f32") for name in ("lstm", "gru", "gru_reset_before", "simple_rnn"))
"""The ops that a trace for ONNX leaves whole, in the dtype that onnxruntime computes them in."""


@dataclass
class Layer:
    """The operator, its gates' order, and what it takes: states by name, the bias of the state's product, attributes."""

    operator: str
    order: tuple[int, ...]
    states: list[Value]
    mask: Value | None
    state_bias: Value | None
    attributes: dict[str, Any]


def recurrent(c: OnnxGraph, node: Node, layer: Layer) -> None:
    """The operator's node with its weights, and the states after each step as the op's results."""
    sequence, kernel, bias = _projection(c, node.inputs[0])
    u = _required(c, node.inputs[1])
    units, x = int(u.shape[0]), c.name(sequence)
    after = _required(c, layer.state_bias) if layer.state_bias is not None else np.zeros(u.shape[1], u.dtype)
    before = bias if bias is not None else np.zeros(u.shape[1], u.dtype)
    biases = np.concatenate([_gates(before, layer.order), _gates(after, layer.order)])[None]
    weights = [c.constant(_gates(m, layer.order).T[None].copy()) for m in (kernel, u)]
    steps = _Steps(c, layer.mask) if layer.mask is not None else None
    taken = steps.moved(x) if steps is not None else x
    lengths = steps.lengths if steps is not None else ""
    starts = ["" if _zero(s) else c.add("Unsqueeze", [c.name(s), c.row(0)]) for s in layer.states]
    given = [c.add("Transpose", [taken], perm=[1, 0, 2]), *weights, c.constant(biases), lengths, *starts]
    while not given[-1]:
        given.pop()
    outputs = c.several(layer.operator, given, 1 + len(layer.states), hidden_size=units, **layer.attributes)
    hs = c.add("Transpose", [c.add("Squeeze", [outputs[0], c.row(1)])], perm=[1, 0, 2])
    c.name(node.outputs[0], hs if steps is None else steps.spread(hs, layer.states[0]))
    if layer.operator == "LSTM":
        _last_cells(c, node, outputs[2], steps, layer.states[1], hs)


def _last_cells(c: OnnxGraph, node: Node, last: str, steps: _Steps | None, start: Value, hs: str) -> None:
    """The second state; the operator gives the last step's alone, and nothing else is read."""
    cells = c.add("Squeeze", [last, c.row(0)])
    if steps is not None:
        cells = c.add("Where", [steps.empty, c.name(start), cells])
    c.name(node.outputs[1], c.add("Expand", [c.add("Unsqueeze", [cells, c.row(1)]), c.add("Shape", [hs])]))


class _Steps:
    """A mask (batch, time): which steps count, and where they go."""

    def __init__(self, c: OnnxGraph, mask: Value):
        self.c = c
        name = c.name(mask)
        ones = c.add("Cast", [name], to=c.dtype("i64"))
        one, zero = c.whole(1), c.whole(0)
        self.counted = c.add("CumSum", [ones, one])
        number = c.add("ReduceSum", [ones, c.row(1)], keepdims=1)
        self.empty = c.add("Equal", [number, zero])
        self.lengths = c.add("Cast", [c.add("Squeeze", [c.add("Max", [number, one]), c.row(1)])], to=c.dtype("i32"))
        length = c.add("Gather", [c.add("Shape", [name]), c.row(1)])
        place = c.add("Range", [zero, c.add("Squeeze", [length, c.row(0)]), one])
        rank = c.add("Where", [name, c.add("Sub", [length, place]), c.add("Neg", [place])])
        _, self.order = c.several("TopK", [rank, length], 2, axis=-1, largest=1, sorted=1)
        self.started = c.add("Greater", [self.counted, zero])
        self.source = c.add("Max", [c.add("Sub", [self.counted, one]), zero])

    def moved(self, x: str) -> str:
        """The steps that count first, each row's in their order."""
        return self._taken(x, self.order)

    def spread(self, hs: str, start: Value) -> str:
        """The state after each step of the row as it was: that of the last step that counted, or the first state."""
        behind, before = self.c.row(-1), self.c.row(1)
        first = self.c.add("Unsqueeze", [self.c.name(start), before])
        return self.c.add("Where", [self.c.add("Unsqueeze", [self.started, behind]), self._taken(hs, self.source), first])

    def _taken(self, x: str, places: str) -> str:
        return self.c.add("GatherND", [x, self.c.add("Unsqueeze", [places, self.c.row(-1)])], batch_dims=1)


def _projection(c: OnnxGraph, x: Value) -> tuple[Value, np.ndarray, np.ndarray | None]:
    """(sequence, kernel, bias) of which x (batch, time, gates) is the product and sum; x itself by ones where it is none."""
    bias, product = None, x
    if _is(x, "elementwise", fn="add"):
        bias, product = _array(c, x.node.inputs[1]), x.node.inputs[0]
    inner = product.node.inputs[0] if _is(product, "reshape") else product
    if (bias is not None or product is x) and _is(inner, "matmul", ta=False, tb=False):
        flat, kernel = inner.node.inputs[0], _array(c, inner.node.inputs[1])
        source = flat.node.inputs[0] if _is(flat, "reshape") else flat
        if kernel is not None and kernel.ndim == 2 and source.rank == 3 and tuple(map(int, source.shape[:2])) == tuple(map(int, x.shape[:2])):
            return source, kernel, None if bias is None else bias.reshape(-1)
    return x, np.eye(int(x.shape[-1]), dtype=DTYPES[x.dtype]), None


def _is(v: Value, op: str, **attributes: Any) -> bool:
    return v.node.op.name == op and all(v.node.attrs.get(k) == a for k, a in attributes.items())


def _gates(array: np.ndarray, order: tuple[int, ...]) -> np.ndarray:
    """The gates' columns in ONNX's order."""
    parts = np.split(array, len(order), axis=-1)
    return np.concatenate([parts[i] for i in order], axis=-1)


def _zero(v: Value) -> bool:
    return _is(v, "elementwise", fn="identity") and _is(v.node.inputs[0], "constant") and not np.any(v.node.inputs[0].node.attrs["array"])


def _required(c: OnnxGraph, v: Value) -> np.ndarray:
    array = _array(c, v)
    if array is None:
        raise NoForm("a recurrent kernel that is computed has no form in ONNX")
    return array


def _array(c: OnnxGraph, v: Value) -> np.ndarray | None:
    """The numbers of what is a weight, a part of one, or a constant; None for what depends on rows."""
    rule = _ARRAYS.get(v.node.op.name)
    if v.node.op.name == "parameter":
        return np.asarray(c.weights[v.node.attrs["weight"].path])
    if v.node.op.name == "constant":
        return np.asarray(v.node.attrs["array"])
    if rule is None or (v.node.op.name == "elementwise" and v.node.attrs["fn"] != "identity"):
        return None
    inner = _array(c, v.node.inputs[0])
    return None if inner is None else rule(v, inner)


def _sliced(v: Value, array: np.ndarray) -> np.ndarray:
    a = v.node.attrs
    return array[tuple(slice(s, s + int(n) * t, t) for s, n, t in zip(a["starts"], a["sizes"], a["steps"], strict=True))]


_ARRAYS: dict[str, Callable[[Value, np.ndarray], np.ndarray]] = {
    "reshape": lambda v, a: a.reshape(tuple(map(int, v.shape))),
    "elementwise": lambda v, a: np.broadcast_to(a, tuple(map(int, v.shape))),
    "slice": _sliced,
}
