"""Layers that take numbers from the training rows: as Keras's `adapt` does, once, before the first step, and kept in the model."""

import keras
import numpy as np
import pytest
from machine import check_gradient, run

import layerctl
from layerctl.diagnostics import LayerctlError
from layerctl.layers.categories import CategoryEncoding, Discretization, boundaries_of
from layerctl.layers.standardizing import Normalization
from layerctl.ops.bins import bins, tally
from layerctl.ops.leaves import constant
from layerctl.ops.value import ShapeError

RNG = np.random.default_rng(6)


def model(*layers, shape=(5,), more=""):
    lines = "\n".join(f"  - {line}" for line in layers)
    text = f"""
layerctl: 1
name: adapting
model:
  - Input: {{shape: {list(shape)}}}
{lines}
  - Flatten
  - Dense: 1
compile: {{optimizer: sgd, loss: mse}}
fit: {{epochs: 2, batch_size: 8}}
{more}"""
    return layerctl.Model.from_yaml(text)


def values(m, x, layer):
    return m.predict(x, layers=(layer,))[layer]


@pytest.mark.parametrize(("shape", "args"), [((5,), {}), ((4, 5), {"axis": 1}), ((4, 5), {"axis": None}), ((4, 5), {"axis": [1, 2]}), ((5,), {"invert": True})])
def test_normalization_as_keras_adapts(shape, args):
    x = (RNG.standard_normal((37, *shape)) * 3 + 5).astype(np.float32)
    y = RNG.standard_normal((37, 1)).astype(np.float32)
    spec = "".join(f", {k}: {'null' if v is None else str(v).lower()}" for k, v in args.items())
    m = model(f"Normalization: {{name: norm{spec}}}", shape=shape)
    m.fit(x, y)
    twin = keras.layers.Normalization(**{k: tuple(v) if isinstance(v, list) else v for k, v in args.items()})
    twin.adapt(x)
    want = np.asarray(twin(x))
    assert np.abs(values(m, x, "norm") - want).max() <= 1e-5 * np.abs(want).max()


def adapt(twin, x):
    """Keras's Discretization.adapt for an array, without its look at TensorFlow's types."""
    twin.reset_state()
    twin.update_state(x)
    twin.finalize_state()


def test_bins_as_keras_adapts(tmp_path):
    x = (RNG.standard_normal((213, 4)) ** 3).astype(np.float32)
    y = RNG.standard_normal((213, 1)).astype(np.float32)
    for num_bins, epsilon in ((5, 0.01), (10, 0.1), (1, 0.01), (3, 0.001)):
        twin = keras.layers.Discretization(num_bins=num_bins, epsilon=epsilon)
        adapt(twin, x)
        np.testing.assert_array_equal(boundaries_of(x, num_bins, epsilon), np.float32(twin.bin_boundaries))
    m = model("Discretization: {name: bins, num_bins: 5, output_mode: one_hot}", shape=(4,))
    m.fit(x, y, run=tmp_path / "run")
    twin = keras.layers.Discretization(num_bins=5, output_mode="one_hot")
    adapt(twin, x)
    np.testing.assert_array_equal(values(m, x, "bins"), np.asarray(twin(x)))
    kept = layerctl.load(tmp_path / "run")
    np.testing.assert_array_equal(values(kept, x, "bins"), np.asarray(twin(x)))


def test_fewer_rows_than_bins():
    layer = Discretization(num_bins=6)
    layer.place("d")
    layer.build((None, 1))
    got = dict(zip(("boundaries", "count"), layer.adapt(np.array([[3.0], [1.0]], np.float32)).values(), strict=True))
    np.testing.assert_array_equal(got["boundaries"], np.float32([1.0, np.inf, np.inf, np.inf, np.inf]))
    assert got["count"] == 2


