"""The kernels of long short-term memory: each share runs its rows of the batch through all steps of time, or a part of the units through one.

Gates are i, f, c, o. With y = sigmoid(x) the derivative is y - y y, with y = tanh(x) it is 1 - y y.
"""

from __future__ import annotations

from typing import Any

from layerctl.ops.kernel import kernel
from layerctl.ops.primitives import fma, offset, share_low, sigmoid, tanh
from layerctl.ops.projecting import AHEAD, project
from layerctl.ops.recurrent import add_product, copy_rows, fade
from layerctl.ops.tiles import fetch_ahead, strip, tile_width


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
                lstm_row(offset(now, row * held * wide), offset(c, row * c_row), h_to, c_to, units, units)
            if held == steps and t + AHEAD < steps:
                fetch_ahead(now, (row * held + AHEAD) * wide, wide)


def lstm_row(gates: Any, c: Any, h_new: Any, c_new: Any, units: int, n: int) -> None:
    """The first n units of one row of one step: the gates' functions in their place, then the states."""
    forget, candidate, out = offset(gates, units), offset(gates, 2 * units), offset(gates, 3 * units)
    for j in range(n):
        gates[j] = sigmoid(gates[j])
    for j in range(n):
        forget[j] = sigmoid(forget[j])
    for j in range(n):
        candidate[j] = tanh(candidate[j])
    for j in range(n):
        out[j] = sigmoid(out[j])
    for j in range(n):
        c_new[j] = fma(forget[j], c[j], gates[j] * candidate[j])
    for j in range(n):
        h_new[j] = out[j] * tanh(c_new[j])


@kernel
def forward_step(
    task: int, tasks: int, x: "T*", packed_kernel: "T*", h0: "T*", c0: "T*", mask: "u8*", gates: "T*", hs: "T*", cs: "T*",
    batch: "i64", steps: "i64", units: "i64", masked: "i64", held: "i64", c_held: "i64", t: "i64",
):  # fmt: skip
    """Step t of `forward` for few rows, whose shares are cut along the units: each reads its own part of U, which is most of the work.

    packed_kernel has the panels of each gate's U behind those of the one before. x is projected already.
    """
    wide, width = 4 * units, tile_width(packed_kernel)
    panels = (units + width - 1) // width
    first, last = share_low(panels, task, tasks), share_low(panels, task + 1, tasks)
    low = first * width
    n = min(last * width, units) - low
    h, c, h_row, c_row = offset(h0, 0), offset(c0, low), units, units
    if t > 0:
        h, h_row = offset(hs, (t - 1) * units), steps * units
        c, c_row = offset(cs, ((t - 1) % c_held) * units + low), c_held * units
    for row in range(batch):
        at = row * steps + t
        now, source = offset(gates, (row * held + t % held) * wide), offset(x, at * wide)
        for gate in range(4):
            copy_rows(1, offset(source, gate * units + low), 0, offset(now, gate * units + low), 0, n)
    now = offset(gates, (t % held) * wide)
    for gate in range(4):
        for p in range(first, last):
            panel = offset(packed_kernel, (gate * panels + p) * units * width)
            strip(batch, min(width, units - p * width), h, h_row, 1, panel, units, offset(now, gate * units + p * width), held * wide, 1)
    for row in range(batch):
        h_to, c_to = offset(hs, (row * steps + t) * units + low), offset(cs, (row * c_held + t % c_held) * units + low)
        if masked != 0 and mask[row * steps + t] == 0:
            copy_rows(1, offset(h, row * h_row + low), 0, h_to, 0, n)
            copy_rows(1, offset(c, row * c_row), 0, c_to, 0, n)
        else:
            lstm_row(offset(now, row * held * wide + low), offset(c, row * c_row), h_to, c_to, units, n)


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
    """One row of one step: dx of the four gates, dc of the state before; dh is used up and left 0."""
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
