"""Trials of a training, as text or JSON."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import asdict
from typing import Any

from layerctl.cli import output
from layerctl.cli.render import number, size

BARS = "▁▂▃▄▅▆▇█"
WIDTH = 60


def sparkline(values: Sequence[float], width: int = WIDTH) -> str:
    """Values as a line of bars, at most `width` of them (means of neighbours where there are more)."""
    n = len(values)
    cut = [values[i * n // min(n, width) : (i + 1) * n // min(n, width)] for i in range(min(n, width))]
    means = [sum(c) / len(c) for c in cut]
    finite = [m for m in means if math.isfinite(m)]
    low, high = (min(finite), max(finite)) if finite else (0.0, 0.0)
    step = (high - low) / (len(BARS) - 1) or 1.0
    return "".join(BARS[round((m - low) / step)] if math.isfinite(m) else "×" for m in means)


def duration(seconds: float) -> str:
    """Seconds for people."""
    if seconds < 1:
        return f"{1e3 * seconds:.3g} ms"
    if seconds < 120:
        return f"{seconds:.3g} s"
    return f"{seconds / 60:.3g} min" if seconds < 7200 else f"{seconds / 3600:.3g} h"


def tried(run: Callable[[Any], Any], observer: AbstractContextManager[Any], stopper: Any, show: Callable[[Any, bool], int], as_json: bool) -> int:
    """Runs a trial and shows it; returns the exit code, which after a signal is the signal's."""
    from layerctl.training.trying import Interrupted

    try:
        with observer as heard, stopper:
            result = run(heard)
    except Interrupted:
        output.say("interrupted: nothing was written")
        return 128 + int(stopper.signal)
    return show(result, as_json)


def ranged(result: Any, as_json: bool) -> int:
    """The range test."""
    if as_json:
        output.emit({"event": "lr_find", **asdict(result)})
        return 0
    if result.rates:
        line = [min(v, 1.5 * max(result.smoothed[0], min(result.smoothed))) for v in result.smoothed]
        print(f"loss  {sparkline(line)}")
        print(f"rate  {f'{result.rates[0]:.0e}'.ljust(min(WIDTH, len(line)) - 6)}{result.rates[-1]:.0e}")
    ended = {"done": "", "diverged": ", where the loss had grown beyond all use", "not-finite": ", where the loss was no number any more"}[result.reason]
    output.say(f"{len(result.rates)} steps in {result.seconds:.1f} s{ended}")
    if result.suggestion is None:
        print("suggestion  none: the loss did not fall at any rate")
        output.say("the rows or the model may need a look: layerctl train MODEL.yaml --overfit-one-batch")
    else:
        print(f"suggestion  {result.suggestion:.2g} (the steepest fall; the least loss was at {result.lowest:.2g})")
    return 0


def overfitted(result: Any, as_json: bool) -> int:
    """Whether one batch could be learned by heart; 1 if not."""
    if as_json:
        output.emit({"event": "overfit", **asdict(result)})
        return 0 if result.reached else 1
    print(f"loss  {sparkline([math.log10(max(abs(v), 1e-12)) if math.isfinite(v) else v for v in result.losses])}  (logarithms)")
    share = f"{abs(result.losses[-1]) / abs(result.losses[0]):.2%}" if result.losses[0] else "all"
    print(f"loss of one batch of {result.rows} rows: {number(result.losses[0])}, after {result.steps} steps {number(result.losses[-1])} ({share})")
    if result.reached:
        print("reached: the model can learn a batch by heart")
        return 0
    print("not reached: the loss should become less than 1% of the first")
    for hint in result.hints:
        output.say(f"  hint: {hint}")
    return 1


def rehearsed(r: Any, as_json: bool) -> int:
    """What a training would take."""
    if as_json:
        output.emit({"event": "dry_run", **asdict(r)})
        return 0
    total = r.steps * r.epochs
    held = ", ".join([f"{r.rows:,} to train on", *([f"{r.held:,} for validation"] if r.held else []), *([f"{r.tested:,} to test"] if r.tested else [])])
    lines = [
        ("model", f"{r.name}: {r.trained + r.other:,} parameters ({r.trained:,} trainable)"),
        ("rows", held),
        ("steps", f"{total:,}: {r.epochs} epochs of {r.steps:,} steps of {r.batch} rows"),
        ("a step", f"{duration(r.step_seconds)} (the median of {r.measured}), {r.batch / r.step_seconds:,.0f} rows a second"),
        *([("validation", duration(r.validation_seconds))] if r.held else []),
        ("an epoch", f"{duration(r.epoch_seconds)}, all in all"),
        ("time", f"{duration(r.seconds)}, {duration(r.ready_seconds)} of it until all is ready, unless a callback ends it earlier"),
        ("memory", f"{size(r.state + r.work + r.data)}: weights and optimizer {size(r.state)}, a step's work {size(r.work)}, rows {size(r.data)}"),
        ("", f"this process has had {size(r.peak)}"),
        ("disk", f"{size(r.model + r.checkpoints * r.checkpoint)}: model {size(r.model)}, {r.checkpoints} checkpoints of {size(r.checkpoint)}"),
    ]  # fmt: skip
    print("\n".join(f"{k.ljust(10)}  {v}" for k, v in lines))
    output.say("nothing was written but compiled kernels")
    return 0
