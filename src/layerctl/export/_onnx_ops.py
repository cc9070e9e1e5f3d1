"""Each op as ONNX nodes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from layerctl.ops.value import DTYPES, Node, Unknown, Value

_UNARY = {
    "neg": "Neg", "abs": "Abs", "sign": "Sign", "exp": "Exp", "log": "Log", "sqrt": "Sqrt", "reciprocal": "Reciprocal", "sin": "Sin", "cos": "Cos",
    "tan": "Tan", "asin": "Asin", "acos": "Acos", "atan": "Atan", "sinh": "Sinh", "cosh": "Cosh", "asinh": "Asinh", "acosh": "Acosh",
    "atanh": "Atanh", "tanh": "Tanh", "sigmoid": "Sigmoid", "softplus": "Softplus", "erf": "Erf", "floor": "Floor", "ceil": "Ceil",
    "round": "Round", "relu": "Relu", "isnan": "IsNaN", "isinf": "IsInf", "not": "Not",
}  # fmt: skip
_BINARY = {
    "add": "Add", "sub": "Sub", "mul": "Mul", "div": "Div", "pow": "Pow", "max": "Max", "min": "Min", "eq": "Equal", "lt": "Less",
    "le": "LessOrEqual", "gt": "Greater", "ge": "GreaterOrEqual", "and": "And", "or": "Or", "xor": "Xor",
}  # fmt: skip


class Converter:
    """Collects nodes and initializers, and the names of values; `weights` are the model's by path."""

    def __init__(self, onnx: Any, opset: int, weights: Mapping[str, np.ndarray] | None = None):
        self.onnx, self.helper, self.opset, self.weights = onnx, onnx.helper, opset, weights or {}
        self.nodes: list[Any] = []
        self.initializers: list[Any] = []
        self._names: dict[int, str] = {}
        self._kept: list[Value] = []
        self._inputs: list[Value] = []
        self._count = 0

    def dtype(self, dtype: str) -> int:
        """ONNX's number for a dtype."""
        return self.helper.np_dtype_to_tensor_dtype(np.dtype(DTYPES[dtype]))

    def name(self, v: Value, wanted: str | None = None) -> str:
        """A value's name; `wanted` gives it one."""
        if wanted is not None:
            self._names[id(v)] = wanted
            self._kept.append(v)
            if v.node.op.name == "input":
                self._inputs.append(v)
        if id(v) not in self._names and v.node.op.name == "constant":
            self._names[id(v)] = self.constant(v.node.attrs["array"])
            self._kept.append(v)
        return self._names[id(v)]

    def fresh(self) -> str:
        """A name that nothing has."""
        self._count += 1
        return f"v{self._count}"

    def constant(self, array: Any, name: str | None = None) -> str:
        """An initializer."""
        name = name or self.fresh()
        self.initializers.append(self.onnx.numpy_helper.from_array(np.asarray(array), name))
        return name

    def add(self, op: str, inputs: Sequence[str], output: str | None = None, **attributes: Any) -> str:
        """A node; its output's name."""
        output = output or self.fresh()
        self.nodes.append(self.helper.make_node(op, list(inputs), [output], **attributes))
        return output

    def shape(self, shape: Sequence[int], x: str, x_shape: Sequence[int], follows: bool = True) -> str:
        """A shape as a tensor: open dimensions are taken from x where it has them, one more follows from the rest (where that `follows`),
        others are any value's.

        Raises:
            ValueError: if more than one open dimension is nowhere to be found.
        """
        places = [_open_at(x_shape, d) if isinstance(d, Unknown) else None for d in shape]
        free = [i for i, (d, at) in enumerate(zip(shape, places, strict=True)) if isinstance(d, Unknown) and at is None]
        parts = []
        for i, (d, at) in enumerate(zip(shape, places, strict=True)):
            if not isinstance(d, Unknown):
                parts.append(self.constant(np.array([int(d)], np.int64)))
            elif follows and at is None and i == free[-1]:
                parts.append(self.constant(np.array([-1], np.int64)))
            else:
                source, at = (x, at) if at is not None else self._elsewhere(d)
                parts.append(self.add("Gather", [self.add("Shape", [source]), self.constant(np.array([at], np.int64))], axis=0))
        return parts[0] if len(parts) == 1 else self.add("Concat", parts, axis=0) if parts else self.constant(np.zeros(0, np.int64))

    def _elsewhere(self, d: int) -> tuple[str, int]:
        """(a value's name, its dimension) with an open size."""
        for v in (*self._inputs, *self._kept):
            at = _open_at(v.shape, d)
            if at is not None:
                return self._names[id(v)], at
        raise ValueError("it has several open dimensions that no other value has: give the inputs' open dimensions sizes")

    def scalar(self, value: float, like: Value) -> str:
        """A number of a value's dtype."""
        return self.constant(np.array(value, DTYPES[like.dtype]))


