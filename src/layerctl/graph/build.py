"""From the `model` section to a Model: layers made, names wired."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from layerctl.catalogue import catalogue, snake_case
from layerctl.diagnostics import Note, Problems, Span, closest, did_you_mean
from layerctl.graph.deferred import set_trainable
from layerctl.graph.model import Model, Port, Step
from layerctl.layers.base import Layer, call_arguments, unique
from layerctl.ops.value import shown
from layerctl.source.document import Entry, Node, Scalar, Sequence
from layerctl.source.document import Mapping as MappingNode
from layerctl.spec.construct import construct, definitions, find
from layerctl.spec.file import Spec
from layerctl.spec.items import Constant, Item, Reference, items
from layerctl.spec.variables import resolved

INPUT = "input"


class Wiring:
    """Names within one model or block, and the steps made so far."""

    def __init__(self, problems: Problems, inputs: Mapping[str, Port]):
        self.problems = problems
        self.inputs = dict(inputs)
        self.values: dict[str, Span | None] = {n: p.span for n, p in inputs.items()}
        self.layers: dict[str, Layer] = {}
        self.steps: list[Step] = []
        self.taken: set[str] = set(inputs)
        self.used: set[str] = set()
        self.last: list[str] = list(inputs)
        self.later: dict[str, Span] = {}
        self.blurred = False
        """Whether an item has a name that is not known: what seems to take nothing may take it."""

    def add(self, item: Item) -> None:
        """The steps of one item, repeated as it says."""
        for i in range(item.repeat):
            layer = self.layer_of(item) if item.kind is not None or item.use is not None else None
            if layer is None or item.amiss:
                self.last = [r.name for r in item.names] or ["?"]
                for r in item.names:
                    self.values.setdefault(r.name, r.span)
                return
            self._step(item, layer, final=i == item.repeat - 1, first=i == 0, number=i)

    def layer_of(self, item: Item) -> Layer | None:
        """The layer of an item; None after an error."""
        if item.use is not None:
            layer = self.layers.get(item.use.name)
            if layer is None and item.use.name in self.values and self.problems.errors:
                return None  # the layer itself is mistaken
            if layer is None and not self.blurred:
                self.problems.error(
                    "unknown-layer",
                    f"there is no layer '{item.use.name}' before this one{did_you_mean(item.use.name, self.layers)}",
                    item.use.span,
                    hint=f"before it are {', '.join(list(self.layers)[-10:])}" if self.layers else "give the layer that you mean a `name`",
                )
            return layer
        assert item.kind is not None
        factory = definitions().get(item.kind)
        if factory is not None:
            layer = factory(item.arguments, item.kind_span, self.problems)
        else:
            cls = find_layer(item.kind, item.kind_span, self.problems)
            layer = cls and construct(cls, item.arguments, item.kind_span, self.problems)
        if layer is not None and item.trainable is not None:
            set_trainable(layer, item.trainable)
        return layer

    def _step(self, item: Item, layer: Layer, final: bool, first: bool, number: int) -> None:
        if item.use is None and layer.name and item.names and layer.name != item.names[0].name:
            self.problems.error(
                "two-names",
                f"the layer is called '{layer.name}' in its arguments and '{item.names[0].name}' beside it",
                item.names[0].span,
                hint="remove one of the two",
            )
        names = [r.name for r in item.names] if item.names else []
        if not names:
            names = [
                unique(
                    layer.name
                    or snake_case(kind_name(layer)),
                    self.taken,
                )
            ]
        elif final:
            for r in item.names:
                if r.name in self.taken:
                    before = self.values.get(r.name)
                    notes = (Note("the first one is here", before),) if before is not None else ()
                    self.problems.error("duplicate-name", f"the name '{r.name}' is taken", r.span, notes=notes,
                                        hint=f"rename one; to use the same layer again write `use: {r.name}`")  # fmt: skip
                self.taken.add(r.name)
        else:
            names = [unique(f"{n}_{number + 1}", self.taken) for n in names]
        if layer.name is None:
            layer.name = names[0]
        if not first:
            self.used.update(self.last)
        sources = self._sources(item, layer) if first else (self.last if layer.takes_list else self.last[0])
        if sources is None:
            sources = self.last[0] if self.last else "?"
        self.steps.append(Step(layer, names, sources, item.span, print=item.print))
        if item.use is None:
            self.layers[names[0]] = layer
        for n in names:
            self.values[n] = item.span
        self.last = [names[0]]

    def _sources(self, item: Item, layer: Layer) -> Any:
        arguments = call_arguments(type(layer))
        given = item.sources
        if given is None:
            if not self.last:
                self.problems.error(
                    "missing-input",
                    "nothing comes before this layer",
                    item.span,
                    hint="give the model an input: `- Input: {shape: [4]}`",
                )
                return None
            if len(self.last) > 1 and not layer.takes_list:
                names = ", ".join(self.last)
                self.problems.error(
                    "missing-from",
                    f"which of the inputs ({names}) does this layer take?",
                    item.span,
                    hint=f"add `from: {self.last[0]}`",
                )
                return None
            self.used.update(self.last)
            return list(self.last) if layer.takes_list else self.last[0]
        if isinstance(given, dict) and (named := _input_names(layer)):
            return self._by_input(given, named, layer, item)
        if isinstance(given, dict):
            for key in given:
                if key not in arguments and not isinstance(layer, Model):
                    place = item.source_places.get(key, item.span)
                    self.problems.error("unknown-argument", f"{type(layer).__name__} takes no '{key}' at its call{did_you_mean(key, arguments)}", place,
                                        hint=f"it takes {', '.join(arguments)}")  # fmt: skip
                    return None
            ordered = sorted(given, key=lambda k: arguments.index(k) if k in arguments else 99)
            return {k: self._names(given[k]) for k in ordered}
        if isinstance(given, list):
            names = [self._name(r) for r in given]
            if not names:
                return None
            return names if layer.takes_list or len(names) > 1 or isinstance(layer, Model) else names[0]
        name = self._name(given)
        return [name] if layer.takes_list else name

    def _by_input(self, given: Mapping[str, Any], named: list[str], layer: Layer, item: Item) -> Any:
        """What a layer of the file's own takes, given by the names of its inputs."""
        kind, before = kind_name(layer), len(self.problems.errors)
        for key in given:
            if key not in named:
                self.problems.error("unknown-argument", f"{kind} takes no '{key}' at its call{did_you_mean(key, named)}",
                                    item.source_places.get(key, item.span), hint=f"it takes {', '.join(named)}")  # fmt: skip
        lacking = [n for n in named if n not in given]
        if lacking and len(self.problems.errors) == before:
            self.problems.error("missing-argument", f"{kind} needs {', '.join(lacking)} at its call", item.span,
                                hint=f"as in `from: {{{', '.join(f'{n}: …' for n in named)}}}`")  # fmt: skip
        if len(self.problems.errors) > before:
            return None
        sources = [self._names(given[n]) for n in named]
        return sources if len(named) > 1 else sources[0]

    def _names(self, given: Any) -> Any:
        if isinstance(given, Constant):
            return given
        return [self._name(r) for r in given] if isinstance(given, list) else self._name(given)

    def _name(self, r: Reference) -> str:
        self.used.add(r.name)
        if r.name not in self.values:
            if r.name in self.later:
                self.problems.error("cycle", f"'{r.name}' comes later: a layer can only take what stands above it", r.span,
                                    hint=f"'{r.name}' is defined at line {self.later[r.name].line}; a graph has no cycles")  # fmt: skip
            elif not self.blurred:
                self.problems.error(
                    "unknown-name", f"there is no '{r.name}' above{did_you_mean(r.name, self.values)}", r.span,
                    hint=listed_hint(r.name, self.values) or (f"above are {', '.join(list(self.values)[-10:])}" if self.values else None),
                )  # fmt: skip
            self.values[r.name] = r.span
        return r.name


