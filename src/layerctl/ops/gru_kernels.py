"""The kernels of gated recurrent units: each share runs its rows of the batch through all steps of time.

dx, gates (batch, steps, 3 units); hs, candidates, resets (batch, steps, units); h0, dh (batch, units); bias (3 units). x is (batch, steps,
features), which w projects, or (batch, steps, 3 units), projected already, where features is 0. Going forward, gates have their last `held`
steps, candidates and resets their last `own_held`. A masked step keeps h. With y = sigmoid(x) the derivative is y - y y, with y = tanh(x)
it is 1 - y y.
"""

from __future__ import annotations

from typing import Any

from layerctl.ops.kernel import kernel
from layerctl.ops.primitives import fma, offset, share_low, sigmoid, tanh
from layerctl.ops.projecting import AHEAD, project
from layerctl.ops.recurrent import add_product, copy_rows, fade
from layerctl.ops.tiles import fetch_ahead


def mix(z: Any, h: Any, candidate: Any, to: Any, units: int) -> None:
    """to = z h + (1 - z) candidate."""
    for j in range(units):
        to[j] = fma(z[j], h[j] - candidate[j], candidate[j])


@kernel
def forward_after(
    task: int, tasks: int, x: "T*", w: "T*", x_bias: "T*", features: "i64", how: "i64", packed_kernel: "T*", bias: "T*", h0: "T*", mask: "u8*",
    room: "T*", gates: "T*", candidates: "T*", hs: "T*", batch: "i64", steps: "i64", units: "i64", masked: "i64", held: "i64", own_held: "i64",
):  # fmt: skip
    """y = h @ U + b; z, r = sigmoid(x + y); candidate = tanh(x_h + r y_h); h = z h + (1 - z) candidate. gates are left (z, r, y_h).

    room (batch, AHEAD, 3 units) holds what is projected ahead.
    """
    low = share_low(batch, task, tasks)
    rows = share_low(batch, task + 1, tasks) - low
    wide = 3 * units
    for t in range(steps):
        given, given_row, ahead = offset(x, (low * steps + t) * wide), steps * wide, offset(room, (low * AHEAD + t % AHEAD) * wide)
        if features != 0:
            given, given_row = ahead, AHEAD * wide
            if t % AHEAD == 0:
                first = offset(x, (low * steps + t) * features)
                project(rows, min(AHEAD, steps - t), first, steps * features, features, w, x_bias, how, wide, ahead, AHEAD * wide)
        now, own = offset(gates, (low * held + t % held) * wide), offset(candidates, (low * own_held + t % own_held) * units)
        copy_rows(rows, bias, 0, now, held * wide, wide)
        h, stride = offset(h0, low * units), units
        if t > 0:
            h, stride = offset(hs, (low * steps + t - 1) * units), steps * units
        add_product(rows, h, stride, units, packed_kernel, wide, now, held * wide)
        for row in range(rows):
            here = (low + row) * steps + t
            before, to = offset(h, row * stride), offset(hs, here * units)
            if masked != 0 and mask[here] == 0:
                copy_rows(1, before, 0, to, 0, units)
            else:
                y, candidate = offset(now, row * held * wide), offset(own, row * own_held * units)
                after_row(offset(given, row * given_row), y, candidate, units)
                mix(y, before, candidate, to, units)
            if held == steps and t + 1 < steps:
                fetch_ahead(now, (row * held + 1) * wide, wide)


def after_row(x: Any, gates: Any, candidate: Any, units: int) -> None:
    """The gates and the candidate of one row of one step."""
    for j in range(2 * units):
        gates[j] = sigmoid(x[j] + gates[j])
    reset, inner, own = offset(gates, units), offset(gates, 2 * units), offset(x, 2 * units)
    for j in range(units):
        candidate[j] = tanh(fma(reset[j], inner[j], own[j]))


