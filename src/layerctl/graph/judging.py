"""The `compile` section: optimizer, losses and metrics of each output."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NoReturn

from layerctl.catalogue import catalogue, snake_case
from layerctl.diagnostics import Diagnostic, LayerctlError, Problems, Span, did_you_mean
from layerctl.graph.build import using_definitions
from layerctl.graph.model import Model
from layerctl.graph.outputs import check_likeliest, check_softmax
from layerctl.layers.base import unique
from layerctl.losses.base import BY_SHAPE, Loss, resolve_loss
from layerctl.metrics.base import LossMean, Metric, resolve_metric
from layerctl.ops.value import Shape, ShapeError
from layerctl.source.document import Mapping as MappingNode
from layerctl.source.document import Node, Scalar, Sequence
from layerctl.spec.construct import definitions, entry
from layerctl.spec.file import COMPILE, Spec
from layerctl.spec.foreign import argument_here
from layerctl.spec.refused import cut_at_comma
from layerctl.spec.variables import resolved


@dataclass
class Part:
    """One of the losses that are added up; `mean` reports it as `label` where there are several."""

    loss: Loss
    weight: float = 1.0
    label: str = ""
    mean: LossMean | None = None


@dataclass
class Output:
    """How one output of a model is judged."""

    losses: list[Part] = field(default_factory=list)
    metrics: dict[str, Metric] = field(default_factory=dict)
    weighted_metrics: dict[str, Metric] = field(default_factory=dict)
    places: dict[int, Span] = field(default_factory=dict)
    """Where the file names each loss and metric, by id."""

    @property
    def loss(self) -> Loss | None:
        """The first of the losses, which all take the same kind of target; None if there is none."""
        return self.losses[0].loss if self.losses else None

    def build(self, name: str, metric: Metric, path: str, y_true: Shape, y_pred: Shape) -> None:
        """Declares a metric's state.

        Raises:
            LayerctlError: if it cannot judge predictions of this shape.
        """
        try:
            metric.build(path, y_true, y_pred)
        except ShapeError as error:
            self.refuse(name, metric, error)

    def refuse(self, name: str, judge: Any, error: ShapeError) -> NoReturn:
        """Says that a loss or a metric cannot compare this output with its target.

        Raises:
            LayerctlError: always.
        """
        kind = "loss" if isinstance(judge, Loss) else "metric"
        own = getattr(judge, "_body", None)
        text = f"the {kind} {own.name if own is not None else type(judge).__name__} cannot judge the output '{name}': {error}"
        cure = "the last layer and the loss go together: one unit for a number or two classes (binary_crossentropy), one for each of more classes"
        if kind == "metric" and self.loss is not None and self.loss.classes and not judge.of_classes:
            cure = "of classes there are accuracy, f1_score and auc; mae, mean_squared_error and r2_score judge numbers"
        elif kind == "metric" and self.loss is not None and self.loss.classes:
            cure = "`accuracy` goes with any loss of classes; where the target holds their numbers there are the metrics that begin with Sparse"
        raise LayerctlError(Diagnostic("target-shape", text, self.places.get(id(judge)), (), cure)) from error


def judging(
    spec: Spec, model: Model, shapes: Mapping[str, Shape], features: Mapping[str, Any] | None = None,
    warnings: list[Diagnostic] | None = None,
) -> tuple[Any, dict[str, Output]]:
    """(optimizer or None, how each output is judged). `shapes` are the outputs' shapes with the batch; into `warnings` goes what is doubtful.

    Raises:
        LayerctlError: with everything that is wrong in the section.
    """
    problems = Problems()
    outputs = {name: Output() for name in model.outputs}
    if spec.compile is None:
        return None, outputs
    scope = {**spec.variables, "vars": spec.variables, "features": dict(features or {})}
    node = resolved(spec.compile, scope, defer=False)
    assert isinstance(node, MappingNode)
    check_keys(node, problems)
    chosen = node.get("optimizer")
    optimizer = (
        entry("optimizers", chosen, problems) if chosen is not None else catalogue("optimizers").get("RMSprop")()
    )
    if optimizer is not None and chosen is not None:
        _check_patterns(optimizer, model, chosen, problems)
    with using_definitions(spec, scope, problems):
        _judges(node, model, outputs, shapes, problems)
    problems.check(warnings)
    return optimizer, outputs


def check_keys(node: MappingNode, problems: Problems) -> None:
    """The section has the keys of `COMPILE` and no others."""
    unknown = [e.key for e in node.entries if e.key.value not in COMPILE]
    answers = [argument_here("compile", str(k.value), COMPILE) for k in unknown]
    for k, (cure, hint) in zip(unknown, answers, strict=True):
        listed = cut_at_comma(node, k)
        problems.error("unknown-key", f"'compile' has no key '{k.value}'{'' if listed else cure}", k.span,
                       hint=listed or (hint and hint.replace("its arguments", "its keys")))  # fmt: skip


def _judges(node: MappingNode, model: Model, outputs: dict[str, Output], shapes: Mapping[str, Shape], problems: Problems) -> None:
    """The losses and metrics of each output."""
    for name, n in _by_output(_nested(node.get("loss"), model), "losses", model, problems).items():
        _losses(n, name, outputs[name], shapes[name], problems)
    check_softmax(model, shapes, problems)
    _weights(node.get("loss_weights"), model, outputs, problems)
    _report_parts(outputs)
    for key in ("metrics", "weighted_metrics"):
        for name, n in _by_output(node.get(key), "metrics", model, problems, listed=True).items():
            getattr(outputs[name], key).update(_metrics(n, key, outputs[name], shapes[name], problems))
    check_likeliest(outputs, shapes, problems)


def _check_patterns(optimizer: Any, model: Model, node: Node, problems: Problems) -> None:
    """A pattern of weights' names that fits none is a mistake."""
    from layerctl.optimizers.base import fits

    paths = [w.path for w in model.weights()]
    layers = sorted({p.rsplit("/", 1)[0] for p in paths})
    for key in ("learning_rate_multipliers", "exclude_from_weight_decay"):
        for pattern in getattr(optimizer, key) or ():
            if not any(fits(pattern, p) for p in paths):
                problems.error("unknown-weight", f"no weight of the model fits '{pattern}' in {key}{did_you_mean(pattern, [*layers, *paths])}",
                               node.span, hint=f"weights are called like {paths[0]}" if paths else None)  # fmt: skip


