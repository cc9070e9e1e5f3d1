"""What ops are written with in numpy: the lines of a model's function in a Python file, and the functions that are copied beside it.

An op's method `numpy` gives an expression. It names what it reads by `NumpyLines.name`, and may call numpy and the functions that stand beside
ops under `copied`.
"""

from __future__ import annotations

import ast
import inspect
from collections.abc import Callable, Sequence
from types import ModuleType
from typing import Any

import numpy as np

from layerctl.ops.value import DTYPES, Node, NoForm, Unknown, Value

ROWS = 1009
"""Rows of the trace: a prime that no layer has, so that a dimension that grows with the rows is a multiple of them, and no other is."""

COPIED: dict[str, Callable[..., Any]] = {}


def copied(function: Callable[..., Any]) -> Callable[..., Any]:
    """Declares a function of arrays, `np_…`, that an exported file has where it is called: it uses numpy, modules and other such functions alone."""
    before = COPIED.setdefault(function.__name__, function)
    if before.__module__ != function.__module__:
        raise TypeError(f"two functions to be copied are called {function.__name__}: in {before.__module__} and in {function.__module__}")
    return function


def texts() -> list[str]:
    """The text of each function that is declared so, behind imports of the modules that it uses."""
    out = []
    for _, function in sorted(COPIED.items()):
        text = inspect.getsource(function).removeprefix("@copied\n")
        names = {n.id for n in ast.walk(ast.parse(text)) if isinstance(n, ast.Name)} - {"np"}
        modules = sorted(n for n in names if isinstance(function.__globals__.get(n), ModuleType))
        out.append("".join(f"import {m}\n" for m in modules) + text)
    return out


class NumpyLines:
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

    def names(self, node: Node) -> str:
        """The expressions of what a node reads, with commas."""
        return ", ".join(map(self.name, node.inputs))

    def array(self, path: str, array: np.ndarray) -> str:
        """The expression of an array that the file holds under a path."""
        self.arrays[path] = array
        return f"w[{path!r}]"

    def node(self, node: Node) -> None:
        """An op's line.

        Raises:
            NoForm: if it has none.
        """
        if node.op.name in ("input", "parameter", "constant"):
            self._leaf(node)
            return
        text = node.op.numpy(self, node)
        names = [f"v{node.id}" + (f"_{i}" if len(node.outputs) > 1 else "") for i in range(len(node.outputs))]
        self._names.update((id(v), n) for v, n in zip(node.outputs, names, strict=True))
        self.lines.append(f"{', '.join(names[: node.op.results])} = {text}")

    def skip(self, node: Node) -> None:
        """Stands in for a node without a form, so that the others can be looked at."""
        self._names.update((id(v), "None") for v in node.outputs)

    def _leaf(self, node: Node) -> None:
        v, kind = node.outputs[0], node.op.name
        if kind == "input":
            text = f"x[{node.attrs['label']!r}]"
        elif kind == "constant" and v.shape == ():
            text = f"np.{DTYPES[v.dtype].replace('bool', 'bool_')}({number(node.attrs['array'].item())})"
        elif kind == "parameter":
            text = self.array(path := node.attrs["weight"].path, self._weights[path])
        else:
            text = self.array(f"constant {node.id}", np.asarray(node.attrs["array"]))
        self._names[id(v)] = text


def number(value: Any) -> str:
    """A number as Python writes it."""
    if value - value == 0:
        return repr(value)
    return "np.nan" if value != value else "np.inf" if value > 0 else "-np.inf"


def dims(shape: Sequence[int]) -> str:
    """A shape; dimensions that grow with the rows are written so."""
    parts = [_dim(d) for d in shape]
    return f"({', '.join(parts)}{',' if len(parts) == 1 else ''})"


def _dim(d: int) -> str:
    if not grows(d):
        return str(int(d))
    return "n" if int(d) == ROWS else f"n * {int(d) // ROWS}"


def grows(d: int) -> bool:
    """Whether a dimension grows with the rows."""
    return isinstance(d, Unknown) and int(d) > 0 and int(d) % ROWS == 0


def fixed(shape: Sequence[int]) -> tuple[int, ...]:
    """The sizes of a shape.

    Raises:
        NoForm: if one grows with the rows.
    """
    if any(map(grows, shape)):
        raise NoForm("an open dimension")
    return tuple(map(int, shape))


def pairs(pads: Sequence[tuple[int, int]]) -> tuple[tuple[int, int], ...]:
    """Padding before and behind each dimension, as plain numbers."""
    return tuple((int(before), int(behind)) for before, behind in pads)
