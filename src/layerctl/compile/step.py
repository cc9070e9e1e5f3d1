"""The traces of a model's three programs: a training step, an evaluation step, a prediction."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from layerctl.compile.differentiate import gradients
from layerctl.compile.pipeline import compile_program
from layerctl.compile.program import Group, Layout, Program
from layerctl.compile.trim import trim
from layerctl.graph.judging import Output
from layerctl.graph.model import Model
from layerctl.metrics.base import Metric
from layerctl.ops.batch import Deliver, Fetch, RowNumbers
from layerctl.ops.elementwise import apply, cast
from layerctl.ops.leaves import constant, input_
from layerctl.ops.pack import Pack
from layerctl.ops.reshape import reshape
from layerctl.ops.value import ShapeError, Trace, Type, Value, Weight, tracing
from layerctl.optimizers.base import Optimizer


@dataclass
class Task:
    """A model with all that training and evaluation need.

    `rate` is the learning rate's place (f32 scalar), which callbacks set; a schedule computes over it. `loss_total` and
    `loss_count` accumulate the reported loss; `not_finite` holds the first step (from 1) whose loss was not finite, or 0. `steps_before`
    are those that the optimizer had made before it came here.
    """

    model: Model
    outputs: dict[str, Output]
    optimizer: Optimizer | None = None
    seed: int = 0
    layout: Layout = field(default_factory=Layout)
    groups: list[Group] = field(default_factory=list)
    slots: dict[tuple[str, str], Weight] = field(default_factory=dict)
    steps_before: int = 0

    def __post_init__(self) -> None:
        self.iteration = Weight("optimizer/iteration", (), "i64", None, trainable=False)
        self.rate = Weight("optimizer/learning_rate", (), "f32", None, trainable=False)
        self.loss_total = Weight("metrics/loss/total", (), "f64", None, trainable=False)
        self.loss_count = Weight("metrics/loss/count", (), "f64", None, trainable=False)
        self.not_finite = Weight("run/not_finite", (), "i64", None, trainable=False)
        self.cursor = Weight("run/cursor", (), "i64", None, trainable=False)

    def metrics(self) -> dict[str, Metric]:
        """Each of several losses, and all metrics, by their reported names."""
        several = len(self.outputs) > 1
        out: dict[str, Metric] = {p.label: p.mean for o in self.outputs.values() for p in o.losses if p.mean is not None}
        for name, o in self.outputs.items():
            for group in (o.metrics, o.weighted_metrics):
                out |= {(f"{name}_{k}" if several else k): m for k, m in group.items()}
        return out


@dataclass(frozen=True)
class Batch:
    """The types of a batch: model inputs, targets, and sample weights by output ('' for all)."""

    inputs: Mapping[str, Type]
    targets: Mapping[str, Type] = field(default_factory=dict)
    weights: Mapping[str, Type] = field(default_factory=dict)

    @property
    def size(self) -> int:
        """Rows."""
        return int(next(iter(self.inputs.values())).shape[0])

    @property
    def key(self) -> tuple[tuple[str, tuple[int, ...], str], ...]:
        """Names, shapes and dtypes: the same for batches that one program can take."""
        parts = {"input": self.inputs, "target": self.targets, "weight": self.weights}
        return tuple((f"{kind}:{n}", tuple(map(int, t.shape)), t.dtype) for kind, own in parts.items() for n, t in own.items())


def _begin(task: Task, training: bool) -> Trace:
    return Trace(training=training, seed=task.seed)


def _fetch(task: Task, trace: Trace, batch: Batch) -> tuple[dict[str, Value], dict[str, Value], dict[str, Value]]:
    cursor = trace.read(task.cursor)
    trace.rows = RowNumbers.apply(cursor, batch=batch.size)
    parts = (("input", batch.inputs), ("target", batch.targets), ("weight", batch.weights))
    out = tuple(
        {n: Fetch.apply(cursor, label=f"{kind}:{n}", type=t) for n, t in types.items()} for kind, types in parts
    )
    trace.update(task.cursor, cursor + batch.size)
    return out


def _loss(
    task: Task, trace: Trace, values: Mapping[str, Value], targets: Mapping[str, Value], weights: Mapping[str, Value]
) -> Value:  # fmt: skip
    """The scalar loss: the outputs' losses by their weights, what layers add, penalties on weights."""
    parts = []
    for name, output in task.outputs.items():
        if name in targets:
            for part in output.losses:
                try:
                    loss = part.loss(targets[name], values[name], weights.get(name, weights.get("")))
                except ShapeError as error:
                    output.refuse(name, part.loss, error)
                if part.mean is not None:
                    part.mean.record(loss, int(values[name].shape[0]))
                parts.append(loss * part.weight if part.weight != 1.0 else loss)
    parts += trace.losses
    for w in task.model.weights():
        if w.regularizer is not None and task.model.is_trainable(w):
            parts.append(w.regularizer(trace.read(w)))
    total = parts[0] if parts else constant(0.0)
    for part in parts[1:]:
        total = total + part
    return total