def _open_at(shape: Sequence[int], d: int) -> int | None:
    """Which dimension of a shape is open and as large as d in the trace."""
    return next((i for i, e in enumerate(shape) if isinstance(e, Unknown) and int(e) == int(d)), None)


Rule = Callable[[Converter, Node], None]
CONVERTERS: dict[str, Rule] = {}


def converts(name: str) -> Callable[[Rule], Rule]:
    """Declares the form of an op."""

    def declare(rule: Rule) -> Rule:
        CONVERTERS[name] = rule
        return rule

    return declare


def done(c: Converter, node: Node, name: str) -> None:
    """Gives the node's result its name."""
    c.name(node.outputs[0], name)


@converts("constant")
def _constant(c: Converter, node: Node) -> None:
    c.name(node.outputs[0])


@converts("elementwise")
def _elementwise(c: Converter, node: Node) -> None:
    fn, x = node.attrs["fn"], [c.name(v) for v in node.inputs]
    first = node.inputs[0]
    out: str
    if fn in _UNARY:
        out = c.add(_UNARY[fn], x)
    elif fn in _BINARY:
        out = c.add(_BINARY[fn], x)
    elif fn == "ne":
        out = c.add("Not", [c.add("Equal", x)])
    elif fn == "cast":
        out = c.add("Cast", x, to=c.dtype(node.attrs["dtype"]))
    elif fn == "where":
        out = c.add("Where", x)
    elif fn == "square":
        out = c.add("Mul", [x[0], x[0]])
    elif fn == "rsqrt":
        out = c.add("Reciprocal", [c.add("Sqrt", x)])
    elif fn == "expm1":
        out = c.add("Sub", [c.add("Exp", x), c.scalar(1, first)])
    elif fn == "log1p":
        out = c.add("Log", [c.add("Add", [x[0], c.scalar(1, first)])])
    elif fn == "log_sigmoid":
        out = c.add("Neg", [c.add("Softplus", [c.add("Neg", x)])])
    elif fn == "fma":
        out = c.add("Add", [c.add("Mul", x[:2]), x[2]])
    elif fn == "floordiv":
        whole = first.dtype not in ("f32", "f64")  # ONNX divides integers towards zero
        out = c.add("Div", [c.add("Sub", [x[0], c.add("Mod", x)]), x[1]]) if whole else c.add("Floor", [c.add("Div", x)])
    elif fn == "mod":
        whole = c.add("Floor", [c.add("Div", x)]) if first.dtype in ("f32", "f64") else None
        out = c.add("Sub", [x[0], c.add("Mul", [whole, x[1]])]) if whole else c.add("Mod", x)
    elif fn == "trunc":
        out = c.add("Mul", [c.add("Sign", x), c.add("Floor", [c.add("Abs", x)])])
    elif fn == "isfinite":
        out = c.add("Not", [c.add("Or", [c.add("IsNaN", x), c.add("IsInf", x)])])
    elif fn == "atan2":
        out = _atan2(c, x, first)
    else:
        out = c.add("Identity", x)
    y = node.outputs[0]
    if tuple(map(int, y.shape)) != tuple(np.broadcast_shapes(*(tuple(map(int, v.shape)) for v in node.inputs))):
        out = c.add("Expand", [out, c.shape(y.shape, x[0], first.shape, follows=False)])
    done(c, node, out)


