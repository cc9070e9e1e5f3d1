"""The zoo: ten models trained and used by layerctl and its peers in one run, alternating in time, on the same random rows.

    pip install -e '.[bench]' 'torch==2.13.0'
    python benchmarks/zoo/run.py [--models mlp,cnn] [--systems layerctl,torch] [--threads 1,2] [--rounds 5] [--whole] [--write]

Each system is a process of its own that waits while the others work; a round is one epoch and one pass of prediction of each system in
turn, with another one first each time. Ratios are of a round's pair of times, to the peer that is best by its median; given are medians
and, in brackets, their range.
`--write` puts the tables into README.md beside this file.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import statistics
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))

from peers import SHAPES, SYSTEMS

HERE = Path(__file__).parent
START, END = "<!-- tables -->", "<!-- end of tables -->"
REST = 0.25
"""Seconds before each measurement, in which the threads of the system before it go to sleep."""
ONES = 0.3
"""Seconds of a measurement of latency."""


@dataclass
class Measured:
    """One system on one model: seconds of each round; `first` until an epoch was done and `whole` with prediction and exit, from the start
    of the process; peak memory in MB."""

    train: list[float] = field(default_factory=list)
    predict: list[float] = field(default_factory=list)
    one: list[float] = field(default_factory=list)
    first: float = 0.0
    whole: float = 0.0
    memory: float = 0.0


def worker(system: str, name: str, threads: int, commands: Any) -> None:
    """A system's process: does what each line asks for and answers with the seconds."""
    subject = SYSTEMS[system](name, threads)
    for line in commands:
        command = line.strip()
        if not hasattr(subject, command):
            print("null", flush=True)
            continue
        start, repeats, seconds = time.perf_counter(), 0, 0.0
        while not repeats or (command == "one" and seconds < ONES):
            getattr(subject, command)()
            repeats, seconds = repeats + 1, time.perf_counter() - start
        seconds /= repeats
        print(json.dumps([seconds, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024]), flush=True)


