"""`layerctl train` with --lr-find, --overfit-one-batch, --dry-run, --max-steps, in a process of its own; what they leave behind; signals."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from layerctl.api import Model
from layerctl.training.events import Observer
from layerctl.training.overfitting import NEAR_NOTHING
from layerctl.training.ranging import suggested
from layerctl.training.trying import ready

ROOT = Path(__file__).parents[2]
TABLE = """
layerctl: 1
name: table
seed: 1
data: {source: table.csv, features: {x: {columns: [a, b, c]}}, target: {column: y, kind: number}, split: {validation: 0.2, test: 0.1}}
model: [{Dense: {units: 32, activation: relu}}, {Dense: 1}]
compile: {optimizer: {Adam: 0.001}, loss: mse}
fit: {epochs: 4, batch_size: 16}
"""
MODES = ["--lr-find", "--overfit-one-batch", "--dry-run"]


def layerctl(*arguments, cwd):
    return subprocess.run([sys.executable, "-m", "layerctl", *arguments], cwd=cwd, capture_output=True, text=True, timeout=300)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("trials")
    rng = np.random.default_rng(0)
    x = rng.normal(size=(2000, 3))
    y = np.sin(2 * x[:, 0]) + x[:, 1] * x[:, 2]
    (folder / "table.csv").write_text("a,b,c,y\n" + "".join(f"{a:.4f},{b:.4f},{c:.4f},{v:.4f}\n" for (a, b, c), v in zip(x, y, strict=True)))
    (folder / "table.yaml").write_text(TABLE)
    done = layerctl("train", "table.yaml", "-q", "--out", "first", "--set", "fit.epochs=1", cwd=folder)
    assert done.returncode == 0, done.stderr
    for mode in MODES:
        layerctl("train", "table.yaml", mode, "--max-steps", "40", cwd=folder)  # what they compile is kept
    return folder


def everything(folder):
    """Names, sizes and times of all files."""
    return {str(p.relative_to(folder)): (p.stat().st_size, p.stat().st_mtime_ns) for p in sorted(folder.rglob("*"))}


@pytest.mark.parametrize("mode", MODES)
def test_trials_leave_nothing_behind(folder, mode):
    before = everything(folder)
    done = layerctl("train", "table.yaml", mode, "--json", cwd=folder)
    assert done.returncode == 0 and done.stderr == "", done.stderr
    (line,) = [json.loads(t) for t in done.stdout.splitlines() if '"compiling"' not in t]
    assert line["event"] == {"--lr-find": "lr_find", "--overfit-one-batch": "overfit", "--dry-run": "dry_run"}[mode]
    assert everything(folder) == before


def test_the_rate_that_is_suggested_trains_better_than_its_neighbours(folder):
    found = json.loads(layerctl("train", "table.yaml", "--lr-find", "--json", cwd=folder).stdout.splitlines()[-1])
    rates, losses = found["rates"], found["losses"]
    assert len(rates) == len(losses) == len(found["smoothed"]) > 50
    assert np.allclose(np.diff(np.log(rates)), np.log(rates[1] / rates[0])) and found["reason"] == "diverged"
    assert 1e-4 < found["suggestion"] < found["lowest"] <= 10
    scores = {}
    for name, rate in (("low", 1e-6), ("own", found["suggestion"]), ("high", 10 * found["lowest"])):
        done = layerctl("train", "table.yaml", "--out", name, "-q", "--json", "--set", f"compile.optimizer.Adam={rate:g}", cwd=folder)
        scores[name] = json.loads(done.stdout.splitlines()[-1])["scores"]["loss"] if done.returncode == 0 else float("inf")
    assert scores["own"] < scores["low"] and scores["own"] < scores["high"], scores
    text = layerctl("train", "table.yaml", "--lr-find", cwd=folder)
    assert text.stdout.startswith("loss  ") and "\nrate  1e-07" in text.stdout and "\nsuggestion  " in text.stdout


def test_a_schedule_gives_way_to_the_range_and_the_same_start_gives_the_same_curve(folder):
    schedule = "compile.optimizer={Adam: {learning_rate: {ExponentialDecay: {initial_learning_rate: 0.1, decay_steps: 9, decay_rate: 0.5}}}}"
    plain = json.loads(layerctl("train", "table.yaml", "--lr-find", "--json", cwd=folder).stdout.splitlines()[-1])
    found = json.loads(layerctl("train", "table.yaml", "--lr-find", "--json", "--set", schedule, "--threads", "1", cwd=folder).stdout.splitlines()[-1])
    assert found["losses"] == plain["losses"]
    few = layerctl("train", "table.yaml", "--lr-find", "--max-steps", "5", cwd=folder)
    assert few.returncode == 2 and "--lr-find needs --max-steps of at least 20, got 5 [bad-option]" in few.stderr


def test_no_rate_is_suggested_where_the_loss_does_not_fall():
    rates = np.geomspace(1e-7, 10, 100).tolist()
    assert suggested(rates, [1.0] * 100) == (None, None)
    assert suggested(rates, np.linspace(1, 5, 100).tolist()) == (None, None)
    falling = [1.0 if r < 1e-3 else 0.2 if r < 0.5 else 3.0 for r in rates]
    steepest, lowest = suggested(rates, falling)
    assert 5e-4 < steepest < 2e-3 and 1e-3 < lowest < 2e-3


def test_a_batch_is_learned_by_heart(folder):
    done = layerctl("train", "table.yaml", "--overfit-one-batch", "--set", "compile.optimizer.Adam=0.01", "--json", cwd=folder)
    found = json.loads(done.stdout.splitlines()[-1])
    assert done.returncode == 0 and found["reached"] and found["rows"] == 16 and found["hints"] == []
    assert found["losses"][-1] <= NEAR_NOTHING * found["losses"][0] < found["losses"][-2]
    text = layerctl("train", "table.yaml", "--overfit-one-batch", "--set", "compile.optimizer.Adam=0.01", cwd=folder)
    assert text.returncode == 0 and text.stdout.startswith("loss  █") and "reached: the model can learn a batch by heart" in text.stdout


def test_a_batch_that_is_not_learned_says_why_that_may_be(folder, tmp_path):
    frozen = "model=[{Dense: {units: 1, trainable: false}}]"
    rows = "".join(f"{i % 4},{i % 4},0,{i}\n" for i in range(100))
    (tmp_path / "table.csv").write_text("a,b,c,y\n" + rows)
    (tmp_path / "table.yaml").write_text(TABLE)
    same = layerctl("train", "table.yaml", "--overfit-one-batch", "--max-steps", "200", cwd=tmp_path)
    assert same.returncode == 1 and "not reached" in same.stdout and "rows of the batch have the inputs of another row" in same.stderr
    cases = {
        "learning rate of 1e-09 may be too small": "compile.optimizer.Adam=1e-9",
        "learning rate of 1e+06 may be too large": "compile.optimizer={SGD: 1000000.0}",
        "noise in training makes learning by heart slow: dropout": "model=[{Dense: 1}, {Dropout: 0.9}, {Dense: 1}]",
        "regularizers add to the loss": "model=[{Dense: {units: 1, kernel_regularizer: l2}}]",
        "the loss was still falling": "compile.optimizer.Adam=0.0005",
    }
    for wanted, change in cases.items():
        done = layerctl("train", "table.yaml", "--overfit-one-batch", "--max-steps", "60", "--set", change, cwd=folder)
        assert done.returncode == 1 and wanted in done.stderr, (change, done.stderr)
    still = layerctl("train", "table.yaml", "--overfit-one-batch", "--set", frozen, "--max-steps", "60", cwd=folder)
    assert still.returncode == 1 and "layers may be frozen" in still.stderr


def test_a_dry_run_tells_what_training_takes(folder):
    found = json.loads(layerctl("train", "table.yaml", "--dry-run", "--json", cwd=folder).stdout.splitlines()[-1])
    assert (found["rows"], found["held"], found["tested"], found["batch"], found["steps"], found["epochs"]) == (1400, 400, 200, 16, 88, 4)
    assert found["trained"] == 3 * 32 + 32 + 32 + 1 and found["model"] == 4 * found["trained"]
    assert 0 < found["step_seconds"] < 0.1 and found["ready_seconds"] > 0 and found["validation_seconds"] < found["epoch_seconds"]
    assert found["seconds"] == pytest.approx(found["ready_seconds"] + 4 * found["epoch_seconds"])
    assert layerctl("train", "table.yaml", "--out", "whole", "-q", cwd=folder).returncode == 0
    checkpoint = max((folder / "whole" / "checkpoints").iterdir()).stat().st_size
    model = (folder / "whole" / "model.safetensors").stat().st_size
    assert found["checkpoint"] <= checkpoint <= found["checkpoint"] + 12_000 and found["model"] <= model <= found["model"] + 12_000
    few = json.loads(layerctl("train", "table.yaml", "--dry-run", "--max-steps", "10", "--json", cwd=folder).stdout.splitlines()[-1])
    assert few["seconds"] == pytest.approx(few["ready_seconds"] + 10 / 88 * few["epoch_seconds"])
    text = layerctl("train", "table.yaml", "--dry-run", cwd=folder)
    assert "1,400 to train on, 400 for validation, 200 to test" in text.stdout and "352: 4 epochs of 88 steps of 16 rows" in text.stdout
    there = layerctl("train", "table.yaml", "--dry-run", "--out", "first", cwd=folder)
    assert there.returncode == 2 and "[run-exists]" in there.stderr
    two = layerctl("train", "table.yaml", "--dry-run", "--lr-find", cwd=folder)
    assert two.returncode == 2 and "exclude each other" in two.stderr


def test_a_dry_run_counts_what_is_done_beside_the_steps(folder):
    """Two steps of a small model are 30 µs, and their epoch a hundred times that; a machine at other work is given three trials."""
    ratios = []
    for _ in range(3):
        options = ["--set", "fit.epochs=300", "--set", "fit.steps_per_epoch=2", "--threads", "1", "--out", "timed", "--force", "--json"]
        told = json.loads(layerctl("train", "table.yaml", "--dry-run", *options, cwd=folder).stdout.splitlines()[-1])
        done = json.loads(layerctl("train", "table.yaml", *options, cwd=folder).stdout.splitlines()[-1])
        assert 600 * told["step_seconds"] < told["seconds"]
        ratios.append(done["seconds"] / told["seconds"])
        if 1 / 3 < ratios[-1] < 3:
            return
    raise AssertionError(f"the time of training, as a share of what was told: {ratios}")


def test_a_budget_of_steps_ends_training_and_going_on_gives_the_same_weights(folder):
    whole = layerctl("train", "table.yaml", "--out", "w", "-q", cwd=folder)
    cut = layerctl("train", "table.yaml", "--out", "c", "--max-steps", "100", cwd=folder)
    assert cut.returncode == 0 and "out of steps" in cut.stderr and "epoch 1/4" in cut.stderr and "epoch 2/4" not in cut.stderr
    assert (folder / "c" / "checkpoints" / "checkpoint-100.safetensors").is_file()
    assert layerctl("predict", "c", "table.csv", cwd=folder).returncode == 0
    rest = layerctl("train", "table.yaml", "--out", "c", "--resume", cwd=folder)
    assert whole.returncode == rest.returncode == 0 and "resuming at epoch 2, step 100" in rest.stderr
    assert (folder / "c" / "model.safetensors").read_bytes() == (folder / "w" / "model.safetensors").read_bytes()
    none = layerctl("train", "table.yaml", "--out", "c", "--max-steps", "0", cwd=folder)
    assert none.returncode == 2


def heeding():
    """Ctrl-c as a terminal gives it: what a shell starts in the background ignores it from the start."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


