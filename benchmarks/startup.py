"""Start-up times, whole processes: `python benchmarks/startup.py [--runs N] [--no-install]` prints a Markdown table with its bounds.

Medians and ranges, with a warm store and a warm page cache but for the row that starts with an empty store. The row of predicting is
paired: each run of layerctl beside one of a script that imports numpy and ONNX Runtime, makes a session of the exported model and
predicts the same rows; its bound is on the ratio. The row of an empty store says how many kernels the installation brings lowered
(kernels/lowered.py): without any, as where sources were edited since, Numba lowers them. The last row measures a fresh environment (it asks the package index).
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from layerctl.kernels import lowered

ROOT = Path(__file__).parents[1]
CONFIGS = ROOT / "configs"
ROWS = "sepal_length,sepal_width,petal_length,petal_width\n" + "5.1,3.5,1.4,0.2\n" * 10
ENVIRONMENT = {k: v for k, v in os.environ.items() if k not in ("PYTHONDONTWRITEBYTECODE", "PYTHONPYCACHEPREFIX")}
"""Ours, with bytecode kept beside the sources, as an installation has it."""
LAYERCTL = [sys.executable, "-m", "layerctl"]
BARE = """
import sys
import numpy as np
import onnxruntime
session = onnxruntime.InferenceSession(sys.argv[1], providers=["CPUExecutionProvider"])
rows = np.loadtxt(sys.argv[2], delimiter=",", skiprows=1, dtype=np.float32)
(name,) = (i.name for i in session.get_inputs())
for row in session.run(None, {name: rows})[0]:
    print(row.argmax(), row.max())
"""


def seconds(command: Sequence[str], cwd: str, until: str | None = None, **environment: str) -> float:
    """Seconds of one process, or until it writes a line that starts with `until`."""
    start = time.perf_counter()
    process = subprocess.Popen(command, cwd=cwd, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env={**ENVIRONMENT, **environment})
    assert process.stdout is not None
    took = None
    said = []
    for line in process.stdout:
        said.append(line)
        if until is not None and line.startswith(until) and took is None:
            took = time.perf_counter() - start
    whole = time.perf_counter() - start
    if process.wait() != 0:
        raise SystemExit(f"{' '.join(command)} failed:\n{''.join(said)}")
    return took if took is not None else whole


def told(name: str, found: Sequence[float], bound: str, digits: int = 2) -> None:
    """A row of the table."""
    print(f"| {name} | {statistics.median(found):.{digits}f} | {min(found):.{digits}f}–{max(found):.{digits}f} | {bound} |", flush=True)


def repeated(runs: int, run: Callable[[], float]) -> list[float]:
    """Seconds of some runs, behind one that does not count."""
    run()
    return [run() for _ in range(runs)]


def predicting(folder: str, runs: int) -> None:
    """layerctl and the script with ONNX Runtime, in turn."""
    own = [*LAYERCTL, "predict", "iris", "rows.csv"]
    if not (importlib.util.find_spec("onnxruntime") and importlib.util.find_spec("onnx")):
        told("`layerctl predict`, ten rows, s", repeated(runs, lambda: seconds(own, folder)), "")
        print("| the same beside ONNX Runtime, ratio | not installed | | 1.3 |")
        return
    seconds([*LAYERCTL, "export", "iris", "--to", "onnx", "--out", "iris.onnx"], folder)
    other = [sys.executable, "-c", BARE, "iris.onnx", "rows.csv"]
    repeated(1, lambda: seconds(own, folder) + seconds(other, folder))
    pairs = [(seconds(own, folder), seconds(other, folder)) for _ in range(2 * runs)]
    told("`layerctl predict`, ten rows, s", [a for a, _ in pairs], "")
    told("a script with numpy and ONNX Runtime, the same ten rows, s", [b for _, b in pairs], "")
    told("the two, run by run: ratio", [a / b for a, b in pairs], "1.3")


def installed() -> None:
    """Megabytes (2^20 bytes, as the disk has them) of a fresh environment with layerctl, without pip."""
    with tempfile.TemporaryDirectory() as folder:
        made = Path(folder) / "env"
        subprocess.run([sys.executable, "-m", "venv", "--without-pip", made], check=True)
        pip = [sys.executable, "-m", "pip", "--python", made / "bin" / "python", "install", "-q", ROOT]
        subprocess.run(pip, check=True, stderr=subprocess.DEVNULL, env=ENVIRONMENT)
        size = sum(p.lstat().st_blocks * 512 for p in made.rglob("*"))
    print(f"| installation without pip, MB | {size / (1 << 20):.0f} | | 320 |")


def main() -> None:
    """Measures and prints."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--runs", type=int, default=7)
    options.add_argument("--no-install", action="store_true")
    given = options.parse_args()
    print("| process | median | range | bound |\n|---|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "rows.csv").write_text(ROWS)
        seconds([*LAYERCTL, "train", str(CONFIGS / "iris.yaml"), "--out", "iris", "-q"], folder)
        short = ["train", str(CONFIGS / "iris.yaml"), "--out", "short", "--force", "--set", "fit.epochs=1"]
        told("`layerctl --help`, s", repeated(given.runs, lambda: seconds([*LAYERCTL, "--help"], folder)), "0.15")
        build = [*LAYERCTL, "build", str(CONFIGS / "digits.yaml")]
        told("`layerctl build configs/digits.yaml`, s", repeated(given.runs, lambda: seconds(build, folder)), "0.35")
        predicting(folder, given.runs)
        told("`layerctl train configs/iris.yaml --set fit.epochs=1`, s", repeated(given.runs, lambda: seconds([*LAYERCTL, *short], folder)), "0.8")
        train = [*LAYERCTL, "train", str(CONFIGS / "digits.yaml"), "--set", "fit.epochs=2", "--out"]
        empty = [seconds([*train, f"d{i}"], folder, "epoch 1/", LAYERCTL_CACHE=str(Path(folder) / f"cache{i}")) for i in range(3)]
        brought = f"{len(lowered.brought()) or 'no'} lowered kernels"
        told(f"digits, empty kernel store, {brought}, first epoch, s", empty, "5")
    if not given.no_install:
        installed()


if __name__ == "__main__":
    main()
