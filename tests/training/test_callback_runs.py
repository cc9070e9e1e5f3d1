"""Callbacks in whole trainings: what stands in the run's folder, and that an interrupted run leaves the same as one that was not."""

import csv
import json

import keras
import numpy as np
import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.util import tensor_util

from layerctl.api import Model
from layerctl.diagnostics import LayerctlError
from layerctl.training.events import Observer

RNG = np.random.default_rng(5)
X = RNG.standard_normal((40, 3)).astype(np.float32)
Y = (X @ np.float32([[1.0], [-2.0], [0.5]])).astype(np.float32)
HELD = (X[:16], Y[:16])


def text(callbacks, optimizer="{SGD: 0.05}", epochs=6):
    return f"""
layerctl: 1
name: watched
seed: 3
model:
  - Input: {{shape: [3]}}
  - Dense: {{units: 4, activation: tanh, name: hidden}}
  - Dense: {{units: 1, name: out}}
compile: {{optimizer: {optimizer}, loss: mean_squared_error}}
fit: {{epochs: {epochs}, batch_size: 8, callbacks: {json.dumps(callbacks)}}}
"""


class Heard(Observer):
    def __init__(self):
        self.said, self.logs = [], []

    def message(self, text):
        self.said.append(text)

    def epoch(self, epoch, epochs, logs, seconds):
        self.logs.append(logs)


def run(folder, callbacks, resume=False, stop_at=None, validation=HELD, **options):
    """A training; with `stop_at` it is interrupted in that epoch's first step."""
    heard, trainers = Heard(), []
    if stop_at is not None:
        heard.tick = lambda tick: trainers[0].interrupt() if tick.epoch == stop_at else None
    with Model.from_yaml(text(callbacks, **options), threads=1) as model:
        outcome = model.fit(X, Y, run=folder, resume=resume, validation=validation, observer=heard, on_trainer=trainers.append)
        return outcome, heard, model.weights


def events(folder):
    found = EventAccumulator(str(folder), {"histograms": 0, "scalars": 0, "tensors": 0})
    found.Reload()
    return found


def series(found, tag):
    return [(e.step, e.value) for e in found.Scalars(tag)]


def test_tensorboard(tmp_path):
    callback = {"TensorBoard": {"histogram_freq": 2, "write_steps_per_second": True, "update_freq": 3}}
    _, heard, weights = run(tmp_path, [callback])
    train, held = events(tmp_path / "logs" / "train"), events(tmp_path / "logs" / "validation")
    for found, name in ((train, "loss"), (held, "val_loss"), (train, "learning_rate")):
        expected = [(i, pytest.approx(logs[name], rel=1e-6)) for i, logs in enumerate(heard.logs)]
        assert series(found, f"epoch_{name.removeprefix('val_')}") == expected
    assert [s for s, _ in series(held, "evaluation_loss_vs_iterations")] == [5, 10, 15, 20, 25, 30]
    assert [s for s, _ in series(train, "batch_loss")] == list(range(2, 30, 3))
    assert all(v > 0 for _, v in series(train, "epoch_steps_per_second"))
    drawn = train.Histograms("hidden/kernel/histogram")
    assert [e.step for e in drawn] == [0, 2, 4] and drawn[0].histogram_value.num == weights["hidden/kernel"].size
    assert sum(drawn[-1].histogram_value.bucket) == 12 and len(drawn[-1].histogram_value.bucket_limit) == 30
    (shown,) = train.Tensors("model")
    assert "units: 4" in tensor_util.make_ndarray(shown.tensor_proto).item().decode()


