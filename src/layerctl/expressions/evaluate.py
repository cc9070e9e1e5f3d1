"""Computes an expression on whatever its names stand for: symbolic tensors, numpy arrays, or plain numbers and lists.

Arithmetic and comparisons are Python's operators on the values. `and`, `or`, `not` and `a if c else b` on anything but
plain data are the functions `logical_and`, `logical_or`, `logical_not` and `where`.
"""

from __future__ import annotations

import inspect
import operator
import re
from collections.abc import Callable, Mapping
from typing import Any

from layerctl.diagnostics import Diagnostic, LayerctlError, Span, did_you_mean
from layerctl.expressions.mistakes import nearest
from layerctl.expressions.parse import parse
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

LONGEST_LIST = 100_000
MOST_BITS = 4096
_PLAIN = (bool, int, float, str, list, tuple, dict, type(None), type(...))
_BINARY: dict[str, Callable[[Any, Any], Any]] = {
    "+": operator.add, "-": operator.sub, "*": operator.mul, "/": operator.truediv, "//": operator.floordiv,
    "%": operator.mod, "**": operator.pow, "@": operator.matmul,
}  # fmt: skip
_COMPARE: dict[str, Callable[[Any, Any], Any]] = {
    "==": operator.eq, "!=": operator.ne, "<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge,
}  # fmt: skip
_EQUALITIES = {"==": "equal", "!=": "not_equal"}


def _numeric_sum(values: Any, start: Any = 0) -> Any:
    if any(isinstance(v, (list, tuple, str)) for v in values):
        raise TypeError("sum takes numbers")
    return sum(values, start)


NUMERIC: dict[str, Callable[..., Any]] = {
    "len": len,
    "min": min,
    "max": max,
    "sum": _numeric_sum,
    "int": int,
    "float": float,
    "round": round,
    "abs": abs,
}
"""The functions of `${…}`: on plain numbers and lists."""


def evaluate(expression: Expression, names: Mapping[str, Any], functions: Mapping[str, Callable[..., Any]]) -> Any:
    """The value of an expression.

    Raises:
        LayerctlError: `unknown-name`, `unknown-function`, or `expression-value` where an operation raised ValueError,
            TypeError, an ArithmeticError or a LookupError, at the part of the expression that did.
    """
    return _Evaluation(names, functions).value(expression.root)


def evaluate_text(text: str, span: Span | None, scope: Mapping[str, Any]) -> Any:
    """The value of what stands between `${` and `}`: what `layerctl.source.resolve` takes as `evaluate`.

    Raises:
        LayerctlError: as `parse` and `evaluate` do, with `unknown-variable` for a name.
    """
    return _Evaluation(scope, NUMERIC, "unknown-variable", "variable").value(parse(text, span).root)


def _misused(name: str, function: Callable[..., Any], given: int, message: str) -> tuple[str, str | None]:
    """(what is wrong with a call, the cure) in place of Python's words for it."""
    try:
        takes = [p for p, how in inspect.signature(function).parameters.items() if how.kind not in (how.VAR_KEYWORD, how.VAR_POSITIONAL)]
    except (ValueError, TypeError):
        return message, None
    listed = f"its arguments are {', '.join(takes)}" if takes else f"it takes values without names, as in {name}(x)"
    unknown, lacking = re.search(r"unexpected keyword argument '(\w+)'", message), re.search(r"missing \d+ required .*?'(\w+)'", message)
    if unknown is not None:
        return f"{name} has no argument '{unknown[1]}'{did_you_mean(unknown[1], takes)}", listed
    if lacking is not None:
        return f"{name} needs '{lacking[1]}'", listed
    return (f"{name} takes {len(takes)} arguments, got {given}" if "positional argument" in message else message), listed


_CURES = {
    "cannot be cut": "give a number that divides it, or another `axis`",
    "axis": "axes are counted from 0, the batch; -1 is the last",
    "cannot multiply": "the last size of the first must be the last but one of the second: `transpose` exchanges them",
    "cannot combine": "let both have the same sizes, or 1 in place of them: `reshape` and `expand_dims` make such",
    "operands, got": "give it a value for each, between the parentheses",
    "is no order of": "name each dimension once: 0 is the batch",
    "expected a tensor or a number": "text is taken as an argument by its name alone, such as f(x, mode='a')",
}
"""What helps where an operation refused, by words of what it says."""


