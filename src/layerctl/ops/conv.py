"""Convolution in one to three dimensions, channels last, and its gradients."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np

from layerctl.ops.conv_plans import finishes, plan_conv, plan_conv_input_gradient, plan_conv_weight_gradient, pools
from layerctl.ops.elementwise import floating
from layerctl.ops.finish import PLAIN, Finish
from layerctl.ops.kernel import Call
from layerctl.ops.numpy_lines import NumpyLines, copied, fixed, pairs
from layerctl.ops.onnx_graph import OnnxGraph
from layerctl.ops.value import Node, NoForm, Op, Shape, ShapeError, Type, Value, product, shown
from layerctl.ops.window import Window
from layerctl.ops.winograd_kernels import fits

Pads = tuple[tuple[int, int], ...]


def window_of(
    shape: Shape, kernel: Sequence[int], strides: Sequence[int], dilation: Sequence[int], pads: Pads
) -> Window:
    """The geometry of a convolution over `shape` = (batch, *spatial, channels), as three dimensions."""
    spatial = tuple(int(d) for d in shape[1:-1])
    lead = 3 - len(spatial)
    out = output_size(spatial, kernel, strides, dilation, pads)
    ones, zeros = (1,) * lead, (0,) * lead
    return Window(
        (*ones, *spatial), (*ones, *map(int, out)), (*ones, *kernel), (*ones, *strides), (*ones, *dilation), (*zeros, *(b for b, _ in pads))
    )  # type: ignore[arg-type]  # fmt: skip


def output_size(
    spatial: Sequence[int], kernel: Sequence[int], strides: Sequence[int], dilation: Sequence[int], pads: Pads
) -> Shape:
    """How many windows fit in each dimension."""
    return tuple(
        (n + before + after - ((k - 1) * d + 1)) // s + 1
        for n, k, s, d, (before, after) in zip(spatial, kernel, strides, dilation, pads, strict=True)
    )


def padding(
    mode: str, spatial: Sequence[int], kernel: Sequence[int], strides: Sequence[int], dilation: Sequence[int]
) -> Pads:
    """Explicit padding for `valid`, `same` (as much before as after, the odd one after) and `causal` (all before)."""
    pads = []
    for n, k, s, d in zip(spatial, kernel, strides, dilation, strict=True):
        reach = (k - 1) * d
        if mode == "causal":
            pads.append((reach, 0))
        elif mode == "same":
            total = max(0, (-(-int(n) // s) - 1) * s + reach + 1 - int(n))
            pads.append((total // 2, total - total // 2))
        else:
            pads.append((0, 0))
    return tuple(pads)


class Conv(Op):
    """x (batch, *spatial, channels), w (*kernel, channels / groups, filters) -> (batch, *out, filters)."""

    name = "conv"

    def infer(self, x: Value, w: Value, *, strides: Shape, dilation: Shape, pads: Pads, groups: int) -> Type:
        kernel, spatial = w.shape[:-2], x.shape[1:-1]
        if x.rank != w.rank or not 1 <= len(spatial) <= 3:
            raise ShapeError(
                f"a convolution with weights {shown(w.shape)} needs an input of {w.rank} dimensions, got {shown(x.shape)}"
            )
        if int(x.shape[-1]) != int(w.shape[-2]) * groups or int(w.shape[-1]) % groups:
            raise ShapeError(f"weights {shown(w.shape)} in {groups} groups do not fit {x.shape[-1]} channels")
        out = output_size(spatial, kernel, strides, dilation, pads)
        if any(int(n) < 1 for n in out):
            raise ShapeError(f"the kernel {shown(kernel)} does not fit into {shown(spatial)}")
        return Type((x.shape[0], *out, w.shape[-1]), x.dtype)

    def gradient(self, node: Node, *grads: Value | None) -> Sequence[Value | None]:
        (g,), (x, w) = grads, node.inputs
        if g is None:
            return [None, None]
        return [
            ConvInputGradient.apply(g, w, shape=x.shape, **node.attrs),
            ConvWeightGradient.apply(x, g, shape=w.shape, **node.attrs),
        ]

    def calls(self, node: Node) -> list[Call]:
        return self.finished(node, node.outputs[0], PLAIN)

    def finished(self, node: Node, y: Value, finish: Finish) -> list[Call]:
        """The calls of y, which is the result, finished."""
        x, w = node.inputs
        return plan_conv(x.dtype, *_sizes(node, x.shape, w.shape), x, w, y, finish)

    def finishes(self, node: Node) -> bool:
        """Whether the kernels add a bias and apply relu themselves."""
        return finishes(*self._cut(node))

    def pools(self, node: Node) -> bool:
        """Whether the kernels keep the largest of windows themselves: Winograd's do not."""
        x, w = node.inputs
        groups, channels, _, window = self._cut(node)
        return not fits(x.dtype, groups, channels, int(w.shape[-1]), window, window.out) and pools(*self._cut(node))

    def _cut(self, node: Node) -> tuple[int, int, int, Window]:
        batch, channels, _, groups, window = _sizes(node, node.inputs[0].shape, node.inputs[1].shape)
        return groups, channels, batch, window

    def macs(self, node: Node) -> int:
        w = node.inputs[1]
        return int(product(node.outputs[0].shape)) * int(product(w.shape[:-1]))

    def numpy(self, c: NumpyLines, node: Node) -> str:
        return f"np_conv({c.names(node)}, {_plain(node)}, {fixed(node.outputs[0].shape[1:-1])})"

    def onnx(self, c: OnnxGraph, node: Node) -> None:
        (x, w), a = node.inputs, node.attrs
        kernel = c.add("Transpose", [c.name(w)], perm=[w.rank - 1, w.rank - 2, *range(w.rank - 2)])
        pads = [b for b, _ in a["pads"]] + [e for _, e in a["pads"]]
        made = c.add("Conv", [c.channels_first(x), kernel], strides=list(a["strides"]), dilations=list(a["dilation"]), group=a["groups"], pads=pads)
        c.done(node, c.channels_last(made, x.rank))


