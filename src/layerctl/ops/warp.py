"""Images seen through an affine map of their coordinates, one for each image: rotation, zoom, translation, shear, crops."""

from __future__ import annotations

from collections.abc import Sequence

from layerctl.ops.kernel import Call, kernel
from layerctl.ops.primitives import offset, share_low
from layerctl.ops.value import Node, Op, ShapeError, Type, Value, product, shown

FILL_MODES = ("constant", "nearest", "wrap", "reflect")
"""What stands beyond the edge: a value, the edge itself, the image again, the image mirrored with its edge twice."""
INTERPOLATIONS = ("nearest", "bilinear")


def _corner(at: float, bilinear: int) -> int:
    """The pixel below a coordinate; the nearest pixel, halves away from zero, where nothing is interpolated."""
    if bilinear == 0:
        return int(at + 0.5) if at >= 0 else int(at - 0.5)
    whole = int(at)
    return whole - 1 if at < whole else whole


def _fold(i: int, n: int, mode: int) -> int:
    """A pixel's number brought into 0..n-1 by a fill mode; -1 where a value is to stand."""
    if i >= 0 and i < n:
        return i
    if mode == 0:
        return -1
    if mode == 1:
        return 0 if i < 0 else n - 1
    if mode == 2:
        return i - i // n * n
    i -= i // (2 * n) * (2 * n)
    return i if i < n else 2 * n - 1 - i


def _share(at: float, corner: int, further: int, bilinear: int) -> float:
    """The weight of the pixel at a corner, or of the one after it."""
    if bilinear == 0:
        return 1.0
    return at - corner if further == 1 else 1.0 - (at - corner)


