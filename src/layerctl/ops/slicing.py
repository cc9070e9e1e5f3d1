"""Slices with steps, their inverse (embedding into a filled tensor, which is also padding), and Python's index notation."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from layerctl.ops.copying import plan_copy, plan_fill, row_strides
from layerctl.ops.kernel import Call
from layerctl.ops.numpy_lines import NumpyLines, copied, dims, grows, number
from layerctl.ops.onnx_graph import OnnxGraph
from layerctl.ops.value import Node, NoForm, Op, Shape, ShapeError, Type, Unknown, Value, product, shown


class Slice(Op):
    """`sizes[d]` elements of each dimension, from `starts[d]` on, `steps[d]` apart (negative goes backwards)."""

    name = "slice"

    def infer(self, x: Value, *, starts: Shape, sizes: Shape, steps: Shape) -> Type:
        for n, start, size, step in zip(x.shape, starts, sizes, steps, strict=True):
            last = start + (size - 1) * step
            if size < 0 or (size > 0 and not (0 <= start < n and 0 <= last < n)):
                raise ShapeError(
                    f"a slice from {starts} of {shown(sizes)} by {steps} leaves a tensor of shape {shown(x.shape)}"
                )
        return Type(tuple(sizes), x.dtype)

    def gradient(self, node: Node, *grads: Value | None) -> Sequence[Value | None]:
        if grads[0] is None:
            return [None]
        a = node.attrs
        return [embed(grads[0], node.inputs[0].shape, a["starts"], a["steps"])]

    def calls(self, node: Node) -> list[Call]:
        (x,), (y,), a = node.inputs, node.outputs, node.attrs
        own = row_strides(x.shape)
        start = sum(int(s) * r for s, r in zip(a["starts"], own, strict=True))
        strides = tuple(r * int(s) for r, s in zip(own, a["steps"], strict=True))
        return [plan_copy(x, y, y.shape, strides, row_strides(y.shape), x0=start)]

    def numpy(self, c: NumpyLines, node: Node) -> str:
        (x,), a = node.inputs, node.attrs
        parts = []
        for n, start, size, step in zip(x.shape, a["starts"], a["sizes"], a["steps"], strict=True):
            if int(size) == int(n) and abs(step) == 1:
                parts.append(":" if step == 1 else "::-1")
                continue
            if grows(n):
                raise NoForm("a part of an open dimension")
            stop = int(start) + int(size) * step
            parts.append(f"{int(start)}:{stop if stop >= 0 else ''}{f':{step}' if step != 1 else ''}")
        return f"{c.name(x)}[{', '.join(parts)}]" if parts else c.name(x)

    def onnx(self, c: OnnxGraph, node: Node) -> None:
        (x,), a = node.inputs, node.attrs
        starts, ends, axes, steps = [], [], [], []
        for i, (n, start, size, step) in enumerate(zip(x.shape, a["starts"], a["sizes"], a["steps"], strict=True)):
            if start == 0 and int(size) == int(n) and step == 1:
                continue
            first, last = _bounds(n, start, size, step)
            starts.append(first)
            ends.append(last)
            axes.append(i)
            steps.append(step)
        tensors = [c.row(*v) for v in (starts, ends, axes, steps)]
        c.done(node, c.add("Slice", [c.name(x), *tensors]) if axes else c.add("Identity", [c.name(x)]))


def _bounds(n: int, start: int, size: int, step: int) -> tuple[int, int]:
    """A slice's start and end in a dimension of n, as ONNX has them; in an open dimension, what was counted from its end still is."""
    far = (1 << 63) - 1
    last = int(start) + int(size) * step
    if not isinstance(n, Unknown):
        return int(start), -far if last < 0 else last
    first = int(start) - int(n) if isinstance(start, Unknown) else int(start)
    if step < 0:
        if last >= 0 or int(start) != int(n) - 1:
            raise NoForm("a part of an open dimension that goes backwards has no form here")
        return -1, -far
    if not isinstance(size, Unknown):
        return first, first + int(size) * step if first >= 0 or first + int(size) * step < 0 else far
    if last < int(n) and step != 1:
        raise NoForm("steps of a part of an open dimension that ends before the dimension does have no form here")
    return first, far if last >= int(n) else last - int(n)


class Embed(Op):
    """x put into a tensor of `shape` that is `value` elsewhere, at `starts`, its elements `steps` apart."""

    name = "embed"

    def infer(self, x: Value, *, shape: Shape, starts: Shape, steps: Shape, value: float) -> Type:
        return Type(tuple(shape), x.dtype)

    def gradient(self, node: Node, *grads: Value | None) -> Sequence[Value | None]:
        if grads[0] is None:
            return [None]
        a = node.attrs
        return [Slice.apply(grads[0], starts=a["starts"], sizes=node.inputs[0].shape, steps=a["steps"])]

    def calls(self, node: Node) -> list[Call]:
        (x,), (y,), a = node.inputs, node.outputs, node.attrs
        out = row_strides(y.shape)
        start = sum(int(s) * r for s, r in zip(a["starts"], out, strict=True))
        strides = tuple(r * int(s) for r, s in zip(out, a["steps"], strict=True))
        calls = [plan_fill(y, int(product(y.shape)), a["value"], y.dtype)]
        if int(product(x.shape)):
            calls.append(plan_copy(x, y, x.shape, row_strides(x.shape), strides, y0=start))
        return calls

    def numpy(self, c: NumpyLines, node: Node) -> str:
        a = node.attrs
        starts, steps = (tuple(map(int, a[k])) for k in ("starts", "steps"))
        return f"np_embed({c.name(node.inputs[0])}, {dims(a['shape'])}, {starts}, {steps}, {number(float(a['value']))})"

    def onnx(self, c: OnnxGraph, node: Node) -> None:
        (x,), a = node.inputs, node.attrs
        if any(s != 1 for s in a["steps"]):
            raise NoForm("spread elements have no form in ONNX")
        after = [0 if isinstance(t, Unknown) else int(t) - s - int(n) for t, s, n in zip(a["shape"], a["starts"], x.shape, strict=True)]
        c.done(node, c.add("Pad", [c.name(x), c.row(*a["starts"], *after), c.scalar(a["value"], x)]))


