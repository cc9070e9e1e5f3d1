"""Reductions over axes: sums in float64 and a fixed order, extremes, and the place of an extreme."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from layerctl.ops.elementwise import FLOATING, apply, broadcast_to, cast
from layerctl.ops.kernel import At, Call, Reduction, Scratch
from layerctl.ops.numpy_lines import NumpyLines, copied
from layerctl.ops.onnx_graph import OnnxGraph
from layerctl.ops.value import DTYPES, Node, Op, ShapeError, Type, Unknown, Value, current, product, shown

_CHUNK = 4096


class Reduce(Op):
    """A function (sum, max, min, prod, any, all, argmax, argmin, sumsq, sumabs) over adjacent axes, which stay with size 1 if `keepdims`.

    sum and prod of bool and integers are i64; argmax and argmin are i32; `dtype` may ask for f64 of an f32 sum.
    """

    name = "reduce"

    def infer(self, x: Value, *, fn: str, axes: tuple[int, ...], keepdims: bool, dtype: str) -> Type:
        if axes and axes != tuple(range(axes[0], axes[-1] + 1)):
            raise ShapeError(f"reduce over axes {axes} that are not adjacent")
        kept = tuple(1 if i in axes else d for i, d in enumerate(x.shape))
        return Type(kept if keepdims else tuple(d for i, d in enumerate(x.shape) if i not in axes), dtype)

    def gradient(self, node: Node, *grads: Value | None) -> Sequence[Value | None]:
        from layerctl.ops.reshape import reshape

        (g,), (x,), fn, axes = grads, node.inputs, node.attrs["fn"], node.attrs["axes"]
        if g is None or fn in ("any", "all", "argmax", "argmin"):
            return [None]
        kept = tuple(1 if i in axes else d for i, d in enumerate(x.shape))
        g = cast(reshape(g, kept), x.dtype)
        y = cast(reshape(node.outputs[0], kept), x.dtype)
        if fn == "sum":
            return [broadcast_to(g, x.shape)]
        if fn == "sumsq":
            return [g * (x * 2.0)]
        if fn == "sumabs":
            return [g * apply("sign", x)]
        if fn == "prod":
            return [g * _products_of_others(x, y, axes)]
        won = cast(apply("eq", x, y), x.dtype)
        return [g * won / reduce("sum", won, axes, keepdims=True)]

    def calls(self, node: Node) -> list[Call]:
        (x,), axes, fn = node.inputs, node.attrs["axes"], node.attrs["fn"]
        y = node.outputs[0]
        outer, length, inner = (int(product(p)) for p in split(x.shape, axes))
        ns = 0.08 * outer * length * inner
        rows = min(_CHUNK, chunk_of(length, inner)) if inner > 1 else _CHUNK
        chunks = length // rows
        if outer == 1 and chunks >= 2 and fn in ("sum", "sumsq", "sumabs") and x.dtype in FLOATING:
            rest = length - chunks * rows
            partial = Scratch(8 * inner * (chunks + 1))
            first = Reduction(fn, x.dtype, "f64")
            size = 4 if x.dtype == "f32" else 8
            out = [Call(first, (x, partial, chunks, rows, inner), tasks=chunks * max(1, inner // 64), work=ns)]
            if rest:
                start = At(x, chunks * rows * inner * size)
                out.append(
                    Call(first, (start, At(partial, 8 * inner * chunks), 1, rest, inner), work=0.08 * rest * inner)
                )
            sums = chunks + (1 if rest else 0)
            return [*out, Call(Reduction("sum", "f64", y.dtype), (partial, y, 1, sums, inner), tasks=max(1, inner // 64), work=0.1 * sums * inner)]
        return [
            Call(
                Reduction(fn, x.dtype, y.dtype),
                (x, y, outer, length, inner),
                tasks=outer * max(1, inner // 64),
                work=ns,
                parts=outer,
                along=(x,),
            )
        ]

    def numpy(self, c: NumpyLines, node: Node) -> str:
        a = node.attrs
        return f"np_reduce({a['fn']!r}, {c.name(node.inputs[0])}, {tuple(a['axes'])}, {a['keepdims']}, {DTYPES[a['dtype']]!r})"

    def onnx(self, c: OnnxGraph, node: Node) -> None:
        (x,), fn, axes, dtype = node.inputs, node.attrs["fn"], node.attrs["axes"], node.attrs["dtype"]
        keep, made = int(node.attrs["keepdims"]), "i32"
        if fn in ("argmax", "argmin"):
            out, made = c.add("ArgMax" if fn == "argmax" else "ArgMin", [c.name(x)], axis=axes[0], keepdims=keep), "i64"
        elif fn in ("any", "all"):
            number = c.add("Cast", [c.name(x)], to=c.dtype("i32"))
            out = c.add("ReduceMax" if fn == "any" else "ReduceMin", [number, c.row(*axes)], keepdims=keep)
        else:
            out, made = c.add(_OPERATORS[fn], [c.name(x), c.row(*axes)], keepdims=keep), x.dtype
        c.done(node, out if made == dtype else c.add("Cast", [out], to=c.dtype(dtype)))


_OPERATORS = {"sum": "ReduceSum", "max": "ReduceMax", "min": "ReduceMin", "prod": "ReduceProd", "sumsq": "ReduceSumSquare", "sumabs": "ReduceL1"}


@copied
def np_reduce(function, x, axes, keepdims, dtype):
    """sum, sumsq, sumabs, prod (in double precision), max, min, any, all, argmax, argmin over axes."""
    wide = np.float64 if x.dtype.kind == "f" else np.int64
    if function in ("argmax", "argmin"):
        return getattr(np, function)(x, axis=axes[0], keepdims=keepdims).astype(dtype)
    if function in ("max", "min", "any", "all"):
        return getattr(np, function)(x, axis=axes, keepdims=keepdims).astype(dtype)
    y = x.astype(wide)
    y = y * y if function == "sumsq" else np.abs(y) if function == "sumabs" else y
    return (np.prod if function == "prod" else np.sum)(y, axis=axes, keepdims=keepdims).astype(dtype)


def chunk_of(length: int, inner: int) -> int:
    """Rows of a chunk of column sums, by shapes alone: enough chunks for several threads where there is work for them."""
    if length * inner < 1 << 14 or length < 128:
        return length
    return max(64, -(-length // 32))


def split(shape: Sequence[int], axes: tuple[int, ...]) -> tuple[tuple, tuple, tuple]:
    """The shape's parts before, in and after the adjacent `axes`."""
    if not axes:
        return tuple(shape), (), ()
    return tuple(shape[: axes[0]]), tuple(shape[axes[0] : axes[-1] + 1]), tuple(shape[axes[-1] + 1 :])