def test_logs_of_an_interrupted_run(tmp_path):
    callbacks = [{"CSVLogger": "log.csv"}, {"TensorBoard": {"log_dir": "tb", "histogram_freq": 1, "update_freq": "batch"}}]
    _, _, expected = run(tmp_path / "whole", callbacks)
    first, _, _ = run(tmp_path / "cut", callbacks, stop_at=3)
    assert first.reason == "interrupted"
    # what a kill after the checkpoint leaves behind is cut off
    with open(tmp_path / "cut" / "log.csv", "ab") as file:
        file.write(b"7,8,9\r\n1,")
    with open(next((tmp_path / "cut" / "tb" / "train").iterdir()), "ab") as file:
        file.write(b"torn")
    _, heard, weights = run(tmp_path / "cut", callbacks, resume=True)
    assert all(np.array_equal(weights[k], expected[k]) for k in expected)
    assert (tmp_path / "cut" / "log.csv").read_bytes() == (tmp_path / "whole" / "log.csv").read_bytes()
    with open(tmp_path / "cut" / "log.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [r["epoch"] for r in rows] == list("012345") and float(rows[-1]["val_loss"]) == heard.logs[-1]["val_loss"]
    for part in ("train", "validation"):
        one, other = events(tmp_path / "whole" / "tb" / part), events(tmp_path / "cut" / "tb" / part)
        assert one.Tags() == other.Tags()
        for tag in one.Tags()["scalars"]:
            assert series(one, tag) == series(other, tag)


@pytest.mark.parametrize("callback", [{"CSVLogger": "history.jsonl"}, {"TensorBoard": {"log_dir": "checkpoints"}}, {"CSVLogger": "model.yaml/x"}])
def test_the_run_s_own_files_are_safe(tmp_path, callback):
    with pytest.raises(LayerctlError, match="the run itself"):
        run(tmp_path, [callback])


def test_files_that_cannot_be_written(tmp_path):
    (tmp_path / "elsewhere").write_text("kept")
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "log.csv").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(LayerctlError, match="symbolic link"):
        run(tmp_path / "run", [{"CSVLogger": "log.csv"}])
    assert (tmp_path / "elsewhere").read_text() == "kept"
    for name in ("../log.csv", "/tmp/log.csv"):
        with pytest.raises(LayerctlError, match="must stay in the run's folder"):
            run(tmp_path / "other", [{"CSVLogger": name}])
    with pytest.raises(LayerctlError, match="must stay in the run's folder"):
        run(tmp_path / "other", [{"TensorBoard": "a/../../b"}])


def test_scheduled_rate(tmp_path):
    _, heard, _ = run(tmp_path, [{"LearningRateScheduler": "where(epoch > 2, lr * 0.5, lr)"}])
    assert [logs["learning_rate"] for logs in heard.logs] == pytest.approx([0.05, 0.05, 0.05, 0.025, 0.0125, 0.00625])
    decay = "{ExponentialDecay: {initial_learning_rate: 0.1, decay_steps: 5, decay_rate: 0.9}}"
    with pytest.raises(LayerctlError, match="follows a schedule"):
        run(tmp_path, [{"LearningRateScheduler": "lr"}], optimizer=f"{{SGD: {{learning_rate: {decay}}}}}")


def test_backup(tmp_path):
    kept = [{"BackupAndRestore": {"backup_dir": "b", "delete_checkpoint": False}}]
    run(tmp_path / "kept", kept)
    names = {p.name for p in (tmp_path / "kept" / "checkpoints").glob("*.safetensors")}
    assert names == {"checkpoint-25.safetensors", "checkpoint-30.safetensors"}
    run(tmp_path / "dropped", [{"BackupAndRestore": "b"}])
    assert not [*(tmp_path / "dropped" / "checkpoints").glob("*.safetensors")]
    assert (tmp_path / "dropped" / "model.safetensors").exists()


def test_backup_every_few_steps_within_an_epoch(tmp_path):
    saved = []
    with Model.from_yaml(text([{"BackupAndRestore": {"backup_dir": "b", "save_freq": 7}}, {"CSVLogger": "log.csv"}]), threads=1) as model:

        def watch(trainer):
            before = trainer.save
            trainer.save = lambda: (before(), saved.append(trainer.steps_done()))

        model.fit(X, Y, run=tmp_path, validation=HELD, on_trainer=watch)
    assert {7, 14, 21, 28, 30} <= set(saved)


