"""Long short-term memory over all steps of time in one kernel (Hochreiter and Schmidhuber 1997; gates as in Keras: i, f, c, o)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from layerctl.ops.elementwise import apply
from layerctl.ops.kernel import Call, Scratch, kernel
from layerctl.ops.matmul import matmul
from layerctl.ops.patches import fetch_ahead
from layerctl.ops.primitives import fma, offset, share_low, sigmoid, tanh
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
    zeros,
)
from layerctl.ops.value import SIZE_OF, Node, Op, Type, Value, current


@kernel
def forward(
    task: int, tasks: int, x: "T*", w: "T*", bias: "T*", features: "i64", how: "i64", packed_kernel: "T*", h0: "T*", c0: "T*", mask: "u8*",
    gates: "T*", hs: "T*", cs: "T*", batch: "i64", steps: "i64", units: "i64", masked: "i64", held: "i64", c_held: "i64",
):  # fmt: skip
    """i, f, g, o = x_t @ w + bias + h @ U; c = sigmoid(f) c + sigmoid(i) tanh(g); h = sigmoid(o) tanh(c). A masked step keeps h and c.

    x (batch, steps, features), or (batch, steps, 4 units) where it is projected already and features is 0; gates (batch, held, 4 units),
    after their functions; hs (batch, steps, units); cs (batch, c_held, units); h0, c0 (batch, units). Of gates and cs the last `held` and
    `c_held` steps are left. Shares are cut along the batch.
    """
    low = share_low(batch, task, tasks)
    rows = share_low(batch, task + 1, tasks) - low
    wide = 4 * units
    for t in range(steps):
        now = offset(gates, (low * held + t % held) * wide)
        if features == 0:
            copy_rows(rows, offset(x, (low * steps + t) * wide), steps * wide, now, held * wide, wide)
        elif t % AHEAD == 0:
            first = offset(x, (low * steps + t) * features)
            project(rows, min(AHEAD, steps - t), first, steps * features, features, w, bias, how, wide, now, held * wide)
        h, c, h_row, c_row = offset(h0, low * units), offset(c0, low * units), units, units
        if t > 0:
            h, h_row = offset(hs, (low * steps + t - 1) * units), steps * units
            c, c_row = offset(cs, (low * c_held + (t - 1) % c_held) * units), c_held * units
        add_product(rows, h, h_row, units, packed_kernel, wide, now, held * wide)
        h_new, c_new = offset(hs, (low * steps + t) * units), offset(cs, (low * c_held + t % c_held) * units)
        for row in range(rows):
            h_to, c_to = offset(h_new, row * steps * units), offset(c_new, row * c_held * units)
            if masked != 0 and mask[(low + row) * steps + t] == 0:
                copy_rows(1, offset(h, row * h_row), 0, h_to, 0, units)
                copy_rows(1, offset(c, row * c_row), 0, c_to, 0, units)
            else:
                lstm_row(offset(now, row * held * wide), offset(c, row * c_row), h_to, c_to, units)
            if held == steps and t + AHEAD < steps:
                fetch_ahead(now, (row * held + AHEAD) * wide, wide)


def lstm_row(gates: Any, c: Any, h_new: Any, c_new: Any, units: int) -> None:
    """One row of one step: the gates' functions in their place, then the states."""
    for j in range(2 * units):
        gates[j] = sigmoid(gates[j])
    candidate, out = offset(gates, 2 * units), offset(gates, 3 * units)
    for j in range(units):
        candidate[j] = tanh(candidate[j])
    for j in range(units):
        out[j] = sigmoid(out[j])
    forget = offset(gates, units)
    for j in range(units):
        c_new[j] = fma(forget[j], c[j], gates[j] * candidate[j])
    for j in range(units):
        h_new[j] = out[j] * tanh(c_new[j])


