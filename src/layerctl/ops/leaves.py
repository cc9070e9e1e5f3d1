"""What a program starts from: inputs, parameters, constants."""

from __future__ import annotations

from typing import Any

from layerctl.ops.value import Node, Op, Type, Value, Weight


class Input(Op):
    """A buffer that is filled from outside before the program runs."""

    name = "input"
    no_gradient = "nothing stands before it"
    no_form = "each file has a way of its own for what is given"

    def infer(self, *, label: str, type: Type) -> Type:
        return type

    def calls(self, node: Node) -> list:
        return []


class Parameter(Op):
    """A weight's buffer as it stands when the step begins."""

    name = "parameter"
    no_gradient = "nothing stands before it"
    no_form = "each file has a way of its own for what is given"

    def infer(self, *, weight: Weight) -> Type:
        return weight.type

    def calls(self, node: Node) -> list:
        return []


class Constant(Op):
    """Numbers known when the program is made (a numpy array, C-contiguous)."""

    name = "constant"
    no_gradient = "it is constant"
    no_form = "each file has a way of its own for what is given"

    def infer(self, *, array: Any) -> Type:
        from layerctl.ops.value import NAMES_OF_DTYPES

        return Type(tuple(array.shape), NAMES_OF_DTYPES[str(array.dtype)])

    def calls(self, node: Node) -> list:
        return []


def input_(label: str, type_: Type) -> Value:
    """A named input of the program."""
    return Input.apply(label=label, type=type_)


def parameter(weight: Weight) -> Value:
    """A weight's value at the start of the step."""
    return Parameter.apply(weight=weight)


def constant(value: Any, dtype: str = "f32") -> Value:
    """Known numbers as a value. A scalar has shape ()."""
    import numpy as np

    from layerctl.ops.value import DTYPES

    array = np.asarray(value, dtype=DTYPES[dtype])
    return Constant.apply(array=array if array.ndim == 0 else np.ascontiguousarray(array))


def is_scalar_constant(value: Value) -> bool:
    """Whether it is one known number."""
    return value.node.op.name == "constant" and value.shape == ()
