"""Inputs and outputs that are mappings: Keras's users feed them and find them by their keys, and Keras puts them into the keys' order."""

import keras
import numpy as np
import pytest
from keras import layers as L
from saved import close, imported, rows, shaken

from layerctl.api import load
from layerctl.diagnostics import LayerctlError


def keyed():
    first, second = keras.Input((5,), name="first"), keras.Input((4,), name="second")
    x = L.Add()([L.Dense(3)(first), L.Dense(3)(second)])
    outputs = {"y": L.Dense(3, name="n1")(x), "b": L.Dense(3, activation="softmax", name="n2")(x), "n1": L.Dense(2, name="n3")(x)}
    return keras.Model({"zz": first, "aa": second}, outputs)


def test_the_keys_are_the_names(tmp_path):
    model = shaken(keyed())
    model.compile("adam", {"y": "mse", "b": "categorical_crossentropy"}, metrics={"b": "accuracy", "y": ["mae"]}, loss_weights={"y": 0.5, "b": 2.0})
    done = imported(model, tmp_path)
    rng = np.random.default_rng(0)
    x = {"zz": rng.standard_normal((6, 5)).astype(np.float32), "aa": rng.standard_normal((6, 4)).astype(np.float32)}
    y = {"y": rng.random((6, 3)).astype(np.float32), "b": np.eye(3, dtype=np.float32)[[0, 1, 2, 0, 1, 2]]}
    theirs = model.predict_on_batch(x)
    with load(done.model) as ours:
        found = ours.predict(x)
        assert set(found) == {"y", "b", "n3"}  # a layer is called n1 already
        for key, value in found.items():
            close(value, theirs[{"n3": "n1"}.get(key, key)], key)
        told = model.evaluate(x, {**y, "n1": np.zeros((6, 2), np.float32)}, verbose=0, return_dict=True)
        assert ours.evaluate(x, y) == pytest.approx(told, rel=1e-5)


def within(give):
    """A model of which another takes the results by their keys."""
    a, b = keras.Input((5,), name="a"), keras.Input((5,), name="b")
    inner = keras.Model({"second": a, "first": b}, {"p": L.Dense(3)(a), "b": L.Dense(3)(b)}, name="inner")
    x, z = keras.Input((5,)), keras.Input((5,))
    results = inner(give(x, z))
    return keras.Model([x, z], L.Concatenate()([results["p"], results["b"] * 2.0]))


def test_a_model_within_takes_and_gives_by_keys(tmp_path):
    model = shaken(within(lambda x, z: {"second": x, "first": z}))
    x = rows(model)
    with load(imported(model, tmp_path).model) as ours:
        close(ours.predict(dict(zip(ours.graph.inputs, x, strict=True))), model.predict_on_batch(x))


def test_an_input_that_a_call_leaves_out_is_named(tmp_path):
    model = within(lambda x, z: {"second": x, "first": z})
    text = model.to_json().replace('{"second": {"class_name"', '{"other": {"class_name"')
    (tmp_path / "m.json").write_text(text)
    from layerctl.importing.keras import import_model

    with pytest.raises(LayerctlError) as refused:
        import_model(tmp_path / "m.json", tmp_path / "m.yaml")
    assert "is called with 'other', 'first', and takes 'second' too" in refused.value.diagnostics[0].message
