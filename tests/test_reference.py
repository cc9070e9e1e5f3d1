"""The generated reference has a page for every name, with its arguments and examples."""

import re
from pathlib import Path

import pytest

from layerctl.catalogue import catalogue
from layerctl.commands.examples import CASES, cases, example_of
from layerctl.commands.examples import write as write_examples
from layerctl.commands.layers import KINDS, page_of
from layerctl.commands.reference import write


def test_pages_for_every_name(tmp_path):
    written = write(tmp_path, Path(__file__).parent / "layers")
    assert len(written) == 1 + sum(len(list(catalogue(kind))) for kind in KINDS)
    dense = (tmp_path / "layer-Dense.md").read_text()
    assert "| `units` | `required` |" in dense and "layer: {Dense: {units: 5, activation: relu}}" in dense
    assert "- [Adam](optimizer-Adam.md)" in (tmp_path / "index.md").read_text()
    for path in written[:-1]:
        assert path.read_text().splitlines()[2].endswith((".", ":")), f"{path.name} says nothing"
        if path.name.startswith("layer-"):
            assert "## Example\n\n```yaml\nlayerctl: 1\nmodel:" in path.read_text() and "| layer | type | output shape | parameters |" in path.read_text()


def test_the_examples_are_cases_of_the_specifications():
    folder = Path(__file__).parent / "layers"
    assert CASES.read_text(encoding="utf-8") == write_examples(folder), "run python -m layerctl.commands.examples tests/layers"
    assert list(cases()) == list(catalogue("layers").entries)


@pytest.mark.parametrize("name", list(catalogue("layers").entries))
def test_every_layer_has_an_example_with_a_summary(name):
    example = example_of(name)
    assert name in example.yaml and len(example.rows) >= 2 - (name == "Input")
    direct = [row for row in example.rows if row[1] == name]
    assert direct or any(f"{outer}:" in example.yaml for outer in ("RNN", "Bidirectional", "TimeDistributed"))


@pytest.mark.parametrize("name", list(catalogue("layers").entries))
def test_a_page_says_formula_shapes_and_arguments(name):
    page = page_of("layers", name)
    assert re.search(r"\bShapes(:| as)", page.text) and page.summary.rstrip().endswith((".", ":", ","))
    for argument in page.arguments:
        assert argument.description, argument.name
