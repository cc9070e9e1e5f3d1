"""Convolution on the register tile, without an im2col buffer, and both of its gradients.

Images are (batch, depth, height, width, channels); one and two dimensions are three with leading ones. Weights are Keras's:
(kd, kh, kw, channels / groups, filters). The rows of a tile are neighbouring outputs of one line, so that A's row stride is the step
between two windows; where taps of a line are neighbours in memory they make one run of k.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from layerctl.ops.copying import plan_fill, row_strides, strided
from layerctl.ops.kernel import Call, Reduction, Scratch, kernel
from layerctl.ops.matmul_kernels import WIDEST_PANEL
from layerctl.ops.primitives import offset, share_low
from layerctl.ops.tiles import strip, tile_width
from layerctl.ops.value import SIZE_OF

SHALLOW = 24
"""Depths of a run below which a line's patches are gathered first."""
TASKS = 16
CHUNKS = 8


@dataclass(frozen=True)
class Window:
    """A convolution's geometry in three dimensions: input and output sizes, kernel, strides, dilation, padding before each."""

    size: tuple[int, int, int]
    out: tuple[int, int, int]
    kernel: tuple[int, int, int]
    strides: tuple[int, int, int]
    dilation: tuple[int, int, int]
    before: tuple[int, int, int]

    @property
    def padded(self) -> tuple[int, ...]:
        """Sizes that hold every window."""
        return tuple(
            max((o - 1) * s + (k - 1) * d + 1, n + b)
            for o, s, k, d, n, b in zip(self.out, self.strides, self.kernel, self.dilation, self.size, self.before, strict=True)
        )

    @property
    def taps(self) -> int:
        """Elements of the kernel."""
        return self.kernel[0] * self.kernel[1] * self.kernel[2]


@kernel
def pack_taps(
    task: int, tasks: int, w: "T*", packed: "T*", groups: "i64", taps: "i64", rows: "i64", columns: "i64", backwards: "i64",
    w_group: "i64", w_tap: "i64", w_row: "i64", w_column: "i64",
):  # fmt: skip
    """Weights into panels (groups, panels, taps * rows, width), the taps in reverse if `backwards`; shares along the panels' rows."""
    width = tile_width(packed)
    panels = (columns + width - 1) // width
    k = taps * rows
    for at in range(share_low(groups * panels * k, task, tasks), share_low(groups * panels * k, task + 1, tasks)):
        panel = at // k
        line = at - panel * k
        group = panel // panels
        first = (panel - group * panels) * width
        tap = line // rows
        row = line - tap * rows
        if backwards != 0:
            tap = taps - 1 - tap
        source = offset(w, group * w_group + tap * w_tap + row * w_row + first * w_column)
        to = offset(packed, at * width)
        count = min(width, columns - first)
        for j in range(count):
            to[j] = source[j * w_column]
        for j in range(width - count):
            to[count + j] = 0


