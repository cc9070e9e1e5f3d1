"""Elementwise functions with numpy's broadcasting: one op for all of them.

What the functions compute stands in `functions.py`, how other languages write them in `function_forms.py`; here are their gradients, the
rules of dtypes and shapes, and the plan of a loop nest: the broadcast operands collapsed to as few strides as they allow.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from layerctl.ops.function_forms import numpy_form, onnx_form
from layerctl.ops.functions import FUNCTIONS
from layerctl.ops.kernel import Call, Loop
from layerctl.ops.leaves import constant, is_scalar_constant
from layerctl.ops.numpy_lines import NumpyLines, dims
from layerctl.ops.onnx_graph import OnnxGraph
from layerctl.ops.value import Node, Op, Shape, ShapeError, Type, Unknown, Value, product, shown

_ORDER = ("bool", "i32", "i64", "f32", "f64")
FLOATING = ("f32", "f64")


def broadcast(shapes: Sequence[Shape], what: str) -> Shape:
    """The common shape of operands, by numpy's rule.

    Raises:
        ShapeError: if two sizes of one dimension differ and neither is 1.
    """
    rank = max(map(len, shapes), default=0)
    out: list[int] = []
    for i in range(rank):
        sizes = [s[len(s) - rank + i] for s in shapes if len(s) - rank + i >= 0]
        wide = [d for d in sizes if d != 1]
        if any(int(d) != int(wide[0]) for d in wide):
            raise ShapeError(f"{what} cannot combine the shapes {' and '.join(map(shown, shapes))}")
        unknown = [d for d in (wide or sizes) if isinstance(d, Unknown)]
        out.append((unknown or wide or sizes)[0])
    return tuple(out)


def promote(dtypes: Sequence[str]) -> str:
    """The dtype that holds all: bool, i32, i64, f32, f64 in rising order (an i64 beside an f32 becomes f32, as in Keras)."""
    return max(dtypes, key=_ORDER.index)


def as_value(x: Any, like: str = "f32") -> Value:
    """A Python number or nested list as a constant; a number takes the dtype `like` where that can hold it."""
    if isinstance(x, Value):
        return x
    if isinstance(x, bool):
        return constant(x, "bool" if like == "bool" else like)
    if isinstance(x, int):
        return constant(x, "i32" if like == "bool" else like)
    if isinstance(x, float):
        return constant(x, like if like in FLOATING else "f32")
    if isinstance(x, (list, tuple)):
        flat = _flatten(x)
        if any(isinstance(v, Value) for v in flat):
            from layerctl.ops.concat import stack

            return stack([as_value(v, like) for v in x], axis=0)
        floating = like in FLOATING or any(isinstance(v, float) for v in flat)
        return constant(x, (like if like in FLOATING else "f32") if floating else "i32")
    raise ShapeError(f"expected a tensor or a number, got {type(x).__name__} {x!r}")


def _flatten(x: Any) -> list[Any]:
    return [v for item in x for v in _flatten(item)] if isinstance(x, (list, tuple)) else [x]


class Elementwise(Op):
    """One function of `functions.py` over broadcast operands; `dtype` is the result's, `shape` at least that of the operands."""

    name = "elementwise"

    def infer(self, *inputs: Value, fn: str, dtype: str, shape: Shape | None = None) -> Type:
        out = broadcast([v.shape for v in inputs], fn)
        return Type(out if shape is None else shape, dtype)

    def gradient(self, node: Node, *grads: Value | None) -> Sequence[Value | None]:
        (g,) = grads
        rule = GRADIENTS.get(node.attrs["fn"])
        if g is None or rule is None:
            return [None] * len(node.inputs)
        out = rule(g, node.outputs[0], *node.inputs)
        return [
            None if d is None or v.dtype not in FLOATING else sum_to(d, v.shape)
            for d, v in zip(out, node.inputs, strict=True)
        ]

    def calls(self, node: Node) -> list[Call]:
        fn, dtype = node.attrs["fn"], node.attrs["dtype"]
        inputs = [v for v in node.inputs if not is_scalar_constant(v)]
        places = {id(v): i for i, v in enumerate(inputs)}
        args = tuple(
            ("const", v.dtype, v.node.attrs["array"].item()) if is_scalar_constant(v) else places[id(v)]
            for v in node.inputs
        )
        return [plan_loop(inputs, ((fn, dtype, args),), (len(inputs),), node.outputs)]

    def numpy(self, c: NumpyLines, node: Node) -> str:
        y = node.outputs[0]
        text = numpy_form(node.attrs["fn"], [c.name(v) for v in node.inputs], node.inputs[0].dtype, y.dtype)
        return text if _as_wide(node) else f"np.broadcast_to({text}, {dims(y.shape)})"

    def onnx(self, c: OnnxGraph, node: Node) -> None:
        x, first, y = [c.name(v) for v in node.inputs], node.inputs[0], node.outputs[0]
        out = onnx_form(c, node.attrs["fn"], x, first, y.dtype)
        c.done(node, out if _as_wide(node) else c.add("Expand", [out, c.shape(y.shape, x[0], first.shape, follows=False)]))