def _atan2(c: Converter, x: list[str], like: Value) -> str:
    angle = c.add("Atan", [c.add("Div", x)])
    pi, zero = c.scalar(np.pi, like), c.scalar(0, like)
    turned = c.add("Where", [c.add("Less", [x[0], zero]), c.add("Sub", [angle, pi]), c.add("Add", [angle, pi])])
    return c.add("Where", [c.add("Less", [x[1], zero]), turned, angle])


@converts("reduce")
def _reduce(c: Converter, node: Node) -> None:
    fn, axes, keep = node.attrs["fn"], node.attrs["axes"], int(node.attrs["keepdims"])
    x = c.name(node.inputs[0])
    if fn in ("argmax", "argmin"):
        out = c.add("Cast", [c.add(fn.replace("arg", "Arg").replace("max", "Max").replace("min", "Min"), [x], axis=axes[0], keepdims=keep)], to=c.dtype("i32"))
    elif fn in ("any", "all"):
        number = c.add("Cast", [x], to=c.dtype("i32"))
        made = c.add("ReduceMax" if fn == "any" else "ReduceMin", [number, c.constant(np.array(axes, np.int64))], keepdims=keep)
        out = c.add("Cast", [made], to=c.dtype("bool"))
    else:
        op = {"sum": "ReduceSum", "max": "ReduceMax", "min": "ReduceMin", "prod": "ReduceProd", "sumsq": "ReduceSumSquare", "sumabs": "ReduceL1"}[fn]
        out = c.add(op, [x, c.constant(np.array(axes, np.int64))], keepdims=keep)
        if node.attrs["dtype"] != node.inputs[0].dtype:
            out = c.add("Cast", [out], to=c.dtype(node.attrs["dtype"]))
    done(c, node, out)


@converts("matmul")
def _matmul(c: Converter, node: Node) -> None:
    names = []
    for v, turned in zip(node.inputs, (node.attrs["ta"], node.attrs["tb"]), strict=True):
        order = [*range(v.rank - 2), v.rank - 1, v.rank - 2]
        names.append(c.add("Transpose", [c.name(v)], perm=order) if turned else c.name(v))
    done(c, node, c.add("MatMul", names))


@converts("reshape")
def _reshape(c: Converter, node: Node) -> None:
    x, y = node.inputs[0], node.outputs[0]
    done(c, node, c.add("Reshape", [c.name(x), c.shape(y.shape, c.name(x), x.shape)]))


@converts("stop_gradient")
def _same(c: Converter, node: Node) -> None:
    done(c, node, c.add("Identity", [c.name(node.inputs[0])]))


@converts("transpose")
def _transpose(c: Converter, node: Node) -> None:
    done(c, node, c.add("Transpose", [c.name(node.inputs[0])], perm=list(node.attrs["axes"])))


@converts("slice")
def _slice(c: Converter, node: Node) -> None:
    (x,), a = node.inputs, node.attrs
    starts, ends, axes, steps = [], [], [], []
    for i, (n, start, size, step) in enumerate(zip(x.shape, a["starts"], a["sizes"], a["steps"], strict=True)):
        if start == 0 and int(size) == int(n) and step == 1:
            continue
        first, last = _bounds(n, start, size, step)
        starts.append(first), ends.append(last)
        axes.append(i)
        steps.append(step)
    tensors = [c.constant(np.array(v, np.int64)) for v in (starts, ends, axes, steps)]
    done(c, node, c.add("Slice", [c.name(x), *tensors]) if axes else c.add("Identity", [c.name(x)]))


def _bounds(n: int, start: int, size: int, step: int) -> tuple[int, int]:
    """A slice's start and end in a dimension of n; in an open dimension, what was counted from its end still is."""
    far = int(np.iinfo(np.int64).max)
    last = int(start) + int(size) * step
    if not isinstance(n, Unknown):
        return int(start), -far if last < 0 else last
    first = int(start) - int(n) if isinstance(start, Unknown) else int(start)
    if step < 0:
        if last >= 0 or int(start) != int(n) - 1:
            raise ValueError("a part of an open dimension that goes backwards has no form here")
        return -1, -far
    if not isinstance(size, Unknown):
        return first, first + int(size) * step if first >= 0 or first + int(size) * step < 0 else far
    if last < int(n) and step != 1:
        raise ValueError("steps of a part of an open dimension that ends before the dimension does have no form here")
    return first, far if last >= int(n) else last - int(n)


