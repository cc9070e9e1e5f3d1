"""The model file: everything that predicting needs, in one safetensors file and without code.

The weights are tensors under Keras's names; the rest is text in the metadata, as JSON where it has structure.
Nothing of time or place goes in, so that the same training gives the same bytes.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NoReturn

import numpy as np

from layerctl import __version__
from layerctl.diagnostics import Diagnostic, Source, Span, fail
from layerctl.modelfile import strictjson, tensors
from layerctl.modelfile.strictjson import shown

FORMAT = 1
DECISIONS = "layerctl.decisions"
LABELS = "labels"
GATHERED = "optimizer/"
TRAINING = "layerctl.training"  # a JSON list: tensors of a checkpoint that are not weights


@dataclass(frozen=True, eq=False)
class ModelFile:
    """What a model file holds.

    Attributes:
        yaml: the resolved YAML text, from which the model is built again.
        tensors: weights by Keras's names (`dense/kernel`), in their own dtypes.
        features: the fitted features (means, vocabularies, classes), plain data.
        data: the fingerprint of the data that the model was trained on.
        scores: metric → value, as evaluated when training ended.
        created_by: versions of what made the file, such as {"numpy": "2.4.6"}.
        layerctl_version: the version of layerctl that wrote the file.
        format: the version of this layout.
        decisions: output → {"threshold": …, …}: above which probability the second of two classes is predicted, and how that was chosen;
            of an output of labels → {"labels": {label: {"threshold": …, …}}}.
        gathered: what an optimizer has gathered, for training to go on with: `optimizer/WEIGHT/SLOT`, its steps and its rate.
    """

    yaml: str
    tensors: Mapping[str, np.ndarray]
    features: dict[str, Any] = field(default_factory=dict)
    data: str = ""
    scores: dict[str, float] = field(default_factory=dict)
    created_by: dict[str, str] = field(default_factory=dict)
    layerctl_version: str = __version__
    format: int = FORMAT
    decisions: dict[str, Any] = field(default_factory=dict)
    gathered: Mapping[str, np.ndarray] = field(default_factory=dict)

    @property
    def thresholds(self) -> dict[str, float | dict[str, float]]:
        """The kept thresholds by output; those of labels by their names."""
        return {
            output: {label: float(h["threshold"]) for label, h in how[LABELS].items()} if LABELS in how else float(how["threshold"])
            for output, how in self.decisions.items()
        }


def write_model(path: str | os.PathLike[str], model: ModelFile) -> Diagnostic | None:
    """Writes a model, all or nothing.

    Returns:
        None, or the warning `durability-unknown`.

    Raises:
        LayerctlError: `cannot-write`, `header-too-large`, `bad-tensor-name`.
        TypeError: features or scores that are not plain data.
    """
    hidden = {TRAINING: strictjson.dumps(sorted(model.gathered))} if model.gathered else {}
    return tensors.save(path, {**model.tensors, **model.gathered}, {**metadata_of(model), **hidden})


def read_model(path: str | os.PathLike[str]) -> ModelFile:
    """Reads a model file, or the model in a checkpoint.

    Raises:
        LayerctlError: what `tensors.load` raises; `newer-format`; `bad-metadata` for a field that is missing or not
            of its type; `not-a-model-file` for a safetensors file without a model.
    """
    path = os.fspath(path)
    arrays, metadata = tensors.load(path)
    model = model_from(path, arrays, metadata)
    if model is None:
        _refuse(path, "not-a-model-file", "has tensors, but no model (layerctl.yaml is missing)",
                "give the model.safetensors of the run's folder")
    return model


def metadata_of(model: ModelFile) -> dict[str, str]:
    """A model's fields, other than its tensors, as metadata."""
    return {
        "layerctl.format": str(model.format),
        "layerctl.version": model.layerctl_version,
        "layerctl.yaml": model.yaml,
        "layerctl.features": strictjson.dumps(model.features),
        "layerctl.data": model.data,
        "layerctl.scores": strictjson.dumps(model.scores),
        "layerctl.created_by": strictjson.dumps(model.created_by),
        **({DECISIONS: strictjson.dumps(model.decisions)} if model.decisions else {}),
    }