@kernel
def seen(
    task: int, tasks: int, x: "T*", maps: "T*", y: "T*", batch: i64, h: i64, w: i64, channels: i64, oh: i64, ow: i64,
    mode: i64, bilinear: i64, value: "f64",
):  # fmt: skip
    """y[b, r, c] = x[b] at column a0 * c + a1 * r + a2 and row b0 * c + b1 * r + b2, where maps[b] = (a0, a1, a2, b0, b1, b2).

    `mode` is a place in FILL_MODES. Shares are cut along output lines.
    """
    lines = batch * oh
    for line in range(share_low(lines, task, tasks), share_low(lines, task + 1, tasks)):
        image = line // oh
        r = line - image * oh
        m = offset(maps, image * 6)
        for c in range(ow):
            to = offset(y, (line * ow + c) * channels)
            column, row = m[0] * c + m[1] * r + m[2], m[3] * c + m[4] * r + m[5]
            left, top = _corner(column, bilinear), _corner(row, bilinear)
            for j in range(channels):
                to[j] = 0
            for corner in range(1 + 3 * bilinear):
                i, k = _fold(top + corner // 2, h, mode), _fold(left + corner % 2, w, mode)
                share = _share(row, top, corner // 2, bilinear) * _share(column, left, corner % 2, bilinear)
                if i < 0 or k < 0:
                    for j in range(channels):
                        to[j] += share * value
                else:
                    pixel = offset(x, ((image * h + i) * w + k) * channels)
                    for j in range(channels):
                        to[j] += share * pixel[j]


@kernel
def spread(
    task: int, tasks: int, g: "T*", maps: "T*", dx: "T*", batch: i64, h: i64, w: i64, channels: i64, oh: i64, ow: i64,
    mode: i64, bilinear: i64,
):  # fmt: skip
    """dx = for each pixel the sum of g over the places that see it, by its weight there. Shares are cut along images."""
    for image in range(share_low(batch, task, tasks), share_low(batch, task + 1, tasks)):
        into = offset(dx, image * h * w * channels)
        for j in range(h * w * channels):
            into[j] = 0
        m = offset(maps, image * 6)
        for place in range(oh * ow):
            r = place // ow
            c = place - r * ow
            upstream = offset(g, (image * oh * ow + place) * channels)
            column, row = m[0] * c + m[1] * r + m[2], m[3] * c + m[4] * r + m[5]
            left, top = _corner(column, bilinear), _corner(row, bilinear)
            for corner in range(1 + 3 * bilinear):
                i, k = _fold(top + corner // 2, h, mode), _fold(left + corner % 2, w, mode)
                share = _share(row, top, corner // 2, bilinear) * _share(column, left, corner % 2, bilinear)
                if i >= 0 and k >= 0:
                    pixel = offset(into, (i * w + k) * channels)
                    for j in range(channels):
                        pixel[j] += share * upstream[j]


def _check(x: Value, maps: Value) -> None:
    if x.rank != 4 or tuple(map(int, maps.shape)) != (int(x.shape[0]), 6) or maps.dtype != x.dtype:
        raise ShapeError(f"warp: expected images (batch, height, width, channels) and maps (batch, 6), got {x} and {maps}")


class Warp(Op):
    """x (batch, h, w, channels) and maps (batch, 6) -> (batch, *size, channels); the maps lead from the result's places to x's."""

    name = "warp"
    no_form = "it serves training"

    def infer(self, x: Value, maps: Value, *, size: tuple[int, int], fill_mode: str, bilinear: bool, value: float) -> Type:
        _check(x, maps)
        return Type((x.shape[0], *size, x.shape[-1]), x.dtype)

    def gradient(self, node: Node, *grads: Value | None) -> Sequence[Value | None]:
        (x, maps), a = node.inputs, node.attrs
        if grads[0] is None:
            return [None, None]
        return [WarpGradient.apply(grads[0], maps, size=x.shape[1:3], fill_mode=a["fill_mode"], bilinear=a["bilinear"]), None]

    def calls(self, node: Node) -> list[Call]:
        (x, maps), (y,), a = node.inputs, node.outputs, node.attrs
        places = int(product(y.shape[:-1]))
        args = (x, maps, y, *map(int, x.shape), *map(int, y.shape[1:3]), FILL_MODES.index(a["fill_mode"]), int(a["bilinear"]), a["value"])
        return [Call(seen.at(T=x.dtype), args, tasks=int(product(y.shape[:2])), work=_work(places, int(x.shape[-1]), a["bilinear"]))]


class WarpGradient(Op):
    """The gradient of the images from that of the result."""

    name = "warp_gradient"
    no_form = "it serves training"

    def infer(self, g: Value, maps: Value, *, size: tuple[int, int], fill_mode: str, bilinear: bool) -> Type:
        _check(g, maps)
        return Type((g.shape[0], *size, g.shape[-1]), g.dtype)

    def gradient(self, node: Node, *grads: Value | None) -> Sequence[Value | None]:
        (g, maps), a = node.inputs, node.attrs
        if grads[0] is None:
            return [None, None]
        size = tuple(map(int, g.shape[1:3]))
        return [Warp.apply(grads[0], maps, size=size, fill_mode=a["fill_mode"], bilinear=a["bilinear"], value=0.0), None]

    def calls(self, node: Node) -> list[Call]:
        (g, maps), (dx,), a = node.inputs, node.outputs, node.attrs
        args = (g, maps, dx, *map(int, dx.shape), *map(int, g.shape[1:3]), FILL_MODES.index(a["fill_mode"]), int(a["bilinear"]))
        work = _work(int(product(g.shape[:-1])), int(g.shape[-1]), a["bilinear"]) + 0.1 * int(product(dx.shape))
        return [Call(spread.at(T=g.dtype), args, tasks=int(dx.shape[0]), work=work)]


def _work(places: int, channels: int, bilinear: bool) -> float:
    return places * (10.0 + (4 if bilinear else 1) * (4.0 + 0.5 * channels))


def warp(
    x: Value, maps: Value, interpolation: str = "bilinear", fill_mode: str = "constant", value: float = 0.0, size: Sequence[int] | None = None
) -> Value:  # fmt: skip
    """Images, channels last, whose place (row r, column c) shows x at column a0 * c + a1 * r + a2 and row b0 * c + b1 * r + b2.

    `maps` has (a0, a1, a2, b0, b1, b2) for each image. It has no gradient.
    """
    if fill_mode not in FILL_MODES or interpolation not in INTERPOLATIONS:
        raise ShapeError(f"warp: got {interpolation} and {fill_mode}, expected one of {INTERPOLATIONS} and of {FILL_MODES}")
    if int(product(x.shape[1:3])) == 0:
        raise ShapeError(f"warp: images without pixels, {shown(x.shape)}")
    to = x.shape[1:3] if size is None else tuple(size)
    return Warp.apply(x, maps, size=to, fill_mode=fill_mode, bilinear=interpolation == "bilinear", value=float(value))
