"""layerctl's configured objects as Keras serialises them."""

from __future__ import annotations

from typing import Any

from layerctl.catalogue import snake_case
from layerctl.configured import Configured, plain
from layerctl.importing.objects import LAYERS_AS_ACTIVATIONS
from layerctl.layers.base import Layer

_WANTED = {"Rescaling": ("offset",), "Constant": ("value",)}
"""Arguments that Keras does not do without when it reads a file, though they have defaults."""


class NotInKeras(ValueError):
    """Something that Keras has no word for."""


def serialized(kind: str, name: str, config: dict[str, Any], module: str | None = None) -> dict[str, Any]:
    """An object by its class's name."""
    return {"module": module or f"keras.{kind}", "class_name": name, "config": config, "registered_name": None}


def value(given: Any) -> Any:
    """A field's value in Keras's JSON.

    Raises:
        NotInKeras: for what Keras does not have.
    """
    if isinstance(given, Layer):
        return layer(given, given.name or snake_case(type(given).__name__))
    if isinstance(given, Configured):
        return _object(given)
    if isinstance(given, (list, tuple)):
        return [value(v) for v in given]
    if isinstance(given, dict):
        return {k: value(v) for k, v in given.items()}
    return given


def _object(given: Configured) -> Any:
    name = type(given).__name__
    _own(type(given), name)
    if given.kind == "activations":
        if given.get_config():
            return _as_layer(given)
        return snake_case(name)
    return serialized(given.kind, name, {k: value(getattr(given, k)) for k in {**given.get_config(), **dict.fromkeys(_WANTED.get(name, ()))}})


def _as_layer(given: Configured) -> dict[str, Any]:
    """An activation with arguments, which Keras takes as a layer."""
    kind = next((k for k, v in LAYERS_AS_ACTIVATIONS.items() if v == snake_case(type(given).__name__)), None)
    if kind is None:
        raise NotInKeras(f"the activation {plain(given)} has arguments, which Keras's activations by name do not")
    return serialized("layers", kind, given.get_config())


def _own(cls: type, name: str) -> None:
    if not cls.__module__.startswith("layerctl.") or name.startswith("_"):
        raise NotInKeras(f"{name} is none of Keras's")


def layer(given: Layer, name: str) -> dict[str, Any]:
    """A layer with the arguments that differ from their defaults.

    Raises:
        NotInKeras: for a layer that Keras does not have.
    """
    kind = getattr(given, "kind_name", type(given).__name__)
    _own(type(given), kind)
    if kind != type(given).__name__ or kind in ("Lambda", "Model"):
        raise NotInKeras(f"{kind} is defined in the file, and not a layer of Keras's")
    if "vocabulary" in type(given).model_fields and getattr(given, "vocabulary", None) is None:
        raise NotInKeras(f"the vocabulary that {kind} made of the training rows is no argument of it")
    config: dict[str, Any] = {"name": name}
    for key, field in type(given).model_fields.items():
        own = getattr(given, key)
        default = field.get_default(call_default_factory=True)
        wanted = field.is_required() or own != default or key in _WANTED.get(kind, ())
        if key != "name" and key not in given.call_fields and wanted:
            config[key] = value(own)
    if kind == "Bidirectional":
        config = _halves(given, config)
    return serialized("layers", kind, config)


def _halves(given: Any, config: dict[str, Any]) -> dict[str, Any]:
    """Both directions written out: Keras restores what it finds, and makes a copy of what it does not."""
    out = dict(config)
    for key, own, prefix in (("layer", given.layer, "forward_"), ("backward_layer", given._back, "backward_")):
        out[key] = layer(own, prefix + (given.layer.name or snake_case(type(given.layer).__name__)))
    return out
