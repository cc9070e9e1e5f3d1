"""Keras's models as sections of a YAML file: layers as items, nested models as definitions, calls as `from`."""

from __future__ import annotations

import heapq
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from layerctl.catalogue import catalogue, snake_case
from layerctl.importing import tensorflow_ops
from layerctl.importing.calls import Calls, makes_masks, result_count
from layerctl.importing.expressions import Inexpressible, is_op
from layerctl.importing.nodes import BadNode, Call, Tensor, calls_of, flattened, plain_values, tensors
from layerctl.importing.objects import Reader
from layerctl.importing.text import is_name
from layerctl.importing.unmasked import Unmasked
from layerctl.layers.base import unique
from layerctl.layers.input import STRING
from layerctl.modelfile.strictjson import shown

MODELS = ("Sequential", "Functional", "Model")
DEEPEST = 20


@dataclass
class Part:
    """One layer, op, input or nested model of a model: its class and config, and its calls."""

    name: str
    kind: str
    config: dict[str, Any]
    calls: list[Call]
    op: bool = False
    definition: str | None = None
    arguments: dict[str, Any] = field(default_factory=dict)
    outputs: int = 1
    inputs: tuple[str, ...] = ()


@dataclass
class Body:
    """A model as YAML has it: inputs with shape and dtype, items, names of outputs; `linear` if it is a list of layers."""

    name: str
    inputs: dict[str, dict[str, Any]]
    items: list[dict[str, Any]]
    outputs: list[str]
    linear: bool
    output_keys: dict[str, str] = field(default_factory=dict)
    batch: int | None = None
    """The number of rows that its inputs were declared with."""
    unmasked: list[int] = field(default_factory=list)
    """Which of its inputs lose their masks in it."""


def model_kind(saved: Mapping[str, Any]) -> str | None:
    """Sequential, Functional or Model for a serialised model; else None. By its ports a class of the program's own is a functional one."""
    kind, config = saved.get("class_name"), saved.get("config")
    if kind in MODELS:
        return str(kind)
    graph = isinstance(config, Mapping) and isinstance(config.get("layers"), list) and {"input_layers", "output_layers"} <= set(config)
    return "Functional" if graph else None


