"""A model with its weights on a machine: programs bound to data, one batch size at a time."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from layerctl import randoms
from layerctl.compile.program import Program
from layerctl.compile.step import Batch, Task, averages, direct, evaluation, inspection, prediction, trainable, training
from layerctl.data.dataset import Dataset
from layerctl.diagnostics import did_you_mean, fail
from layerctl.graph.judging import Output
from layerctl.graph.model import Model
from layerctl.initializers.base import Initializer
from layerctl.ops.value import DTYPES, NAMES_OF_DTYPES, Type, Unknown, Weight, shown
from layerctl.predicting.sizes import runs
from layerctl.runtime.machine import Bound, Machine, State
from layerctl.training.room import check_room, needed_by
from layerctl.training.shapes import target_types, trace_named

Report = Callable[[str, int, int], None]


class Answering:
    """A program of prediction for a batch of one size, with its inputs and outputs in its own memory: quick for a row at a time."""

    def __init__(self, machine: Machine, bound: Bound, inputs: Mapping[str, np.ndarray], outputs: Mapping[str, np.ndarray]):
        self._machine, self._bound, self._inputs, self._outputs = machine, bound, inputs, outputs
        self._only = next(iter(inputs.values()), None)
        self._result = next(iter(outputs.values())) if len(outputs) == 1 else None

    def __call__(self, x: np.ndarray) -> Any:
        """The outputs for the only input: an array, or a dict of several by name."""
        if self._only is not None:
            self._only[...] = x
        self._machine.run(self._bound, 1)
        return {n: a.copy() for n, a in self._outputs.items()} if self._result is None else self._result.copy()

OTHER_WEIGHTS = "the weights are of another model; give the file and the weights of one training"


class Session:
    """Weights, programs and metrics of one model."""

    def __init__(
        self,
        model: Model,
        outputs: Mapping[str, Output],
        optimizer: Any,
        seed: int,
        machine: Machine,
        report: Report | None = None,
    ):
        self.task = Task(model, dict(outputs), optimizer, seed)
        self.machine, self.report = machine, report
        self._programs: dict[Any, Bound] = {}
        self._makers: dict[Any, dict[str, Any]] = {}
        self._pending: dict[str, np.ndarray] = {}
        self._results: dict[Any, dict[str, Type]] = {}
        self.answers: dict[Any, Callable[[np.ndarray], Any] | None] = {}
        """What predicts small batches, by their shape and dtype."""
        self._orders: weakref.WeakKeyDictionary[Dataset, np.ndarray] = weakref.WeakKeyDictionary()
        self.state: State | None = None
        self.trains = False
        self.printed: tuple[str, ...] = ()
        """Names of the values that the file says to print."""

    model = property(lambda self: self.task.model)

    def prepare(self, data: Dataset | None, batch: int, train: bool) -> None:
        """Lays out and fills the state. With `train`, optimizer slots have their places too; data give the batch's types."""
        if self.state is not None:
            return
        layout = self.task.layout
        size = min(batch, len(data)) if data is not None else batch
        found = trace_named(self.model, size, lengths_of(self.model, data) if data is not None else None)
        self.printed = tuple(n for n, (_, step) in found.items() if step is not None and step.print)
        self._build_metrics({n: t for n, (t, _) in found.items()}, data, size)
        self.trains = train
        if train and data is not None:
            training(self.task, batch_of(data, size))
        for w in [*self.model.weights(), self.task.cursor, self.task.iteration, self.task.rate]:
            layout.add(w)
        for m in self.task.metrics().values():
            for w in m.state.values():
                layout.add(w)
        for w in (self.task.loss_total, self.task.loss_count, self.task.not_finite):
            layout.add(w)
        check_room(self.task, layout.size, "training" if train else "the model", results=False)
        self.state = State(layout)
        self._initialize()

    def _build_metrics(self, types: Mapping[str, Type], data: Dataset | None, size: int) -> None:
        """Declares the metrics' state, by the data's targets or by those that the losses take."""
        shapes = {n: types[n].shape for n in self.task.outputs}
        wanted = {n: t.shape for n, t in target_types(self.task.outputs, shapes, size).items()}
        if data is not None:
            wanted |= {n: (size, *a.shape[1:]) for n, a in data.targets.items()}
        for name, output in self.task.outputs.items():
            for kind, group in (("metrics", output.metrics), ("weighted_metrics", output.weighted_metrics)):
                for label, metric in group.items():
                    output.build(name, metric, f"{kind}/{name}/{label}", wanted.get(name, shapes[name]), shapes[name])

    def _initialize(self) -> None:
        state = self._state()
        for w in self.model.weights():
            state.view(w)[...] = initial(w, self.task.seed)
        optimizer = self.task.optimizer
        if optimizer is not None:
            for (_, name), slot in self.task.slots.items():
                start = optimizer.slot_start(name)
                if start:
                    state.view(slot)[...] = start
            if isinstance(optimizer.learning_rate, float):
                state.view(self.task.rate)[...] = optimizer.learning_rate

    def _state(self) -> State:
        assert self.state is not None, "prepare() comes first"
        return self.state

    def weights(self) -> dict[str, np.ndarray]:
        """Copies of the model's weights by path, in the model's order."""
        return {w.path: self._state().view(w).copy() for w in self.model.weights()}

    def broken_weight(self) -> str | None:
        """The path of a learned weight that has become NaN or infinite, or None."""
        learned = (w for w in self.model.weights() if w.trainable and w.dtype.startswith("f"))
        return next((w.path for w in learned if not np.isfinite(self._state().view(w)).all()), None)

    def set_weights(self, weights: Mapping[str, np.ndarray]) -> None:
        """Puts weights in by path.

        Raises:
            LayerctlError: for a name or a shape that the model does not have.
        """
        for w in self.model.weights():
            if w.path not in weights:
                fail("missing-weight", f"the weights lack '{w.path}' of shape {w.shape}", hint=OTHER_WEIGHTS)
            given = np.asarray(weights[w.path])
            if tuple(given.shape) != w.shape:
                fail("wrong-weight", f"the weight '{w.path}' has shape {w.shape}, got {tuple(given.shape)}", hint=OTHER_WEIGHTS)
            self._state().write(w, given)

    def take_averages(self) -> None:
        """Puts the weights' running means in their places, where the optimizer keeps them (`use_ema`)."""
        for weight, mean in averages(self.task):
            self._state().write(weight, self._state().view(mean))

    def swap_averages(self) -> None:
        """Exchanges the weights and their running means."""
        for weight, mean in averages(self.task):
            own = self._state().view(weight).copy()
            self._state().write(weight, self._state().view(mean))
            self._state().write(mean, own)

    def everything(self) -> dict[str, np.ndarray]:
        """Copies of all state by path: weights, slots, counters, metrics."""
        return {w.path: self._state().view(w).copy() for w in self._all()}

    def set_everything(self, tensors: Mapping[str, np.ndarray]) -> None:
        """The reverse of `everything`.

        Raises:
            LayerctlError: if a tensor is missing or has another shape.
        """
        for w in self._all():
            given = tensors.get(w.path)
            if given is None or tuple(given.shape) != w.shape:
                fail("foreign-checkpoint", f"the checkpoint does not fit this model: '{w.path}' is missing or has another shape",
                     hint="train without --resume, or with the file and data it was made from")  # fmt: skip
            self._state().write(w, given)

    def _all(self) -> list[Weight]:
        return [w for w in self.task.layout.offsets if w not in self.task.layout.groups]

    def bound(self, kind: str, data: Dataset, size: int, wanted: tuple[str, ...] = ()) -> Bound:
        """The program of a kind (train, eval, predict) for batches of `size` rows, reading these data; training is about to change weights."""
        batch = batch_of(data, size, targets=kind != "predict")
        key = (kind, batch.key, size, wanted)
        outside = self._externals(data, kind)
        found = self._programs.get(key)
        if found is None:
            if kind == "train":
                program = training(self.task, batch)
            elif kind == "eval":
                program = evaluation(self.task, batch)
            else:
                program = prediction(self.task, batch, wanted or None)
            self._programs[key] = found = self._bind(program, outside, "training" if kind == "train" else "evaluation" if kind == "eval" else "prediction")
        found.point(outside)
        if kind == "train":
            self._state().version += 1
        return found

    def predictions(self) -> list[tuple[int, dict[str, Type], Bound]]:
        """The programs that have predicted the model's outputs: rows of a batch, types of the inputs, the program."""
        found = [(key, bound) for key, bound in self._programs.items() if key[0] == "predict" and key[3] == tuple(self.model.outputs)]
        return [(size, {n.removeprefix("input:"): Type(shape, dtype) for n, shape, dtype in types}, b) for (_, types, size, _), b in found]

    def look(self, data: Dataset, size: int, wanted: tuple[str, ...] | None = None) -> dict[str, tuple[np.ndarray, Any]]:
        """Named values (all of them if not told) of the batch at the cursor, as the next training step computes them, and what makes each."""
        batch = batch_of(data, size)
        key = ("look", batch.key, size, wanted)
        if key not in self._programs:
            program, self._makers[key] = inspection(self.task, batch, wanted)
            self._programs[key] = self._bind(program, self._externals(data, "train"), "training")
        bound = self._programs[key]
        bound.point(self._externals(data, "train"))
        self.machine.run(bound, 1)
        return {n: (bound.output(n).copy(), step) for n, step in self._makers[key].items()}

    def run_once(self, program: Program, data: Dataset) -> Bound:
        """Runs a program once on the first rows, in their order."""
        bound = self._bind(program, self._externals(data, "train"), "training")
        self.put(self.task.cursor, 0)
        self.order(data)[...] = np.arange(len(data))
        self.machine.run(bound, 1)
        return bound

    def order(self, data: Dataset) -> np.ndarray:
        """The order in which a data set's rows are visited: one array, filled anew for each pass."""
        found = self._orders.get(data)
        if found is None:
            self._orders[data] = found = np.arange(len(data), dtype=np.int64)
        return found

    def _bind(self, program: Program, outside: Mapping[str, np.ndarray], doing: str) -> Bound:
        """The program in memory, if it has room there. Programs share one buffer: a layout that grew would leave them with stale addresses.

        Raises:
            LayerctlError: `out-of-memory`.
        """
        state = self._state()
        if state.layout.size > state.memory.nbytes:
            raise AssertionError("the state's layout grew after it was laid out")
        check_room(self.task, needed_by(program), doing)
        return self.machine.bind(program, state, outside, self.report)

    def _externals(self, data: Dataset, kind: str) -> dict[str, np.ndarray]:
        out = {"order": self.order(data), "row_numbers": data.row_numbers}
        out |= {f"input:{n}": a for n, a in data.inputs.items()}
        out |= {f"target:{n}": a for n, a in data.targets.items()}
        out |= {f"weight:{n}": a for n, a in weights_of(data).items()}
        if kind == "predict":
            out |= {f"result:{n}": a for n, a in self._pending.items()}
        return out

    def scalar(self, weight: Weight) -> Any:
        """A counter or accumulator as a Python number."""
        return self._state().view(weight)[()].item()

    def put(self, weight: Weight, value: float) -> None:
        """Sets a counter or accumulator."""
        self._state().view(weight)[...] = value

    def reset_metrics(self) -> None:
        """Empties the loss and the metrics."""
        for w in (self.task.loss_total, self.task.loss_count):
            self.put(w, 0)
        for m in self.task.metrics().values():
            for w in m.state.values():
                self._state().view(w)[...] = 0

    def results(self) -> dict[str, float]:
        """The loss and the metrics as they stand."""
        count = self.scalar(self.task.loss_count)
        out = {"loss": self.scalar(self.task.loss_total) / count if count else 0.0}
        for name, m in self.task.metrics().items():
            found = m.result({k: self._state().view(w) for k, w in m.state.items()})
            several = found if isinstance(found, dict) else {"": found}
            out |= {f"{name}_{ending}" if ending else name: float(value) for ending, value in several.items()}
        return out

    def evaluate(self, data: Dataset, batch: int) -> dict[str, float]:
        """Loss and metrics over all rows."""
        kept = {w: self.scalar(w) for w in (self.task.cursor,)}
        saved = [(w, self._state().view(w).copy()) for w in self._accumulators()]
        self.reset_metrics()
        self._pass("eval", data, batch)
        out = self.results()
        for w, array in saved:
            self._state().view(w)[...] = array
        for w, value in kept.items():
            self.put(w, value)
        return out

    def _accumulators(self) -> list[Weight]:
        """What a pass over other rows must leave as it was: the loss, the metrics, states that are carried from batch to batch."""
        return [
            *(w for w in self.model.weights() if w.flags.get("stateful")),
            self.task.loss_total,
            self.task.loss_count,
            *(w for m in self.task.metrics().values() for w in m.state.values()),
        ]

    def _pass(self, kind: str, data: Dataset, batch: int, wanted: tuple[str, ...] = (), arriving: bool = False) -> None:
        n = len(data)
        self.order(data)[...] = np.arange(n)
        self.put(self.task.cursor, 0)
        for w in self.model.weights():
            if w.flags.get("stateful"):
                self._state().view(w)[...] = 0
        for size, steps in runs(n, batch, arriving):
            self.machine.run(self.bound(kind, data, size, wanted), steps)

    def predict(self, data: Dataset, batch: int, wanted: tuple[str, ...] = (), arriving: bool = False) -> dict[str, np.ndarray]:
        """The outputs (or other named values) for all rows, in order; `arriving` for a piece of a stream."""
        names = wanted or tuple(self.model.outputs)
        if not len(data):
            return {}
        self.pend(data, names, runs(len(data), batch, arriving)[0][0])
        self._pass("predict", data, batch, names, arriving)
        out, self._pending = self._pending, {}
        return out

    def answering(self, inputs: Mapping[str, tuple[tuple[int, ...], np.dtype]]) -> Answering | None:
        """What predicts small batches of inputs of these shapes and dtypes, kept for the next of them.

        None where the model carries state from batch to batch, or draws random numbers by row.
        """
        if any(w.flags.get("stateful") for w in self.model.weights()) or len({shape[0] for shape, _ in inputs.values()}) != 1:
            return None
        types = {n: Type((Unknown(shape[0]), *shape[1:]), NAMES_OF_DTYPES[str(dtype)]) for n, (shape, dtype) in inputs.items()}
        program = direct(self.task, Batch(types))
        if any(n.op.name == "row_numbers" for n in program.nodes):
            return None
        bound = self._bind(program, {}, "prediction")
        used = {n: bound.input(n) for n in inputs if n in program.inputs}
        return Answering(self.machine, bound, used, {n: bound.output(n) for n in self.model.outputs})

    def pend(self, data: Dataset, names: tuple[str, ...], size: int) -> None:
        """Makes room for the predictions of all rows: arrays that programs of prediction write to."""
        key = (batch_of(data, size, targets=False).key, names)
        if key not in self._results:
            found = trace_named(self.model, size, lengths_of(self.model, data))
            self._results[key] = {n: _of_rows(n, found, size) for n in names}
        types = self._results[key]
        self._pending = {n: np.empty((len(data), *map(int, t.shape[1:])), DTYPES[t.dtype]) for n, t in types.items()}


