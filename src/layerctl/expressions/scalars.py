"""The functions of expressions on plain numbers, by the names of keras.ops."""

from __future__ import annotations

import builtins
import math
import operator
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from layerctl.diagnostics import Diagnostic, LayerctlError, did_you_mean
from layerctl.expressions.tree import Expression


def _where(condition: Any, then: Any, otherwise: Any) -> Any:
    return then if condition else otherwise


def _clip(x: float, x_min: float, x_max: float) -> float:
    return builtins.min(builtins.max(x, x_min), x_max)



def _sigmoid(x: float) -> float:
    return 1.0 / (1.0 + math.exp(-x)) if x >= 0 else math.exp(x) / (1.0 + math.exp(x))


SCALARS: dict[str, Callable[..., Any]] = {
    **{n: getattr(math, n) for n in ("exp", "expm1", "log", "log1p", "log2", "log10", "sqrt", "sin", "cos", "tan", "sinh", "cosh", "tanh")},
    **{n: getattr(math, n) for n in ("floor", "ceil", "trunc", "erf", "isnan", "isinf", "isfinite")},
    "abs": abs, "absolute": abs, "min": min, "max": max, "minimum": min, "maximum": max, "round": round, "int": int, "float": float,
    "where": _where, "clip": _clip, "power": math.pow, "mod": operator.mod, "sigmoid": _sigmoid,
    "square": lambda x: x * x, "negative": lambda x: -x, "sign": lambda x: (x > 0) - (x < 0), "rsqrt": lambda x: 1.0 / math.sqrt(x),
}  # fmt: skip
"""A closed list: nothing else can be called."""


def check_names(expression: Expression, names: Iterable[str], functions: Mapping[str, Any] = SCALARS) -> None:
    """Finds what an expression uses that there is not, without evaluating it.

    Raises:
        LayerctlError: `unknown-name` or `unknown-function`, with the nearest.
    """
    for used, known, code, what in (
        (expression.names(), list(names), "unknown-name", "name"),
        (expression.functions(), list(functions), "unknown-function", "function"),
    ):
        for name in used:
            if name not in known:
                cure = f"there are {', '.join(known)}"
                raise LayerctlError(Diagnostic(code, f"there is no {what} '{name}'{did_you_mean(name, known)}", expression.span, (), cure))