def _nested(node: Node | None, model: Model) -> Node | None:
    """Several losses of the only output, as the list in a list that they are for one of several outputs."""
    if isinstance(node, Sequence) and len(model.outputs) == 1 and len(node.items) != 1:
        return Sequence([node], node._span, node.path)
    return node


def _by_output(node: Node | None, kind: str, model: Model, problems: Problems, listed: bool = False) -> dict[str, Node]:
    """What each output gets: one entry for all, a mapping by output, or a list in the outputs' order."""
    if node is None or (isinstance(node, Scalar) and node.value is None):
        return {}
    names = model.outputs
    if isinstance(node, MappingNode) and not (
        len(node.entries) == 1
        and (catalogue(kind).get(str(node.entries[0].key.value)) or str(node.entries[0].key.value) in definitions())
        and node.entries[0].key.value not in names
    ):
        out = {}
        for e in node.entries:
            key = str(e.key.value)
            if key not in names:
                near = did_you_mean(key, names)
                problems.error(
                    "unknown-output",
                    f"the model has no output '{key}'{near}",
                    e.key.span,
                    hint=f"its outputs are {', '.join(names)}",
                )
            else:
                out[key] = e.value
        return out
    one_each = len(names) > 1 and isinstance(node, Sequence) and all(isinstance(n, Sequence) for n in node.items)
    if isinstance(node, Sequence) and (not listed or one_each):
        if len(node.items) != len(names):
            text = f"{len(node.items)} entries for {len(names)} outputs ({', '.join(names)})"
            problems.error("wrong-number", text, node.span, hint=f"write one for each, or name them: `{{{names[0]}: …}}`")
        return dict(zip(names, node.items, strict=False))
    return dict.fromkeys(names, node)


def _losses(node: Node, output: str, judged: Output, shape: Shape, problems: Problems) -> None:
    """The losses of one output: one, or a list of several."""
    for n in node.items if isinstance(node, Sequence) else [node]:
        if isinstance(n, Scalar) and n.value is None:
            continue
        loss = resolve_loss(n.value, shape) if isinstance(n, Scalar) and isinstance(n.value, str) else None
        loss = loss or entry("losses", n, problems)
        if loss is not None:
            judged.losses.append(Part(loss))
            judged.places[id(loss)] = n.span
    if len({part.loss.classes for part in judged.losses}) > 1:
        problems.error("mixed-losses", f"the losses of '{output}' need different targets: some class indices, some numbers", node.span,
                       hint="losses whose names begin with sparse_ take class indices; use those alone, or none of them")  # fmt: skip


def _report_parts(outputs: Mapping[str, Output]) -> None:
    """Gives each of several losses a name of its own, OUTPUT_loss as in Keras, with the loss's name where an output has several."""
    if sum(len(o.losses) for o in outputs.values()) < 2:
        return
    taken = {"loss"}
    for name, output in outputs.items():
        for part in output.losses:
            own = part.loss.name or snake_case(type(part.loss).__name__)
            words = [*([name] if len(outputs) > 1 else []), *([own] if len(output.losses) > 1 else []), "loss"]
            part.label, part.mean = unique("_".join(words), taken), LossMean()
            part.mean.build(f"losses/{part.label}", (), ())


