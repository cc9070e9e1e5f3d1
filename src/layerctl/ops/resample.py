"""A dimension of another length: each new place is a weighted sum of a few neighbouring old ones. Resizing, repeating, and their gradients."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from layerctl.ops.elementwise import FLOATING, cast
from layerctl.ops.kernel import Call, kernel
from layerctl.ops.leaves import constant
from layerctl.ops.numpy_lines import NumpyLines, copied
from layerctl.ops.onnx_graph import OnnxGraph
from layerctl.ops.primitives import offset, share_low
from layerctl.ops.value import Node, NoForm, Op, ShapeError, Type, Unknown, Value, product


@kernel
def banded(
    task: int, tasks: int, x: "T*", first: "i32*", weights: "T*", y: "T*", outer: i64, length: i64, inner: i64, places: i64, band: i64
):  # fmt: skip
    """y[o, p, i] = sum over k < band of weights[p, k] * x[o, first[p] + k, i]. Shares are cut along (o, p)."""
    lines = outer * places
    for line in range(share_low(lines, task, tasks), share_low(lines, task + 1, tasks)):
        o = line // places
        p = line - o * places
        to = offset(y, line * inner)
        source = offset(x, (o * length + first[p]) * inner)
        own = offset(weights, p * band)
        w = own[0]
        for i in range(inner):
            to[i] = w * source[i]
        for k in range(1, band):
            w = own[k]
            further = offset(source, k * inner)
            for i in range(inner):
                to[i] += w * further[i]


class Resample(Op):
    """x with dimension `axis` multiplied by `matrix` (new length, old length), whose rows are zero outside of a short band."""

    name = "resample"

    def infer(self, x: Value, first: Value, weights: Value, *, axis: int, matrix: Any) -> Type:
        return Type((*x.shape[:axis], matrix.shape[0], *x.shape[axis + 1 :]), x.dtype)

    def gradient(self, node: Node, *grads: Value | None) -> Sequence[Value | None]:
        axis, matrix = node.attrs["axis"], node.attrs["matrix"]
        return [None if grads[0] is None else resample(grads[0], axis, matrix.T), None, None]

    def calls(self, node: Node) -> list[Call]:
        (x, first, weights), (y,), axis = node.inputs, node.outputs, node.attrs["axis"]
        outer, inner = int(product(x.shape[:axis])), int(product(x.shape[axis + 1 :]))
        places, band = map(int, weights.shape)
        args = (x, first, weights, y, outer, int(x.shape[axis]), inner, places, band)
        return [Call(banded.at(T=x.dtype), args, tasks=outer * places, work=outer * places * (5.0 + band * (1 + 0.15 * inner)))]

    def macs(self, node: Node) -> int:
        return int(product(node.outputs[0].shape)) * int(node.inputs[2].shape[1])

    def numpy(self, c: NumpyLines, node: Node) -> str:
        matrix = c.array(f"matrix {node.id}", np.asarray(node.attrs["matrix"], np.float32))
        return f"np_resample({c.name(node.inputs[0])}, {matrix}, {node.attrs['axis']})"

    def onnx(self, c: OnnxGraph, node: Node) -> None:
        x, axis, matrix = node.inputs[0], node.attrs["axis"], np.asarray(node.attrs["matrix"])
        if isinstance(x.shape[axis], Unknown):
            c.done(node, _repeated(c, x, axis, matrix))
            return
        order = [*(i for i in range(x.rank) if i != axis), axis]
        turned = c.constant(matrix.T.astype(np.float64 if x.dtype == "f64" else np.float32))
        made = c.add("MatMul", [c.add("Transpose", [c.name(x)], perm=order), turned])
        c.done(node, c.add("Transpose", [made], perm=[order.index(i) for i in range(x.rank)]))


@copied
def np_resample(x, matrix, axis):
    """x with one dimension multiplied by a matrix (new length, old length)."""
    return np.moveaxis(np.moveaxis(x, axis, -1) @ matrix.T.astype(x.dtype), -1, axis)


def _repeated(c: OnnxGraph, x: Value, axis: int, matrix: np.ndarray) -> str:
    """An open dimension whose places are repeated, each as often as the others."""
    times = len(matrix) // max(int(x.shape[axis]), 1)
    if not np.array_equal(matrix, np.repeat(np.eye(int(x.shape[axis])), times, axis=0)):
        raise NoForm("an open dimension is resized to a length that is known beforehand alone: give the input's open dimension a size")
    scales = c.constant(np.array([times if i == axis else 1 for i in range(x.rank)], np.float32))
    return c.add("Resize", [c.name(x), "", scales], mode="nearest", coordinate_transformation_mode="asymmetric", nearest_mode="floor")


def resample(x: Value, axis: int, matrix: Any) -> Value:
    """x with a dimension multiplied by a known matrix (new length, old length)."""
    if x.dtype not in FLOATING:
        raise ShapeError(f"resample: expected a tensor of floats, got {x.dtype}")
    used = matrix != 0
    length = matrix.shape[1]
    first = np.where(used.any(1), used.argmax(1), 0)
    last = np.where(used.any(1), length - 1 - used[:, ::-1].argmax(1), 0)
    band = int((last - first).max()) + 1
    first = np.minimum(first, length - band)
    weights = np.take_along_axis(matrix, first[:, None] + np.arange(band), 1)
    return Resample.apply(x, constant(first, "i32"), constant(weights, x.dtype), axis=axis, matrix=matrix)


def repeat(x: Value, axis: int, times: int) -> Value:
    """Each element of a dimension `times` over."""
    n = int(x.shape[axis])
    return x if times == 1 else resample(x, axis, np.repeat(np.eye(n), times, axis=0))


def _triangle(x: Any) -> Any:
    return np.maximum(0, 1 - x)


def _cubic(x: Any) -> Any:
    """Keys's kernel with a = -1/2 (Keys 1981, "Cubic convolution interpolation")."""
    near = (1.5 * x - 2.5) * x * x + 1
    far = ((-0.5 * x + 2.5) * x - 4) * x + 2
    return np.where(x >= 2, 0, np.where(x >= 1, far, near))


