"""What ops are written with in ONNX: nodes, initializers and the names of values.

An op's method `onnx` adds its nodes and names its results.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from layerctl.ops.value import DTYPES, Node, NoForm, Unknown, Value


class OnnxGraph:
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

    def done(self, node: Node, name: str) -> None:
        """Gives the node's result its name."""
        self.name(node.outputs[0], name)

    def fresh(self) -> str:
        """A name that nothing has."""
        self._count += 1
        return f"v{self._count}"

    def constant(self, array: Any, name: str | None = None) -> str:
        """An initializer."""
        name = name or self.fresh()
        self.initializers.append(self.onnx.numpy_helper.from_array(np.asarray(array), name))
        return name

    def scalar(self, value: float, like: Value) -> str:
        """A number of a value's dtype."""
        return self.constant(np.array(value, DTYPES[like.dtype]))

    def whole(self, value: int) -> str:
        """A whole number (i64), as operators want indices."""
        return self.constant(np.array(value, np.int64))

    def row(self, *values: int) -> str:
        """Whole numbers in a row (i64), as operators want axes and sizes."""
        return self.constant(np.array(values, np.int64))

    def add(self, op: str, inputs: Sequence[str], output: str | None = None, **attributes: Any) -> str:
        """A node; its output's name."""
        output = output or self.fresh()
        self.nodes.append(self.helper.make_node(op, list(inputs), [output], **attributes))
        return output

    def several(self, op: str, inputs: Sequence[str], count: int, **attributes: Any) -> list[str]:
        """A node with so many outputs; their names."""
        outputs = [self.fresh() for _ in range(count)]
        self.nodes.append(self.helper.make_node(op, list(inputs), outputs, **attributes))
        return outputs

    def channels_first(self, v: Value) -> str:
        """A tensor (batch, ..., channels) as (batch, channels, ...)."""
        return self.add("Transpose", [self.name(v)], perm=[0, v.rank - 1, *range(1, v.rank - 1)])

    def channels_last(self, name: str, rank: int) -> str:
        """A tensor (batch, channels, ...) as (batch, ..., channels)."""
        return self.add("Transpose", [name], perm=[0, *range(2, rank), 1])

    def shape(self, shape: Sequence[int], x: str, x_shape: Sequence[int], follows: bool = True) -> str:
        """A shape as a tensor: open dimensions are taken from x where it has them, one more follows from the rest (where that `follows`),
        others are any value's.

        Raises:
            NoForm: if more than one open dimension is nowhere to be found.
        """
        places = [_open_at(x_shape, d) if isinstance(d, Unknown) else None for d in shape]
        free = [i for i, (d, at) in enumerate(zip(shape, places, strict=True)) if isinstance(d, Unknown) and at is None]
        parts = []
        for i, (d, at) in enumerate(zip(shape, places, strict=True)):
            if not isinstance(d, Unknown):
                parts.append(self.row(int(d)))
            elif follows and at is None and i == free[-1]:
                parts.append(self.row(-1))
            else:
                source, at = (x, at) if at is not None else self._elsewhere(d)
                parts.append(self.add("Gather", [self.add("Shape", [source]), self.row(at)], axis=0))
        return parts[0] if len(parts) == 1 else self.add("Concat", parts, axis=0) if parts else self.row()

    def _elsewhere(self, d: int) -> tuple[str, int]:
        """(a value's name, its dimension) with an open size."""
        for v in (*self._inputs, *self._kept):
            at = _open_at(v.shape, d)
            if at is not None:
                return self._names[id(v)], at
        raise NoForm("it has several open dimensions that no other value has: give the inputs' open dimensions sizes")


def _open_at(shape: Sequence[int], d: int) -> int | None:
    """Which dimension of a shape is open and as large as d in the trace."""
    return next((i for i, e in enumerate(shape) if isinstance(e, Unknown) and int(e) == int(d)), None)