@kernel
def backward_after(
    task: int, tasks: int, g_hs: "T*", packed_kernel: "T*", h0: "T*", mask: "u8*", gates: "T*", candidates: "T*", hs: "T*",
    dx: "T*", inner: "T*", dh: "T*", batch: "i64", steps: "i64", units: "i64", masked: "i64",
):  # fmt: skip
    """The gradients of x, of h @ U + b (`inner`), and of h0, from that of hs; dh carries the state's. packed_kernel holds U transposed."""
    low = share_low(batch, task, tasks)
    rows = share_low(batch, task + 1, tasks) - low
    wide = 3 * units
    for j in range(rows * units):
        dh[low * units + j] = 0
    for back in range(steps):
        t = steps - 1 - back
        at = low * steps + t
        h, stride = offset(h0, low * units), units
        if t > 0:
            h, stride = offset(hs, (at - 1) * units), steps * units
        for row in range(rows):
            here = at + row * steps
            dh_row, given = offset(dh, (low + row) * units), offset(g_hs, here * units)
            dx_row, inner_row = offset(dx, here * wide), offset(inner, here * wide)
            for j in range(units):
                dh_row[j] += given[j]
            fade(dh_row, units)
            if masked != 0 and mask[here] == 0:
                for j in range(wide):
                    dx_row[j] = 0
                for j in range(wide):
                    inner_row[j] = 0
            else:
                row_gradient(offset(gates, here * wide), offset(candidates, here * units), offset(h, row * stride), dh_row, dx_row, units)
                after_reset_gradient(offset(gates, here * wide), dx_row, inner_row, units)
        add_product(rows, offset(inner, at * wide), steps * wide, wide, packed_kernel, units, offset(dh, low * units), units)


def row_gradient(gates: Any, candidate: Any, h: Any, dh: Any, dx: Any, units: int) -> None:
    """dx_z and dx_h of one row of one step; dh keeps what the step hands through, dh z."""
    dx_candidate = offset(dx, 2 * units)
    for j in range(units):
        dx[j] = dh[j] * (h[j] - candidate[j]) * fma(-gates[j], gates[j], gates[j])
    for j in range(units):
        through = fma(-dh[j], gates[j], dh[j])
        dx_candidate[j] = fma(-(through * candidate[j]), candidate[j], through)
    for j in range(units):
        dh[j] = dh[j] * gates[j]


def after_reset_gradient(gates: Any, dx: Any, inner: Any, units: int) -> None:
    """dx_r, and the gradient of h @ U + b: that of x but for the candidate's part, which the reset gate multiplies."""
    reset, product = offset(gates, units), offset(gates, 2 * units)
    dx_reset, dx_candidate, inner_candidate = offset(dx, units), offset(dx, 2 * units), offset(inner, 2 * units)
    for j in range(units):
        dx_reset[j] = dx_candidate[j] * product[j] * fma(-reset[j], reset[j], reset[j])
    for j in range(2 * units):
        inner[j] = dx[j]
    for j in range(units):
        inner_candidate[j] = dx_candidate[j] * reset[j]


