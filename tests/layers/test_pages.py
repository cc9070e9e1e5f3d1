"""Each layer's page is a specification: its YAML blocks are run, and compared with Keras on JAX.

A block has `input` (a shape with the batch, a list of shapes, or {shape, dtype, high, mask} or {texts}), `layer`, and what is expected of it:
`output` (shape or shapes), `parameters`, or `error`. `training: true` runs it in training; `extra` gives tensors of the call.
"""

import re
from pathlib import Path

import numpy as np
import pytest

from layerctl.catalogue import catalogue
from layerctl.diagnostics import Problems
from layerctl.layers.base import Layer
from layerctl.ops.value import ShapeError
from layerctl.source.document import Mapping
from layerctl.source.read import loads
from layerctl.spec.construct import entry

HERE = Path(__file__).parent
BLOCK = re.compile(r"```yaml\n(.*?)```", re.DOTALL)
NO_TWIN = {"Lambda", "Input", "StackedRNNCells"}
"""Layers that are compared otherwise: Keras's Lambda takes a Python function; Input computes nothing; stacked cells are run through RNN."""


def blocks():
    for page in sorted(HERE.glob("*.md")):
        for i, match in enumerate(BLOCK.finditer(page.read_text())):
            yield pytest.param(match[1], id=f"{page.stem}-{i}")


def used_in(text):
    return {name for name in catalogue("layers") if re.search(rf"\b{name}\b", text)}


def test_every_layer_has_a_page():
    seen = set().union(*(used_in(p.values[0]) for p in blocks()))
    assert set(catalogue("layers")) - seen == set()


def array_of(spec, i):
    spec = spec if isinstance(spec, dict) else {"shape": spec}
    if "texts" in spec:
        from layerctl.ops.texts import packed

        return packed(spec["texts"]), None
    rng = np.random.default_rng(i)
    shape = spec["shape"]
    if spec.get("dtype") == "int32":
        x = rng.integers(0, spec.get("high", 10), shape).astype(np.int32)
    else:
        x = rng.standard_normal(shape).astype(np.float32)
        if spec.get("zero_steps"):
            x[:, -1] = 0
            x[0, 1] = 0
    mask = None
    if spec.get("mask"):
        mask = rng.random(shape[:2]) > 0.3
        mask[:, 0] = True
    return x, mask


def as_list(spec):
    many = isinstance(spec, list) and spec and not isinstance(spec[0], int)
    return spec if many else [spec]


def extra_of(spec):
    """A tensor for a shape, a list of them for a list of shapes, a flag for itself."""
    if isinstance(spec, bool):
        return spec
    made = [array_of(s, 7 + i)[0] for i, s in enumerate(as_list(spec))]
    if isinstance(spec, dict):
        return made[0] > 0 if spec.get("bool") else made[0]
    return made if isinstance(spec[0], (list, dict)) else made[0]


@pytest.mark.parametrize("text", list(blocks()))
def test_block(text):
    from parity import Ours, compare

    document = loads(text, "page")
    plain = document.plain()
    problems = Problems()
    assert isinstance(document.root, Mapping)
    layer = entry("layers", document.root.get("layer"), problems)
    if problems.errors:
        assert problems.errors[0].message + f" [{problems.errors[0].code}]" == plain.get("error")
        return
    pairs = [array_of(s, i) for i, s in enumerate(as_list(plain["input"]))]
    inputs, masks = [p[0] for p in pairs], [p[1] for p in pairs]
    extra = {k: extra_of(v) for k, v in plain.get("extra", {}).items()}
    training = plain.get("training", False)
    if "error" in plain:
        with pytest.raises(ShapeError) as caught:
            Ours(layer, inputs, masks, training, extra)
        assert str(caught.value) == plain["error"]
        return
    alone = type(layer).__name__ in NO_TWIN or plain.get("keras") is False
    ours = Ours(layer, inputs, masks, training, extra) if alone else compare(layer, inputs, masks, training, extra)
    shapes = [list(r.shape) for r in ours.results]
    assert shapes == as_list(plain["output"]) or shapes[0] == plain["output"]
    if "parameters" in plain:
        assert ours.parameters == plain["parameters"]


def test_a_difference_is_noticed():
    from parity import close

    with pytest.raises(AssertionError, match="differs by"):
        close("planted", np.array([1.0, 2.0]), np.array([1.0, 2.001]))
    with pytest.raises(AssertionError, match="shape"):
        close("planted", np.zeros(2), np.zeros(3))


def test_a_layer_without_a_page_is_noticed():
    assert used_in("layer: {Dense: 3}") == {"Dense"}
    assert issubclass(catalogue("layers").get("Dense"), Layer)
