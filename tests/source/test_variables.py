"""`vars:`, `${…}`, and `--set`."""

import pytest

from layerctl.diagnostics import LayerctlError
from layerctl.expressions.evaluate import evaluate_text
from layerctl.source.overrides import apply_overrides
from layerctl.source.read import loads
from layerctl.source.resolve import resolve_variables, substitute

FILE = """\
vars: {width: 3, sizes: [1, "${width}"], title: "a${width}b", later: "${last}", last: {x: 1e-3}}
model:
  - Dense: {units: "${width}", activation: '${act}'}
fit: [ "${sizes}", "$${width}", "${width}-${width}", "${later}" ]
"""


def first_lines(action, *args, **kwargs):
    with pytest.raises(LayerctlError) as caught:
        action(*args, **kwargs)
    return [d.first_line() for d in caught.value.diagnostics]


def test_values_keep_their_type_places_and_paths():
    document = resolve_variables(loads(FILE.replace("${act}", "relu"), "t"))
    assert document.plain()["fit"] == [[1, 3], "${width}", "3-3", {"x": 0.001}]
    assert document.plain()["vars"]["sizes"] == [1, 3]
    units = document.node_at(("model", 0, "Dense", "units"))
    assert (units.value, str(units.span), units.path) == (3, "t:3:20", ("model", 0, "Dense", "units"))
    assert document.node_at(("fit", 0, 1)).path == ("fit", 0, 1)
    assert str(document.span_at(("fit", 3, "x"))) == "t:4:54"


def test_a_block_keeps_what_its_arguments_name():
    text = """\
vars: {filters: 8, width: 2}
define:
  Block:
    args: {filters: 4, depth: "${width}"}
    layers: [{Conv2D: {filters: "${filters}", kernel_size: "${width}", name: "c${depth}"}}, "${input[-1]}"]
"""
    document = resolve_variables(loads(text), evaluate_text)
    block = document.node_at(("define", "Block"))
    assert block.plain() == {
        "args": {"filters": 4, "depth": 2},
        "layers": [{"Conv2D": {"filters": "${filters}", "kernel_size": 2, "name": "c${depth}"}}, "${input[-1]}"],
    }
    scope = {"filters": 16, "depth": 3, "input": [28, 28, 1]}
    used = substitute(block.get("layers"), scope, evaluate=evaluate_text)
    assert used.plain() == [{"Conv2D": {"filters": 16, "kernel_size": 2, "name": "c3"}}, 1]
    assert used.items[0].path == ("define", "Block", "layers", 0)


def test_keys_and_expressions():
    text = 'vars: {n: 3}\nfit: {"${n}": "${n * 2 + 1}"}\nx: "v${n + 1}"\n'
    assert resolve_variables(loads(text), evaluate_text).plain() == {"vars": {"n": 3}, "fit": {"3": 7}, "x": "v4"}


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ('vars: {width: 3}\nx: ["${wdth}"]\ny: a ${widht}\n',
         ["t:2:8: error: there is no variable 'wdth'; did you mean 'width'? [unknown-variable]",
          "t:3:8: error: there is no variable 'widht'; did you mean 'width'? [unknown-variable]"]),
        ('x: "${a}"\n', ["t:1:7: error: there is no variable 'a' [unknown-variable]"]),
        ('vars: {a: "${b}", b: "${c}", c: "${a}"}\n',
         ["t:1:8: error: the variable 'a' is defined by itself: a → b → c → a [variable-cycle]"]),
        ("vars: {a: 1}\nx: b ${a\n", ["t:2:6: error: '${' is not closed, expected '}' [variable-syntax]"]),
        ("vars: {a: [1]}\nx: b ${a}\n",
         ["t:2:6: error: '${a}' is a list, expected text or a number inside a longer text [variable-in-text]"]),
        ('vars: {a: k}\nx: {k: 1, "${a}": 2}\n',
         ["t:2:11: error: the key 'k' stands here a second time, expected it once [yaml-duplicate-key]"]),
        ("vars: {a: 1}\nx: ${a ^ 2}\n", ["t:2:8: error: the operator '^' is not taken [expression-syntax]"]),
        ("vars: {a: [1, 2]}\nx: ${a[5]}\n",
         ["t:2:6: error: the index 5 is outside a list of 2, expected -2 to 1 [expression-value]"]),
        ("vars: {a: 1}\nx: ${foo(a)}\n", ["t:2:6: error: there is no function 'foo' [unknown-function]"]),
    ],
)  # fmt: skip
def test_the_first_lines(text, lines):
    assert first_lines(resolve_variables, loads(text, "t"), evaluate_text) == lines