class Models:
    """Reads a model and those inside of it; the latter are in `define` afterwards."""

    def __init__(self, reader: Reader, has_masks: bool = True):
        self.reader, self.has_masks = reader, has_masks
        self.define: dict[str, Any] = {}
        self.bodies: dict[str, Body] = {}
        self.depth = 0
        self.batch: int | None = None
        self.masked = False
        """Whether a layer somewhere makes masks, so that what a nested model is given may have one."""
        reader.models = self.definition

    def body(self, saved: Mapping[str, Any], where: str = "the model") -> Body | None:
        """The model of a serialised object; None after a refusal."""
        kind = model_kind(saved)
        if kind is not None and kind != saved.get("class_name"):
            own = shown(saved.get("registered_name") or saved.get("class_name"))
            self.reader.warn(f"{where} is of the class {own} of the program that saved the file: its layers are read, and "
                             "what the class does beside calling them (steps of training, losses) is not", "compare predictions of both")  # fmt: skip
            opened: tuple[str, dict[str, Any]] | None = (kind, dict(saved["config"]))
        elif isinstance(saved.get("config"), list):
            opened = (saved["class_name"], {"layers": saved["config"]})
        else:
            opened = self.reader.opened(saved, where)
        if opened is None:
            return None
        kind, config = opened
        if kind not in MODELS or (kind != "Sequential" and "layers" not in config):
            self.reader.refuse(where, f"{shown(kind)} is a class of the program that saved the file: it is neither Sequential nor functional",
                               "save it as a functional model, or export its weights and describe the layers in YAML")  # fmt: skip
            return None
        if self.depth >= DEEPEST:
            self.reader.refuse(where, f"has models more than {DEEPEST} deep within one another")
            return None
        if not self.depth:
            self.masked = makes_masks(saved)
        self.depth += 1
        try:
            return self._sequential(config, where, saved) if kind == "Sequential" else self._functional(config, where)
        except BadNode as error:
            self.reader.refuse(where, str(error))
            return None
        finally:
            self.depth -= 1

    def definition(self, saved: Mapping[str, Any], where: str) -> str:
        """The name under which a nested model is defined."""
        body = self.body(saved, where)
        name = str(body.name) if body is not None else "model"
        label = "".join(p[:1].upper() + p[1:] for p in "".join(c if c.isascii() and c.isalnum() else " " for c in name).split()) or "Model"
        label = label if label[0].isalpha() else f"Model{label}"
        out, n = label, 1
        while out in self.define or catalogue("layers").get(out) is not None:
            n += 1
            out = f"{label}{n}"
        if body is None:
            self.define[out] = {}
            return out
        self.bodies[out] = body
        entry: dict[str, Any] = {"inputs": list(body.inputs)} if list(body.inputs) != ["input"] else {}
        self.define[out] = {**entry, "layers": body.items, **({} if body.linear else {"outputs": body.outputs})}
        return out

    def _parts(self, listed: Any, where: str, functional: bool) -> list[Part]:
        if not isinstance(listed, list):
            raise BadNode("'layers' is no list")
        out, names = [], set()
        for i, saved in enumerate(listed):
            if not isinstance(saved, Mapping):
                raise BadNode(f"layer {i} is {shown(saved)}, expected a mapping")
            config = saved.get("config") if isinstance(saved.get("config"), Mapping) else {}
            name = saved.get("name") or config.get("name") or f"layer_{i}"
            if not self._usable(name, where):
                continue
            if name in names:
                self.reader.refuse(where, f"two layers are called {shown(name)}")
                continue
            names.add(name)
            made = self._part(saved, str(name), calls_of(saved.get("inbound_nodes", [])) if functional else [], functional)
            if made is not None:
                out.append(made)
        return out

    def _usable(self, name: object, where: str) -> bool:
        usable = is_name(name)
        if not usable:
            self.reader.refuse(where, f"a layer is called {shown(name)}: a name is printable text without slashes")
        return usable

    def _part(self, saved: Mapping[str, Any], name: str, calls: list[Call], functional: bool) -> Part | None:
        where = f"layer '{name}'"
        if model_kind(saved) is not None:
            label = self.definition(saved, where)
            body = self.bodies.get(label)
            config = saved.get("config") if isinstance(saved.get("config"), Mapping) else {}
            return Part(name, str(model_kind(saved)), dict(config), calls, definition=label, outputs=len(body.outputs) if body else 1,
                        inputs=tuple(body.inputs) if body else ())  # fmt: skip
        if saved.get("class_name") in tensorflow_ops.CLASSES:
            return self._older_op(saved, name, calls)
        nothing = self.masked and _changes_nothing(str(saved.get("class_name")), saved.get("config") or {}, saved.get("inbound_nodes"))
        if functional and is_op(saved) and not nothing:
            return Part(name, str(saved.get("class_name")), plain_values(saved.get("config") or {}), calls, op=True)
        opened = self.reader.opened(saved, where)
        if opened is None:
            return Part(name, "?", {}, calls)
        kind, config = opened
        if nothing:
            kind, config = "Identity", {k: config[k] for k in ("name", "trainable", "dtype") if k in config}
        part = Part(name, kind, config, calls)
        if kind == "CustomScaleLayer":  # of keras.applications
            part.kind, part.arguments = "Lambda", {"function": f"x[0] + x[1] * {config.get('scale', 1.0)}"}
        elif kind in self.reader.own:
            own = self.reader.own[kind]
            part.definition, part.inputs = kind, tuple(own.get("inputs") or ())
            part.arguments = {k: config[k] for k in own.get("args") or {} if config.get(k) is not None}
        elif kind != "InputLayer":
            cls = self.reader.layer_class(kind, where)
            part.kind = cls.__name__ if cls is not None else "?"
            part.arguments = self.reader.layer_arguments(cls, config, where) if cls is not None else {}
            part.outputs = result_count(kind, config)
        return part

    def _older_op(self, saved: Mapping[str, Any], name: str, calls: list[Call]) -> Part:
        """A function of TensorFlow's between layers, as Keras 2 has it."""
        config = saved.get("config")
        function = str(config.get("function")) if isinstance(config, Mapping) else ""
        made, kind = [], "?"
        for call in calls:
            try:
                kind, translated = tensorflow_ops.translated(function, call)
            except Inexpressible as error:
                self.reader.refuse(f"layer '{name}'", str(error), error.hint)
                return Part(name, "?", {}, calls)
            made.append(translated)
        return Part(name, kind, {}, made, op=True)

    def _input(self, config: Mapping[str, Any], where: str) -> dict[str, Any]:
        shape = config.get("batch_shape", config.get("batch_input_shape"))
        good = isinstance(shape, list) and shape and all(d is None or (type(d) is int and 0 < d < 1 << 40) for d in shape)
        if not good:
            self.reader.refuse(where, f"its shape is {shown(shape)}, expected sizes with the batch first")
            shape = [None]
        self.batch = shape[0] or self.batch
        if config.get("sparse") or config.get("ragged"):
            self.reader.refuse(where, "sparse and ragged inputs are not computed with in layerctl")
        given = config.get("dtype")
        dtype = STRING if given == STRING else self.reader.dtype(given, where)
        return {"shape": shape[1:], **({"dtype": dtype} if dtype not in (None, "float32") else {})}

    def _sequential(self, config: Mapping[str, Any], where: str, saved: Mapping[str, Any]) -> Body:
        parts = self._parts(config.get("layers"), where, functional=False)
        name = str(config.get("name") or "sequential")
        if parts and parts[0].kind == "InputLayer":
            source = parts.pop(0)
        else:
            saved_first = config.get("layers")[0] if config.get("layers") else None
            first = saved_first.get("config") if isinstance(saved_first, Mapping) else None
            first = first if isinstance(first, Mapping) else {}
            shape = first.get("batch_shape", first.get("batch_input_shape")) or config.get("build_input_shape")
            build = saved.get("build_config")
            shape = shape or (build.get("input_shape") if isinstance(build, Mapping) else None)
            source = Part("input_layer", "InputLayer", {"batch_shape": shape}, [])
            if not shape:
                self.reader.refuse(where, "it was saved before it was built: its input's shape is not known", "give it an Input before saving")
        taken = {p.name for p in parts}
        label = "input" if "input" not in taken else unique(source.name, taken)
        at = Tensor(label, 0, 0)
        for part in parts:
            part.calls, at = [Call([at])], Tensor(part.name, 0, 0)
        ports = {label: self._input(source.config, f"{where}, input")}
        calls = Calls(self.reader, {label: Tensor(label, 0, 0)}, masked=self.masked and self.depth > 1)
        for part in parts:
            calls.add(part, 0)
        items = calls.pruned([calls.name(at)])
        return Body(name, ports, _briefly(items, ports), [calls.name(at)], linear=not any("from" in i or "use" in i for i in items), batch=self.batch)

    def _functional(self, config: Mapping[str, Any], where: str) -> Body:
        parts = tensorflow_ops.inlined(self._parts(config.get("layers"), where, functional=True))
        sources = flattened(config.get("input_layers"))
        by_name = {p.name: p for p in parts}
        wanted = [_shifted(t, by_name.get(t.layer)) for t in flattened(config.get("output_layers"))]
        inputs: dict[str, dict[str, Any]] = {}
        ports = _ports(config.get("input_layers"), sources, set(by_name))
        for port, t in ports.items():
            part = by_name.get(t.layer)
            if part is None or part.kind != "InputLayer":
                raise BadNode(f"the input {shown(t.layer)} is none of its layers")
            inputs[port] = self._input(part.config, f"input '{t.layer}'")
        lost = None if self.reader.before_3 or not self.has_masks else Unmasked(parts, wanted, {n: b.unmasked for n, b in self.bodies.items() if b.unmasked})
        calls = Calls(self.reader, ports, {p.name for p in parts}, lost, self.masked and self.depth > 1)
        for call in (c for p in parts for c in p.calls):
            call.has_masks &= self.has_masks
        for part, number in _ordered([p for p in parts if p.kind != "InputLayer"], {t.layer for t in sources}):
            calls.add(part, number, _used(parts, part, number, wanted))
        keys = _keys(config.get("output_layers"), len(wanted))
        outputs = calls.outputs(wanted, keys if self.depth == 1 else ())
        by_key = dict(zip(keys, outputs, strict=False))
        unmasked = [i for i, t in enumerate(ports.values()) if lost is not None and lost.ever(t)]
        return Body(str(config.get("name") or "functional"), inputs, calls.pruned(outputs), outputs, False, by_key, self.batch, unmasked)