def _weights(node: Node | None, model: Model, outputs: dict[str, Output], problems: Problems) -> None:
    """The losses' weights: a number for all, or in the form of `loss`, where a number stands for all losses of an output."""
    if node is None:
        return
    if isinstance(node, MappingNode):
        pairs = [(str(e.key.value), e.value) for e in node.entries]
    elif isinstance(node, Sequence) and len(model.outputs) > 1:
        pairs = list(zip(model.outputs, node.items, strict=False))
        if len(node.items) != len(model.outputs):
            problems.error("wrong-number", f"{len(node.items)} loss weights for {len(model.outputs)} outputs ({', '.join(model.outputs)})", node.span,
                           hint=f"write one for each, or name them: `{{{model.outputs[0]}: 1.0}}`")  # fmt: skip
    else:
        pairs = [(name, node) for name in model.outputs]
    for name, n in pairs:
        if name not in outputs:
            place = node.key(name).span if isinstance(node, MappingNode) else n.span
            problems.error("unknown-output", f"the model has no output '{name}'{did_you_mean(name, outputs)}", place,
                           hint=f"its outputs are {', '.join(outputs)}")  # fmt: skip
            continue
        parts = outputs[name].losses
        given = n.items if isinstance(n, Sequence) else [n] * len(parts)
        if len(given) != len(parts):
            problems.error("wrong-number", f"{len(given)} loss weights for the {len(parts)} loss{'es' * (len(parts) != 1)} of '{name}'", n.span,
                           hint="give one for each, or one number for all of them")  # fmt: skip
        for part, each in zip(parts, given, strict=False):
            value = each.plain()
            if not isinstance(value, (int, float)) or isinstance(value, bool) or not math.isfinite(value):
                problems.error("wrong-type", f"a loss weight must be a number, got {value!r}", each.span, hint="as in `loss_weights: {price: 1.0, size: 0.2}`")
                break
            if value < 0:
                problems.warn("doubtful-value", f"a loss weight of {value:g}: training makes the loss of '{name}' large", each.span,
                              hint="write one above 0, or 0 to leave the output out")  # fmt: skip
            part.weight = float(value)


def _metrics(node: Node, key: str, judged: Output, shape: Shape, problems: Problems) -> dict[str, Metric]:
    out: dict[str, Metric] = {}
    taken: set[str] = set(judged.metrics)
    for n in node.items if isinstance(node, Sequence) else [node]:
        if isinstance(n, Scalar) and isinstance(n.value, str):
            metric = resolve_metric(n.value, judged.loss, shape)
            if metric is None:
                metric = entry("metrics", n, problems)
            name = n.value if n.value.islower() or (metric is not None and metric.name) else snake_case(n.value)
        else:
            metric = entry("metrics", n, problems)
            name = metric and (metric.name or snake_case(type(metric).__name__))
        if metric is not None:
            name = str(metric.name or name)
            twice = out.get(name)
            if twice is not None and type(twice) is type(metric) and twice.get_config() == metric.get_config():
                problems.error("bad-value", f"the metric '{name}' stands here a second time, expected it once", n.span, hint="remove one of the two")
                continue
            out[unique(f"weighted_{name}" if key == "weighted_metrics" and name in taken else name, taken)] = metric
            judged.places[id(metric)] = n.span
    return out


def target_hints(spec: Spec) -> dict[str, str | None]:
    """Which kind of target each output's loss wants, read off the file before the model is built: crossentropies want classes."""
    given = spec.compile.get("loss") if spec.compile is not None else None
    plain = given.plain() if given is not None else None
    names = list(spec.data.targets()) if spec.data is not None else []

    def kind(loss: object) -> str | None:
        if isinstance(loss, list):
            return kind(loss[0]) if loss else None
        if loss is None:
            return None
        name = str(next(iter(loss)) if isinstance(loss, dict) and loss else loss)
        known = catalogue("losses")
        if known.get(name) is None and name not in BY_SHAPE:
            return None
        folded = "crossentropy" if name in BY_SHAPE else known.names.get(name, name).lower().replace("_", "")
        return "category" if any(word in folded for word in ("crossentropy", "hinge", "circle")) else "number"

    if isinstance(plain, dict) and set(plain) & set(names):
        return {n: kind(plain.get(n)) for n in names}
    if isinstance(plain, list) and len(plain) == len(names) > 1:
        return {n: kind(entry) for n, entry in zip(names, plain, strict=True)}
    return dict.fromkeys(names, kind(plain))
