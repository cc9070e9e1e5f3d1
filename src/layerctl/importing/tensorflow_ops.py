"""TensorFlow's functions between the layers of a Keras 2 model (TFOpLambda, SlicingOpLambda) as calls of keras.ops.

Keras 2 writes a function by TensorFlow's name for it, its first argument as what the layer takes and the others by their names.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from layerctl.importing.expressions import Inexpressible
from layerctl.importing.nodes import Call, Inner, Tensor, tensors

CLASSES = ("TFOpLambda", "SlicingOpLambda")
SHAPES = ("Shape",)
"""Ops whose result is no tensor here but sizes, which stand in the expressions that use them."""
_HINT = "compute it with keras.ops or a layer before saving, or before the model"


@dataclass(frozen=True)
class _Function:
    """An op of Keras's: its class, TensorFlow's names of its further arguments in order, and those that are passed by other names."""

    kind: str
    ordered: tuple[str, ...] = ()
    named: Mapping[str, str] | None = None


_FUNCTIONS: dict[str, _Function] = {}


def _declare(kind: str, names: str, ordered: Sequence[str] = (), **named: str) -> None:
    for name in names.split():
        _FUNCTIONS[name] = _Function(kind, tuple(ordered), {v: k for k, v in named.items()})


for _kind, _names in {
    "Add": "__operators__.add math.add", "Subtract": "math.subtract __operators__.sub", "Multiply": "math.multiply __operators__.mul",
    "TrueDivide": "math.truediv math.divide __operators__.truediv realdiv",
    "FloorDivide": "math.floordiv floor_div", "Mod": "math.floormod math.mod", "Power": "math.pow",
    "Maximum": "math.maximum", "Minimum": "math.minimum", "Equal": "math.equal __operators__.eq", "NotEqual": "math.not_equal __operators__.ne",
    "Less": "math.less", "LessEqual": "math.less_equal", "Greater": "math.greater", "GreaterEqual": "math.greater_equal",
    "LogicalAnd": "math.logical_and", "LogicalOr": "math.logical_or", "LogicalXor": "math.logical_xor", "DivideNoNan": "math.divide_no_nan",
    "Arctan2": "math.atan2", "SquaredDifference": "math.squared_difference",
}.items():  # fmt: skip
    _declare(_kind, _names, ("y",))
for _kind, _names in {
    "Exp": "math.exp", "Log": "math.log", "Sqrt": "math.sqrt", "Rsqrt": "math.rsqrt", "Square": "math.square", "Abs": "math.abs",
    "Negative": "math.negative", "Sigmoid": "math.sigmoid nn.sigmoid", "Tanh": "math.tanh nn.tanh", "Sin": "math.sin", "Cos": "math.cos", "Tan": "math.tan",
    "Sinh": "math.sinh", "Cosh": "math.cosh", "Arcsin": "math.asin", "Arccos": "math.acos", "Arctan": "math.atan", "Arcsinh": "math.asinh",
    "Arccosh": "math.acosh", "Arctanh": "math.atanh", "Sign": "math.sign", "Floor": "math.floor", "Ceil": "math.ceil", "Round": "math.round",
    "Reciprocal": "math.reciprocal", "Erf": "math.erf", "Log1p": "math.log1p", "Expm1": "math.expm1", "Isnan": "math.is_nan", "Isinf": "math.is_inf",
    "Isfinite": "math.is_finite", "LogicalNot": "math.logical_not", "LogSigmoid": "math.log_sigmoid", "Relu": "nn.relu", "Relu6": "nn.relu6",
    "Elu": "nn.elu", "Selu": "nn.selu", "Softplus": "math.softplus nn.softplus", "Softsign": "nn.softsign math.softsign", "Silu": "nn.silu nn.swish",
    "ZerosLike": "zeros_like", "OnesLike": "ones_like", "StopGradient": "stop_gradient",
    "Identity": "identity convert_to_tensor", "Shape": "shape", "GetItem": "__operators__.getitem",
}.items():  # fmt: skip
    _declare(_kind, _names)
for _kind, _names in {
    "Sum": "math.reduce_sum", "Mean": "math.reduce_mean", "Max": "math.reduce_max", "Min": "math.reduce_min", "Prod": "math.reduce_prod",
    "Std": "math.reduce_std", "Var": "math.reduce_variance", "Any": "math.reduce_any", "All": "math.reduce_all", "Logsumexp": "math.reduce_logsumexp",
}.items():  # fmt: skip
    _declare(_kind, _names, axis="axis", keepdims="keepdims")
_declare("Norm", "norm linalg.norm", ord="ord", axis="axis", keepdims="keepdims")
_declare("Concatenate", "concat keras.backend.concatenate", axis="axis")
_declare("Stack", "stack", axis="axis")
_declare("Unstack", "unstack", num="num", axis="axis")
_declare("Split", "split", ("num_or_size_splits",), axis="axis")
_declare("Matmul", "linalg.matmul matmul", ("b",), transpose_a="transpose_a", transpose_b="transpose_b")
_declare("Reshape", "reshape", ("shape",))
_declare("Transpose", "transpose", ("perm",))
_declare("ExpandDims", "expand_dims", ("axis",))
_declare("Squeeze", "squeeze", axis="axis")
_declare("Flip", "reverse", ("axis",))
_declare("Tile", "tile", ("multiples",))
_declare("Repeat", "repeat", ("repeats",), axis="axis")
_declare("BroadcastTo", "broadcast_to", ("shape",))
_declare("Take", "gather", ("indices",), axis="axis")
_declare("Where", "where", ("x", "y"))
_declare("Clip", "clip_by_value", ("clip_value_min", "clip_value_max"))
_declare("Cast", "cast", ("dtype",))
_declare("OneHot", "one_hot", ("depth",))
_declare("Pad", "pad", ("paddings",), constant_values="constant_values")
_declare("Argmax", "math.argmax argmax", axis="axis")
_declare("Argmin", "math.argmin argmin", axis="axis")
_declare("Cumsum", "math.cumsum", axis="axis")
_declare("Cumprod", "math.cumprod", axis="axis")
_declare("TopK", "math.top_k", ("k",))
_declare("Softmax", "nn.softmax", axis="axis")
_declare("LogSoftmax", "nn.log_softmax", axis="axis")
_declare("LeakyRelu", "nn.leaky_relu", negative_slope="alpha")
_declare("Gelu", "nn.gelu", approximate="approximate")
_declare("Normalize", "math.l2_normalize linalg.l2_normalize", axis="axis", epsilon="epsilon")
_declare("Resize", "image.resize", ("size",), interpolation="method")
_declare("DepthToSpace", "nn.depth_to_space", ("block_size",))
_declare("SpaceToDepth", "nn.space_to_depth", ("block_size",))
_DEFAULTS = {
    "Concatenate": {"axis": 0}, "Gelu": {"approximate": False}, "LeakyRelu": {"negative_slope": 0.2}, "Normalize": {"epsilon": 1e-12},
    "Argmax": {"axis": 0}, "Argmin": {"axis": 0}, "Cumsum": {"axis": 0}, "Cumprod": {"axis": 0},
}  # fmt: skip
"""What TensorFlow takes where a call does not say, where Keras's op takes something else."""
_NOTHING: dict[str, tuple[Any, ...]] = {
    "conjugate": (False,), "output_type": ("int64", "int32"), "out_type": ("int32",), "optimize": (True,), "batch_dims": (0,), "exclusive": (False,),
    "reverse": (False,),
    "mode": ("CONSTANT",), "antialias": (False,), "preserve_aspect_ratio": (False,), "sorted": (True,), "ord": ("euclidean",), "beta": (1.0,),
    "adjoint_a": (False,), "adjoint_b": (False,), "a_is_sparse": (False,), "b_is_sparse": (False,), "on_value": (1.0,), "off_value": (0.0,),
    "data_format": ("NHWC",), "index_type": ("int32",),
}  # fmt: skip
"""Values that change nothing of arguments that keras.ops do not have."""


