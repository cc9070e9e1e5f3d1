"""Whether a model has room in memory, asked before any of it is taken."""

from __future__ import annotations

import math

from layerctl.compile.program import Program
from layerctl.compile.step import Task
from layerctl.diagnostics import Diagnostic, LayerctlError
from layerctl.limits import memory
from layerctl.ops.value import SIZE_OF

_UNITS = ((1 << 40, "TB"), (1 << 30, "GB"), (1 << 20, "MB"), (1, "bytes"))


def needed_by(program: Program) -> int:
    """Bytes of weights, optimizer slots, constants and all that the program computes."""
    return program.layout.size + program.arena_size + program.constants_size


def lacking(task: Task, needed: int, doing: str, severity: str = "error", results: bool = True) -> Diagnostic | None:
    """What is to be said where `doing` (training, prediction) needs more bytes than this process may have: it names the layer that takes most.

    Without `results` the bytes are those of weights and their slots alone.
    """
    there = memory()
    if needed <= there:
        return None
    parts = _weights(task) + (_results(task) if results else [])
    size, step, what = max(parts, key=lambda found: found[0], default=(0, None, "nothing"))
    text = f"{doing} takes {_shown(needed)} of memory, and there are {_shown(there)}: {what} {_shown(size)}"
    cure = "give it a smaller size" if what.startswith("the weights") else "give it a smaller size, or take a smaller batch_size"
    return Diagnostic("out-of-memory", text, step.span if step is not None else None, (), cure, severity)


def check_room(task: Task, needed: int, doing: str, results: bool = True) -> None:
    """Ends the work before the system does.

    Raises:
        LayerctlError: `out-of-memory`.
    """
    found = lacking(task, needed, doing, results=results)
    if found is not None:
        raise LayerctlError(found)


def _weights(task: Task) -> list:
    """(bytes, step, what they are) of each layer's weights."""
    out, seen = [], set()
    for step in task.model.steps:
        if id(step.layer) not in seen:
            seen.add(id(step.layer))
            own = [w.type for w in step.layer.weights()]
            numbers = sum(math.prod(map(int, t.shape)) for t in own)
            out.append((sum(t.size for t in own), step, f"the weights of '{step.names[0]}', {numbers:,} numbers, alone take"))
    return out


def _results(task: Task) -> list:
    """(bytes, step, what they are) of each layer's results for a batch."""
    return [
        (SIZE_OF["f32"] * math.prod(map(int, shape)), step, f"the result of '{name}' for {int(shape[0]):,} rows alone takes")
        for step in task.model.steps for name, shape in zip(step.names, step.shapes, strict=False) if shape
    ]  # fmt: skip


def _shown(size: int) -> str:
    unit, name = next((u, n) for u, n in _UNITS if size >= u or u == 1)
    return f"{size / unit:,.1f} {name}" if unit > 1 else f"{size} {name}"
