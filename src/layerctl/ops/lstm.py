"""Long short-term memory over all steps of time in one kernel (Hochreiter and Schmidhuber 1997; gates as in Keras: i, f, c, o)."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from layerctl.ops.elementwise import apply
from layerctl.ops.function_forms import np_sigmoid
from layerctl.ops.kernel import Call, Scratch
from layerctl.ops.lstm_kernels import backward, forward, forward_step
from layerctl.ops.matmul import matmul
from layerctl.ops.matmul_kernels import READING_B, WIDEST_PANEL, packed_size, plan_pack
from layerctl.ops.numpy_lines import NumpyLines, copied
from layerctl.ops.onnx_graph import OnnxGraph
from layerctl.ops.onnx_recurrent import Layer, recurrent
from layerctl.ops.projecting import AHEAD, Projection
from layerctl.ops.recurrent import before_each, carried, check, kernel_gradient, macs, over_time, packed, shares, zeros
from layerctl.ops.value import SIZE_OF, Node, Op, Type, Value, current

FEWEST_UNITS, MOST_STEPS = 2 * WIDEST_PANEL, 1024
"""Where a batch is too small to cut, a step of at least so many units is an instruction of its own, cut along the units, if steps are not too many."""


class Lstm(Op):
    """x (batch, time, 4 units), U (units, 4 units), h0, c0 (batch, units)[, mask (batch, time)] -> h and c after each step, and the gates.

    Activations are tanh and sigmoid. `composition` is what it stands for.
    """

    name = "lstm"
    results = 2

    def infer(self, x: Value, u: Value, h0: Value, c0: Value, mask: Value | None = None) -> tuple[Type, ...]:
        check("lstm", 4, x, u, h0, c0, mask=mask)
        states = Type((*x.shape[:2], u.shape[0]), x.dtype)
        return states, states, x.type

    def gradient(self, node: Node, *grads: Value | None) -> Sequence[Value | None]:
        (g_hs, g_cs, _), (hs, cs, gates) = grads, node.outputs
        _, u, h0, c0, *mask = node.inputs
        given = [zeros(hs) if g_hs is None else g_hs, *([] if g_cs is None else [g_cs])]
        dx, dh0, dc0 = LstmGradient.apply(u, c0, gates, cs, *mask, *given, masked=bool(mask))
        return [dx, kernel_gradient(before_each(h0, hs), dx), dh0, dc0, *[None] * len(mask)]

    def calls(self, node: Node) -> list[Call]:
        return self.projecting(Projection(node.inputs[0]), node.inputs[1:], node.outputs)

    def projecting(self, x: Projection, inputs: Sequence[Value], outputs: Sequence[Value | None]) -> list[Call]:
        """The calls for an input that is projected on the way, where it is not yet, and the outputs that are kept: hs, and cs and gates or None."""
        (u, h0, c0, *mask), (hs, cs, gates) = inputs, outputs
        assert hs is not None
        batch, steps, units = map(int, hs.shape)
        size, rows = SIZE_OF[hs.dtype], batch * units
        held, c_held = steps if gates is not None else AHEAD if x.features else 1, steps if cs is not None else 2
        gates = Scratch(size * 4 * rows * held) if gates is None else gates
        cs = Scratch(size * rows * c_held) if cs is None else cs
        if shares(batch) == 1 and x.w is None and units >= FEWEST_UNITS and steps <= MOST_STEPS:
            panels = Scratch(packed_size(hs.dtype, 4, units, units))
            fill = plan_pack(hs.dtype, 4, units, units, u, (units, 4 * units, 1), panels)
            args = (x.x, panels, h0, c0, mask[0] if mask else None, gates, hs, cs, batch, steps, units, int(bool(mask)), held, c_held)
            work = units * (4 * units * max(0.02 * batch, READING_B) + 5 * batch)
            return [fill, *(Call(forward_step.at(T=hs.dtype), (*args, t), tasks=units // WIDEST_PANEL, steady=True, work=work) for t in range(steps))]
        fills, given = x.plan(hs.dtype, 4 * units)
        panels, fill = packed(hs.dtype, u, units, 4 * units)
        args = (*given, panels, h0, c0, mask[0] if mask else None, gates, hs, cs, batch, steps, units, int(bool(mask)), held, c_held)
        work = steps * rows * (0.1 * (units + x.features) + 5)
        return [*fills, fill, Call(forward.at(T=hs.dtype), args, tasks=shares(batch), steady=True, work=work)]

    def macs(self, node: Node) -> int:
        return macs(node, node.inputs[1])

    def numpy(self, c: NumpyLines, node: Node) -> str:
        return f"np_lstm({c.names(node)})"

    def onnx(self, c: OnnxGraph, node: Node) -> None:
        _, _, h0, c0, *mask = node.inputs
        recurrent(c, node, Layer("LSTM", (0, 3, 1, 2), [h0, c0], mask[0] if mask else None, None, {}))


@copied
def np_lstm(x, u, h, c, mask=None):
    """(h, c) after each step; gates i, f, c, o. A step whose mask is false keeps the states."""
    hs, cs = [], []
    for t in range(x.shape[1]):
        i, f, g, o = np.split(x[:, t] + h @ u, 4, axis=-1)
        new = np_sigmoid(f) * c + np_sigmoid(i) * np.tanh(g)
        pair = np_sigmoid(o) * np.tanh(new), new
        h, c = pair if mask is None else (np.where(mask[:, t, None], a, b) for a, b in zip(pair, (h, c), strict=True))
        hs.append(h)
        cs.append(c)
    return np.stack(hs, 1), np.stack(cs, 1)


class LstmGradient(Op):
    """The gradients of x, h0 and c0 from U, c0, the gates and c of the forward pass[, the mask], and the gradients of h[ and c]."""

    name = "lstm_gradient"
    no_gradient = "second derivatives are those of the composition"
    no_form = "it serves training"

    def infer(self, u: Value, c0: Value, gates: Value, cs: Value, *rest: Value, masked: bool) -> tuple[Type, ...]:
        return gates.type, c0.type, c0.type

    def calls(self, node: Node) -> list[Call]:
        (u, c0, gates, cs, *rest), (dx, dh, dc) = node.inputs, node.outputs
        masked = node.attrs["masked"]
        mask, (g_hs, *g_cs) = (rest[0], rest[1:]) if masked else (None, rest)
        batch, steps, units = map(int, cs.shape)
        panels, fill = packed(cs.dtype, u, 4 * units, units, transposed=True)
        args = (
            g_hs, g_cs[0] if g_cs else None, panels, c0, mask, gates, cs, dx, dh, dc, batch, steps, units, int(masked), int(bool(g_cs))
        )  # fmt: skip
        work = batch * steps * units * (0.1 * units + 5)
        return [fill, Call(backward.at(T=cs.dtype), args, tasks=shares(batch), steady=True, work=work)]

    def macs(self, node: Node) -> int:
        return macs(node, node.inputs[0])


def step(z: Value, c: Value, gate: Callable[[Value], Value], act: Callable[[Value], Value]) -> tuple[Value, Value]:
    """(h, c) after a step, from the gates before their functions (batch, ..., 4 units) and c."""
    u = c.shape[-1]
    i, f, g, o = (z[..., k * u : (k + 1) * u] for k in range(4))
    c = gate(f) * c + gate(i) * act(g)
    return gate(o) * act(c), c


def composition(x: Value, u: Value, h0: Value, c0: Value, mask: Value | None = None) -> tuple[Value, Value]:
    """`lstm` of elementwise ops and products, a step at a time."""

    def one(at: Value, states: list[Value]) -> list[Value]:
        z = at + matmul(states[0], u)
        return list(step(z, states[1], lambda v: apply("sigmoid", v), lambda v: apply("tanh", v)))

    hs, (_, c) = carried(x, mask, [h0, c0], one)
    return over_time(hs, x), c


def lstm(x: Value, u: Value, h0: Value, c0: Value, mask: Value | None = None) -> tuple[Value, Value]:
    """h after each step (batch, time, units), and the last c (batch, units).

    x (batch, time, 4 units) is the input's share of the gates i, f, c, o, biases included; u (units, 4 units); a step whose mask is
    false keeps the states.

    Raises:
        ShapeError: if the operands do not fit.
    """
    if current().composes("lstm", x.dtype):
        return composition(x, u, h0, c0, mask)
    hs, cs, _ = Lstm.apply(x, u, h0, c0, *([] if mask is None else [mask]))
    return hs, cs[:, -1]
