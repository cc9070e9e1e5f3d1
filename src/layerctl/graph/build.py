"""From the `model` section to a Model."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from layerctl.catalogue import catalogue
from layerctl.diagnostics import Diagnostic, Problems, closest, did_you_mean
from layerctl.graph.model import Model, Port
from layerctl.graph.wiring import Wiring, check_feature, wire
from layerctl.source.document import Entry, Node, Scalar, Sequence
from layerctl.source.document import Mapping as MappingNode
from layerctl.spec.construct import construct, definitions
from layerctl.spec.file import Spec
from layerctl.spec.items import Reference
from layerctl.spec.variables import resolved


def finish(name: str, wiring: Wiring, outputs: list[str]) -> Model:
    """The model of a wiring."""
    return Model.of(name, wiring.inputs, wiring.steps, outputs)


def ports(node: Node, problems: Problems) -> dict[str, Port]:
    """The `inputs` mapping of a functional model."""
    out: dict[str, Port] = {}
    single = [n.entries[0] for n in node.items if isinstance(n, MappingNode) and len(n) == 1] if isinstance(node, Sequence) else []
    if isinstance(node, Sequence) and single and len(single) == len(node.items):
        problems.error("wrong-type", "'inputs' must be a mapping of names to shapes, got a list", node.span, hint="write its lines without the dashes")
        node = MappingNode(single, node._span, node.path)
    texts = [n.value for n in node.items if isinstance(n, Scalar) and isinstance(n.value, str)] if isinstance(node, Sequence) else []
    if texts and isinstance(node, Sequence) and len(texts) == len(node.items):
        problems.error("wrong-type", "'inputs' must be a mapping of names to shapes, got a list", node.span,
                       hint=f"write `inputs: {{{', '.join(f'{t}: {{shape: [4]}}' for t in texts)}}}`, with their shapes; a model with data has its "
                            "features as inputs, and needs no `inputs`")  # fmt: skip
        return {t: Port(None, "f32", n.span) for t, n in zip(texts, node.items, strict=True)}
    if not isinstance(node, MappingNode):
        problems.error(
            "wrong-type",
            "'inputs' must be a mapping of names to shapes",
            node.span,
            hint=f"write `inputs: {{image: {{shape: {node.plain()}}}}}`" if isinstance(node, Sequence) and len(node) and all(
                isinstance(n.plain(), int) for n in node) else "write `inputs: {image: {shape: [28, 28, 1]}}`",
        )  # fmt: skip
        return out
    cls = catalogue("layers").get("Input")
    for e in node.entries:
        value = e.value
        if isinstance(value, Sequence):
            value = MappingNode.of({"shape": value}, value.span) if hasattr(MappingNode, "of") else value
        layer = construct(cls, value, e.key.span, problems, f"input '{e.key.value}'")
        out[str(e.key.value)] = Port(layer.full_shape(), layer.element(), e.key.span) if layer is not None else Port(None, "f32", e.key.span)
    return out


def build_model(
    spec: Spec, data_inputs: Mapping[str, Port] | None = None, features: Mapping[str, Any] | None = None,
    warnings: list[Diagnostic] | None = None,
) -> Model:
    """The model of a file. `data_inputs` are the inputs that its data section makes; `features` their sizes for `${features.…}`; into `warnings` goes
    what is doubtful.

    Raises:
        LayerctlError: with everything that is wrong in the section; shapes are checked later, when the model runs.
    """
    problems = Problems()
    scope = {**spec.variables, "vars": spec.variables, "features": dict(features or {})}
    node = resolved(spec.model, scope, defer=False)
    with using_definitions(spec, scope, problems):
        if isinstance(node, Sequence):
            model = _sequential(spec, node, data_inputs or {}, problems)
        elif isinstance(node, MappingNode):
            model = _functional(spec, node, data_inputs or {}, problems)
        else:
            problems.error("wrong-type", "'model' must be a list of layers, or inputs, layers and outputs", node.span,
                           hint="write each layer below `model:`, indented, after a dash: `- Dense: 3`")  # fmt: skip
            model = None
    problems.check(warnings)
    assert model is not None
    model.place("")
    return model


def _sequential(spec: Spec, node: Sequence, given: Mapping[str, Port], problems: Problems) -> Model:
    if not node.items:
        problems.error("missing-layer", "'model' has no layers", node.span, hint="write each one after a dash: `- Dense: 3`")
    wiring = wire(node, given, problems)
    _check_features(wiring.inputs, given, problems)
    if not wiring.inputs and not problems.errors:
        problems.error(
            "missing-input",
            "the model has no input",
            node.span,
            hint="start it with `- Input: {shape: [4]}`, or add a data section",
        )
    if not problems.errors:
        check_use(wiring, wiring.last[:1])
    return finish(spec.name, wiring, wiring.last[:1])


def _check_features(inputs: Mapping[str, Port], given: Mapping[str, Port], problems: Problems) -> None:
    """Inputs of a model with data are features of the data."""
    for name, port in inputs.items():
        if given and name not in given:
            problems.error("unknown-feature", f"no feature of the data is called '{name}'{did_you_mean(name, given)}", port.span,
                           hint=f"the features are {', '.join(given)}")  # fmt: skip
        elif given and port.span is not None:
            check_feature(name, given[name], port, problems)


def _meant(inputs: dict[str, Port], given: Mapping[str, Port]) -> dict[str, Port]:
    """The names of features for inputs that seem to stand for them: what takes such a feature is not mistaken."""
    strange, absent = [n for n in inputs if given and n not in given], [g for g in given if g not in inputs]
    if len(strange) == len(absent) == 1:
        return {absent[0]: inputs[strange[0]]}
    return {near: inputs[n] for n in strange if (near := closest(n, given)) and near not in inputs}


def _functional(spec: Spec, node: MappingNode, given: Mapping[str, Port], problems: Problems) -> Model | None:
    known = ("inputs", "layers", "outputs")
    strangers = [e.key for e in node.entries if e.key.value not in known]
    for e in node.entries:
        key = str(e.key.value)
        if e.key in strangers:
            dashed = key.lstrip("-")
            layer = key not in known and not closest(key, known) and (dashed in catalogue("layers").names or dashed in definitions())
            hint = "a model is a list of layers, or a mapping of inputs, layers and outputs"
            hint = f"a list has dashes, each with a space behind it: `- {dashed}: …`" if layer else hint
            near = "" if layer else did_you_mean(key, known)
            problems.error("unknown-key", f"'model' has no key '{key}'{near}", e.key.span, hint=hint)
    meant = {str(k.value): near for k in strangers if (near := closest(str(k.value), known)) and near not in node}
    node = _out_of_inputs(node.renamed(meant), problems)
    declared = node.get("inputs")
    inputs = ports(declared, problems) if declared is not None else dict(given)
    if declared is not None and not isinstance(declared, MappingNode) and not inputs:
        inputs = dict(given) or {"?": Port(None, "f32")}  # what the layers would take
    listed = node.get("layers")
    if listed is None:
        _check_features(inputs, given, problems)
        if not problems.errors:
            problems.error("missing-key", "'model' needs 'layers'", node.span, hint="list them: `layers: [{Dense: 3}]`")
        return None
    wiring = wire(listed, inputs, problems, _meant(inputs, given))
    _check_features(inputs, given, problems)
    outputs = _outputs(node.get("outputs"), wiring)
    if not problems.errors:
        check_use(wiring, outputs)
    return finish(spec.name, wiring, outputs)


def _out_of_inputs(node: MappingNode, problems: Problems) -> MappingNode:
    """The model with `layers` and `outputs` that stand among its inputs, which is said, where they belong."""
    declared = node.get("inputs")
    inner = [e for e in declared if e.key.value in ("layers", "outputs") and e.key.value not in node and isinstance(e.value, Sequence)
             and any(not isinstance(n.plain(), int | None) for n in e.value.items)] if isinstance(declared, MappingNode) else []  # fmt: skip
    if not inner:
        return node
    assert isinstance(declared, MappingNode)
    for e in inner:
        problems.error("unknown-key", f"'{e.key.value}' stands among the inputs", e.key.span, hint="start the line in the column of `inputs:`")
    kept = MappingNode([e for e in declared if e not in inner], declared._span, declared.path)
    return MappingNode([Entry(e.key, kept) if e.key.value == "inputs" else e for e in node] + inner, node._span, node.path)


def _outputs(node: Node | None, wiring: Wiring) -> list[str]:
    if node is None or (isinstance(node, Scalar) and node.value is None):
        return wiring.last[:1]
    found = node.items if isinstance(node, Sequence) else [node]
    for n in found:
        if not isinstance(n, Scalar):
            wiring.problems.error("wrong-type", "'outputs' takes names of layers' results", n.span, hint="as in `outputs: [price, size]`")
    if not found:
        wiring.problems.error("missing-key", "'outputs' names no layer's result", node.span, hint=f"write `outputs: {wiring.last[:1]}`".replace("'", ""))
    taken: set[str] = set()
    for n in found:
        if isinstance(n, Scalar) and n.text in taken:
            wiring.problems.error("duplicate-name", f"'{n.text}' stands here a second time, expected each output once", n.span, hint="remove one of the two")
        taken.add(n.text if isinstance(n, Scalar) else "")
    return [wiring._name(Reference(str(n.plain()), n.span)) for n in found if isinstance(n, Scalar)]


def check_use(wiring: Wiring, outputs: list[str]) -> None:
    """What nobody takes is a mistake: an input or a layer whose result goes nowhere, or a layer that joins several and says not which."""
    if _joins_one(wiring, outputs):
        return
    by_result = {n: s for s in wiring.steps for n in s.names}
    for name, port in wiring.inputs.items():
        if name not in wiring.used and name not in outputs:
            wiring.problems.error("unused-input", f"the input '{name}' is not used by any layer", port.span,
                                  hint="take it with `from`, or remove it")  # fmt: skip
    for step in wiring.steps:
        if not any(n in wiring.used or n in outputs for n in step.names) and step is by_result[step.names[0]]:
            wiring.problems.error("unused-layer", f"the result of '{step.names[0]}' is not used and is no output", step.span,
                                  hint="take it with `from`, or list it in `outputs`")  # fmt: skip


def _joins_one(wiring: Wiring, outputs: list[str]) -> bool:
    """Says of a layer that joins tensors, and without `from` has the item before it alone, which of those above nobody takes."""
    seen: list[str] = []
    for step in wiring.steps:
        if step.layer.category == "merging" and isinstance(step.sources, list) and len(step.sources) == 1 and seen and step.sources[0] not in seen:
            names = ", ".join([*seen, *step.sources])
            wiring.problems.error("missing-from", f"which results does this layer join? It takes '{step.sources[0]}' alone", step.span,
                                  hint=f"add `from: [{names}]`")  # fmt: skip
            return True
        if not any(n in wiring.used or n in outputs for n in step.names):
            seen.append(step.names[0])
    return False


def using_definitions(spec: Spec, scope: Mapping[str, Any], problems: Problems) -> Any:
    """Makes the file's own layers and blocks known while the model is built."""
    from layerctl.graph.define import definitions_of

    return definitions_of(spec.define, scope, problems)
