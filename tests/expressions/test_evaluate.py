"""Evaluation on numbers and on values that overload the operators."""

import pytest

from layerctl.diagnostics import LayerctlError
from layerctl.expressions.evaluate import evaluate, evaluate_text
from layerctl.expressions.parse import parse
from layerctl.source.read import loads

SCOPE = {"w": 3, "input": [2, 3], "s": "ab", "d": {"k": 1}}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("w * 2 + 1", 7), ("w / 2", 1.5), ("w // 2", 1), ("-w % 2", 1), ("input[-1]", 3), ("input[1:]", [3]), ("len(input)", 2),
        ("max(input) + min(4, w)", 6), ("sum(input)", 5), ("int(7.9)", 7), ("float(w)", 3.0), ("round(2.6)", 3), ("abs(-w)", 3),
        ("w if s == 'ab' else 0", 3), ("1 < w < 5", True), ("not w", False), ("w > 9 and 1 / 0", False), ("s or w", "ab"),
        ("[w, w + 1]", [3, 4]), ("(w, 1)", (3, 1)), ("d['k']", 1), ("None", None), ("2 ** -1", 0.5),
        ("w if s != 'a' else 'b'", 3),
    ],
)  # fmt: skip
def test_numbers(text, value):
    result = evaluate_text(text, None, SCOPE)
    assert result == value and type(result) is type(value)


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("a: 1 + wd", "t:1:8: error: there is no variable 'wd'; did you mean 'w'? [unknown-variable]"),
        ("a: 1 + smu(w)", "t:1:8: error: there is no function 'smu'; did you mean 'sum'? [unknown-function]"),
        ("a: w(3)", "t:1:4: error: 'w' is a value and no function [unknown-function]"),
        ("a: 1 + sum", "t:1:8: error: 'sum' is a function, expected a value [unknown-name]"),
        ("a: 1 + input[5]", "t:1:8: error: the index 5 is outside a list of 2, expected -2 to 1 [expression-value]"),
        ("a: d['kk']", "t:1:4: error: there is no key 'kk'; did you mean 'k'? [expression-value]"),
        ("a: 2 + w / 0", "t:1:8: error: division by zero [expression-value]"),
        ("a: 9 ** 9 ** 9", "t:1:4: error: the power 9 ** 387420489 is too large, expected at most 4096 bits [expression-value]"),
        ("a: input * 10 ** 9",
         "t:1:4: error: a list of 2 repeated 1000000000 times, expected at most 100000 items [expression-value]"),
        ("a: s % 5", "t:1:4: error: '%' takes numbers, got text [expression-value]"),
        ("a: 10.0 ** 400", "t:1:4: error: the result is beyond the largest float, 1.8e308 [expression-value]"),
        ("a: float(s)", "t:1:4: error: could not convert string to float: 'ab' [expression-value]"),
        ("a: sum(d) + len(w)", "t:1:4: error: sum takes numbers [expression-value]"),
    ],
)  # fmt: skip
def test_the_first_line_of_each_error(text, line):
    node = loads(text, "t").root.get("a")
    with pytest.raises(LayerctlError) as caught:
        evaluate_text(node.text, node.span, SCOPE)
    assert [d.first_line() for d in caught.value.diagnostics] == [line]


class Symbol:
    """Writes down what is done to it, as a symbolic tensor does."""

    def __init__(self, text):
        self.text = text

    def __add__(self, other):
        return Symbol(f"({self.text} + {show(other)})")

    def __radd__(self, other):
        return Symbol(f"({show(other)} + {self.text})")

    def __matmul__(self, other):
        if self.text == "bad":
            raise ValueError("matmul takes shapes (2, 3) and (3, 4), got (2, 3) and (5, 4)")
        return Symbol(f"({self.text} @ {show(other)})")

    def __gt__(self, other):
        return Symbol(f"({self.text} > {show(other)})")

    def __lt__(self, other):
        return Symbol(f"({self.text} < {show(other)})")

    def __getitem__(self, index):
        return Symbol(f"{self.text}[{index}]")

    def __bool__(self):
        raise AssertionError("a symbol has no truth value")


def show(value):
    return value.text if isinstance(value, Symbol) else repr(value)


def function(name):
    return lambda *args, **kwargs: Symbol(
        f"{name}({', '.join([*map(show, args), *(f'{k}={show(v)}' for k, v in kwargs.items())])})"
    )


FUNCTIONS = {n: function(n) for n in ("where", "logical_and", "logical_or", "logical_not", "sum")}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("x @ w + 1", "((x @ w) + 1)"),
        ("sum(x, axis=[0, 1])", "sum(x, axis=[0, 1])"),
        ("x if x > 0 else w", "where((x > 0), x, w)"),
        ("not x > 0 and w < 1", "logical_and(logical_not((x > 0)), (w < 1))"),
        ("x > 0 or w > 0", "logical_or((x > 0), (w > 0))"),
        ("0 < x < 1", "logical_and((x > 0), (x < 1))"),
        ("x[:, 0]", "x[(slice(None, None, None), 0)]"),
        ("x[0]", "x[0]"),
        ("1 + x if training else x", "(1 + x)"),
    ],
)
def test_symbols(text, expected):
    names = {"x": Symbol("x"), "w": Symbol("w"), "training": True}
    assert evaluate(parse(text), names, FUNCTIONS).text == expected


def test_an_operation_that_fails_is_an_error_at_its_part():
    node = loads("call: 1 + (bad @ w)", "t").root.get("call")
    with pytest.raises(LayerctlError) as caught:
        evaluate(parse(node.text, node.span), {"bad": Symbol("bad"), "w": Symbol("w")}, {})
    assert [d.first_line() for d in caught.value.diagnostics] == [
        "t:1:12: error: matmul takes shapes (2, 3) and (3, 4), got (2, 3) and (5, 4) [expression-value]"
    ]


def test_other_exceptions_pass():
    def broken(_):
        raise RuntimeError("a bug")

    with pytest.raises(RuntimeError):
        evaluate(parse("f(1)"), {}, {"f": broken})