def _plain(node: Node) -> str:
    """The geometry as arguments in numpy: strides, dilation, pads, groups."""
    a = node.attrs
    return f"{tuple(map(int, a['strides']))}, {tuple(map(int, a['dilation']))}, {pairs(a['pads'])}, {a['groups']}"


@copied
def np_windows(x, size, strides, dilation, out):
    """For each tap of a window, the tap and the elements under it for all places: views (batch, *out, channels)."""
    for tap in itertools.product(*(range(k) for k in size)):
        places = (slice(t * d, t * d + (n - 1) * s + 1, s) for t, d, s, n in zip(tap, dilation, strides, out, strict=True))
        yield tap, (slice(None), *places)


@copied
def np_conv(x, w, strides, dilation, pads, groups, out):
    """A convolution, channels last: x (batch, *spatial, channels), w (*kernel, channels / groups, filters)."""
    padded = np.pad(x, ((0, 0), *((max(a, 0), max(b, 0)) for a, b in pads), (0, 0)))
    own, made = w.shape[-2], w.shape[-1] // groups
    y = np.zeros((len(x), *out, w.shape[-1]), x.dtype)
    for tap, at in np_windows(padded, w.shape[:-2], strides, dilation, out):
        part = padded[at]
        for g in range(groups):
            y[..., g * made : (g + 1) * made] += part[..., g * own : (g + 1) * own] @ w[tap][:, g * made : (g + 1) * made]
    return y


class ConvInputGradient(Op):
    """The gradient of a convolution's input, of `shape`, from that of its output and the weights."""

    name = "conv_input_gradient"

    def infer(
        self, g: Value, w: Value, *, shape: Shape, strides: Shape, dilation: Shape, pads: Pads, groups: int
    ) -> Type:
        return Type(shape, g.dtype)

    def gradient(self, node: Node, *grads: Value | None) -> Sequence[Value | None]:
        (dd,), (g, w) = grads, node.inputs
        if dd is None:
            return [None, None]
        own = {k: v for k, v in node.attrs.items() if k != "shape"}
        return [Conv.apply(dd, w, **own), ConvWeightGradient.apply(dd, g, shape=w.shape, **own)]

    def calls(self, node: Node) -> list[Call]:
        (g, w), (dx,) = node.inputs, node.outputs
        return plan_conv_input_gradient(g.dtype, *_sizes(node, dx.shape, w.shape), g, w, dx)

    def macs(self, node: Node) -> int:
        g, w = node.inputs
        return int(product(g.shape)) * int(product(w.shape[:-1]))

    def numpy(self, c: NumpyLines, node: Node) -> str:
        return f"np_conv_transposed({c.names(node)}, {_plain(node)}, {fixed(node.outputs[0].shape[1:])})"

    def onnx(self, c: OnnxGraph, node: Node) -> None:
        (x, w), a = node.inputs, node.attrs
        if a["groups"] != 1:
            raise NoForm("a transposed convolution in groups has no form here")
        kernel = c.add("Transpose", [c.name(w)], perm=[w.rank - 1, w.rank - 2, *range(w.rank - 2)])
        begin, end = [b for b, _ in a["pads"]], [e for _, e in a["pads"]]
        made = c.add(
            "ConvTranspose", [c.channels_first(x), kernel], strides=list(a["strides"]), dilations=list(a["dilation"]),
            pads=[*begin, *(max(e, 0) for e in end)], output_padding=[max(-e, 0) for e in end],
        )  # fmt: skip
        c.done(node, c.channels_last(made, x.rank))