def _products_of_others(x: Value, y: Value, axes: tuple[int, ...]) -> Value:
    """d prod / dx: y / x where no factor is 0, the product of the rest where exactly this one is."""
    zero = apply("eq", x, 0.0)
    zeros = reduce("sum", cast(zero, x.dtype), axes, keepdims=True)
    safe = apply("where", zero, 1.0, x)
    rest = reduce("prod", safe, axes, keepdims=True)
    only = apply("and", zero, apply("eq", zeros, 1.0))
    return apply("where", only, rest, apply("where", apply("eq", zeros, 0.0), y / safe, 0.0))


def normal_axes(axis: int | Sequence[int] | None, rank: int, what: str) -> tuple[int, ...]:
    """Axes as sorted numbers from 0; None means all.

    Raises:
        ShapeError: for an axis outside of the rank, or twice the same.
    """
    if axis is None:
        return tuple(range(rank))
    given = [axis] if isinstance(axis, int) else list(axis)
    for a in given:
        if not isinstance(a, int) or not -rank <= a < rank:
            raise ShapeError(f"{what}: axis {a} is outside of a tensor with {rank} dimensions")
    out = sorted(a % rank for a in given)
    if len(set(out)) < len(out):
        raise ShapeError(f"{what}: an axis is given twice in {tuple(given)}")
    return tuple(out)


def _is_reduced(size: int, for_any_size: bool) -> bool:
    """Whether a dimension has more than one element, or may have in a program for any size."""
    return int(size) != 1 or (for_any_size and isinstance(size, Unknown))


def reduce(
    fn: str, x: Value, axis: int | Sequence[int] | None = None, keepdims: bool = False, dtype: str | None = None
) -> Value:
    """Reduces over any axes, one block of adjacent ones at a time from the last."""
    from layerctl.ops.reshape import reshape

    axes = normal_axes(axis, x.rank, fn)
    if fn in ("any", "all"):
        x, out = cast(x, "bool"), "bool"
    elif fn in ("argmax", "argmin"):
        out = "i32"
        if len(axes) > 1:
            if len(axes) != x.rank:
                raise ShapeError(f"{fn} takes one axis or none, got {axes}")
            x, axes = reshape(x, (product(x.shape),)), (0,)
    elif fn in ("sum", "prod", "sumsq", "sumabs"):
        x = cast(x, "i32") if x.dtype == "bool" else x
        out = x.dtype if x.dtype in FLOATING else "i64"
        if fn in ("sumsq", "sumabs") and x.dtype not in FLOATING:
            x, out = cast(x, "f32"), "f32"
    else:
        x = cast(x, "i32") if x.dtype == "bool" else x
        out = x.dtype
    if any(int(x.shape[a]) == 0 for a in axes):
        raise ShapeError(f"{fn} over an empty axis of {shown(x.shape)}")
    shape = tuple(1 if i in axes else d for i, d in enumerate(x.shape))
    final = shape if keepdims else tuple(d for i, d in enumerate(x.shape) if i not in axes)
    for_any_size = current().compose
    axes = tuple(a for a in axes if _is_reduced(x.shape[a], for_any_size) or fn in ("argmax", "argmin", "any", "all"))
    result_dtype = dtype or (x.dtype if out == "i64" and x.dtype in ("i32", "i64") else out)
    while axes:
        block = [axes[-1]]
        while len(block) < len(axes) and axes[-1 - len(block)] == block[0] - 1:
            block.insert(0, axes[-1 - len(block)])
        axes = axes[: len(axes) - len(block)]
        x = Reduce.apply(x, fn=fn, axes=tuple(block), keepdims=True, dtype=dtype or out)
        fn = "sum" if fn in ("sumsq", "sumabs") else fn
    return reshape(cast(x, result_dtype), final)


def mean(x: Value, axis: int | Sequence[int] | None = None, keepdims: bool = False) -> Value:
    """The mean over axes; a float whatever x is."""
    x = x if x.dtype in FLOATING else cast(x, "f32")
    count = product([x.shape[a] for a in normal_axes(axis, x.rank, "mean")])
    total = reduce("sum", x, axis, keepdims)
    if isinstance(count, Unknown) and current().compose:  # exported for any size: counted there
        return total / reduce("sum", cast(apply("or", apply("eq", x, x), apply("ne", x, x)), x.dtype), axis, keepdims)
    return total / float(count)


def variance(x: Value, axis: int | Sequence[int] | None = None, keepdims: bool = False) -> Value:
    """The mean square of what is left when the mean is taken off."""
    centred = x - mean(x, axis, keepdims=True)
    return mean(apply("square", centred), axis, keepdims)
