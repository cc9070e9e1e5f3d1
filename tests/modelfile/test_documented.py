"""The metadata that files have, against the table in docs/file-format.md: no key without a line, no line without a key."""

import json
import re
import subprocess
import sys
from pathlib import Path

import numpy as np

from layerctl.modelfile.artifact import ModelFile, read_model, write_model
from layerctl.modelfile.checkpoint import CheckpointStore
from layerctl.modelfile.tensors import load_metadata

PAGE = Path(__file__).parents[2] / "docs" / "file-format.md"
MODEL = """
layerctl: 1
name: small
data: {source: small.csv, features: {x: {columns: [a]}}, target: t, split: {validation: 0.4}}
model: [{Dense: {units: 1, activation: sigmoid}}]
compile: {optimizer: sgd, loss: binary_crossentropy}
fit: {epochs: 1}
"""


def documented():
    """Keys by where the table says that they are: `both`, `model`, `checkpoint`."""
    section = PAGE.read_text().split("## The trained model's file\n", 1)[1]
    rows = re.findall(r"^\| `(layerctl\.\w+)` \| ([^|]+) \|", section, re.MULTILINE)
    return {key: where.split()[0].rstrip(",") for key, where in rows}


def test_the_table_has_the_keys_of_files_that_a_training_wrote(tmp_path):
    (tmp_path / "small.csv").write_text("a,t\n" + "".join(f"{i % 7},{'yes' if i % 7 > 3 else 'no'}\n" for i in range(60)))
    (tmp_path / "small.yaml").write_text(MODEL)
    for command in ("train small.yaml -q --no-report", "eval runs/small --split validation --threshold f1 --keep"):
        done = subprocess.run([sys.executable, "-m", "layerctl", *command.split()], cwd=tmp_path, capture_output=True, text=True, timeout=300)
        assert done.returncode == 0, done.stderr
    run = tmp_path / "runs" / "small"
    model = load_metadata(run / "model.safetensors")
    checkpoint = load_metadata(next((run / "checkpoints").iterdir()))
    table = documented()
    assert set(model) == {k for k, where in table.items() if where in ("both", "model")}
    both = read_model(run / "model.safetensors")
    store = CheckpointStore(tmp_path / "store")
    (tmp_path / "store").mkdir()
    store.save(3, {"slot": np.zeros(2, np.float32)}, {"epoch": 1}, both)
    with_model = load_metadata(store.path(3))
    assert set(checkpoint) <= set(with_model)
    assert set(with_model) == set(table) and set(checkpoint) == {k for k, w in table.items() if w in ("both", "checkpoint")} - {"layerctl.training"}
    kept = json.loads(model["layerctl.decisions"])["dense"]
    assert set(kept) == {"threshold", "positive", "rule", "value", "rows"}
    assert all(f"`{word}`" in PAGE.read_text() for word in (*kept, "labels"))


def test_a_model_without_data_has_no_other_keys(tmp_path):
    path = tmp_path / "m.safetensors"
    write_model(path, ModelFile("layerctl: 1\nmodel: [Flatten]\n", {}))
    assert set(load_metadata(path)) < set(documented())
