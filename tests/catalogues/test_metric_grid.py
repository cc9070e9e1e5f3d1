"""Metrics beside Keras on JAX over their arguments, ranks, weights and masks, three batches each."""

from __future__ import annotations

from itertools import product

import keras
import numpy as np
import pytest
from machine import MACHINE
from parity import close  # sets the backend before Keras is used

from layerctl.catalogue import catalogue
from layerctl.compile.pipeline import compile_program
from layerctl.compile.program import Layout
from layerctl.ops.leaves import input_
from layerctl.ops.value import NAMES_OF_DTYPES, Trace, Type, tracing
from layerctl.runtime.machine import State


def grid(**choices):
    """Every combination of arguments."""
    return [dict(zip(choices, values, strict=True)) for values in product(*choices.values())]


FLAT, COLUMN, LABELS, STEPS = (8,), (8, 1), (8, 3), (4, 5, 3)
LOGITS, SMOOTHING = [False, True], [0.0, 0.2]
CUTS = [{}, {"thresholds": 0.3}, {"thresholds": [0.3, 0.6]}, {"thresholds": [0.0, 0.5, 1.0]}]
AT = [*grid(top_k=[1, 2], class_id=[None, 1]), {"class_id": 2, "thresholds": [0.2, 0.4]}, {"top_k": 2, "thresholds": 0.5}]
CURVES = grid(curve=["ROC", "PR", "PRGAIN"], summation_method=["interpolation", "minoring", "majoring"])
LABELLED = [a | b for a in CURVES for b in ({"multi_label": True}, {"multi_label": True, "num_labels": 3, "label_weights": [0.5, 0.2, 0.3]})]
BOUND = grid(num_thresholds=[200, 7, 1], class_id=[None, 1])
CONFUSED = grid(num_classes=[3], ignore_class=[None, 1])
ARGUMENTS = {
    "Accuracy": ("binary_ids", [LABELS, STEPS, FLAT], [{}]), "BinaryAccuracy": ("binary", [LABELS, STEPS, FLAT], grid(threshold=[0.5, 0.3])),
    "CategoricalAccuracy": ("one_hot", [LABELS, STEPS], [{}]), "SparseCategoricalAccuracy": ("classes", [LABELS, STEPS], [{}]),
    "TopKCategoricalAccuracy": ("one_hot", [LABELS, STEPS], grid(k=[1, 2, 5])),
    "SparseTopKCategoricalAccuracy": ("classes", [LABELS, STEPS], grid(k=[1, 2, 5])),
    "BinaryCrossentropy": ("binary", [LABELS, STEPS, COLUMN], grid(from_logits=LOGITS, label_smoothing=SMOOTHING)),
    "CategoricalCrossentropy": ("one_hot", [LABELS, STEPS], grid(from_logits=LOGITS, label_smoothing=SMOOTHING, axis=[-1, 1])),
    "SparseCategoricalCrossentropy": ("classes", [LABELS, (4, 5, 5)], grid(from_logits=LOGITS, ignore_class=[None, 1], axis=[-1, 1])),
    "RootMeanSquaredError": ("numbers", [LABELS, STEPS, FLAT], [{}]),
    **{n: ("numbers", [LABELS, STEPS, COLUMN], [{}]) for n in ("MeanSquaredError", "MeanAbsoluteError", "MeanAbsolutePercentageError", "LogCoshError")},
    **{n: ("positive", [LABELS, STEPS, COLUMN], [{}]) for n in ("MeanSquaredLogarithmicError", "Poisson")},
    "R2Score": ("numbers", [LABELS], grid(
        class_aggregation=["uniform_average", "variance_weighted_average", None], num_regressors=[0, 2])),
    "CosineSimilarity": ("numbers", [LABELS, STEPS], grid(axis=[-1, 1])), "KLDivergence": ("one_hot", [LABELS, STEPS], [{}]),
    **{n: ("numbers", [LABELS, STEPS], grid(axis=[-1, 1, [1, 2]])) for n in ("PearsonCorrelation", "ConcordanceCorrelation")},
    "Hinge": ("binary", [LABELS, STEPS], [{}]), "SquaredHinge": ("binary", [LABELS, STEPS], [{}]), "CategoricalHinge": ("one_hot", [LABELS, STEPS], [{}]),
    "Precision": ("binary", [LABELS, FLAT, COLUMN], [*CUTS, *AT]), "Recall": ("binary", [LABELS, FLAT, COLUMN], [*CUTS, *AT]),
    **{n: ("binary", [LABELS, STEPS, FLAT], CUTS) for n in ("TruePositives", "FalsePositives", "TrueNegatives", "FalseNegatives")},
    "AUC": ("binary", [LABELS, FLAT], [*CURVES, *LABELLED, {"num_thresholds": 20}, {"thresholds": [0.1, 0.2, 0.7]}, {"from_logits": True},
                                       {"label_weights": [0.5, 0.2, 0.3]}]),
    "SensitivityAtSpecificity": ("binary", [LABELS], [a | {"specificity": v} for a in BOUND for v in (0.3, 0.7)]),
    "SpecificityAtSensitivity": ("binary", [LABELS], [a | {"sensitivity": v} for a in BOUND for v in (0.3, 0.7)]),
    "PrecisionAtRecall": ("binary", [LABELS], [a | {"recall": v} for a in BOUND for v in (0.3, 0.7)]),
    "RecallAtPrecision": ("binary", [LABELS], [a | {"precision": v} for a in BOUND for v in (0.3, 0.7)]),
    "F1Score": ("one_hot", [LABELS], grid(average=[None, "micro", "macro", "weighted"], threshold=[None, 0.4])),
    "FBetaScore": ("one_hot", [LABELS], grid(average=[None, "micro", "macro", "weighted"], threshold=[None, 0.4], beta=[0.5, 2.0])),
    "MeanIoU": ("ids", [FLAT, (4, 5)], CONFUSED), "IoU": ("ids", [FLAT, (4, 5)], [a | {"target_class_ids": c} for a in CONFUSED for c in ([0], [0, 2])]),
    "OneHotMeanIoU": ("one_hot", [LABELS, STEPS], CONFUSED),
    "OneHotIoU": ("one_hot", [LABELS, STEPS], [a | {"target_class_ids": c} for a in CONFUSED for c in ([1], [0, 2])]),
    "BinaryIoU": ("binary", [FLAT, (4, 5)], grid(target_class_ids=[[0, 1], [1]], threshold=[0.5, 0.3])),
}  # fmt: skip
ONLY_ONE_VALUE = {"Mean", "Sum", "MeanMetricWrapper"}
OF_LABELS = {"multi_label", "label_weights", "class_id", "top_k"}


