"""Gated recurrent units over all steps of time in one kernel (Cho et al. 2014; gates as in Keras: z, r, h).

Both forms of the reset gate: after the state's product (`h' = z h + (1 - z) tanh(x_h + r (h @ U_h + b))`, the default of Keras), or on the
state before it (`tanh(x_h + (r h) @ U_h)`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from layerctl.ops.concat import concat
from layerctl.ops.elementwise import apply
from layerctl.ops.function_forms import np_sigmoid
from layerctl.ops.gru_kernels import backward_after, backward_before, forward_after, forward_before
from layerctl.ops.kernel import Call, Scratch
from layerctl.ops.matmul import matmul
from layerctl.ops.numpy_lines import NumpyLines, copied
from layerctl.ops.onnx_graph import OnnxGraph
from layerctl.ops.onnx_recurrent import Layer, recurrent
from layerctl.ops.projecting import AHEAD, Projection
from layerctl.ops.recurrent import before_each, carried, check, kernel_gradient, macs, over_time, packed, shares
from layerctl.ops.reduce import reduce
from layerctl.ops.value import SIZE_OF, Node, Op, Type, Value, current


class GruAfter(Op):
    """x (batch, time, 3 units), U (units, 3 units), b (3 units), h0 (batch, units)[, mask] -> h after each step, (z, r, h @ U_h + b_h),
    the candidates. `composition` is what it stands for."""

    name = "gru"
    results = 1

    def infer(self, x: Value, u: Value, b: Value, h0: Value, mask: Value | None = None) -> tuple[Type, ...]:
        check("gru", 3, x, u, h0, mask=mask)
        states = Type((*x.shape[:2], u.shape[0]), x.dtype)
        return states, x.type, states

    def gradient(self, node: Node, *grads: Value | None) -> Sequence[Value | None]:
        (g, _, _), (hs, gates, candidates) = grads, node.outputs
        _, u, _, h0, *mask = node.inputs
        if g is None:
            return [None] * len(node.inputs)
        dx, inner, dh0 = GruAfterGradient.apply(u, h0, gates, candidates, hs, g, *mask)
        return [dx, kernel_gradient(before_each(h0, hs), inner), reduce("sum", inner, (0, 1)), dh0, *[None] * len(mask)]

    def calls(self, node: Node) -> list[Call]:
        return self.projecting(Projection(node.inputs[0]), node.inputs[1:], node.outputs)

    def projecting(self, x: Projection, inputs: Sequence[Value], outputs: Sequence[Value | None]) -> list[Call]:
        """The calls for an input that is projected on the way, where it is not yet, and the outputs that are kept: hs, and gates and candidates or None."""
        (u, b, h0, *mask), (hs, gates, candidates) = inputs, outputs
        assert hs is not None
        batch, steps, units = map(int, hs.shape)
        held, gates = (steps, gates) if gates is not None else (1, Scratch(_size(hs, 3)))
        room = Scratch(_size(hs, 3 * AHEAD)) if x.features else gates
        own_held, candidates = (steps, candidates) if candidates is not None else (1, Scratch(_size(hs, 1)))
        fills, given = x.plan(hs.dtype, 3 * units)
        panels, fill = packed(hs.dtype, u, units, 3 * units)
        masks = mask[0] if mask else None
        args = (*given, panels, b, h0, masks, room, gates, candidates, hs, batch, steps, units, int(bool(mask)), held, own_held)
        work = _work(batch, steps, units, x.features)
        return [*fills, fill, Call(forward_after.at(T=hs.dtype), args, tasks=shares(batch), steady=True, work=work)]

    def macs(self, node: Node) -> int:
        return macs(node, node.inputs[1])

    def numpy(self, c: NumpyLines, node: Node) -> str:
        return f"np_gru({c.names(node)})"

    def onnx(self, c: OnnxGraph, node: Node) -> None:
        _, _, bias, h0, *mask = node.inputs
        recurrent(c, node, Layer("GRU", (0, 1, 2), [h0], mask[0] if mask else None, bias, {"linear_before_reset": 1}))


@copied
def np_gru(x, u, b, h, mask=None):
    """h after each step; gates z, r, h, the reset after the state's product."""
    hs = []
    for t in range(x.shape[1]):
        (xz, xr, xh), (hz, hr, hh) = np.split(x[:, t], 3, axis=-1), np.split(h @ u + b, 3, axis=-1)
        z = np_sigmoid(xz + hz)
        new = z * h + (1 - z) * np.tanh(xh + np_sigmoid(xr + hr) * hh)
        h = new if mask is None else np.where(mask[:, t, None], new, h)
        hs.append(h)
    return np.stack(hs, 1)