class Process:
    """A system's process as the benchmark sees it."""

    def __init__(self, system: str, name: str, threads: int):
        cores = sorted(os.sched_getaffinity(0))[:threads]
        environment = {k: v for k, v in os.environ.items() if k not in ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE")}
        environment |= {"OMP_NUM_THREADS": str(threads), "TF_CPP_MIN_LOG_LEVEL": "3", "JAX_PLATFORMS": "cpu"}
        if system.startswith("keras"):
            environment["KERAS_BACKEND"] = {"jax": "jax", "tf": "tensorflow"}[system.removeprefix("keras-")]
        self.started = time.perf_counter()
        self.process = subprocess.Popen(
            [sys.executable, __file__, "--worker", system, name, str(threads)], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL, text=True, env=environment, preexec_fn=lambda: os.sched_setaffinity(0, cores),
        )  # fmt: skip

    def ask(self, command: str) -> tuple[float, float] | None:
        """(seconds, peak MB) of a command, or None where the system cannot do it."""
        assert self.process.stdin is not None and self.process.stdout is not None
        print(command, file=self.process.stdin, flush=True)
        line = self.process.stdout.readline()
        if not line:
            raise SystemExit(f"a process of the benchmark ended: {self.process.args}")
        found = json.loads(line)
        return None if found is None else (found[0], found[1])

    def end(self) -> float:
        """Ends the process; seconds since it was started."""
        assert self.process.stdin is not None
        self.process.stdin.close()
        self.process.wait()
        return time.perf_counter() - self.started


def measure(name: str, systems: list[str], threads: int, rounds: int, whole: bool) -> dict[str, Measured]:
    """All systems on one model."""
    found = {s: Measured() for s in systems}
    running = {}
    for system, m in found.items():
        if whole:
            process = Process(system, name, threads)
            for command in ("epoch", "predict"):
                process.ask(command)
            m.whole = process.end()
        running[system] = process = Process(system, name, threads)
        answer = process.ask("epoch")
        m.first = time.perf_counter() - process.started if answer else 0.0
        m.memory = answer[1] if answer else 0.0
        for command in ("predict", "one"):
            process.ask(command)
    for turn in range(rounds):
        first = turn % len(systems)
        for command, place in (("epoch", "train"), ("predict", "predict"), ("one", "one")):
            for system in [*systems[first:], *systems[:first]]:
                process = running[system]
                time.sleep(REST)
                answer = process.ask(command)
                if answer is not None:
                    getattr(found[system], place).append(answer[0])
    for process in running.values():
        process.end()
    return found


def ratio(found: dict[str, Measured], what: str) -> tuple[str, list[float]]:
    """The peer that is best by its median, and how many times faster layerctl was in each round; none where nobody else does it."""
    peers = {s: getattr(m, what) for s, m in found.items() if s != "layerctl" and getattr(m, what)}
    if not peers:
        return "–", []
    best = min(peers, key=lambda s: statistics.median(peers[s]))
    return best, [theirs / ours for theirs, ours in zip(peers[best], getattr(found["layerctl"], what), strict=True)]


def table(results: dict[str, dict[str, Measured]], systems: list[str], what: str) -> list[str]:
    """Rows a second (or microseconds of a single row) of each system, and the ratio to the best peer."""
    lines = [f"| model | {' | '.join(systems)} | best peer | ratio |", "|---|" + "---:|" * len(systems) + "---|---|"]
    medians = []
    for name, found in results.items():
        cells = []
        for s in systems:
            times = getattr(found[s], what)
            mid = statistics.median(times) if times else 0.0
            cells.append("–" if not times else f"{1e6 * mid:,.0f}" if what == "one" else f"{SHAPES[name][4] / mid:,.0f}")
        best, ratios = ratio(found, what)
        medians += [statistics.median(ratios)] if ratios else []
        told = f"**{medians[-1]:.2f}** ({min(ratios):.2f}–{max(ratios):.2f})" if ratios else ""
        lines.append(f"| {name} | {' | '.join(cells)} | {best} | {told} |")
    if medians:
        lines.append(f"| geometric mean | {'| ' * len(systems)}| **{statistics.geometric_mean(medians):.2f}** |")
    return lines


def process_table(results: dict[str, dict[str, Measured]], systems: list[str]) -> list[str]:
    """Seconds to the first finished epoch / of a process with one epoch and one pass of prediction / peak MB after the epoch."""
    systems = [s for s in systems if s != "onnxruntime"]
    lines = [f"| model | {' | '.join(systems)} |", "|---|" + "---:|" * len(systems)]
    for name, found in results.items():
        cells = [f"{found[s].first:.1f} / {f'{found[s].whole:.1f}' if found[s].whole else '–'} / {found[s].memory:,.0f}" for s in systems]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return lines


def machine() -> str:
    """What the numbers were measured on."""
    info = Path("/proc/cpuinfo").read_text()
    model = next((line.split(":")[1].strip() for line in info.splitlines() if line.startswith("model name")), platform.machine())
    return f"{model}, {len(os.sched_getaffinity(0))} cores (shared virtual machine), Linux, Python {platform.python_version()}; {time.strftime('%Y-%m-%d')}"


def versions() -> str:
    """The peers' versions."""
    from importlib.metadata import PackageNotFoundError, version

    found = []
    for package in ("layerctl", "torch", "keras", "jax", "tensorflow-cpu", "onnxruntime"):
        try:
            found.append(f"{package} {version(package)}")
        except PackageNotFoundError:
            continue
    return ", ".join(found)


def main() -> None:
    """Measures and prints; writes README.md if asked to."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", default=",".join(SHAPES))
    parser.add_argument("--systems", default=",".join(SYSTEMS))
    parser.add_argument("--threads", default="1,2")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--whole", action="store_true", help="measure whole processes too: start, one epoch, one prediction, exit")
    parser.add_argument("--write", action="store_true")
    options = parser.parse_args()
    names, systems = options.models.split(","), options.systems.split(",")
    text = [f"{machine()}; {versions()}."]
    for threads in map(int, options.threads.split(",")):
        results = {}
        for name in names:
            results[name] = measure(name, systems, threads, options.rounds, options.whole)
            print(f"{name}, {threads} thread{'s' if threads > 1 else ''}: {json.dumps({s: vars(m) for s, m in results[name].items()})}", file=sys.stderr)
        head = f"{threads} thread{'s' if threads > 1 else ''}"
        trained = [s for s in systems if s != "onnxruntime"]
        text += ["", f"### Training, {head}: rows a second", "", *table(results, trained, "train")]
        text += ["", f"### Prediction, {head}: rows a second", "", *table(results, systems, "predict")]
        text += ["", f"### One row, {head}: microseconds", "", *table(results, systems, "one")]
        text += ["", f"### Processes, {head}: seconds to the first epoch / with a prediction and exit / peak MB", "", *process_table(results, systems)]
    print("\n".join(text))
    if options.write:
        readme = HERE / "README.md"
        before, rest = readme.read_text().split(START)
        readme.write_text("\n".join([before + START, "", *text, "", END]) + rest.split(END)[1])


if __name__ == "__main__":
    if sys.argv[1:2] == ["--worker"]:
        worker(sys.argv[2], sys.argv[3], int(sys.argv[4]), sys.stdin)
    else:
        main()
