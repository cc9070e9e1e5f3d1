"""The schema by itself: it ships, it has not drifted, it takes what layerctl takes and says what layerctl says."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import jsonschema
import pytest

from layerctl.catalogue import CATALOGUES, catalogue
from layerctl.commands import schema
from layerctl.commands.examples import example_of
from layerctl.diagnostics import LayerctlError
from layerctl.source.read import loads
from layerctl.spec.file import SECTIONS

ROOT = Path(__file__).parents[2]
HEAD = "layerctl: 1\nmodel:\n  - Input: [8, 8, 1]\n"


@pytest.fixture(scope="module")
def validator():
    whole = json.loads(schema.SHIPPED.read_text(encoding="utf-8"))
    jsonschema.Draft7Validator.check_schema(whole)
    return jsonschema.Draft7Validator(whole)


def wrong(validator, text):
    return [e.message for e in validator.iter_errors(loads(text).plain())]


def innermost(errors):
    """Messages of the alternatives inside of those that did not fit."""
    return [message for e in errors for message in (innermost(e.context) if e.context else [e.message])]


def run(*arguments):
    return subprocess.run([sys.executable, "-m", "layerctl", *arguments], capture_output=True, text=True, timeout=120, env={**os.environ, "GITHUB_ACTIONS": ""})


def test_what_ships_is_what_the_code_says():
    shipped = schema.SHIPPED.read_text(encoding="utf-8")
    assert shipped == schema.text(installed=False), "it has drifted: python -m layerctl.commands.schema writes it anew"


def test_the_command():
    done = run("schema")
    assert done.returncode == 0 and json.loads(done.stdout)["properties"].keys() == SECTIONS.keys()
    path = run("schema", "--path").stdout.strip()
    assert Path(path) == schema.SHIPPED and Path(path).is_file()
    assert run("schema", "--modeline").stdout == f"# yaml-language-server: $schema={Path(path).as_uri()}\n"
    assert run("schema", "--path", "--modeline").returncode == 2
    assert schema.modeline("./my.schema.json") == "# yaml-language-server: $schema=./my.schema.json"


def test_every_name_and_argument_has_a_description():
    made = schema.schema(installed=False)["definitions"]
    for kind in CATALOGUES:
        entries = made[f"{kind}.entry"]["properties"]
        for name in catalogue(kind).entries:
            assert catalogue(kind).spelled(name) in entries
            assert made[f"{kind}.{name}"]["description"], name
            whole = made[f"{kind}.{name}"]["else"]
            forms = [f for f in (whole, *whole.get("anyOf", ())) if "properties" in f]
            assert forms or not catalogue(kind).get(name).model_fields.keys() - {"name"}, name
            for form in forms:
                for argument, field in form["properties"].items():
                    named = field if "$ref" in field else field.get("else", {})
                    known = made[named["$ref"].rsplit("/", 1)[1]] if "$ref" in named else field
                    own = catalogue(kind).get(name).model_fields[argument]
                    assert known.get("description") == own.description
                    if not own.is_required():
                        assert "default" in known, (name, argument)


@pytest.mark.parametrize("config", sorted((ROOT / "configs").glob("*.yaml")), ids=lambda p: p.stem)
def test_configs_are_valid(validator, config):
    assert wrong(validator, config.read_text()) == []


def test_examples_and_pages_are_valid(validator):
    found = [example_of(n).yaml for n in catalogue("layers").entries if n != "Input"]
    pages = [ROOT / "README.md", *(p for p in sorted((ROOT / "docs").rglob("*.md")) if p.name != "diagnostics.md")]  # whose files have mistakes
    found += [b for p in pages for b in re.findall(r"```yaml\n(.*?)```", p.read_text(), re.S) if b.startswith("layerctl: 1")]
    assert len(found) > 100
    for text in found:
        assert wrong(validator, text) == [], text


@pytest.mark.parametrize("text", [
    "  - Flatten\n", "  - Dense: 64\n", "  - Dense: ${n}\n", "  - Dense: {units: \"${n * 2}\", activation: relu}\n", "  - flatten\n",
    "  - Activation: {activation: {LeakyRelu: 0.1}}\ncompile: {loss: mse}\n",
    "  - Dense: 1\ncompile: {loss: [mse, null], loss_weights: [1, 2]}\n",
    "  - Dense: 1\ncompile: {loss: {a: mse, b: {Huber: 0.5}}, loss_weights: {a: 1}, metrics: {a: [accuracy, F1Score]}}\n",
    "  - Dense: 1\ncompile: {optimizer: {AdamW: {learning_rate: {CosineDecay: {initial_learning_rate: 1e-3, decay_steps: 100}}}}}\n",
    "  - Dense: {units: 4, kernel_regularizer: {L2: 0.01}, kernel_constraint: max_norm}\n    from: input\n    repeat: 2\n    trainable: false\n",
    "  - LSTM: 3\n    from: {sequence: input, mask: false}\n    name: [a, b]\n", "  - Bidirectional: {layer: {LSTM: {units: 3}}}\n",
    "  - model: runs/digits\n    upto: features\n", "  - Own: 3\ndefine: {Own: {args: {n: 1}, layers: [{Dense: \"${n}\"}]}}\n",
    "  - Own\ndefine: {Own: {weights: {w: {shape: [\"${input[-1]}\", 3]}}, call: x @ w}}\n",
    "  - Dense: 1\nfit: {weights: a.npz, callbacks: [{EarlyStopping: {patience: 3}}]}\n",
    "  - Dense: 1\ninclude: base.yaml\n", "  - Dense: 1\nfit: {epochs: \"${env:EPOCHS:-3}\"}\n", "  - Dense: {units: 1, name: null}\nseed: 3\n",
])  # fmt: skip
def test_forms_that_are_taken(validator, text):
    assert wrong(validator, HEAD + text) == []


@pytest.mark.parametrize("text", [
    "  - Dense: {units: {search: [16, 256], scale: log, default: 64}, activation: {search: {choices: [relu, tanh]}}}\n",
    "  - Dense: {search: [16, 256]}\n", "  - Dropout: {search: [0.0, 0.5], step: 0.125, default: 0.125}\n", "  - {search: {choices: [{Dense: 3}, Flatten]}}\n",
    "  - Dense: {units: 3, kernel_regularizer: {search: {choices: [null, {L2: {search: [1e-5, 0.1], scale: log}}]}}}\n",
    "  - Conv2D: {filters: 4, kernel_size: [{search: [1, 3]}, 3], padding: {search: {choices: [same, valid]}}}\n",
    "  - Dense: 3\n    repeat: {search: [1, 4]}\n    trainable: {search: {choices: [true, false]}}\n",
    "  - Dense: 3\ncompile: {optimizer: {search: {choices: [{Adam: {learning_rate: {search: [1e-4, 0.1], scale: log}}}, SGD]}, default: SGD}, loss: mse}\n",
    "  - Dense: 3\ncompile: {optimizer: {Adam: {learning_rate: {search: [1e-4, 0.1]}}}, loss: {search: {choices: [mse, mae]}}}\n",
    "  - Dense: 3\nfit: {epochs: {search: [2, 9]}, batch_size: {search: [8, 32], step: 8}, callbacks: [{EarlyStopping: {patience: {search: [1, 5]}}}]}\n",
    "  - Dense: 3\ndata: {source: a.csv, features: {x: {}}, target: y, split: {validation: {search: [0.1, 0.3]}}}\n",
    "  - Dense: \"${n}\"\nvars: {n: {search: [1, 4]}}\nname: a\n", "  - Dense: 1\nfit: {search: {choices: [{epochs: 3}, {epochs: 5}]}}\n",
    "  - Dense: 1\n    name: search\ncompile: {loss: {search: mse}, metrics: {search: [accuracy]}, loss_weights: {search: 2}}\n",
    "  - Own\ndefine: {Own: {layers: [{Dense: {search: [1, 9]}}]}}\n",
    "  - Own\ndefine: {Own: {args: {n: {search: [1, 9]}}, layers: [{Dense: \"${n}\"}]}}\n",
])  # fmt: skip
def test_ranges_of_a_search_stand_wherever_values_do(validator, text):
    assert wrong(validator, HEAD + text) == []


@pytest.mark.parametrize(("text", "word"), [
    ("{search: [16]}", "too short"), ("{search: [1, 2, 3]}", "too long"), ("{search: [a, b]}", "'a'"), ("{search: {choices: [1]}}", "too short"),
    ("{search: [1, 2], scal: log}", "scal"), ("{search: [1, 2], scale: lg}", "lg"), ("{search: [1, 2], step: 0}", "0"),
    ("{search: {choises: [1, 2]}}", "choises"),
    ("{serch: [1, 2]}", "serch"),
])  # fmt: skip
def test_mistakes_in_ranges_are_found(validator, text, word):
    found = innermost(validator.iter_errors(loads(f"{HEAD}  - Dense: {{units: {text}}}\n").plain()))
    assert any(word in message for message in found)


@pytest.mark.parametrize(("text", "word"), [
    ("  - Dens: 64\n", "Dens"), ("  - Dense: {unit: 64}\n", "unit"), ("  - Dense: {units: many}\n", "many"), ("  - Dense: 0\n", "0"), ("  - Dense: []\n", "[]"),
    ("  - Dense: 1\n    nam: x\n", "nam"), ("  - Dense: {units: 1, activation: rellu}\n", "rellu"),
    ("  - Conv2D: {filters: 1, kernel_size: 3, padding: sam}\n", "sam"),
    ("  - Dense: 1\ncompile: {optimzer: adam}\n", "optimzer"), ("  - Dense: 1\ncompile: {optimizer: {Adam: {lr: 1}}}\n", "lr"),
    ("  - Dense: 1\nfit: {epochs: 1.5}\n", "1.5"), ("  - Dense: 1\nfit: {callbacks: [EarlyStoping]}\n", "EarlyStoping"), ("  - Dense: 1\ndat: {}\n", "dat"),
    ("  - Dense: 1\ndata: {source: a.csv, features: {x: {kin: number}}}\n", "kin"), ("  - Own\ndefine: {Own: {cal: x}}\n", "cal"),
])  # fmt: skip
def test_mistakes_that_are_found(validator, text, word):
    found = wrong(validator, HEAD + text)
    assert found and any(word in message for message in found)


def test_what_the_schema_refuses_layerctl_refuses_too(validator):
    """Whatever is wrong in an editor is wrong when it is built: the corpus of failing files, and no false alarm among the others."""
    seen = 0
    for case in sorted((ROOT / "tests" / "failing").glob("*/*/expected.txt")):
        try:
            plain = loads((case.parent / "model.yaml").read_text()).plain()
        except (LayerctlError, UnicodeDecodeError, FileNotFoundError):
            continue
        if list(validator.iter_errors(plain)):
            seen += 1
            assert "exit 2" in case.read_text(), case
    assert seen >= 25
