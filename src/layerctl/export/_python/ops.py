"""Each op as an expression of numpy."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from layerctl.ops.value import DTYPES, Node, Unknown, Value

ROWS = 1009
"""Rows of the trace: a prime that no layer has, so that a dimension that grows with the rows is a multiple of them, and no other is."""

_UFUNCS = {
    "neg": "negative", "abs": "abs", "sign": "sign", "exp": "exp", "expm1": "expm1", "log": "log", "log1p": "log1p", "sqrt": "sqrt",
    "sin": "sin", "cos": "cos", "tan": "tan", "asin": "arcsin", "acos": "arccos", "atan": "arctan", "sinh": "sinh", "cosh": "cosh",
    "asinh": "arcsinh", "acosh": "arccosh", "atanh": "arctanh", "tanh": "tanh", "floor": "floor", "ceil": "ceil", "round": "rint",
    "trunc": "trunc", "isnan": "isnan", "isinf": "isinf", "isfinite": "isfinite", "not": "logical_not", "pow": "power", "max": "maximum",
    "min": "minimum", "and": "logical_and", "or": "logical_or", "xor": "logical_xor", "atan2": "arctan2", "where": "where",
}  # fmt: skip
_INFIX = {"add": "+", "sub": "-", "mul": "*", "div": "/", "eq": "==", "ne": "!=", "lt": "<", "le": "<=", "gt": ">", "ge": ">="}
_OWN = {
    "identity": "{0}", "square": "{0} * {0}", "rsqrt": "1 / np.sqrt({0})", "reciprocal": "1 / {0}", "sigmoid": "sigmoid({0})",
    "softplus": "softplus({0})", "log_sigmoid": "-softplus(-{0})", "erf": "erf({0})", "erf_inv": "erf_inv({0})",
    "relu": "np.where({0} <= 0, {0}.dtype.type(0), {0})", "fma": "{0} * {1} + {2}",
}  # fmt: skip


class Converter:
    """The lines of the model's function, the names of values, and the arrays that it reads by name."""

    def __init__(self, weights: dict[str, np.ndarray]):
        self.lines: list[str] = []
        self.arrays: dict[str, np.ndarray] = {}
        self._weights = weights
        self._names: dict[int, str] = {}

    def name(self, v: Value) -> str:
        """The expression that stands for a value."""
        if id(v) not in self._names and v.node.op.name == "constant":
            self._leaf(v.node)
        return self._names[id(v)]

    def node(self, node: Node) -> None:
        """An op's line.

        Raises:
            KeyError: if it has no form.
        """
        if node.op.name in ("input", "parameter", "constant"):
            self._leaf(node)
            return
        text = RULES[node.op.name](self, node)
        names = [f"v{node.id}" + (f"_{i}" if len(node.outputs) > 1 else "") for i in range(len(node.outputs))]
        self._names.update((id(v), n) for v, n in zip(node.outputs, names, strict=True))
        used = names[: UNNAMED.get(node.op.name, len(names))]
        self.lines.append(f"{', '.join(used)}{',' if len(names) > 1 and len(used) == 1 and node.op.name == 'unstack' else ''} = {text}")

    def _leaf(self, node: Node) -> None:
        v, kind = node.outputs[0], node.op.name
        if kind == "input":
            text = f"x[{node.attrs['label']!r}]"
        elif kind == "constant" and v.shape == ():
            text = f"np.{DTYPES[v.dtype].replace('bool', 'bool_')}({_number(node.attrs['array'].item())})"
        else:
            path = node.attrs["weight"].path if kind == "parameter" else f"constant {node.id}"
            self.arrays[path] = self._weights[path] if kind == "parameter" else np.asarray(node.attrs["array"])
            text = f"w[{path!r}]"
        self._names[id(v)] = text


def _number(value: Any) -> str:
    if value - value == 0:
        return repr(value)
    return "np.nan" if value != value else "np.inf" if value > 0 else "-np.inf"


def dims(shape: Sequence[int]) -> str:
    """A shape; dimensions that grow with the rows are written so."""
    parts = [_dim(d) for d in shape]
    return f"({', '.join(parts)}{',' if len(parts) == 1 else ''})"


def _dim(d: int) -> str:
    if not _grows(d):
        return str(int(d))
    return "n" if int(d) == ROWS else f"n * {int(d) // ROWS}"


