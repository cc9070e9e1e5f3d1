"""Keras's compile_config as a `compile` section, as far as it can be expressed; what cannot is left out and said."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from layerctl.catalogue import CAMEL, catalogue, snake_case
from layerctl.diagnostics import Diagnostic, Problems, Span
from layerctl.importing.graph import Body
from layerctl.importing.objects import CURE, Reader
from layerctl.importing.text import is_name

_RESOLVED = ("accuracy", "acc", "crossentropy", "ce")
"""Metrics whose meaning depends on the output."""
_COUNTED = ("accuracy", "acc")


def compile_section(given: Any, body: Body, span: Span) -> tuple[dict[str, Any], list[Diagnostic]]:
    """(the section, warnings about what was left out)."""
    problems = Problems()
    reader = Reader(problems, span)
    if not isinstance(given, Mapping) or not given:
        return {}, []
    given = given.get("config", given) if given.get("class_name") == "CompileConfig" else given
    out: dict[str, Any] = {}
    warnings: list[Diagnostic] = []

    def kept(key: str, made: Any) -> None:
        if problems.found:
            text = "; ".join(d.message for d in problems.found)
            cure = next((d.hint for d in problems.found if d.hint != CURE), None)
            warnings.append(Diagnostic("not-imported", f"the compile section has no '{key}': {text}", span, hint=cure, severity="warning"))
            problems.found.clear()
        elif made not in (None, [], {}):
            out[key] = made

    optimizer = given.get("optimizer", given.get("optimizer_config"))
    kept("optimizer", reader.named("optimizers", optimizer, "optimizer") if optimizer is not None else None)
    kept("loss", _by_output(reader, "losses", given.get("loss"), body))
    if "loss" in out:
        kept("loss_weights", _renamed(given.get("loss_weights"), body))
    for key in ("metrics", "weighted_metrics"):
        kept(key, _by_output(reader, "metrics", given.get(key), body))
    return (out if "loss" in out else {}), [*warnings, *reader.warnings]


def _renamed(value: Any, body: Body) -> Any:
    """Entries by output under the outputs' names in the YAML."""
    if isinstance(value, list) and None in value:
        value = dict(zip(body.outputs, value, strict=False))
    if isinstance(value, Mapping) and "class_name" not in value:
        return {body.output_keys.get(str(k), str(k)): v for k, v in value.items() if v is not None}
    return value


def _by_output(reader: Reader, kind: str, value: Any, body: Body) -> Any:
    value = _renamed(value, body)
    if value is None:
        return None
    if isinstance(value, Mapping) and "class_name" not in value:
        return {k: _by_place(reader, kind, v) for k, v in value.items()}
    if isinstance(value, list) and kind == "metrics" and len(value) == len(body.outputs) > 1:
        return {n: _by_place(reader, kind, v) for n, v in zip(body.outputs, value, strict=False) if v not in (None, [])}
    return _by_place(reader, kind, value)


def _by_place(reader: Reader, kind: str, value: Any) -> Any:
    if isinstance(value, list):
        made = [_by_place(reader, kind, v) for v in value]
        return [m for m in made if m is not None] if kind == "metrics" and not any(isinstance(m, list) for m in made) else made
    return _entry(reader, kind, value)


def _entry(reader: Reader, kind: str, value: Any) -> Any:
    if kind == "metrics" and isinstance(value, str) and value.lower() in _RESOLVED:
        return value.lower()
    if isinstance(value, Mapping) and value.get("class_name") == "function" and isinstance(value.get("config"), str) and _own(value):
        value = value["config"]
    if kind == "metrics" and isinstance(value, str) and catalogue(kind).get(value) is not None:
        return value if value.islower() else _told_as(value, value)  # results are told under the name that was given
    made = reader.named(kind, value, kind[:-2] if kind == "losses" else "metric")
    name = value.get("config", {}).get("name") if isinstance(value, Mapping) and isinstance(value.get("config"), Mapping) else None
    if kind == "metrics" and isinstance(made, (str, dict)) and isinstance(name, str) and is_name(name):
        label = made if isinstance(made, str) else next(iter(made))
        cls = catalogue(kind).get(label)
        if cls is not None and name != snake_case(cls.__name__):
            return {label: {**(made[label] if isinstance(made, dict) else {}), "name": name}}
    return made


def _told_as(metric: str, name: str) -> dict[str, Any]:
    cls = catalogue("metrics").get(metric)
    assert cls is not None
    return {cls.__name__ if "metrics" in CAMEL else snake_case(cls.__name__): {"name": name}}


def counted_as_keras_does(section: Mapping[str, Any], widths: Mapping[str, int]) -> dict[str, Any]:
    """The section with what `accuracy` stands for in Keras, which looks at how many numbers an output has (`widths`) and never at the loss.

    It is categorical for several probabilities of labels too, and counts one logit as right from 0.5 on.
    """
    losses = _of_outputs(section.get("loss"), widths)

    def counted(value: Any, output: str) -> Any:
        if isinstance(value, list):
            return [counted(v, output) for v in value]
        if value not in _COUNTED or not isinstance(losses.get(output), (str, dict)):
            return value
        loss = losses[output]
        label, arguments = (loss, {}) if isinstance(loss, str) else next(iter(loss.items()))
        if label not in ("binary_crossentropy", "binary_focal_crossentropy"):
            return value
        if widths[output] > 1:
            return _told_as("CategoricalAccuracy", value)
        return _told_as("BinaryAccuracy", value) if (arguments or {}).get("from_logits") else value

    out = dict(section)
    for key in ("metrics", "weighted_metrics"):
        given = section.get(key)
        if isinstance(given, Mapping) and set(given) <= set(widths):
            out[key] = {n: counted(v, n) for n, v in given.items()}
        elif given is not None and len(widths) == 1:
            out[key] = counted(given, next(iter(widths)))
    return out


def _of_outputs(value: Any, outputs: Mapping[str, Any]) -> dict[str, Any]:
    """What a section says of each output: by name, by place, or of all the same."""
    if isinstance(value, Mapping) and set(value) <= set(outputs):
        return dict(value)
    if isinstance(value, list) and len(value) == len(outputs) > 1:
        return dict(zip(outputs, value, strict=True))
    return dict.fromkeys(outputs, value)


def _own(value: Mapping[str, Any]) -> bool:
    return str(value.get("module")).startswith("keras") or catalogue("losses").get(str(value.get("config"))) is not None
