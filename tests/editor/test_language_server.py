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


@pytest.mark.parametrize("config", sorted((ROOT / "configs").glob("*.yaml")), ids=lambda p: p.stem)
def test_configs_have_no_mistakes(server, config):
    assert server.diagnostics(f"{modeline()}\n{config.read_text()}") == []