@copied
def np_embed(x, shape, starts, steps, value):
    """x in an array of `value`, from `starts` on, its elements `steps` apart."""
    y = np.full(shape, value, x.dtype)
    y[tuple(slice(a, a + (n - 1) * s + 1 if n else a, s) for a, n, s in zip(starts, x.shape, steps, strict=True))] = x
    return y


def embed(x: Value, shape: Shape, starts: Shape, steps: Shape, value: float = 0.0) -> Value:
    """The inverse of a slice: x spread over a tensor that is `value` where x is not."""
    return Embed.apply(x, shape=tuple(shape), starts=tuple(starts), steps=tuple(steps), value=value)


def pad(x: Value, widths: Sequence[tuple[int, int]], value: float = 0.0) -> Value:
    """x with (before, after) more elements in each dimension; negative widths crop."""
    x = slice_(x, [max(0, -b) for b, _ in widths], [d - max(0, -a) for d, (_, a) in zip(x.shape, widths, strict=True)])
    wide = [(max(0, b), max(0, a)) for b, a in widths]
    if all(w == (0, 0) for w in wide):
        return x
    shape = tuple(d + b + a if (b or a) else d for d, (b, a) in zip(x.shape, wide, strict=True))
    return embed(x, shape, tuple(b for b, _ in wide), (1,) * x.rank, value)


def slice_(x: Value, starts: Sequence[int], ends: Sequence[int], steps: Sequence[int] | None = None) -> Value:
    """x[starts:ends:steps] with numbers already within the tensor; the same value if it is all of x."""
    steps = tuple(steps or (1,) * x.rank)
    sizes = []
    for d, a, b, s in zip(x.shape, starts, ends, steps, strict=True):
        whole = a == 0 and s == 1 and int(b) == int(d)
        sizes.append(d if whole else max(0, -((a - b) // s)) if s > 0 else max(0, -((b - a) // -s)))
    if all(d is s for d, s in zip(x.shape, sizes, strict=True)) and all(s == 1 for s in steps) and not any(starts):
        return x
    return Slice.apply(x, starts=tuple(starts), sizes=tuple(sizes), steps=steps)


def flip(x: Value, axes: Sequence[int]) -> Value:
    """x backwards along axes."""
    starts = tuple(d - 1 if i in axes else 0 for i, d in enumerate(x.shape))
    return Slice.apply(x, starts=starts, sizes=x.shape, steps=tuple(-1 if i in axes else 1 for i in range(x.rank)))


def _from_end(given: int | None, place: int, n: int, last: bool) -> int:
    """A place in a dimension of n, unknown where it is counted from the end of one that is; `last` is what no bound stands for."""
    return Unknown(place) if isinstance(n, Unknown) and (last if given is None else given < 0) else place


def index(x: Value, key: Any) -> Value:
    """x[key] for integers, slices, `...` and None, by numpy's rules; a tensor of integers takes along the first dimension."""
    from layerctl.ops.gather import take
    from layerctl.ops.reshape import reshape

    if isinstance(key, Value):
        return take(x, key, axis=0)
    keys = list(key) if isinstance(key, tuple) else [key]
    if keys.count(Ellipsis) > 1:
        raise ShapeError("an index may have one ... only")
    used = sum(k is not None and k is not Ellipsis for k in keys)
    if used > x.rank:
        raise ShapeError(f"{used} indices for a tensor of shape {shown(x.shape)}")
    if Ellipsis not in keys:
        keys.append(Ellipsis)
    at = keys.index(Ellipsis)
    keys[at : at + 1] = [slice(None)] * (x.rank - used)
    starts, ends, steps, shape, axis = [], [], [], [], 0
    for k in keys:
        if k is None:
            shape.append(1)
            continue
        n = x.shape[axis]
        if isinstance(k, slice):
            if any(v is not None and not isinstance(v, int) for v in (k.start, k.stop, k.step)):
                raise ShapeError("a slice's bounds must be whole numbers")
            a, b, s = k.indices(int(n))
            size = n if (a, b, s) == (0, int(n), 1) else len(range(a, b, s))
            shape.append(Unknown(size) if isinstance(n, Unknown) else size)
            a, b = _from_end(k.start, a, n, s < 0), _from_end(k.stop, b, n, s > 0)
        elif isinstance(k, int) and not isinstance(k, bool):
            if not -n <= k < n:
                raise ShapeError(f"index {k} is outside of dimension {axis} of {shown(x.shape)}")
            a, s = _from_end(int(k), int(k) % int(n), n, False), 1
            b = a + 1
        else:
            raise ShapeError(f"an index must be a whole number, a slice, ... or None, got {k!r}")
        starts.append(a), ends.append(b), steps.append(s)
        axis += 1
    return reshape(slice_(x, starts, ends, steps), tuple(shape))
