"""The functions of expressions on tensors, by the names of keras.ops."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from layerctl.ops import concat as joining
from layerctl.ops import gather, reduce, reshape, select, slicing, transpose
from layerctl.ops.elementwise import apply, as_value, broadcast_to, cast
from layerctl.ops.functions import FUNCTIONS
from layerctl.ops.matmul import matmul
from layerctl.ops.softmax import softmax
from layerctl.ops.stop import stop_gradient
from layerctl.ops.value import NUMBERS, ShapeError, Value

_NAMES = {
    "maximum": "max", "minimum": "min", "equal": "eq", "not_equal": "ne", "less": "lt", "less_equal": "le", "greater": "gt",
    "greater_equal": "ge", "logical_and": "and", "logical_or": "or", "logical_xor": "xor", "logical_not": "not", "add": "add",
    "subtract": "sub", "multiply": "mul", "divide": "div", "true_divide": "div", "power": "pow", "mod": "mod", "floor_divide": "floordiv",
    "negative": "neg", "absolute": "abs", "arcsin": "asin", "arccos": "acos", "arctan": "atan", "arctan2": "atan2", "arcsinh": "asinh",
    "arccosh": "acosh", "arctanh": "atanh", "erfinv": "erf_inv",
}  # fmt: skip
_OWN = (
    "abs", "exp", "expm1", "log", "log1p", "sqrt", "rsqrt", "reciprocal", "square", "sin", "cos", "tan", "sinh", "cosh", "tanh", "sign",
    "floor", "ceil", "round", "trunc", "erf", "isnan", "isinf", "isfinite", "where", "sigmoid", "softplus", "relu",
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


def _pad(x: Value, pad_width: Any, constant_values: float = 0.0) -> Value:
    return slicing.pad(x, [tuple(p) for p in pad_width], constant_values)


_OTHERS: dict[str, Callable[..., Any]] = {
    "sum": _reduction("sum"), "prod": _reduction("prod"), "mean": _mean, "var": reduce.variance, "std": _std, "any": _reduction("any"),
    "all": _reduction("all"), "max": _extreme("max", "max"), "min": _extreme("min", "min"), "amax": _reduction("max"), "amin": _reduction("min"),
    "argmax": _argument("argmax"), "argmin": _argument("argmin"), "norm": _norm, "logsumexp": _logsumexp, "matmul": matmul, "dot": _dot,
    "reshape": lambda x, newshape: reshape.reshape(x, tuple(newshape)), "transpose": lambda x, axes=None: transpose.transpose(x, axes),
    "swapaxes": transpose.swap_axes, "moveaxis": transpose.move_axis, "expand_dims": reshape.expand_dims, "squeeze": reshape.squeeze,
    "concatenate": lambda xs, axis=0: joining.concat(list(xs), axis), "concat": lambda xs, axis=0: joining.concat(list(xs), axis),
    "stack": lambda xs, axis=0: joining.stack(list(xs), axis), "softmax": lambda x, axis=-1: softmax(x, axis),
    "log_softmax": lambda x, axis=-1: softmax(x, axis, logarithm=True), "one_hot": _one_hot,
    "take": lambda x, indices, axis=0: gather.take(x, as_value(indices, "i32"), axis), "clip": _clip, "cast": _cast, "shape": _shape,
    "zeros_like": _full_like(0.0), "ones_like": _full_like(1.0), "broadcast_to": lambda x, shape: broadcast_to(x, tuple(shape)),
    "flip": _flip, "repeat": _repeat, "stop_gradient": stop_gradient, "pad": _pad, "random_uniform": _random("uniform"),
    "random_normal": _random("normal"), "identity": lambda x: x,
}  # fmt: skip


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
        table.setdefault(snake_case(name), _activation(name))
    return {**table, **_OTHERS}


def _activation(name: str) -> Callable[..., Value]:
    def function(x: Value, **arguments: Any) -> Value:
        from layerctl.catalogue import catalogue

        return catalogue("activations").get(name)(**arguments)(x)

    return function