@pytest.mark.parametrize("mode", [*MODES, "--max-steps=100000"])
def test_signals_at_random_moments(folder, mode):
    rng = random.Random(mode)
    endless = ["--set", "fit.epochs=100000", "--set", "compile.optimizer={SGD: 1e-6}", "--out", "signalled", "--force", "--max-time", "60s"]
    more = endless if mode.startswith("--max") else ["--set", "compile.optimizer={SGD: 1e-6}", "--max-steps", "1000000000"] if "over" in mode else []
    codes, whole = [], 1.5
    if mode in MODES and "over" not in mode:
        start = time.monotonic()
        layerctl("train", "table.yaml", mode, *more, cwd=folder)
        whole = time.monotonic() - start
    for i in range(6):
        number = (signal.SIGTERM, signal.SIGINT)[i % 2]
        before = everything(folder)
        process = subprocess.Popen([sys.executable, "-m", "layerctl", "train", "table.yaml", mode, *more], cwd=folder, text=True,
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE, env={**os.environ, "PYTHONUNBUFFERED": "1"},
                                   preexec_fn=heeding)  # fmt: skip
        time.sleep(rng.uniform(0.2, 0.9) * whole)
        process.send_signal(number)
        _, said = process.communicate(timeout=60)
        codes.append(process.returncode)
        assert process.returncode in (0, 128 + number) or (process.returncode == -number and "layerctl/cli" not in said), said
        assert "Traceback" not in said or process.returncode == -number, said
        if mode in MODES:
            assert everything(folder) == before
        elif "the state is saved" in said:
            again = layerctl("train", "table.yaml", "--resume", "--out", "signalled", "--max-time", "0.1s", "--set", "fit.epochs=100000",
                             "--set", "compile.optimizer={SGD: 1e-6}", cwd=folder)  # fmt: skip
            assert again.returncode == 0 and "resuming at epoch" in again.stderr, again.stderr
    assert any(codes), codes


def test_a_trial_weighs_classes_as_training_does():
    model = Model.from_yaml(str(ROOT / "configs" / "iris.yaml"), overrides=["fit.class_weight={Iris-setosa: 3}"], widths="read")
    start = ready(model, Observer())
    setosa = start.train.targets[next(iter(start.train.targets))] == 0
    assert 0 < setosa.sum() < len(setosa) and np.array_equal(start.train.weights, np.where(setosa, 3.0, 1.0))
    assert start.validation is None or start.validation.weights is None
