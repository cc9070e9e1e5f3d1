"""A trained model's file as a layer: `- model: base.safetensors` becomes a block of the file, with the base's weights to start from.

The item is replaced by a definition before anything else looks at the file, so that the new model's own file has the base's layers in it
and needs the base no more.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from layerctl.catalogue import catalogue
from layerctl.diagnostics import Problems, Span, did_you_mean, placed
from layerctl.initializers.base import Initializer
from layerctl.layers.base import unique
from layerctl.source.document import Document, Entry, Node, Scalar, Sequence
from layerctl.source.document import Mapping as MappingNode
from layerctl.source.dump import dumps
from layerctl.source.read import loads
from layerctl.spec.items import RESERVED
from layerctl.spec.variables import resolved

if TYPE_CHECKING:
    from layerctl.api import Model
    from layerctl.ops.value import Weight

KEY, UPTO = "model", "upto"


@dataclass
class Bases:
    """A document without `model` items, and the weights that they brought, by their paths in the new model."""

    document: Document
    weights: dict[str, np.ndarray] = field(default_factory=dict)
    spans: dict[str, Span] = field(default_factory=dict)

    def start(self, weights: list[Weight], problems: Problems) -> None:
        """Lets the model's weights start from the bases'."""
        for w in weights:
            value = self.weights.get(w.path)
            if value is None:
                continue
            if tuple(value.shape) != tuple(w.shape):
                span = self.spans.get(w.path.split("/")[0])
                problems.error("wrong-weight", f"'{w.path}' has shape {tuple(value.shape)} in the trained model, here it would have {tuple(w.shape)}", span,
                               hint="give it an input of the shape that the model was trained with")  # fmt: skip
                continue
            w.initializer = _Trained(value=value)


class _Trained(Initializer):
    value: Any

    def __call__(self, shape: tuple[int, ...], key: int) -> Any:
        return self.value


def opened(document: Document, folder: Path, load: Callable[[Path], Model]) -> Bases:
    """The document with each trained model in it, as `load` reads it, written out as a block.

    Raises:
        LayerctlError: for a file that is no trained model, and for everything that is wrong in such items.
    """
    root = document.root
    node = root.get("model") if isinstance(root, MappingNode) else None
    listed = node.get("layers") if isinstance(node, MappingNode) else node
    if not isinstance(listed, Sequence) or not any(isinstance(i, MappingNode) and KEY in i for i in listed.items):
        return Bases(document)
    assert isinstance(root, MappingNode) and node is not None
    problems = Problems()
    out = _Opening(document, root, lambda file: load(folder / file), problems)
    items = [out.item(i) if isinstance(i, MappingNode) and KEY in i else i for i in listed.items]
    problems.check()
    fresh: Node = Sequence(items, listed._span, listed.path)
    if isinstance(node, MappingNode):
        fresh = MappingNode([Entry(e.key, fresh if e.key.value == "layers" else e.value) for e in node.entries], node._span, node.path)
    entries = [Entry(e.key, fresh if e.key.value == "model" else e.value) for e in root.entries if e.key.value != "define"]
    at = next(i for i, e in enumerate(entries) if e.key.value == "model")
    entries.insert(at, out.define())
    out.bases.document = Document(document.source, MappingNode(entries, root._span, root.path))
    return out.bases


class _Opening:
    def __init__(self, document: Document, root: MappingNode, load: Callable[[str], Model], problems: Problems):
        self.load, self.problems = load, problems
        self.bases = Bases(document)
        own = root.get("define")
        self.own = own if isinstance(own, MappingNode) else None
        self.key = root.key("define") if "define" in root else root.key("model")
        self.made: dict[str, Any] = {}
        self.taken: set[str] = {str(e.key.value) for e in self.own.entries} if self.own is not None else set()
        self.names: set[str] = set()

    def define(self) -> Entry:
        """The `define` section: the file's own, and the bases'."""
        made = loads(dumps(self.made), "trained models").root
        assert isinstance(made, MappingNode)
        entries = [*(self.own.entries if self.own is not None else ()), *made.entries]
        key = Scalar("define", "define", "plain", self.key._span, ("define",))
        return Entry(key, MappingNode(entries, self.key._span, ("define",)))

    def item(self, item: MappingNode) -> Node:
        """The item with the block's name in the file's place."""
        file, upto = self._text(item, KEY), self._text(item, UPTO) if UPTO in item else None
        for e in item.entries:
            if e.key.value not in (*RESERVED, KEY, UPTO) or e.key.value in ("use", "repeat"):
                known = [k for k in (*RESERVED, UPTO) if k not in ("use", "repeat")]
                self.problems.error("unknown-key", f"'{e.key.value}' is not a key of a trained model's item{did_you_mean(str(e.key.value), known)}", e.key.span,
                                    hint=f"it has model, {', '.join(known)}")  # fmt: skip
        if file is None:
            return item
        place = item.get(KEY)
        with placed(place.span if place is not None else None):
            loaded = self.load(file)
        with loaded as base:
            kept = self._kept(base, upto, item)
            if kept is None:
                return item
            name = self._name(item, base.spec.name)
            kind = self._kind(name)
            self.made |= self._definitions(base)
            self.made[kind] = kept
            for path, value in (base._loaded or {}).items():
                self.bases.weights[f"{name}/{path}"] = value
            self.bases.spans[name] = item.key(KEY).span
        key, place = item.key(KEY), item.get(KEY)
        assert place is not None
        entries = [Entry(Scalar(kind, kind, "plain", key._span, key.path), Scalar(None, "", "plain", place._span, place.path))]
        if "name" not in item:
            entries.append(Entry(Scalar("name", "name", "plain", key._span, key.path), Scalar(name, name, "plain", key._span, key.path)))
        entries += [e for e in item.entries if e.key.value in RESERVED]
        return MappingNode(entries, item._span, item.path)

    def _text(self, item: MappingNode, key: str) -> str | None:
        node = item.get(key)
        if isinstance(node, Scalar) and isinstance(node.value, str):
            return node.value
        what = "the file of a trained model, such as base.safetensors" if key == KEY else "the name of one of its layers"
        self.problems.error("wrong-type", f"'{key}' takes {what}", item.key(key).span, hint=f"write it as text: `{key}: …`")
        return None

    def _name(self, item: MappingNode, stem: str) -> str:
        given = item.get("name")
        plain = given.plain() if given is not None else None
        if isinstance(plain, list) and plain:
            plain = plain[0]
        return str(plain) if plain is not None else unique(stem, self.names)

    def _kind(self, name: str) -> str:
        stem = "".join(p[:1].upper() + p[1:] for p in "".join(c if c.isascii() and c.isalnum() else " " for c in name).split())
        stem = stem if stem[:1].isalpha() else f"Base{stem}"
        out, n = stem, 1
        while out in self.taken or catalogue("layers").get(out) is not None:
            n += 1
            out = f"{stem}{n}"
        self.taken.add(out)
        return out

    def _definitions(self, base: Model) -> dict[str, Any]:
        """The base's own definitions, its variables put in; one that is here under the same name and differs is a mistake."""
        out: dict[str, Any] = {}
        for e in base.spec.define.entries if base.spec.define is not None else ():
            name = str(e.key.value)
            arguments = e.value.get("args") if isinstance(e.value, MappingNode) else None
            own = {str(a.key.value) for a in arguments.entries} if isinstance(arguments, MappingNode) else set()
            scope = {k: v for k, v in _scope(base).items() if k not in own}
            plain = resolved(e.value, scope, defer=True).plain()
            if isinstance(plain, dict) and base.spec.variables:  # expressions may use the base's variables by their names
                plain["args"] = {**(plain.get("args") or {}), **{k: v for k, v in base.spec.variables.items() if k not in own}}
            here = self.own.get(name) if self.own is not None else None
            known = here.plain() if here is not None else self.made.get(name)
            if known is not None and known != plain:
                self.problems.error("duplicate-name", f"the trained model has a definition '{name}' of its own, which differs", self.key.span,
                                    hint="call the one in this file otherwise")  # fmt: skip
            elif known is None:
                out[name] = plain
                self.taken.add(name)
        return out

    def _kept(self, base: Model, upto: str | None, item: MappingNode) -> dict[str, Any] | None:
        """The block of the base's layers that `upto` (or its outputs) needs."""
        steps = base.graph.steps
        made = {n: s for s in steps for n in s.names}
        if upto is not None and upto not in made:
            span = item.get(UPTO).span  # type: ignore[union-attr]
            self.problems.error("unknown-layer", f"the trained model has no layer '{upto}'{did_you_mean(upto, made)}", span,
                                hint=f"its layers are {', '.join(made)}")  # fmt: skip
            return None
        outputs = [upto] if upto is not None else list(base.graph.outputs)
        first = {id(s.layer): s.names[0] for s in reversed(steps)}  # `use` needs the item that makes the layer
        needed, pending = set(), list(outputs)
        while pending:
            name = pending.pop()
            if name in needed:
                continue
            needed.add(name)
            if name in made:
                pending += [*_taken(made[name].sources), first[id(made[name].layer)]]
        node = resolved(base.spec.model, _scope(base), defer=False)
        listed = node.get("layers") if isinstance(node, MappingNode) else node
        assert isinstance(listed, Sequence)
        left, layers = iter(steps), []
        for plain in (i.plain() for i in listed.items):
            plain = plain if isinstance(plain, dict) else {plain: None}
            if "Input" in plain or "InputLayer" in plain:
                continue
            for n in range(plain.get("repeat", 1)):
                step = next(left)
                entry = {k: v for k, v in plain.items() if k not in ("repeat", "name", *(("from",) if n else ()))}
                if any(s in needed for s in step.names):
                    layers.append({**entry, "name": step.names if len(step.names) > 1 else step.names[0]})
        return {"inputs": [n for n in base.graph.inputs if n in needed], "layers": layers, "outputs": outputs}


def _taken(sources: Any) -> list[str]:
    """The names that a step takes."""
    parts = list(sources.values()) if isinstance(sources, dict) else [sources]
    return [n for p in parts for n in (p if isinstance(p, list) else [p]) if isinstance(n, str)]


def _scope(base: Model) -> Mapping[str, Any]:
    features = base.schema.variables() if base.schema is not None else {}
    return {**base.spec.variables, "vars": base.spec.variables, "features": features}