class GruAfterGradient(Op):
    """The gradients of x, of h @ U + b, and of h0."""

    name = "gru_gradient"
    no_gradient = "second derivatives are those of the composition"
    no_form = "it serves training"

    def infer(
        self, u: Value, h0: Value, gates: Value, candidates: Value, hs: Value, g: Value, mask: Value | None = None
    ) -> tuple[Type, ...]:  # fmt: skip
        return gates.type, gates.type, h0.type

    def calls(self, node: Node) -> list[Call]:
        (u, h0, gates, candidates, hs, g, *mask), (dx, inner, dh) = node.inputs, node.outputs
        batch, steps, units = map(int, hs.shape)
        panels, fill = packed(hs.dtype, u, 3 * units, units, transposed=True)
        args = (g, panels, h0, mask[0] if mask else None, gates, candidates, hs, dx, inner, dh, batch, steps, units, int(bool(mask)))
        return [fill, Call(backward_after.at(T=hs.dtype), args, tasks=shares(batch), steady=True, work=_work(batch, steps, units))]

    def macs(self, node: Node) -> int:
        return macs(node, node.inputs[0])


class GruBefore(Op):
    """x (batch, time, 3 units), U (units, 3 units), h0 (batch, units)[, mask] -> h after each step, (z, r, candidate), r h.

    `composition` is what it stands for.
    """

    name = "gru_reset_before"
    results = 1

    def infer(self, x: Value, u: Value, h0: Value, mask: Value | None = None) -> tuple[Type, ...]:
        check("gru", 3, x, u, h0, mask=mask)
        states = Type((*x.shape[:2], u.shape[0]), x.dtype)
        return states, x.type, states

    def gradient(self, node: Node, *grads: Value | None) -> Sequence[Value | None]:
        (g, _, _), (hs, gates, resets) = grads, node.outputs
        _, u, h0, *mask = node.inputs
        if g is None:
            return [None] * len(node.inputs)
        dx, dh0 = GruBeforeGradient.apply(u, h0, gates, hs, g, *mask)
        n = int(u.shape[0])
        du = concat([kernel_gradient(before_each(h0, hs), dx[:, :, : 2 * n]), kernel_gradient(resets, dx[:, :, 2 * n :])], 1)
        return [dx, du, dh0, *[None] * len(mask)]

    def calls(self, node: Node) -> list[Call]:
        return self.projecting(Projection(node.inputs[0]), node.inputs[1:], node.outputs)

    def projecting(self, x: Projection, inputs: Sequence[Value], outputs: Sequence[Value | None]) -> list[Call]:
        """As `GruAfter.projecting`; of the outputs gates and resets are kept or None."""
        (u, h0, *mask), (hs, gates, resets) = inputs, outputs
        assert hs is not None
        batch, steps, units = map(int, hs.shape)
        held, own_held = steps if gates is not None else AHEAD if x.features else 1, steps if resets is not None else 1
        gates = Scratch(_size(hs, 3 * held)) if gates is None else gates
        resets = Scratch(_size(hs, 1)) if resets is None else resets
        fills, given = x.plan(hs.dtype, 3 * units)
        panels, fill = packed(hs.dtype, u, units, 2 * units, row=3 * units)
        last, fill_last = packed(hs.dtype, u, units, units, column=2 * units, row=3 * units)
        masks = mask[0] if mask else None
        args = (*given, panels, last, h0, masks, gates, resets, hs, batch, steps, units, int(bool(mask)), held, own_held)
        work = _work(batch, steps, units, x.features)
        return [*fills, fill, fill_last, Call(forward_before.at(T=hs.dtype), args, tasks=shares(batch), steady=True, work=work)]

    def macs(self, node: Node) -> int:
        return macs(node, node.inputs[1])

    def numpy(self, c: NumpyLines, node: Node) -> str:
        return f"np_gru_before({c.names(node)})"

    def onnx(self, c: OnnxGraph, node: Node) -> None:
        _, _, h0, *mask = node.inputs
        recurrent(c, node, Layer("GRU", (0, 1, 2), [h0], mask[0] if mask else None, None, {"linear_before_reset": 0}))


