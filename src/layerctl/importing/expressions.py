"""Calls of keras.ops in a model (`x * 2`, `ops.mean(x, axis=1)`, `x[:, -1]`) as expressions."""

from __future__ import annotations

import math
import string
from collections.abc import Mapping
from typing import Any

from layerctl.catalogue import catalogue, snake_case
from layerctl.expressions.functions import functions
from layerctl.importing.nodes import Call, Inner, Tensor, tensors

_INFIX = {
    "Add": "+", "Subtract": "-", "Multiply": "*", "Divide": "/", "TrueDivide": "/", "FloorDivide": "//", "Mod": "%", "Power": "**", "Matmul": "@",
    "Equal": "==", "NotEqual": "!=", "Less": "<", "LessEqual": "<=", "Greater": ">", "GreaterEqual": ">=",
}  # fmt: skip
_NAMES = {
    "Absolute": "abs", "Concat": "concatenate", "Negative": "negative", "GetItem": "get_item", "LayerNorm": "layer_normalization",
    "ConvertToTensor": "identity", "Copy": "identity", "Conj": "identity", "Conjugate": "identity", "Real": "identity", "Fabs": "abs",
    "RMSNorm": "rms_normalization", "BatchNorm": "batch_normalization", "RGBToGrayscale": "rgb_to_grayscale",
}  # fmt: skip
_FLAT = ("Repeat", "Roll", "Take", "TakeAlongAxis", "Sort", "Argsort")
"""Ops whose axis None is all elements in a row; left out in an expression it is another axis."""
_IGNORED = {
    "dilation_rate": (1, [1, 1]), "antialias": (False,), "crop_to_aspect_ratio": (False,), "pad_to_aspect_ratio": (False,), "fill_mode": ("constant",),
    "fill_value": (0.0,), "synchronized": (False,), "mode": ("constant",), "decimals": (0,), "flash_attention": (None, False, True),
    "dtype": (None,), "sorted": (True,), "endpoint": (True,), "retstep": (False,), "rms_scaling": (False,),
    "data_format": (None, "channels_last"), "sparse": (False,), "ragged": (False,),
}  # fmt: skip
"""Arguments of ops that functions here do not have, with the values that change nothing."""
_ADDING = ("Sum", "Prod", "Cumsum", "Cumprod")
"""Ops that compute in the dtype that they are given, where others have it for their result."""


_SUBSCRIPTS = {*string.ascii_letters, ",", "-", ">", ".", " "}
SEVERAL = (
    "Split", "ArraySplit", "Hsplit", "Vsplit", "TopK", "Unstack", "Moments", "Meshgrid", "Slogdet", "Eigh", "Qr", "Svd", "FFT", "FFT2", "IFFT2", "RFFT", "STFT",
)  # fmt: skip
"""Ops with several results."""


MOST_WRITTEN = 4096
"""Elements of an array that are written out in an expression."""


class Inexpressible(ValueError):
    """A call that the expression language has no words for, and what to do instead."""

    def __init__(self, message: str, hint: str | None = None):
        super().__init__(message)
        self.hint = hint


def _function(kind: str) -> str:
    """The function here that an op's class is called by."""
    return _NAMES.get(kind, snake_case(kind))


_OTHERWISE = "compute it before the model, or of functions that `layerctl layers Lambda` names"


def is_op(saved: Mapping[str, Any]) -> bool:
    """Whether a serialised object is one of Keras's ops; without a module it is one if it lacks what all layers have."""
    module, config = saved.get("module"), saved.get("config")
    if isinstance(module, str):
        return module.startswith(("keras.src.ops", "keras.ops"))
    kind = str(saved.get("class_name"))
    is_layer, is_function = catalogue("layers").get(kind) is not None, kind in _INFIX or _function(kind) in functions()
    if is_layer and not is_function:
        return False  # a layer that was written by hand
    if is_function and not is_layer and isinstance(config, Mapping) and "trainable" not in config:
        return True
    return isinstance(config, Mapping) and kind != "InputLayer" and "name" in config and not {"trainable", "dtype", "layers"} & set(config)


def expression(kind: str, config: dict[str, Any], call: Call) -> tuple[str, list[Tensor]]:
    """(the expression, the tensors that it takes as x, or x[0], x[1], ...).

    Raises:
        Inexpressible: with the reason.
    """
    taken = list(dict.fromkeys(tensors(call)))
    return _computed(kind, config, call, {t: f"x[{i}]" if len(taken) > 1 else "x" for i, t in enumerate(taken)}), taken


