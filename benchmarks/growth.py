"""How time and memory grow with batch size, depth, width, length and rows: `python benchmarks/growth.py [--threads N] [--write]`.

Each series changes one number of a model and measures a training step (the median of several) and the memory that its plan takes. The slope
is that of a straight line through the logarithms of the larger half of the points: 1 is growth in proportion to the number that was
changed, 2 to its square. `work` is the slope of the multiply-adds, which neither time nor memory may outgrow. `--write` puts the table and
the pictures into docs/performance.md and docs/growth.svg.
"""

from __future__ import annotations

import argparse
import resource
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

DOCS = Path(__file__).parents[1] / "docs"
START, END = "<!-- growth -->", "<!-- end of growth -->"
HEAD = "layerctl: 1\nname: growth\n"
TAIL = "compile: {optimizer: adam, loss: mse}\nfit: {epochs: 1, batch_size: %d}\n"


@dataclass(frozen=True)
class Series:
    """A number that grows, its values, the model for each, the input's shape, the batch; `fixed` says what the work grows with."""

    name: str
    values: tuple[int, ...]
    layers: Callable[[int], str]
    shape: Callable[[int], tuple[int, ...]]
    batch: Callable[[int], int]


def dense(units: int, depth: int) -> str:
    """A stack of Dense layers that keeps its signals' size: where they vanish, denormals cost many times as much on some processors."""
    return "".join(f"  - Dense: {{units: {units}, activation: relu, kernel_initializer: he_normal}}\n" for _ in range(depth)) + "  - Dense: 1\n"


SERIES = (
    Series("batch size", (16, 32, 64, 128, 256, 512, 1024, 2048), lambda n: dense(256, 3), lambda n: (64,), lambda n: n),
    Series("depth", (2, 4, 8, 16, 32, 64, 128), lambda n: dense(128, n), lambda n: (128,), lambda n: 64),
    Series("width", (64, 128, 256, 512, 1024, 2048), lambda n: dense(n, 2), lambda n: (n,), lambda n: 64),
    Series("length, LSTM", (16, 32, 64, 128, 256, 512), lambda n: "  - LSTM: 64\n  - Dense: 1\n", lambda n: (n, 16), lambda n: 32),
    Series("length, Conv1D", (64, 128, 256, 512, 1024, 2048), lambda n: "  - Conv1D: {filters: 32, kernel_size: 3}\n" * 2
           + "  - GlobalAveragePooling1D\n  - Dense: 1\n", lambda n: (n, 16), lambda n: 32),
    Series("length, attention", (64, 128, 256, 512, 1024), lambda n: "  - MultiHeadAttention: {num_heads: 4, key_dim: 16}\n"
           "    from: {query: x, value: x}\n  - GlobalAveragePooling1D\n  - Dense: 1\n", lambda n: (n, 64), lambda n: 8),
)  # fmt: skip


@dataclass(frozen=True)
class Point:
    """Seconds of a step, bytes of the plan, multiply-adds of a step."""

    seconds: float
    memory: int
    macs: int


def measured(series: Series, n: int, threads: int | None) -> Point:
    """One point of a series."""
    import layerctl

    shape, batch = series.shape(n), series.batch(n)
    text = series.layers(n)
    if "from: {query: x" in text:
        inside = "".join(f"  {line}\n" for line in text.splitlines())
        body = f"model:\n  inputs: {{x: {{shape: {list(shape)}}}}}\n  layers:\n{inside}"
    else:
        body = f"model:\n  - Input: {{shape: {list(shape)}}}\n{text}"
    model = layerctl.Model.from_yaml(HEAD + body + TAIL % batch, threads=threads)
    random = np.random.default_rng(0)
    x, y = random.standard_normal((batch, *shape), dtype=np.float32), random.standard_normal((batch, 1), dtype=np.float32)
    with model:
        model.fit(x, y)
        session = model.session(train=True)
        (bound,) = [b for key, b in session._programs.items() if key[0] == "train"]
        times: list[float] = []
        while len(times) < 5 or (sum(times) < 0.3 and len(times) < 200):
            session.put(session.task.cursor, 0)
            start = time.perf_counter()
            session.machine.run(bound, 1)
            times.append(time.perf_counter() - start)
        program = bound.program
        return Point(float(np.median(times)), program.arena_size + program.layout.size + program.constants_size, program.macs)


