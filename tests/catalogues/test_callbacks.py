"""Callbacks decide as Keras's do, epoch by epoch, and keep what a resumed run needs."""

import keras
import numpy as np
import pytest

from layerctl.callbacks._events import masked_crc
from layerctl.callbacks.checkpoints import BackupAndRestore, ModelCheckpoint
from layerctl.callbacks.logs import CSVLogger, LambdaCallback
from layerctl.callbacks.stopping import EarlyStopping, LearningRateScheduler, ReduceLROnPlateau
from layerctl.catalogue import catalogue
from layerctl.diagnostics import LayerctlError

RNG = np.random.default_rng(2)
SERIES = [list(np.round(np.abs(RNG.standard_normal(30)).cumsum()[::-1] * 0.1 + RNG.standard_normal(30) * 0.05, 3)) for _ in range(4)]


class Watched:
    """A trainer and a Keras model in one, without the training."""

    def __init__(self):
        self.stop_reason, self.rate, self.saved, self.given, self.said = None, 0.1, [], None, []
        self.stop_training, self.epoch, self.files = False, 0, {}
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

    def write(self, path, data, at):
        before = self.files.get(path, b"")
        self.files[path] = (before if at is None else before[:at]) + data
        return len(self.files[path])

    def measured(self):
        return ["loss", "accuracy", "learning_rate"]

    def scheduled(self):
        return False


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
    callback.train_begins(trainer)
    for epoch, value in enumerate(series):
        trainer.now = epoch
        if epoch == halfway:
            state = dict(callback.state)
            callback = type(callback)(**{n: getattr(callback, n) for n in type(callback).model_fields})
            callback.load_state(state)
        callback.epoch_ends(trainer, epoch, {"val_loss": value})
        rates.append(trainer.rate)
        if trainer.stop_reason:
            break
    callback.train_ends(trainer)
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
        callback.epoch_ends(trainer, epoch, {"val_loss": value})
    assert trainer.saved == ["best-01-3.0.safetensors", "best-03-2.0.safetensors"]
    for bad in ("/etc/x", "../x", "a/../../x", "", "{0}"):
        with pytest.raises(ValueError, match="filepath"):
            ModelCheckpoint(filepath=bad)


LOGS = [{"loss": 0.5, "val_loss": 0.7, "accuracy": 0.25}, {"loss": 1e-9, "accuracy": float("nan")}, {"loss": 3.0, "val_loss": 2.0, "accuracy": 1.0}]


@pytest.mark.parametrize("logs", [LOGS, [{"loss": 1.0}, {"loss": 2.0}]])
@pytest.mark.parametrize("separator", [",", ";"])
def test_csv_logger_writes_keras_s_bytes(tmp_path, logs, separator):
    theirs, trainer = keras.callbacks.CSVLogger(tmp_path / "log.csv", separator=separator), Watched()
    callback = CSVLogger(filename="log.csv", separator=separator)
    trainer.files["log.csv"] = b"what an earlier run left"
    theirs.on_train_begin()
    callback.train_begins(trainer)
    for epoch, row in enumerate(logs):
        theirs.on_epoch_end(epoch, row)
        callback.epoch_ends(trainer, epoch, row)
    theirs.on_train_end()
    assert trainer.files["log.csv"] == (tmp_path / "log.csv").read_bytes()


def test_csv_logger_appends_and_goes_on_where_the_checkpoint_left_it():
    trainer = Watched()
    for _ in range(2):
        callback = CSVLogger(filename="log.csv", append=True)
        callback.train_begins(trainer)
        callback.epoch_ends(trainer, 0, {"loss": 1.0})
    assert trainer.files["log.csv"] == b"epoch,loss,val_loss\r\n0,1.0,NA\r\n0,1.0,NA\r\n"
    kept = dict(callback.state)
    callback.epoch_ends(trainer, 1, {"loss": 5.0})
    resumed = CSVLogger(filename="log.csv", append=True)
    resumed.load_state(kept)
    resumed.epoch_ends(trainer, 1, {"loss": 0.5})
    assert trainer.files["log.csv"].endswith(b"0,1.0,NA\r\n1,0.5,NA\r\n") and trainer.files["log.csv"].count(b"\n") == 4


