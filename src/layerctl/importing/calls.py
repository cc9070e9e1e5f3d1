"""Calls as items of the YAML: what a layer takes, under which names its results go on, and where masks come and end."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from layerctl.catalogue import catalogue
from layerctl.importing.expressions import SEVERAL, Inexpressible, constant, expression, is_causal
from layerctl.importing.nodes import Call, Tensor, tensors
from layerctl.importing.objects import Reader
from layerctl.importing.text import is_name
from layerctl.layers.base import Layer, call_arguments, no_mask, unique
from layerctl.modelfile.strictjson import shown

if TYPE_CHECKING:
    from layerctl.importing.graph import Part
    from layerctl.importing.unmasked import Unmasked

ANY = ("any",)
"""A mask that is known to be there, and not which one it is."""
MASKS = ("mask", "query_mask", "value_mask", "key_mask")


ORDERS = dict.fromkeys(("MultiHeadAttention", "GroupQueryAttention"), ("query", "value", "key", "query_mask", "value_mask", "key_mask", "attention_mask"))
"""The order of the tensors of a call in Keras, where others stand between those of here."""


def result_count(kind: str, config: Mapping[str, Any]) -> int:
    """How many results a layer has."""
    if kind == "Bidirectional":
        inner = config.get("layer")
        own = inner.get("config", {}) if isinstance(inner, Mapping) else {}
        states = result_count(str(inner.get("class_name")), own) - 1 if isinstance(inner, Mapping) else 0
        return (2 if config.get("merge_mode", "concat") is None else 1) + 2 * states
    if not config.get("return_state"):
        return 1
    return 1 + (_states(config.get("cell")) if kind == "RNN" else 2 if "LSTM" in kind else 1)


def _states(cell: Any) -> int:
    if isinstance(cell, list):
        return sum(map(_states, cell))
    config = cell.get("config", {}) if isinstance(cell, Mapping) else {}
    if isinstance(config, Mapping) and "cells" in config:
        return _states(config["cells"])
    return 2 if isinstance(cell, Mapping) and "LSTM" in str(cell.get("class_name")) else 1


class Calls:
    """The items of one model, made call by call in an order in which each comes after what it takes."""

    def __init__(
        self, reader: Reader, inputs: Mapping[str, Tensor], taken: Iterable[str] = (), lost: Unmasked | None = None, masked: bool = False
    ):  # fmt: skip
        self.reader, self.lost = reader, lost
        self.names: dict[Tensor, str] = {t: n for n, t in inputs.items()}
        self.taken = {*inputs, *taken}
        self.items: list[dict[str, Any]] = []
        self.masks: dict[Tensor, Any] = dict.fromkeys(inputs.values(), ANY) if masked else {}
        self.bare: dict[Tensor, str] = {}
        """What tensors are called without their masks."""
        self.formulas: dict[Tensor, Any] = {}
        self.last: str | None = next(iter(inputs)) if len(inputs) == 1 else None
        self.flags: dict[str, dict[str, Any]] = {}

    def name(self, t: Tensor) -> str:
        """What the YAML calls a tensor."""
        if t not in self.names:
            self.reader.refuse(f"layer '{t.layer}'", f"result {t.index} of its call {t.call} is wanted, and there is none")
            return t.layer
        return self.names[t]

    def add(self, part: Part, number: int, used: int = 1) -> None:
        """The item of a layer's call; `used` results are named."""
        call = part.calls[number]
        lost = {t for t in tensors(call) if self.masks.get(t) is not None and self.lost is not None and self.lost(part.name, number, t)}
        if not lost or part.op:
            return self._add(part, call, number, used)
        kept = {t: (self.names[t], self.masks.pop(t)) for t in lost}
        for t in lost:
            self.bare[t] = self.names[t] = self.bare.get(t) or self._unmasked(self.names[t])
        self._add(part, call, number, used)
        for t, (name, mask) in kept.items():
            self.names[t], self.masks[t] = name, mask

    def _add(self, part: Part, call: Call, number: int, used: int) -> None:
        results = [Tensor(part.name, number, i) for i in range(max(used, part.outputs))]
        if part.op:
            for t in results if part.kind in SEVERAL else results[:1]:
                self._op(part, call, t)
            return
        if part.kind == "?":
            for t in results:
                self.names[t] = part.name
            return
        item: dict[str, Any] = {}
        cls = catalogue("layers").get(part.kind) if part.definition is None else None
        sources, flags = self._sources(part, cls, call)
        if number == 0:
            item[part.definition or part.kind] = _brief(cls, {**part.arguments, **flags})
            self.flags[part.name] = flags
        else:
            item["use"] = part.name
            if flags != self.flags.get(part.name):
                self.reader.refuse(f"layer '{part.name}'", f"is called with {flags} and {self.flags.get(part.name)}: they are the layer's arguments here")
        if flags.get("return_attention_scores"):
            results = [Tensor(part.name, number, i) for i in range(2)]
        head = part.name if number == 0 else unique(f"{part.name}_{number}", self.taken)
        many = used > 1
        self.names[results[0]] = head
        for t in results[1:]:
            self.names[t] = unique(f"{head}_{t.index}", self.taken) if many else head
        item["name"] = [self.names[t] for t in results] if many else head
        if sources != self.last:
            item["from"] = sources
        if number == 0 and part.config.get("trainable") is False:
            item["trainable"] = False
        self.items.append(item)
        self.last = head
        self._mask_results(part, cls, call, results)

    def outputs(self, wanted: Sequence[Tensor], keys: Sequence[str] = ()) -> list[str]:
        """The names of a model's results: their keys where they have such; of a tensor that it gives twice, a copy."""
        out: list[str] = []
        for i, t in enumerate(wanted):
            name = self.name(t)
            key = keys[i] if keys and is_name(keys[i]) and keys[i] not in self.taken else None
            if key is not None or name in out:
                copy = unique(key or f"{name}_again", self.taken)
                self.items.append({"Lambda": "x", "name": copy, "from": name})
                self.last = name = copy
            out.append(name)
        return out

    def pruned(self, wanted: Sequence[str]) -> list[dict[str, Any]]:
        """The items without expressions that nothing takes (those of masks, which layers pass on by themselves)."""
        needed = {*wanted}
        kept: list[dict[str, Any]] = []
        before = [None, *map(_first, self.items)][: len(self.items)]
        for item, previous in zip(reversed(self.items), reversed(before), strict=True):
            if "Lambda" in item and item["name"] not in needed:
                continue
            source = item.get("from", previous)
            needed |= {n for v in (source.values() if isinstance(source, dict) else [source]) for n in (v if isinstance(v, list) else [v])}
            kept.insert(0, item if "from" in item or previous is None else {**item, "from": previous})
        last = None
        for i, item in enumerate(kept):
            if item.get("from") == last:
                kept[i] = {k: v for k, v in item.items() if k != "from"}
            last = _first(item)
        return kept

    def _op(self, part: Part, call: Call, result: Tensor) -> None:
        where = f"layer '{part.name}'"
        if not result.index:
            self.formulas[result] = _formula(part.kind, part.config, call, self.formulas)
        try:
            text, taken = expression(part.kind, part.config, call)
        except Inexpressible as error:
            self.names[result] = part.name
            self.reader.refuse(where, str(error), error.hint)
            return
        text = f"{text}[{result.index}]" if part.kind in SEVERAL else text
        if not taken:
            self.reader.refuse(where, f"{part.kind} takes no tensor")
            return
        arguments: Any = text
        if any(self.masks.get(t) is not None for t in taken):
            arguments = {"function": text, "mask": "none"}
        name = part.name if result.call == 0 else unique(f"{part.name}_{result.call}", self.taken)
        name = unique(f"{name}_{result.index}", self.taken) if result.index else name
        names = [self.name(t) for t in taken]
        item: dict[str, Any] = {"Lambda": arguments, "name": name}
        if names != [self.last]:
            item["from"] = names if len(names) > 1 else names[0]
        self.names[result] = name
        self.items.append(item)
        self.last = name

    def _sources(self, part: Part, cls: type[Layer] | None, call: Call) -> tuple[Any, dict[str, Any]]:
        """(what stands behind `from`, the call's arguments that are the layer's here)."""
        where = f"layer '{part.name}'"
        takes = call_arguments(cls) if cls is not None else part.inputs if part.kind in self.reader.own else ("inputs",)
        takes = takes or ("inputs",)
        fields = getattr(cls, "call_fields", ()) if cls is not None else ()
        args, kwargs = _placed(cls, takes, call)
        if part.kind in ORDERS:
            self._attention_mask(part, call, args, kwargs)
        named: dict[str, Any] = {}
        if not args:
            first = next((k for k in kwargs if k in (takes[0], "inputs", "sequences", "sequence", "x")), None)
            if first is not None:
                args = [kwargs.pop(first)]
        if args and isinstance(args[0], Mapping):
            given, keys = args[0], part.config.get("input_layers")
            keys = sorted(keys) if isinstance(keys, Mapping) else list(part.inputs) or sorted(given)
            self._all_given(where, given, keys)
            args[0] = [given[k] for k in keys if k in given]
        named |= dict(zip(takes, args, strict=False))
        if len(args) > len(takes) or not args:
            self.reader.refuse(where, f"is called with {len(args)} arguments, expected 1 to {len(takes)}")
            return self.last, {}
        flags: dict[str, Any] = {}
        implied = [self.masks.get(t) for t in tensors(args)]
        for key, value in kwargs.items():
            if key in MASKS and (self._implied(value, implied) or (key == "mask" and "mask" not in takes)):
                continue
            if key in fields and not list(tensors(value)):
                flags |= {key: value} if value not in (None, False) else {}
            elif key == "attention_mask" and "use_causal_mask" in fields and is_causal(value):
                flags["use_causal_mask"] = True
            elif value is None or (key == "training" and not (value and call.older)):
                continue
            elif key == "training":
                self.reader.refuse(where, "is called with training=True, so that it always behaves as in training")
            elif key in takes and (isinstance(value, bool) or list(tensors(value)) or constant(value) is not None):
                named[key] = value
            else:
                self.reader.refuse(where, f"is called with {key}={shown(value)}, which layerctl's {part.kind} does not take")
        named = {k: v for k, v in named.items() if v is not None}
        inner = {k: self._said(v, where) if (text := constant(v)) is None else self._constant(text, f"{part.name}_{k}", args) for k, v in named.items()}
        first = takes[0]
        if cls is not None and any(m is not None for m in implied):
            uses = "mask" in takes or cls.category == "attention"
            given = any(kwargs.get(k) is not None for k in MASKS)
            several = cls.category == "recurrent" and any(list(tensors(v)) for v in kwargs.values())
            passed_by = uses and not given and several  # Keras looks for the mask of a call's only tensor
            if cls.supports_masking and "mask" in takes and passed_by:
                inner["mask"] = False
            elif not cls.supports_masking or passed_by:
                inner[first] = self._unmasked(inner[first])
        return (inner[first] if len(inner) == 1 else inner), flags

    def _all_given(self, where: str, given: Mapping[str, Any], keys: Sequence[str]) -> None:
        lacking = [k for k in keys if k not in given]
        if lacking:
            self.reader.refuse(where, f"is called with {', '.join(map(shown, given))}, and takes {shown(lacking[0])} too")

    def _attention_mask(self, part: Part, call: Call, args: Sequence[Any], kwargs: dict[str, Any]) -> None:
        """Makes one mask of all those that an attention is given; Keras looks at the query's own in place of one that is given for it."""
        implied = [self.masks.get(t) for t in tensors(args)]
        kwargs.pop("query_mask", None) if part.kind == "MultiHeadAttention" and not call.older else None
        given = {k: v for k in ("value_mask", "key_mask") if isinstance(v := kwargs.get(k), Tensor) and not self._implied(v, implied)}
        if not given:
            return
        whole = kwargs.get("attention_mask")
        taken = [*given.values(), *([whole] if isinstance(whole, Tensor) else [])]
        if whole is not None and not isinstance(whole, Tensor):
            return
        names = ["x"] if len(taken) == 1 else [f"x[{i}]" for i in range(len(taken))]
        parts = [f"expand_dims({n}, -2)" if i < len(given) else n for i, n in enumerate(names)]
        text = parts[0]
        for other in parts[1:]:
            text = f"logical_and({text}, {other})"
        name, sources = unique(f"{part.name}_mask", self.taken), [self.name(t) for t in taken]
        self.items.append({"Lambda": {"function": text, "mask": "none"}, "name": name, "from": sources if len(sources) > 1 else sources[0]})
        self.last = name
        mask = Tensor(name, 0, 0)
        self.names[mask] = name
        for key in given:
            kwargs.pop(key)
        kwargs["attention_mask"] = mask

    def _constant(self, text: str, name: str, beside: Sequence[Any]) -> str:
        """An array that a call is given: an expression of its own, which takes what the call takes and looks at none of it."""
        name = unique(name, self.taken)
        self.items.append({"Lambda": text, "name": name, "from": self.name(next(tensors(beside)))})
        self.last = name
        return name

    def _unmasked(self, source: Any) -> Any:
        """The same tensor without its mask: Keras drops it at a layer that takes none, and at some that do."""
        if isinstance(source, list):
            return [self._unmasked(s) for s in source]
        name = unique(f"{source}_unmasked", self.taken)
        item: dict[str, Any] = {"Lambda": {"function": "x", "mask": "none"}, "name": name}
        self.items.append(item if source == self.last else {**item, "from": source})
        self.last = name
        return name

    def _said(self, value: Any, where: str) -> Any:
        if isinstance(value, Tensor):
            return self.name(value)
        if isinstance(value, (list, tuple)):
            said = [self._said(v, where) for v in value]
            return said[0] if len(said) == 1 else said
        if isinstance(value, bool):
            return value
        self.reader.refuse(where, f"is called with {shown(value)}, expected tensors")
        return None

    def _implied(self, value: Any, implied: Sequence[Any]) -> bool:
        """Whether masks given at the call are those that come with the tensors anyway."""
        given = list(tensors(value))
        if not given:
            return value is None or isinstance(value, (list, tuple))
        return all(any(m is ANY or m == self.formulas.get(t, t) for m in implied if m is not None) for t in given)

    def _mask_results(self, part: Part, cls: type[Layer] | None, call: Call, results: Sequence[Tensor]) -> None:
        taken = list(tensors(call.args)) or list(tensors(call.kwargs))
        if cls is not None and cls.category == "attention":  # the result has the query's mask
            taken = taken[:1] if call.args else list(tensors(call.kwargs.get("query")))
        masks = [self.masks.get(t) for t in taken]
        present = [m for m in masks if m is not None]
        config = part.config
        out: Any = None
        if part.kind == "Embedding":
            out = ("NotEqual", ((), (taken[0], 0)), ()) if config.get("mask_zero") else None
        elif part.kind == "Masking":
            out = ANY
        elif part.definition is not None:
            out = ANY if makes_masks(part.config) or present else None
        elif cls is None or not present or not cls.supports_masking or cls.compute_mask is no_mask or _takes_away(cls, masks):
            out = None
        elif hasattr(cls, "the_cell") or part.kind == "Bidirectional":
            inner = config.get("layer", {}).get("config", {}) if part.kind == "Bidirectional" else config
            out = present[0] if inner.get("return_sequences") else None
        elif cls.compute_mask is Layer.compute_mask and len(taken) == 1:
            out = present[0]
        else:
            out = ANY
        if out is not None:
            for t in results if out is ANY else results[:1]:
                self.masks[t] = out


