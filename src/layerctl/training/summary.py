"""What a model is made of: layers, shapes, parameters, work, memory."""

from __future__ import annotations

from dataclasses import dataclass, field

from layerctl.catalogue import snake_case
from layerctl.compile.program import Program
from layerctl.compile.step import Batch, Task, prediction, trainable
from layerctl.graph.model import Model, input_types
from layerctl.ops.value import Shape, Type, shown
from layerctl.training.room import needed_by
from layerctl.training.shapes import program_of


@dataclass(frozen=True)
class LayerRow:
    """One line of the table. `depth` counts the models around it; `macs` are of one sample."""

    name: str
    kind: str
    shape: str
    parameters: int
    macs: int
    line: int | None
    depth: int = 0


@dataclass(frozen=True)
class Description:
    """A model's table and its totals. Memory is in bytes, for a batch of `batch` rows; `macs` are of one sample, forward."""

    name: str
    rows: list[LayerRow]
    trainable: int
    other: int
    macs: int
    batch: int
    memory_training: int | None
    memory_inference: int
    inputs: dict[str, str]
    outputs: dict[str, str]
    notes: list[str] = field(default_factory=list)


def describe(task: Task, batch: int, targets: dict[str, Type] | None) -> Description:
    """The description of a model; with targets (and an optimizer) the memory of training too."""
    model = task.model
    types = input_types(model, batch)
    program = prediction(_fresh(task), Batch(types))
    shapes = {n: s for step in model.steps for n, s in zip(step.names, step.shapes, strict=False)} | {n: t.shape for n, t in types.items()}
    macs = macs_by_origin(program)
    rows = [LayerRow(n, "Input", shown(t.shape), 0, 0, _line(model.inputs[n].span)) for n, t in types.items()]
    seen: set[int] = set()
    for step in model.steps:
        layer = step.layer
        own = 0 if id(layer) in seen else sum(_size(w.shape) for w in layer.weights())
        seen.add(id(layer))
        kind = layer._kind_name if isinstance(layer, Model) else type(layer).__name__
        shape = ", ".join(shown(s) for s in step.shapes)
        work = sum(n for path, n in macs.items() if path == layer.path or path.startswith(f"{layer.path}/"))
        rows.append(
            LayerRow(
                step.names[0], getattr(layer, "kind_name", None) or kind, shape, own, work // batch, _line(step.span)
            )
        )
    learned = {id(w) for w in trainable(task)}
    sizes = [(id(w) in learned, _size(w.shape)) for w in model.weights()]
    return Description(
        model.name or "model", rows, sum(n for t, n in sizes if t), sum(n for t, n in sizes if not t), program.macs // batch, batch,
        _training_memory(task, {n: shapes[n] for n in model.outputs}, batch) if targets and task.optimizer is not None else None,
        needed_by(program),
        {n: shown(t.shape) for n, t in types.items()}, {n: shown(shapes[n]) for n in model.outputs},
    )  # fmt: skip


def _fresh(task: Task) -> Task:
    return Task(task.model, task.outputs, task.optimizer, task.seed)


def _training_memory(task: Task, shapes: dict[str, Shape], batch: int) -> int:
    program = program_of(_fresh(task), shapes, batch)
    return needed_by(program)


def _size(shape: tuple[int, ...]) -> int:
    out = 1
    for d in shape:
        out *= int(d)
    return out


def _line(span: object) -> int | None:
    return getattr(span, "line", None)


def macs_by_origin(program: Program) -> dict[str, int]:
    """Multiply-accumulates of each layer's nodes by its path."""
    out: dict[str, int] = {}
    for node in program.nodes:
        n = int(node.op.macs(node))
        if n:
            out[node.origin] = out.get(node.origin, 0) + n
    return out


def graph_text(model: Model) -> str:
    """The graph: a line a step with where its tensors come from."""
    lines = [f"{n} = Input{shown((None, *(p.shape or ())))}" for n, p in model.inputs.items()]
    for step in model.steps:
        sources = step.sources
        given = (
            ", ".join(f"{k}={v}" for k, v in sources.items()) if isinstance(sources, dict)
            else ", ".join(sources) if isinstance(sources, list) else sources
        )  # fmt: skip
        kind = step.layer._kind_name if isinstance(step.layer, Model) else type(step.layer).__name__
        lines.append(f"{', '.join(step.names)} = {kind}({given})  {' '.join(shown(s) for s in step.shapes)}")
    return "\n".join([*lines, f"outputs: {', '.join(model.outputs)}"])


def ops_text(program: Program) -> str:
    """The nodes of a program before they become instructions."""
    return "\n".join(repr(n) for n in program.nodes)


def memory_text(program: Program) -> str:
    """Where each value stands, largest first."""
    rows = []
    for node in program.nodes:
        for v in node.outputs:
            place = program.location(v)
            rows.append(
                (
                    v.type.size,
                    f"{place.space}+{place.offset:<10d} {v.type.size:>10d} B  {v!r}  {node.origin or snake_case(node.op.name)}",
                )
            )
    total = f"arena {program.arena_size} B, state {program.layout.size} B, constants {program.constants_size} B"
    return "\n".join([total, *(text for _, text in sorted(rows, key=lambda r: -r[0]))])