def _judge(
    task: Task, trace: Trace, values: Mapping[str, Value], targets: Mapping[str, Value], weights: Mapping[str, Value], size: int
) -> Value:  # fmt: skip
    """The scalar loss; it and the metrics are added to their state."""
    for name, output in task.outputs.items():
        if name not in targets:
            continue
        weighted = weights.get(name, weights.get(""))
        for metric, w in [*((m, None) for m in output.metrics.values()), *((m, weighted) for m in output.weighted_metrics.values())]:
            try:
                metric.update(targets[name], values[name], w)
            except ShapeError as error:
                output.refuse(name, metric, error)
    total = _loss(task, trace, values, targets, weights)
    trace.update(task.loss_total, trace.read(task.loss_total) + cast(total, "f64") * float(size))
    trace.update(task.loss_count, trace.read(task.loss_count) + float(size))
    return total


def weight_gradients(task: Task, batch: Batch) -> tuple[Program, list[Weight]]:
    """A program whose outputs are the loss's gradients by weights' paths, in training mode; and the weights that it depends on."""
    trace = _begin(task, training=True)
    with tracing(trace):
        inputs, targets, weights = _fetch(task, trace, batch)
        loss = _loss(task, trace, task.model.run(inputs), targets, weights)
        wanted = [w for w in trainable(task) if w in trace.initial]
        trim([loss])
        found = gradients(loss, [trace.initial[w] for w in wanted])
    pairs = [(w, g) for w, g in zip(wanted, found, strict=True) if g is not None]
    return compile_program(trace, {w.path: g for w, g in pairs}, {}, task.layout), [w for w, _ in pairs]


def evaluation(task: Task, batch: Batch) -> Program:
    """A program that adds one batch to the loss and the metrics."""
    trace = _begin(task, training=False)
    with tracing(trace):
        inputs, targets, weights = _fetch(task, trace, batch)
        values = task.model.run(inputs)
        _judge(task, trace, values, targets, weights, batch.size)
    return compile_program(trace, {}, _without_model_state(task, trace), task.layout)


def _without_model_state(task: Task, trace: Trace) -> dict[Weight, Value]:
    own = set(task.model.weights())
    return {w: v for w, v in trace.updates.items() if w not in own or w.flags.get("stateful")}


def prediction(task: Task, batch: Batch, wanted: Sequence[str] | None = None) -> Program:
    """A program that writes the wanted values (the model's outputs by default) of one batch to `result:NAME`."""
    trace = _begin(task, training=False)
    with tracing(trace):
        inputs, _, _ = _fetch(task, trace, batch)
        values = task.model.run(inputs)
        values = {n: v for n, (v, _) in trace.named.items()} | values
        cursor = trace.initial[task.cursor]
        done = {
            f"delivered:{n}": Deliver.apply(values[n], cursor, label=f"result:{n}")
            for n in wanted or task.model.outputs
        }
    return compile_program(trace, done, _without_model_state(task, trace), task.layout)


