"""Convolution and its gradients as calls: which kernels, over which memory, cut how."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import Any

from layerctl.ops.conv_kernels import convolve, pack_lines, pack_taps, pad, weigh
from layerctl.ops.copying import plan_fill, row_strides
from layerctl.ops.depthwise_kernels import plan_depthwise, plan_depthwise_input_gradient, plan_depthwise_weight_gradient
from layerctl.ops.kernel import At, Call, Scratch
from layerctl.ops.matmul_kernels import WIDEST_PANEL, add_chunks, plan
from layerctl.ops.value import SIZE_OF, product
from layerctl.ops.window import Sizes, Window, chunks_of_lines

SHALLOW = 24
"""Depths of a run below which a line's patches are gathered first."""
TASKS = 16
TOGETHER = 128
"""Outputs whose patches are gathered at a time for the gradient of the weights."""


@dataclass(frozen=True)
class Phase:
    """The outputs first, first + every, … (`count`) of one dimension of an input's gradient, and the taps that reach them.

    They are a convolution of the padded output gradient, from `low` on, with the taps start, start + step, … of the weights.
    """

    first: int
    every: int
    count: int
    taps: int
    start: int
    step: int
    low: int


def plan_pad(
    dtype: str, batch: int, channels: int, x: Any, sizes: Sizes, into: Sizes, before: Sizes, steps: Sizes = (1, 1, 1)
) -> tuple[Any, list[Call]]:  # fmt: skip
    """x (batch, *sizes, channels) put into zeros of `into` at `before`, its elements `steps` apart; x itself where nothing changes."""
    if into == sizes and not any(before) and steps == (1, 1, 1):
        return x, []
    n = batch * channels * product(into)
    room = Scratch(SIZE_OF[dtype] * n)
    args = (x, room, batch, channels, *sizes, *into, *before, *steps)
    return room, [Call(pad.at(T=dtype), args, tasks=batch * into[0] * into[1], work=0.15 * n)]


def plan_conv(
    dtype: str, batch: int, channels: int, filters: int, groups: int, window: Window, x: Any, w: Any, y: Any,
    epilogue: tuple[Any, Any] = (0, 0),
) -> list[Call]:  # fmt: skip
    """The calls of y (batch, *out, filters) from x (batch, *size, channels) and w (*kernel, channels / groups, filters).

    `epilogue`: a kernel's address and its block, called with (line, lines, block) on every finished line of outputs; not for
    convolutions that are `pointwise` (see matmul_kernels) or depthwise (groups = channels > 1).
    """
    if window.pointwise and groups == 1:
        pixels = batch * product(window.size)
        return plan(dtype, 1, pixels, filters, channels, x, (0, channels, 1), w, (0, filters, 1), y, epilogue)
    if groups == channels and groups > 1:
        return plan_depthwise(dtype, batch, channels, filters, window, x, w, y)
    inside, outside = channels // groups, filters // groups
    source, calls = plan_pad(dtype, batch, channels, x, window.size, window.padded, window.before)
    strides = (outside, inside * filters, filters, 1)
    taps = [Phase(0, 1, o, k, 0, 1, 0) for o, k in zip(window.out, window.kernel, strict=True)]
    steps = row_strides((*window.out, filters))[:3]
    return calls + _convolve(
        dtype, batch, groups, inside, outside, source, window.padded, window.strides, window.dilation, taps, window.kernel,
        w, strides, y, (product(window.out) * filters, *steps), epilogue,
    )  # fmt: skip


