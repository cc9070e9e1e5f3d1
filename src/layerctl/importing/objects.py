"""Keras's serialised objects as what a YAML file says of them: names, and the arguments that differ from their defaults.

A class is looked up in layerctl's own catalogue by its name and nowhere else: what a file names as a module is compared, never imported.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from pydantic import ValidationError

from layerctl.catalogue import CAMEL, catalogue, snake_case
from layerctl.configured import Configured, plain, resolve, singular
from layerctl.diagnostics import Diagnostic, Problems, Span
from layerctl.layers.base import Layer, unique
from layerctl.modelfile import kerasweights
from layerctl.modelfile.strictjson import shown
from layerctl.spec.construct import reference_of
from layerctl.spec.foreign import name_here

COMMON = ("name", "trainable", "dtype", "layer", "cell", "cells", "backward_layer")
MEANINGLESS = {
    "quantization_config", "batch_input_shape", "input_shape", "batch_size", "implementation", "time_major", "ragged", "sparse", "optional", "weights",
    "lora_rank", "lora_alpha", "gptq_unpacked_column_size", "renorm_momentum", "ema_momentum", "ema_overwrite_frequency", "loss_scale_factor",
    "shared_object_id", "vocabulary_size", "input_length", "jit_compile", "is_legacy_optimizer", "build_input_shape", "iterations", "fn",
}  # fmt: skip
"""Arguments that change no result here, or that Keras writes beside the one that does."""
NEUTRAL: dict[str, tuple[Any, ...]] = {
    "use_ema": (False,), "rms_scaling": (False,), "renorm": (False,), "use_gate": (False,), "from_sorted_ids": (False,),
    "class_aggregation": ("uniform_average",),
    "decay": (0.0,), "initial_decay": (0.0,), "fused": (None, True, False), "reduction": ("sum_over_batch_size", "auto"), "centered": (False,),
    "synchronized": (False,), "data_format": ("channels_last",), "dtype": ("float32",), "ignore_class": (None,), "sliding_window": (None,),
    "ragged": (False,), "sparse": (False,), "seed_generator": (None,), "jit_compile": (True, False, None), "flash_attention": (None,),
    "oov_method": ("floormod", "farmhash"),
}  # fmt: skip
"""Arguments that layerctl does not have, with the values that mean that nothing is asked of them."""

CURE = "change it in the program that saved the model and save it again, or write the layers in a YAML file"
"""For what Keras's file has and layerctl does not take."""


