"""What the tests of `init` and `data` share: the command in a process of its own, and tables made up on the spot."""

import csv
import os
import subprocess
import sys
from pathlib import Path

import numpy as np

ROOT = Path(__file__).parents[2]


def run(folder, *arguments, code=0):
    """The finished process."""
    command = [sys.executable, "-m", "layerctl", *map(str, arguments)]
    environment = {**os.environ, "GITHUB_ACTIONS": "", "COLUMNS": "200"}
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=300, env=environment)
    assert done.returncode == code, done.stdout + done.stderr
    return done


def write(path, columns, **options):
    """Columns by name as a CSV file; None is an empty field."""
    with open(path, "w", newline="", encoding=options.pop("encoding", "utf-8")) as file:
        out = csv.writer(file, **options)
        out.writerow(columns)
        out.writerows(["" if v is None else v for v in row] for row in zip(*columns.values(), strict=True))
    return path


def flowers(n=200, seed=0):
    """Two numbers and a category that say which of three kinds a row is."""
    rng = np.random.default_rng(seed)
    kind = rng.integers(0, 3, n)
    colour = np.array(["red", "green", "blue"])[(kind + rng.integers(0, 2, n)) % 3]
    return {"length": np.round(kind * 2 + rng.normal(size=n), 3).tolist(), "width": np.round(rng.normal(size=n) - kind, 3).tolist(),
            "colour": colour.tolist(), "species": [f"kind {k}" for k in kind]}  # fmt: skip