def makes_masks(config: Any) -> bool:
    """Whether a layer of a model makes masks."""
    text = str(config)
    return "mask_zero': True" in text or "'Masking'" in text


def _takes_away(cls: type[Layer], masks: Sequence[Any]) -> bool:
    """Whether an operand without a mask leaves the result of a merge without one."""
    return cls.category == "merging" and cls.__name__ != "Concatenate" and None in masks


def _placed(cls: type[Layer] | None, takes: Sequence[str], call: Call) -> tuple[list[Any], dict[str, Any]]:
    """(the arguments that go by their place here, those that go by name)."""
    order = ORDERS.get(cls.__name__, takes) if cls is not None else takes
    here = next((i for i, name in enumerate(order) if i >= len(takes) or takes[i] != name), len(order))
    return call.args[:here] + call.args[len(order) :], {**dict(zip(order[here:], call.args[here:], strict=False)), **call.kwargs}


def _first(item: Mapping[str, Any]) -> Any:
    name = item.get("name")
    return name[0] if isinstance(name, list) else name


def _brief(cls: type[Layer] | None, arguments: dict[str, Any]) -> Any:
    """A layer's arguments; its first one alone where there is no other."""
    if not arguments:
        return None
    if cls is not None and len(arguments) == 1 and next(iter(arguments)) == cls.first_argument():
        value = next(iter(arguments.values()))
        if isinstance(value, (int, float, str)):
            return value
    return arguments


def _formula(kind: str, config: Mapping[str, Any], call: Call, known: Mapping[Tensor, Any]) -> Any:
    """What an op computes, for telling whether two compute the same."""

    def said(value: Any) -> Any:
        if isinstance(value, Tensor):
            return known.get(value, value)
        if isinstance(value, (list, tuple)):
            return tuple(said(v) for v in value)
        if isinstance(value, Mapping):
            return tuple(sorted((k, said(v)) for k, v in value.items()))
        return value if isinstance(value, (int, float, str, bool)) or value is None else str(value)

    more = tuple(sorted((k, str(v)) for k, v in config.items() if k != "name" and v is not None))
    return (kind, (more, tuple(said(a) for a in call.args)), tuple(sorted((k, said(v)) for k, v in call.kwargs.items())))