def _computed(kind: str, config: Mapping[str, Any], call: Call, names: Mapping[Tensor, str]) -> str:
    """The expression of a call, with the names of the tensors that it takes."""

    def said(value: Any) -> str:
        return _said(value, names)

    if kind in ("Copy", "Identity", "ConvertToTensor") and len(call.args) == 1:
        return said(call.args[0])
    if kind == "GetItem":
        key = call.args[1] if len(call.args) > 1 else call.kwargs.get("key")
        parts = key if isinstance(key, list) else [key]
        return f"{said(call.args[0])}[{', '.join(_index(p) for p in parts)}]"
    arguments = {k: v for k, v in {**config, **call.kwargs}.items() if k not in ("name", "dtype") and v is not None}
    if kind in _INFIX and len(call.args) == 2 and not arguments:
        left, right = (_atom(said(a)) for a in call.args)
        return f"{left} {_INFIX[kind]} {right}"
    function = _function(kind)
    if kind in _FLAT:
        arguments.setdefault("axis", None)
    if kind == "Cast" and "dtype" in config:
        arguments["dtype"] = config["dtype"]
    if function not in functions():
        raise Inexpressible(f"the function '{function}' of keras.ops is none of layerctl's", _OTHERWISE)
    given = [said(a) for a in call.args]
    if kind == "Einsum" and isinstance(text := arguments.pop("subscripts", None), str) and not set(text) - _SUBSCRIPTS:
        given.insert(0, repr(text))
    for key, value in arguments.items():
        if value not in _IGNORED.get(key, ()) or isinstance(value, Tensor):
            given.append(f"{key}={said(value)}")
    other = config.get("dtype", call.kwargs.get("dtype"))
    converted = kind != "Cast" and isinstance(other, str)
    if converted and kind in _ADDING:
        given[0] = f"cast({given[0]}, {said(other)})"
    text = f"{function}({', '.join(given)})"
    return f"cast({text}, {said(other)})" if converted else text


def _said(value: Any, names: Mapping[Tensor, str]) -> str:
    if isinstance(value, Tensor):
        return names[value]
    if isinstance(value, Inner):
        return _computed(value.kind, value.config, value.call, names)
    if isinstance(value, (list, tuple)):
        return f"[{', '.join(_said(v, names) for v in value)}]"
    if isinstance(value, bool) or value is None:
        return str(value)
    if isinstance(value, int) or (isinstance(value, float) and math.isfinite(value)):
        return repr(value)
    if isinstance(value, str) and value.replace("_", "").isalnum():
        return repr(value)
    raise Inexpressible(f"it takes {str(value)[:60]}, for which expressions have no form")


def _index(value: Any) -> str:
    if isinstance(value, slice):
        parts = [value.start, value.stop, value.step]
        if not all(p is None or type(p) is int for p in parts):
            raise Inexpressible("it takes a part whose bounds are tensors")
        text = ":".join("" if p is None else str(p) for p in parts)
        return text.removesuffix(":") if value.step is None else text
    if value is Ellipsis:
        return "..."
    if value is None or (type(value) is int):
        return str(value)
    raise Inexpressible(f"it takes the part {str(value)[:60]}, for which expressions have no form")


def constant(value: Any) -> str | None:
    """The expression of an array; None for what is none, or has more elements than a file should."""
    array = as_array(value)
    if array is None or array.size > MOST_WRITTEN:
        return None
    text = _said(array.astype(int).tolist() if array.dtype.kind == "b" else value, {})
    return f"cast({text}, 'bool')" if array.dtype.kind == "b" else text


def as_array(value: Any) -> Any:
    """Nested lists of finite numbers as a numpy array; None for anything else."""
    import numpy as np

    try:
        array = np.array(value) if isinstance(value, list) and value else None
    except ValueError:
        return None
    return array if array is not None and array.dtype.kind in "fib" and array.size and np.isfinite(array).all() else None


def is_causal(value: Any) -> bool:
    """Whether an array is a mask that lets each place see itself and those before it."""
    import numpy as np

    array = as_array(value)
    square = array is not None and array.ndim > 1 and array.shape[-1] == array.shape[-2] == array.size // array.shape[-1]
    return square and np.array_equal(array.reshape(array.shape[-2:]), np.tri(array.shape[-1]))


def _atom(text: str) -> str:
    return f"({text})" if text.startswith("-") else text
