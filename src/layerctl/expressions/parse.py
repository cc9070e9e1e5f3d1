"""Text → Expression: Python's syntax, of which a closed list of forms is taken. Nothing is ever executed."""

from __future__ import annotations

import ast
import functools
import warnings
from collections.abc import Iterable
from typing import Any, NoReturn

from layerctl.diagnostics import Diagnostic, LayerctlError, Span
from layerctl.expressions import mistakes
from layerctl.expressions.tree import (
    Binary,
    Call,
    Compare,
    Conditional,
    Constant,
    Expression,
    Items,
    Logical,
    Name,
    Number,
    Slice,
    Subscript,
    Text,
    Tree,
    Unary,
)  # fmt: skip
from layerctl.source.inside import positions

LONGEST = 10_000
LARGEST_INTEGER = 10**30

MODULES = frozenset(("ops", "keras", "K", "backend", "np", "numpy", "tf", "jnp", "math", "nn", "linalg"))
"""Names before a dot that mean a library of functions: `ops.relu`, `keras.ops.relu`, `tf.nn.relu` are `relu`."""

_BINARY = {
    ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/", ast.FloorDiv: "//", ast.Mod: "%", ast.Pow: "**",
    ast.MatMult: "@",
}  # fmt: skip
_COMPARE = {ast.Eq: "==", ast.NotEq: "!=", ast.Lt: "<", ast.LtE: "<=", ast.Gt: ">", ast.GtE: ">="}
_UNARY = {ast.USub: "-", ast.UAdd: "+", ast.Not: "not"}
_HAS_TEXT = (ast.Call, ast.keyword, ast.Compare, ast.IfExp, ast.Subscript, ast.List, ast.Tuple)


def parse(text: str, span: Span | None = None, arguments: Iterable[str] | None = None) -> Expression:
    """Parses an expression.

    `span` is where the YAML scalar starts, quote included; every part gets its own place. With `arguments`, a leading
    `lambda` must name just as many.

    Raises:
        LayerctlError: `expression-syntax`, for text that is no expression or uses what is not taken.
    """
    reader = _Reader(text, span)
    if len(text) > LONGEST:
        reader.fail(
            0, 1, f"an expression of {len(text)} characters, expected at most {LONGEST}", mistakes.TOO_DEEP_CURE
        )
    found = mistakes.before_parsing(text)
    if found:
        reader.fail(*found)
    body = reader.parsed()
    names = None
    if isinstance(body, ast.Lambda):
        names = reader.lambda_arguments(body, None if arguments is None else tuple(arguments))
        body = body.body
    return Expression(text, reader.tree(body, 0), reader.place(0, len(text)), names)