@converts("embed")
def _embed(c: Converter, node: Node) -> None:
    (x,), a = node.inputs, node.attrs
    y = c.name(x)
    if any(s != 1 for s in a["steps"]):
        raise ValueError("spread elements have no form in ONNX")
    after = [0 if isinstance(t, Unknown) else int(t) - s - int(n) for t, s, n in zip(a["shape"], a["starts"], x.shape, strict=True)]
    pads = c.constant(np.array([*a["starts"], *after], np.int64))
    done(c, node, c.add("Pad", [y, pads, c.scalar(a["value"], x)]))


@converts("concat")
def _concat(c: Converter, node: Node) -> None:
    done(c, node, c.add("Concat", [c.name(v) for v in node.inputs], axis=node.attrs["axis"]))


@converts("unstack")
def _unstack(c: Converter, node: Node) -> None:
    if isinstance(node.inputs[0].shape[0], Unknown):
        raise ValueError("its steps are written one by one, and their number is open: give the input's open dimension a size")
    x = c.name(node.inputs[0])
    for i, v in enumerate(node.outputs):
        c.name(v, c.add("Gather", [x, c.constant(np.array(i, np.int64))], axis=0))


@converts("gather")
def _gather(c: Converter, node: Node) -> None:
    done(c, node, c.add("Gather", [c.name(v) for v in node.inputs], axis=0))


@converts("select")
def _select(c: Converter, node: Node) -> None:
    x, ids = (c.name(v) for v in node.inputs)
    last = c.constant(np.array([-1], np.int64))
    wide = c.add("Unsqueeze", [c.add("Cast", [ids], to=c.dtype("i64")), last])
    done(c, node, c.add("Squeeze", [c.add("GatherElements", [x, wide], axis=-1), last]))


@converts("put")
def _put(c: Converter, node: Node) -> None:
    g, ids = (c.name(v) for v in node.inputs)
    last = c.constant(np.array([-1], np.int64))
    places = c.constant(np.arange(int(node.attrs["width"])))
    hit = c.add("Equal", [c.add("Unsqueeze", [c.add("Cast", [ids], to=c.dtype("i64")), last]), places])  # OneHot counts -1 from the end
    done(c, node, c.add("Mul", [c.add("Cast", [hit], to=c.dtype(node.inputs[0].dtype)), c.add("Unsqueeze", [g, last])]))


@converts("softmax")
def _softmax(c: Converter, node: Node) -> None:
    done(c, node, c.add("LogSoftmax" if node.attrs["logarithm"] else "Softmax", [c.name(node.inputs[0])], axis=-1))


def first(c: Converter, v: Value) -> str:
    """Channels first."""
    return c.add("Transpose", [c.name(v)], perm=[0, v.rank - 1, *range(1, v.rank - 1)])


def last(c: Converter, name: str, rank: int) -> str:
    """Channels last."""
    return c.add("Transpose", [name], perm=[0, *range(2, rank), 1])


@converts("conv")
def _conv(c: Converter, node: Node) -> None:
    (x, w), a = node.inputs, node.attrs
    kernel = c.add("Transpose", [c.name(w)], perm=[w.rank - 1, w.rank - 2, *range(w.rank - 2)])
    pads = [b for b, _ in a["pads"]] + [e for _, e in a["pads"]]
    made = c.add("Conv", [first(c, x), kernel], strides=list(a["strides"]), dilations=list(a["dilation"]), group=a["groups"], pads=pads)
    done(c, node, last(c, made, x.rank))


@converts("pool")
def _pool(c: Converter, node: Node) -> None:
    (x,), a = node.inputs, node.attrs
    pads = [b for b, _ in a["pads"]] + [e for _, e in a["pads"]]
    more = {"kernel_shape": list(a["size"]), "strides": list(a["strides"]), "pads": pads}
    if a["kind"] == "max":
        made = c.add("MaxPool", [first(c, x)], **more)
    else:
        made = c.add("AveragePool", [first(c, x)], count_include_pad=0, **more)
    done(c, node, last(c, made, x.rank))