@kernel
def convolve(
    task: int, tasks: int, x: "T*", packed: "T*", y: "T*", patches: "T*", batch: "i64", groups: "i64", channels: "i64", filters: "i64",
    d: "i64", h: "i64", w: "i64", od: "i64", oh: "i64", ow: "i64", kd: "i64", kh: "i64", kw: "i64",
    sd: "i64", sh: "i64", sw: "i64", dd: "i64", dh: "i64", dw: "i64", shallow: "i64",
):  # fmt: skip
    """y (batch, od, oh, ow, filters) of padded x (batch, d, h, w, channels); shares are cut along output lines.

    A line's k runs over taps in order and the group's channels. `shallow`: its patches are gathered into `patches` (one line's for each
    share) and multiplied as one matrix; else one strip a run of neighbouring taps, added up in y.
    """
    width = tile_width(packed)
    inside = channels // groups
    outside = filters // groups
    panels = (outside + width - 1) // width
    k = kd * kh * kw * inside
    joined = kw if dw == 1 and groups == 1 else 1
    run = joined * inside
    runs = kd * kh * (kw // joined)
    room = offset(patches, task * ow * k)
    lines = batch * od * oh
    for line in range(share_low(lines, task, tasks), share_low(lines, task + 1, tasks)):
        image = line // (od * oh)
        rest = line - image * od * oh
        z = rest // oh
        r = rest - z * oh
        corner = ((image * d + z * sd) * h + r * sh) * w * channels
        for g in range(groups):
            for piece in range(runs):
                line_tap = piece // (kw // joined)
                kz = line_tap // kh
                kr = line_tap - kz * kh
                kc = piece - line_tap * (kw // joined)
                source = offset(x, corner + ((kz * dd * h + kr * dh) * w + kc * dw) * channels + g * inside)
                if shallow != 0:
                    for i in range(ow):
                        for j in range(run):
                            room[i * k + piece * run + j] = source[i * sw * channels + j]
                else:
                    for p in range(panels):
                        strip(
                            ow, min(width, outside - p * width), source, sw * channels, 1,
                            offset(packed, ((g * panels + p) * k + piece * run) * width), run,
                            offset(y, line * ow * filters + g * outside + p * width), filters, piece,
                        )  # fmt: skip
            if shallow != 0:
                for p in range(panels):
                    strip(
                        ow, min(width, outside - p * width), room, k, 1, offset(packed, (g * panels + p) * k * width), k,
                        offset(y, line * ow * filters + g * outside + p * width), filters, 0,
                    )  # fmt: skip


@kernel
def pack_lines(task: int, tasks: int, g: "T*", packed: "T*", rows: "i64", groups: "i64", filters: "i64"):
    """The output's gradient (rows, filters) into panels (groups, panels, rows, width); shares are cut along rows."""
    width = tile_width(packed)
    outside = filters // groups
    panels = (outside + width - 1) // width
    for row in range(share_low(rows, task, tasks), share_low(rows, task + 1, tasks)):
        for panel in range(groups * panels):
            group = panel // panels
            first = (panel - group * panels) * width
            source = offset(g, row * filters + group * outside + first)
            to = offset(packed, (panel * rows + row) * width)
            count = min(width, outside - first)
            for j in range(count):
                to[j] = source[j]
            for j in range(width - count):
                to[count + j] = 0


@kernel
def weigh(
    task: int, tasks: int, x: "T*", packed: "T*", dw_out: "T*", batch: "i64", chunks: "i64", groups: "i64", channels: "i64", filters: "i64",
    d: "i64", h: "i64", w: "i64", od: "i64", oh: "i64", ow: "i64", kd: "i64", kh: "i64", kw: "i64",
    sd: "i64", sh: "i64", sw: "i64", dd: "i64", dh: "i64", dw: "i64",
):  # fmt: skip
    """Partial weight gradients (chunks, taps, channels / groups, filters), each over its images in order.

    dw[tap, c, f] = sum over outputs of x[window, tap, c] g[output, f]. Shares are cut along (chunk, tap line).
    """
    width = tile_width(packed)
    inside = channels // groups
    outside = filters // groups
    panels = (outside + width - 1) // width
    joined = kw if dw == 1 and groups == 1 else 1
    runs = kd * kh * (kw // joined)
    rows = joined * inside
    lines = batch * od * oh * ow
    for unit in range(share_low(chunks * runs, task, tasks), share_low(chunks * runs, task + 1, tasks)):
        chunk = unit // runs
        piece = unit - chunk * runs
        line_tap = piece // (kw // joined)
        kz = line_tap // kh
        kr = line_tap - kz * kh
        kc = piece - line_tap * (kw // joined)
        first = batch * chunk // chunks
        last = batch * (chunk + 1) // chunks
        for g in range(groups):
            for p in range(panels):
                to = offset(dw_out, ((chunk * runs + piece) * rows) * filters + g * outside + p * width)
                started = 0
                for image in range(first, last):
                    for z in range(od):
                        for r in range(oh):
                            corner = (((image * d + z * sd + kz * dd) * h + r * sh + kr * dh) * w + kc * dw) * channels + g * inside
                            at = ((image * od + z) * oh + r) * ow
                            strip(
                                rows, min(width, outside - p * width), offset(x, corner), 1, sw * channels,
                                offset(packed, ((g * panels + p) * lines + at) * width), ow, to, filters, started,
                            )  # fmt: skip
                            started = 1


def _padded(
    x: Any, dtype: str, batch: int, sizes: Sequence[int], channels: int, into: Sequence[int], before: Sequence[int], steps: Sequence[int]
) -> tuple[Any, list[Call]]:  # fmt: skip
    """x put into a zeroed buffer of `into` at `before`, its elements `steps` apart; x itself where nothing changes."""
    if tuple(into) == tuple(sizes) and not any(before) and all(s == 1 for s in steps):
        return x, []
    room = Scratch(SIZE_OF[dtype] * batch * channels * into[0] * into[1] * into[2])
    n = batch * channels * into[0] * into[1] * into[2]
    out_strides = row_strides((batch, *into, channels))
    start = sum(b * s for b, s in zip(before, out_strides[1:4], strict=True))
    to = (out_strides[0], *(s * k for s, k in zip(out_strides[1:4], steps, strict=True)), 1)
    box, own = (1, batch, *sizes, channels), (0, *row_strides((batch, *sizes, channels)))
    copy = Call(strided.at(T=dtype), (x, room, 0, start, *box, *own, 0, *to), tasks=batch * sizes[0] * sizes[1], work=0.3 * n)
    return room, [plan_fill(room, n, 0.0, dtype), copy]


def plan_conv(dtype: str, batch: int, channels: int, filters: int, groups: int, window: Window, x: Any, w: Any, y: Any) -> list[Call]:
    """The calls of y (batch, *out, filters) from x (batch, *size, channels) and w (*kernel, channels / groups, filters)."""
    source, calls = _padded(x, dtype, batch, window.size, channels, window.padded, window.before, (1, 1, 1))
    inside, outside = channels // groups, filters // groups
    strides = (outside, inside * filters, filters, 1)
    return calls + _convolve(dtype, batch, channels, filters, groups, window, source, w, y, strides, 0, inside, outside)


def _convolve(
    dtype: str, batch: int, channels: int, filters: int, groups: int, window: Window, x: Any, w: Any, y: Any,
    w_strides: tuple[int, int, int, int], backwards: int, inside: int, outside: int,
) -> list[Call]:  # fmt: skip
    size = SIZE_OF[dtype]
    k = window.taps * inside
    packed = Scratch(size * groups * k * -(-outside // WIDEST_PANEL) * WIDEST_PANEL)
    pack = Call(
        pack_taps.at(T=dtype), (w, packed, groups, window.taps, inside, outside, backwards, *w_strides), tasks=groups * k,
        work=0.4 * groups * k * outside,
    )  # fmt: skip
    joined = window.kernel[2] if window.dilation[2] == 1 and groups == 1 else 1
    shallow = joined * inside < SHALLOW and window.taps > 1
    lines = batch * window.out[0] * window.out[1]
    patches = Scratch(size * TASKS * window.out[2] * k if shallow else 64)
    args = (
        x, packed, y, patches, batch, groups, channels, filters, *window.padded, *window.out, *window.kernel, *window.strides,
        *window.dilation, int(shallow),
    )  # fmt: skip
    macs = lines * window.out[2] * k * filters
    return [pack, Call(convolve.at(T=dtype), args, tasks=min(lines, TASKS), work=0.025 * macs + 0.3 * lines * window.out[2] * k * shallow)]


def plan_conv_input_gradient(
    dtype: str, batch: int, channels: int, filters: int, groups: int, window: Window, g: Any, w: Any, dx: Any
) -> list[Call]:  # fmt: skip
    """The calls of dx (batch, *size, channels) from g (batch, *out, filters): g spread by the strides, convolved with w backwards."""
    reach = tuple((k - 1) * d for k, d in zip(window.kernel, window.dilation, strict=True))
    before = tuple(r - b for r, b in zip(reach, window.before, strict=True))
    into = tuple(n + r for n, r in zip(window.size, reach, strict=True))
    spread, calls = _spread(g, dtype, batch, filters, window, into, before)
    inside, outside = channels // groups, filters // groups
    back = Window(into, window.size, window.kernel, (1, 1, 1), window.dilation, (0, 0, 0))
    strides = (outside, inside * filters, 1, filters)
    return calls + _convolve(dtype, batch, filters, channels, groups, back, spread, w, dx, strides, 1, outside, inside)


def _spread(
    g: Any, dtype: str, batch: int, filters: int, window: Window, into: tuple[int, ...], before: tuple[int, ...]
) -> tuple[Any, list[Call]]:  # fmt: skip
    """g's elements `strides` apart in a zeroed buffer from `before` on; what falls outside (only ever beyond a padding) is left out."""
    first = [max(0, -(b // s)) if b < 0 else 0 for b, s in zip(before, window.strides, strict=True)]
    fits = [min(o, (n - 1 - b) // s + 1) for o, n, b, s in zip(window.out, into, before, window.strides, strict=True)]
    sizes = [max(0, m - f) for m, f in zip(fits, first, strict=True)]
    if into == window.out and not any(before) and window.strides == (1, 1, 1):
        return g, []
    n = batch * filters * into[0] * into[1] * into[2]
    room = Scratch(SIZE_OF[dtype] * n)
    out = row_strides((batch, *into, filters))
    own = row_strides((batch, *window.out, filters))
    start = sum((b + f * s) * o for b, f, s, o in zip(before, first, window.strides, out[1:4], strict=True))
    origin = sum(f * o for f, o in zip(first, own[1:4], strict=True))
    to = (out[0], *(o * s for o, s in zip(out[1:4], window.strides, strict=True)), 1)
    args = (g, room, origin, start, 1, batch, *sizes, filters, 0, *own, 0, *to)
    copy = Call(strided.at(T=dtype), args, tasks=max(1, batch * sizes[0] * sizes[1]), work=0.3 * n)
    return room, [plan_fill(room, n, 0.0, dtype), copy]


def plan_conv_weight_gradient(
    dtype: str, batch: int, channels: int, filters: int, groups: int, window: Window, x: Any, g: Any, dw: Any
) -> list[Call]:  # fmt: skip
    """The calls of dw (*kernel, channels / groups, filters): chunks of images by themselves, then added in order."""
    size = SIZE_OF[dtype]
    source, calls = _padded(x, dtype, batch, window.size, channels, window.padded, window.before, (1, 1, 1))
    rows = batch * window.out[0] * window.out[1] * window.out[2]
    outside, inside = filters // groups, channels // groups
    packed = Scratch(size * rows * groups * -(-outside // WIDEST_PANEL) * WIDEST_PANEL)
    calls.append(Call(pack_lines.at(T=dtype), (g, packed, rows, groups, filters), tasks=rows, work=0.3 * rows * filters))
    chunks = min(CHUNKS, batch)
    n = window.taps * inside * filters
    to = dw if chunks == 1 else Scratch(size * chunks * n)
    args = (
        source, packed, to, batch, chunks, groups, channels, filters, *window.padded, *window.out, *window.kernel, *window.strides,
        *window.dilation,
    )  # fmt: skip
    calls.append(Call(weigh.at(T=dtype), args, tasks=chunks * window.kernel[0] * window.kernel[1], work=0.03 * rows * n))
    if chunks > 1:
        calls.append(Call(Reduction("sum", dtype, dtype), (to, dw, 1, chunks, n), tasks=max(1, n // 64), work=0.1 * chunks * n))
    return calls
