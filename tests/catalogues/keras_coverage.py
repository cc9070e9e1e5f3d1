"""docs/keras-coverage.md: Keras's names, arguments and defaults (keras_api.json) beside layerctl's. `python tests/catalogues/keras_coverage.py` writes it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from layerctl.catalogue import catalogue, snake_case
from layerctl.configured import plain

HERE = Path(__file__).parent
PAGE = HERE.parents[1] / "docs" / "keras-coverage.md"

BASE = "a base class for Python code; classes of installed packages may add entries here"
FOREIGN = "runs another framework's code"
HALF = "only half precision needs it; layerctl computes in float32 and float64"
IMAGE = "an operation on images that layerctl does not have"
WHY_NAMES = {
    **dict.fromkeys(("Layer", "Wrapper", "Loss", "Metric", "Optimizer", "Callback", "Constraint", "Initializer", "Regularizer"), BASE),
    "LearningRateSchedule": BASE, "InputSpec": "describes what Python code of a layer accepts; here a layer's shape rule says so",
    "Pipeline": "a list of layers; a block under `define` is one", "CallbackList": "what Keras's fit keeps callbacks in",
    **dict.fromkeys(("FlaxLayer", "JaxLayer", "TorchModuleWrapper", "TFSMLayer"), FOREIGN),
    **dict.fromkeys((
        "AugMix", "RandAugment", "CutMix", "MixUp", "AutoContrast", "Equalization", "ContrastLimitedAdaptiveHistogramEqualization",
        "RandomElasticTransform", "RandomPerspective", "RandomPosterization", "RandomColorDegeneration", "RandomColorJitter", "RandomHue",
        "RandomSaturation", "RandomSharpness", "Solarization"), IMAGE),
    "MaxNumBoundingBoxes": "bounding boxes are no data of a file", "LossScaleOptimizer": HALF,
    "MultiOptimizer": "one optimizer for each part of a model; `learning_rate_multipliers` sets the parts' rates",
    "OptimizerMap": "one optimizer for each part of a model; `learning_rate_multipliers` sets the parts' rates",
    "OrbaxCheckpoint": "writes another library's format; ModelCheckpoint writes safetensors", "RemoteMonitor": "sends the history to a server",
}  # fmt: skip
"""Why layerctl lacks a name."""

WHY_ARGUMENTS = {
    "lora_rank": "adapters of low rank are fine-tuning of models in memory", "lora_alpha": "as lora_rank", "quantization_config": "weights are not quantized",
    "gptq_unpacked_column_size": "weights are not quantized", "input_tensor": "wraps a tensor of Python code", "sparse": "tensors are dense",
    "ragged": "tensors are rectangular", "optional": "every input has data", "weights": "`fit.weights` says where weights come from",
    "args": "Python's `*args`, which Keras ignores",
}  # fmt: skip
"""Why layerctl lacks an argument."""

NAMED = "name"
"""The argument that is not compared: null stands for the class's name, which Keras writes out."""


def canonical(value: Any) -> Any:
    """A default in the form in which two that mean the same are equal: `[1, 1]` as 1, `Zeros` as `zeros`."""
    if isinstance(value, list) and value and all(canonical(v) == canonical(value[0]) for v in value):
        return canonical(value[0])
    if isinstance(value, list):
        return [canonical(v) for v in value]
    return snake_case(value) if isinstance(value, str) else value


def defaults(cls: Any) -> dict[str, Any]:
    """A class's arguments with their defaults."""
    return {n: "required" if f.is_required() else plain(f.get_default(call_default_factory=True)) for n, f in cls.model_fields.items()}


def differences(theirs: dict[str, Any], ours: dict[str, Any]) -> tuple[list[str], list[str]]:
    """(what is missing or different, the arguments that layerctl has beside Keras's)."""
    found = []
    for name, value in theirs.items():
        if name == NAMED:
            continue
        if name not in ours:
            found.append(f"no `{name}`" + (f" ({WHY_ARGUMENTS[name]})" if name in WHY_ARGUMENTS else ""))
        elif canonical(ours[name]) != canonical(value):
            found.append(f"`{name}` is {shown(ours[name])}, in Keras {shown(value)}")
    shared = (NAMED, "trainable", "dtype")
    return found, [n for n in ours if n not in theirs and n not in shared]


def shown(value: Any) -> str:
    """A default as a file would write it."""
    return value if value == "required" else f"`{json.dumps(value)}`"


def row(kind: str, name: str, theirs: dict[str, Any] | None) -> str:
    """A line of a kind's table."""
    known = catalogue(kind)
    cls = known.get(name)
    if cls is None:
        return f"| {name} | – | {WHY_NAMES.get(name, 'not there')} |"
    if theirs is None:
        return f"| {name} | {cls.__name__} | |"
    wrong, more = differences(theirs, defaults(cls))
    told = "; ".join(wrong) + (f"{'; ' if wrong else ''}also `{'`, `'.join(more)}`" if more else "")
    return f"| {name} | {cls.__name__} | {told} |".replace("  ", " ")


def page(api: dict[str, Any]) -> str:
    """The whole page."""
    kinds = {kind: names for kind, names in api.items() if kind != "version"}
    lines = [
        "# Keras's names in layerctl", "",
        f"Every public name of Keras {api['version']} by kind, what answers to it in a file, and where arguments or defaults differ. An empty last",
        "column: all arguments are there with Keras's defaults. `name` is null here where Keras writes out the class's name.", "",
        "| kind | names in Keras | in layerctl |", "|---|---|---|",
    ]  # fmt: skip
    for kind, names in kinds.items():
        lines.append(f"| [{kind}](#{kind}) | {len(names)} | {sum(catalogue(kind).get(n) is not None for n in names)} |")
    for kind, names in kinds.items():
        lines += ["", f"## {kind}", "", "| Keras | layerctl | differences |", "|---|---|---|"]
        lines += [row(kind, n, names[n] if isinstance(names, dict) else None) for n in names]
        beyond = [n for n in catalogue(kind) if not _names(kind, n) & set(names)]
        if beyond:
            lines += ["", f"Here alone: {', '.join(beyond)}."]
    return "\n".join(lines) + "\n"


def _names(kind: str, name: str) -> set[str]:
    return {said for said, cls in catalogue(kind).names.items() if cls == name}


def api() -> dict[str, Any]:
    """Keras's names: {kind: {name: {argument: default}}}, activations as a list of names."""
    return json.loads((HERE / "keras_api.json").read_text(encoding="utf-8"))


if __name__ == "__main__":
    PAGE.write_text(page(api()), encoding="utf-8")
    print(PAGE)