def direct(task: Task, batch: Batch) -> Program:
    """A program of prediction that reads the batch from its inputs and leaves the model's outputs in its memory."""
    trace = _begin(task, training=False)
    with tracing(trace):
        values = task.model.run({n: input_(n, t) for n, t in batch.inputs.items()})
    return compile_program(trace, {n: values[n] for n in task.model.outputs}, {}, task.layout)


def inspection(task: Task, batch: Batch, wanted: Sequence[str] | None = None) -> tuple[Program, dict[str, Any]]:
    """A program whose outputs are named values (all by default) of the batch at the cursor, as the next training step computes them;
    and what makes each. It changes nothing."""
    trace = _begin(task, training=True)
    with tracing(trace):
        trace.step = trace.read(task.iteration)
        inputs, _, _ = _fetch(task, trace, batch)
        task.model.run(inputs)
    chosen = {n: trace.named[n] for n in (trace.named if wanted is None else wanted)}
    return compile_program(trace, {n: v for n, (v, _) in chosen.items()}, {}, task.layout), {n: s for n, (_, s) in chosen.items()}


def training(task: Task, batch: Batch) -> Program:
    """A program of one optimizer step on one batch."""
    trace = _begin(task, training=True)
    with tracing(trace):
        trace.step = trace.read(task.iteration)
        inputs, targets, weights = _fetch(task, trace, batch)
        values = task.model.run(inputs)
        loss = _judge(task, trace, values, targets, weights, batch.size)
        _watch(task, trace, loss)
        trim([loss, *trace.updates.values()])
        update(task, trace, loss)
    return compile_program(trace, {"loss": loss}, trace.updates, task.layout)


def _watch(task: Task, trace: Trace, loss: Value) -> None:
    """Remembers the first step whose loss was not finite."""
    before, now = trace.read(task.not_finite), trace.read(task.iteration) + 1
    bad = apply("and", apply("not", apply("isfinite", loss)), apply("eq", before, 0))
    trace.update(task.not_finite, apply("where", bad, now, before))


def trainable(task: Task) -> list[Weight]:
    """The weights that the optimizer changes, in the model's order."""
    return [w for w in task.model.weights() if task.model.is_trainable(w)]


def update(task: Task, trace: Trace, loss: Value) -> None:
    """Differentiates the loss and traces the optimizer's step.

    Weights without a constraint stand together in one flat group, so that the step is one instruction over all of them.
    """
    optimizer = task.optimizer
    assert optimizer is not None
    wanted = [w for w in trainable(task) if w in trace.initial]
    for w in wanted:  # what a layer made of a trained weight in the forward pass (SpectralNormalization) ends with it, as in Keras on JAX
        trace.weights[w] = trace.initial[w]
    scale = optimizer.loss_scale_factor
    grads = gradients(loss if scale is None else loss * scale, [trace.initial[w] for w in wanted])
    pairs = [(w, g if scale is None else g / scale) for w, g in zip(wanted, grads, strict=True) if g is not None]
    if not pairs:
        return
    clock = _clock(task, trace)
    pairs = [(w, _accumulated(task, trace, w, g, clock)) for w, g in pairs]
    clipped = zip([w for w, _ in pairs], optimizer.clip([g for _, g in pairs]), strict=True)
    flat: dict[tuple[str, float, bool], list[tuple[Weight, Value]]] = {}
    for w, g in clipped:
        if w.constraint is not None or optimizer.per_weight:
            _step(task, trace, w, g, clock, optimizer.multiplier(w.path))
        else:
            flat.setdefault((w.dtype, optimizer.multiplier(w.path), optimizer.decays(w.path)), []).append((w, g))
    for (dtype, factor, _), members in sorted(flat.items()):
        group = _group(task, dtype, [w for w, _ in members])
        g = Pack.apply(*(reshape(g, (-1,)) for _, g in members), starts=tuple(group.starts), size=group.shape[0])
        _step(task, trace, group, g, clock, factor)
    trace.update(task.iteration, trace.read(task.iteration) + 1)


