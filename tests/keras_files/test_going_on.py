"""Training that Keras began and layerctl goes on with: what the optimizer has gathered comes out of the file."""

import keras
import numpy as np
import pytest
from keras import layers as L
from keras import optimizers
from saved import imported, shaken

from layerctl.api import Model, load
from layerctl.diagnostics import LayerctlError
from layerctl.importing.keras import import_model

BATCH = 4
OPTIMIZERS = {
    "SGD on a schedule": lambda: optimizers.SGD(optimizers.schedules.ExponentialDecay(0.1, 1, 0.7), momentum=0.9),
    "Adam": lambda: optimizers.Adam(0.01, amsgrad=True),
    "Nadam": lambda: optimizers.Nadam(0.01),
    "RMSprop": lambda: optimizers.RMSprop(0.01, momentum=0.5, centered=True),
    "Adafactor": lambda: optimizers.Adafactor(0.01),
    "Muon": lambda: optimizers.Muon(0.01),
    "means and sums": lambda: optimizers.Adam(0.01, use_ema=True, ema_momentum=0.8, gradient_accumulation_steps=2),
}


def branches():
    """Layers that Keras lists in another order than they were made, one of them frozen."""
    x = keras.Input((5,), name="x")
    last = L.Dense(3, name="last")
    still = L.Dense(4, name="still", trainable=False)
    tower = keras.Sequential([keras.Input((5,)), L.Dense(4, activation="tanh"), L.BatchNormalization(), L.Dense(4)], name="tower")
    a = L.Dense(4, name="b")(L.Dense(4, name="a", activation="tanh")(still(tower(x))))
    return keras.Model(x, last(L.Add()([a, L.Dense(4, name="short")(x)])))


def rows(n, seed=0):
    rng = np.random.default_rng(seed)
    return rng.standard_normal((n, 5)).astype(np.float32), rng.standard_normal((n, 3)).astype(np.float32)


def begun(optimizer, make=branches, steps=3):
    model = shaken(make())
    model.compile(optimizer, "mse")
    x, y = rows(steps * BATCH)
    for i in range(0, len(x), BATCH):
        model.train_on_batch(x[i : i + BATCH], y[i : i + BATCH])
    return model


def gone_on(model, x, y, folder):
    """Keras's weights after further steps, by layerctl's names."""
    for i in range(0, len(x), BATCH):
        model.train_on_batch(x[i : i + BATCH], y[i : i + BATCH])
    model.optimizer.finalize_variable_values(model.trainable_variables)
    folder.mkdir()
    with load(imported(model, folder).model) as end:
        return end.weights


def in_order(model):
    model.spec.fit.epochs, model.spec.fit.batch_size, model.spec.fit.shuffle = 1, BATCH, False
    return model


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_an_optimizer_goes_on(name, tmp_path):
    model = begun(OPTIMIZERS[name]())
    done = imported(model, tmp_path)
    assert not done.warnings
    x, y = rows(3 * BATCH, 1)
    with in_order(load(done.model)) as ours:
        taken = []
        ours.fit(x, y, on_trainer=taken.append)
        theirs = gone_on(model, x, y, tmp_path / "end")
        assert taken[0].steps_done() == 6
        for path, value in theirs.items():
            np.testing.assert_allclose(ours.weights[path], value, atol=2e-5, err_msg=path)
        assert not ours.gathered


def test_an_older_file_and_one_number_of_steps_more(tmp_path):
    model = begun(optimizers.Adam(0.01))
    with in_order(load(imported(model, tmp_path, ".h5").model)) as ours:
        x, y = rows(3 * BATCH, 1)
        assert ours.fit(x, y, max_steps=2).reason == "steps"
        theirs = gone_on(model, x[: 2 * BATCH], y[: 2 * BATCH], tmp_path / "end")
        for path, value in theirs.items():
            np.testing.assert_allclose(ours.weights[path], value, atol=2e-5, err_msg=path)


def test_a_file_that_starts_from_it(tmp_path):
    model = begun(optimizers.Adam(0.01))
    done = imported(model, tmp_path)
    text = done.yaml.read_text() + "fit: {epochs: 1, batch_size: 4, shuffle: false, weights: {file: model.safetensors, optimizer: true}}\n"
    (tmp_path / "on.yaml").write_text(text)
    x, y = rows(3 * BATCH, 1)
    with Model.from_yaml(tmp_path / "on.yaml") as ours:
        ours.fit(x, y)
        theirs = gone_on(model, x, y, tmp_path / "end")
        for path, value in theirs.items():
            np.testing.assert_allclose(ours.weights[path], value, atol=2e-5, err_msg=path)
        ours.save(tmp_path / "later.safetensors")
    for file, optimizer, code in (("model", "rmsprop", "foreign-checkpoint"), ("model", "nadam", "foreign-checkpoint"), ("later", "adam", "missing-weight")):
        (tmp_path / "on.yaml").write_text(text.replace("model.safetensors", f"{file}.safetensors"))
        with Model.from_yaml(tmp_path / "on.yaml", overrides=[f"compile.optimizer={optimizer}"]) as other:
            with pytest.raises(LayerctlError) as refused:
                other.fit(x, y)
            found = refused.value.diagnostics[0]
            assert (found.code, found.span is not None, found.hint is not None) == (code, True, True)


def test_what_does_not_fit_the_file_is_left(tmp_path):
    model = begun(optimizers.Adam(0.01))
    model.get_layer("short").trainable = False
    done = imported(model, tmp_path)
    assert ["the optimizer's state after 3 steps stays in the file" in d.message for d in done.warnings] == [True]
    with load(done.model) as ours:
        assert not ours.gathered


def test_a_loss_scale_and_weights_of_sixteen_bits(tmp_path):
    model = keras.Sequential([keras.Input((5,)), L.Dense(3, dtype="bfloat16")])
    model.compile(optimizers.LossScaleOptimizer(optimizers.Adam(0.02)), "mse", metrics=[keras.metrics.MeanAbsoluteError(name="far-off")])
    model.save(tmp_path / "a.keras")
    done = import_model(tmp_path / "a.keras", tmp_path / "a.yaml")
    assert ["bfloat16" in d.message for d in done.warnings] == [True]
    x, y = rows(4)
    with load(done.model) as ours:
        assert ours.optimizer.learning_rate == 0.02
        for path, value in zip(ours.weights, model.weights, strict=True):
            np.testing.assert_array_equal(ours.weights[path], np.asarray(value, np.float32))
        assert "far-off" in ours.evaluate(x, y)