def _convolve(
    dtype: str, batch: int, groups: int, inside: int, outside: int, x: Any, sizes: Sizes, strides: Sizes, dilation: Sizes,
    phases: list[Phase] | tuple[Phase, ...], kernel: Sizes, w: Any, w_strides: tuple[int, int, int, int], y: Any,
    y_strides: tuple[int, ...], epilogue: tuple[Any, Any] = (0, 0),
) -> list[Call]:  # fmt: skip
    """The taps of one phase in each dimension packed, then x (batch, *sizes, channels) convolved with them into y by its strides."""
    size = SIZE_OF[dtype]
    taps = [p.taps for p in phases]
    out = [p.count for p in phases]
    k = product(taps) * inside
    packed = Scratch(size * groups * k * -(-outside // WIDEST_PANEL) * WIDEST_PANEL)
    packing = (
        w, packed, groups, *taps, inside, outside, *kernel[1:], *(p.start for p in phases), *(p.step for p in phases), *w_strides,
    )  # fmt: skip
    joined = taps[2] if dilation[2] == 1 and groups == 1 else 1
    shallow = joined * inside < SHALLOW and product(taps) > 1
    lines = batch * out[0] * out[1]
    tasks = min(lines, TASKS)
    patches = Scratch(size * tasks * out[2] * k if shallow else 64)
    args = (
        x, packed, y, patches, *epilogue, batch, groups, inside * groups, outside * groups, *sizes, *out, *taps, *strides, *dilation,
        *y_strides, int(shallow),
    )  # fmt: skip
    pixels = lines * out[2]
    work = pixels * k * (0.02 * outside * groups + 0.3 * groups * shallow)
    return [
        Call(pack_taps.at(T=dtype), packing, tasks=groups * product(taps), work=0.3 * groups * k * outside, prepares=w),
        Call(convolve.at(T=dtype), args, tasks=tasks, work=work),
    ]


def _phases(n: int, k: int, s: int, d: int, b: int) -> list[Phase]:
    """The phases of one dimension: inputs i with i + b = p modulo the stride are reached by the taps p, p + s, … alone.

    With a dilation the output gradient is spread by the stride instead (see `_spread`), and there is one phase.
    """
    if s == 1 or d > 1:
        return [Phase(0, 1, n, k, k - 1, -1, b - (k - 1) * d)]
    found = []
    for p in range(s):
        taps, first = -(-(k - p) // s) if p < k else 0, (p - b) % s
        if first < n:
            found.append(
                Phase(first, s, -(-(n - first) // s), taps, p + (taps - 1) * s, -s, (first + b - p) // s - taps + 1)
            )
    return found


def plan_conv_input_gradient(
    dtype: str, batch: int, channels: int, filters: int, groups: int, window: Window, g: Any, w: Any, dx: Any
) -> list[Call]:  # fmt: skip
    """The calls of dx (batch, *size, channels) from g (batch, *out, filters): convolutions of g with the weights backwards.

    One for each phase of the strides, so that no zero is multiplied.
    """
    if window.pointwise and groups == 1:
        pixels = batch * product(window.size)
        return plan(dtype, 1, pixels, channels, filters, g, (0, filters, 1), w, (0, 1, filters), dx)
    if groups == channels and groups > 1:
        return plan_depthwise_input_gradient(dtype, batch, channels, filters, window, g, w, dx)
    dims = list(zip(window.size, window.kernel, window.strides, window.dilation, window.before, strict=True))
    phases = [_phases(*dim) for dim in dims]
    reach = [
        [(p.low, p.low + p.count + (p.taps - 1) * d) for p in own if p.taps]
        for own, d in zip(phases, window.dilation, strict=True)
    ]
    low = [min(a for a, _ in r) for r in reach]
    into = tuple(max(b for _, b in r) - a for r, a in zip(reach, low, strict=True))
    spread = tuple(s if d > 1 else 1 for s, d in zip(window.strides, window.dilation, strict=True))
    source, calls = plan_pad(dtype, batch, filters, g, window.out, into, tuple(-a for a in low), spread)  # type: ignore[arg-type]
    inside, outside = channels // groups, filters // groups
    steps = row_strides((*window.size, channels))[:3]
    g_steps = row_strides((*into, filters))[:3]
    if any(p.taps == 0 for own in phases for p in own):
        calls.append(plan_fill(dx, batch * product(window.size) * channels, 0.0, dtype))
    for chosen in itertools.product(*phases):
        if any(p.taps == 0 for p in chosen):
            continue
        start = sum(p.first * s for p, s in zip(chosen, steps, strict=True))
        corner = sum((p.low - a) * s for p, a, s in zip(chosen, low, g_steps, strict=True))
        size = SIZE_OF[dtype]
        calls += _convolve(
            dtype, batch, groups, outside, inside, At(source, size * corner), into, (1, 1, 1), window.dilation, chosen, window.kernel,
            w, (outside, inside * filters, 1, filters), At(dx, size * start),
            (product(window.size) * channels, *(s * p.every for s, p in zip(steps, chosen, strict=True))),
        )  # fmt: skip
    return calls


def plan_conv_weight_gradient(
    dtype: str, batch: int, channels: int, filters: int, groups: int, window: Window, x: Any, g: Any, dw: Any
) -> list[Call]:  # fmt: skip
    """The calls of dw (*kernel, channels / groups, filters): chunks of output lines by themselves, then added in order."""
    size = SIZE_OF[dtype]
    rows = batch * product(window.out)
    if window.pointwise and groups == 1:
        return plan(dtype, 1, channels, filters, rows, x, (0, 1, channels), g, (0, filters, 1), dw)
    if groups == channels and groups > 1:
        return plan_depthwise_weight_gradient(dtype, batch, channels, filters, window, x, g, dw)
    source, calls = plan_pad(dtype, batch, channels, x, window.size, window.padded, window.before)
    outside, inside = filters // groups, channels // groups
    packed = Scratch(size * rows * groups * -(-outside // WIDEST_PANEL) * WIDEST_PANEL)
    calls.append(
        Call(pack_lines.at(T=dtype), (g, packed, rows, groups, filters), tasks=rows, work=0.2 * rows * filters)
    )
    lines, width = rows // window.out[2], window.out[2]
    n = window.taps * inside * filters
    chunks = chunks_of_lines(lines, rows, n)
    joined = window.kernel[2] if window.dilation[2] == 1 and groups == 1 else 1
    shallow = joined * inside < SHALLOW
    pieces = 1 if shallow else window.taps // joined
    together = max(1, TOGETHER // width) if shallow else 0
    tasks = min(chunks * pieces, TASKS)
    patches = Scratch(max(64, size * tasks * window.taps * inside * together * width))
    to = dw if chunks == 1 else Scratch(size * chunks * n)
    args = (
        source, packed, to, patches, batch, chunks, groups, channels, filters, *window.padded, *window.out, *window.kernel,
        *window.strides, *window.dilation, pieces, together,
    )  # fmt: skip
    calls.append(Call(weigh.at(T=dtype), args, tasks=tasks, work=0.025 * rows * n))
    return calls + add_chunks(dtype, 1, chunks, n, to, dw)
