"""Kernels that the package brings: no Numba where they fit, the same machine code as with it, and nothing taken from a file that does not fit."""

import hashlib
import json
import lzma
import os
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest
from hatchling.builders.wheel import WheelBuilder

from layerctl.commands.lowered import usual
from layerctl.kernels import jit, lowered, target
from layerctl.kernels.store import symbol

SOURCES = Path(lowered.__file__).parents[2]
ONLY = ("batch.", "copying.", "matmul_kernels.", "random.", "select.", "softmax.")
MODEL = """\
layerctl: 1
name: small
seed: 7
data:
  source: builtin:iris
  features: {flower: {columns: [sepal_length, sepal_width, petal_length, petal_width], scale: standard}}
  target: species
  split: {validation: 0.2}
model:
  - Dense: {units: 8, activation: relu}
  - Dropout: 0.2
  - Dense: {units: 3, activation: softmax}
compile: {optimizer: sgd, loss: sparse_categorical_crossentropy, metrics: [accuracy]}
fit: {epochs: 2, batch_size: 16}
"""
TRAINING = """\
import sys
from layerctl.commands.train import train
train("model.yaml", out=sys.argv[1], report=False)
print("numba" in sys.modules)
"""


@pytest.fixture(scope="module")
def package(tmp_path_factory):
    """A copy of the sources with its own lowered kernels for this machine, and a model beside it."""
    folder = tmp_path_factory.mktemp("package")
    shutil.copytree(SOURCES / "layerctl", folder / "src" / "layerctl", ignore=shutil.ignore_patterns("__pycache__", "lowered_for"))
    (folder / "model.yaml").write_text(MODEL)
    only = [word for name in ONLY for word in ("--only", name)]
    done = run(folder, "-m", "layerctl.commands.lowered", *only)
    assert done.stdout == f"{made(folder).name}: {len(usual(ONLY))} kernels, {made(folder).stat().st_size:,} bytes\n"
    return folder


