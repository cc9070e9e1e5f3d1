"""Expressions as calls of keras.ops between layers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from layerctl.expressions.tree import (
    Binary,
    Call,
    Compare,
    Constant,
    Expression,
    Items,
    Name,
    Number,
    Slice,
    Subscript,
    Text,
    Tree,
    Unary,
)  # fmt: skip

_AXES = ("axis", "keepdims")
_OPS: dict[str, tuple[str, str, tuple[str, ...]]] = {}
"""Function → (module, class, arguments of its constructor)."""


def _declare(module: str, arguments: tuple[str, ...], *names: str) -> None:
    for name in names:
        _OPS[name] = (f"keras.src.ops.{module}", "".join(p[:1].upper() + p[1:] for p in name.split("_")), arguments)


_declare("numpy", (), "absolute", "abs", "add", "subtract", "multiply", "divide", "true_divide", "floor_divide", "mod", "power", "negative", "square",
         "sqrt", "exp", "expm1", "log", "log1p", "sin", "cos", "tan", "sinh", "cosh", "tanh", "arcsin", "arccos", "arctan", "arctan2", "arcsinh",
         "arccosh", "arctanh", "sign", "floor", "ceil", "round", "trunc", "reciprocal", "equal", "not_equal", "less", "less_equal", "greater",
         "greater_equal", "logical_and", "logical_or", "logical_xor", "logical_not", "maximum", "minimum", "where", "matmul", "dot", "isnan", "isinf",
         "isfinite", "zeros_like", "ones_like")  # fmt: skip
_declare("numpy", _AXES, "sum", "mean", "max", "min", "prod", "var", "std", "any", "all", "amax", "amin", "argmax", "argmin")
_declare("numpy", ("axis",), "concatenate", "stack", "expand_dims", "squeeze", "flip", "take")
_declare("numpy", ("newshape",), "reshape")
_declare("numpy", ("axes",), "transpose")
_declare("numpy", ("shape",), "broadcast_to")
_declare("numpy", ("axis1", "axis2"), "swapaxes")
_declare("numpy", ("source", "destination"), "moveaxis")
_declare("numpy", ("repeats", "axis"), "repeat")
_declare("numpy", ("x_min", "x_max"), "clip")
_declare("nn", (), "relu", "relu6", "sigmoid", "softplus", "softsign", "silu", "log_sigmoid", "hard_sigmoid", "hard_silu", "selu", "hard_tanh",
         "tanh_shrink", "sparse_plus", "sparse_sigmoid")  # fmt: skip
_declare("nn", ("axis",), "softmax", "log_softmax", "glu")
_declare("nn", ("alpha",), "elu", "celu")
_declare("nn", ("approximate",), "gelu")
_declare("nn", ("negative_slope",), "leaky_relu")
_declare("nn", ("num_classes", "axis"), "one_hot")
_declare("math", (), "rsqrt", "erf", "erfinv")
_declare("math", _AXES, "logsumexp")
_declare("core", (), "stop_gradient")
_OPS["concat"] = _OPS["concatenate"]
_DEFAULTS = {"gelu": {"approximate": False}, "concatenate": {"axis": 0}, "concat": {"axis": 0}, "take": {"axis": 0}, "repeat": {"axis": 0}}
"""Defaults of the functions here that the ops' constructors do not share."""
_INFIX = {"+": "add", "-": "subtract", "*": "multiply", "/": "true_divide", "//": "floor_divide", "%": "mod", "**": "power", "@": "matmul"}
_COMPARE = {"==": "equal", "!=": "not_equal", "<": "less", "<=": "less_equal", ">": "greater", ">=": "greater_equal"}


class Wordless(ValueError):
    """A part of an expression that keras.ops have no call for here."""


