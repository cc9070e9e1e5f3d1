"""What training would refuse before its first step, as far as it is known when the model is built: `build` says it, and nothing is trained for it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from layerctl.diagnostics import Diagnostic, LayerctlError, Problems, Span, did_you_mean, fail
from layerctl.graph.doubts import out_of_reach
from layerctl.graph.model import Model as Graph
from layerctl.graph.outputs import unfit
from layerctl.source.document import Mapping as MappingNode
from layerctl.spec.data import DataSpec, FilesSpec

if TYPE_CHECKING:
    from layerctl.api import Model

T = TypeVar("T")


@dataclass(frozen=True)
class Outlook:
    """What callbacks ask of a training that has not begun; `held` says whether there will be rows of validation."""

    metrics: Iterable[str]
    optimizer: Any
    held: bool

    def measured(self) -> list[str]:
        """The names that logs will have."""
        names = ["loss", *self.metrics]
        return [*names, "learning_rate", *(f"val_{n}" for n in names if self.held)]

    def scheduled(self) -> bool:
        """Whether the optimizer's rate follows a schedule of its own."""
        return not isinstance(self.optimizer.learning_rate, float)

    def has_averages(self) -> bool:
        """Whether the optimizer keeps running means of the weights."""
        return bool(self.optimizer.use_ema)


def check_training(model: Model) -> None:
    """Whether the file can be trained as it says, where it has data to be trained on and says how.

    Raises:
        LayerctlError: with all that training would refuse.
    """
    spec, root = model.spec, model.spec.document
    if spec.data is None or model.schema is None or (spec.compile is None and root.span_at(("fit",)) is None):
        return
    if root.span_at(("fit",)) is not None:
        check_trainable(model)
    if model.optimizer is None or not any(o.loss for o in model.outputs.values()):
        return
    problems = Problems()
    problems.found += _of_callbacks(model, spec.data)
    for check in (_targets, check_classes, _weights):
        try:
            check(model)
        except LayerctlError as error:
            problems.found += error.diagnostics
    problems.check()
    note_reach(model)


def note_reach(model: Model) -> None:
    """Adds warnings for numbers to predict that the model cannot come near to; the rows are read only where its last layer has bounds."""
    if model.schema is not None and model.spec.data is not None:
        model.warnings += out_of_reach(model.graph, model.schema, lambda: match_targets(model.graph, model.data.train.targets))


def held_back(data: DataSpec) -> bool:
    """Whether a data section keeps rows for validation; a column of parts may."""
    own = isinstance(data.source, FilesSpec) and data.source.validation is not None
    return own or data.split.validation > 0 or data.split.by == "column"


def _of_callbacks(model: Model, data: DataSpec) -> list[Diagnostic]:
    metrics, span = list(model.task().metrics()), model.spec.span(("fit", "callbacks"))
    outlook = Outlook(metrics, model.optimizer, held_back(data))
    places = [model.spec.span(("fit", "callbacks", i)) or span for i in range(len(model.spec.fit.callbacks))]
    return [d for c, at in zip(model.spec.fit.callbacks, places, strict=True) if (d := unfit(c, outlook, metrics, outlook.held, at)) is not None]


def _weights(model: Model) -> None:
    """The file of weights to start from is there, and has them."""
    given = model.spec.fit.weights
    if given is not None:
        from layerctl.training.gathered import gathered_in
        from layerctl.training.starting import matched

        matched(model.graph.weights(), model.folder / given.file, by_name=given.by_name, partial=given.partial, span=model.spec.span(("fit", "weights")))
        if given.optimizer:
            gathered_in(model.folder / given.file, model.spec.span(("fit", "weights")))


