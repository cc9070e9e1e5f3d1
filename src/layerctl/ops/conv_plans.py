"""Convolution and its gradients as calls: which kernels, over which memory, cut how."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import Any

from layerctl.ops.conv_kernels import convolve, pack_taps, runs_of_line, spread
from layerctl.ops.copying import plan_fill, row_strides
from layerctl.ops.depthwise_kernels import plan_depthwise, plan_depthwise_input_gradient, plan_depthwise_weight_gradient
from layerctl.ops.finish import PLAIN, Finish
from layerctl.ops.kernel import At, Call, Scratch
from layerctl.ops.matmul_kernels import WIDEST_PANEL, add_chunks, plan
from layerctl.ops.matmul_kernels import finishes as products_finish
from layerctl.ops.patches import PIXEL, QUAD
from layerctl.ops.value import SIZE_OF, product
from layerctl.ops.weigh_kernels import WINDOW_END, weigh
from layerctl.ops.window import Sizes, Window, chunks_of_lines
from layerctl.ops.winograd_kernels import fits, plan_winograd

TASKS, FEWEST_SHARES = 16, 8
"""Shares: the most, for which there is memory, and as many as threads want."""
WINDOW, PART, FEWEST_LINES = 6144, 8192, 4
"""Elements of a window, and of what is used of a panel at a time, that stay in the nearest cache together; lines of a block at least."""
LINES = 6400
"""Elements of finished lines that stay in the nearest cache until they are pooled."""
SPAN, SHORTEST_SPAN = 128, 24
"""Outputs of a part of a line: the most, and the fewest where lines are cut for threads alone."""
BLOCK, SHORTEST_BLOCK = 8192, 64
"""Elements of a block's images and gradients for the gradient of the weights, and its outputs at least."""


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


def plan_spread(dtype: str, batch: int, channels: int, x: Any, sizes: Sizes, steps: Sizes) -> tuple[Any, Sizes, list[Call]]:
    """x (batch, *sizes, channels) with zeros between its elements, `steps` apart, and its sizes; x itself where nothing changes."""
    if steps == (1, 1, 1):
        return x, sizes, []
    into: Sizes = tuple((n - 1) * t + 1 for n, t in zip(sizes, steps, strict=True))  # type: ignore[assignment]
    n = batch * channels * product(into)
    room = Scratch(SIZE_OF[dtype] * n)
    call = Call(spread.at(T=dtype), (x, room, batch, channels, *sizes, *steps), tasks=batch * into[0] * into[1], work=0.15 * n)
    return room, into, [call]


def plan_conv(
    dtype: str, batch: int, channels: int, filters: int, groups: int, window: Window, x: Any, w: Any, y: Any,
    finish: Finish = PLAIN,
) -> list[Call]:  # fmt: skip
    """The calls of y (batch, *out, filters) from x (batch, *size, channels) and w (*kernel, channels / groups, filters).

    `finish` is done to what it says (see `finishes` and `pools`); with windows y is (batch, *out / windows, filters).
    """
    if window.pointwise and groups == 1:
        pixels = batch * product(window.size)
        return plan(dtype, 1, pixels, filters, channels, x, (0, channels, 1), w, (0, filters, 1), y, finish)
    if groups == channels and groups > 1:
        return plan_depthwise(dtype, batch, channels, filters, window, x, w, y)
    if fits(dtype, groups, channels, filters, window, window.out):
        return plan_winograd(batch, channels, filters, window.size, window.out, window.before, x, w, (0, 1), (filters, 1), y, finish)
    inside, outside = channels // groups, filters // groups
    strides = (outside, inside * filters, filters, 1)
    taps = [Phase(0, 1, o, k, 0, 1, -b) for o, k, b in zip(window.out, window.kernel, window.before, strict=True)]
    steps = row_strides((*window.out, filters))[:3]
    return _convolve(
        dtype, batch, groups, inside, outside, x, window.size, window.strides, window.dilation, taps, window.kernel, w, strides, y,
        (product(window.out) * filters, *steps), finish,
    )  # fmt: skip


