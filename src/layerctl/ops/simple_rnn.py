"""`h' = tanh(x + h @ U)` over all steps of time in one kernel."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from layerctl.ops.elementwise import apply
from layerctl.ops.kernel import Call, kernel
from layerctl.ops.matmul import matmul
from layerctl.ops.numpy_lines import NumpyLines, copied
from layerctl.ops.onnx_graph import OnnxGraph
from layerctl.ops.onnx_recurrent import Layer, recurrent
from layerctl.ops.primitives import fma, offset, share_low, tanh
from layerctl.ops.projecting import AHEAD, Projection, project
from layerctl.ops.recurrent import (
    add_product,
    before_each,
    carried,
    check,
    copy_rows,
    fade,
    kernel_gradient,
    macs,
    over_time,
    packed,
    shares,
)
from layerctl.ops.value import Node, Op, Type, Value, current


@kernel
def forward(
    task: int, tasks: int, x: "T*", w: "T*", bias: "T*", features: "i64", how: "i64", packed_kernel: "T*", h0: "T*", mask: "u8*", hs: "T*",
    batch: "i64", steps: "i64", units: "i64", masked: "i64",
):  # fmt: skip
    """h = tanh(x_t @ w + bias + h @ U); a masked step keeps h. Shares are cut along the batch.

    x (batch, steps, features), or (batch, steps, units) where it is projected already and features is 0; hs (batch, steps, units); h0 (batch, units).
    """
    low = share_low(batch, task, tasks)
    rows = share_low(batch, task + 1, tasks) - low
    for t in range(steps):
        at = low * steps + t
        if features == 0:
            copy_rows(rows, offset(x, at * units), steps * units, offset(hs, at * units), steps * units, units)
        elif t % AHEAD == 0:
            first = offset(x, at * features)
            project(rows, min(AHEAD, steps - t), first, steps * features, features, w, bias, how, units, offset(hs, at * units), steps * units)
        h, stride = offset(h0, low * units), units
        if t > 0:
            h, stride = offset(hs, (at - 1) * units), steps * units
        add_product(rows, h, stride, units, packed_kernel, units, offset(hs, at * units), steps * units)
        for row in range(rows):
            here = at + row * steps
            to = offset(hs, here * units)
            if masked != 0 and mask[here] == 0:
                copy_rows(1, offset(h, row * stride), 0, to, 0, units)
            else:
                for j in range(units):
                    to[j] = tanh(to[j])


@kernel
def backward(
    task: int, tasks: int, g_hs: "T*", packed_kernel: "T*", mask: "u8*", hs: "T*", dx: "T*", dh: "T*",
    batch: "i64", steps: "i64", units: "i64", masked: "i64",
):  # fmt: skip
    """The gradients of x and h0 from that of hs, from the last step to the first; dh carries the state's. packed_kernel holds U transposed."""
    low = share_low(batch, task, tasks)
    rows = share_low(batch, task + 1, tasks) - low
    for j in range(rows * units):
        dh[low * units + j] = 0
    for back in range(steps):
        at = low * steps + steps - 1 - back
        for row in range(rows):
            here = (at + row * steps) * units
            dh_row, to, given = offset(dh, (low + row) * units), offset(dx, here), offset(g_hs, here)
            for j in range(units):
                dh_row[j] += given[j]
            fade(dh_row, units)
            if masked != 0 and mask[at + row * steps] == 0:
                for j in range(units):
                    to[j] = 0
            else:
                tanh_gradient(offset(hs, here), dh_row, to, units)
        add_product(rows, offset(dx, at * units), steps * units, units, packed_kernel, units, offset(dh, low * units), units)


def tanh_gradient(h: Any, dh: Any, dx: Any, units: int) -> None:
    """dx = dh (1 - h h); dh is used up and left 0."""
    for j in range(units):
        dx[j] = fma(-(dh[j] * h[j]), h[j], dh[j])
        dh[j] = 0