def test_rows_of_a_second_fit_change_nothing():
    x, y = RNG.standard_normal((20, 5)).astype(np.float32), np.zeros((20, 1), np.float32)
    m = model("Normalization: {name: norm}")
    m.fit(x, y)
    before = values(m, x, "norm")
    m.fit(x * 100 + 3, y)
    np.testing.assert_array_equal(values(m, x, "norm"), before)


def test_behind_another_layer_it_cannot_adapt():
    m = model("Dense: 3", "Normalization: {name: norm}")
    with pytest.raises(LayerctlError, match="stands behind no input"):
        m.fit(np.zeros((4, 5), np.float32), np.zeros((4, 1), np.float32))
    known = model("Dense: 3", "Normalization: {name: norm, mean: 0.0, variance: 1.0}")
    known.fit(np.ones((4, 5), np.float32), np.zeros((4, 1), np.float32))


def test_open_axes_are_refused():
    with pytest.raises(LayerctlError, match="is open: give that dimension a number"):
        layerctl.Model.from_yaml("layerctl: 1\nmodel: [Input: {shape: [null, 3]}, Normalization: {axis: 1}, GlobalAveragePooling1D]").weights  # noqa: B018


def test_weighted_counts():
    ids = np.array([[0, 2, 2, 5], [1, 1, -1, 9]], np.int32)
    weights = RNG.standard_normal((2, 4)).astype(np.float32)
    layer = CategoryEncoding(num_tokens=6, output_mode="count")
    layer.place("c")
    got = run(lambda i, w: layer(i, count_weights=w), ids, weights)[0]
    want = np.asarray(keras.layers.CategoryEncoding(6, "count")(ids, count_weights=weights))
    np.testing.assert_allclose(got, want, rtol=1e-6)
    other = CategoryEncoding(num_tokens=6)
    other.place("c")
    with pytest.raises(ShapeError, match="count_weights is for output_mode count, got multi_hot"):
        run(lambda i, w: other(i, count_weights=w), ids, weights)


def test_bins_and_tallies_as_numpy_has_them():
    edges = np.sort(RNG.standard_normal(17)).astype(np.float32)
    x = np.concatenate([RNG.standard_normal(200), edges, [np.inf, -np.inf, np.nan]]).astype(np.float32)
    np.testing.assert_array_equal(run(lambda v: bins(v, constant(edges)), x)[0], np.searchsorted(edges, x, "right"))
    ids = RNG.integers(-1, 5, (3, 7)).astype(np.int32)
    check_gradient(lambda w: tally(constant(ids, "i32"), w, 4) * 2.0, RNG.standard_normal((3, 7)))


def test_normalization_wants_its_numbers_in_one_shape():
    with pytest.raises(ValueError, match="one shape of at most 1 dimensions"):
        Normalization(mean=[[1.0]], variance=[[1.0]])


def test_a_vocabulary_from_the_training_rows(tmp_path):
    x = RNG.integers(0, 9, (64, 3)).astype(np.int32) * 10
    text = """
layerctl: 1
name: ids
model:
  - Input: {shape: [3], dtype: int32}
  - IntegerLookup: {name: places, max_tokens: 6}
  - Embedding: [6, 2]
  - Flatten
  - Dense: 1
compile: {optimizer: sgd, loss: mse}
fit: {epochs: 1}
"""
    m = layerctl.Model.from_yaml(text.replace("[6, 2]", "{input_dim: 6, output_dim: 2}"))
    m.fit(x, np.zeros((64, 1), np.float32), run=tmp_path / "run")
    values_, counts = np.unique(x, return_counts=True)
    ranked = values_[np.lexsort((values_, counts))[::-1]][:5].tolist()
    wanted = np.array([[ranked.index(v) + 1 if v in ranked else 0 for v in row] for row in x.tolist()])
    np.testing.assert_array_equal(values(m, x, "places"), wanted)
    np.testing.assert_array_equal(values(layerctl.load(tmp_path / "run"), x, "places"), wanted)
