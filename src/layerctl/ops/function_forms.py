"""The elementwise functions in numpy and in ONNX."""

from __future__ import annotations

import math
import statistics
from typing import Any

import numpy as np

from layerctl.ops.numpy_lines import copied
from layerctl.ops.onnx_graph import OnnxGraph
from layerctl.ops.types import DTYPES
from layerctl.ops.value import NoForm, Value

_FLOATS = ("f32", "f64")

_UFUNCS = {
    "neg": "negative", "abs": "abs", "sign": "sign", "exp": "exp", "expm1": "expm1", "log": "log", "log1p": "log1p", "sqrt": "sqrt",
    "sin": "sin", "cos": "cos", "tan": "tan", "asin": "arcsin", "acos": "arccos", "atan": "arctan", "sinh": "sinh", "cosh": "cosh",
    "asinh": "arcsinh", "acosh": "arccosh", "atanh": "arctanh", "tanh": "tanh", "floor": "floor", "ceil": "ceil", "round": "rint",
    "trunc": "trunc", "isnan": "isnan", "isinf": "isinf", "isfinite": "isfinite", "not": "logical_not", "pow": "power", "max": "maximum",
    "min": "minimum", "and": "logical_and", "or": "logical_or", "xor": "logical_xor", "atan2": "arctan2", "where": "where",
}  # fmt: skip
_INFIX = {"add": "+", "sub": "-", "mul": "*", "div": "/", "eq": "==", "ne": "!=", "lt": "<", "le": "<=", "gt": ">", "ge": ">="}
_OWN = {
    "identity": "{0}", "square": "{0} * {0}", "rsqrt": "1 / np.sqrt({0})", "reciprocal": "1 / {0}", "sigmoid": "np_sigmoid({0})",
    "softplus": "np_softplus({0})", "log_sigmoid": "-np_softplus(-{0})", "erf": "np_erf({0})", "erf_inv": "np_erf_inv({0})",
    "relu": "np.where({0} <= 0, {0}.dtype.type(0), {0})", "fma": "{0} * {1} + {2}",
}  # fmt: skip


def numpy_form(fn: str, args: list[str], operand: str, result: str) -> str:
    """A function of expressions, of which the first has the dtype `operand`; `result` is what a cast makes."""
    floating = operand in _FLOATS
    if fn == "cast":
        target = DTYPES[result]
        return f"np_to_whole({args[0]}, np.{target})" if floating and target.startswith("int") else f"np.asarray({args[0]}).astype({target!r})"
    if fn in ("floordiv", "mod"):
        whole = f"np_whole_division({', '.join(args)})[{int(fn == 'mod')}]"
        return f"np.{'floor_divide' if fn == 'floordiv' else 'mod'}({', '.join(args)})" if floating else whole
    if fn in _INFIX:
        return f"{args[0]} {_INFIX[fn]} {args[1]}"
    if fn in ("floor", "ceil", "round", "trunc") and not floating:
        return args[0]
    return f"np.{_UFUNCS[fn]}({', '.join(args)})" if fn in _UFUNCS else _OWN[fn].format(*args)


@copied
def np_sigmoid(x):
    """1 / (1 + exp(-x))."""
    e = np.exp(-np.abs(x))
    return np.where(x >= 0, x.dtype.type(1), e) / (1 + e)


@copied
def np_softplus(x):
    """log(1 + exp(x))."""
    return np.logaddexp(x.dtype.type(0), x)


@copied
def np_erf(x):
    """The error function, in double precision."""
    return np.array([math.erf(v) for v in x.ravel().tolist()]).reshape(x.shape).astype(x.dtype)


@copied
def np_erf_inv(x):
    """The inverse of the error function: infinite at -1 and 1, NaN beyond."""

    def one(v):
        if not -1 < v < 1:
            return math.copysign(math.inf, v) if abs(v) == 1 else math.nan
        return statistics.NormalDist().inv_cdf((v + 1) / 2) / math.sqrt(2) if abs(v) > 1e-6 else v * math.sqrt(math.pi) / 2

    return np.array([one(v) for v in x.ravel().tolist()]).reshape(x.shape).astype(x.dtype)