def listed_hint(text: str, known: Iterable[str]) -> str | None:
    """How several names in one text are written, where all of them are known."""
    names = [n for n in re.split(r"[\s,;\[\]]+", text) if n]
    return f"a list is written in brackets: `[{', '.join(names)}]`" if len(names) > 1 and set(names) <= set(known) else None


def _input_names(layer: Layer) -> list[str]:
    """The inputs' names of a layer that the file defines; none for others."""
    return list(layer.inputs) if isinstance(layer, Model) else list(getattr(layer, "input_names", ()))


def kind_name(layer: Layer) -> str:
    """What the file calls a layer of this sort."""
    return layer._kind_name if isinstance(layer, Model) else getattr(layer, "kind_name", type(layer).__name__)


def find_layer(name: str, span: Span, problems: Problems) -> Any:
    """A layer's class by name; the file's own definitions are among the suggestions."""
    return find("layers", name, span, problems, definitions())


def wire(list_node: Node, inputs: Mapping[str, Port], problems: Problems) -> Wiring:
    """Wires a list of items between inputs."""
    found = items(list_node, problems)
    wiring = Wiring(problems, inputs)
    wiring.blurred = any(i.amiss and not i.names for i in found)
    for i in found:
        for r in i.names:
            wiring.later.setdefault(r.name, r.span)
    for i in found:
        if i.kind in ("Input", "InputLayer") and not i.amiss and not definitions().get(i.kind):
            _declare_input(i, wiring)
        else:
            wiring.add(i)
    return wiring


