"""A model's graph as the configuration of a Sequential or functional model of Keras's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from layerctl.diagnostics import Diagnostic
from layerctl.export import _keras_objects
from layerctl.export._keras_objects import NotInKeras, serialized
from layerctl.export._keras_ops import Emitter, Wordless
from layerctl.export.base import OTHER_TARGETS
from layerctl.graph.model import Model, Port, Step
from layerctl.layers.base import Layer, call_arguments, unique
from layerctl.layers.lambda_ import Lambda
from layerctl.modelfile.kerasorder import listed_as_keras_does
from layerctl.ops.value import DTYPES, Unknown
from layerctl.spec.items import Constant

History = tuple[str, int, int]


class Writer:
    """Writes models; layers that Keras does not have are in `refused`, by their names."""

    def __init__(self, masks: Mapping[str, int], batch: int | None = None):
        self.batch = batch
        """The rows of a batch, where layers keep their states from one to the next."""
        self.masks = masks
        """Which mask each of the outermost model's results carries."""
        self.refused: dict[str, Diagnostic] = {}

    def model(self, graph: Model, name: str, path: str = "") -> dict[str, Any]:
        """The serialised model. Lists of layers become Sequential."""
        self.text_inputs(graph)
        if not path and _linear(graph):
            return self._sequential(graph, name)
        return _Functional(self, graph, name, self.masks if not path else None).written()

    def text_inputs(self, graph: Model) -> None:
        """Refuses inputs of texts: what Keras does with them is TensorFlow's."""
        for name, port in graph.inputs.items():
            if port.dtype == "u8":
                text = f"the input '{name}' of texts has no form in Keras's file"
                self.refused.setdefault(name, Diagnostic("cannot-export", text, port.span, (), OTHER_TARGETS))

    def _sequential(self, graph: Model, name: str) -> dict[str, Any]:
        (label, port), *_ = graph.inputs.items()
        layers = [input_layer(label, port, self.batch)]
        for step in graph.steps:
            layers.append(self.layer(step, step.layer) or {})
        shape = [self.batch, *(port.shape or ())]
        config = {"name": name, "trainable": True, "layers": layers, "build_input_shape": shape}
        return {**serialized("", "Sequential", config, "keras"), "build_config": {"input_shape": shape}}

    def layer(self, step: Step, layer: Layer) -> dict[str, Any] | None:
        """A serialised layer; None if Keras has none such, which is noted."""
        try:
            out = self._with_models(layer, layer.path.rpartition("/")[2])
        except NotInKeras as error:
            self.refuse(step, layer.path, str(error))
            return None
        return out

    def _with_models(self, layer: Layer, name: str) -> dict[str, Any]:
        if isinstance(layer, Model):
            return self.model(layer, name, layer.path)
        inner = getattr(layer, "layer", None)
        if isinstance(inner, Model):
            config: dict[str, Any] = {"name": name, "layer": self.model(inner, inner.path.rpartition("/")[2], inner.path)}
            return serialized("layers", type(layer).__name__, config)
        return _keras_objects.layer(layer, name)

    def refuse(self, step: Step | None, path: str, why: str) -> None:
        """Notes a layer that cannot be written."""
        self.refused.setdefault(path, Diagnostic("cannot-export", f"'{path}' has no form in Keras: {why}", step.span if step else None, (), OTHER_TARGETS))


def input_layer(name: str, port: Port, batch: int | None) -> dict[str, Any]:
    """A model's input."""
    return serialized("layers", "InputLayer", {"batch_shape": [batch, *(port.shape or ())], "dtype": DTYPES[port.dtype], "name": name})


def _linear(graph: Model) -> bool:
    """Whether each layer takes the one before it, and no more."""
    if len(graph.inputs) != 1 or len(graph.outputs) != 1:
        return False
    last = next(iter(graph.inputs))
    seen: set[int] = set()
    for step in graph.steps:
        source = step.sources[0] if isinstance(step.sources, list) and len(step.sources) == 1 else step.sources
        single = not isinstance(step.layer, (Lambda, Model)) and not isinstance(getattr(step.layer, "layer", None), Model)
        if source != last or step.layer.takes_list or len(step.names) > 1 or id(step.layer) in seen or len(step.shapes) > 1 or not single:
            return False
        seen.add(id(step.layer))
        last = step.names[0]
    return last == graph.outputs[0]