@kernel
def backward(
    task: int, tasks: int, g_hs: "T*", g_cs: "T*", packed_kernel: "T*", c0: "T*", mask: "u8*", gates: "T*", cs: "T*", dx: "T*", dh: "T*",
    dc: "T*", batch: "i64", steps: "i64", units: "i64", masked: "i64", has_g_cs: "i64",
):  # fmt: skip
    """The gradients of x, h0 and c0 from those of hs and cs, from the last step to the first; dh and dc carry the states' gradients.

    packed_kernel holds U transposed. Shapes as in `forward`; shares are cut along the batch.
    """
    low = share_low(batch, task, tasks)
    rows = share_low(batch, task + 1, tasks) - low
    wide = 4 * units
    for j in range(rows * units):
        dh[low * units + j] = 0
        dc[low * units + j] = 0
    for back in range(steps):
        t = steps - 1 - back
        at = low * steps + t
        c, stride = offset(c0, low * units), units
        if t > 0:
            c, stride = offset(cs, (at - 1) * units), steps * units
        for row in range(rows):
            here = at + row * steps
            dh_row, dc_row, to = offset(dh, (low + row) * units), offset(dc, (low + row) * units), offset(dx, here * wide)
            given = offset(g_hs, here * units)
            for j in range(units):
                dh_row[j] += given[j]
            fade(dh_row, units)
            if has_g_cs != 0:
                given = offset(g_cs, here * units)
                for j in range(units):
                    dc_row[j] += given[j]
            fade(dc_row, units)
            if masked != 0 and mask[here] == 0:
                for j in range(wide):
                    to[j] = 0
            else:
                lstm_row_gradient(offset(gates, here * wide), offset(c, row * stride), offset(cs, here * units), dh_row, dc_row, to, units)
            if t > 0:
                fetch_ahead(gates, (here - 1) * wide, wide)
                fetch_ahead(dx, (here - 1) * wide, wide)
                fetch_ahead(cs, (here - 1) * units, units)
        add_product(rows, offset(dx, at * wide), steps * wide, wide, packed_kernel, units, offset(dh, low * units), units)


def lstm_row_gradient(gates: Any, c: Any, c_new: Any, dh: Any, dc: Any, dx: Any, units: int) -> None:
    """One row of one step: dx of the four gates, dc of the state before; dh is used up and left 0.

    With y = sigmoid(x) the derivative is y - y y, with y = tanh(x) it is 1 - y y.
    """
    forget, candidate, out = offset(gates, units), offset(gates, 2 * units), offset(gates, 3 * units)
    dx_forget, dx_candidate, dx_out = offset(dx, units), offset(dx, 2 * units), offset(dx, 3 * units)
    for j in range(units):
        dx[j] = tanh(c_new[j])
    for j in range(units):
        dx_out[j] = dh[j] * dx[j] * fma(-out[j], out[j], out[j])
    for j in range(units):
        through = dh[j] * out[j]
        dc[j] += fma(-(through * dx[j]), dx[j], through)
        dh[j] = 0
    for j in range(units):
        whole = dc[j] * gates[j]
        dx_candidate[j] = fma(-(whole * candidate[j]), candidate[j], whole)
    for j in range(units):
        dx[j] = dc[j] * candidate[j] * fma(-gates[j], gates[j], gates[j])
    for j in range(units):
        dx_forget[j] = dc[j] * c[j] * fma(-forget[j], forget[j], forget[j])
    for j in range(units):
        dc[j] = dc[j] * forget[j]


class Lstm(Op):
    """x (batch, time, 4 units), U (units, 4 units), h0, c0 (batch, units)[, mask (batch, time)] -> h and c after each step, and the gates.

    Activations are tanh and sigmoid. `composition` is what it stands for.
    """

    name = "lstm"

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
        fills, given = x.plan(hs.dtype, 4 * units)
        panels, fill = packed(hs.dtype, u, units, 4 * units)
        args = (*given, panels, h0, c0, mask[0] if mask else None, gates, hs, cs, batch, steps, units, int(bool(mask)), held, c_held)
        work = steps * rows * (0.1 * (units + x.features) + 5)
        return [*fills, fill, Call(forward.at(T=hs.dtype), args, tasks=shares(batch), steady=True, work=work)]

    def macs(self, node: Node) -> int:
        return macs(node, node.inputs[1])


class LstmGradient(Op):
    """The gradients of x, h0 and c0 from U, c0, the gates and c of the forward pass[, the mask], and the gradients of h[ and c]."""

    name = "lstm_gradient"
    no_gradient = "second derivatives are those of the composition"

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
