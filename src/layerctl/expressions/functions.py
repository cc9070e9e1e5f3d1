"""The functions of expressions on tensors, by the names of keras.ops."""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Callable
from typing import Any

from layerctl.expressions.composed import COMPOSED
from layerctl.expressions.convolving import CONVOLVING
from layerctl.expressions.cutting import FURTHER
from layerctl.expressions.frequencies import FREQUENCIES, PAIRED
from layerctl.ops import concat as joining
from layerctl.ops import gather, order, reduce, reshape, select, slicing, transpose
from layerctl.ops.cumulative import cumulative
from layerctl.ops.einsum import einsum
from layerctl.ops.elementwise import apply, as_value, broadcast_to, cast
from layerctl.ops.functions import FUNCTIONS
from layerctl.ops.leaves import constant
from layerctl.ops.matmul import matmul
from layerctl.ops.softmax import softmax
from layerctl.ops.stop import stop_gradient
from layerctl.ops.value import NUMBERS, ShapeError, Value, product

_NAMES = {
    "maximum": "max", "minimum": "min", "equal": "eq", "not_equal": "ne", "less": "lt", "less_equal": "le", "greater": "gt",
    "greater_equal": "ge", "logical_and": "and", "logical_or": "or", "logical_xor": "xor", "logical_not": "not", "add": "add",
    "subtract": "sub", "multiply": "mul", "divide": "div", "true_divide": "div", "power": "pow", "mod": "mod", "floor_divide": "floordiv",
    "negative": "neg", "absolute": "abs", "arcsin": "asin", "arccos": "acos", "arctan": "atan", "arctan2": "atan2", "arcsinh": "asinh",
    "arccosh": "acosh", "arctanh": "atanh", "erfinv": "erf_inv",
}  # fmt: skip
_OWN = (
    "abs", "exp", "expm1", "log", "log1p", "sqrt", "rsqrt", "reciprocal", "square", "sin", "cos", "tan", "sinh", "cosh", "tanh", "sign",
    "floor", "ceil", "trunc", "erf", "isnan", "isinf", "isfinite", "where", "sigmoid", "softplus", "relu",
)  # fmt: skip


def _reduction(name: str) -> Callable[..., Value]:
    def function(x: Any, axis: Any = None, keepdims: bool = False) -> Value:
        return reduce.reduce(name, as_value(x), axis, keepdims)

    return function


def _argument(name: str) -> Callable[..., Value]:
    def function(x: Any, axis: int | None = None, keepdims: bool = False) -> Value:
        return reduce.reduce(name, as_value(x), axis, keepdims)

    return function


def _extreme(name: str, fold: str) -> Callable[..., Value]:
    def function(x: Any, *rest: Any, axis: Any = None, keepdims: bool = False) -> Value:
        if rest and isinstance(rest[0], Value):
            return functools.reduce(lambda a, b: apply(fold, a, b), (x, *rest))
        return reduce.reduce(name, as_value(x), rest[0] if rest else axis, keepdims)

    return function


def _std(x: Value, axis: Any = None, keepdims: bool = False) -> Value:
    return apply("sqrt", reduce.variance(x, axis, keepdims))


def _norm(x: Value, ord: Any = None, axis: Any = None, keepdims: bool = False) -> Value:
    if ord in (None, 2):
        return apply("sqrt", reduce.reduce("sumsq", x, axis, keepdims))
    if ord == 1:
        return reduce.reduce("sumabs", x, axis, keepdims)
    raise ShapeError(f"norm takes ord 1 or 2, got {ord!r}")


def _logsumexp(x: Value, axis: Any = None, keepdims: bool = False) -> Value:
    top = stop_gradient(reduce.reduce("max", x, axis, keepdims=True))
    out = apply("log", reduce.reduce("sum", apply("exp", x - top), axis, keepdims=True)) + top
    return out if keepdims else reshape.squeeze(out, list(reduce.normal_axes(axis, x.rank, "logsumexp")))


def _clip(x: Value, x_min: Any, x_max: Any) -> Value:
    return apply("min", apply("max", x, x_min), x_max)


def _cast(x: Value, dtype: str) -> Value:
    if dtype not in NUMBERS:
        raise ShapeError(f"cast: there is no dtype {dtype!r}: expected {', '.join(NUMBERS)}")
    return cast(as_value(x), NUMBERS[dtype])


def _shape(x: Value) -> tuple[int, ...]:
    return tuple(x.shape)


def _full_like(value: float) -> Callable[[Value], Value]:
    return lambda x: broadcast_to(as_value(value, x.dtype), x.shape)