class _Reader:
    """One text: Python's tree of it, turned into ours, with places."""

    def __init__(self, text: str, span: Span | None):
        self.text = text
        self.span = span
        self.starts = [0]
        for row in text.split("\n"):
            self.starts.append(self.starts[-1] + len(row) + 1)

    @functools.cached_property
    def positions(self) -> list[tuple[int, int]] | None:
        """Where each character stands; None where the file's text is another."""
        return positions(self.text, self.span)

    def place(self, start: int, end: int) -> Span | None:
        """The place of `text[start:end]`."""
        if self.span is None or not self.span.line or self.positions is None:
            return self.span
        last = len(self.text)
        start, end = min(start, last), min(end, last)
        line, column = self.positions[start]
        end_line, end_column = self.positions[max(end - 1, start)]
        return Span(self.span.source, line, column, end_line, end_column + 1, self.span.via)

    def fail(self, start: int, end: int, message: str, hint: str | None = None) -> NoReturn:
        """Ends the reading with an error at a part of the text."""
        raise LayerctlError(Diagnostic("expression-syntax", message, self.place(start, end), hint=hint))

    def parsed(self) -> ast.expr:
        """Python's tree. The text stands in parentheses, so that it may go over several lines."""
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                return ast.parse(f"({self.text}\n)", mode="eval").body
        except SyntaxError as error:
            at = self._index(error.lineno or 1, (error.offset or 1) - 1, characters=True)
            start, end, message, hint = mistakes.explain(self.text, at, error.msg or "")
            self.fail(start, end, message, hint)
        except (RecursionError, MemoryError):
            self._too_deep(0, 1)
        except (ValueError, UnicodeError) as error:
            self.fail(0, 1, f"this is no expression: {error}", "write it as in Python: x @ w + b")

    def _too_deep(self, start: int, end: int) -> NoReturn:
        self.fail(start, end, mistakes.TOO_DEEP, mistakes.TOO_DEEP_CURE)

    def _index(self, line: int, column: int, characters: bool = False) -> int:
        """The index into the text of Python's place: lines from 1, columns in bytes of UTF-8, behind a parenthesis."""
        if line > len(self.starts) - 1:
            return len(self.text)
        start = self.starts[line - 1]
        if line == 1:
            column -= 1
        if not characters and column > 0:
            row = self.text[start : self.starts[line] - 1]
            column = len(row.encode("utf-8", "surrogatepass")[:column].decode("utf-8", "ignore"))
        return max(0, min(start + column, len(self.text)))

    def extent(self, node: Any) -> tuple[int, int]:
        """Where a node of Python's tree starts and ends in the text."""
        return self._index(node.lineno, node.col_offset), self._index(node.end_lineno, node.end_col_offset)

    def lambda_arguments(self, node: ast.Lambda, expected: tuple[str, ...] | None) -> tuple[str, ...]:
        """The names before the colon of `lambda x, y:`."""
        a = node.args
        names = tuple(arg.arg for arg in a.args)
        if a.vararg or a.kwarg or a.kwonlyargs or a.posonlyargs or a.defaults or not names:
            self.fail(
                *self.extent(node),
                "a lambda with arguments that are not plain names, expected `lambda x: …`",
                "an expression needs no lambda: write what stands after the colon",
            )
        if expected is not None and len(names) != len(expected):
            self.fail(
                *self.extent(node),
                f"a lambda of {len(names)} arguments, expected {len(expected)}: {', '.join(expected)}",
                "an expression needs no lambda: write what stands after the colon",
            )
        for name in names:
            self._name_is_plain(name, node)
        return names

    def _name_is_plain(self, name: str, node: Any) -> None:
        if "__" in name:
            self.fail(
                *self.extent(node),
                f"the name '{mistakes.shortened(name)}' has two underscores, expected a name without",
                "names with '__' belong to Python's inside",
            )

    def tree(self, node: ast.expr, depth: int, parent: Any = None) -> Tree:
        """Our tree for Python's."""
        if depth > mistakes.DEEPEST:
            self._too_deep(*self.extent(node))
        method = getattr(self, f"_{type(node).__name__.lower()}", None)
        if method is None:
            start, end = self.extent(node)
            self.fail(start, end, *mistakes.not_taken(node, self.text[start:end]))
        return method(node, depth + 1, self.place(*self.extent(node)), parent)

    def _constant(self, node: ast.Constant, depth: int, span: Span | None, parent: Any) -> Tree:
        value = node.value
        if value is None or value is ... or isinstance(value, bool):
            return Constant(value, span=span)
        if isinstance(value, int) and abs(value) >= LARGEST_INTEGER:
            self.fail(
                *self.extent(node),
                "an integer of more than 30 digits, expected at most 30",
                "write it as a float: 1e30",
            )
        if isinstance(value, (int, float)):
            if value in (float("inf"), float("-inf")):
                self.fail(*self.extent(node), "a number beyond the largest float, expected at most 1.8e308", "write a smaller one")
            return Number(value, span=span)
        if isinstance(value, str) and isinstance(parent, _HAS_TEXT):
            return Text(value, span=span)
        start, end = self.extent(node)
        self.fail(start, end, *mistakes.not_taken(node, self.text[start:end]))

    def _name(self, node: ast.Name, depth: int, span: Span | None, parent: Any) -> Tree:
        self._name_is_plain(node.id, node)
        return Name(node.id, span=span)

    def _attribute(self, node: ast.Attribute, depth: int, span: Span | None, parent: Any) -> Tree:
        return Name(self._without_module(node), span=span)

    def _without_module(self, node: ast.Attribute) -> str:
        """`relu` for `keras.ops.relu`; other dots are not taken."""
        self._name_is_plain(node.attr, node)
        base = node.value
        while isinstance(base, ast.Attribute) and base.attr in MODULES:
            base = base.value
        if isinstance(base, ast.Name) and base.id in MODULES:
            return node.attr
        start, end = self.extent(node)
        self.fail(start, end, *mistakes.attribute(self.text[slice(*self.extent(node.value))], node.attr))

    def _unaryop(self, node: ast.UnaryOp, depth: int, span: Span | None, parent: Any) -> Tree:
        operator = _UNARY.get(type(node.op))
        if operator is None:
            self.fail(*self.extent(node), "the operator '~' is not taken", "use `not`")
        operand = self.tree(node.operand, depth, node)
        if operator == "-" and isinstance(operand, Number):
            return Number(-operand.value, span=span)
        return Unary(operator, operand, span=span)

    def _binop(self, node: ast.BinOp, depth: int, span: Span | None, parent: Any) -> Tree:
        operator = _BINARY.get(type(node.op))
        if operator is None:
            between = self.extent(node.left)[1]
            self.fail(*mistakes.operator(self.text, node, between))
        return Binary(operator, self.tree(node.left, depth, node), self.tree(node.right, depth, node), span=span)

    def _boolop(self, node: ast.BoolOp, depth: int, span: Span | None, parent: Any) -> Tree:
        operands = tuple(self.tree(v, depth, node) for v in node.values)
        return Logical("and" if isinstance(node.op, ast.And) else "or", operands, span=span)

    def _compare(self, node: ast.Compare, depth: int, span: Span | None, parent: Any) -> Tree:
        operators = []
        for op in node.ops:
            if type(op) not in _COMPARE:
                word = {"In": "in", "NotIn": "not in", "Is": "is", "IsNot": "is not"}[type(op).__name__]
                cure = "use `==`, joined by `or`" if "in" in word else "use `==` or `!=`"
                self.fail(*self.extent(node), f"the comparison '{word}' is not taken", cure)
            operators.append(_COMPARE[type(op)])
        operands = tuple(self.tree(v, depth, node) for v in (node.left, *node.comparators))
        return Compare(tuple(operators), operands, span=span)

    def _ifexp(self, node: ast.IfExp, depth: int, span: Span | None, parent: Any) -> Tree:
        return Conditional(
            self.tree(node.test, depth),
            self.tree(node.body, depth, node),
            self.tree(node.orelse, depth, node),
            span=span,
        )

    def _call(self, node: ast.Call, depth: int, span: Span | None, parent: Any) -> Tree:
        if isinstance(node.func, ast.Attribute):
            function = self._without_module(node.func)
        elif isinstance(node.func, ast.Name):
            function = node.func.id
            self._name_is_plain(function, node.func)
        else:
            start, end = self.extent(node.func)
            self.fail(
                start,
                end,
                f"'{mistakes.shortened(self.text[start:end])}' is called, expected the name of a function",
                "is an operator missing before '('?",
            )
        arguments = tuple(self.tree(a, depth, node) for a in node.args)
        keywords = []
        for k in node.keywords:
            if k.arg is None:
                self.fail(
                    *self.extent(k.value), "'**' unpacks arguments, which is not taken", "write them out: f(x, axis=0)"
                )
            self._name_is_plain(k.arg, k)
            if k.arg in dict(keywords):
                self.fail(
                    *self.extent(k), f"the argument '{k.arg}' stands here a second time, expected it once", "remove one"
                )
            keywords.append((k.arg, self.tree(k.value, depth, k)))
        return Call(function, arguments, tuple(keywords), span=span)

    def _subscript(self, node: ast.Subscript, depth: int, span: Span | None, parent: Any) -> Tree:
        several = isinstance(node.slice, ast.Tuple)
        parts = node.slice.elts if isinstance(node.slice, ast.Tuple) else [node.slice]
        indices = tuple(self.tree(p, depth, node) for p in parts)
        return Subscript(self.tree(node.value, depth), indices, several, span=span)

    def _slice(self, node: ast.Slice, depth: int, span: Span | None, parent: Any) -> Tree:
        parts = (self.tree(p, depth) if p is not None else None for p in (node.lower, node.upper, node.step))
        return Slice(*parts, span=span)

    def _list(self, node: ast.List, depth: int, span: Span | None, parent: Any) -> Tree:
        return Items(tuple(self.tree(e, depth, node) for e in node.elts), "[", span=span)

    def _tuple(self, node: ast.Tuple, depth: int, span: Span | None, parent: Any) -> Tree:
        return Items(tuple(self.tree(e, depth, node) for e in node.elts), "(", span=span)
