"""inspect and doctor: what they say, that they refuse what the loader refuses, and that a fault is an exit code."""

import json
import os
import re
import shutil
import tomllib
from pathlib import Path

import numpy as np
import pytest

from layerctl.api import Model
from layerctl.cli.main import main
from layerctl.commands import doctor
from layerctl.kernels import store
from layerctl.kernels.contents import contents
from layerctl.runtime import checkup

TEXT = """
layerctl: 1
name: flowers
data:
  source: builtin:iris
  features: {flower: {missing: mean}}
  target: species
  split: {test: 0.2}
model:
  - Dense: {units: 4, activation: relu}
  - Dense: {units: 3, activation: softmax}
compile: {optimizer: adam, loss: sparse_categorical_crossentropy, metrics: [accuracy]}
fit: {epochs: 1}
"""


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A run's folder."""
    folder = tmp_path_factory.mktemp("runs") / "flowers"
    with Model.from_yaml(TEXT) as model:
        model.fit(run=folder)
    return folder


def said(capsys, *arguments):
    """(exit code, standard output, standard error)."""
    with pytest.raises(SystemExit) as ended:
        main(list(arguments))
    out = capsys.readouterr()
    return ended.value.code or 0, out.out, out.err


def test_inspect_says_what_a_file_holds(run, capsys):
    code, out, _ = said(capsys, "inspect", str(run))
    assert code == 0
    for line in (r"name +flowers", r"what +a model file of format 1", r"scores +loss .*accuracy", r"parameters +35 in 4 tensors",
                 r"flower +input +number +4 +sepal_length, .* and 1 more +4 number; missing: mean", r"species +target +category .*3 classes",
                 r"dense/kernel +float32 +4×4 +64 B", r"data +[0-9a-f]{32}"):  # fmt: skip
        assert re.search(line, out), line


def test_inspect_as_json(run, capsys):
    _, out, _ = said(capsys, "inspect", str(run / "model.safetensors"), "--json")
    found = json.loads(out)
    assert found["name"] == "flowers" and found["format"] == 1 and found["parameters"] == 35 and len(found["data"]) == 32
    assert {t["name"]: t["shape"] for t in found["tensors"]}["dense_1/kernel"] == [4, 3]
    assert set(found["scores"]) >= {"loss", "accuracy"} and "numpy" in found["created_by"]
    assert "Dense" in found["yaml"] and [f["role"] for f in found["features"]] == ["input", "target"]


@pytest.mark.parametrize(("harm", "code"), [
    (lambda b: b[:-3], "file-damaged"), (lambda b: b[:200] + bytes([b[200] ^ 1]) + b[201:], "file-damaged"),
    (lambda b: b"\xff" * 8 + b[8:], "file-damaged"), (lambda b: b"PK\x03\x04" + b, None), (lambda b: b"\x80\x04}q\x00.", None),
], ids=["cut short", "a bit", "a header without end", "a zip", "a pickle"])  # fmt: skip
def test_inspect_refuses_what_the_loader_refuses(run, tmp_path, capsys, harm, code):
    path = tmp_path / "model.safetensors"
    path.write_bytes(harm((run / "model.safetensors").read_bytes()))
    inspected = said(capsys, "inspect", str(path))
    loaded = said(capsys, "predict", str(path), "builtin:iris")
    assert inspected == loaded and inspected[0] == 2 and inspected[1] == ""
    assert code is None or f"[{code}]" in inspected[2]


def test_doctor_finds_all_well(capsys):
    code, out, _ = said(capsys, "doctor", "--threads", "1")
    assert code == 0 and out.rstrip().endswith("all is well") and "WRONG" not in out
    for line in (r"layerctl +\d", r"ok +numpy +\d", r"ok +processor +\S+ \(", r"ok +threads +1: the machine has \d+ cores", r"ok +kernel store +/",
                 r"ok +a product, .* +[\d,]+ µs, ready in [\d,]+ ms"):  # fmt: skip
        assert re.search(line, out), line


def test_doctor_knows_every_extra():
    declared = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    wanted = {name for name in declared if name not in ("docs", "test", "bench", "dev")}
    assert wanted == {extra for extra in doctor.PACKAGES.values() if extra}
    for package, extra in doctor.PACKAGES.items():
        assert not extra or any(line.startswith(package) for line in declared[extra]), package


def test_doctor_as_json(capsys):
    code, out, _ = said(capsys, "doctor", "--json")
    checks = [json.loads(line) for line in out.splitlines()]
    assert code == 0 and {c["event"] for c in checks} == {"check"}
    assert {c["group"] for c in checks} == {"installation", "processor", "threads", "store", "self-test"}
    assert all(c["seconds"] > 0 for c in checks if c["group"] == "self-test")


@pytest.mark.parametrize("oracle", [lambda x: np.tanh(x) * 1.001, lambda x: 1 / 0], ids=["another result", "an exception"])
def test_doctor_notices_a_wrong_kernel(monkeypatch, capsys, oracle):
    function, _, shapes = checkup._PROBES["tanh of 65,536 numbers"]
    monkeypatch.setitem(checkup._PROBES, "tanh of 65,536 numbers", (function, oracle, shapes))
    code, out, _ = said(capsys, "doctor")
    assert code == 1 and re.search(r"WRONG +tanh", out) and "something is wrong" in out


def test_doctor_says_what_is_wrong_with_the_store(monkeypatch, tmp_path, capsys):
    monkeypatch.setenv("LAYERCTL_CACHE", str(tmp_path / "file" / "store"))
    (tmp_path / "file").write_text("")
    code, out, _ = said(capsys, "doctor", "--json")
    store_check = next(json.loads(line) for line in out.splitlines() if '"kernel store"' in line)
    assert code == 1 and store_check["ok"] is False and "cannot be made or written to" in store_check["advice"]


def test_the_store_counts_its_generations(monkeypatch, tmp_path):
    monkeypatch.setenv("LAYERCTL_CACHE", str(tmp_path))
    here = store.folder()
    other = tmp_path / "kernels" / "older"
    other.mkdir()
    (here / "a.o").write_bytes(b"123")
    shutil.copy(here / "a.o", other / "b.o")
    found = contents()
    assert (found.kernels, found.size, found.others, found.others_size, found.writable, found.problem) == (1, 3, 1, 3, True, None)
    os.chmod(here, 0o777)
    assert "other users may write to it" in contents().problem
