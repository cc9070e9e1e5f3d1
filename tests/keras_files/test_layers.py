"""Each layer's page as models that Keras saves: every case of tests/layers, those of layers that are added later among them."""

import re
from pathlib import Path

import keras
import pytest
from parity import keras_layer, undrawn
from saved import check_both_ways

from layerctl.catalogue import catalogue
from layerctl.diagnostics import Problems
from layerctl.source.read import loads
from layerctl.spec.construct import entry

TESTS = Path(__file__).parents[1]
BLOCK = re.compile(r"```yaml\n(.*?)```", re.DOTALL)
ARGUMENTS = {"Hashing": {"num_bins": 3}, "HashedCrossing": {"num_bins": 3}}
WITHOUT = {"Lambda", "Input"}
"""A Lambda holds a function, which a file of Keras's has as bytecode; Input is part of every model here."""


CELLS = """input: [2, 4, 3]
layer: {RNN: {cell: {StackedRNNCells: {cells: [{GRUCell: 5}, {SimpleRNNCell: {units: 4, use_bias: false}}, {GRUCell: 3}]}}}}
output: [2, 3]
"""
"""Cells that have no case of their own beside Keras."""


def cases():
    yield pytest.param(CELLS, id="cells")
    for page in sorted((TESTS / "layers").glob("*.md")):
        for i, match in enumerate(BLOCK.finditer(page.read_text())):
            plain = loads(match[1], "page").plain()
            if "error" not in plain and plain.get("keras") is not False:
                yield pytest.param(match[1], id=f"{page.stem}-{i}")


def keras_model(text):
    """A functional model of one call of the case's layer; None for a layer that Keras does not build here."""
    document = loads(text, "page")
    plain = document.plain()
    problems = Problems()
    layer = entry("layers", document.root.get("layer"), problems)
    if problems.errors or type(layer).__name__ in WITHOUT:
        return None
    given = plain["input"]
    many = isinstance(given, list) and not isinstance(given[0], int)
    inputs = [port(s, f"x{i}") for i, s in enumerate(given if many else [given])]
    extra = {}
    for key, spec in plain.get("extra", {}).items():
        if isinstance(spec, bool):
            extra[key] = spec
            continue
        listed = isinstance(spec, list) and isinstance(spec[0], (list, dict))
        made = [port(s, f"{key}{i}") for i, s in enumerate(spec if listed else [spec])]
        inputs += made
        extra[key] = made if listed else made[0]
    extra |= {n: getattr(layer, n) for n in getattr(layer, "call_fields", ()) if getattr(layer, n)}
    made = keras_layer(layer)
    tensors = inputs[: len(given) if many else 1]
    spread = (len(tensors) > 1 and not layer.takes_list) or (layer.category == "attention" and not layer.takes_list)
    if spread:
        tensors = tensors if len(tensors) > 1 else [tensors[0], tensors[0]]
        result = made(*tensors, **extra)
    else:
        result = made(tensors if layer.takes_list else tensors[0], **extra)
    return keras.Model(inputs, result), given


def port(spec, name):
    spec = spec if isinstance(spec, dict) else {"shape": spec}
    return keras.Input(spec["shape"][1:], dtype=spec.get("dtype", "bool" if spec.get("bool") else "float32"), name=name)


@pytest.mark.parametrize("text", list(cases()))
def test_case(text, tmp_path):
    try:
        with undrawn():
            made = keras_model(text)
    except ValueError as error:
        assert "`query_shape` and `value_shape` must be equal" in str(error)  # Keras computes this case, but makes no model of it
        return
    if made is None:
        assert any(re.search(rf"\b{n}\b", text) for n in WITHOUT)
        return
    check_both_ways(made[0], tmp_path)


def test_every_layer_has_a_case():
    texts = "\n".join(p.values[0] for p in cases())
    tried = {n for n in catalogue("layers") if re.search(rf"\b{n}\b", texts)}
    for name in set(catalogue("layers")) - tried - {"Input", "RandomCrop"}:  # Keras's RandomCrop does nothing in prediction on JAX
        with pytest.raises(ImportError, match="requires TensorFlow"):  # which is not there for Keras on JAX
            getattr(keras.layers, name)(**ARGUMENTS.get(name, {}))