class _Evaluation:
    def __init__(
        self,
        names: Mapping[str, Any],
        functions: Mapping[str, Callable[..., Any]],
        code: str = "unknown-name",
        what: str = "name",
    ):
        self.names, self.functions, self.code, self.what = names, functions, code, what

    def value(self, tree: Tree) -> Any:
        """The value of a part."""
        return getattr(self, f"_{type(tree).__name__.lower()}")(tree)

    def _attempt(self, tree: Tree, function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        """A call whose failure is an error at `tree`."""
        try:
            return function(*args, **kwargs)
        except LayerctlError:
            raise
        except AttributeError as error:
            plain = [a for a in args if isinstance(a, _PLAIN)]
            if not plain:
                raise
            cure = "functions of tensors take a name that holds one, such as x"
            raise LayerctlError(Diagnostic("expression-value", f"expected a tensor, got {plain[0]!r}", tree.span, (), cure)) from error
        except (ValueError, TypeError, ArithmeticError, LookupError) as error:
            message = str(error.args[0]) if isinstance(error, LookupError) and error.args else str(error)
            if isinstance(error, OverflowError):
                message = "the result is beyond the largest float, 1.8e308"
            cure = "change its numbers so that the result is one" if isinstance(error, ArithmeticError) else None
            cure = "indices count from 0, and the first dimension is the batch" if message.startswith("index ") else cure
            cure = cure or next((c for words, c in _CURES.items() if words in message), None)
            if "has no len()" in message:
                message, cure = "len takes a list or a text, got a number", "take the number itself, without `len`"
            elif isinstance(error, TypeError) and isinstance(tree, Call):
                message, cure = _misused(tree.function, function, len(args), message)
            raise LayerctlError(Diagnostic("expression-value", message or type(error).__name__, tree.span, hint=cure)) from error

    def _unknown(self, code: str, what: str, name: str, known: Any, span: Span | None) -> LayerctlError:
        listed = sorted(known)
        hint = f"there are {', '.join(listed[:20])}{', …' if len(listed) > 20 else ''}" if listed else None
        return LayerctlError(
            Diagnostic(code, f"there is no {what} '{name}'{nearest(name, listed)}", span, hint=hint)
        )

    def _number(self, tree: Number) -> Any:
        return tree.value

    def _constant(self, tree: Constant) -> Any:
        return tree.value

    def _text(self, tree: Text) -> Any:
        return tree.value

    def _name(self, tree: Name) -> Any:
        if tree.name not in self.names:
            if tree.name in self.functions:
                raise LayerctlError(
                    Diagnostic(
                        "unknown-name",
                        f"'{tree.name}' is a function, expected a value",
                        tree.span,
                        hint=f"call it: `{tree.name}(x)`",
                    )
                )
            raise self._unknown(self.code, self.what, tree.name, self.names, tree.span)
        return self.names[tree.name]

    def _unary(self, tree: Unary) -> Any:
        value = self.value(tree.operand)
        if tree.operator == "not":
            return not value if isinstance(value, _PLAIN) else self._function(tree, "logical_not", value)
        return self._attempt(tree, operator.neg if tree.operator == "-" else operator.pos, value)

    def _binary(self, tree: Binary) -> Any:
        left, right = self.value(tree.left), self.value(tree.right)
        self._attempt(tree, _check_size, tree.operator, left, right)
        return self._attempt(tree, _BINARY[tree.operator], left, right)

    def _compare(self, tree: Compare) -> Any:
        result: Any = None
        left = self.value(tree.operands[0])
        for at, (sign, operand) in enumerate(zip(tree.operators, tree.operands[1:], strict=True)):
            right = self.value(operand)
            one = self._compared(tree, sign, left, right)
            result = one if at == 0 else self._both(tree, "and", result, one)
            left = right
        return result

    def _compared(self, tree: Tree, sign: str, left: Any, right: Any) -> Any:
        """One comparison; symbolic tensors take == for identity, so that theirs are functions."""
        if sign in _EQUALITIES and _EQUALITIES[sign] in self.functions and not (isinstance(left, _PLAIN) and isinstance(right, _PLAIN)):
            return self._function(tree, _EQUALITIES[sign], left, right)
        return self._attempt(tree, _COMPARE[sign], left, right)

    def _logical(self, tree: Logical) -> Any:
        result = self.value(tree.operands[0])
        for operand in tree.operands[1:]:
            if isinstance(result, _PLAIN) and bool(result) == (tree.operator == "or"):
                return result
            result = self._both(tree, tree.operator, result, self.value(operand))
        return result

    def _both(self, tree: Tree, word: str, left: Any, right: Any) -> Any:
        if isinstance(left, _PLAIN) and isinstance(right, _PLAIN):
            return (left and right) if word == "and" else (left or right)
        return self._function(tree, f"logical_{word}", left, right)

    def _conditional(self, tree: Conditional) -> Any:
        condition = self.value(tree.condition)
        if isinstance(condition, _PLAIN):
            return self.value(tree.then if condition else tree.otherwise)
        return self._function(tree, "where", condition, self.value(tree.then), self.value(tree.otherwise))

    def _call(self, tree: Call) -> Any:
        arguments = [self.value(a) for a in tree.arguments]
        keywords = {name: self.value(v) for name, v in tree.keywords}
        return self._function(tree, tree.function, *arguments, **keywords)

    def _function(self, tree: Tree, name: str, /, *args: Any, **kwargs: Any) -> Any:
        if name not in self.functions:
            if name in self.names:
                raise LayerctlError(
                    Diagnostic(
                        "unknown-function",
                        f"'{name}' is a value and no function",
                        tree.span,
                        hint=f"is an operator missing? `{name} * (…)`",
                    )
                )
            raise self._unknown("unknown-function", "function", name, self.functions, tree.span)
        return self._attempt(tree, self.functions[name], *args, **kwargs)

    def _slice(self, tree: Slice) -> Any:
        return slice(*(None if part is None else self.value(part) for part in (tree.start, tree.stop, tree.step)))

    def _subscript(self, tree: Subscript) -> Any:
        value = self.value(tree.value)
        indices = tuple(self.value(i) for i in tree.indices)
        return self._attempt(tree, _item, value, indices if tree.several else indices[0])

    def _items(self, tree: Items) -> Any:
        items = [self.value(i) for i in tree.items]
        return items if tree.brackets == "[" else tuple(items)


def _item(value: Any, index: Any) -> Any:
    try:
        return value[index]
    except IndexError as error:
        if isinstance(value, (list, tuple, str)):
            raise IndexError(
                f"the index {index} is outside a list of {len(value)}, expected {-len(value)} to {len(value) - 1}"
            ) from error
        raise
    except KeyError as error:
        raise KeyError(f"there is no key '{index}'{did_you_mean(str(index), map(str, value))}") from error


def _check_size(sign: str, left: Any, right: Any) -> None:
    """Bounds what plain data may grow to, before it does."""
    if sign == "%" and isinstance(left, (str, bytes)):
        raise TypeError("'%' takes numbers, got text")
    if sign == "**" and isinstance(left, int) and isinstance(right, int) and left.bit_length() * abs(right) > MOST_BITS:
        raise ValueError(f"the power {left} ** {right} is too large, expected at most {MOST_BITS} bits")
    if sign == "*":
        for value, times in ((left, right), (right, left)):
            if isinstance(value, (str, list, tuple)) and isinstance(times, int) and len(value) * times > LONGEST_LIST:
                raise ValueError(
                    f"a list of {len(value)} repeated {times} times, expected at most {LONGEST_LIST} items"
                )
        if isinstance(left, int) and isinstance(right, int) and left.bit_length() + right.bit_length() > MOST_BITS:
            raise ValueError(f"the product is too large, expected at most {MOST_BITS} bits")