def _flat_without_axis(function: Callable[..., Any], restored: bool = False) -> Callable[..., Any]:
    """The function with `axis=None` for all elements in a row, as keras.ops has it; `restored`: the result has x's shape again."""

    @functools.wraps(function)
    def wrapped(x: Value, *rest: Any, **named: Any) -> Any:
        if "axis" not in named or named["axis"] is not None:
            return function(x, *rest, **named)
        out = function(reshape.reshape(x, (-1,)), *rest, **{**named, "axis": 0})
        return reshape.reshape(out, x.shape) if restored else out

    return wrapped


def _repeat(x: Value, repeats: int, axis: int = 0) -> Value:
    axis %= x.rank
    wide = reshape.expand_dims(x, axis + 1)
    shape = (*x.shape[: axis + 1], repeats, *x.shape[axis + 1 :])
    return reshape.reshape(broadcast_to(wide, shape), (*x.shape[:axis], x.shape[axis] * repeats, *x.shape[axis + 1 :]))


def _flip(x: Value, axis: Any = None) -> Value:
    return slicing.flip(x, list(reduce.normal_axes(axis, x.rank, "flip")))


def _dot(a: Value, b: Value) -> Value:
    return matmul(a, b)


def _one_hot(x: Value, num_classes: int, axis: int = -1) -> Value:
    out = select.one_hot(x, num_classes)
    return out if axis in (-1, out.rank - 1) else transpose.move_axis(out, -1, axis)


def _random(kind: str) -> Callable[..., Value]:
    def function(like: Any, seed: int | None = None) -> Value:
        from layerctl.ops import random

        shape = like.shape if isinstance(like, Value) else tuple(like)
        return (random.random_uniform if kind == "uniform" else random.random_normal)(shape, "expression", seed)

    return function


def _mean(x: Any, axis: Any = None, keepdims: bool = False) -> Value:
    return reduce.mean(as_value(x), axis, keepdims)


def _pad(x: Value, pad_width: Any, constant_values: float = 0.0, mode: str = "constant") -> Value:
    widths = [(pad_width, pad_width)] if isinstance(pad_width, int) else [tuple(p) for p in pad_width]
    widths = widths * x.rank if len(widths) == 1 else widths
    if mode == "constant":
        return slicing.pad(x, widths, constant_values)
    if mode not in _MIRRORS:
        raise ShapeError(f"pad has no mode {mode!r}, expected constant, {', '.join(_MIRRORS)}")
    for axis, (before, after) in enumerate(widths):
        size, first = x.shape[axis], _MIRRORS[mode]
        most = max(before, after)
        if most > size - first or min(before, after) < 0:
            raise ShapeError(f"pad of {most} at dimension {axis} has {size} elements to mirror in mode {mode!r}")
        parts = [_mirror(x, axis, first, first + before), x, _mirror(x, axis, size - first - after, size - first)]
        x = joining.concat([p for p, width in zip(parts, (before, 1, after), strict=True) if width], axis) if before or after else x
    return x


_MIRRORS = {"reflect": 1, "symmetric": 0}
"""Modes of padding by what stands at the edge, and how many elements stay out of the mirror."""


def _mirror(x: Value, axis: int, start: int, end: int) -> Value:
    return slicing.flip(slicing.index(x, (*[slice(None)] * axis, slice(start, end))), [axis])


def _top_k(x: Value, k: int, sorted: bool = True) -> list[Value]:
    return list(order.top_k(x, k))


_MOST = 1_000_000
"""Numbers that an expression may write down."""


def _bounded(count: float, what: str) -> None:
    if count > _MOST:
        raise ShapeError(f"{what} would make {count:.0f} numbers, expected at most {_MOST}")


def _arange(*ends: Any, dtype: str | None = None) -> Value:
    low, high = (0, ends[0]) if len(ends) == 1 else ends[:2]
    _bounded(abs((high - low) / (ends[2] if len(ends) > 2 and ends[2] else 1)), "arange")
    values = list(range(*map(int, ends))) if all(isinstance(e, int) for e in ends) else _steps(*map(float, ends))
    kind = NUMBERS.get(dtype or "", None) or ("i32" if all(isinstance(e, int) for e in ends) else "f32")
    return constant(values, kind)


