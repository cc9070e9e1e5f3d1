"""Start-up times, whole processes: `python benchmarks/startup.py [RUNS]` prints a Markdown table of medians and ranges.

With a warm store and a warm page cache, but for the last row, which starts with an empty store.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).parents[1]
ROWS = "sepal_length,sepal_width,petal_length,petal_width\n" + "5.1,3.5,1.4,0.2\n" * 10


def seconds(arguments: list[str], cwd: str, until: str | None = None, **environment: str) -> float:
    """Seconds of one process, or until it writes a line that starts with `until`."""
    start = time.perf_counter()
    process = subprocess.Popen([sys.executable, "-m", "layerctl", *arguments], cwd=cwd, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                               env={**os.environ, **environment})  # fmt: skip
    assert process.stdout is not None
    took = None
    for line in process.stdout:
        if until is not None and line.startswith(until) and took is None:
            took = time.perf_counter() - start
    process.wait()
    return took if took is not None else time.perf_counter() - start


def main() -> None:
    """Measures and prints."""
    runs = int(sys.argv[1]) if len(sys.argv) > 1 else 7
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "rows.csv").write_text(ROWS)
        configs = ROOT / "configs"
        seconds(["train", str(configs / "iris.yaml"), "--out", "iris", "-q"], folder)
        seconds(["predict", "iris", "rows.csv"], folder)
        cases = [
            ("`layerctl --help`", ["--help"], None, 0.2),
            ("`layerctl build configs/digits.yaml`", ["build", str(configs / "digits.yaml")], None, 0.4),
            ("`layerctl predict`, ten rows", ["predict", "iris", "rows.csv"], None, 0.5),
            ("`layerctl train configs/iris.yaml`, first step", ["train", str(configs / "iris.yaml"), "--out", "iris", "--force"], "epoch 1/", 1.0),
        ]
        print("| process | median s | range | bound |\n|---|---|---|---|")
        for name, arguments, until, bound in cases:
            took = [seconds(arguments, folder, until) for _ in range(runs)]
            print(f"| {name} | {statistics.median(took):.2f} | {min(took):.2f}–{max(took):.2f} | {bound} |")
        took = []
        for i in range(3):
            cache = str(Path(folder) / f"cache{i}")
            took.append(seconds(["train", str(configs / "digits.yaml"), "--out", f"digits{i}"], folder, "epoch 1/", LAYERCTL_CACHE=cache))
        print(f"| digits quickstart, empty store, first epoch | {statistics.median(took):.2f} | {min(took):.2f}–{max(took):.2f} | 8 |")


if __name__ == "__main__":
    main()
