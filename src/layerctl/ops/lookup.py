"""Whole numbers by a table: the number that stands beside a key."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from layerctl.ops.kernel import Call, kernel
from layerctl.ops.numpy_lines import NumpyLines, copied
from layerctl.ops.primitives import share_low
from layerctl.ops.value import Node, Op, ShapeError, Type, Value, product, shown


@kernel(often=("i32", "i64"))
def looked_up(task: int, tasks: int, x: "T*", keys: "i64*", places: "U*", y: "U*", n: i64, count: i64, missing: i64):
    """y[i] = places[j] where keys[j] is x[i], `missing` where there is none; keys rise."""
    for i in range(share_low(n, task, tasks), share_low(n, task + 1, tasks)):
        v = x[i]
        low, high = 0, count
        while low < high:
            middle = (low + high) // 2
            if keys[middle] < v:
                low = middle + 1
            else:
                high = middle
        y[i] = missing
        if low < count and keys[low] == v:
            y[i] = places[low]


class Lookup(Op):
    """x (any shape) whole numbers, keys (n) i64 rising, places (n) -> the keys' places, of x's shape."""

    name = "lookup"
    no_gradient = "its results are ids"

    def infer(self, x: Value, keys: Value, places: Value, *, missing: int) -> Type:
        if x.dtype not in ("i32", "i64"):
            raise ShapeError(f"expected whole numbers to look up, got {x.dtype}")
        if keys.dtype != "i64" or keys.rank != 1 or tuple(map(int, keys.shape)) != tuple(map(int, places.shape)):
            raise ShapeError(f"lookup: expected int64 keys and as many places, got {shown(keys.shape)} and {shown(places.shape)}")
        return Type(x.shape, places.dtype)

    def gradient(self, node: Node, *grads: Value | None) -> Sequence[Value | None]:
        return [None, None, None]

    def calls(self, node: Node) -> list[Call]:
        (x, keys, places), (y,) = node.inputs, node.outputs
        n, count = int(product(x.shape)), int(keys.shape[0])
        work = n * (2.0 + 2.0 * count.bit_length())
        return [Call(looked_up.at(T=x.dtype, U=y.dtype), (x, keys, places, y, n, count, node.attrs["missing"]), tasks=max(n, 1), work=work)]

    def numpy(self, c: NumpyLines, node: Node) -> str:
        return f"np_lookup({c.names(node)}, {int(node.attrs['missing'])})"


@copied
def np_lookup(x, keys, places, missing):
    """The keys' places; `missing` for what is no key."""
    at = np.clip(np.searchsorted(keys, x), 0, max(len(keys) - 1, 0))
    return np.where(keys[at] == x, places[at], places.dtype.type(missing)) if len(keys) else np.full(x.shape, missing, places.dtype)


def lookup(x: Value, keys: Value, places: Value, missing: int) -> Value:
    """The place of each number among rising keys; `missing` where it is none of them."""
    return Lookup.apply(x, keys, places, missing=missing)
