"""Whole models trained by both: the same start, twenty steps on the same batches, every weight compared by name."""

import sys
from pathlib import Path

import keras
import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parent))

import architectures
from saved import imported, outputs, rows, shaken

import layerctl
from layerctl.catalogue import catalogue

STEPS, BATCH = 20, 4
LEFT_OUT = {
    "cross_attention", "explicit_mask", "masked_convolution", "parts", "deep", "gates", "routing", "patches", "keeping_states", "mixed_columns", "mirrored",
}
"""Models that are there for the file format; all that the others have is trained."""


def without_noise(model):
    """The model with every dropout off: noise is drawn differently."""
    for layer in model._flatten_layers():
        for name in {"rate", "dropout", "recurrent_dropout", "_dropout"} & vars(layer).keys():
            setattr(layer, name, 0.0)
    return model


def trained_by_both(model, folder, optimizer, loss="mse"):
    """(our weights, Keras's weights) by path after the steps."""
    shaken(without_noise(model))
    model.compile(optimizer, loss=loss)
    x = [np.concatenate([rows(model, BATCH, seed=s)[i] for s in range(STEPS)]) for i in range(len(model.inputs))]
    rng = np.random.default_rng(5)
    y = [rng.random(np.asarray(o).shape).astype(np.float32) for o in outputs(model.predict(x if len(x) > 1 else x[0], verbose=0))]
    (folder / "start").mkdir()
    imported(model, folder / "start")
    ours = layerctl.load(folder / "start" / "model.safetensors")
    fit = ours.spec.fit
    fit.epochs, fit.batch_size, fit.shuffle, fit.callbacks = 1, BATCH, False, []
    ours.fit(dict(zip(ours.graph.inputs, x, strict=True)), dict(zip(ours.graph.outputs, y, strict=True)))
    for i in range(STEPS):
        at = slice(i * BATCH, (i + 1) * BATCH)
        some = [a[at] for a in x]
        model.train_on_batch(some if len(some) > 1 else some[0], [a[at] for a in y] if len(y) > 1 else y[0][at])
    (folder / "end").mkdir()
    imported(model, folder / "end")
    theirs = layerctl.load(folder / "end" / "model.safetensors")
    return ours.weights, theirs.weights


def compare(ours, theirs):
    assert ours.keys() == theirs.keys()
    worst = {p: float(np.abs(ours[p] - theirs[p]).max(initial=0.0)) for p in ours}
    far = {p: w for p, w in worst.items() if not w <= 1e-4}
    assert not far, far


@pytest.mark.parametrize("make", [f for f in architectures.ALL if f.__name__ not in LEFT_OUT], ids=lambda f: f.__name__)
def test_architectures(make, tmp_path):
    compare(*trained_by_both(make(), tmp_path, keras.optimizers.SGD(0.01, momentum=0.9)))


@pytest.mark.parametrize("masked", [False, True])
def test_each_step_has_its_own_batch_statistics(masked, tmp_path):
    inner = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3), keras.layers.BatchNormalization(momentum=0.5)])
    layers = [keras.layers.Masking()] * masked + [keras.layers.TimeDistributed(inner if not masked else inner.layers[-1])]
    compare(*trained_by_both(keras.Sequential([keras.Input((5, 4 - masked)), *layers]), tmp_path, keras.optimizers.SGD(0.01)))


@pytest.mark.parametrize("frozen", [False, True])
def test_a_normalized_kernel_is_trained(frozen, tmp_path):
    first = keras.layers.SpectralNormalization(keras.layers.Conv1D(3, 2, trainable=not frozen))
    model = keras.Sequential([keras.Input((5, 2)), first, keras.layers.Flatten(), keras.layers.SpectralNormalization(keras.layers.Dense(2))])
    compare(*trained_by_both(model, tmp_path, keras.optimizers.Adam(0.01)))


def small():
    return keras.Sequential([keras.Input((5,)), keras.layers.Dense(6, activation="tanh"), keras.layers.Dense(2)])


@pytest.mark.parametrize("name", list(catalogue("optimizers")))
def test_optimizers(name, tmp_path):
    compare(*trained_by_both(small(), tmp_path, getattr(keras.optimizers, name)(0.01)))


SCHEDULES = {
    "ExponentialDecay": (0.1, 5, 0.7), "InverseTimeDecay": (0.1, 5, 0.7), "PolynomialDecay": (0.1, 7), "CosineDecay": (0.1, 15),
    "CosineDecayRestarts": (0.1, 6), "PiecewiseConstantDecay": ([4, 10], [0.1, 0.05, 0.01]),
}  # fmt: skip


@pytest.mark.parametrize("name", list(catalogue("schedules")))
def test_schedules(name, tmp_path):
    rate = getattr(keras.optimizers.schedules, name)(*SCHEDULES[name])
    compare(*trained_by_both(small(), tmp_path, keras.optimizers.SGD(rate)))


@pytest.mark.parametrize("loss", ["huber", "log_cosh", "poisson"])
def test_losses(loss, tmp_path):
    model = keras.Sequential([keras.Input((5,)), keras.layers.Dense(6, activation="tanh"), keras.layers.Dense(2, activation="softplus")])
    compare(*trained_by_both(model, tmp_path, keras.optimizers.Adam(0.01), loss))