def _targets(model: Model) -> None:
    """Targets for the losses. Only of numbers that are to be classes or truths the rows themselves must be looked at."""
    assert model.schema is not None
    targets = match_targets(model.graph, model.schema.targets, model.spec.data_span("target"))
    for name, judged in model.outputs.items():
        if judged.loss is not None and name not in targets:
            raise LayerctlError(missing_target(model, name, targets))
        classes = targets[name].classes if judged.loss is not None and targets[name].kind == "category" else None
        binary = next((p.loss for p in judged.losses if _of_truths(p.loss)), None)
        if binary is not None and classes and len(classes) > 2 and model.output_shapes[name][-1] == 1:
            fail("bad-label", f"the loss {type(binary).__name__} takes two classes, and the target '{targets[name].column}' has {len(classes)}: "
                 f"{', '.join(classes[:5])}{', …' * (len(classes) > 5)}", judged.places.get(id(binary)),
                 hint=f"give the last layer {len(classes)} units and `activation: softmax`, and take the loss sparse_categorical_crossentropy")  # fmt: skip
        if judged.losses and targets[name].kind in ("number", "numbers") and any(p.loss.classes or _of_truths(p.loss) for p in judged.losses):
            from layerctl.training.using import prepared

            prepared(model, model.data.train, training=True)
            return


def _of_truths(loss: Any) -> bool:
    return type(loss).__name__.startswith("Binary")


def check_trainable(model: Model) -> None:
    if model.optimizer is None or not any(o.loss for o in model.outputs.values()):
        root = model.spec.document.root.span
        compile = model.spec.compile
        place = compile.key("loss").span if compile is not None and "loss" in compile else model.spec.span(("compile",))
        fail("missing-section", "the file does not say how to train: it has no loss", place or root,
             hint="add `compile: {optimizer: adam, loss: mean_squared_error}`")  # fmt: skip


def missing_target(model: Model, name: str, targets: Iterable[str]) -> Diagnostic:
    """An output has a loss, and the data section no target for it."""
    has = f"only {', '.join(targets)}" if targets else "no target"
    judged = model.outputs[name]
    place = model.spec.data_span("target") or judged.places.get(id(judged.loss))
    return Diagnostic(
        "missing-target", f"the output '{name}' has a loss, but the data section has {has}", place, (),
        "name the column to predict: `data: {target: COLUMN}`, one for each output: `target: {OUTPUT: COLUMN}`",
    )  # fmt: skip


def match_targets(graph: Graph, targets: Mapping[str, T], place: Span | None = None) -> Mapping[str, T]:
    """Targets by the outputs' names: one target belongs to the one output whatever it is called."""
    if len(graph.outputs) == 1 and len(targets) == 1:
        return {graph.outputs[0]: next(iter(targets.values()))}
    for name in targets:
        if name not in graph.outputs:
            fail(
                "unknown-output",
                f"the target '{name}' belongs to no output",
                place,
                hint=f"name a target for each: `target: {{{', '.join(f'{o}: …' for o in graph.outputs)}}}`",
            )
    return targets


def check_classes(model: Model) -> list[str] | None:
    """The classes that `class_weight` can name, where the data section's target has them.

    Raises:
        LayerctlError: for a target without classes, and for names that are no class.
    """
    given = model.spec.fit.class_weight
    if given is None or model.schema is None or not model.schema.targets:
        return None
    name, fit = next(iter(model.schema.targets.items()))
    if not (fit.classes and fit.kind in ("category", "sequence")):
        fail("bad-value", f"class_weight is for a target of classes, '{name}' is of kind {fit.kind}", model.spec.span(("fit", "class_weight")),
             hint="weigh rows by a column with `data: {weight: ...}`")  # fmt: skip
    for key in given if given != "balanced" else ():
        class_number(model, key, fit.classes)
    return fit.classes


def class_number(model: Model, key: str, classes: Sequence[str]) -> int:
    """The number of a class by its name, or by itself."""
    at = classes.index(key) if key in classes else int(key) if key.isdigit() else -1
    if not 0 <= at < len(classes):
        node = model.spec.document.node_at(("fit", "class_weight"))
        place = node.key(key).span if isinstance(node, MappingNode) and key in node else model.spec.span(("fit", "class_weight"))
        fail("unknown-class", f"class_weight names '{key}', which is no class{did_you_mean(key, classes)}", place, hint=f"the classes are {', '.join(classes)}")
    return at
