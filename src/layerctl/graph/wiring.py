"""Names within one model or block wired: an item's layer made, its inputs found, its step added."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from layerctl.catalogue import snake_case
from layerctl.diagnostics import Note, Problems, Span, did_you_mean
from layerctl.graph.deferred import set_trainable
from layerctl.graph.model import Model, Port, Step
from layerctl.layers.base import Layer, call_arguments, unique
from layerctl.ops.value import shown
from layerctl.source.document import Mapping as MappingNode
from layerctl.source.document import Node
from layerctl.spec.construct import construct, definitions, find, strange_arguments
from layerctl.spec.items import Constant, Item, Reference, items

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
                if not item.names and item.kind is not None:
                    self.values.setdefault(snake_case(item.kind), item.span)  # what it would be called, if it were right
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
            if cls is None:
                strange_arguments("layers", item.kind, item.arguments, self.problems)
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
            if item.use is None and layer.name in self.layers and first:
                named = item.arguments.get("name") if isinstance(item.arguments, MappingNode) else None
                self._taken(layer.name, named.span if named is not None else item.span, (Note("the first one is here", self.values.get(layer.name)),))
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
                    self._taken(r.name, r.span, notes)
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

    def _taken(self, name: str, span: Span | None, notes: tuple[Note, ...]) -> None:
        self.problems.error("duplicate-name", f"the name '{name}' is taken", span, notes=notes,
                            hint=f"rename one; to use the same layer again write `use: {name}`")  # fmt: skip

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


def wire(list_node: Node, inputs: Mapping[str, Port], problems: Problems, meant: Mapping[str, Port] | None = None) -> Wiring:
    """Wires a list of items between inputs; those that were `meant` may be named as well."""
    found = items(list_node, problems)
    wiring = Wiring(problems, inputs)
    wiring.values.update({n: p.span for n, p in (meant or {}).items()})
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


def check_feature(feature: str, given: Port, declared: Port, problems: Problems) -> None:
    """An input that the file declares has the shape of the feature that it stands for."""
    if given.dtype == "u8" and declared.dtype != "u8":
        problems.error("wrong-type", f"the input takes numbers, but the data's feature '{feature}' gives texts", declared.span,
                       hint="say `dtype: string` in the input, or another `kind` in the feature")  # fmt: skip
    if given.shape is None or declared.shape is None or given.dtype == "u8":
        return
    if len(given.shape) != len(declared.shape) or any(
        a is not None and b is not None and int(a) != int(b) for a, b in zip(given.shape, declared.shape, strict=True)
    ):
        problems.error("shape", f"the input has the shape {shown(tuple(declared.shape))}, but the data's feature '{feature}' gives {shown(tuple(given.shape))}",
                       declared.span, hint=f"write `shape: {list(given.shape)}`, or leave the Input out: the feature says its shape")  # fmt: skip
