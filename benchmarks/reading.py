"""How fast sources are read, from a file to arrays of columns, on one core: `python benchmarks/reading.py [--mb 200] [--runs 3]`.

Prints a Markdown table: MB/s of wall time and of this process's own time (on a busy machine the latter says more), medians of the runs, files in
the page cache, kernels in the store. Beside each, Python's csv module making lists of texts of the same file.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import json
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from layerctl.data.caching import cached
from layerctl.data.dataset import load
from layerctl.data.readers import read_table
from layerctl.spec.data import DataSpec

WORDS = ["Private", "Self-emp-not-inc", "Bachelors", "Some-college", "Married-civ-spouse", "Never-married", "Prof-specialty", "United-States"]
ROWS = 5000


def blocks() -> dict[str, tuple[str, str]]:
    """(header, rows) of each kind of table."""
    rng = np.random.default_rng(0)
    numbers = rng.normal(size=(ROWS, 10)) * 1000
    picked = rng.integers(0, len(WORDS), (ROWS, 8))
    head = ",".join("abcdefghij")
    return {
        "numbers of 6 digits": (head, "".join(",".join(f"{v:.6g}" for v in r) + "\n" for r in numbers)),
        "numbers of 17 digits": (head, "".join(",".join(map(repr, r)) + "\n" for r in numbers.tolist())),
        "texts": (",".join("abcdefgh"), "".join(",".join(WORDS[i] for i in r) + "\n" for r in picked)),
        "quoted texts": (",".join("abcdefgh"), "".join(",".join(f'"{WORDS[i]}, ""x"""' for i in r) + "\n" for r in picked)),
    }


def measured(size: float, runs: int, work: Callable[[], object]) -> str:
    """MB/s of wall time and of own time."""
    walls, owns = [], []
    for _ in range(runs):
        wall, own = time.perf_counter(), time.process_time()
        work()
        walls.append(size / (time.perf_counter() - wall))
        owns.append(size / (time.process_time() - own))
    return f"{statistics.median(walls):.0f} | {statistics.median(owns):.0f}"


def columns_of(path: Path) -> None:
    """Reads a table and every column of it: numbers where they are, else numbered texts."""
    table = read_table(str(path), DataSpec(source=str(path), features={"x": {}}).reading())
    for name in table.columns:
        if table.is_numeric(name):
            table.numbers(name)
        else:
            table.coded(name)


def by_csv(path: Path) -> None:
    """Python's csv module alone."""
    with open(path, newline="") as file:
        list(csv.reader(file))


def main() -> None:
    """Writes the files, reads them, prints the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--mb", type=int, default=200)
    parser.add_argument("--runs", type=int, default=3)
    given = parser.parse_args()
    print("| source | MB/s | MB/s of own time | csv module, MB/s | of own time |\n|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        for name, (head, rows) in blocks().items():
            path = Path(folder) / "t.csv"
            with open(path, "w") as file:
                file.write(head + "\n")
                file.writelines([rows] * max(1, given.mb * 1_000_000 // len(rows)))
            size = path.stat().st_size / 1e6
            columns_of(path)
            print(f"| {name} | {measured(size, given.runs, lambda p=path: columns_of(p))} | {measured(size, 1, lambda p=path: by_csv(p))} |", flush=True)
        packed = Path(folder) / "t.csv.gz"
        text = path.read_bytes()[:50_000_000].rpartition(b"\n")[0]
        packed.write_bytes(gzip.compress(text, 1))
        print(f"| quoted texts, gzip (MB unpacked) | {measured(len(text) / 1e6, given.runs, lambda: columns_of(packed))} | | |")
        lines = Path(folder) / "t.jsonl"
        lines.write_text("".join(json.dumps({"a": i * 0.5, "b": i, "c": "word"}) + "\n" for i in range(500_000)))
        size = lines.stat().st_size / 1e6
        columns_of(lines)
        print(f"| JSON lines | {measured(size, given.runs, lambda: columns_of(lines))} | | |")
        _cache(Path(folder), given.mb)


def _cache(folder: Path, mb: int) -> None:
    """The whole way of a table larger than memory, and opening what it left."""
    head, rows = blocks()["numbers of 17 digits"]
    path = folder / "large.csv"
    with open(path, "w") as file:
        file.write(head + "\n")
        file.writelines([rows] * max(1, mb * 1_000_000 // len(rows)))
    size = path.stat().st_size / 1e6
    spec = DataSpec(source=str(path), features={"x": {"columns": list("abcdefghi")}}, target="j", split={"validation": 0.1}, cache=True)
    print(f"| read, fitted, encoded into the cache | {measured(size, 1, lambda: load(spec, time.time_ns(), lambda *_: None, folder, {'j': 'number'}))} | | |")
    load(spec, 0, lambda *_: None, folder, {"j": "number"})
    print(f"| opened from the cache, checked | {measured(size, 3, lambda: cached(spec, 0, lambda *_: None, folder, {'j': 'number'}))} | | |")


if __name__ == "__main__":
    main()
