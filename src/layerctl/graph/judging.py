"""The `compile` section: optimizer, losses and metrics of each output."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NoReturn

from layerctl.catalogue import catalogue, snake_case
from layerctl.diagnostics import Diagnostic, LayerctlError, Problems, Span, did_you_mean
from layerctl.graph.model import Model
from layerctl.layers.base import unique
from layerctl.losses.base import Loss
from layerctl.metrics.base import Metric
from layerctl.ops.value import Shape, ShapeError
from layerctl.source.document import Mapping as MappingNode
from layerctl.source.document import Node, Scalar, Sequence
from layerctl.spec.construct import entry
from layerctl.spec.file import Spec
from layerctl.spec.variables import resolved


@dataclass
class Output:
    """How one output of a model is judged."""

    loss: Loss | None = None
    weight: float = 1.0
    more: list[Loss] = field(default_factory=list)
    """Losses that are added to the first, for an output that has several."""
    metrics: dict[str, Metric] = field(default_factory=dict)
    weighted_metrics: dict[str, Metric] = field(default_factory=dict)
    places: dict[int, Span] = field(default_factory=dict)
    """Where the file names each loss and metric, by id."""

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
        text = f"the {kind} {type(judge).__name__} cannot judge the output '{name}': {error}"
        raise LayerctlError(Diagnostic("target-shape", text, self.places.get(id(judge)))) from error


KEYS = ("optimizer", "loss", "loss_weights", "metrics", "weighted_metrics")


def judging(
    spec: Spec, model: Model, shapes: Mapping[str, Shape], features: Mapping[str, Any] | None = None
) -> tuple[Any, dict[str, Output]]:
    """(optimizer or None, how each output is judged). `shapes` are the outputs' shapes with the batch.

    Raises:
        LayerctlError: with everything that is wrong in the section.
    """
    problems = Problems()
    outputs = {name: Output() for name in model.outputs}
    if spec.compile is None:
        return None, outputs
    node = resolved(
        spec.compile, {**spec.variables, "vars": spec.variables, "features": dict(features or {})}, defer=False
    )
    assert isinstance(node, MappingNode)
    for e in node.entries:
        key = str(e.key.value)
        if key not in KEYS:
            problems.error(
                "unknown-key",
                f"'compile' has no key '{key}'{did_you_mean(key, KEYS)}",
                e.key.span,
                hint=f"its keys are {', '.join(KEYS)}",
            )
    chosen = node.get("optimizer")
    optimizer = (
        entry("optimizers", chosen, problems) if chosen is not None else catalogue("optimizers").get("RMSprop")()
    )
    if optimizer is not None and chosen is not None:
        _check_patterns(optimizer, model, chosen, problems)
    for name, n in _by_output(_nested(node.get("loss"), model), "losses", model, problems).items():
        several = [entry("losses", each, problems) for each in (n.items if isinstance(n, Sequence) else [n])]
        outputs[name].loss, outputs[name].more = (several or [None])[0], several[1:]
        outputs[name].places |= {id(loss): n.span for loss in several}
        if len({bool(loss and loss.classes) for loss in several}) > 1:
            problems.error("mixed-losses", f"the losses of '{name}' need different targets: some class indices, some numbers", n.span)
    _weights(node.get("loss_weights"), model, outputs, problems)
    for key in ("metrics", "weighted_metrics"):
        for name, n in _by_output(node.get(key), "metrics", model, problems, listed=True).items():
            getattr(outputs[name], key).update(_metrics(n, name, outputs[name], shapes[name], problems))
    problems.check()
    return optimizer, outputs


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
        and catalogue(kind).get(str(node.entries[0].key.value))
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
            problems.error("wrong-number", text, node.span)
        return dict(zip(names, node.items, strict=False))
    return dict.fromkeys(names, node)


def _weights(node: Node | None, model: Model, outputs: dict[str, Output], problems: Problems) -> None:
    if node is None:
        return
    pairs = (
        [(str(e.key.value), e.value) for e in node.entries] if isinstance(node, MappingNode)
        else list(zip(model.outputs, node.items if isinstance(node, Sequence) else [node], strict=False))
    )  # fmt: skip
    for name, n in pairs:
        value = n.plain()
        if name not in outputs:
            problems.error("unknown-output", f"the model has no output '{name}'{did_you_mean(name, outputs)}", n.span)
        elif not isinstance(value, (int, float)) or isinstance(value, bool):
            problems.error("wrong-type", f"a loss weight must be a number, got {value!r}", n.span)
        else:
            outputs[name].weight = float(value)


def _metrics(node: Node, output: str, judged: Output, shape: Shape, problems: Problems) -> dict[str, Metric]:
    from layerctl.metrics.base import resolve_metric

    out: dict[str, Metric] = {}
    taken: set[str] = set(judged.metrics)
    for n in node.items if isinstance(node, Sequence) else [node]:
        if isinstance(n, Scalar) and isinstance(n.value, str):
            metric = resolve_metric(n.value, judged.loss, shape)
            if metric is None:
                metric = entry("metrics", n, problems)
            name = n.value if n.value.islower() else snake_case(n.value)
        else:
            metric = entry("metrics", n, problems)
            name = metric and (metric.name or snake_case(type(metric).__name__))
        if metric is not None:
            out[unique(str(metric.name or name), taken)] = metric
            judged.places[id(metric)] = n.span
    return out