class SimpleRnn(Op):
    """x (batch, time, units), U (units, units), h0 (batch, units)[, mask (batch, time)] -> h after each step. `composition` is what it
    stands for."""

    name = "simple_rnn"

    def infer(self, x: Value, u: Value, h0: Value, mask: Value | None = None) -> Type:
        check("simple_rnn", 1, x, u, h0, mask=mask)
        return x.type

    def gradient(self, node: Node, *grads: Value | None) -> Sequence[Value | None]:
        (g,), (hs,), (_, u, h0, *mask) = grads, node.outputs, node.inputs
        if g is None:
            return [None] * len(node.inputs)
        dx, dh0 = SimpleRnnGradient.apply(u, h0, hs, g, *mask)
        return [dx, kernel_gradient(before_each(h0, hs), dx), dh0, *[None] * len(mask)]

    def calls(self, node: Node) -> list[Call]:
        return self.projecting(Projection(node.inputs[0]), node.inputs[1:], node.outputs)

    def projecting(self, x: Projection, inputs: Sequence[Value], outputs: Sequence[Value | None]) -> list[Call]:
        """The calls for an input that is projected on the way, where it is not yet."""
        (u, h0, *mask), (hs,) = inputs, outputs
        assert hs is not None
        batch, steps, units = map(int, hs.shape)
        fills, given = x.plan(hs.dtype, units)
        panels, fill = packed(hs.dtype, u, units, units)
        args = (*given, panels, h0, mask[0] if mask else None, hs, batch, steps, units, int(bool(mask)))
        work = batch * steps * units * (0.03 * (units + x.features) + 1)
        return [*fills, fill, Call(forward.at(T=hs.dtype), args, tasks=shares(batch), steady=True, work=work)]

    def macs(self, node: Node) -> int:
        return macs(node, node.inputs[1])

    def numpy(self, c: NumpyLines, node: Node) -> str:
        return f"np_simple_rnn({c.names(node)})"

    def onnx(self, c: OnnxGraph, node: Node) -> None:
        _, _, h0, *mask = node.inputs
        recurrent(c, node, Layer("RNN", (0,), [h0], mask[0] if mask else None, None, {"activations": ["Tanh"]}))


@copied
def np_simple_rnn(x, u, h, mask=None):
    """h after each step: tanh(x + h @ u)."""
    hs = []
    for t in range(x.shape[1]):
        new = np.tanh(x[:, t] + h @ u)
        h = new if mask is None else np.where(mask[:, t, None], new, h)
        hs.append(h)
    return np.stack(hs, 1)


class SimpleRnnGradient(Op):
    """The gradients of x and h0 from U, h0, h after each step and its gradient[, the mask]."""

    name = "simple_rnn_gradient"
    no_gradient = "second derivatives are those of the composition"
    no_form = "it serves training"

    def infer(self, u: Value, h0: Value, hs: Value, g: Value, mask: Value | None = None) -> tuple[Type, ...]:
        return hs.type, h0.type

    def calls(self, node: Node) -> list[Call]:
        (u, _, hs, g, *mask), (dx, dh) = node.inputs, node.outputs
        batch, steps, units = map(int, hs.shape)
        panels, fill = packed(hs.dtype, u, units, units, transposed=True)
        args = (g, panels, mask[0] if mask else None, hs, dx, dh, batch, steps, units, int(bool(mask)))
        return [fill, Call(backward.at(T=hs.dtype), args, tasks=shares(batch), steady=True, work=batch * steps * units * (0.03 * units + 1))]

    def macs(self, node: Node) -> int:
        return macs(node, node.inputs[0])


def composition(x: Value, u: Value, h0: Value, mask: Value | None = None) -> Value:
    """`simple_rnn` of elementwise ops and products, a step at a time."""
    hs, _ = carried(x, mask, [h0], lambda at, states: [apply("tanh", at + matmul(states[0], u))])
    return over_time(hs, x)


def simple_rnn(x: Value, u: Value, h0: Value, mask: Value | None = None) -> Value:
    """h after each step (batch, time, units) from the projected input x (batch, time, units), u (units, units) and h0 (batch, units).

    Raises:
        ShapeError: if the operands do not fit.
    """
    if current().composes("simple_rnn", x.dtype):
        return composition(x, u, h0, mask)
    return SimpleRnn.apply(x, u, h0, *([] if mask is None else [mask]))