def _of_rows(name: str, found: Mapping[str, tuple[Type, Any]], size: int) -> Type:
    """The type of a value that can be predicted.

    Raises:
        LayerctlError: if there is none of that name, or it has no row for each row of the data.
    """
    if name not in found:
        known = ", ".join(list(found)[:20])
        fail("unknown-layer", f"the model has no layer '{name}'{did_you_mean(name, found)}",
             hint=f"its values are {known}{', …' if len(found) > 20 else ''}")  # fmt: skip
    type_, _ = found[name]
    if not type_.shape or int(type_.shape[0]) != size:
        fail("bad-layer", f"the result of '{name}' has shape {shown(type_.shape)}: it has no row for each row of the data",
             hint="keep the first dimension, the batch, as it is")  # fmt: skip
    return type_


def initial(weight: Weight, seed: int) -> np.ndarray:
    """A weight's first values: drawn from the seed and its path."""
    if weight.initializer is None:
        return np.zeros(weight.shape)
    make: Initializer = weight.initializer
    return make(weight.shape, make.key(randoms.key_of(seed, "initializer", weight.path)))


def weights_of(data: Dataset) -> dict[str, np.ndarray]:
    """Sample weights by output ('' for all of them)."""
    w = data.weights
    return {} if w is None else (dict(w) if isinstance(w, dict) else {"": w})


def batch_of(data: Dataset, size: int, targets: bool = True) -> Batch:
    """The types of a batch of `size` rows."""

    def types(arrays: Mapping[str, np.ndarray]) -> dict[str, Type]:
        return {n: Type((Unknown(size), *a.shape[1:]), NAMES_OF_DTYPES[str(a.dtype)]) for n, a in arrays.items()}

    return Batch(types(data.inputs), types(data.targets) if targets else {}, types(weights_of(data)) if targets else {})


def lengths_of(model: Model, data: Dataset) -> dict[str, list[int]]:
    """The numbers that the model's open dimensions have in these data."""
    out = {}
    for name, port in model.inputs.items():
        if name in data.inputs:
            out[name] = [
                int(n) for d, n in zip(port.shape or (), data.inputs[name].shape[1:], strict=False) if d is None
            ]
    return out


def parameters(session: Session) -> tuple[int, int]:
    """(trainable, other) numbers in the model's weights."""
    own = set(trainable(session.task))
    sizes = [(w in own, int(np.prod(w.shape, dtype=np.int64))) for w in session.model.weights()]
    return sum(n for t, n in sizes if t), sum(n for t, n in sizes if not t)
