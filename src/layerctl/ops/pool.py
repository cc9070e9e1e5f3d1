"""Maximum and average over windows in one to three dimensions, channels last, and their gradients."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from layerctl.ops.conv import Pads, np_windows, output_size, padding, window_of
from layerctl.ops.elementwise import apply, cast, floating
from layerctl.ops.kernel import Call, kernel
from layerctl.ops.numpy_lines import NumpyLines, copied, fixed, pairs
from layerctl.ops.onnx_graph import OnnxGraph
from layerctl.ops.pools import max_gradient_line, max_line
from layerctl.ops.primitives import offset, share_low
from layerctl.ops.value import Node, Op, Shape, ShapeError, Type, Value, product, shown
from layerctl.ops.windows import first_output, last_output


@kernel
def maximum(
    task: int, tasks: int, x: "T*", y: "T*", batch: "i64", channels: "i64", d: "i64", h: "i64", w: "i64", od: "i64", oh: "i64", ow: "i64",
    kd: "i64", kh: "i64", kw: "i64", sd: "i64", sh: "i64", sw: "i64", dd: "i64", dh: "i64", dw: "i64", pd: "i64", ph: "i64", pw: "i64",
):  # fmt: skip
    """y = the largest of each window's elements within x; NaN if one of them is. Shares are cut along output lines."""
    lines = batch * od * oh
    first, last = min(first_output(-pw, sw), ow), last_output(kw - 1 - pw, sw, w, ow)
    for line in range(share_low(lines, task, tasks), share_low(lines, task + 1, tasks)):
        image = line // (od * oh)
        rest = line - image * od * oh
        z = rest // oh * sd - pd
        r = (rest - rest // oh * oh) * sh - ph
        z0, r0 = max(0, -z), max(0, -r)
        source = offset(x, ((image * d + z + z0) * h + r + r0) * w * channels)
        c = 0
        while c < ow:
            outputs = last - c if c >= first and c < last else 1
            low = max(0, pw - c * sw)
            max_line(
                channels, outputs, offset(source, (c * sw + low - pw) * channels), sw * channels, min(kd, d - z) - z0, h * w * channels,
                min(kh, h - r) - r0, w * channels, min(kw, w + pw - c * sw) - low, offset(y, (line * ow + c) * channels),
            )  # fmt: skip
            c += outputs


@kernel
def maximum_gradient(
    task: int, tasks: int, x: "T*", g: "T*", dx: "T*", batch: "i64", channels: "i64",
    d: "i64", h: "i64", w: "i64", od: "i64", oh: "i64", ow: "i64", kd: "i64", kh: "i64", kw: "i64", sd: "i64", sh: "i64", sw: "i64",
    dd: "i64", dh: "i64", dw: "i64", pd: "i64", ph: "i64", pw: "i64",
):  # fmt: skip
    """dx = 0, then each window's g is added at its first largest element (a NaN is larger than all). Shares are cut along images.

    Where windows do not overlap each writes all its elements, and where they fill the image nothing is written before.
    """
    size = d * h * w * channels
    overlap = 1 if sd < kd or sh < kh or sw < kw else 0
    filled = sd == kd and sh == kh and sw == kw and od * sd == d and oh * sh == h and ow * sw == w and pd + ph + pw == 0
    first, last = min(first_output(-pw, sw), ow), last_output(kw - 1 - pw, sw, w, ow)
    for image in range(share_low(batch, task, tasks), share_low(batch, task + 1, tasks)):
        if not filled:
            into = offset(dx, image * size)
            for i in range(size):
                into[i] = 0
        for rest in range(od * oh):
            z = rest // oh * sd - pd
            r = (rest - rest // oh * oh) * sh - ph
            z0, r0 = max(0, -z), max(0, -r)
            line = image * size + ((z + z0) * h + r + r0) * w * channels
            c = 0
            while c < ow:
                outputs = last - c if c >= first and c < last else 1
                low = max(0, pw - c * sw)
                at = line + (c * sw + low - pw) * channels
                max_gradient_line(
                    channels, outputs, offset(x, at), sw * channels, min(kd, d - z) - z0, h * w * channels, min(kh, h - r) - r0,
                    w * channels, min(kw, w + pw - c * sw) - low, offset(g, ((image * od * oh + rest) * ow + c) * channels), offset(dx, at),
                    overlap,
                )  # fmt: skip
                c += outputs


@kernel
def average(
    task: int, tasks: int, x: "T*", y: "T*", batch: "i64", channels: "i64", d: "i64", h: "i64", w: "i64", od: "i64", oh: "i64", ow: "i64",
    kd: "i64", kh: "i64", kw: "i64", sd: "i64", sh: "i64", sw: "i64", dd: "i64", dh: "i64", dw: "i64", pd: "i64", ph: "i64", pw: "i64",
):  # fmt: skip
    """y = the mean of each window's elements within x: padding does not count. Shares are cut along output lines."""
    lines = batch * od * oh
    for line in range(share_low(lines, task, tasks), share_low(lines, task + 1, tasks)):
        image = line // (od * oh)
        rest = line - image * od * oh
        z = rest // oh
        r = rest - z * oh
        for c in range(ow):
            to = offset(y, (line * ow + c) * channels)
            for j in range(channels):
                to[j] = 0
            count = 0
            for kz in range(max(0, pd - z * sd), min(kd, d + pd - z * sd)):
                for kr in range(max(0, ph - r * sh), min(kh, h + ph - r * sh)):
                    for kc in range(max(0, pw - c * sw), min(kw, w + pw - c * sw)):
                        at = ((image * d + z * sd + kz - pd) * h + r * sh + kr - ph) * w + c * sw + kc - pw
                        source = offset(x, at * channels)
                        count += 1
                        for j in range(channels):
                            to[j] += source[j]
            for j in range(channels):
                to[j] = to[j] / count


@kernel
def average_gradient(
    task: int, tasks: int, g: "T*", dx: "T*", batch: "i64", channels: "i64", d: "i64", h: "i64", w: "i64",
    od: "i64", oh: "i64", ow: "i64", kd: "i64", kh: "i64", kw: "i64", sd: "i64", sh: "i64", sw: "i64", dd: "i64", dh: "i64", dw: "i64",
    pd: "i64", ph: "i64", pw: "i64",
):  # fmt: skip
    """dx = 0, then each window's g, divided by its elements, is added to all of them. Shares are cut along images."""
    for image in range(share_low(batch, task, tasks), share_low(batch, task + 1, tasks)):
        into = offset(dx, image * d * h * w * channels)
        for i in range(d * h * w * channels):
            into[i] = 0
        for z in range(od):
            for r in range(oh):
                for c in range(ow):
                    upstream = offset(g, (((image * od + z) * oh + r) * ow + c) * channels)
                    z0, z1 = max(0, pd - z * sd), min(kd, d + pd - z * sd)
                    r0, r1 = max(0, ph - r * sh), min(kh, h + ph - r * sh)
                    c0, c1 = max(0, pw - c * sw), min(kw, w + pw - c * sw)
                    count = (z1 - z0) * (r1 - r0) * (c1 - c0)
                    for kz in range(z0, z1):
                        for kr in range(r0, r1):
                            for kc in range(c0, c1):
                                at = ((z * sd + kz - pd) * h + r * sh + kr - ph) * w + c * sw + kc - pw
                                to = offset(into, at * channels)
                                for j in range(channels):
                                    to[j] += upstream[j] / count


def _geometry(x: Shape, attrs: dict) -> tuple[int, ...]:
    w = window_of(x, attrs["size"], attrs["strides"], (1,) * len(attrs["size"]), attrs["pads"])
    return (int(x[0]), int(x[-1]), *w.size, *w.out, *w.kernel, *w.strides, *w.dilation, *w.before)


class Pool(Op):
    """x (batch, *spatial, channels) -> (batch, *out, channels) by `kind` (max or average) over windows of `size`."""

    name = "pool"

    def infer(self, x: Value, *, kind: str, size: Shape, strides: Shape, pads: Pads) -> Type:
        out = output_size(x.shape[1:-1], size, strides, (1,) * len(size), pads)
        if any(int(n) < 1 for n in out):
            raise ShapeError(f"a window of {shown(size)} does not fit into {shown(x.shape[1:-1])}")
        return Type((x.shape[0], *out, x.shape[-1]), x.dtype)

    def gradient(self, node: Node, *grads: Value | None) -> Sequence[Value | None]:
        return [None if grads[0] is None else PoolGradient.apply(node.inputs[0], grads[0], **node.attrs)]

    def calls(self, node: Node) -> list[Call]:
        (x,), (y,) = node.inputs, node.outputs
        ref = (maximum if node.attrs["kind"] == "max" else average).at(T=x.dtype)
        work = 0.3 * int(product(y.shape)) * int(product(node.attrs["size"]))
        return [Call(ref, (x, y, *_geometry(x.shape, node.attrs)), tasks=int(product(y.shape[:-2])), work=work, parts=int(x.shape[0]), along=(x,))]

    def numpy(self, c: NumpyLines, node: Node) -> str:
        a, out = node.attrs, fixed(node.outputs[0].shape[1:-1])
        return f"np_pool({c.names(node)}, {a['kind']!r}, {tuple(map(int, a['size']))}, {tuple(map(int, a['strides']))}, {pairs(a['pads'])}, {out})"

    def onnx(self, c: OnnxGraph, node: Node) -> None:
        (x,), a = node.inputs, node.attrs
        more: dict[str, Any] = {"kernel_shape": list(a["size"]), "strides": list(a["strides"])}
        more["pads"] = [b for b, _ in a["pads"]] + [e for _, e in a["pads"]]
        if a["kind"] == "max":
            made = c.add("MaxPool", [c.channels_first(x)], **more)
        else:
            made = c.add("AveragePool", [c.channels_first(x)], count_include_pad=0, **more)
        c.done(node, c.channels_last(made, x.rank))


@copied
def np_pool(x, kind, size, strides, pads, out):
    """The largest element or the mean of windows; places outside of x count for nothing."""
    ones = (1,) * len(size)
    widths = ((0, 0), *((max(a, 0), max(b, 0)) for a, b in pads), (0, 0))
    empty = -np.inf if kind == "max" else 0
    padded = np.pad(x, widths, constant_values=empty)
    if kind == "max":
        return np.max(np.stack([padded[at] for _, at in np_windows(padded, size, strides, ones, out)]), axis=0)
    here = np.pad(np.ones_like(x[:1, ..., :1]), widths)
    total = sum(padded[at] for _, at in np_windows(padded, size, strides, ones, out))
    return (total / sum(here[at] for _, at in np_windows(here, size, strides, ones, out))).astype(x.dtype)


class PoolGradient(Op):
    """The gradient of a pooling's input from the input and the gradient of the result."""

    name = "pool_gradient"
    no_form = "it serves training"

    def infer(self, x: Value, g: Value, *, kind: str, size: Shape, strides: Shape, pads: Pads) -> Type:
        return x.type

    def gradient(self, node: Node, *grads: Value | None) -> Sequence[Value | None]:
        (dd,), (x, _) = grads, node.inputs
        if dd is None:
            return [None, None]
        if node.attrs["kind"] == "average":
            return [None, Pool.apply(dd, **node.attrs)]
        raise ShapeError(f"max pooling over {shown(x.shape)} can be differentiated once only")

    def calls(self, node: Node) -> list[Call]:
        (x, g), (dx,) = node.inputs, node.outputs
        work = 0.5 * int(product(g.shape)) * int(product(node.attrs["size"])) + 0.1 * int(product(dx.shape))
        sizes = _geometry(x.shape, node.attrs)
        if node.attrs["kind"] == "max":
            args, ref = (x, g, dx, *sizes), maximum_gradient.at(T=x.dtype)
        else:
            args, ref = (g, dx, *sizes), average_gradient.at(T=x.dtype)
        return [Call(ref, args, tasks=int(x.shape[0]), work=work, parts=int(x.shape[0]), along=(x, g))]


def pool(x: Value, kind: str, size: Sequence[int], strides: Sequence[int], mode: str = "valid") -> Value:
    """Pooling (`max` or `average`) with padding `valid` or `same`; padded places count for nothing.

    Raises:
        ShapeError: if a window does not fit.
    """
    if x.rank != len(size) + 2:
        raise ShapeError(f"pooling over {len(size)} dimensions needs an input of {len(size) + 2}, got {shown(x.shape)}")
    pads = padding(mode, x.shape[1:-1], size, strides, (1,) * len(size))
    dtype = x.dtype if kind == "max" else None  # the largest of whole numbers is one
    (x,) = floating(x)
    x, after = _rising(x) if kind == "max" else (x, [])
    y = Pool.apply(x, kind=kind, size=tuple(size), strides=tuple(strides), pads=pads)
    for fn, others in after:
        y = apply(fn, y, *others)
    return cast(y, dtype or y.dtype)


def _rising(x: Value) -> tuple[Value, list[tuple[str, tuple[Value, ...]]]]:
    """What a value is before relu and a channel's bias, and these. They never fall, so that the largest comes out the same to the bit when
    they are applied after it, to fewer elements."""
    after: list[tuple[str, tuple[Value, ...]]] = []
    if _made_by(x, "relu"):
        x, after = x.node.inputs[0], [("relu", ())]
    if _made_by(x, "add"):
        a, b = x.node.inputs
        if a.shape == x.shape and int(product(b.shape)) == int(b.shape[-1] if b.rank else 1) and b.rank:
            x, after = a, [("add", (b,)), *after]
    return x, after


def _made_by(x: Value, fn: str) -> bool:
    return x.node.op.name == "elementwise" and x.node.attrs["fn"] == fn and x.node.inputs[0].shape == x.shape