def slope(values: tuple[int, ...], found: list[float]) -> float:
    """The exponent of growth over the larger half of the values."""
    half = len(values) // 2
    return float(np.polyfit(np.log(values[half:]), np.log(found[half:]), 1)[0])


def rows_point(rows: int) -> tuple[float, float]:
    """Seconds for each row, and megabytes beside the data, of a pass over so many rows."""
    import layerctl

    model = layerctl.Model.from_yaml(HEAD + "model:\n  - Input: {shape: [16]}\n" + dense(64, 2) + TAIL % 256)
    random = np.random.default_rng(0)
    x, y = random.standard_normal((rows, 16), dtype=np.float32), random.standard_normal((rows, 1), dtype=np.float32)
    with model:
        model.fit(x[:512], y[:512])
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        start = time.perf_counter()
        model.fit(x, y)
        seconds = time.perf_counter() - start
    return seconds / rows, (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024


def picture(results: list[tuple[Series, list[Point]]]) -> str:
    """Time (line) and memory (dashed) of each series over its number, both to the logarithm, as SVG."""
    width, height, columns = 300, 220, 3
    parts = []
    for i, (series, points) in enumerate(results):
        left, top = 50 + i % columns * (width + 60), 30 + i // columns * (height + 60)
        across = np.log2(series.values)
        at = left + (across - across[0]) / (across[-1] - across[0]) * width
        parts.append(f'<text x="{left}" y="{top - 10}" font-weight="bold">{series.name}</text>')
        parts.append(f'<rect x="{left}" y="{top}" width="{width}" height="{height}" fill="none" stroke="#999"/>')
        for values, style in (([p.seconds for p in points], ""), ([p.memory for p in points], ' stroke-dasharray="5 4"')):
            up = np.log2(np.array(values) / values[0])
            y = top + height - 12 - up / max(12.0, float(up[-1])) * (height - 24)
            line = " ".join(f"{a:.1f},{b:.1f}" for a, b in zip(at, y, strict=True))
            parts.append(f'<polyline fill="none" stroke="#1f6fb2" stroke-width="2"{style} points="{line}"/>')
        for place, value in zip(at, series.values, strict=True):
            parts.append(f'<text x="{place:.1f}" y="{top + height + 16}" text-anchor="middle">{value}</text>')
        last = points[-1]
        parts.append(f'<text x="{left + width - 6}" y="{top + 16}" text-anchor="end">{1e3 * last.seconds:.1f} ms, {last.memory / 2**20:.1f} MB</text>')
    total = (50 + columns * (width + 60), 40 + -(-len(results) // columns) * (height + 60))
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {total[0]} {total[1]}" font-family="sans-serif" font-size="12">\n'
        f'<rect width="100%" height="100%" fill="white"/>\n' + "\n".join(parts) + "\n</svg>\n"
    )


def main() -> None:
    """Measures and prints; writes the documents if asked to."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int)
    parser.add_argument("--write", action="store_true")
    options = parser.parse_args()
    lines = ["| what grows | from – to | a step, ms | plan, MB | time grows as n^ | memory as n^ | work as n^ |", "|---|---|---|---|---|---|---|"]
    results: list[tuple[Series, list[Point]]] = []
    for series in SERIES:
        points = [measured(series, n, options.threads) for n in series.values]
        results.append((series, points))
        slopes: list[Any] = [slope(series.values, [getattr(p, what) for p in points]) for what in ("seconds", "memory", "macs")]
        first, last = points[0], points[-1]
        lines.append(
            f"| {series.name} | {series.values[0]} – {series.values[-1]} | {1e3 * first.seconds:.2f} – {1e3 * last.seconds:.1f} "
            f"| {first.memory / 2**20:.2f} – {last.memory / 2**20:.1f} | {slopes[0]:.2f} | {slopes[1]:.2f} | {slopes[2]:.2f} |"
        )
        print(lines[-1], flush=True)
    lines += ["", "| rows of an epoch | µs a row | MB more at the peak |", "|---|---|---|"]
    for rows in (10_000, 100_000, 1_000_000):
        seconds, memory = rows_point(rows)
        lines.append(f"| {rows:,} | {1e6 * seconds:.2f} | {memory:.1f} |")
    print("\n".join(lines))
    if options.write:
        (DOCS / "growth.svg").write_text(picture(results))
        page = DOCS / "performance.md"
        before, rest = page.read_text().split(START)
        page.write_text("\n".join([before + START, "", *lines, "", END]) + rest.split(END)[1])


if __name__ == "__main__":
    main()
