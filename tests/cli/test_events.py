"""`--json` on every command: each line is an event as declared, and the page that documents them says the same."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from layerctl import events
from layerctl.cli.app import app

ROOT = Path(__file__).parents[2]
WRITER = """layerctl: 1
name: writer
data: {source: lines.csv, features: {text: {kind: text, split: characters, length: 8}}, target: next}
model:
  - Embedding: {input_dim: "${features.text.size}", output_dim: 4}
  - SimpleRNN: {units: 8, return_sequences: true}
  - Dense: {units: "${features.text.size}"}
compile: {optimizer: adam, loss: {SparseCategoricalCrossentropy: {from_logits: true}}}
fit: {epochs: 1}
"""
COIN = """layerctl: 1
name: coin
seed: 1
data: {source: coin.csv, features: {x: {columns: [a]}}, target: side, split: {validation: 0.2, test: 0.2}}
model: [Dense: {units: 1, activation: sigmoid}]
compile: {optimizer: adam, loss: binary_crossentropy}
fit: {epochs: 1}
"""
ROWS = "sepal_length,sepal_width,petal_length,petal_width\n5.1,3.5,1.4,0.2\n6.7,3.0,5.2,2.3\n"


def lines(arguments, cwd, codes=(0,)):
    done = subprocess.run([sys.executable, "-m", "layerctl", *arguments, "--json"], cwd=cwd, capture_output=True, text=True, timeout=300,
                          env={**os.environ, "GITHUB_ACTIONS": ""})  # fmt: skip
    assert done.returncode in codes, done.stderr
    return [json.loads(line, parse_constant=lambda name: pytest.fail(f"{name} is no JSON")) for line in done.stdout.splitlines()]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Two runs of iris, one of them with everything that training has to say, and rows to predict for."""
    folder = tmp_path_factory.mktemp("events")
    (folder / "rows.csv").write_text(ROWS)
    text = (ROOT / "configs" / "iris.yaml").read_text().replace("  - Dropout: 0.2\n", "  - Dropout: 0.2\n    print: dropped\n")
    (folder / "iris.yaml").write_text(text.replace("callbacks:\n", "callbacks:\n    - LambdaCallback: {on_epoch_end: 'loss {loss:.2f}'}\n"))
    subprocess.run([sys.executable, "-m", "layerctl", "train", "iris.yaml", "--out", "runs/a", "--set", "fit.epochs=2", "-q"], cwd=folder, check=True)
    ranges = text.replace("units: 16", "units: {search: [2, 16], default: 4}")
    assert "search" in ranges
    (folder / "ranges.yaml").write_text(ranges)
    (folder / "writer.yaml").write_text(WRITER)
    (folder / "lines.csv").write_text("text\n" + "a cat\nthe mat\n" * 20)
    (folder / "coin.yaml").write_text(COIN)
    (folder / "coin.csv").write_text("a,side\n" + "1.5,heads\n-1,tails\n0.5,heads\n-0.5,tails\n" * 15)
    for name in ("writer.yaml", "coin.yaml"):
        subprocess.run([sys.executable, "-m", "layerctl", "train", name, "-q"], cwd=folder, check=True)
    return folder


CASES = {
    "build": [["iris.yaml"], ["iris.yaml", "--show", "graph"], ["iris.yaml", "--show", "features"], ["iris.yaml", "--profile"]],
    "train": [
        ["iris.yaml", "--out", "runs/b", "--force", "--set", "fit.epochs=2"], ["iris.yaml", "--out", "runs/f", "--folds", "2", "--set", "fit.epochs=1"],
        ["iris.yaml", "--lr-find", "--max-steps", "20"], ["iris.yaml", "--overfit-one-batch", "--max-steps", "20"], ["iris.yaml", "--dry-run"],
    ],
    "eval": [["runs/a"], ["runs/a", "--fail-under", "accuracy=1.5"], ["runs/coin", "--threshold", "f1", "--keep"]],
    "predict": [["runs/writer", "--prompt", "the", "--length", "3"]],
    "data": [["builtin:iris"], ["iris.yaml"], ["lines.csv", "--target", "text"]],
    "init": [["builtin:iris", "--target", "species", "-o", "made.yaml"], ["--template", "table"]],
    "export": [["runs/a", "--to", "npz"]],
    "import": [["saved.keras", "-o", "back.yaml"]],
    "inspect": [["runs/a"], ["runs/coin"]],
    "doctor": [[]],
    "layers": [[], ["Dense"], ["relu", "--plot"]],
    "report": [["runs/a"]],
    "runs": [[]],
    "compare": [["runs/a", "runs/a"]],
    "schema": [[]],
    "render": [["iris.yaml"], ["--diff", "iris.yaml", "ranges.yaml", "--set", "seed=3"], ["--diff", "iris.yaml", "iris.yaml"]],
    "explain": [[], ["yaml-tab"]],
    "tune": [["ranges.yaml", "--trials", "2", "--set", "fit.epochs=1"]],
}  # fmt: skip