def _grows(d: int) -> bool:
    """Whether a dimension grows with the rows."""
    return isinstance(d, Unknown) and int(d) > 0 and int(d) % ROWS == 0


Rule = Callable[[Converter, Node], str]
RULES: dict[str, Rule] = {}
UNNAMED = {"attention": 1, "lstm": 2, "gru": 1, "gru_reset_before": 1}
"""Ops of which some results serve the gradient alone."""


def form(name: str) -> Callable[[Rule], Rule]:
    """Declares the form of an op."""

    def declare(rule: Rule) -> Rule:
        RULES[name] = rule
        return rule

    return declare


@form("elementwise")
def _elementwise(c: Converter, node: Node) -> str:
    fn, args, first, y = node.attrs["fn"], [c.name(v) for v in node.inputs], node.inputs[0], node.outputs[0]
    floating = first.dtype in ("f32", "f64")
    if fn == "cast":
        target = DTYPES[node.attrs["dtype"]]
        text = f"to_whole({args[0]}, np.{target})" if floating and target.startswith("int") else f"np.asarray({args[0]}).astype({target!r})"
    elif fn in ("floordiv", "mod"):
        whole = f"whole_division({', '.join(args)})[{int(fn == 'mod')}]"
        text = f"np.{'floor_divide' if fn == 'floordiv' else 'mod'}({', '.join(args)})" if floating else whole
    elif fn in _INFIX:
        text = f"{args[0]} {_INFIX[fn]} {args[1]}"
    elif fn in _UFUNCS and (floating or fn not in ("floor", "ceil", "round", "trunc")):
        text = f"np.{_UFUNCS[fn]}({', '.join(args)})"
    else:
        text = _OWN.get(fn, "{0}").format(*args)
    if tuple(map(int, y.shape)) != tuple(np.broadcast_shapes(*(tuple(map(int, v.shape)) for v in node.inputs))):
        text = f"np.broadcast_to({text}, {dims(y.shape)})"
    return text


@form("reduce")
def _reduce(c: Converter, node: Node) -> str:
    a = node.attrs
    return f"reduced({a['fn']!r}, {c.name(node.inputs[0])}, {tuple(a['axes'])}, {a['keepdims']}, {DTYPES[a['dtype']]!r})"


@form("matmul")
def _matmul(c: Converter, node: Node) -> str:
    turned = (node.attrs["ta"], node.attrs["tb"])
    return " @ ".join(f"{c.name(v)}.swapaxes(-1, -2)" if t else c.name(v) for v, t in zip(node.inputs, turned, strict=True))


@form("reshape")
def _reshape(c: Converter, node: Node) -> str:
    return f"np.reshape({c.name(node.inputs[0])}, {dims(node.outputs[0].shape)})"


@form("stop_gradient")
def _same(c: Converter, node: Node) -> str:
    return c.name(node.inputs[0])


@form("transpose")
def _transpose(c: Converter, node: Node) -> str:
    return f"np.transpose({c.name(node.inputs[0])}, {tuple(node.attrs['axes'])})"


@form("slice")
def _slice(c: Converter, node: Node) -> str:
    (x,), a = node.inputs, node.attrs
    parts = []
    for n, start, size, step in zip(x.shape, a["starts"], a["sizes"], a["steps"], strict=True):
        whole = int(size) == int(n)
        if whole and abs(step) == 1:
            parts.append(":" if step == 1 else "::-1")
            continue
        if _grows(n):
            raise KeyError("a part of an open dimension")
        stop = int(start) + int(size) * step
        parts.append(f"{int(start)}:{stop if stop >= 0 else ''}{f':{step}' if step != 1 else ''}")
    return f"{c.name(x)}[{', '.join(parts)}]" if parts else c.name(x)


@form("embed")
def _embed(c: Converter, node: Node) -> str:
    a = node.attrs
    starts, steps = (tuple(map(int, a[k])) for k in ("starts", "steps"))
    return f"embedded({c.name(node.inputs[0])}, {dims(a['shape'])}, {starts}, {steps}, {_number(float(a['value']))})"


@form("concat")
def _concat(c: Converter, node: Node) -> str:
    return f"np.concatenate([{', '.join(c.name(v) for v in node.inputs)}], axis={node.attrs['axis']})"


@form("unstack")
def _unstack(c: Converter, node: Node) -> str:
    return c.name(node.inputs[0])