@copied
def np_gru_before(x, u, h, mask=None):
    """h after each step; the reset before the state's product."""
    hs, n = [], u.shape[0]
    for t in range(x.shape[1]):
        xz, xr, xh = np.split(x[:, t], 3, axis=-1)
        z, r = (np_sigmoid(a) for a in np.split(np.concatenate([xz, xr], -1) + h @ u[:, : 2 * n], 2, axis=-1))
        new = z * h + (1 - z) * np.tanh(xh + (r * h) @ u[:, 2 * n :])
        h = new if mask is None else np.where(mask[:, t, None], new, h)
        hs.append(h)
    return np.stack(hs, 1)


class GruBeforeGradient(Op):
    """The gradients of x and h0."""

    name = "gru_reset_before_gradient"
    no_gradient = "second derivatives are those of the composition"
    no_form = "it serves training"

    def infer(self, u: Value, h0: Value, gates: Value, hs: Value, g: Value, mask: Value | None = None) -> tuple[Type, ...]:
        return gates.type, h0.type

    def calls(self, node: Node) -> list[Call]:
        (u, h0, gates, hs, g, *mask), (dx, dh) = node.inputs, node.outputs
        batch, steps, units = map(int, hs.shape)
        panels, fill = packed(hs.dtype, u, 2 * units, units, transposed=True, row=3 * units)
        last, fill_last = packed(hs.dtype, u, units, units, transposed=True, column=2 * units, row=3 * units)
        room = Scratch(h0.type.size)
        args = (g, panels, last, h0, mask[0] if mask else None, gates, hs, dx, dh, room, batch, steps, units, int(bool(mask)))
        return [fill, fill_last, Call(backward_before.at(T=hs.dtype), args, tasks=shares(batch), steady=True, work=_work(batch, steps, units))]

    def macs(self, node: Node) -> int:
        return macs(node, node.inputs[0])


def _work(batch: int, steps: int, units: int, features: int = 0) -> float:
    return batch * steps * units * (0.08 * (units + features) + 4)


def _size(hs: Value, states: int) -> int:
    """Bytes of so many states for each row of the batch."""
    batch, _, units = map(int, hs.shape)
    return SIZE_OF[hs.dtype] * batch * units * states


Function = Callable[[Value], Value]


def step(x: Value, h: Value, kept: Value, u: Value, bias: Value | None, reset_after: bool, gate: Function, act: Function) -> Value:
    """The state after a step, from x's share of the gates (batch, 3 units) and the state; `kept` is the state that is multiplied by u."""
    n = h.shape[-1]
    if reset_after:
        inner = matmul(kept, u)
        if bias is not None:
            inner = inner + bias
        z, r = gate(x[:, :n] + inner[:, :n]), gate(x[:, n : 2 * n] + inner[:, n : 2 * n])
        candidate = act(x[:, 2 * n :] + r * inner[:, 2 * n :])
    else:
        inner = matmul(kept, u[:, : 2 * n])
        z, r = gate(x[:, :n] + inner[:, :n]), gate(x[:, n : 2 * n] + inner[:, n:])
        candidate = act(x[:, 2 * n :] + matmul(r * kept, u[:, 2 * n :]))
    return z * h + (1.0 - z) * candidate


def composition(x: Value, u: Value, bias: Value | None, h0: Value, mask: Value | None = None, reset_after: bool = True) -> Value:
    """`gru` of elementwise ops and products, a step at a time."""

    def one(at: Value, states: list[Value]) -> list[Value]:
        h = states[0]
        return [step(at, h, h, u, bias, reset_after, lambda v: apply("sigmoid", v), lambda v: apply("tanh", v))]

    return over_time(carried(x, mask, [h0], one)[0], x)


def gru(x: Value, u: Value, bias: Value | None, h0: Value, mask: Value | None = None, reset_after: bool = True) -> Value:
    """h after each step (batch, time, units).

    x (batch, time, 3 units) is the input's share of the gates z, r, h with its bias; u (units, 3 units); `bias` (3 units), added to the
    state's product, is for `reset_after` alone; a step whose mask is false keeps the state.

    Raises:
        ShapeError: if the operands do not fit.
    """
    if current().composes("gru" if reset_after else "gru_reset_before", x.dtype):
        return composition(x, u, bias, h0, mask, reset_after)
    masks = [] if mask is None else [mask]
    if not reset_after:
        return GruBefore.apply(x, u, h0, *masks)[0]
    if bias is None:
        from layerctl.ops.elementwise import broadcast_to
        from layerctl.ops.leaves import constant

        bias = broadcast_to(constant(0.0, x.dtype), (x.shape[-1],))
    return GruAfter.apply(x, u, bias, h0, *masks)[0]
