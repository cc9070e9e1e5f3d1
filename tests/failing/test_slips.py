"""Slips of the pen in one file: each is answered once, at its own place, with a cure."""

import re
import textwrap

import pytest

from layerctl.cli.main import main

FILE = """\
layerctl: 1
name: iris
seed: 7
vars: {width: 16}
define:
  Body:
    args: {units: 32}
    layers:
      - Dense: {units: "${units}", activation: relu}
        name: inner
data:
  source: builtin:iris
  features:
    flower: {columns: [sepal_length, sepal_width], scale: standard}
  target: {column: species, kind: category}
  split: {validation: 0.15, test: 0.2, stratify: true}
model:
  - Body: {units: "${width}"}
  - Dropout: 0.2
  - Dense: {units: 3, activation: softmax}
compile:
  optimizer: {Adam: {learning_rate: 0.01}}
  loss: sparse_categorical_crossentropy
  metrics: [accuracy]
fit:
  epochs: 100
  batch_size: 16
  callbacks:
    - EarlyStopping: {monitor: val_loss, patience: 20}
"""
DEFINE, DATA = FILE[FILE.index("define:") : FILE.index("data:")], FILE[FILE.index("data:") : FILE.index("model:")]
SLIPS = [
    # what stands there, what is written, where the answer points, words of the answer
    ("source: builtin:iris", "source builtin:iris", "12:3", "no ':' after 'source'", "`source: builtin:iris`"),
    ("source: builtin:iris", "source = builtin:iris", "12:3", "no ':' after 'source'", "`source: builtin:iris`"),
    ("source: builtin:iris", "source:builtin:iris", "12:3", "expected a space after ':'", "`source: builtin:iris`"),
    ("metrics: [accuracy]", "metrics [accuracy]", "24:3", "no ':' after 'metrics'", "`metrics: [accuracy]`"),
    ("optimizer: {Adam", "optimizer {Adam", "22:3", "no ':' after 'optimizer'", "`optimizer: {Adam: {learning_rate: 0.01}}`"),
    ("optimizer: {Adam: {", "optimizer: {Adam {", "22:15", "no ':' after 'Adam'", "`Adam: {learning_rate: 0.01}}`"),
    ("{units: 3, ", "{units 3, ", "20:13", "no ':' after 'units'", "`units: 3`"),
    ("- Dense: {units: 3, activation: softmax}", "- Dense: units: 3, activation: softmax}", "20:12", "it is missing before 'units'", "`Dense: {units: 3,"),
    ("metrics: [accuracy]", "metrics: accuracy]", "24:20", "']' closes nothing", "`[accuracy]`"),
    ("metrics: [accuracy]", "metrics: [accuracy];", "24:22", "';' after a value", "remove it"),
    ("{units: 3, activation", "{units: 3 activation", "20:22", "expected ',' before 'activation'", "`3, activation: softmax`"),
    ('{units: "${width}"}', '{units: "${width}}', "18:19", "is not closed", '`"${width}"`'),
    ('{units: "${width}"}', '{units: ${width}"}', "18:19", "lacks the quote before it", '`"${width}"`'),
    ('{units: "${width}"}', '{units: “${width}”}', "18:19", "no quote of YAML", "straight ones"),
    ('{units: "${width}"}', '{units: "$width}"}', "18:19", "must be a whole number", '"${width}"'),
    ("patience: 20}", "patience: 20 # more}", "29:22", "'{' is not closed", "is a comment"),
    ("  - Body: {", "  -Body: {", "18:3", "expected a space after '-'", "`- Body:"),
    ("  - Body: {", "    Body: {", "18:5", "no '- ' before 'Body'", "`- Body:"),
    ("  - Dropout: 0.2", "  – Dropout: 0.2", "19:3", "'–' is no '-'", "`- Dropout: 0.2`"),
    ("  source: builtin:iris", "   source: builtin:iris", "12:4", "an indentation of 3 spaces, the lines after it have 2", "same column"),
    ("  source: builtin:iris", " source: builtin:iris", "12:2", "an indentation of 1 space, the lines after it have 2", "same column"),
    ("  source: builtin:iris", "source: builtin:iris", "12:1", "an indentation of 0 spaces, the lines after it have 2", "same column"),
    ("layerctl: 1\n", " layerctl: 1\n", "1:2", "an indentation of 1 space, the lines after it have 0", "same column"),
    ("  optimizer: {", "  - optimizer: {", "22:3", "makes a list of this line", "remove the '- '"),
    ("seed: 7", "seed:\u00a07", "3:6", "a space that is not the ordinary one", "ordinary spaces"),
    ("  epochs: 100", "\u3000epochs: 100", "26:1", "a space that is not the ordinary one", "ordinary spaces"),
    ("seed: 7\n", "<<<<<<< HEAD\nseed: 7\n=======\nseed: 8\n>>>>>>> main\n", "3:1", "a mark of git", "keep one"),
    ("activation: softmax", "activаtion: softmax", "20:23", "Its 6. letter is cyrillic small letter a (U+0430)", ""),
    ("define:", "defne:", "5:1", "did you mean 'define'?", "the sections are"),
    ("layerctl: 1", "layerclt: 1", "1:1", "did you mean 'layerctl'?", ""),
    ("    args:", "    arg:", "7:5", "did you mean 'args'?", ""),
    ("  Body:\n", "    Body:\n", "7:5", "'args' stands where a definition has its name", "indent it"),
    ("units: 3, ", "units: {seatch: [4, 64]}, ", "20:20", "must be a whole number", "`{search: [4, 64]}`"),
    ("    args: {units: 32}\n", "", "8:27", "there is no variable 'units'", "there are width"),
    ('{units: "${width}"}', '{units: "${width / 5}"}', "18:19", "must be a whole number, got 3.2", ""),
    ("model:", "  model:", "17:3", "a section of its own, and stands within 'data'", "first column"),
    ("{column: species, kind", "{colum: species, kind", "15:12", "a target has no 'colum'; did you mean 'column'?", ""),
    ("kind: category}", "kind: categroy}", "15:35", "did you mean 'category'?", ""),
    ("{column: species,", "{column: speices,", "15:20", "is no column of builtin:iris; did you mean 'species'?", ""),
    ("[sepal_length, sepal_width]", "[sepal_lenght]", "14:24", "did you mean 'sepal_length'?", ""),
    ("[sepal_length, sepal_width]", "[a1, b2, c3]", "14:23", "wants the columns 'a1', 'b2' and 'c3'", "it has sepal_length"),
    ("builtin:iris", "builtin iris", "12:11", "did you mean 'builtin:iris'?", ""),
    ("test: 0.2", "train: 0.2", "16:29", "has no argument 'train'", "all rows that"),
    ("seed: 7", "random_state: 7", "3:1", "no section 'random_state'", "`seed: 7`"),
    ("[accuracy]", "accuracy, AUC", "24:12", "expected a list", "`[accuracy, AUC]`"),
    ("[accuracy]", "[matthews_correlation]", "24:13", "there is no matthews_correlation here", "f1_score"),
    ("{Adam: {learning_rate: 0.01}}", "TFOptimizer", "22:14", "there is no TFOptimizer here", "Keras 2"),
    ("learning_rate: 0.01", "learning_rate:\u00a00.01", "22:36", "a space that is not the ordinary one", "ordinary spaces"),
    ("- Dropout: 0.2", "- Dropout:\u00a00.2", "19:13", "a space that is not the ordinary one", "ordinary spaces"),
    ("optimizer: {", "optimizer:\u00a0{", "22:13", "a space that is not the ordinary one", "ordinary spaces"),
    ("  Body:\n", "  Body:\u00a0\n", "6:8", "a space that is not the ordinary one", "ordinary spaces"),
    ("  - Body: {", "  Body: {", "18:3", "no '- ' before 'Body'", "`- Body: {units"),
    ("  - Dropout: 0.2", "  -- Dropout: 0.2", "19:3", "'--' is no '-'", "`- Dropout: 0.2`"),
    ("{columns: [sepal_length", '{columns: ["sepal_length', "14:24", 'the quote " is not closed', 'put " at the end'),
    ("activation: relu}\n", 'activation: "relu}\n', "9:48", 'the quote " is not closed', 'put " at the end'),
    ("builtin:iris", '"builtin:iris', "12:11", 'the quote " is not closed', 'put " at the end'),
    ("fit:\n", FILE.partition("fit:")[0] + "fit:\n", "25:1", "the file begins again here: 8 of its keys", "remove one of the two texts"),
    (DATA, textwrap.indent(DATA, "  "), "11:3", "'data' is a section of its own, and stands within 'define'", "first column"),
    ("vars: {width: 16}\n" + DEFINE, "vars:\n  width: 16\n" + textwrap.indent(DEFINE, "  "), "6:3", "'define' is a section of its own, and", "first column"),
    ("activation: softmax", "bias_initializer: identity", "20:5", "the weight 'bias': an identity matrix has two dimensions", ""),
    ("activation: softmax", "bias_initializer: {Constant: {value: [1, 2]}}", "20:5", "have the shape (2,), expected (3,)", ""),
    ("activation: softmax", "bias_initializer: {Constant: {value: [1, a]}}", "20:60", "expected a number, or a list of numbers", "value: A number"),
    ("units: 3, activation: softmax", "3, softmax", "20:12", "has values without names", "`[3, softmax]`"),
]  # fmt: skip


@pytest.mark.parametrize("old, new, place, says, cure", SLIPS, ids=lambda v: re.sub(r"\W+", "-", v)[:30])
def test_a_slip_is_answered_once_at_its_place(old, new, place, says, cure, tmp_path, monkeypatch, capsys):
    assert FILE.count(old) >= 1
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("GITHUB_ACTIONS", raising=False)
    (tmp_path / "model.yaml").write_text(FILE.replace(old, new, 1))
    with pytest.raises(SystemExit) as ended:
        main(["build", "model.yaml"])
    said = capsys.readouterr().err
    assert ended.value.code == 2
    assert re.findall(r"^model.yaml:(\d+:\d+): error: ", said, re.MULTILINE) == [place], said
    assert says in said and cure in said, said
    assert cure == "" or "hint: " in said


def test_the_file_itself_is_right(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "model.yaml").write_text(FILE)
    with pytest.raises(SystemExit) as ended:
        main(["build", "model.yaml"])
    assert ended.value.code == 0
