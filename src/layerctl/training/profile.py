"""What each instruction of a program costs: time, arithmetic, memory, as shares of what this machine can do."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from layerctl import randoms
from layerctl.compile.pipeline import compile_program
from layerctl.compile.program import Layout, Planned, Program, names_of
from layerctl.data.dataset import Dataset
from layerctl.ops.elementwise import apply
from layerctl.ops.kernel import KernelRef, Scratch, memory_of
from layerctl.ops.leaves import input_
from layerctl.ops.matmul import matmul
from layerctl.ops.value import DTYPES, Trace, Type, Value, tracing
from layerctl.runtime.machine import Machine, State

if TYPE_CHECKING:
    from layerctl.api import Model

SECONDS = 1.0
"""How long a profile measures, about."""
MOST_STEPS = 2000


@dataclass(frozen=True)
class Instruction:
    """One instruction of a step: seconds, multiply-accumulates, bytes read and written once each, shares of the machine's peaks."""

    place: int
    name: str
    kernel: str
    shape: str
    origin: str
    tasks: int
    seconds: float
    macs: int
    bytes: int
    of_peak: float
    of_bandwidth: float


@dataclass(frozen=True)
class Profile:
    """A step's instructions, its seconds, and the machine's peaks: multiply-accumulates and bytes a second on these threads."""

    batch: int
    threads: int
    seconds: float
    peak_macs: float
    peak_bytes: float
    instructions: list[Instruction]

    @property
    def macs(self) -> int:
        """Multiply-accumulates of a step."""
        return sum(i.macs for i in self.instructions)


def profile(model: Model, rows: Dataset | None = None, batch: int | None = None, predicting: bool = False) -> Profile:
    """Measures a training step (or one of prediction) of a batch: of `rows`, or of made-up numbers."""
    size = batch or model.spec.fit.batch_size
    trains = model.optimizer is not None and not predicting
    rows = rows if rows is not None else invented(model, size)
    session = model.session(rows, train=trains, batch=size)
    size = min(size, len(rows))
    if not trains:
        session.pend(rows, tuple(model.graph.outputs), size)
    bound = session.bound("train" if trains else "predict", rows, size, () if trains else tuple(model.graph.outputs))
    machine = session.machine
    times = _measured(session, bound, len(rows) // size)
    peak, bandwidth = peak_macs(machine), peak_bytes(machine)
    found = [_instruction(i, bound.program, p, s, peak, bandwidth) for i, (p, s) in enumerate(zip(bound.program.calls, times, strict=True))]
    return Profile(size, machine.threads, float(sum(times)), peak, bandwidth, found)


def _measured(session: Any, bound: Any, passes: int) -> np.ndarray:
    """Seconds of each instruction in a typical step: the median over rounds of a round's mean."""
    rounds: list[np.ndarray] = []
    spent = steps = 0
    while (spent < SECONDS and steps < MOST_STEPS) or len(rounds) < 3:
        session.put(session.task.cursor, 0)
        times = session.machine.timed(bound, passes)
        rounds.append(times / passes)
        spent, steps = spent + float(times.sum()), steps + passes
    return np.median(rounds[1:], axis=0)


def _instruction(place: int, program: Program, planned: Planned, seconds: float, peak: float, bandwidth: float) -> Instruction:
    node, call = planned.node, planned.call
    heaviest = max((p for p in program.calls if p.node is node), key=lambda p: p.call.work)
    macs = int(node.op.macs(node)) if heaviest is planned else 0
    kernel = call.ref.kernel.name if isinstance(call.ref, KernelRef) else type(call.ref).__name__.lower()
    shape = ", ".join(f"{v.dtype}{list(map(int, v.shape))}" for v in node.outputs)
    size = _bytes(call.args)
    return Instruction(
        place, "+".join(names_of(node)), kernel, shape, node.origin, planned.tasks, seconds, macs, size,
        macs / seconds / peak if seconds else 0.0, size / seconds / bandwidth if seconds else 0.0,
    )  # fmt: skip


def _bytes(args: Sequence[Any]) -> int:
    """Bytes of the memory that a call is given."""
    bases = {id(b): b for b in map(memory_of, args)}
    return sum(b.type.size if isinstance(b, Value) else b.size for b in bases.values() if isinstance(b, (Value, Scratch)))


def invented(model: Model, batch: int) -> Dataset:
    """A few batches of random rows that the model can take: normal numbers, and ids that every Embedding of the model knows."""
    from layerctl.graph.model import input_types
    from layerctl.training.shapes import target_types

    n = 4 * batch
    key = randoms.key_of(model.spec.seed, "profile")
    generator = np.random.default_rng(key)
    least = min((int(layer.input_dim) for step in model.graph.steps if (layer := step.layer) and hasattr(layer, "input_dim")), default=2)

    def draw(t: Type, most: int) -> np.ndarray:
        shape = (n, *map(int, t.shape[1:]))
        if t.dtype in ("f32", "f64"):
            return generator.standard_normal(shape).astype(DTYPES[t.dtype])
        return generator.integers(0, most, shape).astype(DTYPES[t.dtype])

    inputs = {name: draw(t, least) for name, t in input_types(model.graph, batch).items()}
    targets = target_types(model.outputs, model.output_shapes, batch)
    drawn = {name: draw(t, model.outputs[name].loss.target_classes(model.output_shapes[name]) or 2) for name, t in targets.items()}
    return Dataset.of_arrays(inputs, drawn)


def peak_macs(machine: Machine) -> float:
    """Multiply-accumulates a second of the register tile on operands that stay in the nearest caches."""
    n = 96 * machine.threads
    return _rate(machine, {"a": Type((n, 512)), "b": Type((512, 256))}, lambda v: matmul(v["a"], v["b"]), n * 512 * 256, "multiply")


def peak_bytes(machine: Machine) -> float:
    """Bytes a second of an elementwise pass over arrays larger than the caches."""
    n = 1 << 25
    return _rate(machine, {"a": Type((n,)), "b": Type((n,))}, lambda v: apply("add", v["a"], v["b"]), 12 * n, "loop")


def _rate(machine: Machine, inputs: dict[str, Type], function: Any, work: int, kernel: str) -> float:
    trace = Trace()
    with tracing(trace):
        out = function({n: input_(n, t) for n, t in inputs.items()})
    program = compile_program(trace, {"out": out}, {}, Layout())
    bound = machine.bind(program, State(program.layout), {})
    wanted = [i for i, p in enumerate(program.calls) if kernel in (p.call.ref.key if hasattr(p.call.ref, "key") else "")]
    machine.timed(bound, 1)
    steps = max(3, round(0.02 / max(float(machine.timed(bound, 1).sum()), 1e-6)))
    found = [float(machine.timed(bound, steps)[wanted].sum()) / steps for _ in range(5)]
    return work / statistics.median(found)
