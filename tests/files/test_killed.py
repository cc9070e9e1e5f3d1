"""Commands that are killed at any moment of their writing leave the earlier file or the new one, whole."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
OLD = b"what was there before\n"
KILLED = """
import builtins, io, os, signal, sys
moment, given, calls = int(sys.argv[1]), sys.argv[2:], 0

def counted(function, heard=lambda *a, **k: True):
    def called(*arguments, **options):
        global calls
        if heard(*arguments, **options):
            calls += 1
            if calls == moment:
                os.kill(os.getpid(), signal.SIGKILL)
        return function(*arguments, **options)
    return called

for name in ("write", "pwrite", "fsync", "replace", "rename", "ftruncate", "unlink", "link"):
    setattr(os, name, counted(getattr(os, name)))
opening = counted(builtins.open, lambda file, mode="r", *a, **k: set(mode) & set("wax+") and file != os.devnull)
builtins.open = io.open = opening
from layerctl.cli.main import main
main(given)
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("killed")
    done = ran(folder, "train", str(ROOT / "configs" / "iris.yaml"), "--set", "fit.epochs=1", "--out", "run")
    assert done.returncode == 0, done.stderr
    assert ran(folder, "export", "run", "--to", "keras", "-o", "saved.keras").returncode == 0
    rows = "sepal_length,sepal_width,petal_length,petal_width\n" + "5.1,3.5,1.4,0.2\n6.1,2.5,4.4,1.2\n" * 500
    (folder / "rows.csv").write_text(rows)
    (folder / "kinds.csv").write_text("a,b,y\n" + "".join(f"{i},{i * i % 7},{'no' if i % 3 else 'yes'}\n" for i in range(90)))
    return folder


def ran(folder, *arguments):
    return subprocess.run([sys.executable, "-m", "layerctl", *arguments], cwd=folder, capture_output=True, text=True, timeout=300)


COMMANDS = {
    "predict-csv": (["predict", "run", "rows.csv", "-o", "out.csv"], ["out.csv"]),
    "predict-npz": (["predict", "run", "rows.csv", "-o", "out.npz"], ["out.npz"]),
    "init": (["init", "kinds.csv", "--target", "y", "-o", "made.yaml", "--force"], ["made.yaml"]),
    "export-python": (["export", "run", "--to", "python", "-o", "model.py"], ["model.py"]),
    "export-npz": (["export", "run", "--to", "npz", "-o", "model.npz"], ["model.npz"]),
    "import": (["import", "saved.keras", "-o", "back.yaml", "--force"], ["back.yaml", "back.safetensors"]),
}


@pytest.mark.parametrize("name", COMMANDS)
def test_killed_at_each_write(folder, name):
    arguments, files = COMMANDS[name]
    done = ran(folder, *arguments)
    assert done.returncode == 0, done.stderr
    whole = {f: (folder / f).read_bytes() for f in files}
    seen, moment, ended = set(), 0, False
    while not ended:
        moment += 1
        for f in files:
            (folder / f).write_bytes(OLD)
        killed = subprocess.run([sys.executable, "-c", KILLED, str(moment), *arguments], cwd=folder, capture_output=True, text=True, timeout=300)
        ended = killed.returncode == 0
        assert ended or killed.returncode == -signal.SIGKILL, killed.stderr
        for f in files:
            there = (folder / f).read_bytes()
            assert there in (OLD, whole[f]), (f, moment, there[:60])
            seen.add(there == OLD)
    assert moment > 2 and seen == {True, False}
    assert [p.name for p in folder.iterdir() if p.name.startswith(".layerctl-tmp.")] == []