@copied
def np_conv_transposed(y, w, strides, dilation, pads, groups, shape):
    """The reverse of a convolution: from y (batch, *out, filters) to `shape` (*spatial, channels)."""
    own, made = w.shape[-2], w.shape[-1] // groups
    out = y.shape[1:-1]
    reach = [(n - 1) * s + (k - 1) * d + 1 for n, s, k, d in zip(out, strides, w.shape[:-2], dilation, strict=True)]
    size = [max(r, n + a) for r, n, (a, _) in zip(reach, shape[:-1], pads, strict=True)]
    x = np.zeros((len(y), *size, shape[-1]), y.dtype)
    for tap, at in np_windows(x, w.shape[:-2], strides, dilation, out):
        for g in range(groups):
            x[(*at, slice(g * own, (g + 1) * own))] += y[..., g * made : (g + 1) * made] @ w[tap][:, g * made : (g + 1) * made].T
    return x[(slice(None), *(slice(a, a + n) for n, (a, _) in zip(shape[:-1], pads, strict=True)))]


class ConvWeightGradient(Op):
    """The gradient of a convolution's weights, of `shape`, from its input and the gradient of its output."""

    name = "conv_weight_gradient"
    no_form = "it serves training"

    def infer(
        self, x: Value, g: Value, *, shape: Shape, strides: Shape, dilation: Shape, pads: Pads, groups: int
    ) -> Type:
        return Type(shape, x.dtype)

    def gradient(self, node: Node, *grads: Value | None) -> Sequence[Value | None]:
        (dd,), (x, g) = grads, node.inputs
        if dd is None:
            return [None, None]
        own = {k: v for k, v in node.attrs.items() if k != "shape"}
        return [ConvInputGradient.apply(g, dd, shape=x.shape, **own), Conv.apply(x, dd, **own)]

    def calls(self, node: Node) -> list[Call]:
        (x, g), (dw,) = node.inputs, node.outputs
        return plan_conv_weight_gradient(x.dtype, *_sizes(node, x.shape, dw.shape), x, g, dw)

    def macs(self, node: Node) -> int:
        g = node.inputs[1]
        return int(product(g.shape)) * int(product(node.outputs[0].shape[:-1]))


def _sizes(node: Node, x: Shape, w: Shape) -> tuple[int, int, int, int, Window]:
    a = node.attrs
    window = window_of(x, [int(d) for d in w[:-2]], a["strides"], a["dilation"], a["pads"])
    return int(x[0]), int(x[-1]), int(w[-1]), a["groups"], window


def conv(
    x: Value, w: Value, strides: Sequence[int], mode: str = "valid", dilation: Sequence[int] | None = None, groups: int = 1
) -> Value:  # fmt: skip
    """The convolution (cross-correlation, as in Keras) with padding `valid`, `same` or `causal`.

    Raises:
        ShapeError: if the kernel, the channels or the groups do not fit.
    """
    x, w = floating(x, w)
    dilation = tuple(dilation or (1,) * len(strides))
    pads = padding(mode, x.shape[1:-1], w.shape[:-2], strides, dilation)
    return Conv.apply(x, w, strides=tuple(strides), dilation=dilation, pads=pads, groups=groups)


def conv_transpose(
    x: Value, w: Value, strides: Sequence[int], mode: str = "valid", dilation: Sequence[int] | None = None, extra: Sequence[int] | None = None
) -> Value:  # fmt: skip
    """The transposed convolution of x (batch, *spatial, channels) with w (*kernel, filters, channels).

    Sizes as in Keras: `same` gives n * stride places, `valid` (n - 1) * stride + max(reach, stride); with `extra` (n - 1) * stride +
    reach % 2 + extra, or (n - 1) * stride + reach + extra, reach being the places that the kernel spans.

    Raises:
        ShapeError: if the kernel or the channels do not fit.
    """
    x, w = floating(x, w)
    dilation = tuple(dilation or (1,) * len(strides))
    if x.rank != w.rank or int(x.shape[-1]) != int(w.shape[-1]):
        raise ShapeError(f"weights {shown(w.shape)} do not fit an input of shape {shown(x.shape)}")
    out, pads = [], []
    for i, (n, k, s, d) in enumerate(zip(x.shape[1:-1], w.shape[:-2], strides, dilation, strict=True)):
        reach = (int(k) - 1) * d + 1
        more = None if extra is None else extra[i]
        if mode == "valid":
            total = reach - 1 + reach - 1 + (max(reach, s) - reach if more is None else more)
            left = reach - 1
        else:
            total = s + reach - 2 if more is None else reach + reach % 2 - 2 + more
            left = min(total // 2 + total % 2, reach - 1)
        size = (n - 1) * s + total - reach + 2
        before = reach - 1 - left
        out.append(size)
        pads.append((before, (int(n) - 1) * s + reach - before - int(size)))
    shape = (x.shape[0], *out, w.shape[-2])
    return ConvInputGradient.apply(
        x, w, shape=shape, strides=tuple(strides), dilation=dilation, pads=tuple(pads), groups=1
    )