def run(folder, *command, first=()):
    done = subprocess.run(
        [sys.executable, *command], cwd=folder, capture_output=True, text=True, timeout=300,
        env=os.environ | {"PYTHONPATH": os.pathsep.join([*map(str, first), str(folder / "src")]), "LAYERCTL_CACHE": str(folder / "cache")},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done


def made(folder):
    return lowered.path_for(target.base(), folder / "src" / "layerctl" / "kernels" / "lowered_for")


def objects(folder):
    """What the store has, by its symbols."""
    return {p.name: p.read_bytes() for p in (folder / "cache" / "kernels").glob("*/k*.o")}


@pytest.fixture(scope="module")
def trained(package):
    """(the store that a training filled where importing Numba is an error, in every process; its history)"""
    forbidden = package / "forbidden" / "numba"
    forbidden.mkdir(parents=True)
    (forbidden / "__init__.py").write_text("raise RuntimeError('Numba is not wanted here')")
    assert run(package, "-c", TRAINING, "brought", first=[forbidden.parent]).stdout == "False\n"
    return objects(package), history(package, "brought")


def history(folder, name):
    lines = (folder / name / "history.jsonl").read_text().splitlines()
    return [{k: v for k, v in json.loads(line).items() if "loss" in k or "accuracy" in k} for line in lines]


def test_a_training_with_an_empty_store_needs_no_numba(trained):
    filled, losses = trained
    assert len(filled) > 10 and len(losses) == 2 and "val_loss" in losses[0]


def test_edited_sources_go_through_numba_to_the_same_machine_code(package, trained, tmp_path):
    edited = tmp_path / "edited"
    shutil.copytree(package, edited, ignore=shutil.ignore_patterns("cache", "forbidden", "brought"))
    with open(edited / "src" / "layerctl" / "ops" / "softmax.py", "a") as file:
        file.write("# edited\n")
    assert run(edited, "-c", TRAINING, "compiled").stdout == "True\n"
    assert objects(edited) == trained[0] and history(edited, "compiled") == trained[1]


def test_a_damaged_file_is_ignored_and_costs_time_only(package, trained, tmp_path):
    damaged = tmp_path / "damaged"
    shutil.copytree(package, damaged, ignore=shutil.ignore_patterns("cache", "forbidden", "brought"))
    whole = made(damaged).read_bytes()
    made(damaged).write_bytes(whole[:-9] + bytes([whole[-9] ^ 4]) + whole[-8:])
    assert run(damaged, "-c", TRAINING, "compiled").stdout == "True\n"
    assert objects(damaged) == trained[0] and history(damaged, "compiled") == trained[1]


def test_what_another_process_lowered_is_what_this_one_lowers(package):
    brought = lowered.read(made(package), target.base())
    refs = usual(["softmax.", "batch.pick"])
    assert refs and all(jit.bitcode(ref, symbol(ref)) == brought[symbol(ref)] for ref in refs)


def test_bitcode_has_no_names_but_the_entrys(package):
    for name, code in lowered.read(made(package), target.base()).items():
        module = target.binding().parse_bitcode(code)
        assert [f.name for f in module.functions if f.name and not f.name.startswith("llvm.")] in ([name], [name, "memcpy"], [name, "memset"])
        assert b"layerctl" not in code and b"NumbaEnv" not in code


def test_every_kernel_is_among_those_that_a_package_brings():
    names = {ref.kernel.name for ref in usual()}
    declared = {m for p in (SOURCES / "layerctl" / "ops").glob("*.py") for m in re.findall(r"^@kernel.*\ndef (\w+)\(", p.read_text(), re.M)}
    assert {n.split(".")[1] for n in names} >= declared and len(declared) > 40


def packed(code, **changes):
    """A file as `write` makes it, with some of its head changed."""
    payload = lzma.compress(code)
    head = {**lowered._origin(target.base()), "llvm": [1, 0, 0], "sha256": hashlib.sha256(payload).hexdigest()} | changes
    return lowered.MAGIC + json.dumps(head).encode() + b"\n" + payload


GOOD = json.dumps({"k1": 3, "k2": 2}).encode() + b"\nabcde"
BAD = {
    "empty": b"",
    "only its mark": lowered.MAGIC,
    "no line": lowered.MAGIC + b"{" * 100_000,
    "another head": lowered.MAGIC + b"[1]\n",
    "a number": lowered.MAGIC + b"1\n",
    "no text": lowered.MAGIC + b"\xff\xfe\n",
    "cut short": packed(GOOD)[:-1],
    "longer": packed(GOOD) + b"x",
    "other sources": packed(GOOD, sources="0" * 64),
    "another base": packed(GOOD, base="x86_64|none||16"),
    "something more": packed(GOOD, more=1),
    "a later LLVM": packed(GOOD, llvm=[999, 0, 0]),
    "a strange LLVM": packed(GOOD, llvm=["x"]),
    "no LLVM": packed(GOOD, llvm=None),
    "no sizes": packed(b"abcde"),
    "a size in a list": packed(b'{"k1": [3]}\nabc'),
    "a size in text": packed(b'{"k1": "3"}\nabc'),
    "a fraction": packed(b'{"k1": 3.0}\nabc'),
    "less than nothing": packed(b'{"k1": 4, "k2": -1}\nabc'),
    "a list of sizes": packed(b"[3]\nabc"),
    "deep": packed(b"[" * 200_000 + b"\nabc"),
    "beyond the end": packed(b'{"k1": 30}\nabcdef'),
    "not all of it": packed(b'{"k1": 3}\nabcdef'),
    "not compressed": lowered.MAGIC + json.dumps(
        {**lowered._origin(target.base()), "llvm": [1, 0, 0], "sha256": hashlib.sha256(b"plain").hexdigest()}
    ).encode() + b"\nplain",
    "a gigabyte of zeros": packed(bytes(1 << 27)),
    "large": packed(GOOD) + bytes(9 << 20),
}  # fmt: skip


@pytest.mark.parametrize("kind", BAD)
def test_what_does_not_fit_is_none(kind, tmp_path):
    path = tmp_path / "kernels.xz"
    path.write_bytes(BAD[kind])
    assert lowered.read(path, target.base()) == {}


def test_what_fits_is_read(tmp_path):
    path = tmp_path / "kernels.xz"
    path.write_bytes(packed(GOOD))
    assert lowered.read(path, target.base()) == {"k1": b"abc", "k2": b"de"}
    path.chmod(0o666)
    assert lowered.read(path, target.base()) == {}
    assert lowered.read(tmp_path / "none.xz", target.base()) == {} == lowered.read(tmp_path, target.base())


def test_what_is_written_is_read_and_always_the_same(tmp_path):
    code = {"k1": b"x" * 100, "k2": b"y" * 10}
    for name in ("a.xz", "b.xz"):
        lowered.write(tmp_path / "made" / name, target.base(), code)
        assert lowered.read(tmp_path / "made" / name, target.base()) == code
    assert (tmp_path / "made" / "a.xz").read_bytes() == (tmp_path / "made" / "b.xz").read_bytes()
    assert sorted(p.name for p in (tmp_path / "made").iterdir()) == ["a.xz", "b.xz"]


ARM = """\
import re, sys
from pathlib import Path
from layerctl.kernels import lowered, target
base = target.based("aarch64-unknown-linux-gnu", 4)
target.pretend(base)
(code,) = lowered.read(lowered.path_for(base, Path(sys.argv[1])), base).values()
text = target.machine(base).emit_assembly(target.binding().parse_bitcode(code))
print(len(re.findall(r"\\bfmla\\s+v\\d+\\.4s", text)), len(re.findall(r"\\bbl\\s+(?!memcpy|memset|\\.L__unnamed|__unnamed)", text)))
"""


def test_kernels_for_arm_are_made_elsewhere(tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "layerctl.commands.lowered", "--out", str(tmp_path), "--only", "matmul_kernels.multiply", "aarch64-unknown-linux-gnu:4"],
        capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0 and re.fullmatch(r"aarch64-4\.xz: 1 kernels, [\d,]+ bytes\n", done.stdout), done.stderr
    told = subprocess.run([sys.executable, "-c", ARM, str(tmp_path)], capture_output=True, text=True, check=True).stdout.split()
    assert int(told[0]) > 100 and int(told[1]) == 0


@pytest.fixture(scope="module")
def project(package, tmp_path_factory):
    """A copy of what a wheel is built from, without lowered kernels."""
    folder = tmp_path_factory.mktemp("project")
    for name in ("pyproject.toml", "hatch_build.py", "README.md"):
        shutil.copy(SOURCES.parent / name, folder)
    shutil.copytree(package / "src", folder / "src", ignore=shutil.ignore_patterns("__pycache__", "lowered_for"))
    return folder


def built(project, kind, out, lower, monkeypatch):
    """The names of a wheel's files."""
    monkeypatch.setenv("LAYERCTL_LOWER", lower)
    next(WheelBuilder(str(project)).build(directory=str(out), versions=[kind]))
    (wheel,) = out.glob("*.whl")
    with zipfile.ZipFile(wheel) as file:
        file.extractall(out / "inside")
        return set(file.namelist())


def test_a_wheel_brings_lowered_kernels(project, tmp_path, monkeypatch):
    base, arm = target.base(), target.based("aarch64-unknown-linux-gnu", 4)
    asked = f"--only batch. {base.triple}:{base.lanes} {arm.triple}:4"
    names = built(project, "standard", tmp_path, asked, monkeypatch)
    folder = "layerctl/kernels/lowered_for"
    assert {n for n in names if n.startswith(folder)} == {f"{folder}/{lowered.path_for(b).name}" for b in (base, arm)}
    refs = usual(["batch."])
    for b in (base, arm):
        assert set(lowered.read(lowered.path_for(b, tmp_path / "inside" / folder), b)) == {symbol(ref) for ref in refs}


def test_an_editable_installation_has_them_beside_the_sources_and_wheels_do_not_take_those(project, tmp_path, monkeypatch):
    names = built(project, "editable", tmp_path / "editable", "--only select.", monkeypatch)
    assert not any("lowered_for" in n for n in names) and len(lowered.read(made(project), target.base())) == len(usual(["select."]))
    names = built(project, "standard", tmp_path / "standard", "", monkeypatch)
    assert "layerctl/kernels/lowered.py" in names and not any("lowered_for" in n for n in names)


def test_where_nothing_can_be_lowered_there_is_a_wheel_all_the_same(project, tmp_path, monkeypatch, capfd):
    names = built(project, "standard", tmp_path, "nothing:3", monkeypatch)
    assert "layerctl/kernels/lowered.py" in names and not any("lowered_for" in n for n in names)
    assert "no kernels were lowered" in "".join(capfd.readouterr())


def test_a_build_asks_for_what_lowers():
    wanted = tomllib.loads((SOURCES.parent / "pyproject.toml").read_text())["build-system"]["requires"]
    assert {"numba", "pyyaml"} <= {re.split(r"[^a-z]", r)[0] for r in wanted}


def test_kernels_are_lowered_by_the_numba_that_they_run_with():
    """Of another LLVM's bitcode nothing is used: each kernel would be lowered again at its first use."""
    with open(Path(__file__).parents[2] / "pyproject.toml", "rb") as file:
        project = tomllib.load(file)
    built, used = ({r for r in some if r.startswith("numba")} for some in (project["build-system"]["requires"], project["project"]["dependencies"]))
    assert built == used and len(used) == 1
