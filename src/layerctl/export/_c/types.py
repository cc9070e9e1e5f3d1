"""Types of the variables of a kernel: what a plain function's parameters make of its names."""

from __future__ import annotations

import ast
import inspect
import textwrap
from collections.abc import Callable, Mapping
from typing import Any

from layerctl.ops.kernel import Kernel

Args = tuple[tuple[str, Any], ...]
"""A function's arguments: (type, number where it is known). Types: f32 f64 i64 bool, and with a star pointers to f32 f64 i32 i64 u8."""

_FLOATS = ("f32", "f64")
OF_OPERAND = {"exp", "log", "tanh", "sigmoid", "sqrt"}
"""Primitives that are elementwise functions."""
INTEGERS = {"tile_rows", "tile_width", "tile_lanes", "share_low", "wrap", "philox"}
MACHINE: dict[str, tuple[str, tuple[int, ...]]] = {
    "tile": ("none", (7,)), "copy_line": ("none", (1,)), "turn_lines": ("none", (4,)), "fma_line": ("none", (3,)), "finish_line": ("none", (1,)),
    "window_line": ("none", (12,)), "window_sums": ("none", (9,)), "row_max": ("element", ()), "row_sum": ("f64", ()), "row_dot": ("f64", ()),
}  # fmt: skip
"""Primitives that are the machine's, and routines in C: what they give, and which of their arguments they write through."""


class Untranslatable(ValueError):
    """A kernel says something that has no form in C."""


def source(function: Callable[..., Any]) -> ast.FunctionDef:
    """A function's syntax tree, without what decorates it."""
    tree = ast.parse(textwrap.dedent(inspect.getsource(function)))
    found = next(n for n in tree.body if isinstance(n, ast.FunctionDef))
    found.decorator_list = []
    return found


def join(a: str, b: str) -> str:
    """The type of a name that is given values of two types."""
    if a == b or not b:
        return a
    if not a:
        return b
    if a.endswith("*") or b.endswith("*"):
        raise Untranslatable(f"a name is {a} and {b}")
    if {a, b} <= {"i64", "bool"}:
        return "i64"
    return "f64"


def element(pointer: str) -> str:
    """What reading through a pointer gives: whole numbers become i64."""
    kind = pointer.removesuffix("*")
    return kind if kind in _FLOATS else "i64"


class Types:
    """The types of a function's names, found by going over its assignments until nothing changes.

    `result_of(function, args)` tells the type of a call of another plain function.
    """

    def __init__(self, function: Callable[..., Any], given: Mapping[str, str], result_of: Callable[..., Any]):
        self.function, self.result_of = function, result_of
        self.names: dict[str, str] = dict(given)
        self.tree = source(function)
        self.result: Any = None
        for _ in range(12):
            before = dict(self.names)
            self._block(self.tree.body)
            if self.names == before:
                return
        raise Untranslatable("types do not settle")

    def _block(self, statements: list[ast.stmt]) -> None:
        for s in statements:
            if isinstance(s, ast.Assign):
                self._assign(s.targets[0], s.value)
            elif isinstance(s, ast.AugAssign):
                if isinstance(s.target, ast.Name):
                    self._set(s.target.id, self.of(ast.BinOp(ast.Name(s.target.id, ast.Load()), s.op, s.value)))
            elif isinstance(s, ast.For):
                if not isinstance(s.target, ast.Name):
                    raise Untranslatable("a loop over several names")
                self._set(s.target.id, "i64")
                self._block(s.body)
            elif isinstance(s, (ast.While, ast.If)):
                self._block(s.body)
                self._block(s.orelse)
            elif isinstance(s, ast.Return) and s.value is not None:
                made = tuple(map(self.of, s.value.elts)) if isinstance(s.value, ast.Tuple) else self.of(s.value)
                if self.result is None or isinstance(made, tuple):
                    self.result = made
                else:
                    self.result = join(self.result, made)

    def _assign(self, target: ast.expr, value: ast.expr) -> None:
        if isinstance(target, ast.Tuple):
            made = [self.of(v) for v in value.elts] if isinstance(value, ast.Tuple) else self.of(value)
            for t, kind in zip(target.elts, made, strict=True):
                if isinstance(t, ast.Name):
                    self._set(t.id, kind)
        elif isinstance(target, ast.Name):
            self._set(target.id, self.of(value))

    def _set(self, name: str, kind: str) -> None:
        self.names[name] = join(self.names.get(name, ""), kind)

    def of(self, e: ast.expr) -> Any:
        """The type of an expression; "" where it is not known yet."""
        if isinstance(e, ast.Constant):
            return {bool: "bool", int: "i64", float: "f64"}[type(e.value)]
        if isinstance(e, ast.Name):
            return self.names[e.id] if e.id in self.names else self._global(e.id)
        if isinstance(e, ast.Subscript):
            kind = self.of(e.value)
            return element(kind) if kind else ""
        if isinstance(e, (ast.Compare, ast.BoolOp)):
            return "bool"
        if isinstance(e, ast.UnaryOp):
            return "bool" if isinstance(e.op, ast.Not) else self.of(e.operand)
        if isinstance(e, ast.IfExp):
            return join(self.of(e.body), self.of(e.orelse))
        if isinstance(e, ast.BinOp):
            return self._operation(e)
        if isinstance(e, ast.Call):
            return self._call(e)
        raise Untranslatable(f"{type(e).__name__}")

    def _operation(self, e: ast.BinOp) -> str:
        a, b = self.of(e.left), self.of(e.right)
        if a.endswith("*") or b.endswith("*"):
            raise Untranslatable("arithmetic with pointers")
        if isinstance(e.op, ast.Div):
            return join(a, b) if a in _FLOATS and b in _FLOATS else "f64" if a and b else ""
        if isinstance(e.op, ast.Pow):
            raise Untranslatable("a power")
        if not a or not b:
            return ""
        return "i64" if {a, b} <= {"i64", "bool"} else join(a, b)

    def _global(self, name: str) -> str:
        value = self.function.__globals__.get(name)
        if isinstance(value, (bool, int, float)):
            return {bool: "bool", int: "i64", float: "f64"}[type(value)]
        raise Untranslatable(f"the name {name}")

    def callee(self, e: ast.Call) -> tuple[str, Any]:
        """(the name that is called, the plain function where it is one of ours)."""
        if not isinstance(e.func, ast.Name):
            raise Untranslatable("a call of an attribute")
        found = self.function.__globals__.get(e.func.id)
        if isinstance(found, Kernel):
            found = found.function
        primitive = getattr(found, "__module__", "").endswith(".primitives") or e.func.id in INTEGERS or e.func.id in MACHINE
        return (e.func.id if found is None or primitive else found.__name__), (None if primitive else found)

    def _call(self, e: ast.Call) -> Any:
        name, function = self.callee(e)
        args = [self.of(a) for a in e.args]
        if function is not None:
            return self.result_of(function, args) if all(args) else ""
        if name in INTEGERS or name in ("int", "len"):
            return "i64"
        if name in ("isfinite", "is_null"):
            return "bool"
        if name in MACHINE:
            return element(args[1]) if MACHINE[name][0] == "element" and args[1] else MACHINE[name][0]
        if name == "narrowed":
            return element(args[0]) if args[0] else ""
        if name in OF_OPERAND:
            return args[0] if args[0] in _FLOATS or not args[0] else "f64"
        if name == "float":
            return "f64"
        if name in ("offset", "abs"):
            return args[0]
        if name in ("min", "max", "fma"):
            out = ""
            for a in args:
                if not a:
                    return ""
                out = join(out, a)
            return out
        raise Untranslatable(f"the function {name}")