def _as_wide(node: Node) -> bool:
    """Whether a result is as large as its operands make it, and not repeated to a larger shape."""
    return tuple(map(int, node.outputs[0].shape)) == tuple(map(int, broadcast([v.shape for v in node.inputs], node.attrs["fn"])))


COST = {
    "exp": 0.4,
    "log": 0.5,
    "tanh": 0.6,
    "sigmoid": 0.5,
    "pow": 1.2,
    "erf": 0.6,
    "sin": 0.6,
    "cos": 0.6,
    "div": 0.12,
    "sqrt": 0.12,
}


def plan_loop(inputs: Sequence[Value], instructions: tuple, outputs: tuple[int, ...], results: Sequence[Value]) -> Call:
    """The call of a Loop: dimensions of size 1 dropped, neighbours merged where every operand's strides allow it."""
    shape = results[0].shape
    strides = [broadcast_strides(v.shape, shape) for v in inputs] + [broadcast_strides(shape, shape)] * len(results)
    sizes, strides = collapse(tuple(map(int, shape)), strides)
    inner_size, outer = sizes[-1], sizes[:-1]
    inner = [s[-1] for s in strides]
    loop = Loop(
        tuple((v.dtype, 0 if inner[i] == 0 else 1) for i, v in enumerate(inputs)), instructions, outputs, len(outer)
    )
    args: list[Any] = [*outer, inner_size]
    for value, stride in zip([*inputs, *results], strides, strict=True):
        args += [value, *stride[:-1]]
    elements = product(sizes)
    work = elements * (0.05 * (len(inputs) + len(results)) + sum(COST.get(i[0], 0.04) for i in instructions))
    along = tuple(v for v, s in zip(inputs, strides, strict=False) if s[0] > 0 and s[0] * sizes[0] == product(v.shape))
    return Call(loop, args, tasks=sizes[0], work=work, parts=sizes[0], along=along)


def broadcast_strides(shape: Shape, out: Shape) -> tuple[int, ...]:
    """The strides, in elements, of an operand of `shape` that is broadcast to `out`; 0 along what is repeated."""
    steps, step = [0] * len(out), 1
    for i in range(1, len(shape) + 1):
        size = int(shape[-i])
        steps[-i] = step if size != 1 else 0
        step *= size
    return tuple(steps)


def collapse(sizes: Shape, strides: list[tuple[int, ...]]) -> tuple[Shape, list[tuple[int, ...]]]:
    """Drops dimensions of size 1 and merges neighbours that every operand walks as one; at least one dimension is left."""
    kept: list[int] = []
    columns: list[list[int]] = []
    for d, size in enumerate(sizes):
        if size == 1:
            continue
        column = [s[d] for s in strides]
        if kept and all(before == now * size for before, now in zip(columns[-1], column, strict=True)):
            kept[-1] *= size
            columns[-1] = column
        else:
            kept.append(size)
            columns.append(column)
    if not kept:
        return (1,), [(0,) if i < len(strides) else (1,) for i in range(len(strides))]
    return tuple(kept), [tuple(c[i] for c in columns) for i in range(len(strides))]