def example(kind, arguments, shape, rng):
    """(target, prediction) as this kind of metric takes them."""
    raw = rng.standard_normal(shape).astype(np.float32)
    chances = raw if arguments.get("from_logits") else 1 / (1 + np.exp(-raw))
    axis = arguments.get("axis", -1)
    if kind == "numbers":
        return rng.standard_normal(shape).astype(np.float32), raw
    if kind == "positive":
        return np.abs(rng.standard_normal(shape)).astype(np.float32), np.abs(raw) + 0.1
    if kind in ("binary", "binary_ids"):
        y = (raw + rng.standard_normal(shape) > 0).astype(np.float32)
        return y, chances if kind == "binary" else rng.integers(0, 2, shape).astype(np.float32)
    if kind == "ids":
        return rng.integers(0, 3, shape).astype(np.int32), rng.integers(0, 3, shape).astype(np.int32)
    p = raw if arguments.get("from_logits") else (np.exp(raw) / np.exp(raw).sum(axis, keepdims=True)).astype(np.float32)
    ids = rng.integers(0, shape[axis], np.delete(shape, axis)).astype(np.int32)
    return (ids if kind == "classes" else np.moveaxis(np.eye(shape[axis], dtype=np.float32)[ids], -1, axis)), p


def measured(metric, batches):
    """The metric's result here after batches of (target, prediction, weights or None, mask or None)."""
    names = ("y", "p", "w", "m")
    metric.build("m", batches[0][0].shape, batches[0][1].shape)
    trace = Trace()
    with tracing(trace):
        v = {n: input_(n, Type(a.shape, NAMES_OF_DTYPES[str(a.dtype)])) for n, a in zip(names, batches[0], strict=True) if a is not None}
        v["p"].mask = v.get("m")
        metric.update(v["y"], v["p"], v.get("w"))
    layout = Layout()
    program = compile_program(trace, {}, trace.updates, layout)
    state = State(layout)
    bound = MACHINE.bind(program, state, {})
    for batch in batches:
        for label, array in zip(names, batch, strict=True):
            if label in program.inputs:
                bound.input(label)[...] = array
        MACHINE.run(bound)
    return metric.result({n: state.view(w) for n, w in metric.state.items()})


def expected(name, arguments, batches):
    """The same in Keras. Metrics that are no means over samples pay no heed to masks there: they get them as weights."""
    metric = getattr(keras.metrics, name)(**arguments, **({"dtype": "float32"} if "IoU" in name else {}))
    masked = isinstance(metric, keras.metrics.MeanMetricWrapper)
    for y, p, w, m in batches:
        p = keras.ops.convert_to_tensor(p)
        if m is not None and masked:
            keras.src.backend.set_keras_mask(p, m)
        metric.update_state(y, p, sample_weight=w if m is None or masked else m.astype(np.float32))
    return np.asarray(metric.result())