def _steps(start: float, stop: float | None = None, step: float = 1.0) -> list[float]:
    start, stop = (0.0, start) if stop is None else (start, stop)
    return [start + i * step for i in range(max(0, -int(-(stop - start) // step)))]


def _linspace(start: float, stop: float, num: int = 50) -> Value:
    _bounded(num, "linspace")
    return constant([start + (stop - start) * i / max(num - 1, 1) for i in range(num)], "f32")


def _filled(value: float) -> Callable[..., Value]:
    def function(shape: Any, dtype: str = "float32") -> Value:
        dims = (shape,) if isinstance(shape, int) else tuple(shape)
        return broadcast_to(constant(value, NUMBERS[dtype]), dims)

    return function


def _full(shape: Any, fill_value: float) -> Value:
    return _filled(float(fill_value))(shape)


def _eye(n: int, m: int | None = None, k: int = 0) -> Value:
    _bounded(n * (m or n), "eye")
    return constant([[1.0 if j - i == k else 0.0 for j in range(m or n)] for i in range(n)], "f32")


def _triangle(upper: bool) -> Callable[..., Value]:
    def function(x: Value, k: int = 0) -> Value:
        rows, columns = int(x.shape[-2]), int(x.shape[-1])
        _bounded(rows * columns, "a triangle")
        kept = [[(j - i >= k) if upper else (j - i <= k) for j in range(columns)] for i in range(rows)]
        return apply("where", constant(kept, "bool"), x, 0.0)

    return function


def _split(x: Value, indices_or_sections: Any, axis: int = 0) -> list[Value]:
    axis %= x.rank
    size = int(x.shape[axis])
    if isinstance(indices_or_sections, int):
        if indices_or_sections < 1 or size % indices_or_sections:
            raise ShapeError(f"split: {size} along axis {axis} cannot be cut into {indices_or_sections} equal parts")
        cuts = [size // indices_or_sections * i for i in range(indices_or_sections + 1)]
    else:
        cuts = [0, *map(int, indices_or_sections), size]
    key = (slice(None),) * axis
    return [x[(*key, slice(a, b))] for a, b in itertools.pairwise(cuts)]


def _tile(x: Value, repeats: Any) -> Value:
    times = [repeats] if isinstance(repeats, int) else list(repeats)
    _bounded(product(times) * max(1, int(product(x.shape)) // 1000), "tile")
    while x.rank < len(times):
        x = reshape.expand_dims(x, 0)
    for axis, n in enumerate([1] * (x.rank - len(times)) + times):
        x = joining.concat([x] * n, axis) if n > 1 else x
    return x


def _roll(x: Value, shift: Any, axis: Any = 0) -> Value:
    if isinstance(axis, (list, tuple)):
        shifts = shift if isinstance(shift, (list, tuple)) else [shift] * len(axis)
        for s, a in zip(shifts, axis, strict=True):
            x = _roll(x, s, a)
        return x
    axis %= x.rank
    cut = -shift % max(int(x.shape[axis]), 1)
    if not cut:
        return x
    key = (slice(None),) * axis
    return joining.concat([x[(*key, slice(cut, None))], x[(*key, slice(0, cut))]], axis)


def _outer(a: Value, b: Any) -> Value:
    return reshape.reshape(a, (-1, 1)) * reshape.reshape(as_value(b, a.dtype) if isinstance(b, list) else b, (1, -1))


def _normalize(x: Value, axis: Any = -1, order: Any = 2, epsilon: float = 1e-7) -> Value:
    if order != 2:
        raise ShapeError(f"normalize takes order 2, got {order!r}")
    return x * apply("rsqrt", apply("max", reduce.reduce("sum", apply("square", x), axis, keepdims=True), epsilon * epsilon))


def _count_nonzero(x: Value, axis: Any = None) -> Value:
    return reduce.reduce("sum", cast(apply("ne", x, 0), "i32"), axis)


def _cumulative(kind: str) -> Callable[..., Value]:
    def function(x: Value, axis: int | None = None) -> Value:
        return cumulative(kind, reshape.reshape(x, (-1,)) if axis is None else x, -1 if axis is None else axis)

    return function


def _diff(x: Value, n: int = 1, axis: int = -1) -> Value:
    key = (slice(None),) * (axis % x.rank)
    for _ in range(n):
        x = x[(*key, slice(1, None))] - x[(*key, slice(0, -1))]
    return x


def _dropout(x: Value, rate: float, seed: int | None = None) -> Value:
    from layerctl.ops.random import random_uniform

    return x * cast(apply("ge", random_uniform(x.shape, "expression", seed), rate), x.dtype) * (1.0 / (1.0 - rate))


_OTHERS: dict[str, Callable[..., Any]] = {
    "sum": _reduction("sum"), "prod": _reduction("prod"), "mean": _mean, "var": reduce.variance, "std": _std, "any": _reduction("any"),
    "all": _reduction("all"), "max": _extreme("max", "max"), "min": _extreme("min", "min"), "amax": _reduction("max"), "amin": _reduction("min"),
    "argmax": _argument("argmax"), "argmin": _argument("argmin"), "norm": _norm, "logsumexp": _logsumexp, "matmul": matmul, "dot": _dot,
    "reshape": lambda x, newshape: reshape.reshape(x, tuple(newshape)), "transpose": lambda x, axes=None: transpose.transpose(x, axes),
    "swapaxes": lambda x, axis1, axis2: transpose.swap_axes(x, axis1, axis2),
    "squeeze": reshape.squeeze,
    "concatenate": lambda xs, axis=0: joining.concat(list(xs), axis), "concat": lambda xs, axis=0: joining.concat(list(xs), axis),
    "stack": lambda xs, axis=0: joining.stack(list(xs), axis), "softmax": lambda x, axis=-1: softmax(x, axis),
    "log_softmax": lambda x, axis=-1: softmax(x, axis, logarithm=True), "one_hot": _one_hot,
    "take": _flat_without_axis(lambda x, indices, axis=0: gather.take(x, as_value(indices, "i32"), axis)), "clip": _clip, "cast": _cast, "shape": _shape,
    "zeros_like": _full_like(0.0), "ones_like": _full_like(1.0), "broadcast_to": lambda x, shape: broadcast_to(x, tuple(shape)),
    "flip": _flip, "repeat": _flat_without_axis(_repeat), "stop_gradient": stop_gradient, "pad": _pad, "random_uniform": _random("uniform"),
    "random_normal": _random("normal"), "identity": lambda x: x,
    "einsum": einsum, "sort": _flat_without_axis(lambda x, axis=-1: order.sort(x, axis)),
    "argsort": _flat_without_axis(lambda x, axis=-1: order.argsort(x, axis)),
    "top_k": _top_k,
    "take_along_axis": _flat_without_axis(lambda x, indices, axis=-1: order.take_along_axis(x, as_value(indices, "i32"), axis)),
    "cumsum": _cumulative("sum"),
    "cumprod": _cumulative("prod"), "arange": _arange, "linspace": _linspace, "zeros": _filled(0.0), "ones": _filled(1.0), "full": _full,
    "full_like": lambda x, fill_value: broadcast_to(as_value(float(fill_value), x.dtype), x.shape), "eye": _eye,
    "tril": _triangle(False), "triu": _triangle(True), "split": _split, "tile": _tile, "roll": _flat_without_axis(_roll, restored=True),
    "outer": _outer, "normalize": _normalize,
    "count_nonzero": _count_nonzero, "diff": _diff, "size": lambda x: int(product(x.shape)), "ndim": lambda x: x.rank, "dropout": _dropout,
    "ravel": lambda x: reshape.reshape(x, (-1,)), "vstack": lambda xs: joining.concat(list(xs), 0), "hstack": lambda xs: joining.concat(list(xs), 1),
    "log2": lambda x: apply("log", x) * (1 / math.log(2)), "log10": lambda x: apply("log", x) * (1 / math.log(10)),
    "exp2": lambda x: apply("exp", x * math.log(2)), "erfc": lambda x: 1.0 - apply("erf", x), "fliplr": lambda x: slicing.flip(x, [1]),
    "flipud": lambda x: slicing.flip(x, [0]), **FURTHER,
    **COMPOSED, **CONVOLVING, **FREQUENCIES, "logaddexp": lambda a, b: apply("max", a, b) + apply("log1p", apply("exp", -abs(a - b))),
}  # fmt: skip


_WITHOUT_TENSOR = frozenset({
    "einsum", "concatenate", "concat", "stack", "vstack", "hstack", "arange", "linspace", "zeros", "ones", "full", "eye", "random_uniform",
    "random_normal", "select", "dstack", *PAIRED,
})  # fmt: skip
"""Functions whose first argument is a text, a list or pair of tensors, a shape or a number."""


@functools.cache
def functions() -> dict[str, Callable[..., Any]]:
    """Every function by name; activations of the catalogue among them."""
    from layerctl.catalogue import catalogue, snake_case

    table: dict[str, Callable[..., Any]] = {}
    for name in _OWN:
        assert name in FUNCTIONS
        table[name] = functools.partial(apply, name)
    for name, own in _NAMES.items():
        table[name] = functools.partial(apply, own)
    for name in catalogue("activations"):
        table.setdefault(snake_case(name), _of_tensor(_activation(name)))
    return {**table, **{n: f if n in _WITHOUT_TENSOR else _of_tensor(f) for n, f in _OTHERS.items()}}


def _of_tensor(function: Callable[..., Any]) -> Callable[..., Any]:
    """The function with a first argument that may be a number, or a list of numbers, too."""

    @functools.wraps(function)
    def wrapped(x: Any, *rest: Any, **named: Any) -> Any:
        return function(as_value(x), *rest, **named)

    return wrapped


def _activation(name: str) -> Callable[..., Value]:
    def function(x: Value, **arguments: Any) -> Value:
        from layerctl.catalogue import catalogue

        return catalogue("activations").get(name)(**arguments)(x)

    return function