def _lanczos(radius: int) -> Callable[[Any], Any]:
    def of(x: Any) -> Any:
        wave = radius * np.sin(np.pi * x) * np.sin(np.pi * x / radius)
        safe = np.where(x > 0.001, x, 1)
        return np.where(x > radius, 0, np.where(x > 0.001, wave / (np.pi**2 * safe**2), 1))

    return of


FILTERS: dict[str, Callable[[Any], Any]] = {
    "bilinear": _triangle, "bicubic": _cubic, "lanczos3": _lanczos(3), "lanczos5": _lanczos(5),
}  # fmt: skip
"""Weights of a sample by its distance."""
INTERPOLATIONS = ("nearest", *FILTERS)


def resizing_matrix(length: int, places: int, interpolation: str, antialias: bool = False) -> Any:
    """The matrix (places, length) that resizes a dimension as jax.image.resize does.

    Place p lies at (p + 1/2) * length / places - 1/2; its weights are the filter's at the distances to the elements, normalised; with
    `antialias` the filter is as wide as a place where that is more than an element. Positions are float32 and `nearest` multiplies by the
    rounded 1 / places, as XLA does, so that ties fall alike.
    """
    at = np.arange(places, dtype=np.float32) + np.float32(0.5)
    if interpolation == "nearest":
        chosen = np.floor(at * (np.float32(length) * (np.float32(1) / np.float32(places)))).astype(int)
        return np.eye(length)[np.minimum(chosen, length - 1)]
    step = 1.0 / (places / length)
    sample = at * np.float32(step) - np.float32(0.5)
    distance = np.abs(sample[:, None] - np.arange(length, dtype=np.float32)) / np.float32(max(step, 1.0) if antialias else 1.0)
    weights = FILTERS[interpolation](distance.astype(np.float64))
    total = weights.sum(1, keepdims=True)
    weights = np.where(np.abs(total) > 1000 * np.finfo(np.float32).eps, weights / np.where(total != 0, total, 1), 0)
    inside = (sample >= -0.5) & (sample <= length - 0.5)
    return np.where(inside[:, None], weights, 0)


def resize(x: Value, axes: Sequence[int], sizes: Sequence[int], interpolation: str, antialias: bool = False) -> Value:
    """x with dimensions of other sizes; integers are rounded to the nearest, the even one of two."""
    from layerctl.ops.elementwise import apply

    y = x if x.dtype in FLOATING else cast(x, "f32")
    for axis, size in sorted(zip(axes, sizes, strict=True), key=lambda pair: pair[1] / max(int(x.shape[pair[0]]), 1)):
        if int(x.shape[axis]) != size:
            y = resample(y, axis, resizing_matrix(int(x.shape[axis]), size, interpolation, antialias))
    return y if y.dtype == x.dtype else cast(apply("round", y), x.dtype)


def aspect_crop(height: int, width: int, to_height: int, to_width: int) -> tuple[int, int, int, int]:
    """The largest box in the middle of an image with another's aspect ratio: top, left, height, width."""
    h = max(min(height, math.trunc(width * to_height / to_width)), 1)
    w = max(min(width, math.trunc(height * to_width / to_height)), 1)
    return (height - h) // 2, (width - w) // 2, h, w
