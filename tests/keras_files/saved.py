"""Models of Keras's as files of Keras's, read by layerctl and compared: predictions of both on the same rows."""

from __future__ import annotations

import os

os.environ["KERAS_BACKEND"] = "jax"

import keras
import numpy as np

import layerctl
from layerctl.export import keras as to_keras
from layerctl.importing.keras import Imported, import_model

TOLERANCE = 1e-5


def shaken(model: keras.Model, seed: int = 0) -> keras.Model:
    """The model with weights that are no initializer's: biases and moving averages too."""
    rng = np.random.default_rng(seed)
    for v in model.variables:
        if not str(v.dtype).startswith("float"):
            continue
        value = rng.standard_normal(v.shape).astype(np.float32) * 0.3
        v.assign(np.abs(value) + 0.5 if "variance" in v.path else value)
    return model


def rows(model: keras.Model, n: int = 3, seed: int = 1) -> list[np.ndarray]:
    """Rows for a model's inputs; ids are small, and the last of them are padding."""
    rng = np.random.default_rng(seed)
    out = []
    for x in model.inputs:
        shape = (n, *(6 if d is None else d for d in x.shape[1:]))
        if str(x.dtype).startswith("int"):
            ids = rng.integers(1, 5, shape).astype(str(x.dtype))
            if ids.ndim > 1:
                ids[0, -2:] = 0
            out.append(ids)
        else:
            out.append(rng.standard_normal(shape).astype(np.float32))
    return out


def close(ours: np.ndarray, theirs: np.ndarray, what: str = "") -> None:
    """Equal to 1e-5 of the largest number."""
    theirs = np.asarray(theirs)
    assert ours.shape == theirs.shape, f"{what}: {ours.shape}, Keras has {theirs.shape}"
    scale = max(float(np.abs(theirs).max(initial=0.0)), 1e-3)
    worst = float(np.abs(ours.astype(np.float64) - theirs.astype(np.float64)).max(initial=0.0)) / scale
    assert worst <= TOLERANCE, f"{what}: differs by {worst:.2e} of its scale"


def outputs(result) -> list[np.ndarray]:
    """A prediction as a list of arrays, ours or Keras's."""
    if isinstance(result, dict):
        return list(result.values())
    return list(result) if isinstance(result, (list, tuple)) else [result]


def called(model: keras.Model, x: list[np.ndarray]):
    """The model's result, its inputs as it takes them; a mapping in the order of its keys, which is Keras's."""
    result = _called(model, x)
    return {k: result[k] for k in sorted(result)} if isinstance(result, dict) else result


def _called(model: keras.Model, x: list[np.ndarray]):
    if isinstance(model, keras.Sequential) or not isinstance(model.input, (list, dict)):
        return model(x[0], training=False)
    named = isinstance(model.input, dict)
    return model(dict(zip((i.name for i in model.inputs), x, strict=True)) if named else x, training=False)


def imported(model: keras.Model, folder, suffix: str = ".keras") -> Imported:
    """The model saved by Keras and read by layerctl."""
    model.save(folder / f"saved{suffix}")
    return import_model(folder / f"saved{suffix}", folder / "model.yaml")


def check_import(model: keras.Model, folder, n: int = 3, shake: bool = True, suffix: str = ".keras") -> Imported:
    """Keras saves, layerctl reads and predicts the same."""
    if shake:
        shaken(model)
    x = rows(model, n)
    theirs = outputs(called(model, x))
    done = imported(model, folder, suffix)
    with layerctl.load(done.model) as ours:
        found = outputs(ours.predict(dict(zip(ours.graph.inputs, x, strict=True))))
    for i, (a, b) in enumerate(zip(found, theirs, strict=True)):
        close(a, b, f"output {i}")
    return done


def check_both_ways(model: keras.Model, folder, n: int = 3, shake: bool = True) -> Imported:
    """Keras saves, layerctl reads and predicts the same; layerctl writes, Keras loads and predicts the same."""
    done = check_import(model, folder, n, shake)
    x = rows(model, n)
    with layerctl.load(done.model) as ours:
        to_keras.export(ours, folder / "back.keras")
        names = list(ours.graph.inputs)
        first = outputs(ours.predict(dict(zip(names, x, strict=True))))
    again = keras.saving.load_model(folder / "back.keras")
    theirs = outputs(called(again, x))
    for i, (a, b) in enumerate(zip(first, theirs, strict=True)):
        close(a, b, f"output {i}, written and loaded")
    return done
