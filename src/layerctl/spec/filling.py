"""A file with everything that is left out filled in, as plain data: names with all their arguments, sections with all their keys.

What is filled in means the same, to the last bit of the weights; `${…}` stays as it is written. Two files that mean the same become equal.
"""

from __future__ import annotations

from typing import Any, get_args, get_origin

from pydantic import BaseModel

from layerctl.catalogue import CATALOGUES, catalogue, snake_case
from layerctl.configured import Configured, plain
from layerctl.diagnostics import Problems
from layerctl.layers._defined import WeightDefinition
from layerctl.layers._definition import WEIGHT_KEYS
from layerctl.losses.base import BY_SHAPE
from layerctl.metrics.base import BY_LOSS
from layerctl.source.document import Mapping, Node, Scalar, Sequence
from layerctl.spec.construct import construct, reference_of
from layerctl.spec.data import DataSpec
from layerctl.spec.file import FORMAT, FitSpec
from layerctl.spec.items import RESERVED


def filled(root: Mapping) -> dict[str, Any]:
    """The sections of a file that is without mistakes."""
    out: dict[str, Any] = {"layerctl": FORMAT}
    given = {e.key.value: e.value for e in root.entries}
    if "name" in given:
        out["name"] = given["name"].plain()
    out["seed"] = given["seed"].plain() if "seed" in given else 0
    define = given.get("define")
    filling = _Filling(define if isinstance(define, Mapping) else None)
    for key, node in given.items():
        if key == "vars" and node.plain():
            out[key] = node.plain()
        elif key == "data" and isinstance(node, Mapping):
            out[key] = filling.arguments(DataSpec, node)
        elif key == "define" and isinstance(node, Mapping) and len(node):
            out[key] = {e.key.value: filling.definition(e.value) for e in node.entries}
        elif key == "model":
            out[key] = filling.model(node)
        elif key == "compile" and isinstance(node, Mapping):
            out[key] = filling.compile(node)
    fit = given.get("fit")
    out["fit"] = filling.arguments(FitSpec, fit if isinstance(fit, Mapping) else None)
    return out


_WEIGHT = {"initializer": lambda: _default(WeightDefinition.initializer, "initializers"), "trainable": lambda: WeightDefinition.trainable}
"""What a weight of the file's own has where it says nothing."""


