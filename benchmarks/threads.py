"""Two threads beside one, on the zoo's models: `python benchmarks/threads.py [--models mlp,lstm] [--rounds 5]` prints a Markdown table.

A round is one thread, two threads, one thread again, for training, for prediction and for the register tile on operands that stay in the
nearest caches. The tile's own ratio is what the machine gives to two threads at that moment: on shared virtual cores often less than 2.
Given are medians and, in brackets, their range.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent / "zoo"))

from peers import SHAPES, Layerctl

COMMANDS = ("epoch", "predict", "tile")


def worker(name: str, threads: int) -> None:
    """Does what each line asks for and answers with the seconds."""
    from layerctl.runtime.machine import Machine
    from layerctl.training.profile import peak_macs

    subject, machine = Layerctl(name, threads), Machine(threads)
    for line in sys.stdin:
        start = time.perf_counter()
        if line.strip() == "tile":
            seconds = 1 / peak_macs(machine)
        else:
            getattr(subject, line.strip())()
            seconds = time.perf_counter() - start
        print(json.dumps(seconds), flush=True)


def started(name: str, threads: int) -> subprocess.Popen[str]:
    """A process that computes on so many cores."""
    cores = sorted(os.sched_getaffinity(0))[:threads]
    return subprocess.Popen(
        [sys.executable, __file__, "--worker", name, str(threads)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        preexec_fn=lambda: os.sched_setaffinity(0, cores),
    )  # fmt: skip


def ask(process: subprocess.Popen[str], command: str) -> float:
    """The seconds of a command."""
    assert process.stdin is not None and process.stdout is not None
    print(command, file=process.stdin, flush=True)
    return float(json.loads(process.stdout.readline()))


def measure(name: str, rounds: int) -> dict[str, list[float]]:
    """How many times as fast two threads are, in each round."""
    one, two = (started(name, threads) for threads in (1, 2))
    found: dict[str, list[float]] = {command: [] for command in COMMANDS}
    for turn in range(rounds + 1):
        for command, ratios in found.items():
            before, both, after = ask(one, command), ask(two, command), ask(one, command)
            if turn:
                ratios.append((before + after) / 2 / both)
    for process in (one, two):
        process.terminate()
        process.wait()
    return found


def told(ratios: list[float]) -> str:
    """The median and the range."""
    return f"{statistics.median(ratios):.2f} ({min(ratios):.2f}–{max(ratios):.2f})"


def main(arguments: Any = None) -> None:
    """Prints a row for each model as it is measured."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--models", default=",".join(SHAPES))
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args(arguments)
    print("| model | training | prediction | the tile | training of the tile's |", "|---|---|---|---|---|", sep="\n")
    for name in options.models.split(","):
        found = measure(name, options.rounds)
        shares = [both / tile for both, tile in zip(found["epoch"], found["tile"], strict=True)]
        print("|", " | ".join([name, *(told(found[command]) for command in COMMANDS), told(shares)]), "|", flush=True)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--worker"]:
        worker(sys.argv[2], int(sys.argv[3]))
    else:
        main()