class Emitter:
    """Turns an expression into ops; `emit(module, class, config, args)` adds one and gives its tensor."""

    def __init__(self, emit: Callable[[str, str, dict[str, Any], list[Any]], Any], tensors: Mapping[str, Any], arguments: Mapping[str, Any]):
        self.emit, self.tensors, self.arguments = emit, tensors, arguments

    def run(self, expression: Expression) -> Any:
        """The expression's tensor.

        Raises:
            Wordless: with the reason.
        """
        out = self.value(expression.root)
        if expression.text.strip() in self.tensors:
            return self.emit("keras.src.ops.numpy", "Copy", {}, [out])
        if not isinstance(out, dict):
            raise Wordless(f"'{expression.text}' is no tensor")
        return out

    def value(self, tree: Tree) -> Any:
        """A tensor, or plain data."""
        if isinstance(tree, (Number, Constant, Text)):
            return tree.value
        if isinstance(tree, Name):
            return self._name(tree.name)
        if isinstance(tree, Items):
            return [self.value(i) for i in tree.items]
        if isinstance(tree, Unary) and tree.operator in ("-", "+"):
            inner = self.value(tree.operand)
            if not isinstance(inner, dict):
                return -inner if tree.operator == "-" else inner
            return self._op("negative", [inner]) if tree.operator == "-" else inner
        if isinstance(tree, Binary):
            return self._op(_INFIX[tree.operator], [self.value(tree.left), self.value(tree.right)])
        if isinstance(tree, Compare) and len(tree.operators) == 1:
            return self._op(_COMPARE[tree.operators[0]], [self.value(o) for o in tree.operands])
        if isinstance(tree, Subscript):
            return self._part(tree)
        if isinstance(tree, Call):
            return self._op(tree.function, [self.value(a) for a in tree.arguments], {k: self.value(v) for k, v in tree.keywords})
        raise Wordless(f"a {type(tree).__name__.lower()} has no op")

    def _name(self, name: str) -> Any:
        if name in self.tensors:
            return self.tensors[name]
        if name in self.arguments:
            return self.arguments[name]
        raise Wordless(f"'{name}' is no tensor")

    def _part(self, tree: Subscript) -> Any:
        inner = self.value(tree.value)
        if isinstance(inner, list):
            index = self.value(tree.indices[0])
            if len(tree.indices) != 1 or type(index) is not int or not -len(inner) <= index < len(inner):
                raise Wordless("a list is taken apart by one number")
            return inner[index]
        parts = [self._index(i) for i in tree.indices]
        return self.emit("keras.src.ops.numpy", "GetItem", {}, [inner, parts if tree.several or len(parts) > 1 else parts[0]])

    def _index(self, tree: Tree) -> Any:
        if isinstance(tree, Slice):
            bounds = {k: self.value(v) if (v := getattr(tree, k)) is not None else None for k in ("start", "stop", "step")}
            return {"class_name": "__slice__", "config": bounds}
        found = self.value(tree)
        if found is Ellipsis:
            return {"class_name": "__ellipsis__", "config": {}}
        if found is None or type(found) is int:
            return found
        raise Wordless("an index is a number, a slice, None or ...")

    def _op(self, function: str, args: list[Any], keywords: Mapping[str, Any] | None = None) -> Any:
        if not any(_has_tensor(a) for a in args):
            raise Wordless(f"'{function}' takes no tensor")
        if function not in _OPS:
            raise Wordless(f"'{function}' is none of the ops that are written")
        module, kind, names = _OPS[function]
        config = dict(_DEFAULTS.get(function, {}))
        tensors = [args[0]]
        rest = args[1:]
        if names and function != "take":
            config |= dict(zip(names, rest, strict=False))
        else:
            tensors += rest
        config |= dict(keywords or {})
        if any(k not in names for k in config):
            raise Wordless(f"'{function}' is called with {', '.join(k for k in config if k not in names)}")
        if any(_has_tensor(v) for v in config.values()):
            raise Wordless(f"'{function}' takes a tensor where Keras takes numbers")
        return self.emit(module, kind, config, tensors)


def _has_tensor(value: Any) -> bool:
    return isinstance(value, dict) or (isinstance(value, list) and any(_has_tensor(v) for v in value))