@kernel
def forward_before(
    task: int, tasks: int, x: "T*", w: "T*", x_bias: "T*", features: "i64", how: "i64", packed_kernel: "T*", packed_candidate: "T*", h0: "T*",
    mask: "u8*", gates: "T*", resets: "T*", hs: "T*", batch: "i64", steps: "i64", units: "i64", masked: "i64", held: "i64", own_held: "i64",
):  # fmt: skip
    """z, r = sigmoid(x + h @ U); candidate = tanh(x_h + (r h) @ U_h); h = z h + (1 - z) candidate. gates are left (z, r, candidate)."""
    low = share_low(batch, task, tasks)
    rows = share_low(batch, task + 1, tasks) - low
    wide, gates_row, own_row = 3 * units, held * 3 * units, own_held * units
    for t in range(steps):
        now, own = offset(gates, (low * held + t % held) * wide), offset(resets, (low * own_held + t % own_held) * units)
        if features == 0:
            copy_rows(rows, offset(x, (low * steps + t) * wide), steps * wide, now, gates_row, wide)
        elif t % AHEAD == 0:
            first = offset(x, (low * steps + t) * features)
            project(rows, min(AHEAD, steps - t), first, steps * features, features, w, x_bias, how, wide, now, gates_row)
        h, stride = offset(h0, low * units), units
        if t > 0:
            h, stride = offset(hs, (low * steps + t - 1) * units), steps * units
        add_product(rows, h, stride, units, packed_kernel, 2 * units, now, gates_row)
        for row in range(rows):
            reset_row(offset(now, row * gates_row), offset(h, row * stride), offset(own, row * own_row), units)
        add_product(rows, own, own_row, units, packed_candidate, units, offset(now, 2 * units), gates_row)
        for row in range(rows):
            here = (low + row) * steps + t
            before, to = offset(h, row * stride), offset(hs, here * units)
            candidate = offset(now, row * gates_row + 2 * units)
            for j in range(units):
                candidate[j] = tanh(candidate[j])
            if masked != 0 and mask[here] == 0:
                copy_rows(1, before, 0, to, 0, units)
            else:
                mix(offset(now, row * gates_row), before, candidate, to, units)


def reset_row(gates: Any, h: Any, to: Any, units: int) -> None:
    """The functions of z and r in their place; to = r h."""
    for j in range(2 * units):
        gates[j] = sigmoid(gates[j])
    reset = offset(gates, units)
    for j in range(units):
        to[j] = reset[j] * h[j]


@kernel
def backward_before(
    task: int, tasks: int, g_hs: "T*", packed_kernel: "T*", packed_candidate: "T*", h0: "T*", mask: "u8*", gates: "T*", hs: "T*",
    dx: "T*", dh: "T*", room: "T*", batch: "i64", steps: "i64", units: "i64", masked: "i64",
):  # fmt: skip
    """The gradients of x and h0 from that of hs; dh carries the state's, room (batch, units) holds r h's. The kernels are transposed."""
    low = share_low(batch, task, tasks)
    rows = share_low(batch, task + 1, tasks) - low
    wide = 3 * units
    for j in range(rows * units):
        dh[low * units + j] = 0
    for back in range(steps):
        t = steps - 1 - back
        at = low * steps + t
        h, stride = offset(h0, low * units), units
        if t > 0:
            h, stride = offset(hs, (at - 1) * units), steps * units
        for row in range(rows):
            here = at + row * steps
            dh_row, dx_row, given = offset(dh, (low + row) * units), offset(dx, here * wide), offset(g_hs, here * units)
            for j in range(units):
                dh_row[j] += given[j]
            fade(dh_row, units)
            if masked != 0 and mask[here] == 0:
                for j in range(wide):
                    dx_row[j] = 0
            else:
                row_gradient(offset(gates, here * wide), offset(gates, here * wide + 2 * units), offset(h, row * stride), dh_row, dx_row, units)
        for j in range(rows * units):
            room[low * units + j] = 0
        add_product(rows, offset(dx, at * wide + 2 * units), steps * wide, units, packed_candidate, units, offset(room, low * units), units)
        for row in range(rows):
            here = at + row * steps
            own = (low + row) * units
            before_reset_gradient(
                offset(gates, here * wide + units), offset(h, row * stride), offset(room, own), offset(dh, own),
                offset(dx, here * wide + units), units,
            )  # fmt: skip
        add_product(rows, offset(dx, at * wide), steps * wide, 2 * units, packed_kernel, units, offset(dh, low * units), units)


def before_reset_gradient(reset: Any, h: Any, given: Any, dh: Any, dx: Any, units: int) -> None:
    """dx_r and the state's part, from the gradient of r h, which is 0 at a masked step."""
    for j in range(units):
        dx[j] = given[j] * h[j] * fma(-reset[j], reset[j], reset[j])
    for j in range(units):
        dh[j] = fma(given[j], reset[j], dh[j])
