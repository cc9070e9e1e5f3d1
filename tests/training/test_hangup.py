"""SIGHUP and SIGXCPU end training as SIGTERM does, with its state saved, also where the terminal that it wrote to is gone; `nohup` keeps it going."""

import json
import os
import pty
import select
import signal
import subprocess
import sys
import time

import pytest

from layerctl.commands.train import train
from layerctl.training.session import Session

MODEL = """
layerctl: 1
data: {source: "builtin:iris", features: {x: {}}, target: species, split: {test: 0.2}}
model: [{Dense: 8}, {Dense: {units: 3, activation: softmax}}]
compile: {optimizer: adam, loss: sparse_categorical_crossentropy}
fit: {epochs: 1000000}
"""
TRAIN = [sys.executable, "-m", "layerctl", "train", "m.yaml", "--out", "run"]


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "m.yaml").write_text(MODEL)
    return tmp_path


def until_it_trains(folder):
    history, end = folder / "run" / "history.jsonl", time.monotonic() + 60
    while not (history.exists() and history.read_text().count("\n") >= 2):
        assert time.monotonic() < end
        time.sleep(0.02)


def resumes(folder):
    done = subprocess.run([*TRAIN, "--resume", "--max-steps", "1"], cwd=folder, capture_output=True, text=True, timeout=60)
    return done.returncode == 0 and (folder / "run" / "model.safetensors").exists()


@pytest.mark.parametrize("number", [signal.SIGHUP, signal.SIGXCPU])
def test_the_state_is_saved(folder, number):
    running = subprocess.Popen(TRAIN, cwd=folder, stderr=subprocess.PIPE, text=True)
    until_it_trains(folder)
    running.send_signal(number)
    said = running.communicate(timeout=60)[1]
    assert running.returncode == 128 + number and "interrupted: the state is saved" in said
    assert resumes(folder)


def test_the_processor_s_time_is_told_again_and_again(folder):
    running = subprocess.Popen(TRAIN, cwd=folder, stderr=subprocess.PIPE, text=True)
    until_it_trains(folder)
    for _ in range(200):
        running.send_signal(signal.SIGXCPU)
        time.sleep(0.001)
    said = running.communicate(timeout=60)[1]
    assert running.returncode == 152 and "interrupted: the state is saved" in said
    assert resumes(folder)


def test_a_terminal_that_is_gone(folder):
    number, terminal = pty.fork()
    if number == 0:
        os.chdir(folder)
        os.execv(TRAIN[0], TRAIN)
    end = time.monotonic() + 60
    while not (folder / "run" / "history.jsonl").exists():
        assert time.monotonic() < end
        if select.select([terminal], [], [], 0.1)[0]:
            os.read(terminal, 65536)
    os.close(terminal)
    assert os.waitstatus_to_exitcode(os.waitpid(number, 0)[1]) == 129
    assert resumes(folder)


def test_nohup_goes_on(folder):
    running = subprocess.Popen(["nohup", *TRAIN], cwd=folder, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    until_it_trains(folder)
    running.send_signal(signal.SIGHUP)
    with pytest.raises(subprocess.TimeoutExpired):
        running.wait(1)
    running.send_signal(signal.SIGTERM)
    running.communicate(timeout=60)
    assert running.returncode == 143


@pytest.mark.parametrize("when", ["validation", "the last validation", "the last judgement"])
def test_an_interrupt_while_rows_are_judged(folder, monkeypatch, when):
    """Scores are of all rows: after a resume the history and the model are those of a training that nobody interrupted."""
    split = "split: {validation: 0.3, test: 0.2}"
    text = MODEL.replace("split: {test: 0.2}", split).replace("1000000", "3")
    (folder / "m.yaml").write_text(text)
    heard = []
    evaluate, moment = Session.evaluate, {"validation": 1, "the last validation": 3, "the last judgement": 4}[when]

    def interrupting(session, *given):
        heard.append(session)
        if len(heard) == moment:
            trainers[0].interrupt()
        return evaluate(session, *given)

    def ran(out, **options):
        trainers.clear()
        return train(str(folder / "m.yaml"), out=str(folder / out), on_trainer=trainers.append, report=False, **options)

    monkeypatch.setattr(Session, "evaluate", interrupting)
    trainers = []
    if ran("run").reason == "interrupted":
        ran("run", resume=True)
    moment = 0
    ran("whole")
    told = [[{k: v for k, v in json.loads(line).items() if k != "seconds"} for line in (folder / r / "history.jsonl").read_text().splitlines()]
            for r in ("run", "whole")]  # fmt: skip
    assert told[0] == told[1] and len(told[0]) == 3
    assert (folder / "run" / "model.safetensors").read_bytes() == (folder / "whole" / "model.safetensors").read_bytes()