class Reader:
    """Reads objects; what cannot be expressed goes to `problems`, each with the layer that it belongs to."""

    def __init__(self, problems: Problems, span: Span):
        self.problems, self.span = problems, span
        self.before_3 = False
        """Whether a version before Keras 3 saved the file: some names meant something else there."""
        self.warnings: list[Diagnostic] = []
        """What is imported otherwise than the file has it."""
        self.own: dict[str, dict[str, Any]] = {}
        """Definitions for classes of the program that saved the file, by the classes' names."""
        self._refused: dict[tuple[str, str], tuple[int, int]] = {}
        self.models: Any = None
        """Turns a nested model into the name of a definition; set by whoever reads models."""

    def refuse(self, where: str, what: str, hint: str | None = None) -> None:
        """Notes what cannot be imported."""
        hint, found = hint or CURE, self.problems.found
        at, others = self._refused.get((what, hint), (len(found), -1))
        if others < 0 or at >= len(found):
            at, others = len(found), -1
            self.problems.error("cannot-import", f"{where}: {what}", self.span, hint=hint)
        else:
            first = found[at].message.removesuffix(f": {what}").partition(" and ")[0]
            found[at] = replace(found[at], message=f"{first} and {others + 1} more: {what}")
        self._refused[what, hint] = (at, others + 1)

    def warn(self, what: str, hint: str | None = None) -> None:
        """Notes, once, what is imported otherwise than the file has it."""
        if all(d.message != what for d in self.warnings):
            self.warnings.append(Diagnostic("not-imported", what, self.span, hint=hint, severity="warning"))

    def named(self, kind: str, value: Any, where: str) -> Any:
        """An activation, initializer, loss, ... as YAML has it; None after a refusal."""
        opened = self.opened(value, where)
        if opened is None:
            return None
        name, config = opened
        if kind == "activations" and name == "Activation":
            return self.named(kind, config.get("activation"), where)
        if name == "LossScaleOptimizer":  # scales so that float16 has room for the gradients, and takes the scale off again
            return self.named(kind, config.get("inner_optimizer"), where)
        if kind == "activations" and name in LAYERS_AS_ACTIVATIONS:
            name, config = LAYERS_AS_ACTIVATIONS[name], {k: v for k, v in config.items() if k not in ("name", "trainable", "dtype")}
        cls = catalogue(kind).get(name)
        if cls is None:
            near, known = catalogue(kind).nearest(name), name_here(kind, name)
            cure = None if known is None else known[1] or known[0]
            nearest = f"; the nearest is '{near}'" if near and known is None else ""
            self.refuse(where, f"there is no {singular(kind)} {shown(name)} in layerctl{nearest}", cure)
            return None
        config = _renewed(kind, name, config, self.before_3)
        missing = _UNWRITTEN.get(name) if kind in ("losses", "metrics") and "name" in config else None
        if missing is not None and missing not in config:
            self.warn(f"{where}: the file does not say the '{missing}' of {name}, which Keras leaves out: it is {cls.model_fields[missing].get_default()}, "
                      "as when Keras reads the file", f"say it under `compile` if it was another: `{snake_case(name)}: {{{missing}: …}}`")  # fmt: skip
        arguments = self.arguments(cls, config, where)
        label = cls.__name__ if kind in CAMEL else snake_case(cls.__name__)
        return {label: arguments} if arguments else label

    def opened(self, value: Any, where: str) -> tuple[str, dict[str, Any]] | None:
        """(class or function name, its config) of a serialised object; None after a refusal."""
        if isinstance(value, str):
            return value, {}
        if not isinstance(value, Mapping) or not isinstance(value.get("class_name"), str):
            self.refuse(where, f"{shown(value)} is no object that Keras saves")
            return None
        name, config, module = value["class_name"], value.get("config"), value.get("module")
        if name == "__lambda__" or (name == "function" and isinstance(config, Mapping) and "code" in config):
            self.refuse(where, "holds a Python function as bytecode, which is never run", _LAMBDA)
            return None
        registered = value.get("registered_name")
        if name == "function" and isinstance(config, str):
            self.refuse(where, f"uses the Python function {shown(config)}, which the file does not hold", _LAMBDA)
            return None
        own = module is None or module == "keras" or (isinstance(module, str) and module.startswith(("keras.", "tensorflow.keras.", "tf_keras.")))
        if not own or ">" in name or (isinstance(registered, str) and registered not in (name, f"keras>{name}", "keras." + name)):
            bare = name.rpartition(">")[2]
            if bare in self.own:
                return bare, dict(config) if isinstance(config, Mapping) else {}
            origin = f"{module}.{name}" if isinstance(module, str) and not own else registered or name
            self.refuse(where, f"{shown(origin)} is a class of the program that saved the file, which the file does not hold", _define(bare, config))
            return None
        if config is None:
            return name, {}
        if not isinstance(config, Mapping):
            self.refuse(where, f"the config of {shown(name)} is {shown(config)}, expected a mapping")
            return None
        return _OF_APPLICATIONS[name](dict(config)) if name in _OF_APPLICATIONS else (name, dict(config))

    def arguments(self, cls: type[Configured], config: Mapping[str, Any], where: str) -> dict[str, Any]:
        """The arguments that differ from their defaults, checked by the class itself."""
        out: dict[str, Any] = {}
        for key, value in config.items():
            if key in ("name", "trainable", "dtype") and issubclass(cls, Layer):
                continue
            if key not in cls.model_fields:
                self._unknown(cls, key, value, where)
                continue
            if key == "name":
                continue
            made = self._value(cls, key, value, f"{where}, {key}")
            if not _same(cls, key, made):
                out[key] = made[0] if key in _SIZES and isinstance(made, list) and len(set(map(str, made))) == 1 and type(made[0]) is int else made
        self._check(cls, out, where)
        return out

    def _unknown(self, cls: type[Configured], key: str, value: Any, where: str) -> None:
        neutral = value is None or key in MEANINGLESS or key == "name" or value in NEUTRAL.get(key, ())
        if not neutral and not (key == "renorm_clipping" and not value):
            self.refuse(where, f"{cls.__name__} has no argument '{key}' in layerctl (it is {shown(value)})")

    def _value(self, cls: type[Configured], key: str, value: Any, where: str) -> Any:
        reference, _ = reference_of(cls, key)
        if isinstance(value, Mapping) and value.get("class_name") == "__numpy__":
            value = value.get("config", {}).get("value")
        if isinstance(value, Mapping) and value.get("class_name") == "__tuple__":
            value = list(value.get("config", value.get("items", [])))
        if reference is None or value is None:
            if isinstance(value, Mapping) and "class_name" in value:
                self.named_or_refused(value, where)
                return None
            return value
        if reference.kind == "layers":
            taken: set[str] = set()
            return [self.layer(v, where, taken) for v in value] if isinstance(value, list) else self.layer(value, where, taken)
        if isinstance(value, (int, float)) and not isinstance(value, bool):
            return _short(value) if reference.or_number else value
        return [self.named(reference.kind, v, where) for v in value] if isinstance(value, list) else self.named(reference.kind, value, where)

    def named_or_refused(self, value: Any, where: str) -> None:
        """An object where layerctl has a plain value: said, whatever it is."""
        opened = self.opened(value, where)
        if opened is not None:
            self.refuse(where, f"{shown(opened[0])} is an object, expected a plain value")

    def layer(self, value: Any, where: str, taken: set[str]) -> Any:
        """A layer inside of another, with its name where that is not the one it would get anyway."""
        opened = self.opened(value, where)
        if opened is None:
            return None
        kind, config = opened
        name = config.get("name")
        if kind in ("Sequential", "Functional", "Model"):
            made: Any = {self.models(value, where): {"name": name} if isinstance(name, str) else None}
            return next(iter(made)) if made[next(iter(made))] is None else made
        cls = self.layer_class(kind, where)
        if cls is None:
            return None
        arguments = self.layer_arguments(cls, config, f"{where}, {kind}")
        default = unique(snake_case(kind), taken)
        if isinstance(name, str) and name != default:
            arguments = {"name": name, **arguments}
        if config.get("trainable") is False:
            arguments["trainable"] = False
        return {kind: arguments} if arguments else kind

    def layer_class(self, kind: str, where: str) -> type[Layer] | None:
        """layerctl's class of a layer; None after a refusal."""
        cls = catalogue("layers").get(_CLASSES.get(kind, kind))
        if cls is None:
            near = catalogue("layers").nearest(kind)
            self.refuse(where, f"there is no layer {shown(kind)} in layerctl" + (f"; the nearest is '{near}'" if near else ""))
        return cls

    def layer_arguments(self, cls: type[Layer], config: Mapping[str, Any], where: str) -> dict[str, Any]:
        """A layer's arguments, its dtype included."""
        kind = cls.__name__
        config = _renewed("layers", kind, config, self.before_3)
        if kind == "Lambda":
            self._lambda(config, where)
            return {}
        if kind == "Bidirectional":
            _halves(config)
        if kind == "GRU" and self.before_3:
            config.setdefault("reset_after", False)
        if kind == "BatchNormalization" and isinstance(config.get("axis"), list) and len(config["axis"]) == 1:
            config["axis"] = config["axis"][0]
        if "vocabulary" in cls.model_fields and config.get("vocabulary") is None:
            self.refuse(where, f"{kind} has a vocabulary that was made of data, which is not in the file's configuration",
                        "give the layer its vocabulary as an argument before saving")  # fmt: skip
        if config.get("lora_rank"):
            self.warn("the file's LoRA is in the kernels: training changes them whole here, and their LoRA's parts alone in Keras")
        if kind == "RandomShear":
            config |= {k: v[1] for k in ("x_factor", "y_factor") if isinstance(v := config.get(k), list) and len(v) == 2 and v[0] == -v[1]}
        out = self.arguments(cls, config, where)
        dtype = self.dtype(config.get("dtype"), where)
        return {**out, "dtype": dtype} if dtype not in (None, "float32") else out

    def _lambda(self, config: Mapping[str, Any], where: str) -> None:
        function = config.get("function")
        name = function.get("config") if isinstance(function, Mapping) and isinstance(function.get("config"), str) else None
        what = f"uses the Python function {shown(name)}, which the file does not hold" if name else "holds a Python function as bytecode, which is never run"
        self.refuse(where, f"Lambda {what}", _LAMBDA)

    def dtype(self, value: Any, where: str) -> str | None:
        """A dtype or policy's name; float32 where the file has none."""
        if isinstance(value, Mapping):
            config = value.get("config")
            if isinstance(config, Mapping) and config.get("mode") is not None and config.get("name") is None:
                self.refuse(where, f"is quantized ({shown(config['mode'])}), which rounds what the layer is given too", "save the model before `quantize()`")
                return None
            value = config.get("name") if isinstance(config, Mapping) else None
        if value is None or value == "float32":
            return "float32"
        if isinstance(value, str) and value.removeprefix("mixed_") in ("float16", "bfloat16"):
            what = f"layers of the dtype policy '{value}' are computed in float32, in which their weights are"
            if not value.startswith("mixed_"):
                what = f"what is of dtype '{value}' is computed in float32"
            self.warn(f"{what}: numbers differ from Keras's by what {value.removeprefix('mixed_')} rounds away")
            return "float32"
        if value in _WIDENED:
            self.warn(f"what is of dtype '{value}' is computed in {_WIDENED[value]}: the same numbers, except where sums and products would not fit")
            return _WIDENED[value]
        if value not in ("float64", "int32", "int64", "bool"):
            self.refuse(where, f"the dtype {shown(value)} is not computed with in layerctl", "build the model with float32 and copy its weights")
            return None
        return str(value)

    def _check(self, cls: type[Configured], arguments: Mapping[str, Any], where: str) -> None:
        """Lets the class look at the arguments as it would at a file's."""
        values = {k: v for k, v in arguments.items() if k not in ("layer", "cell", "cells", "backward_layer")}
        try:
            cls(**{k: _resolved(cls, k, v) for k, v in values.items()})
        except ValidationError as error:
            for e in error.errors(include_url=False):
                if e["type"] == "missing":
                    if str(e["loc"][0]) not in COMMON:
                        self.refuse(where, f"{cls.__name__} lacks '{e['loc'][0]}'")
                    continue
                at = ".".join(map(str, e["loc"][:1]))
                text = str((e.get("ctx") or {}).get("error", e["msg"]))
                self.refuse(where, f"{f'{at} is {shown(values.get(at))}: ' if at else ''}{text[:1].lower()}{text[1:]}")
        except (ValueError, TypeError) as error:
            self.refuse(where, str(error)[:200])