def same(what, ours, theirs):
    """One number, or one for each entry and their mean under the metric's own name."""
    if theirs.ndim:
        assert list(ours) == ["", *map(str, range(len(theirs)))], what
        close(what, np.array([ours[str(i)] for i in range(len(theirs))]), theirs)
        ours, theirs = ours[""], theirs.mean()
    close(what, np.array(ours), np.array(theirs))


def of_samples(kind, arguments, shape):
    """The shape of weights and masks: one number a sample or step."""
    axis = arguments.get("axis", -1)
    return shape if kind == "ids" or len(shape) == 1 or isinstance(axis, list) else tuple(np.delete(shape, axis).tolist())


@pytest.mark.parametrize("extra", ["plain", "weights", "mask"])
@pytest.mark.parametrize("name", list(ARGUMENTS))
def test_arguments(name, extra):
    kind, shapes, cases = ARGUMENTS[name]
    rng = np.random.default_rng(11)
    for arguments, shape in product(cases, shapes):
        axis = arguments.get("axis", 0)
        if np.max(axis) >= len(shape) or (shape in (FLAT, COLUMN) and OF_LABELS & set(arguments)) or (extra != "plain" and isinstance(axis, list)):
            continue
        batches = []
        for _ in range(3):
            y, p = example(kind, arguments, shape, rng)
            samples = of_samples("ids" if name == "BinaryIoU" else kind, arguments, shape)
            w = rng.uniform(0, 2, samples).astype(np.float32) if extra == "weights" else None
            m = rng.random(samples) > 0.3 if extra == "mask" else None
            batches.append((y, p, w, m))
        what = f"{name} {arguments} {shape}"
        same(what, measured(catalogue("metrics").get(name)(**arguments), batches), expected(name, arguments, batches))


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("name", ["Mean", "Sum"])
def test_metrics_of_predictions_alone(name, weighted):
    rng = np.random.default_rng(3)
    metric, batches = getattr(keras.metrics, name)(), []
    for _ in range(3):
        w = rng.uniform(0, 2, 8).astype(np.float32) if weighted else None
        batches.append((np.zeros((8, 3), np.float32), rng.standard_normal((8, 3)).astype(np.float32), w, None))
        metric.update_state(batches[-1][1], sample_weight=w)
    same(name, measured(catalogue("metrics").get(name)(), batches), np.asarray(metric.result()))


FUNCTIONS = [
    ("huber", keras.losses.huber, {}), ({"Huber": {"delta": 0.3}}, keras.losses.huber, {"delta": 0.3}), ("mse", keras.losses.mean_squared_error, {}),
    ("binary_accuracy", keras.metrics.binary_accuracy, {}), ({"BinaryAccuracy": {"threshold": 0.2}}, keras.metrics.binary_accuracy, {"threshold": 0.2}),
]  # fmt: skip


@pytest.mark.parametrize("extra", ["plain", "weights", "mask"])
@pytest.mark.parametrize(("fn", "function", "more"), FUNCTIONS)
def test_wrapped_functions(fn, function, more, extra):
    rng = np.random.default_rng(4)
    metric, batches = keras.metrics.MeanMetricWrapper(function, **more), []
    for _ in range(3):
        y, p = example("binary", {}, LABELS, rng)
        w = rng.uniform(0, 2, 8).astype(np.float32) if extra == "weights" else None
        m = rng.random(8) > 0.3 if extra == "mask" else None
        batches.append((y, p, w, m))
        p = keras.ops.convert_to_tensor(p)
        if m is not None:
            keras.src.backend.set_keras_mask(p, m)
        metric.update_state(y, p, sample_weight=w)
    same(str(fn), measured(catalogue("metrics").get("MeanMetricWrapper")(fn=fn), batches), np.asarray(metric.result()))


@pytest.mark.parametrize(("fn", "text"), [
    ("hubr", "there is no loss or metric 'hubr'; did you mean 'huber'"), ("auc", "fn must be a loss or a metric that is a mean over samples"),
])  # fmt: skip
def test_what_cannot_be_wrapped(fn, text):
    with pytest.raises(ValueError, match=text):
        catalogue("metrics").get("MeanMetricWrapper")(fn=fn)


def test_every_metric_has_its_arguments_here():
    assert set(ARGUMENTS) | ONLY_ONE_VALUE == set(catalogue("metrics"))
    constant = {"name", "dtype", "beta", "num_classes", "sparse_y_true", "sparse_y_pred", "axis", "ignore_class", "num_thresholds", "from_sorted_ids"}
    for name, (_, _, cases) in ARGUMENTS.items():
        assert set(catalogue("metrics").get(name).model_fields) - constant <= set().union(*cases), name
