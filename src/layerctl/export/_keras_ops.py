"""Expressions as calls of keras.ops between layers."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
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
_declare("core", ("dtype",), "cast")
_declare("core", ("num", "axis"), "unstack")
_declare("numpy", ("axis",), "cumsum", "cumprod", "sort", "argsort", "take_along_axis", "count_nonzero")
_declare("numpy", ("subscripts",), "einsum")
_declare("numpy", ("indices_or_sections", "axis"), "split")
_declare("numpy", ("repeats",), "tile")
_declare("numpy", ("shift", "axis"), "roll")
_declare("numpy", ("k",), "tril", "triu")
_declare("numpy", ("n", "axis"), "diff")
_declare("numpy", ("pad_width", "mode"), "pad")
_declare("numpy", (), "logaddexp", "hstack", "vstack", "ravel", "outer", "log2", "log10", "exp2", "inner", "hypot", "deg2rad", "rad2deg", "full_like",
         "digitize")  # fmt: skip
_declare("numpy", _AXES, "median", "nansum", "nanmean", "ptp")
_declare("numpy", ("axis",), "average", "append")
_declare("numpy", ("offset", "axis1", "axis2"), "trace", "diagonal")
_declare("numpy", ("decimals",), "round")
_declare("numpy", ("indices_or_sections", "axis"), "array_split")
_declare("numpy", ("nan",), "nan_to_num")
_declare("nn", ("threshold",), "hard_shrink", "soft_shrink")
_declare("nn", ("threshold", "default_value"), "threshold")
_declare("nn", ("is_causal",), "dot_product_attention")
_declare("nn", ("axes", "keepdims"), "moments")
_OPS["identity"] = ("keras.src.ops.numpy", "Copy", ())
_declare("math", ("k",), "top_k")
_declare("nn", ("axis", "order", "epsilon"), "normalize")
_declare("nn", ("axis",), "sparsemax")
_declare("nn", ("b",), "squareplus")
_declare("linalg", ("ord", "axis", "keepdims"), "norm")
_declare("nn", ("pool_size", "strides", "padding"), "max_pool", "average_pool")
_declare("nn", ("block_size",), "depth_to_space", "space_to_depth")
_declare("image", ("size", "strides", "dilation_rate", "padding"), "extract_patches")
_declare("image", ("size", "interpolation"), "resize")
_declare("numpy", ("axes",), "tensordot")
_declare("nn", ("strides", "padding", "data_format", "dilation_rate"), "conv", "depthwise_conv", "separable_conv")
_declare("math", ("num_segments", "sorted"), "segment_sum", "segment_max", "segment_min", "segment_prod")
_OPS |= {n: ("keras.src.ops.math", n.upper(), ()) for n in ("fft", "fft2", "ifft2")}
_OPS |= {n: ("keras.src.ops.math", n.upper(), ("fft_length",)) for n in ("rfft", "irfft")}
_OPS["stft"] = ("keras.src.ops.math", "STFT", ("sequence_length", "sequence_stride", "fft_length", "window", "center"))
_OPERANDS = {"take": 2, "tensordot": 2, "take_along_axis": 2, "append": 2, "dot_product_attention": 3, "conv": 2, "depthwise_conv": 2,
             "separable_conv": 3, **dict.fromkeys(("segment_sum", "segment_max", "segment_min", "segment_prod"), 2)}
"""How many tensors stand before an op's other arguments, where it is not one."""
_RESULTS = ("split", "top_k", "unstack", "array_split", "moments", "fft", "fft2", "ifft2", "rfft", "stft")
"""Ops with several results."""
_OPS["concat"] = _OPS["concatenate"]
_DEFAULTS = {"gelu": {"approximate": False}, "concatenate": {"axis": 0}, "concat": {"axis": 0}, "take": {"axis": 0}, "repeat": {"axis": 0},
             "take_along_axis": {"axis": -1}, "roll": {"axis": 0}}
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
        return self.emit("keras.src.ops.numpy", "Copy", {}, [out]) if out["config"]["keras_history"][2] else out

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
        if isinstance(inner, _Several):
            return inner.result(self.value(tree.indices[0]) if len(tree.indices) == 1 else None)
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
        if function == "einsum":
            config, tensors = {"subscripts": args[0]}, args[1:]
        else:
            operands = _OPERANDS.get(function, 1) if names else len(args)
            tensors = args[:operands]
            config |= dict(zip(names, args[operands:], strict=False))
        config |= dict(keywords or {})
        tensors += [config.pop("indices")] if "indices" in config and function in _OPERANDS else []
        if any(k not in names for k in config):
            raise Wordless(f"'{function}' is called with {', '.join(k for k in config if k not in names)}")
        if any(_has_tensor(v) for v in config.values()):
            raise Wordless(f"'{function}' takes a tensor where Keras takes numbers")
        config = _pooling(config) if function in ("max_pool", "average_pool") else config
        out = self.emit(module, kind, config, [_constant(t) for t in tensors])
        return _Several(out) if function in _RESULTS else out


class _Several:
    """The results of an op that has more than one."""

    def __init__(self, first: dict[str, Any]):
        self.first = first

    def result(self, index: Any) -> dict[str, Any]:
        if type(index) is not int or index < 0:
            raise Wordless("one of several results is taken by its number, counted from 0")
        name, call, _ = self.first["config"]["keras_history"]
        return {**self.first, "config": {**self.first["config"], "keras_history": [name, call, index]}}


def _pooling(config: dict[str, Any]) -> dict[str, Any]:
    """A pooling op's arguments: a file holds no tuples for it, and Keras computes with lists in none of its places.

    Raises:
        Wordless: for sizes that differ.
    """
    out = dict(config)
    out["strides"] = out["pool_size"] if out.get("strides") is None else out["strides"]
    for key in ("pool_size", "strides"):
        sizes = out[key] if isinstance(out[key], list) else [out[key]]
        if len(set(sizes)) != 1:
            raise Wordless(f"{key} {sizes}: Keras's op takes one number for all dimensions in a file; use the layer MaxPooling or AveragePooling")
        out[key] = sizes[0]
    return out


def _constant(value: Any) -> Any:
    """A list of numbers as the array that Keras writes; anything else as it is."""
    if not isinstance(value, list) or not value or _has_tensor(value):
        return value
    numbers = list(_flat(value))
    if not all(isinstance(n, (int, float)) for n in numbers):
        return value
    whole = all(isinstance(n, int) for n in numbers)
    return {"class_name": "__numpy__", "config": {"value": value, "dtype": "int32" if whole else "float32"}}


def _flat(value: Any) -> Iterator[Any]:
    for v in value if isinstance(value, list) else [value]:
        yield from _flat(v) if isinstance(v, list) else [v]


def _has_tensor(value: Any) -> bool:
    return isinstance(value, dict) or (isinstance(value, list) and any(_has_tensor(v) for v in value))