class _Filling:
    """What the file itself defines counts before the catalogue's layers."""

    def __init__(self, define: Mapping | None):
        self.define = define

    def entry(self, kind: str, node: Node) -> Any:
        """A name, or a name with arguments, as its canonical name with all arguments; other values as they are."""
        if isinstance(node, Scalar):
            name, arguments = node.value, None
        elif isinstance(node, Mapping) and len(node) == 1:
            name, arguments = node.entries[0]
            name = name.value
        else:
            return node.plain()
        return _bare(self.named(kind, name, arguments)) or node.plain()

    def named(self, kind: str, name: Any, arguments: Node | None) -> dict[str, Any] | None:
        """The entry of a name; None where it is no name of the catalogue or the file."""
        if kind == "layers" and self.define is not None and isinstance(name, str) and name in self.define:
            return {name: self._own(name, arguments)}
        cls = catalogue(kind).get(name) if isinstance(name, str) else None
        if cls is None:
            return None
        return {catalogue(kind).spelled(cls.__name__): self.arguments(cls, arguments)}

    def _own(self, name: str, arguments: Node | None) -> Any:
        """Arguments of a block or layer of the file's own, with the defaults that it declares (those that compute nothing)."""
        body = self.define.get(name) if self.define is not None else None
        declared = body.get("args") if isinstance(body, Mapping) else None
        defaults = {e.key.value: e.value.plain() for e in declared.entries} if isinstance(declared, Mapping) else {}
        if isinstance(arguments, Mapping):
            given = arguments.plain()
        elif arguments is None or arguments.plain() is None:
            given = {}
        else:
            given = {next(iter(defaults)): arguments.plain()} if defaults else {}
        known = {k: v for k, v in defaults.items() if v is not None and "${" not in str(v)}
        return {**known, **given} or None

    def arguments(self, cls: type[BaseModel], node: Node | None) -> dict[str, Any]:
        """All arguments of a class by the node of those that are given: a mapping, the first one alone, or nothing."""
        given: dict[str, Node] = {}
        if isinstance(node, Mapping):
            given = {e.key.value: e.value for e in node.entries}
        elif node is not None and not (isinstance(node, Scalar) and node.value is None):
            first = cls.first_argument() if issubclass(cls, Configured) else None
            given = {first: node} if first is not None else {}
        made = self._made(cls, node)
        out = {}
        order = cls.own_fields() if issubclass(cls, Configured) else []
        for name in dict.fromkeys((*order, *cls.model_fields)):
            field = cls.model_fields[name]
            if name not in given and field.is_required():
                continue
            if name not in given:
                reference, _ = reference_of(cls, name)
                out[name] = _default(field.get_default(call_default_factory=True), reference and reference.kind)
            else:
                out[name] = self._value(cls, name, given[name], made)
        return out

    def _made(self, cls: type[BaseModel], node: Node | None) -> Any:
        """An instance for its converted values, such as a size for each dimension; None where variables hide them."""
        if node is not None and "${" in str(node.plain()):
            return None
        problems = Problems()
        return construct(cls, node, node.span, problems) if node is not None else None

    def _value(self, cls: type[BaseModel], name: str, node: Node, made: Any) -> Any:
        reference, many = reference_of(cls, name)
        if reference is not None:
            if many and isinstance(node, Sequence):
                return [self.entry(reference.kind, n) for n in node.items]
            value = self.entry(reference.kind, node)
            return [value] if get_origin(cls.model_fields[name].annotation) is list else value
        inner = _models(cls.model_fields[name].annotation)
        if inner:
            return self._nested(inner, node, made and getattr(made, name))
        written = node.plain()
        converted = plain(getattr(made, name)) if made is not None else None
        return written if converted is None or converted == written or not _is_plain(converted) else converted

    def _nested(self, inner: tuple[type[BaseModel], ...], node: Node, made: Any) -> Any:
        """A field that holds a model, models by name, or a short form of one."""
        if isinstance(node, Mapping):
            for cls in inner:
                needed = [n for n, f in cls.model_fields.items() if f.is_required()]
                if all(e.key.value in cls.model_fields for e in node.entries) and all(n in node for n in needed):
                    return self.arguments(cls, node)
            return {e.key.value: self._nested(inner, e.value, made.get(e.key.value) if isinstance(made, dict) else None) for e in node.entries}
        if isinstance(node, Sequence):
            return [self._nested(inner, n, None) for n in node.items]
        if isinstance(made, BaseModel):
            return {n: _default(getattr(made, n)) for n in type(made).model_fields}
        return node.plain()

    def items(self, node: Node) -> Any:
        """Items of a list of layers."""
        return [self.item(n) for n in node.items] if isinstance(node, Sequence) else node.plain()

    def item(self, node: Node) -> Any:
        """An item: its layer with all arguments first, then what stands beside it."""
        if isinstance(node, Scalar):
            return self.entry("layers", node)
        if not isinstance(node, Mapping):
            return node.plain()
        out: dict[str, Any] = {}
        for e in node.entries:
            if e.key.value in RESERVED:
                continue
            out |= self.named("layers", e.key.value, e.value) or {e.key.value: e.value.plain()}
        return {**out, **{e.key.value: e.value.plain() for e in node.entries if e.key.value in RESERVED and not _is_default(e.key.value, e.value)}}

    def model(self, node: Node) -> Any:
        """The `model` section."""
        if not isinstance(node, Mapping):
            return self.items(node)
        out = {}
        for key, value in node.entries:
            if key.value == "layers":
                out[key.value] = self.items(value)
            elif key.value == "inputs" and isinstance(value, Mapping):
                cls = catalogue("layers").get("Input")
                out[key.value] = {e.key.value: self.arguments(cls, e.value) for e in value.entries}
            else:
                given = value.plain()
                out[key.value] = [given] if key.value == "outputs" and isinstance(given, str) else given
        return out

    def definition(self, node: Node) -> Any:
        """A block, or a layer of expressions, whose weights say how they start."""
        if not isinstance(node, Mapping):
            return node.plain()
        out = {}
        for key, value in node.entries:
            if key.value == "layers":
                out[key.value] = self.items(value)
            elif key.value == "weights" and isinstance(value, Mapping):
                out[key.value] = {e.key.value: self._weight(e.value) for e in value.entries}
            else:
                out[key.value] = value.plain()
        return out

    def _weight(self, node: Node) -> Any:
        if not isinstance(node, Mapping):
            return node.plain()
        given = {e.key.value: e.value for e in node.entries}
        out: dict[str, Any] = {}
        for key in (*WEIGHT_KEYS, *(k for k in given if k not in WEIGHT_KEYS)):
            if key in given:
                out[key] = self.entry(f"{key}s", given[key]) if key in ("initializer", "regularizer", "constraint") else given[key].plain()
            elif key in _WEIGHT:
                out[key] = _WEIGHT[key]()
        return out

    def compile(self, node: Mapping) -> dict[str, Any]:
        """The `compile` section."""
        out: dict[str, Any] = {"optimizer": _default("RMSprop", "optimizers")}
        for key, value in node.entries:
            if key.value == "optimizer":
                out[key.value] = self.entry("optimizers", value)
            elif key.value == "loss":
                out[key.value] = self._judges("losses", value)
            elif key.value in ("metrics", "weighted_metrics"):
                out[key.value] = self._judges("metrics", value)
            else:
                out[key.value] = value.plain()
        return out

    def _judges(self, kind: str, node: Node) -> Any:
        """Losses or metrics: one for all outputs, a list, or a mapping by output."""
        if isinstance(node, Sequence):
            return [self._judges(kind, n) for n in node.items]
        if isinstance(node, Mapping):
            entry = self.named(kind, *_pair(node)) if len(node) == 1 else None
            return entry or {e.key.value: self._judges(kind, e.value) for e in node.entries}
        if not isinstance(node, Scalar) or not isinstance(node.value, str) or node.value in (BY_SHAPE if kind == "losses" else BY_LOSS):
            return node.plain()
        entry = self.named(kind, node.value, None)
        if entry is not None and kind == "metrics":  # a metric is reported by the name that it is given by
            (name, arguments), *_ = entry.items()
            arguments["name"] = node.value if node.value.islower() else snake_case(node.value)
            entry = {name: arguments}
        return entry if entry is not None else node.plain()