@pytest.mark.parametrize("command", CASES)
def test_every_line_is_declared(folder, command):
    if command == "import":
        lines(["export", "runs/a", "--to", "keras", "-o", "saved.keras"], folder)
    seen = set()
    for arguments in CASES[command]:
        found = lines([command, *arguments], folder, (0, 1))
        assert found and found[0]["version"] == events.VERSION
        assert all("version" not in record or record["event"] == "begin" for record in found[1:])
        for record in found:
            assert events.problems(record, command) == []
        seen |= {r["event"] for r in found}
    wanted = {e.name for e in events.EVENTS if command in e.commands} - {"compiling"}  # all kernels may be there already
    assert seen - {"compiling", "diagnostic"} == wanted


def test_begin_and_end_enclose_a_training(folder):
    found = lines(["train", "iris.yaml", "--out", "runs/c", "--force", "--set", "fit.epochs=3"], folder)
    names = [r["event"] for r in found if r["event"] != "compiling"]
    assert names[0] == "begin" and names[-1] == "end" and names.count("epoch") == 3
    begin = next(r for r in found if r["event"] == "begin")
    assert list(begin)[:2] == ["event", "version"] and begin["rows"] == 96
    assert found[-1]["report"] == "runs/c/report.html" and found[-1]["reason"] == "done"


def test_predictions_are_rows_and_not_events(folder):
    found = lines(["predict", "runs/a", "rows.csv"], folder)
    assert len(found) == 2 and all(set(r) == {"prediction", "probability"} for r in found)


@pytest.mark.parametrize("arguments", [
    ["build", "none.yaml"], ["eval", "nowhere"], ["train", "iris.yaml", "--out", "runs/a"], ["predict", "nowhere", "rows.csv"],
    ["runs", "elsewhere"], ["compare", "runs/a"], ["report", "nowhere"], ["layers", "Dens"],
    ["render", "none.yaml"], ["explain", "yaml-tabs"], ["tune", "iris.yaml"], ["schema", "--path", "--modeline"],
    ["data", "none.csv"], ["init", "builtin:iris", "--target", "colour"],
])  # fmt: skip
def test_mistakes_are_events_too(folder, arguments):
    found = lines(arguments, folder, (2,))
    assert [r["event"] for r in found] == ["diagnostic"] and found[0]["version"] == 1
    assert events.problems(found[0], arguments[0]) == []


def test_every_command_is_here():
    declared = {c for e in events.EVENTS for c in e.commands}
    assert {c.name for c in app.registered_commands} == declared | {events.ROWS}
    assert declared == set(CASES)


def test_the_page_is_what_is_declared():
    assert (ROOT / "docs" / "events.md").read_text() == events.page(), "python -m layerctl.events > docs/events.md"


def test_the_check_finds_what_is_wrong():
    good = {"event": "epoch", "epoch": 1, "epochs": 2, "logs": {"loss": 0.5, "val_loss": None}, "seconds": 0.1}
    assert events.problems(good, "train") == [] and events.problems({**good, "version": 1}) == []
    for wrong in ({**good, "event": "epok"}, {**good, "more": 1}, {**good, "epoch": -1}, {**good, "epoch": True}, {**good, "logs": {"loss": "x"}},
                  {k: v for k, v in good.items() if k != "seconds"}, {**good, "version": 2}, [], {"epoch": 1}):  # fmt: skip
        assert events.problems(wrong, "train")
    assert events.problems(good, "build")