def apply(name: str, *args: Any) -> Value:
    """Applies a function by its name; numbers become constants of the tensors' dtype.

    Raises:
        ShapeError: for operands that do not broadcast or a dtype the function does not take.
    """
    function = FUNCTIONS[name]
    if len(args) != function.arity:
        raise ShapeError(f"{name} takes {function.arity} operands, got {len(args)}")
    known = [a.dtype for a in args if isinstance(a, Value)]
    if name == "where":
        known = [a.dtype for a in args[1:] if isinstance(a, Value)] or ["f32"]
        values = [as_value(args[0], "bool"), *(as_value(a, promote(known)) for a in args[1:])]
        values[0] = cast(values[0], "bool")
        dtype = promote([v.dtype for v in values[1:]])
        values[1:] = [cast(v, dtype) for v in values[1:]]
        return _simplified(name, dtype, values)
    like = promote(known) if known else "f32"
    values = [as_value(a, like) for a in args]
    dtype = promote([v.dtype for v in values])
    if function.result == "bool" and name in ("and", "or", "xor", "not"):
        dtype = "bool"
    elif name in _FLOAT_ONLY and dtype not in FLOATING:
        dtype = "f32"
    elif dtype == "bool" and function.result != "bool":
        dtype = "i32"
    values = [cast(v, dtype) for v in values]
    return _simplified(name, "bool" if function.result == "bool" else dtype, values)


_FLOAT_ONLY = {
    "exp", "expm1", "log", "log1p", "sqrt", "rsqrt", "reciprocal", "sin", "cos", "tan", "asin", "acos", "atan", "sinh", "cosh",
    "asinh", "acosh", "atanh", "tanh", "sigmoid", "softplus", "log_sigmoid", "erf", "erf_inv", "div", "atan2",
}  # fmt: skip


def _simplified(name: str, dtype: str, values: list[Value]) -> Value:
    """Known numbers are computed here; x + 0, x * 1, x / 1 and x ** 1 are x; x ** 2 is square."""
    if all(is_scalar_constant(v) for v in values):
        known = [v.node.attrs["array"] for v in values]
        return constant(
            FUNCTIONS[name].twin(*known, dtype=dtype) if name == "cast" else FUNCTIONS[name].twin(*known), dtype
        )
    if len(values) == 2 and is_scalar_constant(values[1]):
        number = values[1].node.attrs["array"].item()
        if (name in ("add", "sub") and number == 0) or (name in ("mul", "div", "pow") and number == 1):
            return values[0]
        if name == "pow" and number == 2:
            return Elementwise.apply(values[0], fn="square", dtype=dtype)
        if name == "pow" and number == 0.5:
            return Elementwise.apply(values[0], fn="sqrt", dtype=dtype)
    if len(values) == 2 and is_scalar_constant(values[0]):
        number = values[0].node.attrs["array"].item()
        if (name == "add" and number == 0) or (name == "mul" and number == 1):
            return values[1]
    return Elementwise.apply(*values, fn=name, dtype=dtype)


def cast(x: Value, dtype: str) -> Value:
    """The value in another dtype; a float becomes an integer towards zero."""
    if x.dtype == dtype:
        return x
    if is_scalar_constant(x):
        return constant(x.node.attrs["array"].item(), dtype)
    if dtype == "bool":
        return Elementwise.apply(x, constant(0, x.dtype), fn="ne", dtype="bool")
    return Elementwise.apply(x, fn="cast", dtype=dtype)


def floating(*values: Value) -> list[Value]:
    """The values in the floating dtype that holds them all: whole numbers become f32."""
    dtype = promote([v.dtype for v in values])
    return [cast(v, dtype if dtype in FLOATING else "f32") for v in values]


def broadcast_to(x: Value, shape: Shape) -> Value:
    """x repeated to a shape by numpy's rule."""
    if x.shape == shape:
        return x
    if tuple(map(int, broadcast([x.shape, shape], "broadcast_to"))) != tuple(map(int, shape)):
        raise ShapeError(f"broadcast_to cannot make {shown(shape)} of {shown(x.shape)}")
    return Elementwise.apply(x, fn="identity", dtype=x.dtype, shape=tuple(shape))


def sum_to(x: Value, shape: Shape) -> Value:
    """The gradient of a broadcast: x summed over the dimensions along which `shape` was repeated."""
    from layerctl.ops.reduce import reduce
    from layerctl.ops.reshape import reshape

    if tuple(map(int, x.shape)) == tuple(map(int, shape)):
        return x
    if product(x.shape) < product(shape):
        return broadcast_to(x, shape)
    extra = x.rank - len(shape)
    axes = [i for i in range(x.rank) if i < extra or (int(shape[i - extra]) == 1 and int(x.shape[i]) != 1)]
    return reshape(reduce("sum", x, tuple(axes), keepdims=True), shape) if axes else reshape(x, shape)


