"""Losses beside Keras on JAX over their arguments, reductions, ranks, weights and masks: values and gradients."""

from __future__ import annotations

from itertools import product

import jax
import keras
import numpy as np
import pytest
from machine import gradient_of, run
from parity import close  # sets the backend before Keras is used

from layerctl.catalogue import catalogue

REDUCTIONS = ["sum_over_batch_size", "sum", "mean", "mean_with_sample_weight"]
LOGITS, SMOOTHING, AXES = [False, True], [0.0, 0.2], [-1, 1]


def grid(**choices):
    """Every combination of arguments."""
    return [dict(zip(choices, values, strict=True)) for values in product(*choices.values())]


FOCAL = grid(from_logits=LOGITS, label_smoothing=SMOOTHING, axis=AXES, gamma=[2.0, 1.5])
ARGUMENTS = {
    "BinaryCrossentropy": ("binary", grid(from_logits=LOGITS, label_smoothing=SMOOTHING, axis=AXES)),
    "BinaryFocalCrossentropy": ("binary", [a | b for a in FOCAL for b in ({}, {"apply_class_balancing": True, "alpha": 0.4})]),
    "CategoricalCrossentropy": ("one_hot", grid(from_logits=LOGITS, label_smoothing=SMOOTHING, axis=AXES)),
    "CategoricalFocalCrossentropy": ("one_hot", [a | b for a in FOCAL for b in ({}, {"alpha": 0.4})]),
    "SparseCategoricalCrossentropy": ("classes", grid(from_logits=LOGITS, ignore_class=[None, 1, -1], axis=AXES)),
    "CategoricalGeneralizedCrossEntropy": ("classes", grid(q=[0.2, 0.5, 0.9])),
    "CategoricalHinge": ("one_hot", [{}]), "Circle": ("embeddings", grid(gamma=[80.0, 5.0], margin=[0.4, 0.1], remove_diagonal=[True, False])),
    "CosineSimilarity": ("numbers", grid(axis=[-1, 1, 2])), "CTC": ("ctc", [{}]),
    "Dice": ("binary", grid(axis=[None, -1, 1, [1, 2]])), "Tversky": ("binary", grid(alpha=[0.5, 0.2], beta=[0.5, 0.9], axis=[None, -1, 1, [1, 2]])),
    "Hinge": ("binary", [{}]), "SquaredHinge": ("binary", [{}]), "Huber": ("numbers", grid(delta=[1.0, 0.3, 2.5])),
    "KLDivergence": ("one_hot", [{}]), "LogCosh": ("numbers", [{}]), "Poisson": ("positive", [{}]),
    "MeanSquaredError": ("numbers", [{}]), "MeanAbsoluteError": ("numbers", [{}]), "MeanAbsolutePercentageError": ("numbers", [{}]),
    "MeanSquaredLogarithmicError": ("positive", [{}]),
}  # fmt: skip
SHAPES = {"embeddings": [(9, 4)], "ctc": [(6, 11, 5)]}
EXTRAS = ["plain", "weights", "mask", "both"]


def example(kind, arguments, shape, rng):
    """(target, prediction) as this kind of loss takes them."""
    axis, logits = arguments.get("axis", -1), arguments.get("from_logits", False)
    axis = axis if isinstance(axis, int) else -1
    raw = rng.standard_normal(shape).astype(np.float32)
    if kind == "numbers":
        return rng.standard_normal(shape).astype(np.float32), raw
    if kind == "positive":
        return np.abs(rng.standard_normal(shape)).astype(np.float32), np.abs(raw) + 0.1
    if kind == "binary":
        return rng.integers(0, 2, shape).astype(np.float32), raw if logits else 1 / (1 + np.exp(-raw))
    if kind == "embeddings":
        return rng.integers(0, 3, shape[:1]).astype(np.int32), raw / np.linalg.norm(raw, axis=-1, keepdims=True)
    if kind == "ctc":
        return np.array([[1, 2, 2, 0], [3, 0, 0, 0], [4, 4, 4, 1], [1, 2, 3, 4], [0, 0, 0, 0], [1, 1, 0, 0]], np.int32), raw
    p = raw if logits else (np.exp(raw) / np.exp(raw).sum(axis, keepdims=True)).astype(np.float32)
    classes = shape[axis]
    ids = rng.integers(0, classes, np.delete(shape, axis)).astype(np.int32)
    if kind == "classes":
        if arguments.get("ignore_class") == -1:
            ids[rng.random(ids.shape) < 0.3] = -1
        return ids, p
    return np.moveaxis(np.eye(classes, dtype=np.float32)[ids], -1, axis), p


def compare(name, arguments, y, p, weights=None, mask=None):
    """Value and gradient of one loss here and in Keras."""
    ours, theirs = catalogue("losses").get(name)(**arguments), getattr(keras.losses, name)(**arguments)

    def value(pred, true, *more):
        more = list(more)
        if mask is not None:
            pred.mask = more.pop()
        return ours(true, pred, *more)

    def reference(pred):
        pred = keras.ops.convert_to_tensor(pred)
        if mask is not None:
            keras.src.backend.set_keras_mask(pred, mask)
        return theirs(y, pred, sample_weight=weights)

    given = [a for a in (weights, mask) if a is not None]
    what = f"{name} {arguments} {p.shape}"
    result, slope = jax.jit(jax.value_and_grad(reference))(p)
    close(what, run(value, p, y, *given)[0], np.asarray(result))
    close(f"gradient of {what}", gradient_of(value, p, y, *given)[0], np.asarray(slope))


@pytest.mark.parametrize("extra", EXTRAS)
@pytest.mark.parametrize("name", list(catalogue("losses")))
def test_arguments(name, extra):
    kind, cases = ARGUMENTS[name]
    rng = np.random.default_rng(5)
    for number, arguments in enumerate(cases):
        for shape in SHAPES.get(kind, [(7, 5), (4, 5, 5)]):
            axis = arguments.get("axis")
            if np.max(axis if axis is not None else 0) >= len(shape) or (extra in ("mask", "both") and axis is None and "axis" in arguments):
                continue
            y, p = example(kind, arguments, shape, rng)
            theirs = getattr(keras.losses, name)(**arguments)
            values = jax.eval_shape(theirs.call, jax.numpy.asarray(y), jax.numpy.asarray(p)).shape
            weights = rng.uniform(0, 2, values).astype(np.float32) if extra in ("weights", "both") else None
            mask = rng.random(values) > 0.3 if extra in ("mask", "both") else None
            compare(name, arguments | {"reduction": REDUCTIONS[number % 4]}, y, p, weights, mask)


@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize("name", list(catalogue("losses")))
def test_reductions(name, reduction):
    kind, (arguments, *_) = ARGUMENTS[name]
    rng = np.random.default_rng(6)
    y, p = example(kind, arguments, SHAPES.get(kind, [(6, 5)])[0], rng)
    weights = rng.uniform(0, 2, len(p)).astype(np.float32)
    for given in (None, weights, weights * 0):
        compare(name, arguments | {"reduction": reduction}, y, p, given)


def test_every_loss_has_its_arguments_here():
    assert set(ARGUMENTS) == set(catalogue("losses"))
    for name in ARGUMENTS:
        own = set(catalogue("losses").get(name).model_fields) - {"name", "dtype", "reduction"}
        assert own == set().union(*ARGUMENTS[name][1]), name