class _Functional:
    def __init__(self, writer: Writer, graph: Model, name: str, masks: Mapping[str, int] | None):
        self.writer, self.graph, self.name, self.masks = writer, graph, name, masks
        self.made_masks: dict[int, dict[str, Any]] = {}
        self.layers: dict[str, dict[str, Any]] = {}
        self.tensors: dict[str, History] = {}
        self.taken = {*graph.inputs, *(n for s in graph.steps for n in s.names)}

    def written(self) -> dict[str, Any]:
        for name, port in self.graph.inputs.items():
            seen = self.graph.called_with.get(name)
            if seen is not None and port.shape is None:
                port = Port(tuple(None if isinstance(d, Unknown) else int(d) for d in seen.shape[1:]), seen.dtype)
            self.layers[name] = {**input_layer(name, port, self.writer.batch), "name": name, "inbound_nodes": []}
            self.tensors[name] = (name, 0, 0)
        for step in self.graph.steps:
            self._step(step)
        inputs = [[n, 0, 0] for n in self.graph.inputs]
        outputs = [self._output(n) for n in self.graph.outputs]
        order = listed_as_keras_does(self.layers, [self.tensors[n][:2] for n in self.graph.outputs])
        config = {
            "name": self.name, "trainable": self.graph.trainable, "layers": [self.layers[n] for n in order],
            "input_layers": inputs if len(inputs) > 1 else inputs[0], "output_layers": outputs if len(outputs) > 1 else outputs[0],
        }  # fmt: skip
        return serialized("", "Functional", config, "keras.src.models.functional") | {"registered_name": "Functional"}

    def _output(self, name: str) -> list[Any]:
        """An output; Keras counts the calls of functional models from 1 here."""
        layer, call, index = self.tensors[name]
        return [layer, call + (self.layers.get(layer, {}).get("class_name") == "Functional"), index]

    def _step(self, step: Step) -> None:
        layer = step.layer
        if isinstance(layer, Lambda):
            self._lambda(step, layer)
            return
        name = layer.path.rpartition("/")[2]
        entry = self.layers.get(name)
        if entry is None:
            made = self.writer.layer(step, layer)
            entry = self.layers[name] = {**(made or {}), "name": name, "inbound_nodes": []}
        number = len(entry["inbound_nodes"])
        entry["inbound_nodes"].append(self._call_of_attention(step, layer) if name_of(layer) == "MultiHeadAttention" else self._call(step, layer))
        for i, n in enumerate(step.names):
            self.tensors[n] = (name, number, i)
        if isinstance(step.sources, str):
            self._made_mask(step, step.sources)
        elif type(layer).__name__ == "Concatenate" and self._reorders(step.names[0]):
            self.writer.refuse(step, layer.path, "its mask is made of what it joins, which changes the order in which Keras reads the weights of a file")

    def _call_of_attention(self, step: Step, layer: Layer) -> dict[str, Any]:
        """Keras takes the masks off the tensors that it gives to this layer: where others see them it is given copies."""
        given = {n: self.tensors[n] for n in _sources(step) if n in self.tensors}
        for name in given:
            if self.writer.masks and (self.masks is None or self.masks.get(name) is not None) and not self._is_only_for(step, name):
                self.tensors[name] = self._copied_with_mask(name)
        call = self._call(step, layer)
        self.tensors |= given
        return call

    def _is_only_for(self, step: Step, name: str) -> bool:
        """Whether nothing else takes a tensor, under whatever name: a layer that changes nothing in prediction gives what it is given."""
        maker = next((s for s in self.graph.steps if name in s.names), None)
        new = maker is not None and any(w in name_of(maker.layer) for w in ("Embedding", "Normalization", "Dense", "Masking"))
        return new and all(s is step for s in self.graph.steps if name in _sources(s)) and name not in self.graph.outputs

    def _copied_with_mask(self, name: str) -> History:
        """A slope of 1 is a layer of Keras's that gives another tensor with the same elements and mask."""
        copy = unique(f"{name}_copy", self.taken)
        entry = serialized("layers", "LeakyReLU", {"name": copy, "negative_slope": 1.0})
        self.layers[copy] = {**entry, "name": copy, "inbound_nodes": [{"args": [self._tensor(name)], "kwargs": {}}]}
        return copy, 0, 0

    def _call(self, step: Step, layer: Layer) -> dict[str, Any]:
        kwargs: dict[str, Any] = {n: True for n in layer.call_fields if getattr(layer, n) is True}
        if isinstance(step.sources, dict):
            (_, first), *rest = step.sources.items()
            args = [self._said(first)]
            positional = list(call_arguments(type(layer)))[1:]
            for key, refs in rest:
                said = self._said(refs)
                if layer.category == "attention" and key in ("value", "key") and positional and key == positional[0] and not kwargs.get(key):
                    args.append(said)
                    positional.pop(0)
                else:
                    kwargs[key] = [said] if key == "initial_state" and not isinstance(said, list) else said
            if kwargs.get("mask") is False:
                kwargs["mask"] = None
                if len(rest) == 1:  # a call with several tensors is given no mask there either; one with a single tensor is
                    args = [self._copied(a, step.names[0]) for a in args]
            elif "mask" in call_arguments(type(layer)) and "mask" not in kwargs and rest and layer.category == "recurrent":
                self._add_mask(step, first, kwargs)
            return {"args": args, "kwargs": kwargs}
        several = isinstance(step.sources, list) and not layer.takes_list and not isinstance(layer, Model)
        said = self._said(step.sources)
        if layer.category == "attention" and not layer.takes_list and not isinstance(said, list):
            said, several = [said, said], True
        return {"args": said if several else [said], "kwargs": kwargs}

    def _copied(self, said: Any, stem: str) -> Any:
        """Tensors without their masks."""
        if isinstance(said, list):
            return [self._copied(s, stem) for s in said]
        return self._op("keras.src.ops.numpy", "Copy", {}, [said], stem)

    def _add_mask(self, step: Step, source: str, kwargs: dict[str, Any]) -> None:
        """Keras gives a call with several tensors no mask by itself: it is said."""
        if self.masks is None:
            if self.writer.masks:
                self.writer.refuse(step, step.layer.path, "the mask of a call with an initial state, inside of a nested model")
            return
        mask = self.masks.get(source)
        if mask is not None and mask not in self.made_masks:
            self.writer.refuse(step, step.layer.path, f"the mask that '{source}' carries, in a call with an initial state")
        elif mask is not None:
            kwargs["mask"] = self.made_masks[mask]

    def _reorders(self, result: str) -> bool:
        """Whether a result's mask is used, in a model where layers of one class may take each other's weights."""
        masks = self.masks or {}
        kinds = [type(layer).__name__ for layer in self.graph.layers() if layer.weights()]
        takers = (s for s in self.graph.steps if "mask" in call_arguments(type(s.layer)) and any(masks.get(n) == masks.get(result) for n in _sources(s)))
        return masks.get(result) is not None and len(kinds) > len(set(kinds)) and any(takers)

    def _made_mask(self, step: Step, source: str) -> None:
        """The mask that an Embedding or a Masking makes, as an op for those that have to be told."""
        mask = (self.masks or {}).get(step.names[0])
        kind = type(step.layer).__name__
        if mask is None or mask in self.made_masks or kind not in ("Embedding", "Masking"):
            return
        out = self._op("keras.src.ops.numpy", "NotEqual", {}, [self._tensor(source), getattr(step.layer, "mask_value", 0)], f"{step.names[0]}_mask")
        if kind == "Masking":
            out = self._op("keras.src.ops.numpy", "Any", {"axis": -1, "keepdims": False}, [out], f"{step.names[0]}_mask")
        self.made_masks[mask] = out

    def _op(self, module: str, kind: str, config: dict[str, Any], args: list[Any], stem: str) -> dict[str, Any]:
        name = unique(f"{stem}_{kind.lower()}", self.taken)
        self.layers[name] = {
            "module": module, "class_name": kind, "config": {"name": name, **config}, "registered_name": kind, "name": name,
            "inbound_nodes": [{"args": args, "kwargs": {}}],
        }  # fmt: skip
        return tensor((name, 0, 0))

    def _said(self, refs: Any) -> Any:
        if isinstance(refs, Constant):
            return refs.value
        return [self._tensor(r) for r in refs] if isinstance(refs, list) else self._tensor(refs)

    def _tensor(self, name: str) -> dict[str, Any]:
        return tensor(self.tensors[name])

    def _lambda(self, step: Step, layer: Lambda) -> None:
        names = step.sources if isinstance(step.sources, (str, list)) else list(step.sources.values())
        given = self._said(names)
        first = (layer._tree.arguments or ("x",))[0]
        last: list[str] = []

        def emit(module: str, kind: str, config: dict[str, Any], args: list[Any]) -> dict[str, Any]:
            out = self._op(module, kind, config, args, step.names[0])
            last.append(out["config"]["keras_history"][0])
            return out

        try:
            Emitter(emit, {first: given}, layer.arguments or {}).run(layer._tree)
        except Wordless as error:
            self.writer.refuse(step, layer.path, f"the expression {layer.function!r}: {error}")
            self.tensors[step.names[0]] = (step.names[0], 0, 0)
            return
        self._rename(last[-1], step.names[0])
        self.tensors[step.names[0]] = (step.names[0], 0, 0)

    def _rename(self, old: str, new: str) -> None:
        """The last op of an expression goes by the layer's name."""
        entry = self.layers.pop(old)
        self.layers[new] = {**entry, "config": {**entry["config"], "name": new}, "name": new}


def tensor(history: History) -> dict[str, Any]:
    """A tensor of a call's arguments. Its shape is found again when the layers are called."""
    return {"class_name": "__keras_tensor__", "config": {"shape": [], "dtype": "float32", "keras_history": list(history)}}


def layers_of(config: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
    """The layers of a serialised model that are saved: ops have no state."""
    return [c for c in config["config"]["layers"] if not str(c.get("module")).startswith("keras.src.ops")]


def name_of(layer: Layer) -> str:
    """The class of a layer."""
    return type(layer).__name__


def _sources(step: Step) -> list[str]:
    """The names of all that a step takes."""
    given = step.sources.values() if isinstance(step.sources, Mapping) else [step.sources]
    flat = [n for v in given for n in (v if isinstance(v, (list, tuple)) else [v])]
    return [n for n in flat if isinstance(n, str)]