def _define(name: str, config: Any) -> str:
    """How to say what a class does that the file does not hold."""
    label = name if name.isidentifier() else "Name"
    plain = {k: v for k, v in config.items() if k not in (*COMMON, "autocast") and isinstance(v, (int, float, str))} if isinstance(config, Mapping) else {}
    args = f"args: {{{', '.join(f'{k}: {v}' for k, v in list(plain.items())[:6])}}}, " if plain else ""
    return (f"say what it computes in a file, `define: {{{label}: {{{args}call: …}}}}` (or `layers: [...]`), and give that: "
            "`layerctl import … --define FILE`; or replace it before saving")  # fmt: skip


def _layer_scale(config: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    """`x * gamma`, a number for each channel."""
    first = {"class_name": "Constant", "config": {"value": config.pop("init_values", 1.0)}}
    size = config.pop("projection_dim", None)
    return "EinsumDense", {**config, "equation": "...c,c->...c", "output_shape": [size], "kernel_initializer": first}


def _stochastic_depth(config: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    """An image's whole branch is dropped, or none of it."""
    rate = config.pop("drop_path_rate", 0.0)
    return "Dropout", {**config, "rate": rate, "noise_shape": [None, 1, 1, 1]}


_OF_APPLICATIONS = {"LayerScale": _layer_scale, "StochasticDepth": _stochastic_depth}
"""Layers of keras.applications' own, and what they are in Keras's words."""
_CLASSES = {c: n for n, c in kerasweights.CLASSES.items()}
LAYERS_AS_ACTIVATIONS = {"LeakyReLU": "leaky_relu", "ELU": "elu", "ReLU": "relu", "Softmax": "softmax"}
"""Layers that stand as another layer's activation, by the function that they are."""
_WIDENED = {"uint8": "int32", "int8": "int32", "uint16": "int32", "int16": "int32", "uint32": "int64"}
"""Dtypes that are not computed with here, and what has room for their numbers."""
_UNWRITTEN = {"Huber": "delta", "CosineSimilarity": "axis"}
"""Arguments of losses and metrics that Keras 3.15 leaves out of what it saves."""
_SIZES = ("kernel_size", "strides", "pool_size", "dilation_rate", "size")
"""Arguments of which one number stands for all dimensions."""
_LAMBDA = "write what it computes as an expression: `Lambda: \"tanh(x) * 2\"` in the YAML, or keras.ops in place of Lambda before saving"


def _renewed(kind: str, name: str, config: dict[str, Any], before_3: bool) -> dict[str, Any]:
    """The config of an object in the words of Keras 3."""
    config = dict(config)
    if name in ("leaky_relu", "LeakyReLU") and "alpha" in config:
        config["negative_slope"] = _short(config.pop("alpha"))
    if kind == "activations" and name == "hard_sigmoid" and before_3:
        config.setdefault("slope", 0.2)
    if kind == "optimizers":
        rate, decay = config.pop("lr", None), config.pop("decay", 0.0)
        if rate is not None:
            config.setdefault("learning_rate", rate)
        if decay and isinstance(config.get("learning_rate"), (int, float)):
            schedule = {"initial_learning_rate": _short(config["learning_rate"]), "decay_steps": 1, "decay_rate": decay}
            config["learning_rate"] = {"class_name": "InverseTimeDecay", "config": schedule}
    return config


def _resolved(cls: type[Configured], key: str, value: Any) -> Any:
    reference, _ = reference_of(cls, key)
    if reference is None:
        return value
    return [resolve(reference.kind, v) for v in value] if isinstance(value, list) else resolve(reference.kind, value)


def _same(cls: type[Configured], key: str, value: Any) -> bool:
    """Whether a value is the argument's default."""
    field = cls.model_fields[key]
    if field.is_required():
        return False
    default = field.get_default(call_default_factory=True)
    if value is None and default is None:
        return True
    if key == "data_format" and value == "channels_last":
        return True
    reference, _ = reference_of(cls, key)
    if reference is not None and reference.kind != "layers":
        if default is None and value == "linear":
            return True
        try:
            return bool(plain(_resolved(cls, key, value)) == plain(_resolved(cls, key, default)))
        except (ValueError, TypeError):
            return False
    if isinstance(value, list) and value and isinstance(default, (int, tuple)) and not isinstance(default, bool):
        return list(value) == ([default] * len(value) if isinstance(default, int) else list(default))
    return bool(value == default) and isinstance(value, bool) == isinstance(default, bool)


def _short(value: float) -> float:
    """A float32 number in as few digits as tell it from its neighbours: 0.0010000000474974513 is 0.001."""
    import numpy as np

    if not isinstance(value, float):
        return value
    short = float(str(np.float32(value)))
    return short if np.float32(short) == np.float32(value) and np.float64(np.float32(value)) == value else value


def _halves(config: dict[str, Any]) -> None:
    """Bidirectional's layers under the names they had before it wrapped them; the backward one only where it is no mirror of the other."""
    ahead, back = config.get("layer"), config.pop("backward_layer", None)
    if not isinstance(ahead, Mapping) or not isinstance(ahead.get("config"), Mapping):
        return
    ahead = {**ahead, "config": _wrapped(ahead["config"], "forward_")}
    config["layer"] = ahead
    if isinstance(back, Mapping) and isinstance(back.get("config"), Mapping):
        other = _wrapped(back["config"], "backward_")
        mirror = {**ahead["config"], "go_backwards": not ahead["config"].get("go_backwards", False)}
        if back.get("class_name") != ahead.get("class_name") or _bare({**other, "name": mirror.get("name")}) != _bare(mirror):
            config["backward_layer"] = {**back, "config": other}


def _wrapped(config: Mapping[str, Any], prefix: str) -> dict[str, Any]:
    name = config.get("name")
    out = {**config, **({"name": name.removeprefix(prefix)} if isinstance(name, str) else {})}
    if out.get("zero_output_for_mask") == out.get("return_sequences"):
        out.pop("zero_output_for_mask", None)
    return out


def _bare(value: Any) -> Any:
    """A config without what only tells objects apart."""
    if isinstance(value, Mapping):
        return {k: _bare(v) for k, v in value.items() if k not in ("shared_object_id", "build_config")}
    return [_bare(v) for v in value] if isinstance(value, list) else value