def _convolve(
    dtype: str, batch: int, groups: int, inside: int, outside: int, x: Any, sizes: Sizes, strides: Sizes, dilation: Sizes,
    phases: list[Phase] | tuple[Phase, ...], kernel: Sizes, w: Any, w_strides: tuple[int, int, int, int], y: Any,
    y_strides: tuple[int, ...], finish: Finish = PLAIN,
) -> list[Call]:  # fmt: skip
    """The taps of one phase in each dimension packed, then x (batch, *sizes, channels) convolved with them into y by its strides."""
    size = SIZE_OF[dtype]
    taps = [p.taps for p in phases]
    out = [p.count for p in phases]
    joined = groups == 1 and dilation[2] == 1 and inside < PIXEL and inside % QUAD > 0
    runs = taps[0] * taps[1] * runs_of_line(taps[2], inside, int(joined))
    terms = runs * (taps[2] * inside if joined else QUAD)
    packed = Scratch(size * groups * terms * -(-outside // WIDEST_PANEL) * WIDEST_PANEL)
    packing = (
        w, packed, groups, *taps, inside, outside, *kernel[1:], *(p.start for p in phases), *(p.step for p in phases), *w_strides, int(joined),
    )  # fmt: skip
    lines = batch * out[0] * out[1]
    spans = _spans(lines, out[2])
    span = -(-out[2] // spans)
    apart = 1 if joined else min(strides[2], (taps[2] - 1) * dilation[2] + 1)
    reach = 0 if joined else (taps[2] - 1) * dilation[2] // strides[2]
    if joined:
        line_size = ((span - 1) * strides[2] + taps[2]) * inside
    else:
        line_size = -(-inside // PIXEL) * apart * (span + reach) * PIXEL
    together = min(out[1], max(FEWEST_LINES, WINDOW // line_size)) if spans == 1 else 1
    pool_h, pool_w = finish.pool
    lines_size = 0
    if pool_h * pool_w > 1:
        together = max(1, min(together, LINES // (out[2] * outside * groups)) // pool_h) * pool_h
        lines_size = together * out[2] * outside * groups
    plane_lines = (together - 1) * strides[1] + (taps[1] - 1) * dilation[1] + 1
    beyond = PIXEL * (strides[2] * inside if joined else PIXEL)
    lines_at = -(-(taps[0] * plane_lines * line_size + beyond) // PIXEL) * PIXEL
    room_size = -(-(lines_at + lines_size) // PIXEL) * PIXEL
    reads = (phases[2].low, phases[2].low + (out[2] - 1) * strides[2] + taps[2])
    in_place = joined and reads[0] >= 0 and reads[1] <= sizes[2] and product(sizes) * inside >= beyond
    tasks = min(lines * spans // pool_h, TASKS)
    args = (
        x, packed, y, Scratch(size * tasks * room_size), Scratch(8 * tasks * runs), *finish.args(y), pool_h, pool_w,
        batch, groups, inside * groups, outside * groups, *sizes, *out, *taps, *strides, *dilation, *(-p.low for p in phases), *y_strides,
        int(joined), spans, together, line_size, plane_lines, room_size, lines_at, PART, int(in_place),
    )  # fmt: skip
    work = lines * out[2] * (terms * 0.02 * outside + 0.1 * inside) * groups
    pack_work = 0.3 * groups * product(taps) * inside * outside
    return [
        Call(pack_taps.at(T=dtype), packing, tasks=groups * product(taps), work=pack_work, prepares=w),
        Call(convolve.at(T=dtype), args, tasks=tasks, work=work, parts=batch, along=(x,)),
    ]


def _spans(lines: int, outputs: int) -> int:
    """Into how many parts lines of outputs are cut: long ones, and those that are too few for threads."""
    return max(-(-outputs // SPAN), min(-(-FEWEST_SHARES // lines), -(-outputs // SHORTEST_SPAN)))


def finishes(groups: int, channels: int, batch: int, window: Window) -> bool:
    """Whether a convolution adds a bias and applies relu itself."""
    if window.pointwise and groups == 1:
        return products_finish(channels)
    return groups == 1 or groups < channels


def pools(groups: int, channels: int, batch: int, window: Window) -> bool:
    """Whether a convolution keeps the largest of windows of its outputs itself: where its lines are whole."""
    whole = _spans(batch * window.out[0] * window.out[1], window.out[2]) == 1
    return whole and not (window.pointwise and groups == 1) and (groups == 1 or groups < channels)


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
    if fits(dtype, groups, channels, filters, window, window.size):
        before = tuple(k - 1 - b for k, b in zip(window.kernel, window.before, strict=True))
        return plan_winograd(batch, filters, channels, window.out, window.size, before, g, w, (window.taps - 1, -1), (1, filters), dx)
    dims = list(zip(window.size, window.kernel, window.strides, window.dilation, window.before, strict=True))
    phases = [_phases(*dim) for dim in dims]
    apart: Sizes = tuple(s if d > 1 else 1 for s, d in zip(window.strides, window.dilation, strict=True))  # type: ignore[assignment]
    source, sizes, calls = plan_spread(dtype, batch, filters, g, window.out, apart)
    inside, outside = channels // groups, filters // groups
    steps = row_strides((*window.size, channels))[:3]
    if any(p.taps == 0 for own in phases for p in own):
        calls.append(plan_fill(dx, batch * product(window.size) * channels, 0.0, dtype))
    for chosen in itertools.product(*phases):
        if any(p.taps == 0 for p in chosen):
            continue
        start = sum(p.first * s for p, s in zip(chosen, steps, strict=True))
        calls += _convolve(
            dtype, batch, groups, outside, inside, source, sizes, (1, 1, 1), window.dilation, chosen, window.kernel,
            w, (outside, inside * filters, 1, filters), At(dx, SIZE_OF[dtype] * start),
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
    outside, inside = filters // groups, channels // groups
    lines, width = rows // window.out[2], window.out[2]
    n = window.taps * inside * filters
    chunks = chunks_of_lines(lines, rows, n)
    planes = window.kernel[0] * window.kernel[1]
    pieces = 1 if chunks >= FEWEST_SHARES else planes
    block = max(SHORTEST_BLOCK, BLOCK // (inside + outside))
    spans = -(-width // block)
    span = -(-width // spans)
    together = min(window.out[1], max(1, block // width))
    line_size = ((span - 1) * window.strides[2] + (window.kernel[2] - 1) * window.dilation[2] + 1) * inside
    plane_lines = (together - 1) * window.strides[1] + (window.kernel[1] - 1) * window.dilation[1] + 1
    direct = outside % PIXEL == 0
    reads = (window.out[2] - 1) * window.strides[2] + (window.kernel[2] - 1) * window.dilation[2] + 1 - window.before[2]
    in_place = groups == 1 and window.before[2] == 0 and reads <= window.size[2] and product(window.size) * channels >= WINDOW_END
    panels = 0 if direct else together * span * -(-outside // WIDEST_PANEL) * WIDEST_PANEL
    room_size = -(-(window.kernel[0] * plane_lines * line_size + WINDOW_END + panels) // PIXEL) * PIXEL
    tasks = min(chunks * pieces, TASKS)
    to = dw if chunks == 1 else Scratch(size * chunks * n)
    args = (
        x, g, to, Scratch(size * tasks * room_size), batch, chunks, groups, channels, filters, *window.size, *window.out, *window.kernel,
        *window.strides, *window.dilation, *window.before, pieces, spans, together, line_size, plane_lines, room_size, int(direct),
        int(in_place),
    )  # fmt: skip
    calls = [Call(weigh.at(T=dtype), args, tasks=tasks, work=0.025 * rows * n)]
    return calls + add_chunks(dtype, 1, chunks, n, to, dw)
