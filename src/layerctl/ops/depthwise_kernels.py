"""Depthwise convolution, of as many groups as channels, and its gradients: a multiple of each channel's own.

Images are (batch, depth, height, width, channels), weights (kd, kh, kw, 1, channels * multiplier) with a channel's filters side by side.
No padding is made: taps outside of the image are left out. Lines run over neighbouring channels.
"""

from __future__ import annotations

from typing import Any

from layerctl.ops.kernel import Call, Scratch, kernel
from layerctl.ops.matmul_kernels import add_chunks
from layerctl.ops.primitives import fma, offset, share_low
from layerctl.ops.tiles import fma_line
from layerctl.ops.value import SIZE_OF, product
from layerctl.ops.window import Window, chunks_of_lines
from layerctl.ops.windows import first_output, first_tap, last_output, last_tap, window_sums, windows


@kernel
def depthwise(
    task: int, tasks: int, x: "T*", weights: "T*", y: "T*", batch: "i64", channels: "i64", multiplier: "i64",
    d: "i64", h: "i64", w: "i64", od: "i64", oh: "i64", ow: "i64", kd: "i64", kh: "i64", kw: "i64",
    sd: "i64", sh: "i64", sw: "i64", dd: "i64", dh: "i64", dw: "i64", pd: "i64", ph: "i64", pw: "i64",
):  # fmt: skip
    """y[o, c, e] = sum over taps of x[o * s + tap * d - p, c] weights[tap, c, e]; shares are cut along output lines."""
    filters = channels * multiplier
    lines = batch * od * oh
    for line in range(share_low(lines, task, tasks), share_low(lines, task + 1, tasks)):
        image = line // (od * oh)
        rest = line - image * od * oh
        z0 = rest // oh
        r0 = rest - z0 * oh
        out = offset(y, line * ow * filters)
        if multiplier == 1:
            depthwise_line(x, image * d * h * w * channels, d, h, w, channels, z0 * sd - pd, dd, r0 * sh - ph, dh, -pw, dw, sw, weights, kd, kh, kw, out, ow)
        else:
            for i in range(ow * filters):
                out[i] = 0
            for tap in range(kd * kh * kw):
                plane = tap // kw
                at = (tap - plane * kw) * dw - pw
                z, r = z0 * sd + plane // kh * dd - pd, r0 * sh + (plane - plane // kh * kh) * dh - ph
                if z >= 0 and z < d and r >= 0 and r < h:
                    source = offset(x, (((image * d + z) * h + r) * w + at) * channels)
                    factors = offset(weights, tap * filters)
                    for c in range(first_output(at, sw), last_output(at, sw, w, ow)):
                        for j in range(channels):
                            value = source[c * sw * channels + j]
                            for e in range(multiplier):
                                to = c * filters + j * multiplier + e
                                out[to] = fma(value, factors[j * multiplier + e], out[to])


def depthwise_line(
    x: "T*", image: int, d: int, h: int, w: int, channels: int, z: int, z_step: int, r: int, r_step: int, start: int, step: int, stride: int,
    weights: "T*", kd: int, kh: int, kw: int, out: "T*", outputs: int,
):  # fmt: skip
    """One line of outputs of one multiple, from the planes z, z + z_step, … and lines r, r + r_step, … of the image that are inside."""
    first = min(first_tap(r, r_step, h), kh)
    last = max(first, last_tap(r, r_step, h, kh))
    keep = 0
    for plane in range(kd):
        at = z + plane * z_step
        if (at >= 0 and at < d and last > first) or (plane == kd - 1 and keep == 0):
            inside = at >= 0 and at < d
            rows = last - first if inside else 0
            line = image + (at * h + r + first * r_step) * w * channels if inside else image
            windows(
                x, line, w, channels, rows, r_step * w * channels, kw, step, start, stride,
                offset(weights, (plane * kh + first) * kw * channels), kw * channels, out, outputs, keep,
            )  # fmt: skip
            keep = 1