def test_variables_may_not_multiply():
    text = "vars:\n  a0: [x, x, x, x, x, x, x, x, x, x]\n"
    text += "".join(f"  a{i}: [{', '.join([chr(34) + '${a' + str(i - 1) + '}' + chr(34)] * 10)}]\n" for i in range(1, 9))
    assert "the variables make more than 100000 values, expected fewer [variable-too-large]" in first_lines(
        resolve_variables, loads(text, "t")
    )[0]  # fmt: skip
    text = "vars:\n  a0: xxxxxxxxxxxxxxxx\n" + "".join(f"  a{i}: {('${a' + str(i - 1) + '}') * 8}\n" for i in range(1, 9))
    assert "the variables make more than 1048576 characters, expected fewer [variable-too-large]" in first_lines(
        resolve_variables, loads(text, "t")
    )[0]  # fmt: skip


MODEL = """\
model:
  - Dense: {units: 3}
  - Dropout: 0.2
    name: drop
compile: {optimizer: adam}
fit:
"""


def test_overrides():
    document = apply_overrides(
        loads(MODEL, "m.yaml"),
        ["fit.epochs=3", "model.0.Dense.units=64", "vars.width=[1, 2]", "compile.optimizer.Adam.learning_rate=1e-4",
         "model.drop.Dropout=0.5", "model.-1.trainable=no", "name=", "fit.callbacks={CSVLogger: {filename: a=b.csv}}"],
    )  # fmt: skip
    assert document.plain() == {
        "model": [{"Dense": {"units": 64}}, {"Dropout": 0.5, "name": "drop", "trainable": "no"}],
        "compile": {"optimizer": {"Adam": {"learning_rate": 1e-4}}},
        "fit": {"epochs": 3, "callbacks": {"CSVLogger": {"filename": "a=b.csv"}}},
        "vars": {"width": [1, 2]}, "name": None,
    }  # fmt: skip
    assert str(document.span_at(("model", 0, "Dense", "units"))) == "--set:1:21"
    assert str(document.root.get("fit").key("epochs").span) == "--set:1:5"
    assert document.node_at(("vars", "width", 1)).path == ("vars", "width", 1)


@pytest.mark.parametrize(
    ("override", "line"),
    [
        ("fit", "--set:1:1: error: 'fit' has no '=', expected path=value [override-syntax]"),
        ("=3", "--set:1:1: error: the path '' has an empty part or a space, expected names between dots [override-syntax]"),
        ("a. b=1",
         "--set:1:3: error: the path 'a. b' has an empty part or a space, expected names between dots [override-syntax]"),
        ("model.7.x=1",
         "--set:1:7: error: 'model' has 2 items, there is no item 7, expected 0 to 1 [override-path]"),
        ("model.drp.x=1",
         ("--set:1:7: error: 'model' is a list without an item named 'drp', expected an index from 0 or a name; "
          "did you mean 'drop'? [override-path]")),
        ("model.1.Dropout.rate=3",
         "--set:1:17: error: 'model.1.Dropout' is the value 0.2, which has no 'rate' [override-path]"),
        ("a.b=[1", "--set:1:5: error: '[' is not closed, expected ']' [yaml-unclosed]"),
        ("a=!!x y", "--set:1:3: error: the tag '!!x' is not taken, expected a plain value [yaml-tag]"),
        ("a=@x", "--set:1:3: error: a value cannot start with '@' unless it is quoted [yaml-unquoted]"),
        ("a=\0", "--set:1:3: error: the character U+0000 may not stand in YAML, expected printable text [yaml-character]"),
        ("a={b: 1, b: 2}", "--set:1:10: error: the key 'b' stands here a second time, expected it once [yaml-duplicate-key]"),
        ("a=" + "[" * 1000, "--set:1:53: error: values nested more than 50 deep, expected at most 50 [yaml-too-deep]"),
    ],
)  # fmt: skip
def test_bad_overrides(override, line):
    assert first_lines(apply_overrides, loads(MODEL, "m.yaml"), [override]) == [line]
