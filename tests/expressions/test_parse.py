"""Parsing: the closed list, places inside YAML scalars, and every refusal's first line."""

import pytest

from layerctl.diagnostics import LayerctlError
from layerctl.expressions.parse import parse
from layerctl.expressions.tree import (
    Binary,
    Call,
    Compare,
    Conditional,
    Constant,
    Items,
    Logical,
    Name,
    Number,
    Slice,
    Subscript,
    Text,
    Unary,
)  # fmt: skip
from layerctl.source.read import loads

x, y, w, b = (Name(n) for n in "xywb")


def refusal(action, *args, **kwargs):
    with pytest.raises(LayerctlError) as caught:
        action(*args, **kwargs)
    (diagnostic,) = caught.value.diagnostics
    return diagnostic.first_line()


def of_yaml(text):
    node = loads(text, "t").root.get("a")
    return parse(node.text, node.span)


@pytest.mark.parametrize(
    ("text", "tree"),
    [
        ("x @ w + b", Binary("+", Binary("@", x, w), b)),
        ("-x ** 2", Unary("-", Binary("**", x, Number(2)))),
        ("-2.5", Number(-2.5)),
        ("x // 2 % 3 / 4", Binary("/", Binary("%", Binary("//", x, Number(2)), Number(3)), Number(4))),
        ("1 < x <= 3", Compare(("<", "<="), (Number(1), x, Number(3)))),
        ("x and not y or w", Logical("or", (Logical("and", (x, Unary("not", y))), w))),
        ("x if y > 0 else w", Conditional(Compare((">",), (y, Number(0))), x, w)),
        ("sum(x, axis=0)", Call("sum", (x,), (("axis", Number(0)),))),
        ("cast(x, 'int32')", Call("cast", (x, Text("int32")))),
        ("x[0]", Subscript(x, (Number(0),))),
        ("x[:, None, ..., 0:-1:2]", Subscript(
            x, (Slice(), Constant(None), Constant(...), Slice(Number(0), Number(-1), Number(2))), True)),
        ("[x, (y, 1)]", Items((x, Items((y, Number(1)), "(")), "[")),
        ("ops.relu(x)", Call("relu", (x,))),
        ("keras.ops.mean(x)", Call("mean", (x,))),
        ("K.mean(x) + tf.nn.relu(y) * np.pi", Binary(
            "+", Call("mean", (x,)), Binary("*", Call("relu", (y,)), Name("pi")))),
        ("keras.backend.sqrt(x)", Call("sqrt", (x,))),
        ("\n x +\n   y\n", Binary("+", x, y)),
        ("x  # why", x),
    ],
)  # fmt: skip
def test_trees(text, tree):
    assert parse(text).root == tree


def test_numbers_of_different_types_are_different():
    assert parse("x * 1").root != parse("x * 1.0").root
    assert parse("True").root != parse("1").root


def test_lambda_is_taken_off():
    expression = parse("lambda x, y: x * y", arguments=["p", "q"])
    assert expression.arguments == ("x", "y") and expression.root == Binary("*", x, y)
    assert parse("x").arguments is None
    assert parse("lambda t: t").arguments == ("t",)
    assert refusal(parse, "lambda x: x", arguments=["x", "y"]) == (
        "error: a lambda of 1 arguments, expected 2: x, y [expression-syntax]"
    )


def test_names_and_functions():
    expression = parse("where(x > k, f(x), x[n]) + k")
    assert expression.names() == ["x", "k", "n"]
    assert expression.functions() == ["where", "f"]


@pytest.mark.parametrize(
    ("text", "places"),
    [
        ("a: xx + yy\n", {"xx": "t:1:4", "yy": "t:1:9"}),
        ("a: 'xx + yy'\n", {"xx": "t:1:5", "yy": "t:1:10"}),
        ('a: "xx + yy"\n', {"xx": "t:1:5", "yy": "t:1:10"}),
        ("a: f('q') + yy\n", {"yy": "t:1:13"}),
        ("a: 'f(''q'') + yy'\n", {"yy": "t:1:16"}),
        ('a: "f(\\"q\\") + yy"\n', {"yy": "t:1:16"}),
        ("a: |\n  xx +\n    yy\n", {"xx": "t:2:3", "yy": "t:3:5"}),
        ("a: >\n  xx +\n\n  yy\n", {"xx": "t:2:3", "yy": "t:4:3"}),
        ("a: xx +\n  yy\n", {"xx": "t:1:4", "yy": "t:2:3"}),
        ("a: é * xx\n", {"xx": "t:1:8"}),
    ],
)
def test_places(text, places):
    found = {t.name: str(t.span) for t in of_yaml(text).walk() if isinstance(t, Name)}
    assert {name: found[name] for name in places} == places