@pytest.mark.parametrize("text, function", [
    ("where(epoch > 3, lr * 0.9, lr)", lambda epoch, lr: lr * 0.9 if epoch > 3 else lr),
    ("lr if epoch < 4 else lr * exp(-0.1)", lambda epoch, lr: lr if epoch < 4 else lr * float(np.exp(-0.1))),
    ("lambda e, rate: 0.1 / sqrt(e + 1)", lambda epoch, lr: 0.1 / float(np.sqrt(epoch + 1))),
])  # fmt: skip
def test_learning_rate_scheduler(text, function):
    trainer, model = Watched(), Watched()
    callback, theirs = LearningRateScheduler(schedule=text, verbose=1), keras.callbacks.LearningRateScheduler(function)
    theirs.set_model(KerasModel(model))
    for epoch in range(8):
        callback.epoch_begins(trainer, epoch)
        theirs.on_epoch_begin(epoch)
        assert trainer.rate == pytest.approx(model.rate, rel=1e-12)
    assert len(trainer.said) == 8


class KerasModel:
    def __init__(self, optimizer):
        self.optimizer = type("Rate", (), {"learning_rate": property(lambda s: optimizer.rate, lambda s, v: setattr(optimizer, "rate", v))})()


@pytest.mark.parametrize("text, word", [
    ("lr * exq(1)", "did you mean 'exp'"), ("epochs + lr", "did you mean 'epoch'"), ("lr *", "'schedule'"), ("__import__('os')", "'schedule'"),
    ("lambda e: e", "arguments"),
])  # fmt: skip
def test_schedules_that_cannot_be(text, word):
    with pytest.raises(ValueError, match=word):
        LearningRateScheduler(schedule=text)


@pytest.mark.parametrize("text", ["1 / epoch", "lr * 1e300 * 1e300", "-lr", "epoch > 1", "log(lr - 1)"])
def test_schedules_that_give_no_rate(text):
    trainer = Watched()
    with pytest.raises(LayerctlError, match="expected a finite number"):
        LearningRateScheduler(schedule=text).epoch_begins(trainer, 0)


def test_lambda_says_texts_and_nothing_else():
    trainer = Watched()
    callback = LambdaCallback(on_epoch_end="{epoch:02d}: {loss:.2f} {{}} {accuracy}", on_train_begin="from {learning_rate:g}", on_train_end="{loss:d}")
    assert callback.objection(trainer) is None and callback.stride() is None
    callback.train_begins(trainer)
    callback.epoch_ends(trainer, 0, {"loss": 0.456})
    callback.train_ends(trainer)
    assert trainer.said == ["from 0.1", "00: 0.46 {} nan", "0"]
    for bad in ("{0}", "{}", "{loss.__class__}", "{loss[0]}", "{loss!r}", "{loss:999999999}", "{loss:{epoch}}", "{loss"):
        with pytest.raises(ValueError, match="on_epoch_end"):
            LambdaCallback(on_epoch_end=bad)
    assert "did you mean 'loss'" in LambdaCallback(on_epoch_end="{los}").objection(trainer)
    assert LambdaCallback(on_train_batch_end="{batch}").stride() == 1


def test_backup_asks_for_checkpoints():
    assert BackupAndRestore(backup_dir="b").saves_each_epoch() and BackupAndRestore(backup_dir="b").drops_checkpoints()
    every = BackupAndRestore(backup_dir="b", save_freq=5, delete_checkpoint=False)
    assert every.stride() == 5 and not every.saves_each_epoch() and not every.drops_checkpoints()
    assert BackupAndRestore(backup_dir="b", save_freq=False).stride() is None
    for bad in (0, True, "batch"):
        with pytest.raises(ValueError, match="save_freq"):
            BackupAndRestore(backup_dir="b", save_freq=bad)


def test_checksums_of_records():
    def unmasked(data):
        rotated = (masked_crc(data) - 0xA282EAD8) & 0xFFFFFFFF
        return (rotated >> 17 | rotated << 15) & 0xFFFFFFFF

    assert unmasked(b"123456789") == 0xE3069283 and unmasked(bytes(32)) == 0x8A9136AA  # RFC 3720, B.4


def test_every_callback_is_tested():
    here = {"EarlyStopping", "ReduceLROnPlateau", "ModelCheckpoint", "CSVLogger", "LearningRateScheduler", "LambdaCallback", "BackupAndRestore"}
    in_runs = {"TensorBoard", "SwapEMAWeights", "History", "ProgbarLogger", "TerminateOnNaN", "MLflow"}
    assert set(catalogue("callbacks")) == here | in_runs
