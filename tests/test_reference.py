"""The generated reference has a page for every name, with its arguments and examples."""

from pathlib import Path

from layerctl.catalogue import catalogue
from layerctl.commands.layers import KINDS
from layerctl.commands.reference import write


def test_pages_for_every_name(tmp_path):
    written = write(tmp_path, Path(__file__).parent / "layers")
    assert len(written) == 1 + sum(len(list(catalogue(kind))) for kind in KINDS)
    dense = (tmp_path / "layer-Dense.md").read_text()
    assert "| `units` | `required` |" in dense and "layer: {Dense: {units: 5, activation: relu}}" in dense
    assert "- [Adam](optimizer-Adam.md)" in (tmp_path / "index.md").read_text()
    for path in written[:-1]:
        assert path.read_text().splitlines()[2].endswith((".", ":")), f"{path.name} says nothing"
