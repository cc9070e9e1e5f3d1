"""A system clock that is set back while training goes on: budgets, rates and the run's notes hold."""

import json
import shutil
import subprocess
import sys

import pytest

BACKWARDS = """
import sys, time
start = time.time(), time.monotonic()
time.time = lambda: start[0] - 1000 * (time.monotonic() - start[1])
gmtime = time.gmtime
time.gmtime = lambda seconds=None: gmtime(time.time() if seconds is None else seconds)
from layerctl.cli.main import main
main()
"""
MODEL = """
layerctl: 1
data: {source: "builtin:iris", features: {x: {}}, target: species, split: {test: 0.2}}
model: [{Dense: {units: 3, activation: softmax}}]
compile: {optimizer: adam, loss: sparse_categorical_crossentropy}
fit: {epochs: 1000000, callbacks: [{TensorBoard: {write_steps_per_second: true, write_graph: false}}]}
"""


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("clock")
    (folder / "m.yaml").write_text(MODEL)
    command = [sys.executable, "-c", BACKWARDS, "train", "m.yaml", "--max-time", "1s", "--json"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=100)
    assert done.returncode == 0, done.stderr
    return folder, [json.loads(line) for line in done.stdout.splitlines()]


def test_a_budget_of_time_ends_it(run):
    end = run[1][-1]
    assert end["event"] == "end" and end["reason"] == "time" and 1 <= end["seconds"] < 60
    assert all(e["seconds"] >= 0 for e in run[1] if e["event"] == "epoch")


def test_the_run_does_not_end_before_it_began(run):
    status = json.loads((run[0] / "runs" / "m" / "run.json").read_text())
    assert status["started"] <= status["ended"] and status["state"] == "finished"


def test_steps_a_second_are_those_of_a_clock_that_goes_on(run, tmp_path):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    logs = shutil.copytree(run[0] / "runs" / "m" / "logs" / "train", tmp_path / "train")
    read = EventAccumulator(str(logs))
    read.Reload()
    found = [s.value for s in read.Scalars("epoch_steps_per_second")]
    assert found and all(0 < v < 1e6 for v in found)
