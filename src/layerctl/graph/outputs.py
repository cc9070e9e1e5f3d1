"""Whether a model's last layers give what its losses take: probabilities, and more than one where they are of classes."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from layerctl.diagnostics import Diagnostic, Problems, Span, did_you_mean
from layerctl.graph.doubts import ending, last
from layerctl.graph.model import Model
from layerctl.ops.value import Shape, shown
from layerctl.spec.features import FeatureSchema

_LIKELIEST = ("CategoricalAccuracy", "SparseCategoricalAccuracy", "TopKCategoricalAccuracy", "SparseTopKCategoricalAccuracy")
"""Metrics of which unit is the greatest."""


def check_ids(model: Model, schema: FeatureSchema, problems: Problems) -> None:
    """An Embedding has a row for each id that its input's feature gives; numbers on a scale are no ids."""
    from layerctl.layers.embedding import Embedding

    for step in model.steps:
        feature = schema.features.get(step.sources) if isinstance(step.sources, str) and step.sources in model.inputs else None
        if feature is None or not isinstance(step.layer, Embedding):
            continue
        name, ids = step.names[0], feature.kind == "text" or (feature.kind == "category" and feature.encode == "index")
        if ids and step.layer.input_dim < feature.size and len(feature.columns) == 1:
            text = f"Embedding '{name}' has input_dim {step.layer.input_dim}, but the feature '{step.sources}' gives {feature.size} ids"
            problems.error("out-of-range", text,
                           step.span, hint=f'write `input_dim: "${{features.{step.sources}.size}}"`')  # fmt: skip
        elif feature.kind == "number" and any((c.centre, c.spread) != (0.0, 1.0) for c in feature.columns):
            problems.error("bad-value", f"Embedding '{name}' takes ids, but the feature '{step.sources}' gives numbers on a scale", step.span,
                           hint="say `kind: category, encode: index` in the feature; for whole numbers that are ids, `scale: none`")  # fmt: skip


def check_embedded(model: Model, problems: Problems) -> None:
    """What a layer with weights computes are no ids: an Embedding would cut off what stands behind the point."""
    from layerctl.layers.embedding import Embedding

    made = {n: s.layer for s in model.steps for n in s.names}
    for step in model.steps:
        before = made.get(step.sources) if isinstance(step.sources, str) else None
        if type(step.layer) is Embedding and before is not None and any(w.trainable for w in before.weights()):
            text = f"Embedding '{step.names[0]}' takes ids, but '{step.sources}' computes numbers: what is behind the point is lost"
            problems.error("bad-value", text, step.span,
                           hint="put the Embedding first, behind an input of whole numbers; numbers go into a Dense")  # fmt: skip


def check_whole(model: Model, schema: FeatureSchema, problems: Problems) -> None:
    """An input of whole numbers would cut off what stands behind the point in a feature on a scale."""
    given = schema.inputs()
    for name, port in model.inputs.items():
        feature = schema.features.get(name)
        scaled = feature is not None and feature.kind == "number" and any((c.centre, c.spread) != (0.0, 1.0) for c in feature.columns)
        if scaled and port.dtype in ("i32", "i64", "bool") and given[name].dtype == "f32":
            problems.error("wrong-type", f"the input '{name}' takes whole numbers, and the feature gives numbers on a scale: what is behind the point is lost",
                           port.span, hint="leave `dtype` out; ids come from `kind: category, encode: index`, whole numbers from `scale: none`")  # fmt: skip


def check_softmax(model: Model, shapes: Mapping[str, Shape], problems: Problems) -> None:
    """A softmax over one number is 1 whatever the model does: nothing can be learned from it."""
    for name in model.outputs:
        step, shape = last(model, name), shapes[name]
        if step is not None and len(shape) > 1 and shape[-1] == 1 and type(ending(step.layer)).__name__ == "Softmax":
            problems.error("bad-value", f"a softmax over one number is always 1: the output '{name}' of shape (None, 1) tells nothing", step.span,
                           hint="one unit takes `activation: sigmoid`; a softmax takes one unit for each class")  # fmt: skip


def check_likeliest(outputs: Mapping[str, Any], shapes: Mapping[str, Shape], problems: Problems) -> None:
    """A metric of the likeliest unit tells nothing where there is one unit: that is always the likeliest."""
    for name, judged in outputs.items():
        for label, metric in (judged.metrics | judged.weighted_metrics).items():
            if type(metric).__name__ in _LIKELIEST and len(shapes[name]) > 1 and shapes[name][-1] == 1:
                text = f"the metric '{label}' asks which of several units is the likeliest, but the output '{name}' has one"
                problems.error("target-shape", text, judged.places.get(id(metric)), hint="one unit takes `accuracy` or `binary_accuracy`")