def model_from(path: str, arrays: Mapping[str, np.ndarray], metadata: Mapping[str, str]) -> ModelFile | None:
    """The model in a file's tensors and metadata; None where the file holds none. Raises as `read_model` does."""
    version = _text(path, metadata, "layerctl.version")
    check_format(path, metadata)
    if "layerctl.yaml" not in metadata:
        return None
    training = json_field(path, metadata, TRAINING, list) if TRAINING in metadata else []
    if not all(isinstance(n, str) for n in training):
        bad_metadata(path, TRAINING, shown(training), "a list of tensors' names")
    hidden = set(training)
    scores = json_field(path, metadata, "layerctl.scores", dict)
    for k, v in scores.items():
        if type(v) not in (int, float):
            bad_metadata(path, f"layerctl.scores.{shown(k)}", shown(v), "a number")
    decisions = _decisions(path, metadata)
    created_by = json_field(path, metadata, "layerctl.created_by", dict)
    for k, v in created_by.items():
        if not isinstance(v, str):
            bad_metadata(path, f"layerctl.created_by.{shown(k)}", shown(v), "text")
    return ModelFile(
        yaml=metadata["layerctl.yaml"],
        tensors={n: a for n, a in arrays.items() if n not in hidden},
        features=json_field(path, metadata, "layerctl.features", dict),
        data=_text(path, metadata, "layerctl.data"),
        scores={k: _float(v) for k, v in scores.items()},
        decisions=decisions,
        created_by=created_by,
        layerctl_version=version,
        gathered={n: a for n, a in arrays.items() if n in hidden and n.startswith(GATHERED)},
    )


def _decisions(path: str, metadata: Mapping[str, str]) -> dict[str, Any]:
    found = json_field(path, metadata, DECISIONS, dict) if DECISIONS in metadata else {}
    for output, how in found.items():
        labels = how.get(LABELS) if isinstance(how, dict) else None
        for one in labels.values() if isinstance(labels, dict) else [how]:
            value = one.get("threshold") if isinstance(one, dict) else None
            if type(value) not in (int, float) or not 0 <= value <= 1:
                bad_metadata(path, f"{DECISIONS}.{shown(output)}", shown(how), "a threshold from 0 to 1")
    return found


def _float(value: int | float) -> float:
    try:
        return float(value)
    except OverflowError:
        return float("inf") if value > 0 else float("-inf")


def check_format(path: str, metadata: Mapping[str, str]) -> None:
    """Refuses a layout that this version does not know.

    Raises:
        LayerctlError: `newer-format`, `bad-metadata`.
    """
    text = _text(path, metadata, "layerctl.format")
    if not (text.isascii() and text.isdecimal()) or len(text) > 9 or int(text) < 1:
        bad_metadata(path, "layerctl.format", shown(text), "a whole number from 1")
    if int(text) > FORMAT:
        writer = shown(metadata["layerctl.version"])
        _refuse(path, "newer-format", f"is of format {text}, written by layerctl {writer}; this is layerctl "
                f"{__version__}, which reads formats up to {FORMAT}", "update with `pip install -U layerctl`")


def json_field(path: str, metadata: Mapping[str, str], key: str, kind: type) -> Any:
    """The value of a metadata field that is JSON, of type `kind` (dict or list).

    Raises:
        LayerctlError: `bad-metadata`.
    """
    expected = {dict: "a JSON object", list: "a JSON list"}[kind]
    try:
        value = strictjson.loads(_text(path, metadata, key))
    except ValueError as error:
        bad_metadata(path, key, f"not JSON ({str(error)[:100]})", expected)
    if not isinstance(value, kind):
        bad_metadata(path, key, shown(value), expected)
    return value


def _text(path: str, metadata: Mapping[str, str], key: str) -> str:
    if key not in metadata:
        bad_metadata(path, key, "missing", "text")
    return metadata[key]


def bad_metadata(path: str, key: str, got: str, expected: str) -> NoReturn:
    """Raises `bad-metadata`."""
    _refuse(path, "bad-metadata", f"cannot be used: {key} is {got}, expected {expected}",
            "the file was not written by layerctl, or was changed afterwards; train again")


def _refuse(path: str, code: str, what: str, hint: str) -> NoReturn:
    fail(code, f"{os.path.basename(path)!r} {what}", Span(Source(path)), hint=hint)
    raise AssertionError
