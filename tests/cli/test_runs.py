"""`layerctl runs` and `layerctl compare` on runs that finished, were interrupted, were killed, and failed."""

import json
import os
import signal
import subprocess
import sys
import time
from html.parser import HTMLParser
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def layerctl(*arguments, cwd, code=0):
    done = subprocess.run([sys.executable, "-m", "layerctl", *arguments], cwd=cwd, capture_output=True, text=True, timeout=300,
                          env={**os.environ, "GITHUB_ACTIONS": ""})  # fmt: skip
    assert done.returncode == code, done.stderr
    return done


def stopped(folder, out, number):
    """A training that gets a signal once it has trained an epoch."""
    process = subprocess.Popen([sys.executable, "-m", "layerctl", "train", "iris.yaml", "--out", out, "--set", "fit.epochs=1000000", "-q",
                                "--set", "fit.callbacks=[]"], cwd=folder)  # fmt: skip
    history = folder / out / "history.jsonl"
    deadline = time.monotonic() + 120
    while not (history.exists() and history.stat().st_size) and time.monotonic() < deadline:
        time.sleep(0.02)
    running = json.loads(layerctl("runs", out, "--json", cwd=folder).stdout)["state"]
    process.send_signal(number)
    return process.wait(timeout=120), running


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs")
    (folder / "iris.yaml").write_text((ROOT / "configs" / "iris.yaml").read_text())
    small = ["fit.epochs=3", "model=[{Dense: {units: 3, activation: softmax}}]"]
    for name, more in (("long", ["fit.epochs=40"]), ("same", ["fit.epochs=40"]), ("short", small)):
        sets = [w for m in more for w in ("--set", m)]
        layerctl("train", "iris.yaml", "--out", f"runs/{name}", "-q", *sets, cwd=folder)
        time.sleep(0.02)
    layerctl("train", "iris.yaml", "--out", "runs/wild", "-q", "--set", "compile.optimizer={SGD: {learning_rate: 1e30}}", cwd=folder, code=3)
    return folder


def test_states(folder):
    assert stopped(folder, "runs/ended", signal.SIGTERM) == (143, "running")
    assert stopped(folder, "runs/killed", signal.SIGKILL) == (-9, "running")
    found = {r["name"]: r for r in map(json.loads, layerctl("runs", "--json", cwd=folder).stdout.splitlines())}
    states = {n: r["state"] for n, r in found.items()}
    assert states == {"long": "finished", "same": "finished", "short": "finished", "wild": "failed", "ended": "interrupted", "killed": "interrupted"}
    assert "loss-not-finite" in found["wild"]["error"] and found["ended"]["epochs"] >= 1 and found["killed"]["epochs"] >= 1
    assert found["long"]["split"] == "test" and found["long"]["scores"]["accuracy"] > 0.8 and found["long"]["seconds"] > 0
    layerctl("train", "iris.yaml", "--out", "runs/ended", "-q", "--resume", "--max-time", "1s", "--set", "fit.callbacks=[]",
             "--set", "fit.epochs=1000000", cwd=folder)  # fmt: skip
    assert json.loads(layerctl("runs", "runs/ended", "--json", cwd=folder).stdout)["state"] == "finished"


def test_a_table_and_its_order(folder):
    done = layerctl("runs", cwd=folder)
    lines = done.stdout.splitlines()
    assert lines[0].split()[:4] == ["run", "state", "epochs", "time"] and "accuracy" in lines[0]
    names = [line.split()[0] for line in lines[2:]]
    assert names.index("short") < names.index("same") < names.index("long") and "wild: " in done.stderr
    for key, first in (("loss", "long"), ("accuracy", "long")):
        names = [line.split()[0] for line in layerctl("runs", "--sort", key, cwd=folder).stdout.splitlines()[2:]]
        assert names.index(first) < names.index("short") < names.index("wild")
    assert "did you mean 'accuracy'?" in layerctl("runs", "--sort", "acuracy", cwd=folder, code=2).stderr
    (folder / "none").mkdir(exist_ok=True)
    assert layerctl("runs", "none", cwd=folder).stdout == ""


def test_runs_of_before_there_was_a_status(folder, tmp_path):
    old = tmp_path / "runs" / "old"
    old.mkdir(parents=True)
    for name in ("model.safetensors", "history.jsonl", "model.yaml"):
        (old / name).write_bytes((folder / "runs" / "long" / name).read_bytes())
    found = json.loads(layerctl("runs", "--json", cwd=tmp_path).stdout)
    assert found["state"] == "finished" and found["epochs"] == 40 and found["scores"]["accuracy"] > 0.8


def test_compare(folder):
    text = layerctl("compare", "runs/long", "runs/same", "runs/short", cwd=folder).stdout
    assert "same: the same weights as the first, bit for bit" in text and "tensors differ" in text
    assert "fit.epochs" in text and "40" in text and "loss by epoch" in text and any(c in text for c in "▁▂▃▄▅▆▇█")
    found = json.loads(layerctl("compare", "runs/long", "runs/same", "runs/short", "--json", cwd=folder).stdout)
    assert [w and w["same"] for w in found["weights"]] == [None, True, False] and found["best"]["loss"] in (0, 1)
    differing = {d["path"]: d["values"] for d in found["differences"]}
    assert differing["fit.epochs"] == [40, 40, 3] and "seed" not in differing
    assert differing["model.0"] == [{"Dense": {"units": 16, "activation": "relu"}}] * 2 + [None]
    assert not any(p.startswith("model.") and "softmax" in str(v) for p, v in differing.items()), "the last layer is in all of them"
    pair = json.loads(layerctl("render", "--diff", "runs/long", "runs/short", "--json", cwd=folder, code=1).stdout.splitlines()[-1])
    assert pair["differences"] == len(json.loads(layerctl("compare", "runs/long", "runs/short", "--json", cwd=folder).stdout)["differences"])
    assert len(found["curves"][0]["loss"]) == 40


def test_files_are_compared_by_meaning(folder):
    run = folder / "other"
    run.mkdir(exist_ok=True)
    text = (folder / "runs" / "long" / "model.yaml").read_text()
    (run / "model.yaml").write_text(text.replace("Dropout: 0.2", "Dropout: {rate: 0.2}").replace("seed: 7\n", "") + "seed: 7\n")
    (run / "history.jsonl").write_text('{"epoch": 1, "loss": 1.0}\n')
    assert "seed: 7\n" in text and "Dropout: {rate: 0.2}" not in text
    assert "the files say the same" in layerctl("compare", "runs/long", "other", cwd=folder).stdout


def test_compare_as_a_page(folder):
    layerctl("compare", "runs/long", "runs/short", "-o", "pair.html", cwd=folder)
    text = (folder / "pair.html").read_text()
    HTMLParser().feed(text)
    assert text.count("<figure") >= 4 and "fit.epochs" in text and "<script" not in text and "runs/long" in text


def test_a_damaged_model_is_an_error(folder, tmp_path):
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "history.jsonl").write_text('{"epoch": 1, "loss": 1.0}\n')
        (tmp_path / name / "model.safetensors").write_bytes(b"\0" * 40)
    assert "Traceback" not in layerctl("compare", "a", "b", cwd=tmp_path, code=2).stderr
    assert json.loads(layerctl("runs", "a", "--json", cwd=tmp_path).stdout)["scores"] == {}