def _f(name: str, *args: Any) -> Value:
    return apply(name, *args)


def _half_where_equal(g: Value, y: Value, a: Value, b: Value) -> tuple[Value, Value]:
    """Maximum's and minimum's rule: all to the operand that won, half each on a tie."""
    tie = _f("eq", a, b)
    share = _f("where", tie, 0.5, cast(_f("eq", a, y), g.dtype))
    return g * share, g * (1.0 - share)


GRADIENTS: dict[str, Callable[..., tuple[Value | None, ...]]] = {
    "identity": lambda g, y, x: (g,),
    "cast": lambda g, y, x: (cast(g, x.dtype) if x.dtype in FLOATING and g.dtype in FLOATING else None,),
    "neg": lambda g, y, x: (-g,),
    "abs": lambda g, y, x: (g * _f("sign", x),),
    "exp": lambda g, y, x: (g * y,),
    "expm1": lambda g, y, x: (g * (y + 1.0),),
    "log": lambda g, y, x: (g / x,),
    "log1p": lambda g, y, x: (g / (x + 1.0),),
    "sqrt": lambda g, y, x: (g * 0.5 / y,),
    "rsqrt": lambda g, y, x: (g * -0.5 * y / x,),
    "reciprocal": lambda g, y, x: (-(g * y * y),),
    "square": lambda g, y, x: (g * (x * 2.0),),
    "sin": lambda g, y, x: (g * _f("cos", x),),
    "cos": lambda g, y, x: (-(g * _f("sin", x)),),
    "tan": lambda g, y, x: (g * (1.0 + y * y),),
    "asin": lambda g, y, x: (g * _f("rsqrt", 1.0 - x * x),),
    "acos": lambda g, y, x: (-(g * _f("rsqrt", 1.0 - x * x)),),
    "atan": lambda g, y, x: (g / (1.0 + x * x),),
    "sinh": lambda g, y, x: (g * _f("cosh", x),),
    "cosh": lambda g, y, x: (g * _f("sinh", x),),
    "asinh": lambda g, y, x: (g * _f("rsqrt", x * x + 1.0),),
    "acosh": lambda g, y, x: (g * _f("rsqrt", (x - 1.0) * (x + 1.0)),),
    "atanh": lambda g, y, x: (g / (1.0 - x * x),),
    "tanh": lambda g, y, x: (g * (1.0 - y * y),),
    "sigmoid": lambda g, y, x: (g * (y * (1.0 - y)),),
    "softplus": lambda g, y, x: (g * _f("sigmoid", x),),
    "log_sigmoid": lambda g, y, x: (g * _f("sigmoid", -x),),
    "erf": lambda g, y, x: (g * (1.1283791670955126 * _f("exp", -(x * x))),),
    "erf_inv": lambda g, y, x: (g * (0.886226925452758 * _f("exp", y * y)),),
    "relu": lambda g, y, x: (_f("where", y > 0.0, g, 0.0),),
    "add": lambda g, y, a, b: (g, g),
    "sub": lambda g, y, a, b: (g, -g),
    "mul": lambda g, y, a, b: (g * b, g * a),
    "div": lambda g, y, a, b: (g / b, -(g * y / b)),
    "pow": lambda g, y, a, b: (
        _f("where", _f("eq", b, 0.0), 0.0, g * b * _f("pow", a, _f("where", _f("eq", b, 0.0), 1.0, b - 1.0))),
        g * y * _f("log", _f("where", a > 0.0, a, 1.0)),
    ),
    "mod": lambda g, y, a, b: (g, -(g * _f("floor", a / b))),
    "max": _half_where_equal,
    "min": _half_where_equal,
    "atan2": lambda g, y, a, b: (g * b / (a * a + b * b), -(g * a / (a * a + b * b))),
    "where": lambda g, y, c, a, b: (None, _f("where", c, g, 0.0), _f("where", c, 0.0, g)),
    "fma": lambda g, y, a, b, c: (g * b, g * a, g),
}
STEPS = ("sign", "floor", "ceil", "round", "trunc", "floordiv")


def _check_gradients() -> None:
    for name, function in FUNCTIONS.items():
        if function.result != "bool" and name not in GRADIENTS and name not in STEPS:
            raise TypeError(f"elementwise function {name} has no gradient and is not among the step functions")


_check_gradients()
