"""Whole numbers as buckets of a hash of their decimal digits, and several of them crossed into one."""

from __future__ import annotations

from collections.abc import Sequence

from layerctl.ops.elementwise import FLOATING, cast
from layerctl.ops.fingerprint import CROSSING_KEY, bucket, crossed, farmhash, siphash, written
from layerctl.ops.kernel import Call, Scratch, kernel
from layerctl.ops.primitives import offset, share_low
from layerctl.ops.value import Node, Op, ShapeError, Type, Value, product, shown

_DIGITS = 24


@kernel(often=("i32", "i64"))
def hashed(task: int, tasks: int, x: "T*", room: "u8*", y: "i32*", n: i64, bins: i64, keyed: i64, key0: i64, key1: i64):
    """y[i] = the bucket of x[i]'s digits: by SipHash under the key if `keyed`, else by FarmHash. `room` holds 24 bytes for each."""
    for i in range(share_low(n, task, tasks), share_low(n, task + 1, tasks)):
        text = offset(room, 24 * i)
        digits = written(x[i], text)
        if keyed != 0:
            y[i] = bucket(siphash(text, digits, key0, key1), bins)
        else:
            y[i] = bucket(farmhash(text, digits), bins)


@kernel
def crossings(task: int, tasks: int, x: "i64*", y: "i32*", n: i64, features: i64, bins: i64, key: i64):
    """y[i] = the bucket of the words x[i, 0], x[i, 1], ... taken into one fingerprint after another."""
    for i in range(share_low(n, task, tasks), share_low(n, task + 1, tasks)):
        h = key
        for j in range(features):
            h = crossed(h, x[i * features + j])
        y[i] = bucket(h, bins)


class Hashed(Op):
    """Whole numbers (any shape) -> buckets 0 to bins - 1 (i32). `key` is None or two words."""

    name = "hashed"
    no_gradient = "a bucket does not move with what is hashed"
    no_form = "what is hashed has its bucket from kernels alone"

    def infer(self, x: Value, *, bins: int, key: tuple[int, int] | None) -> Type:
        if x.dtype not in ("i32", "i64"):
            raise ShapeError(f"expected whole numbers to hash, got {x.dtype}")
        return Type(x.shape, "i32")

    def calls(self, node: Node) -> list[Call]:
        (x,), (y,), (key0, key1) = node.inputs, node.outputs, node.attrs["key"] or (0, 0)
        n = int(product(x.shape))
        args = (x, Scratch(_DIGITS * max(n, 1)), y, n, node.attrs["bins"], int(node.attrs["key"] is not None), key0, key1)
        return [Call(hashed.at(T=x.dtype), args, tasks=max(n, 1), work=60.0 * n)]


class Crossed(Op):
    """Words (..., features) i64 -> buckets (...) i32."""

    name = "crossed"
    no_gradient = "a bucket does not move with what is hashed"
    no_form = "what is hashed has its bucket from kernels alone"

    def infer(self, x: Value, *, bins: int) -> Type:
        if x.dtype != "i64" or x.rank < 1:
            raise ShapeError(f"expected int64 words to cross, got {x.dtype} {shown(x.shape)}")
        return Type(x.shape[:-1], "i32")

    def calls(self, node: Node) -> list[Call]:
        (x,), (y,) = node.inputs, node.outputs
        n = int(product(y.shape))
        return [Call(crossings.at(), (x, y, n, int(x.shape[-1]), node.attrs["bins"], CROSSING_KEY), tasks=max(n, 1), work=10.0 * n)]


def hash_buckets(x: Value, bins: int, key: tuple[int, int] | None = None) -> Value:
    """The bucket of each whole number's decimal digits; a float is cut to a whole number first."""
    return Hashed.apply(cast(x, "i64") if x.dtype in FLOATING else x, bins=bins, key=key)


def cross(features: Sequence[Value], bins: int) -> Value:
    """Whole numbers of several tensors of one shape as one bucket for each place."""
    from layerctl.ops.concat import stack

    return Crossed.apply(stack([cast(v, "i64") for v in features], axis=features[0].rank), bins=bins)