def _changes_nothing(kind: str, config: Mapping[str, Any], nodes: Any) -> bool:
    """Whether a layer or op gives the very tensor that it is given, its mask with it, which others of its class do not pass on."""
    if kind == "Permute":
        return bool(config.get("dims") == list(range(1, len(config.get("dims") or ()) + 1)))
    taken = [_first_tensor(n) for n in nodes] if isinstance(nodes, list) and nodes else [{}]
    if kind in ("Cast", "ConvertToTensor"):
        wanted = config.get("dtype")
        return wanted is None or all(t.get("dtype") == wanted for t in taken)
    wanted, shapes = config.get("target_shape"), [t.get("shape") for t in taken]
    if kind != "Reshape" or not isinstance(wanted, list) or not all(isinstance(s, list) and len(s) == len(wanted) + 1 for s in shapes):
        return False
    return all(w in (-1, n) for s in shapes for w, n in zip(wanted, s[1:], strict=True))


def _first_tensor(node: Any) -> Mapping[str, Any]:
    """What a call's node says of the first tensor that it takes: its shape and dtype."""
    args = node.get("args") if isinstance(node, Mapping) else None
    found = args[0].get("config") if isinstance(args, list) and args and isinstance(args[0], Mapping) else None
    return found if isinstance(found, Mapping) else {}


