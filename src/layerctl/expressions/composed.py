"""Functions of expressions that are made of others: normalisations and attention without weights, order statistics, diagonals, encodings."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence
from typing import Any

from layerctl.ops import concat as joining
from layerctl.ops import order, reduce, reshape, select, slicing, transpose
from layerctl.ops.attention import attention
from layerctl.ops.elementwise import apply, as_value, broadcast_to, cast
from layerctl.ops.leaves import constant
from layerctl.ops.matmul import matmul
from layerctl.ops.softmax import softmax
from layerctl.ops.value import ShapeError, Value, shown

EPSILON = 1e-7
"""What Keras takes where an epsilon is not given."""


def _axes(axis: Any, x: Value) -> list[int]:
    return list(reduce.normal_axes(axis, x.rank, "a normalisation"))


def _layer_normalization(x: Value, gamma: Any = None, beta: Any = None, axis: Any = -1, epsilon: float | None = None, rms_scaling: bool = False) -> Value:
    if rms_scaling:
        raise ShapeError("layer_normalization takes no rms_scaling: use rms_normalization")
    axes = _axes(axis, x)
    scaled = (x - reduce.mean(x, axes, True)) * apply("rsqrt", reduce.variance(x, axes, True) + (EPSILON if epsilon is None else epsilon))
    return _shifted(_scaled(scaled, gamma, axes), beta, axes)


def _rms_normalization(x: Value, scale: Any = None, axis: Any = -1, epsilon: float | None = None) -> Value:
    axes = _axes(axis, x)
    mean = reduce.mean(apply("square", x), axes, True)
    return _scaled(x * apply("rsqrt", mean + (EPSILON if epsilon is None else epsilon)), scale, axes)


def _batch_normalization(
    x: Value, mean: Any, variance: Any, axis: int = -1, offset: Any = None, scale: Any = None, epsilon: float = 1e-3
) -> Value:  # fmt: skip
    axes = _axes(axis, x)
    centred = x - _along(mean, x, axes)
    return _shifted(_scaled(centred * apply("rsqrt", _along(variance, x, axes) + epsilon), scale, axes), offset, axes)


def _along(v: Any, x: Value, axes: Sequence[int]) -> Value:
    """A tensor for some dimensions of x, in their places."""
    return reshape.reshape(as_value(v, x.dtype), [x.shape[i] if i in axes else 1 for i in range(x.rank)])


def _scaled(x: Value, by: Any, axes: Sequence[int]) -> Value:
    return x if by is None else x * _along(by, x, axes)


def _shifted(x: Value, by: Any, axes: Sequence[int]) -> Value:
    return x if by is None else x + _along(by, x, axes)


def _dot_product_attention(
    query: Value, key: Value, value: Value, bias: Any = None, mask: Any = None, scale: float | None = None, is_causal: bool = False,
    flash_attention: Any = None, attn_logits_soft_cap: float | None = None,
) -> Value:  # fmt: skip
    if not query.rank == key.rank == value.rank == 4:
        raise ShapeError(f"dot_product_attention takes (batch, time, heads, size), got {shown(query.shape)}, {shown(key.shape)} and {shown(value.shape)}")
    seen = None if mask is None else cast(as_value(mask), "bool")
    if is_causal:
        past = [[[[j <= i for j in range(int(key.shape[1]))] for i in range(int(query.shape[1]))]]]
        seen = constant(past, "bool") if seen is None else apply("and", seen, constant(past, "bool"))
    query = query * (1 / math.sqrt(int(query.shape[3])) if scale is None else scale)
    if bias is None and attn_logits_soft_cap is None:
        return attention(query, key, value, seen)
    scores = matmul(transpose.transpose(query, (0, 2, 1, 3)), transpose.transpose(key, (0, 2, 3, 1)))
    scores = scores if bias is None else scores + as_value(bias, scores.dtype)
    cap = attn_logits_soft_cap
    scores = scores if cap is None else apply("tanh", scores * (1 / cap)) * cap
    scores = scores if seen is None else apply("where", seen, scores, -1e30)
    return transpose.transpose(matmul(softmax(scores, -1), transpose.transpose(value, (0, 2, 1, 3))), (0, 2, 1, 3))


def _quantile(x: Value, q: float, axis: Any = None, method: str = "linear", keepdims: bool = False) -> Value:
    if method != "linear" or not isinstance(q, (int, float)) or not 0 <= q <= 1:
        raise ShapeError(f"quantile takes one number from 0 to 1 and method 'linear', got {q!r} and {method!r}")
    axes = _axes(axis, x)
    kept = [i for i in range(x.rank) if i not in axes]
    flat = reshape.reshape(transpose.transpose(x, [*kept, *axes]), [*(x.shape[i] for i in kept), -1])
    place = q * (int(flat.shape[-1]) - 1)
    low, ordered = math.floor(place), order.sort(flat, -1)
    out = ordered[..., low]
    if place > low:
        out = out + (ordered[..., low + 1] - out) * (place - low)
    return reshape.reshape(out, [1 if i in axes else d for i, d in enumerate(x.shape)]) if keepdims else out


def _diagonal(x: Value, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Value:
    moved = transpose.move_axis(transpose.move_axis(x, axis1 % x.rank, -1), axis2 % x.rank - (axis2 % x.rank > axis1 % x.rank), -1)
    rows, columns = int(x.shape[axis1]), int(x.shape[axis2])
    places = [i for i in range(rows) if 0 <= i + offset < columns]
    if not places:
        raise ShapeError(f"diagonal: {shown(x.shape)} has no diagonal {offset}")
    ids = constant([i * columns + i + offset for i in places], "i32")
    from layerctl.ops.gather import take

    return take(reshape.reshape(moved, [*moved.shape[:-2], rows * columns]), ids, -1)


def _trace(x: Value, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Value:
    return reduce.reduce("sum", _diagonal(x, offset, axis1, axis2), -1)


def _average(x: Value, axis: Any = None, weights: Any = None, keepdims: bool = False) -> Value:
    if weights is None:
        return reduce.mean(x, axis, keepdims)
    by = as_value(weights, x.dtype)
    if by.rank == 1 and axis is not None:
        by = _along(by, x, _axes(axis, x))
    total = reduce.reduce("sum", broadcast_to(by, x.shape), axis, keepdims)
    return reduce.reduce("sum", x * by, axis, keepdims) / total


def _round(x: Value, decimals: int = 0) -> Value:
    if not decimals:
        return apply("round", x)
    return apply("round", x * 10.0**decimals) / 10.0**decimals


def _expand_dims(x: Value, axis: Any) -> Value:
    if isinstance(axis, int):
        return reshape.expand_dims(x, axis)
    for a in sorted(i % (x.rank + len(axis)) for i in axis):
        x = reshape.expand_dims(x, a)
    return x


def _move_axes(x: Value, source: Any, destination: Any) -> Value:
    if isinstance(source, int):
        return transpose.move_axis(x, source, destination)
    moved = dict(zip((i % x.rank for i in destination), (i % x.rank for i in source), strict=True))
    rest = iter(i for i in range(x.rank) if i not in moved.values())
    return transpose.transpose(x, [moved[i] if i in moved else next(rest) for i in range(x.rank)])


def _array_split(x: Value, indices_or_sections: Any, axis: int = 0) -> list[Value]:
    axis %= x.rank
    size, key = int(x.shape[axis]), (slice(None),) * axis
    if isinstance(indices_or_sections, int):
        each, more = divmod(size, indices_or_sections)
        cuts = [each * i + min(i, more) for i in range(indices_or_sections + 1)]
    else:
        cuts = [0, *map(int, indices_or_sections), size]
    return [x[(*key, slice(a, b))] for a, b in itertools.pairwise(cuts)]


def _append(a: Value, b: Value, axis: int | None = None) -> Value:
    b = as_value(b, a.dtype)
    return joining.concat([reshape.reshape(v, (-1,)) for v in (a, b)], 0) if axis is None else joining.concat([a, b], axis)


def _digitize(x: Value, bins: Any) -> Value:
    edges = as_value(bins, "f32")
    return reduce.reduce("sum", cast(apply("ge", reshape.expand_dims(x, -1), edges), "i32"), -1)


def _select(conditions: Sequence[Value], choices: Sequence[Any], default: Any = 0) -> Value:
    out = as_value(default, as_value(choices[0]).dtype)
    for condition, choice in reversed(list(zip(conditions, choices, strict=True))):
        out = apply("where", condition, choice, out)
    return out


def _multi_hot(x: Value, num_classes: int, axis: int = -1) -> Value:
    if axis != -1:
        raise ShapeError(f"multi_hot takes axis -1, got {axis}")
    ones = select.one_hot(x, num_classes)
    return reduce.reduce("max", ones, 1 if x.rank > 1 else 0)


def _is_close(a: Value, b: Value, rtol: float = 1e-5, atol: float = 1e-8, equal_nan: bool = False) -> Value:
    near = apply("le", abs(a - b), atol + rtol * abs(as_value(b)))
    both = apply("or", near, apply("eq", a, b))
    return apply("or", both, apply("and", apply("isnan", a), apply("isnan", as_value(b)))) if equal_nan else both


def _without_nan(kind: str) -> Callable[..., Value]:
    def function(x: Value, axis: Any = None, keepdims: bool = False) -> Value:
        total = reduce.reduce("sum", apply("where", apply("isnan", x), 0.0, x), axis, keepdims)
        if kind == "sum":
            return total
        return total / reduce.reduce("sum", cast(apply("not", apply("isnan", x)), x.dtype), axis, keepdims)

    return function


def _slice(x: Value, start_indices: Any, shape: Any) -> Value:
    return slicing.index(x, tuple(slice(a, None if int(n) == int(d) else a + n) for a, n, d in zip(start_indices, shape, x.shape, strict=True)))


def _rgb_to_grayscale(x: Value) -> Value:
    return reduce.reduce("sum", x * constant([0.2989, 0.5870, 0.1140], x.dtype), -1, True)


COMPOSED: dict[str, Callable[..., Any]] = {
    "layer_normalization": _layer_normalization, "rms_normalization": _rms_normalization, "batch_normalization": _batch_normalization,
    "dot_product_attention": _dot_product_attention, "quantile": _quantile, "diagonal": _diagonal, "trace": _trace, "average": _average,
    "median": lambda x, axis=None, keepdims=False: _quantile(x, 0.5, axis, keepdims=keepdims), "round": _round, "expand_dims": _expand_dims,
    "moveaxis": _move_axes, "array_split": _array_split, "append": _append, "digitize": _digitize, "select": _select, "multi_hot": _multi_hot,
    "isclose": _is_close, "nansum": _without_nan("sum"), "nanmean": _without_nan("mean"), "rgb_to_grayscale": _rgb_to_grayscale, "slice": _slice,
    "ptp": lambda x, axis=None, keepdims=False: reduce.reduce("max", x, axis, keepdims) - reduce.reduce("min", x, axis, keepdims),
    "hypot": lambda a, b: apply("sqrt", apply("square", a) + apply("square", as_value(b, a.dtype))), "deg2rad": lambda x: x * (math.pi / 180),
    "rad2deg": lambda x: x * (180 / math.pi), "dstack": lambda xs: joining.concat([x if x.rank > 2 else reshape.expand_dims(x, 2) for x in xs], 2),
}  # fmt: skip
