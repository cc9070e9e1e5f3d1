"""The elementwise functions: their names, operands, result dtypes, and what they compute, in numpy.

The twins are the definition: `kernels/math.py` emits the same functions as machine code, and its tests compare the two.
They take and give arrays (f32, f64, i32, i64, bool), keep the dtype of their operands, and pass NaN, infinities and the
edges of a domain without warnings.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Function:
    """One function over elements.

    `result` is the rule of the result's dtype: `same` (that of the operands; of the last two for `where`), `bool`, or
    `declared` (by whoever applies it: `cast`). `integers` says whether i32 and i64 operands are taken as they are.
    """

    name: str
    arity: int
    compute: Callable[..., Any]
    doc: str
    result: str = "same"
    integers: bool = False

    def twin(self, *args: Any, dtype: Any = None) -> Any:
        """The function over numpy arrays; `dtype` is the target of a `cast`."""
        import numpy as np

        arrays = [np.asarray(a) for a in args]
        wanted = dtype if self.result == "declared" else np.bool_ if self.result == "bool" else arrays[-1].dtype
        with np.errstate(all="ignore"):
            return np.asarray(self.compute(np, *arrays)).astype(wanted)


FUNCTIONS: dict[str, Function] = {}


def _add(
    name: str, arity: int, compute: Callable[..., Any], doc: str, result: str = "same", integers: bool = False
) -> None:
    FUNCTIONS[name] = Function(name, arity, compute, doc, result, integers)


def _ufunc(name: str) -> Callable[..., Any]:
    return lambda np, *args: getattr(np, name)(*args)


def _sigmoid(np: Any, x: Any) -> Any:
    e = np.exp(-np.abs(x))
    return np.where(x >= 0, x.dtype.type(1), e) / (1 + e)


def _erf(np: Any, x: Any) -> Any:
    import math

    return np.array([math.erf(v) for v in np.ravel(x).tolist()], np.float64).reshape(np.shape(x))


@functools.cache
def _erf_inv_of(y: float) -> float:
    """Newton's method on erfc, which keeps its precision in the tail, from Winitzki's approximation (2008)."""
    import math

    if not -1 < y < 1:
        return math.copysign(math.inf, y) if abs(y) == 1 else math.nan
    a, s = abs(y), 1 - abs(y)
    if a < 1e-8:
        return y * math.sqrt(math.pi) / 2
    u = math.log(s * (1 + a))
    v = 2 / (math.pi * 0.147) + u / 2
    x = math.sqrt(math.sqrt(v * v - u / 0.147) - v)
    for _ in range(4):
        residual = math.erfc(x) - s if a > 0.5 else a - math.erf(x)
        step = residual * math.sqrt(math.pi) / 2 * math.exp(x * x)
        x += step / (1 - step * x)
    return math.copysign(x, y)


def _erf_inv(np: Any, y: Any) -> Any:
    return np.array([_erf_inv_of(v) for v in np.ravel(y).tolist()], np.float64).reshape(np.shape(y))


# moving values; int operands are taken by all of these
_add("identity", 1, lambda np, x: x, "x", integers=True)
_add("cast", 1, lambda np, x: x, "x in another dtype; a float becomes an integer towards zero", "declared", True)
_add("where", 3, lambda np, c, a, b: np.where(c, a, b), "a where c is true, else b", integers=True)

# arithmetic
_add("neg", 1, _ufunc("negative"), "-x", integers=True)
_add("abs", 1, _ufunc("abs"), "the absolute value", integers=True)
_add("sign", 1, _ufunc("sign"), "-1, 0 or 1", integers=True)
_add("square", 1, lambda np, x: x * x, "x * x", integers=True)
_add("relu", 1, lambda np, x: np.where(x <= 0, 0, x), "x where it is positive, else 0; NaN stays", integers=True)
_add("add", 2, _ufunc("add"), "a + b", integers=True)
_add("sub", 2, _ufunc("subtract"), "a - b", integers=True)
_add("mul", 2, _ufunc("multiply"), "a * b", integers=True)
_add("div", 2, _ufunc("divide"), "a / b")
_add("mod", 2, _ufunc("mod"), "a - floor(a / b) * b, with the sign of b; 0 for integers where b is 0", integers=True)
_add("floordiv", 2, _ufunc("floor_divide"), "a / b rounded down; 0 for integers where b is 0", integers=True)
_add("max", 2, _ufunc("maximum"), "the larger; NaN if either is", integers=True)
_add("min", 2, _ufunc("minimum"), "the smaller; NaN if either is", integers=True)
_add("pow", 2, _ufunc("power"), "a to the b; for integers b >= 0", integers=True)
_add("fma", 3, lambda np, a, b, c: a.astype(np.longdouble) * b + c if a.dtype.kind == "f" else a * b + c,
     "a * b + c, rounded once", integers=True)
_add("sqrt", 1, _ufunc("sqrt"), "the square root; NaN below 0")
_add("rsqrt", 1, lambda np, x: 1 / np.sqrt(x), "1 / sqrt(x)")
_add("reciprocal", 1, lambda np, x: 1 / x, "1 / x")

# rounding; integers are already round
_add("floor", 1, _ufunc("floor"), "the largest integer not above x", integers=True)
_add("ceil", 1, _ufunc("ceil"), "the least integer not below x", integers=True)
_add("round", 1, lambda np, x: np.rint(x) if x.dtype.kind == "f" else x, "the nearest integer, the even one of two",
     integers=True)
_add("trunc", 1, _ufunc("trunc"), "x without its fraction", integers=True)

# exponential and logarithm
_add("exp", 1, _ufunc("exp"), "e to the x")
_add("expm1", 1, _ufunc("expm1"), "exp(x) - 1, precise near 0")
_add("log", 1, _ufunc("log"), "the natural logarithm; -inf at 0, NaN below")
_add("log1p", 1, _ufunc("log1p"), "log(1 + x), precise near 0")
_add("sigmoid", 1, _sigmoid, "1 / (1 + exp(-x))")
_add("softplus", 1, lambda np, x: np.logaddexp(x.dtype.type(0), x), "log(1 + exp(x))")
_add("log_sigmoid", 1, lambda np, x: -np.logaddexp(x.dtype.type(0), -x), "log(sigmoid(x))")
_add("erf", 1, _erf, "the error function")
_add("erf_inv", 1, _erf_inv, "its inverse; infinite at -1 and 1, NaN beyond")

# trigonometric and hyperbolic
for _name, _of, _doc in (
    ("sin", "sin", "sine"), ("cos", "cos", "cosine"), ("tan", "tan", "tangent"), ("asin", "arcsin", "inverse sine"),
    ("acos", "arccos", "inverse cosine"), ("atan", "arctan", "inverse tangent"), ("sinh", "sinh", "hyperbolic sine"),
    ("cosh", "cosh", "hyperbolic cosine"), ("tanh", "tanh", "hyperbolic tangent"),
    ("asinh", "arcsinh", "inverse hyperbolic sine"), ("acosh", "arccosh", "inverse hyperbolic cosine"),
    ("atanh", "arctanh", "inverse hyperbolic tangent"),
):  # fmt: skip
    _add(_name, 1, _ufunc(_of), f"the {_doc}")
_add("atan2", 2, _ufunc("arctan2"), "the angle of the point (b, a)")

# comparison and logic
for _name, _of, _doc in (
    ("eq", "equal", "a == b"), ("ne", "not_equal", "a != b"), ("lt", "less", "a < b"), ("le", "less_equal", "a <= b"),
    ("gt", "greater", "a > b"), ("ge", "greater_equal", "a >= b"), ("and", "logical_and", "both are true"),
    ("or", "logical_or", "one is true"), ("xor", "logical_xor", "exactly one is true"),
):  # fmt: skip
    _add(_name, 2, _ufunc(_of), _doc, "bool", True)
_add("not", 1, _ufunc("logical_not"), "x is false", "bool", True)
_add("isnan", 1, _ufunc("isnan"), "x is NaN", "bool", True)
_add("isinf", 1, _ufunc("isinf"), "x is infinite", "bool", True)
_add("isfinite", 1, _ufunc("isfinite"), "x is neither NaN nor infinite", "bool", True)