@kernel
def depthwise_input_gradient(
    task: int, tasks: int, g: "T*", weights: "T*", dx: "T*", batch: "i64", channels: "i64", multiplier: "i64",
    d: "i64", h: "i64", w: "i64", od: "i64", oh: "i64", ow: "i64", kd: "i64", kh: "i64", kw: "i64",
    sd: "i64", sh: "i64", sw: "i64", dd: "i64", dh: "i64", dw: "i64", pd: "i64", ph: "i64", pw: "i64",
):  # fmt: skip
    """dx[i, c] = sum over taps and e of g[(i + p - tap * d) / s, c, e] weights[tap, c, e]; shares are cut along input lines."""
    filters = channels * multiplier
    lines = batch * d * h
    for line in range(share_low(lines, task, tasks), share_low(lines, task + 1, tasks)):
        image = line // (d * h)
        rest = line - image * d * h
        z0 = rest // h
        r0 = rest - z0 * h
        into = offset(dx, line * w * channels)
        if multiplier == 1 and sd == 1 and sh == 1 and sw == 1:
            depthwise_line(
                g, image * od * oh * ow * channels, od, oh, ow, channels, z0 + pd, -dd, r0 + ph, -dh, pw, -dw, 1, weights, kd, kh, kw, into, w
            )  # fmt: skip
        else:
            for i in range(w * channels):
                into[i] = 0
            for tap in range(kd * kh * kw):
                plane = tap // kw
                at = (tap - plane * kw) * dw - pw
                z, r = z0 + pd - plane // kh * dd, r0 + ph - (plane - plane // kh * kh) * dh
                if z >= 0 and r >= 0 and z // sd * sd == z and r // sh * sh == r and z // sd < od and r // sh < oh:
                    source = offset(g, ((image * od + z // sd) * oh + r // sh) * ow * filters)
                    factors = offset(weights, tap * filters)
                    for c in range(first_output(at, sw), last_output(at, sw, w, ow)):
                        to = offset(into, (c * sw + at) * channels)
                        if multiplier == 1:
                            fma_line(channels, offset(source, c * channels), factors, to)
                        else:
                            for j in range(channels):
                                total = to[j]
                                for e in range(multiplier):
                                    total = fma(
                                        source[c * filters + j * multiplier + e], factors[j * multiplier + e], total
                                    )
                                to[j] = total


@kernel
def depthwise_weight_gradient(
    task: int, tasks: int, x: "T*", g: "T*", partial: "T*", batch: "i64", channels: "i64", multiplier: "i64",
    d: "i64", h: "i64", w: "i64", od: "i64", oh: "i64", ow: "i64", kd: "i64", kh: "i64", kw: "i64",
    sd: "i64", sh: "i64", sw: "i64", dd: "i64", dh: "i64", dw: "i64", pd: "i64", ph: "i64", pw: "i64", chunks: "i64",
):  # fmt: skip
    """partial[chunk, tap, c, e] = sum over the chunk's outputs of x[o * s + tap * d - p, c] g[o, c, e]; shares are cut along chunks."""
    filters = channels * multiplier
    taps = kd * kh * kw
    lines = batch * od * oh
    for chunk in range(share_low(chunks, task, tasks), share_low(chunks, task + 1, tasks)):
        sums = offset(partial, chunk * taps * filters)
        for i in range(taps * filters):
            sums[i] = 0
        for line in range(share_low(lines, chunk, chunks), share_low(lines, chunk + 1, chunks)):
            image = line // (od * oh)
            rest = line - image * od * oh
            z0 = rest // oh
            r0 = rest - z0 * oh
            upstream = offset(g, line * ow * filters)
            if multiplier == 1:
                for plane in range(kd * kh):
                    z, r = z0 * sd + plane // kh * dd - pd, r0 * sh + (plane - plane // kh * kh) * dh - ph
                    if z >= 0 and z < d and r >= 0 and r < h:
                        at = ((image * d + z) * h + r) * w * channels
                        line_sums(x, at, w, channels, kw, dw, -pw, sw, upstream, ow, offset(sums, plane * kw * channels))
            for tap in range(taps if multiplier > 1 else 0):
                plane = tap // kw
                at = (tap - plane * kw) * dw - pw
                z, r = z0 * sd + plane // kh * dd - pd, r0 * sh + (plane - plane // kh * kh) * dh - ph
                if z >= 0 and z < d and r >= 0 and r < h:
                    source = offset(x, (((image * d + z) * h + r) * w + at) * channels)
                    to = offset(sums, tap * filters)
                    for c in range(first_output(at, sw), last_output(at, sw, w, ow)):
                        for j in range(channels):
                            value = source[c * sw * channels + j]
                            for e in range(multiplier):
                                f = j * multiplier + e
                                to[f] = fma(value, upstream[c * filters + f], to[f])


def line_sums(
    x: "T*", line: int, size: int, channels: int, across: int, step: int, start: int, stride: int, g: "T*", outputs: int, sums: "T*"
):  # fmt: skip
    """sums[t, c] += sum over a line's outputs of x[o stride + start + t step, c] g[o, c], where that is inside; outputs in order."""
    first = min(first_output(start, stride), outputs)
    last = max(first, last_output(start + (across - 1) * step, stride, size, outputs))
    for t in range(across):
        at = start + t * step
        low = first_output(at, stride)
        line_part(x, line, channels, at, stride, g, low, min(first, last_output(at, stride, size, outputs)), offset(sums, t * channels))
    window_sums(
        channels, last - first, x, line + (first * stride + start) * channels, stride * channels, across, step * channels,
        offset(g, first * channels), channels, sums, channels,
    )  # fmt: skip
    for t in range(across):
        at = start + t * step
        high = last_output(at, stride, size, outputs)
        line_part(x, line, channels, at, stride, g, max(last, first_output(at, stride)), high, offset(sums, t * channels))


def line_part(x: "T*", line: int, channels: int, at: int, stride: int, g: "T*", low: int, high: int, sums: "T*"):
    """One tap's part of `line_sums`: the outputs from low to high."""
    if high > low:
        window_sums(
            channels, high - low, x, line + (low * stride + at) * channels, stride * channels, 1, 0, offset(g, low * channels), channels, sums,
            channels,
        )  # fmt: skip


def _geometry(batch: int, channels: int, filters: int, window: Window) -> tuple[int, ...]:
    w = window
    return (batch, channels, filters // channels, *w.size, *w.out, *w.kernel, *w.strides, *w.dilation, *w.before)


def _work(batch: int, filters: int, window: Window) -> float:
    return 0.03 * batch * product(window.out) * window.taps * filters


def plan_depthwise(
    dtype: str, batch: int, channels: int, filters: int, window: Window, x: Any, w: Any, y: Any
) -> list[Call]:
    """The calls of y (batch, *out, filters) from x (batch, *size, channels) and w (*kernel, 1, filters)."""
    args = (x, w, y, *_geometry(batch, channels, filters, window))
    lines = batch * window.out[0] * window.out[1]
    return [Call(depthwise.at(T=dtype), args, tasks=lines, work=_work(batch, filters, window), parts=batch, along=(x,))]


def plan_depthwise_input_gradient(
    dtype: str, batch: int, channels: int, filters: int, window: Window, g: Any, w: Any, dx: Any
) -> list[Call]:  # fmt: skip
    """The calls of dx (batch, *size, channels) from g (batch, *out, filters)."""
    args = (g, w, dx, *_geometry(batch, channels, filters, window))
    lines = batch * window.size[0] * window.size[1]
    return [
        Call(depthwise_input_gradient.at(T=dtype), args, tasks=lines, work=_work(batch, filters, window), parts=batch, along=(g,))
    ]


def plan_depthwise_weight_gradient(
    dtype: str, batch: int, channels: int, filters: int, window: Window, x: Any, g: Any, dw: Any
) -> list[Call]:  # fmt: skip
    """The calls of dw (*kernel, 1, filters): chunks of output lines by themselves, then added in order."""
    n = window.taps * filters
    lines, width = batch * window.out[0] * window.out[1], window.out[2]
    chunks = chunks_of_lines(lines, lines * width, n)
    to = dw if chunks == 1 else Scratch(SIZE_OF[dtype] * chunks * n)
    args = (x, g, to, *_geometry(batch, channels, filters, window), chunks)
    call = Call(depthwise_weight_gradient.at(T=dtype), args, tasks=chunks, work=_work(batch, filters, window))
    return [call, *add_chunks(dtype, 1, chunks, n, to, dw)]
