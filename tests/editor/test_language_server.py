"""What an editor shows: completion, hover and mistakes by yaml-language-server, through the first line that a file begins with."""

from pathlib import Path

import pytest
from language_server import Server

from layerctl.commands.schema import modeline

ROOT = Path(__file__).parents[2]
HEAD = f"{modeline()}\nlayerctl: 1\nmodel:\n  - Input: {{shape: [4]}}\n"


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    running = Server(tmp_path_factory.mktemp("editor"))
    yield running
    running.close()


@pytest.mark.parametrize(("text", "labels"), [
    ("  - |", {"Dense", "Conv2D", "Flatten", "from", "use"}),
    ("  - Dense:\n      |", {"units", "activation", "kernel_initializer"}),
    ("  - Dense: {units: 3, a|}", {"activation", "use_bias"}),
    ("  - Dense: {units: 3, activation: |}", {"relu", "softmax"}),
    ("  - Dense: 3\n    |", {"name", "from", "repeat"}),
    ("  - Dense: 3\n|", {"compile", "data", "fit", "define", "include"}),
    ("  - Dense: 3\ncompile:\n  |", {"optimizer", "loss", "metrics"}),
    ("  - Dense: 3\ncompile:\n  optimizer: |", {"Adam", "SGD"}),
    ("  - Dense: 3\ncompile:\n  optimizer:\n    Adam:\n      |", {"learning_rate", "beta_1"}),
    ("  - Dense: 3\ncompile:\n  loss: |", {"mse", "sparse_categorical_crossentropy"}),
    ("  - Dense: 3\nfit:\n  callbacks:\n    - |", {"EarlyStopping", "ModelCheckpoint"}),
    ("  - Dense: 3\ndata:\n  features:\n    x:\n      kind: |", {"number", "category", "text"}),
])  # fmt: skip
def test_completion_offers_names_and_arguments(server, text, labels):
    found = server.completions(HEAD + text)
    assert labels <= found.keys()


def test_completion_has_descriptions(server):
    assert "over the last dimension" in server.completions(HEAD + "  - |")["Dense"]
    assert "size of the result's last dimension" in server.completions(HEAD + "  - Dense:\n      |")["units"]


@pytest.mark.parametrize(("text", "words"), [
    ("  - De|nse: 3\n", "over the last dimension"), ("  - Fla|tten\n", "All dimensions but the batch as one"),
    ("  - Dense: {un|its: 3}\n", "The size of the result"),
    ("  - Dense: {units: 3, activation: sof|tmax}\n", "exp"), ("  - Dense: 3\ncompile: {loss: ms|e}\n", "y\\_true"),
    ("  - Dense: 3\nf|it: {epochs: 3}\n", "in what pieces training goes on"),
    ("  - Dense: 3\nfit: {epo|chs: 3}\n", "Passes over the training rows"), ("  - Dense: 3\n    na|me: x\n", "The name of the result"),
])  # fmt: skip
def test_hover_shows_what_it_is(server, text, words):
    assert words in server.hover(HEAD + text)


@pytest.mark.parametrize(("text", "line", "character", "words"), [
    ("  - Dense: {unit: 3}\n", 4, 12, "unit is not allowed"), ("  - Dense: {units: many}\n", 4, 19, "a whole number"), ("  - Dense: 0\n", 4, 11, "minimum"),
    ("  - Dens: 3\n", 4, 4, "Dense"), ("  - Dense: {units: 3, activation: rellu}\n", 4, 34, "relu"), ("  - Dense: 3\n    nam: x\n", 5, 4, "nam is not allowed"),
    ("  - Dense: 3\ncompile: {optimizer: {Adam: {lr: 1}}}\n", 5, 29, "lr is not allowed"), ("  - Dense: 3\nfit: {epochs: 1.5}\n", 5, 14, ""),
])  # fmt: skip
def test_a_mistake_is_shown_at_its_place(server, text, line, character, words):
    found = {(d["range"]["start"]["line"], d["range"]["start"]["character"]): d["message"] for d in server.diagnostics(HEAD + text)}
    assert (line, character) in found and words in found[line, character]


@pytest.mark.parametrize("text", [
    "  - Dense: {units: {search: [16, 256], scale: log, default: 64}, activation: {search: {choices: [relu, tanh]}}}\n", "  - Dropout: {search: [0.0, 0.5]}\n",
    "  - {search: {choices: [{Dense: 3}, Flatten]}}\n", "  - Dense: 3\n    repeat: {search: [1, 4]}\n",
    "  - Dense: 3\ncompile:\n  optimizer:\n    search:\n      choices: [{Adam: {learning_rate: {search: [1e-4, 0.1], scale: log}}}, SGD]\n",
    "  - Dense: 3\ncompile: {loss: {search: {choices: [mse, mae]}}}\nfit: {batch_size: {search: [8, 32], step: 8}}\n",
])  # fmt: skip
def test_ranges_of_a_search_are_no_mistakes(server, text):
    assert server.diagnostics(HEAD + text) == []


@pytest.mark.parametrize(("text", "line", "character", "words"), [
    ("  - Dense: {units: {search: [16]}}\n", 4, 28, "too few"), ("  - Dense: {units: {search: [1, 2], scal: log}}\n", 4, 36, "scal is not allowed"),
    ("  - Dense: {units: {search: [1, 2], scale: lg}}\n", 4, 43, "log"), ("  - Dense: {search: {choises: [1, 2]}}\n", 4, 21, "choises is not allowed"),
])  # fmt: skip
def test_a_mistake_in_a_range_is_shown_at_its_place(server, text, line, character, words):
    found = {(d["range"]["start"]["line"], d["range"]["start"]["character"]): d["message"] for d in server.diagnostics(HEAD + text)}
    assert (line, character) in found and words in found[line, character]


def test_a_range_is_completed_and_explained(server):
    assert {"scale", "step", "default"} <= server.completions(HEAD + "  - Dense:\n      units:\n        search: [1, 2]\n        |").keys()
    assert "factors count" in server.hover(HEAD + "  - Dense: {units: {search: [1, 2], sca|le: log}}\n")


@pytest.mark.parametrize("config", sorted((ROOT / "configs").glob("*.yaml")), ids=lambda p: p.stem)
def test_configs_have_no_mistakes(server, config):
    assert server.diagnostics(f"{modeline()}\n{config.read_text()}") == []