def translated(name: str, call: Call) -> tuple[str, Call]:
    """(the op's class, its call) of a function by TensorFlow's name for it.

    Raises:
        Inexpressible: for a function, or an argument of it, that keras.ops do not have.
    """
    function = _FUNCTIONS.get(name.removeprefix("compat.v1."))
    if function is None:
        raise Inexpressible(f"calls TensorFlow's function 'tf.{name[:60]}', which has no form here", _HINT)
    given = {k: v for k, v in call.kwargs.items() if k != "name" and v is not None}
    if function.kind == "GetItem":
        return "GetItem", Call([*call.args, _slices(call.kwargs.get("slice_spec"))], older=True)
    args = list(call.args)
    for key in function.ordered:
        if key in given:
            args.append(given.pop(key))
    kwargs = dict(_DEFAULTS.get(function.kind, {}))
    for theirs, ours in (function.named or {}).items():
        if theirs in given and given[theirs] not in _NOTHING.get(theirs, ()):
            kwargs[ours] = given[theirs]
        given.pop(theirs, None)
    left = {k: v for k, v in given.items() if isinstance(v, Tensor) or v not in _NOTHING.get(k, ())}
    if left:
        key, value = next(iter(left.items()))
        raise Inexpressible(f"calls TensorFlow's function 'tf.{name}' with {key}={str(value)[:60]}, which has no form here", _HINT)
    return _as_keras_has_it(function.kind, args, kwargs)


