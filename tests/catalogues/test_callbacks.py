"""Callbacks decide as Keras's do, epoch by epoch, and keep what a resumed run needs."""

import keras
import numpy as np
import pytest

from layerctl.callbacks.checkpoints import ModelCheckpoint
from layerctl.callbacks.stopping import EarlyStopping, ReduceLROnPlateau
from layerctl.catalogue import catalogue

RNG = np.random.default_rng(2)
SERIES = [list(np.round(np.abs(RNG.standard_normal(30)).cumsum()[::-1] * 0.1 + RNG.standard_normal(30) * 0.05, 3)) for _ in range(4)]


class Watched:
    """A trainer and a Keras model in one, without the training."""

    def __init__(self):
        self.stop_reason, self.rate, self.saved, self.given, self.said = None, 0.1, [], None, []
        self.stop_training = False
        self.optimizer = self

    learning_rate = property(lambda self: self._rate_of(), lambda self, v: setattr(self, "rate", float(v)))

    def _rate_of(self):
        return _Rate(self)

    def set_learning_rate(self, rate):
        self.rate = rate

    def weights(self):
        return {"w": np.array(self.now)}

    def get_weights(self):
        return [np.array(self.now)]

    def set_weights(self, weights):
        self.given = float(weights["w"] if isinstance(weights, dict) else weights[0])

    def save_model(self, path):
        self.saved.append(path)

    def say(self, text):
        self.said.append(text)


class _Rate:
    """The rate as a call (ours) and as a variable (Keras's)."""

    def __init__(self, owner):
        self.owner = owner

    def __call__(self):
        return self.owner.rate

    def __array__(self, dtype=None, copy=None):
        return np.array(self.owner.rate, dtype)


def ours(callback, series, halfway=None):
    trainer, rates = Watched(), []
    callback.on_train_begin(trainer)
    for epoch, value in enumerate(series):
        trainer.now = epoch
        if epoch == halfway:
            state = dict(callback.state)
            callback = type(callback)(**{n: getattr(callback, n) for n in type(callback).model_fields})
            callback.load_state(state)
        callback.on_epoch_end(trainer, epoch, {"val_loss": value})
        rates.append(trainer.rate)
        if trainer.stop_reason:
            break
    callback.on_train_end(trainer)
    return len(rates), rates, trainer.given


def theirs(callback, series):
    model, rates = Watched(), []
    callback.set_model(model)
    callback.on_train_begin()
    for epoch, value in enumerate(series):
        model.now = epoch
        callback.on_epoch_end(epoch, {"val_loss": value})
        rates.append(model.rate)
        if model.stop_training:
            break
    callback.on_train_end()
    return len(rates), rates, model.given


@pytest.mark.parametrize("arguments", [
    {"patience": 3}, {"patience": 0}, {"patience": 2, "min_delta": 0.1}, {"patience": 2, "restore_best_weights": True},
    {"patience": 3, "start_from_epoch": 4, "restore_best_weights": True}, {"patience": 3, "baseline": 0.5}, {"patience": 2, "mode": "max"},
])  # fmt: skip
def test_early_stopping(arguments):
    for series in SERIES:
        expected = theirs(keras.callbacks.EarlyStopping(**arguments), series)
        assert ours(EarlyStopping(**arguments), series) == expected
        assert ours(EarlyStopping(**arguments), series, halfway=3) == expected


@pytest.mark.parametrize("arguments", [{"patience": 2}, {"patience": 1, "factor": 0.5, "cooldown": 2}, {"patience": 2, "min_lr": 0.03, "min_delta": 0.2}])
def test_reduce_on_plateau(arguments):
    for series in SERIES:
        expected = theirs(keras.callbacks.ReduceLROnPlateau(**arguments), series)[1]
        assert ours(ReduceLROnPlateau(**arguments), series)[1] == pytest.approx(expected)
        assert ours(ReduceLROnPlateau(**arguments), series, halfway=4)[1] == pytest.approx(expected)


def test_model_checkpoint_writes_the_better_ones():
    trainer = Watched()
    callback = ModelCheckpoint(filepath="best-{epoch:02d}-{val_loss:.1f}", save_best_only=True)
    for epoch, value in enumerate([3.0, 4.0, 2.0]):
        callback.on_epoch_end(trainer, epoch, {"val_loss": value})
    assert trainer.saved == ["best-01-3.0.safetensors", "best-03-2.0.safetensors"]
    for bad in ("/etc/x", "../x", "a/../../x", "", "{0}"):
        with pytest.raises(ValueError, match="filepath"):
            ModelCheckpoint(filepath=bad)


def test_every_callback_is_tested_here():
    assert set(catalogue("callbacks")) == {"EarlyStopping", "ReduceLROnPlateau", "ModelCheckpoint", "TerminateOnNaN"}