def _bare(entry: dict[str, Any] | None) -> Any:
    """An entry without arguments is its name."""
    return next(iter(entry)) if entry is not None and list(entry.values()) == [{}] else entry


def _pair(node: Mapping) -> tuple[Any, Node]:
    return node.entries[0].key.value, node.entries[0].value


def _is_default(key: str, value: Node) -> bool:
    """Whether a key beside a layer says what is so without it."""
    given = value.plain()
    return given is None or (key == "repeat" and given == 1) or (key == "print" and given is False)


def _default(value: Any, kind: str | None = None) -> Any:
    """A field's default in full: an entry that it names has all its arguments; None, numbers and texts are what they are."""
    if isinstance(value, BaseModel):
        return {n: _default(getattr(value, n)) for n in type(value).model_fields}
    if kind is not None and isinstance(value, str):
        cls = catalogue(kind).get(value)
        return _bare({catalogue(kind).spelled(cls.__name__): _Filling(None).arguments(cls, None)})
    if isinstance(value, (list, tuple)):
        return [_default(v) for v in value]
    return {k: _default(v) for k, v in value.items()} if isinstance(value, dict) else value


def _models(annotation: Any) -> tuple[type[BaseModel], ...]:
    """The models in an annotation that are no entries of catalogues."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return (annotation,) if not issubclass(annotation, Configured) else ()
    return tuple(m for a in get_args(annotation) for m in _models(a))


def brief(value: Any) -> Any:
    """A filled value without what is filled in, for showing it."""
    if isinstance(value, list):
        return [brief(v) for v in value]
    if not isinstance(value, dict):
        return value
    out = {}
    for name, inner in value.items():
        kind = kind_of(name)
        if kind is None or not isinstance(inner, dict):
            out |= {name: brief(inner)} if inner is not None else {}
            continue
        whole = _Filling(None).arguments(catalogue(kind).get(name), None)
        out[name] = {k: brief(v) for k, v in inner.items() if k not in whole or whole[k] != v}
    return next(iter(out)) if len(out) == 1 and next(iter(out.values())) == {} else out


def kind_of(name: str) -> str | None:
    """The catalogue that has an entry which files call so; the first where several have."""
    return next((k for k in CATALOGUES if name in catalogue(k).names and catalogue(k).spelled(catalogue(k).names[name]) == name), None)


def _is_plain(value: Any) -> bool:
    if isinstance(value, dict):
        return all(isinstance(k, str) and _is_plain(v) for k, v in value.items())
    if isinstance(value, (list, tuple)):
        return all(map(_is_plain, value))
    return value is None or isinstance(value, (str, int, float, bool))