@form("gather")
def _gather(c: Converter, node: Node) -> str:
    return f"rows_of({c.name(node.inputs[0])}, {c.name(node.inputs[1])})"


@form("select")
def _select(c: Converter, node: Node) -> str:
    return f"selected({c.name(node.inputs[0])}, {c.name(node.inputs[1])})"


@form("put")
def _put(c: Converter, node: Node) -> str:
    return f"one_hot({c.name(node.inputs[0])}, {c.name(node.inputs[1])}, {int(node.attrs['width'])})"


@form("softmax")
def _softmax(c: Converter, node: Node) -> str:
    return f"softmax({c.name(node.inputs[0])}, {bool(node.attrs['logarithm'])})"


def _window(node: Node) -> str:
    a = node.attrs
    pads = tuple((int(p), int(q)) for p, q in a["pads"])
    return f"{tuple(map(int, a['strides']))}, {tuple(map(int, a['dilation']))}, {pads}, {a['groups']}"


def _fixed(shape: Sequence[int]) -> tuple[int, ...]:
    if any(map(_grows, shape)):
        raise KeyError("an open dimension")
    return tuple(map(int, shape))


@form("conv")
def _conv(c: Converter, node: Node) -> str:
    return f"conv({c.name(node.inputs[0])}, {c.name(node.inputs[1])}, {_window(node)}, {_fixed(node.outputs[0].shape[1:-1])})"


@form("conv_input_gradient")
def _conv_transpose(c: Converter, node: Node) -> str:
    return f"conv_transposed({c.name(node.inputs[0])}, {c.name(node.inputs[1])}, {_window(node)}, {_fixed(node.outputs[0].shape[1:])})"


@form("pool")
def _pool(c: Converter, node: Node) -> str:
    a, out = node.attrs, _fixed(node.outputs[0].shape[1:-1])
    pads = tuple((int(p), int(q)) for p, q in a["pads"])
    return f"pool({c.name(node.inputs[0])}, {a['kind']!r}, {tuple(map(int, a['size']))}, {tuple(map(int, a['strides']))}, {pads}, {out})"


@form("argsort")
def _argsort(c: Converter, node: Node) -> str:
    return f"sorted_places({c.name(node.inputs[0])}, {bool(node.attrs['descending'])})"


@form("take_along")
def _take_along(c: Converter, node: Node) -> str:
    return f"along({c.name(node.inputs[0])}, {c.name(node.inputs[1])})"


@form("cumulative_sum")
def _cumulative_sum(c: Converter, node: Node) -> str:
    x = c.name(node.inputs[0])
    back = "[..., ::-1]" if node.attrs["reverse"] else ""
    return f"np.cumsum({x}{back}, axis=-1, dtype={x}.dtype){back}"


@form("cumulative_product")
def _cumulative_product(c: Converter, node: Node) -> str:
    x = c.name(node.inputs[0])
    return f"np.cumprod({x}, axis=-1, dtype={x}.dtype)"


@form("resample")
def _resample(c: Converter, node: Node) -> str:
    path = f"matrix {node.id}"
    c.arrays[path] = np.asarray(node.attrs["matrix"], np.float32)
    return f"resampled({c.name(node.inputs[0])}, w[{path!r}], {node.attrs['axis']})"


@form("bins")
def _bins(c: Converter, node: Node) -> str:
    return f"np.searchsorted({c.name(node.inputs[1])}, {c.name(node.inputs[0])}, side='right').astype(np.int32)"


@form("tally")
def _tally(c: Converter, node: Node) -> str:
    return f"tallied({c.name(node.inputs[0])}, {c.name(node.inputs[1])}, {int(node.attrs['width'])})"


@form("lookup")
def _lookup(c: Converter, node: Node) -> str:
    return f"looked_up({', '.join(c.name(v) for v in node.inputs)}, {int(node.attrs['missing'])})"


def _called(name: str) -> Rule:
    """The function of this name, with the op's inputs."""
    return lambda c, node: f"{name}({', '.join(c.name(v) for v in node.inputs)})"


for _op, _name in (("lstm", "lstm"), ("gru", "gru"), ("gru_reset_before", "gru_before"), ("simple_rnn", "simple_rnn"),
                   ("attention", "attention")):  # fmt: skip
    form(_op)(_called(_name))