REFUSED = {
    "a: x ^ 2": "1:6: error: the operator '^' is not taken",
    "a: x & y": "1:6: error: the operator '&' is not taken",
    "a: ~x": "1:4: error: the operator '~' is not taken",
    'a: "x && y"': "1:7: error: the sign '&&' is not taken",
    'a: "x || y"': "1:7: error: the sign '||' is not taken",
    "a: x <> y": "1:6: error: the sign '<>' is not taken",
    "a: x!": "1:5: error: the sign '!' is not taken",
    'a: "x ? 1 : 2"': "1:7: error: the sign '?' is not taken",
    "a: x − y": "1:6: error: the sign '−' is not taken",
    "a: (x + 1": "1:4: error: '(' is not closed, expected ')'",
    "a: x + 1)": "1:9: error: ')' closes nothing",
    "a: (x + 1]": "1:10: error: ']' closes '(', expected ')'",
    "a: x) + (y": "1:5: error: ')' closes nothing",
    "a: x.shape": "1:4: error: '.shape' is not taken, expected a function",
    "a: x.mean(axis=1)": "1:4: error: '.mean' is not taken, expected a function",
    "a: x.__class__": "1:4: error: the name '__class__' has two underscores, expected a name without",
    "a: ops.__dict__": "1:4: error: the name '__dict__' has two underscores, expected a name without",
    'a: __import__("os")': "1:4: error: the name '__import__' has two underscores, expected a name without",
    "a: f(x, __a=1)": "1:9: error: the name '__a' has two underscores, expected a name without",
    'a: "[i for i in x]"': "1:5: error: a comprehension is not taken in an expression",
    "a: sum(i for i in x)": "1:7: error: a comprehension is not taken in an expression",
    "a: f'x'": "1:4: error: an f-string is not taken in an expression",
    "a: (y := 3)": "1:5: error: ':=', which assigns, is not taken in an expression",
    "a: f(*x)": "1:6: error: '*', which unpacks, is not taken in an expression",
    "a: f(**x)": "1:8: error: '**' unpacks arguments, which is not taken",
    'a: "{1: 2}"': "1:5: error: a dict is not taken in an expression",
    'a: "f(lambda: 1)"': "1:7: error: a lambda inside an expression is not taken in an expression",
    'a: "lambda *x: x"':
        "1:5: error: a lambda with arguments that are not plain names, expected `lambda x: …`",
    "a: x in y": "1:4: error: the comparison 'in' is not taken",
    "a: x is None": "1:4: error: the comparison 'is' is not taken",
    "a: x y": "1:6: error: 'y' after 'x', expected an operator between them",
    "a: 2x + 1": "1:4: error: no operator between '2' and 'x'",
    "a: y = x + 1": "1:6: error: an expression has no '='",
    'a: "x +"': "1:7: error: the expression ends after '+', expected a value",
    "a: x +* 3": "1:7: error: '*' where a value or an operator is expected",
    "a: x if y": "1:4: error: an `if` without `else`",
    "a: import os": "1:4: error: 'import' begins a statement, expected an expression",
    "a: f(x, y=1, y=2)": "1:14: error: the argument 'y' stands here a second time, expected it once",
    "a: \"'abc'\"": "1:5: error: the text 'abc' where a number or a tensor is expected",
    "a: 2j": "1:4: error: the constant 2j is not taken, expected an int or a float",
    "a: 'b\"\"'": "1:5: error: the constant b\"\" is not taken, expected an int or a float",
    "a: x[0](y)": "1:4: error: 'x[0]' is called, expected the name of a function",
    "a: x * 9999999999999999999999999999999":
        "1:8: error: an integer of more than 30 digits, expected at most 30",
    "a: |\n  x +\n    y ^ 2\n": "3:7: error: the operator '^' is not taken",
    "a: >\n  x +\n  y ^ 2\n": "3:5: error: the operator '^' is not taken",
    "a: é + x.foo": "1:8: error: '.foo' is not taken, expected a function",
    'a: ""': "1:5: error: an empty expression, expected one such as `x * 2`",
}  # fmt: skip


@pytest.mark.parametrize("text", REFUSED)
def test_the_first_line_of_each_refusal(text):
    assert refusal(of_yaml, text) == f"t:{REFUSED[text]} [expression-syntax]"


@pytest.mark.parametrize(
    "text",
    ["-" * 9000 + "x", "(" * 200 + "x" + ")" * 200, "not " * 2000 + "x", "+".join("x" * 4000), "x**" * 3000 + "x",
     "a if b else " * 500 + "c", "x" + "[0]" * 2000, "lambda x:" * 1000 + "x", "f(" * 101 + "x" + ")" * 101,
     "x" + ".a" * 4000, "[" * 4000, "x<" * 3000 + "x", "''" * 4000, "9" * 5000, "x\0y", "\ud800", "#x", "\n", "x\n)", "\\"],
    ids=lambda t: repr(t[:20]),
)  # fmt: skip
def test_attacks_end_in_a_diagnostic(text):
    try:
        assert parse(text)
    except LayerctlError as error:
        assert all(d.code == "expression-syntax" and len(d.message) < 200 for d in error.diagnostics)


def test_length_and_depth():
    assert refusal(parse, "x" * 20_000) == "error: an expression of 20000 characters, expected at most 10000 [expression-syntax]"
    deep = "error: an expression nested more than 100 deep, expected at most 100 [expression-syntax]"
    assert refusal(parse, "(" * 101 + "x" + ")" * 101) == deep
    assert refusal(parse, "x+" * 101 + "x") == deep
    assert parse("x+" * 99 + "x")


def test_random_texts_end_in_a_tree_or_a_diagnostic():
    import random

    pieces = ["x", "y1", "(", ")", "[", "]", "+", "-", "**", "@", " if ", " else ", ",", ":", "'", '"', ".", "lambda ", "=", "==",
              "0", "1e5", "\n", " ", "not ", " and ", "f(", "{", "}", "#", "\\", "é", "0x", "_", "*", ":=", "for ", " in "]  # fmt: skip
    chance = random.Random(3)
    for _ in range(3000):
        text = "".join(chance.choices(pieces, k=chance.randint(1, 15)))
        try:
            parse(text)
        except LayerctlError as error:
            assert "\n" not in error.diagnostics[0].first_line().replace(text, "")