@copied
def np_whole_division(a, b):
    """(a // b, a mod b) of whole numbers; both 0 where b is 0."""
    safe = np.where(b == 0, 1, b)
    return np.where(b == 0, 0, a // safe).astype(a.dtype), np.where(b == 0, 0, a % safe).astype(a.dtype)


@copied
def np_to_whole(x, dtype):
    """Floats as whole numbers towards zero; NaN is 0, and what does not fit the nearest that does."""
    info = np.iinfo(dtype)
    y = np.trunc(np.nan_to_num(np.asarray(x, np.float64), nan=0.0, posinf=float(info.max), neginf=float(info.min)))
    return np.where(y >= info.max, info.max, np.where(y <= info.min, info.min, y)).astype(dtype)


_OPERATORS = {
    "neg": "Neg", "abs": "Abs", "sign": "Sign", "exp": "Exp", "log": "Log", "sqrt": "Sqrt", "reciprocal": "Reciprocal", "sin": "Sin", "cos": "Cos",
    "tan": "Tan", "asin": "Asin", "acos": "Acos", "atan": "Atan", "sinh": "Sinh", "cosh": "Cosh", "asinh": "Asinh", "acosh": "Acosh",
    "atanh": "Atanh", "tanh": "Tanh", "sigmoid": "Sigmoid", "softplus": "Softplus", "erf": "Erf", "floor": "Floor", "ceil": "Ceil",
    "round": "Round", "relu": "Relu", "isnan": "IsNaN", "isinf": "IsInf", "not": "Not", "add": "Add", "sub": "Sub", "mul": "Mul", "div": "Div",
    "pow": "Pow", "max": "Max", "min": "Min", "eq": "Equal", "lt": "Less", "le": "LessOrEqual", "gt": "Greater", "ge": "GreaterOrEqual",
    "and": "And", "or": "Or", "xor": "Xor", "where": "Where", "identity": "Identity",
}  # fmt: skip


def onnx_form(c: OnnxGraph, fn: str, x: list[str], like: Value, result: str) -> str:
    """The name of a function of named values, of which the first is `like`; `result` is what a cast makes.

    Raises:
        NoForm: if ONNX has none.
    """
    if fn in _OPERATORS:
        return c.add(_OPERATORS[fn], x)
    if fn == "cast":
        return c.add("Cast", x, to=c.dtype(result))
    if fn not in _COMPOSED:
        raise NoForm(f"ONNX has no function '{fn}'")
    return _COMPOSED[fn](c, x, like)


def _floordiv(c: OnnxGraph, x: list[str], like: Value) -> str:
    if like.dtype in _FLOATS:
        return c.add("Floor", [c.add("Div", x)])
    return c.add("Div", [c.add("Sub", [x[0], c.add("Mod", x)]), x[1]])  # ONNX divides integers towards zero


def _mod(c: OnnxGraph, x: list[str], like: Value) -> str:
    if like.dtype not in _FLOATS:
        return c.add("Mod", x)
    return c.add("Sub", [x[0], c.add("Mul", [c.add("Floor", [c.add("Div", x)]), x[1]])])


def _atan2(c: OnnxGraph, x: list[str], like: Value) -> str:
    angle = c.add("Atan", [c.add("Div", x)])
    pi, zero = c.scalar(np.pi, like), c.scalar(0, like)
    turned = c.add("Where", [c.add("Less", [x[0], zero]), c.add("Sub", [angle, pi]), c.add("Add", [angle, pi])])
    return c.add("Where", [c.add("Less", [x[1], zero]), turned, angle])


_COMPOSED: dict[str, Any] = {
    "ne": lambda c, x, like: c.add("Not", [c.add("Equal", x)]),
    "square": lambda c, x, like: c.add("Mul", [x[0], x[0]]),
    "rsqrt": lambda c, x, like: c.add("Reciprocal", [c.add("Sqrt", x)]),
    "expm1": lambda c, x, like: c.add("Sub", [c.add("Exp", x), c.scalar(1, like)]),
    "log1p": lambda c, x, like: c.add("Log", [c.add("Add", [x[0], c.scalar(1, like)])]),
    "log_sigmoid": lambda c, x, like: c.add("Neg", [c.add("Softplus", [c.add("Neg", x)])]),
    "fma": lambda c, x, like: c.add("Add", [c.add("Mul", x[:2]), x[2]]),
    "floordiv": _floordiv,
    "mod": _mod,
    "trunc": lambda c, x, like: c.add("Mul", [c.add("Sign", x), c.add("Floor", [c.add("Abs", x)])]),
    "isfinite": lambda c, x, like: c.add("Not", [c.add("Or", [c.add("IsNaN", x), c.add("IsInf", x)])]),
    "atan2": _atan2,
}
