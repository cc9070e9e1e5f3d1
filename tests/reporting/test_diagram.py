"""The model's picture: every layer has a box, boxes do not overlap, lines lead from a rank to the next."""

import re
from pathlib import Path

import pytest

from layerctl import Model
from layerctl.reporting.diagram import MOST, blocks_of, diagram, nodes_of

ROOT = Path(__file__).parents[2]


def boxes(svg):
    found = re.findall(r'<g class="box (\w+)"><title>([^<]*)</title><rect x="([-\d.]+)" y="([-\d.]+)" width="(\d+)" height="(\d+)"', svg)
    return [(k, t, float(x), float(y), float(w), float(h)) for k, t, x, y, w, h in found]


def apart(placed):
    for i, (*_, x, y, w, h) in enumerate(placed):
        for *_, x2, y2, w2, h2 in placed[:i]:
            assert x + w <= x2 or x2 + w2 <= x or y + h <= y2 or y2 + h2 <= y


def drawn(model):
    svg = diagram(model.graph)
    found = boxes(svg)
    width, height = map(float, re.search(r'viewBox="0 0 (\d+) (\d+)"', svg).groups())
    assert all(x >= 0 and x + w <= width + 1 and y >= 0 and y + h <= height for *_, x, y, w, h in found)
    apart(found)
    return svg, found


@pytest.mark.parametrize("config", ["iris", "digits", "two-headed", "residual", "rows"])
def test_every_layer_has_a_box(config):
    model = Model.from_yaml(ROOT / "configs" / f"{config}.yaml")
    _, found = drawn(model)
    assert len(found) == len(model.graph.inputs) + len(model.graph.steps)
    for node in nodes_of(model.graph):
        assert any(f"{node.kind} {node.name}" in title for _, title, *_ in found)


def test_branches_stand_side_by_side_and_join():
    svg, found = drawn(Model.from_yaml(ROOT / "configs" / "two-headed.yaml"))
    place = {title.split()[1].rstrip(","): (x, y) for _, title, x, y, *_ in found}
    assert len({y for n in ("acids", "phenols", "colour") if (y := place[n][1]) is not None}) == 1
    assert place["cultivar"][1] == place["strength"][1] > place["all"][1] > place["chemistry"][1]
    assert svg.count("class=wire") >= 8


def test_blocks_have_pictures_of_their_own():
    model = Model.from_yaml(ROOT / "configs" / "residual.yaml")
    blocks = blocks_of(model.graph)
    assert list(blocks) == ["Residual"]
    found = boxes(diagram(blocks["Residual"]))
    assert len(found) == 1 + 8 and any("shortcut" in t for _, t, *_ in found)
    apart(found)


def test_long_models_are_cut_in_the_middle():
    layers = "".join(f"  - Dense: {{units: 4}}\n    name: d{i}\n" for i in range(300))
    model = Model.from_yaml(f"layerctl: 1\nmodel:\n  - Input: {{shape: [4]}}\n{layers}")
    _, found = drawn(model)
    assert len(found) == MOST + 1 and any("181 more layers" in t for _, t, *_ in found)