@dataclass(frozen=True)
class Clock:
    """What all weights' steps have in common: the steps done (i64), the next one's number (f32), the rate, whether this batch ends
    a step (None where each does)."""

    done: Value
    t: Value
    rate: Value
    now: Value | None


def _clock(task: Task, trace: Trace) -> Clock:
    optimizer: Any = task.optimizer
    step, now, n = trace.read(task.iteration), None, optimizer.gradient_accumulation_steps
    if n is not None:
        now = apply("eq", apply("mod", step + 1, n), 0)
        step = apply("floordiv", step, n)
    rate = trace.read(task.rate)
    if not isinstance(optimizer.learning_rate, float):
        rate = optimizer.learning_rate(cast(step, "f32"))
        trace.update(task.rate, rate)
    return Clock(step, cast(step, "f32") + 1.0, rate, now)


def _accumulated(task: Task, trace: Trace, weight: Weight, g: Value, clock: Clock) -> Value:
    """The gradient's mean over the batches of a step, of which this one is the last."""
    if clock.now is None:
        return g
    slot = _slot(task, weight, "accumulated", weight.shape)
    total = trace.read(slot) + g
    trace.update(slot, apply("where", clock.now, 0.0, total))
    return total / float(task.optimizer.gradient_accumulation_steps)


def _group(task: Task, dtype: str, members: list[Weight]) -> Group:
    for group in task.groups:
        if group.members == tuple(members):
            return group
    same = sum(g.path.startswith(f"weights/{dtype}") for g in task.groups)
    group = Group(f"weights/{dtype}" + (f"/{same}" if same else ""), members)
    task.groups.append(group)
    task.layout.add(group)
    return group


def _step(task: Task, trace: Trace, weight: Weight, g: Value, clock: Clock, factor: float) -> None:
    optimizer: Any = task.optimizer
    slots = {name: _slot(task, weight, name, shape) for name, shape in optimizer.slot_shapes(weight).items()}
    values = {name: trace.read(slot) for name, slot in slots.items()}
    old = trace.read(weight)
    rate = clock.rate if factor == 1.0 else clock.rate * factor
    new, changed = optimizer.step_of(weight, old, g, values, cast(rate, weight.dtype), cast(clock.t, weight.dtype))
    if clock.now is not None:
        new = apply("where", clock.now, new, old)
        changed = {name: apply("where", clock.now, v, values[name]) for name, v in changed.items()}
    if optimizer.use_ema:
        new = _averaged(task, trace, weight, new, clock)
    if weight.constraint is not None:
        new = weight.constraint(new)
    trace.update(weight, new)
    for name, value in changed.items():
        trace.update(slots[name], value)


def _averaged(task: Task, trace: Trace, weight: Weight, new: Value, clock: Clock) -> Value:
    """Moves the weight's running mean; the weight, which is its mean where it is time to be overwritten."""
    optimizer: Any = task.optimizer
    slot = _slot(task, weight, "average", weight.shape)
    momentum = cast(apply("ne", clock.done, 0), weight.dtype) * optimizer.ema_momentum
    mean = trace.read(slot) * momentum + new * (1.0 - momentum)
    trace.update(slot, mean)
    if optimizer.ema_overwrite_frequency is None:
        return new
    due = apply("eq", apply("mod", clock.done + 1, optimizer.ema_overwrite_frequency), 0)
    return apply("where", due, mean, new)


def _slot(task: Task, weight: Weight, name: str, shape: tuple[int, ...]) -> Weight:
    key = (weight.path, name)
    if key not in task.slots:
        task.slots[key] = Weight(f"optimizer/{weight.path}/{name}", shape, weight.dtype, None, trainable=False)
    return task.slots[key]


def averages(task: Task) -> list[tuple[Weight, Weight]]:
    """(a weight or a group of them, its running mean) for all that have one."""
    places = {w.path: w for w in [*task.groups, *task.model.weights()]}
    return [(places[path], slot) for (path, name), slot in task.slots.items() if name == "average"]