def test_texts_and_always_on_callbacks(tmp_path):
    texts = {"on_epoch_begin": "{epoch} begins", "on_train_batch_begin": "<{batch}", "on_train_batch_end": "{batch}>", "on_train_end": "end {val_loss:.3f}"}
    _, heard, _ = run(tmp_path, [{"LambdaCallback": texts}, "History", "ProgbarLogger", {"TerminateOnNaN": {"raise_error": True}}], epochs=2)
    steps = [t for i in range(5) for t in (f"<{i}", f"{i}>")]
    assert heard.said == ["0 begins", *steps, "1 begins", *steps, f"end {heard.logs[-1]['val_loss']:.3f}"]
    with pytest.raises(LayerctlError, match="'val_los', which is not measured; did you mean 'val_loss'"):
        run(tmp_path, [{"LambdaCallback": {"on_epoch_end": "{val_los}"}}])


@pytest.mark.parametrize("swap_on_epoch", [False, True])
def test_swapped_averages_as_keras_does_it(tmp_path, swap_on_epoch):
    options = {"optimizer": "{SGD: {learning_rate: 0.05, use_ema: true, ema_momentum: 0.8}}", "epochs": 4}
    callbacks = [{"SwapEMAWeights": swap_on_epoch}, {"ModelCheckpoint": "m-{epoch}.safetensors"}]
    shuffled = [text(callbacks, **options).replace("batch_size: 8", "batch_size: 8, shuffle: false")]
    heard = Heard()
    with Model.from_yaml(shuffled[0], threads=1) as model:
        first = list(model.session().weights().values())
        model.fit(X, Y, run=tmp_path / "ours", validation=HELD, observer=heard)
        final = list(model.weights.values())
    inputs = keras.Input((3,))
    theirs = keras.Model(inputs, keras.layers.Dense(1)(keras.layers.Dense(4, activation="tanh")(inputs)))
    theirs.set_weights(first)
    theirs.compile(keras.optimizers.SGD(0.05, use_ema=True, ema_momentum=0.8), "mean_squared_error")
    stored = []
    kept = keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: stored.append(theirs.get_weights()))
    history = theirs.fit(X, Y, batch_size=8, epochs=4, shuffle=False, verbose=0, validation_data=HELD,
                         callbacks=[keras.callbacks.SwapEMAWeights(swap_on_epoch), kept])  # fmt: skip
    assert [logs["val_loss"] for logs in heard.logs] == pytest.approx(history.history["val_loss"], rel=1e-5)
    from layerctl.api import load

    for epoch, expected in enumerate(stored):
        for a, b in zip(load(tmp_path / "ours" / f"m-{epoch + 1}.safetensors").weights.values(), expected, strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-7)
    for a, b in zip(final, theirs.get_weights(), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-7)


def test_swapped_averages_of_an_interrupted_run(tmp_path):
    options = {"optimizer": "{Adam: {learning_rate: 0.05, use_ema: true, ema_momentum: 0.8}}"}
    callbacks = [{"SwapEMAWeights": True}, {"BackupAndRestore": {"backup_dir": "b", "delete_checkpoint": False}}]
    _, _, expected = run(tmp_path / "whole", callbacks, **options)
    run(tmp_path / "cut", callbacks, stop_at=3, **options)
    _, _, weights = run(tmp_path / "cut", callbacks, resume=True, **options)
    # between epochs the means stand in the weights' places: the newest checkpoint before the last is one of those
    newest = max((tmp_path / "whole" / "checkpoints").glob("*.safetensors"), key=lambda p: int(p.stem.split("-")[1]))
    newest.unlink()
    _, _, again = run(tmp_path / "whole", callbacks, resume=True, **options)
    assert all(np.array_equal(weights[k], expected[k]) and np.array_equal(again[k], expected[k]) for k in expected)
    with pytest.raises(LayerctlError, match="use_ema: true"):
        run(tmp_path / "none", callbacks)