def _keys(given: Any, count: int) -> list[str]:
    """The keys of a model's inputs or outputs where they are a mapping, which Keras's users feed them and find them by."""
    return sorted(map(str, given)) if isinstance(given, Mapping) and len(given) == count else []


def _ports(given: Any, sources: Sequence[Tensor], layers: set[str]) -> dict[str, Tensor]:
    """The inputs by name: their layers' names, or their keys where no layer is called so."""
    keys = _keys(given, len(sources)) or [t.layer for t in sources]
    return {k if is_name(k) and k not in layers else t.layer: t for k, t in zip(keys, sources, strict=True)}


def _shifted(t: Tensor, part: Part | None) -> Tensor:
    """An output as calls count: Keras counts the calls of a functional model from 1 here, and from 0 where layers take them."""
    functional = part is not None and part.definition is not None and part.kind != "Sequential"
    return Tensor(t.layer, t.call - 1, t.index) if functional and t.call else t


def _used(parts: Sequence[Part], part: Part, number: int, wanted: Sequence[Tensor]) -> int:
    """How many of a call's results must have names: up to the last that something takes."""
    seen = [t.index for p in parts for c in p.calls for t in tensors(c) if t.layer == part.name and t.call == number]
    seen += [t.index for t in wanted if t.layer == part.name and t.call == number]
    return max(seen, default=0) + 1


def _ordered(parts: Sequence[Part], known: set[str]) -> list[tuple[Part, int]]:
    """The calls of all layers, each after those that it takes results of.

    Raises:
        BadNode: for a call that takes what nothing computes, or its own result.
    """
    place = {p.name: i for i, p in enumerate(parts)}
    waits: dict[tuple[int, int], set[tuple[int, int]]] = {}
    followers: dict[tuple[int, int], list[tuple[int, int]]] = {}
    for i, p in enumerate(parts):
        for n, call in enumerate(p.calls):
            waits[i, n] = set()
            for t in tensors(call):
                if t.layer in known:
                    continue
                if t.layer not in place or not 0 <= t.call < len(parts[place[t.layer]].calls):
                    raise BadNode(f"layer '{p.name}' takes the result of {shown(t.layer)}, which is not computed")
                waits[i, n].add((place[t.layer], t.call))
            if n and (i, n - 1) in waits:
                waits[i, n].add((i, n - 1))
            for w in waits[i, n]:
                followers.setdefault(w, []).append((i, n))
    ready = [k for k, w in waits.items() if not w]
    heapq.heapify(ready)
    out = []
    while ready:
        done = heapq.heappop(ready)
        out.append((parts[done[0]], done[1]))
        for f in followers.get(done, ()):
            waits[f].discard(done)
            if not waits[f]:
                heapq.heappush(ready, f)
    if len(out) != len(waits):
        raise BadNode("its layers take one another's results in a circle")
    return out


def _briefly(items: list[dict[str, Any]], inputs: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Items of a list of layers without the names that they get anyway."""
    taken = set(inputs)
    out = []
    for item in items:
        kind = next(k for k in item if k not in ("name", "from", "use", "trainable"))
        name = item.get("name")
        if name == snake_case(kind) and name not in taken:
            item = {k: v for k, v in item.items() if k != "name"}
        taken.add(str(name))
        out.append(item)
    return out