def _as_keras_has_it(kind: str, args: list[Any], kwargs: dict[str, Any]) -> tuple[str, Call]:
    """What is said in another way: sizes of parts as places of cuts, a bound of a square as one of the number."""
    if kind == "Split" and len(args) > 1 and isinstance(args[1], list):
        if any(type(n) is not int or n < 0 for n in args[1]):
            raise Inexpressible("calls TensorFlow's function 'tf.split' with a size that is not known", _HINT)
        args[1] = list(itertools.accumulate(args[1][:-1]))
    if kind == "SquaredDifference":
        return "Square", Call([Inner("Subtract", {}, Call(args))], older=True)
    if kind == "Normalize":
        kwargs["epsilon"] = math.sqrt(float(kwargs["epsilon"]))
    if kind == "Where" and len(args) != 3:
        raise Inexpressible("calls TensorFlow's function 'tf.where' with a condition alone, whose result has no fixed size", _HINT)
    return kind, Call(args, kwargs, older=True)


def _slices(spec: Any) -> Any:
    """What stands in brackets: Keras 2 writes slices as mappings."""
    if isinstance(spec, list):
        return [_slices(s) for s in spec]
    if isinstance(spec, Mapping) and {"start", "stop", "step"} >= set(spec):
        return slice(spec.get("start"), spec.get("stop"), spec.get("step"))
    if isinstance(spec, Mapping) and spec.get("class_name") == "__ellipsis__":
        return Ellipsis
    return spec


def inlined(parts: list[Any]) -> list[Any]:
    """The parts without those whose results are sizes; who takes those has the computation in its place.

    `tf.reshape(x, [tf.shape(x)[0], -1])` becomes one expression, since a size is no tensor.
    """
    sizes: dict[Tensor, Inner] = {}
    kept = []
    for part in parts:
        if part.op and part.kind in ("GetItem", *SHAPES):
            made = {n: _with(call, sizes) for n, call in enumerate(part.calls)}
            if part.kind in SHAPES or any(isinstance(v, Inner) for c in made.values() for v in c.args[:1]):
                sizes |= {Tensor(part.name, n, 0): Inner(part.kind, part.config, c) for n, c in made.items()}
                continue
        kept.append(part)
    for part in kept if sizes else ():
        part.calls = [_with(call, sizes) for call in part.calls]
    return kept


def _with(call: Call, sizes: Mapping[Tensor, Inner]) -> Call:
    """A call with what computes a size in that size's place."""

    def put(value: Any) -> Any:
        if isinstance(value, Tensor):
            return sizes.get(value, value)
        return [put(v) for v in value] if isinstance(value, list) else value

    if not any(t in sizes for t in tensors(call)):
        return call
    return Call([put(a) for a in call.args], {k: put(v) for k, v in call.kwargs.items()}, call.has_masks, call.older)