def _declare_input(item: Item, wiring: Wiring) -> None:
    layer = construct(
        find("layers", "Input", item.kind_span, wiring.problems), item.arguments, item.kind_span, wiring.problems
    )
    implied = [n for n, p in wiring.inputs.items() if p.span is None]
    own = item.names[0].name if item.names else layer and layer.name
    name = own or (implied[0] if len(implied) == 1 else unique(INPUT, wiring.taken))
    shape = layer.full_shape() if layer is not None else None
    if wiring.steps and not item.names and wiring.last:
        shape = None  # of an input that is to go nothing more is said
        wiring.problems.error(
            "late-input",
            "an Input stands at the top of a list of layers",
            item.span,
            hint="name it, and take it with `from`",
        )
    for feature in implied:
        del wiring.inputs[feature], wiring.values[feature]
    wiring.inputs[name] = Port(shape, layer.element() if layer is not None else "f32", item.span)
    wiring.values[name] = item.span
    wiring.taken.add(name)
    wiring.last = [name]


def _check_feature(feature: str, given: Port, declared: Port, problems: Problems) -> None:
    """An input that the file declares has the shape of the feature that it stands for."""
    if given.shape is None or declared.shape is None or given.dtype == "u8":
        return
    if len(given.shape) != len(declared.shape) or any(
        a is not None and b is not None and int(a) != int(b) for a, b in zip(given.shape, declared.shape, strict=True)
    ):
        problems.error("shape", f"the input has the shape {shown(tuple(declared.shape))}, but the data's feature '{feature}' gives {shown(tuple(given.shape))}",
                       declared.span, hint=f"write `shape: {list(given.shape)}`, or leave the Input out: the feature says its shape")  # fmt: skip


def finish(name: str, wiring: Wiring, outputs: list[str]) -> Model:
    """The model of a wiring."""
    return Model.of(name, wiring.inputs, wiring.steps, outputs)


def ports(node: Node, problems: Problems) -> dict[str, Port]:
    """The `inputs` mapping of a functional model."""
    out: dict[str, Port] = {}
    if not isinstance(node, MappingNode):
        problems.error(
            "wrong-type",
            "'inputs' must be a mapping of names to shapes",
            node.span,
            hint="write `inputs: {image: {shape: [28, 28, 1]}}`",
        )
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
    spec: Spec, data_inputs: Mapping[str, Port] | None = None, features: Mapping[str, Any] | None = None
) -> Model:
    """The model of a file. `data_inputs` are the inputs that its data section makes; `features` their sizes for `${features.…}`.

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
    problems.check()
    assert model is not None
    model.place("")
    return model


def _sequential(spec: Spec, node: Sequence, given: Mapping[str, Port], problems: Problems) -> Model:
    wiring = wire(node, given, problems)
    _check_features(wiring.inputs, given, problems)
    if not wiring.inputs and not problems.errors:
        problems.error(
            "missing-input",
            "the model has no input",
            node.span,
            hint="start it with `- Input: {shape: [4]}`, or add a data section",
        )
    return finish(spec.name, wiring, wiring.last[:1])


def _check_features(inputs: Mapping[str, Port], given: Mapping[str, Port], problems: Problems) -> None:
    """Inputs of a model with data are features of the data."""
    for name, port in inputs.items():
        if given and name not in given:
            problems.error("unknown-feature", f"no feature of the data is called '{name}'{did_you_mean(name, given)}", port.span,
                           hint=f"the features are {', '.join(given)}")  # fmt: skip
        elif given and port.span is not None:
            _check_feature(name, given[name], port, problems)


def _meant(inputs: dict[str, Port], given: Mapping[str, Port]) -> dict[str, Port]:
    """The inputs, with a feature's name beside one that is nearly called so: what takes the feature is not mistaken."""
    return {**inputs, **{near: port for n, port in inputs.items() if given and n not in given and (near := closest(n, given)) and near not in inputs}}


def _functional(spec: Spec, node: MappingNode, given: Mapping[str, Port], problems: Problems) -> Model | None:
    known = ("inputs", "layers", "outputs")
    strangers = [e.key for e in node.entries if e.key.value not in known]
    for e in node.entries:
        key = str(e.key.value)
        if e.key in strangers:
            dashed = key.lstrip("-")
            layer = dashed in catalogue("layers").names or dashed in definitions()
            hint = "a model is a list of layers, or a mapping of inputs, layers and outputs"
            hint = f"a list has dashes, each with a space behind it: `- {dashed}: …`" if layer else hint
            near = "" if layer else did_you_mean(key, known)
            problems.error("unknown-key", f"'model' has no key '{key}'{near}", e.key.span, hint=hint)
    node = _out_of_inputs(node, problems)
    declared = node.get("inputs")
    inputs = ports(declared, problems) if declared is not None else dict(given)
    listed = node.get("layers")
    if listed is None:
        _check_features(inputs, given, problems)
        if not problems.errors:
            problems.error("missing-key", "'model' needs 'layers'", node.span, hint="list them: `layers: [{Dense: 3}]`")
        return None
    wiring = wire(listed, _meant(inputs, given), problems)
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