def check_metrics(schema: FeatureSchema, outputs: Mapping[str, Any], problems: Problems) -> None:
    """Metrics of classes say nothing of a number that is predicted: that it is hardly ever met exactly."""
    for name, judged in outputs.items():
        target = schema.target(name)
        if target is None or target.kind not in ("number", "numbers", "input") or not judged.losses or not all(p.loss.numbers for p in judged.losses):
            continue
        for label, metric in (judged.metrics | judged.weighted_metrics).items():
            if metric.of_classes:
                given = f"the input '{target.column}'" if target.kind == "input" else f"the target '{target.column}', a number"
                problems.error("metric-of-classes", f"the metric '{label}' counts classes, but is to judge {given}", judged.places.get(id(metric)),
                               hint="of numbers there are mae, root_mean_squared_error and r2_score; where the target's numbers are classes, say "
                               "`kind: category` in it, and a crossentropy as the loss")  # fmt: skip


def check_targets(model: Model, schema: FeatureSchema, outputs: Mapping[str, Any], shapes: Mapping[str, Shape], problems: Problems) -> None:
    """What the file's own losses compare has the target's shape: where a row has one value the output has one, or one for each class."""
    for name, judged in outputs.items():
        target, step = schema.target(name), last(model, name)
        if target is None or target.kind not in ("category", "number") or not judged.losses or any(hasattr(p.loss, "_body") for p in judged.losses):
            continue
        place, shape = step.span if step is not None else None, shapes[name]
        classes, loss = schema.classes(name) or [], judged.losses[0].loss
        width = loss.target_classes(shape) if len(shape) == 2 else None
        if len(shape) > 2:
            problems.error("target-shape", f"the output '{name}' has the shape {shown(shape)}, and the target '{target.column}' one value a row", place,
                           hint="take dimensions away before it: Flatten, GlobalAveragePooling, or a recurrent layer without `return_sequences`")  # fmt: skip
        elif len(shape) == 2 and not loss.classes and not loss.distributions and int(shape[-1]) > 1:
            if len(classes) > 2 or int(shape[-1]) == len(classes):
                cure, place = "classes take a unit each, `activation: softmax` and `loss: sparse_categorical_crossentropy`", judged.places.get(id(loss), place)
            else:
                cure = "give the last layer one unit"
            what = f"the output '{name}' has {int(shape[-1])} numbers, and the target '{target.column}' is one for {type(loss).__name__}"
            problems.error("target-shape", what, place, hint=cure)
        elif classes and width is not None and width != len(classes):
            what = f"the output '{name}' has {width} unit{'s' * (width > 1)}, and the target {len(classes)} classes: {listed(classes)}"
            more = "; one unit is for a number, and mean_squared_error" if width == 1 else ""
            if width > len(classes):
                more = "; where there are classes that the training rows lack, name all in the target: `classes: [...]`"
            code = "label-out-of-range" if width < len(classes) else "target-shape"
            problems.error(code, what, place, hint=f"give the last layer {len(classes)} units{more}")


def check_names(model: Model, targets: Iterable[str], place: Callable[[str], Span | None], problems: Problems) -> None:
    """Targets are called like the outputs; one target belongs to the one output whatever it is called."""
    names = list(targets)
    for name in names if len(names) > 1 or len(model.outputs) > 1 else ():
        if name not in model.outputs:
            problems.error("unknown-output", f"the target '{name}' belongs to no output{did_you_mean(name, model.outputs)}", place(name),
                           hint=f"name a target for each: `target: {{{', '.join(f'{o}: …' for o in model.outputs)}}}`")  # fmt: skip


def listed(names: Iterable[str], most: int = 5) -> str:
    """The first few names."""
    found = list(names)
    return ", ".join(found[:most]) + (", …" if len(found) > most else "")


def unmeasured(callback: Any, measured: Iterable[str], span: Span | None = None, held: bool = True) -> Diagnostic | None:
    """What is wrong where a callback watches something that training does not measure. `held`: there are rows of validation."""
    names = ["loss", *measured]
    known, wanted = [*names, "learning_rate", *(f"val_{n}" for n in names if held)], callback.monitored()
    if wanted is None or wanted in known:
        return None
    split = wanted.startswith("val_") and not held
    hint = f"measured are {', '.join(known)}" + ("; split off validation rows with `data: {split: {validation: 0.2}}`" if split else "")
    cure = ": there are no validation rows" if split else did_you_mean(wanted, known)
    return Diagnostic("unknown-metric", f"{type(callback).__name__} monitors '{wanted}', which is not measured{cure}",
                      callback.place("monitor") or span, hint=hint)  # fmt: skip


def unfit(callback: Any, trainer: Any, metrics: list[str], held: bool, span: Span | None) -> Diagnostic | None:
    """Why a callback cannot work with a training, or None; `held` says whether there are rows of validation."""
    missing = unmeasured(callback, metrics, span, held)
    objection = callback.objection(trainer) if missing is None else None
    if objection is None:
        return missing
    kind, place = type(callback).__name__, callback.place(*re.findall(r"'(\w+)'", objection)) or span
    return Diagnostic("bad-callback", f"{kind}: {objection}", place, (), f"`layerctl layers {kind}` says what it takes")
