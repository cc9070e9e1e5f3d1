"""Every registered activation, loss, metric, optimizer, schedule and initializer beside Keras on JAX; one without a case fails."""

from __future__ import annotations

import jax
import keras
import numpy as np
import pytest
from machine import MACHINE, gradient_of, run
from parity import close, keras_object  # sets the backend before Keras is used

from layerctl.catalogue import catalogue, snake_case
from layerctl.compile.pipeline import compile_program
from layerctl.compile.program import Layout
from layerctl.ops.leaves import input_
from layerctl.ops.value import NAMES_OF_DTYPES, Trace, Type, Weight, tracing
from layerctl.runtime.machine import State

RNG = np.random.default_rng(21)
ACTIVATIONS = {
    "Relu": [{}, {"negative_slope": 0.1, "max_value": 1.5, "threshold": 0.2}], "LeakyRelu": [{}, {"negative_slope": 0.3}], "Elu": [{}, {"alpha": 0.7}],
    "Celu": [{}, {"alpha": 0.7}], "Gelu": [{}, {"approximate": True}], "Softmax": [{}, {"axis": 1}], "LogSoftmax": [{}, {"axis": 1}],
    "HardShrink": [{}, {"threshold": 0.3}], "SoftShrink": [{}, {"threshold": 0.3}], "Threshold": [{"threshold": 0.1, "default_value": -2.0}],
    "Squareplus": [{}, {"b": 2.0}], "Sparsemax": [{}, {"axis": 1}], "Glu": [{}, {"axis": 1}],
}  # fmt: skip


@pytest.mark.parametrize("name", list(catalogue("activations")))
def test_activations(name):
    x = (RNG.standard_normal((3, 4, 6)) * 2).astype(np.float32)
    theirs_of = {"Relu6": "relu6"}.get(name, snake_case(name))
    for arguments in ACTIVATIONS.get(name, [{}]):
        ours = catalogue("activations").get(name)(**arguments)
        theirs = getattr(keras.activations, theirs_of)
        close(name, run(ours, x)[0], np.asarray(theirs(x, **arguments)), 2e-6)
        weights = np.cos(np.arange(int(np.prod(theirs(x, **arguments).shape)))).reshape(theirs(x, **arguments).shape)

        def total(v, theirs=theirs, arguments=arguments, weights=weights):
            return (theirs(v, **arguments) * weights).sum()

        close(f"gradient of {name}", gradient_of(ours, x)[0], np.asarray(jax.jit(jax.grad(total))(x)))  # one compilation in place of one for each of its ops


LOSSES = {
    "BinaryCrossentropy": ("binary", [{}, {"from_logits": True}, {"label_smoothing": 0.2}]),
    "CategoricalCrossentropy": ("one_hot", [{}, {"from_logits": True}, {"label_smoothing": 0.2}]),
    "SparseCategoricalCrossentropy": ("classes", [{}, {"from_logits": True}, {"ignore_class": 1}]),
    "MeanSquaredError": ("numbers", [{}, {"reduction": "sum"}]), "MeanAbsoluteError": ("numbers", [{}]),
    "BinaryFocalCrossentropy": ("binary", [{}, {"from_logits": True, "gamma": 1.5}, {"apply_class_balancing": True, "alpha": 0.4, "label_smoothing": 0.2}]),
    "CategoricalFocalCrossentropy": ("one_hot", [{}, {"from_logits": True, "gamma": 1.5, "alpha": 0.4}, {"label_smoothing": 0.2}]),
    "CategoricalGeneralizedCrossEntropy": ("classes", [{}, {"q": 0.8}]), "KLDivergence": ("one_hot", [{}]), "CTC": ("ctc", [{}, {"reduction": "sum"}]),
    "MeanAbsolutePercentageError": ("numbers", [{}]), "MeanSquaredLogarithmicError": ("positive", [{}]), "Huber": ("numbers", [{}, {"delta": 0.4}]),
    "LogCosh": ("numbers", [{}]), "Poisson": ("positive", [{}]), "Hinge": ("binary", [{}]), "SquaredHinge": ("binary", [{}]),
    "CategoricalHinge": ("one_hot", [{}]), "CosineSimilarity": ("numbers", [{}, {"axis": 1}]), "Circle": ("embeddings", [
        {}, {"gamma": 20.0, "margin": 0.3, "remove_diagonal": False}]),
    "Dice": ("binary", [{}, {"axis": -1}]), "Tversky": ("binary", [{}, {"alpha": 0.3, "beta": 0.8, "axis": -1}]),
}  # fmt: skip


def pair(kind, logits=False, shape=(7, 5)):
    raw = RNG.standard_normal(shape).astype(np.float32)
    if kind == "positive":
        return np.abs(RNG.standard_normal(shape)).astype(np.float32), np.abs(raw) + 0.1
    if kind == "embeddings":
        return RNG.integers(0, 3, shape[:1]).astype(np.int32), raw / np.linalg.norm(raw, axis=-1, keepdims=True)
    if kind == "ctc":
        labels = np.array([[1, 2, 2, 0], [3, 0, 0, 0], [4, 4, 4, 1], [1, 2, 3, 4], [2, 1, 2, 1], [0, 0, 0, 0], [1, 1, 0, 0]], np.int32)
        return labels, RNG.standard_normal((7, 11, 5)).astype(np.float32)
    if kind == "numbers":
        return RNG.standard_normal(shape).astype(np.float32), raw
    if kind == "binary":
        return RNG.integers(0, 2, shape).astype(np.float32), raw if logits else 1 / (1 + np.exp(-raw))
    p = raw if logits else (np.exp(raw) / np.exp(raw).sum(-1, keepdims=True)).astype(np.float32)
    ids = RNG.integers(0, shape[-1], shape[:-1]).astype(np.int32)
    return (ids if kind == "classes" else np.eye(shape[-1], dtype=np.float32)[ids]), p


@pytest.mark.parametrize("name", list(catalogue("losses")))
@pytest.mark.parametrize("extra", ["plain", "weights", "mask"])
def test_losses(name, extra):
    kind, cases = LOSSES[name]
    for arguments in cases:
        if extra == "mask" and (arguments.get("ignore_class") is not None or kind in ("ctc", "embeddings")):
            continue
        if extra == "mask" and arguments.get("axis") == 1:
            continue
        y, p = pair(kind, arguments.get("from_logits", False), (7, 4, 5) if extra == "mask" else (7, 5))
        loss = catalogue("losses").get(name)(**arguments)
        theirs = getattr(keras.losses, name)(**arguments)
        weights = RNG.uniform(0, 2, 7).astype(np.float32) if extra == "weights" else None
        mask = RNG.random((7, 4)) > 0.3 if extra == "mask" else None

        def ours(pred, true, *rest, loss=loss, mask=mask):
            if mask is not None:
                pred.mask = rest[0]
                return loss(true, pred)
            return loss(true, pred, *rest)

        def reference(pred, theirs=theirs, y=y, weights=weights, mask=mask):
            pred = keras.ops.convert_to_tensor(pred)
            if mask is not None:
                weights = _mask_weights(theirs, mask)
            return theirs(y, pred, sample_weight=weights)

        more = [weights] if weights is not None else [mask] if mask is not None else []
        close(name, run(ours, p, y, *more)[0], np.asarray(reference(p)))
        trace_gradient = gradient_of(ours, p, y, *more)[0]
        close(f"gradient of {name}", trace_gradient, np.asarray(jax.jit(jax.grad(lambda v, r=reference: r(v).sum()))(p)))


def _mask_weights(loss, mask):
    """What Keras makes of a mask: weights that keep the mean over the steps that count."""
    kept = mask.astype(np.float32)
    return kept if loss.reduction == "sum" else kept * (kept.size / kept.sum())


METRICS = {
    "Accuracy": ("same", [{}]), "BinaryAccuracy": ("binary", [{}, {"threshold": 0.3}]), "CategoricalAccuracy": ("one_hot", [{}]),
    "SparseCategoricalAccuracy": ("classes", [{}]), "TopKCategoricalAccuracy": ("one_hot", [{"k": 2}]),
    "SparseTopKCategoricalAccuracy": ("classes", [{"k": 2}]), "MeanSquaredError": ("numbers", [{}]), "RootMeanSquaredError": ("numbers", [{}]),
    "MeanAbsoluteError": ("numbers", [{}]), "MeanAbsolutePercentageError": ("numbers", [{}]), "R2Score": ("numbers", [
        {}, {"num_regressors": 3}, {"class_aggregation": "variance_weighted_average"}, {"class_aggregation": None, "num_regressors": 2}]),
    "BinaryCrossentropy": ("binary", [{}, {"label_smoothing": 0.1}]), "CategoricalCrossentropy": ("one_hot", [{}]),
    "SparseCategoricalCrossentropy": ("classes", [{}, {"ignore_class": 1}]), "Precision": ("binary", [{}, {"thresholds": 0.3}, {"class_id": 1}, {"top_k": 2}]),
    "Recall": ("binary", [{}, {"thresholds": [0.3, 0.6]}]), "TruePositives": ("binary", [{}]), "FalsePositives": ("binary", [{}]),
    "TrueNegatives": ("binary", [{}]), "FalseNegatives": ("binary", [{"thresholds": 0.4}]),
    "AUC": ("binary", [{}, {"curve": "PR"}, {"num_thresholds": 20, "summation_method": "minoring"}, {"curve": "PR", "summation_method": "majoring"}]),
    "MeanSquaredLogarithmicError": ("positive", [{}]), "LogCoshError": ("numbers", [{}]), "KLDivergence": ("one_hot", [{}]),
    "Poisson": ("positive", [{}]), "Hinge": ("binary", [{}]), "SquaredHinge": ("binary", [{}]), "CategoricalHinge": ("one_hot", [{}]),
    "CosineSimilarity": ("numbers", [{}]), "PearsonCorrelation": ("numbers", [{}]), "ConcordanceCorrelation": ("numbers", [{}]),
    "Mean": ("alone", [{}]), "Sum": ("alone", [{}]), "MeanMetricWrapper": ("wrapped", [{"fn": "huber"}, {"fn": "log_cosh"}]),
    "F1Score": ("one_hot", [{}, {"average": "micro"}, {"average": "weighted", "threshold": 0.4}]),
    "FBetaScore": ("one_hot", [{"beta": 2.0, "average": "macro"}, {"beta": 0.5, "threshold": 0.3}]),
    "MeanIoU": ("ids", [{"num_classes": 3}, {"num_classes": 3, "ignore_class": 1}]), "IoU": ("ids", [{"num_classes": 3, "target_class_ids": [0, 2]}]),
    "OneHotIoU": ("one_hot", [{"num_classes": 3, "target_class_ids": [1]}]), "OneHotMeanIoU": ("one_hot", [{"num_classes": 3}]),
    "BinaryIoU": ("single", [{}, {"target_class_ids": [1], "threshold": 0.3}]),
    "SensitivityAtSpecificity": ("binary", [{"specificity": 0.5}]), "SpecificityAtSensitivity": ("binary", [{"sensitivity": 0.4, "num_thresholds": 50}]),
    "PrecisionAtRecall": ("binary", [{"recall": 0.4}, {"recall": 0.5, "class_id": 1}]), "RecallAtPrecision": ("binary", [{"precision": 0.4}]),
}  # fmt: skip


@pytest.mark.parametrize("name", list(catalogue("metrics")))
@pytest.mark.parametrize("weighted", [False, True])
def test_metrics(name, weighted):
    kind, cases = METRICS[name]
    for arguments in cases:
        batches = []
        for _ in range(3):
            if kind == "same":
                y = RNG.integers(0, 2, (8, 3)).astype(np.float32)
                batches.append((y, RNG.integers(0, 2, (8, 3)).astype(np.float32)))
            elif kind == "ids":
                batches.append(tuple(RNG.integers(0, 3, 8).astype(np.int32) for _ in range(2)))
            elif kind == "single":
                batches.append(tuple(v[:, 0] for v in pair("binary", shape=(8, 3))))
            else:
                batches.append(pair({"alone": "numbers", "wrapped": "numbers"}.get(kind, kind), shape=(8, 3)))
        weights = [RNG.uniform(0, 2, 8).astype(np.float32) for _ in batches]
        ours = catalogue("metrics").get(name)(**arguments)
        more = {"fn": getattr(keras.losses, arguments["fn"])} if kind == "wrapped" else {"dtype": "float32"} if "IoU" in name else {}
        theirs = getattr(keras.metrics, name)(**{**arguments, **more})
        for (y, p), w in zip(batches, weights, strict=True):
            theirs.update_state(*([p] if kind == "alone" else [y, p]), sample_weight=w if weighted else None)
        expected = float(np.mean(np.asarray(theirs.result())))
        assert measured(ours, batches, weights if weighted else None) == pytest.approx(expected, rel=1e-5, abs=1e-6)


def measured(metric, batches, weights):
    y, p = batches[0]
    metric.build("m", y.shape, p.shape)
    trace, arrays = Trace(), {"y": y, "p": p} | ({"w": weights[0]} if weights else {})
    with tracing(trace):
        values = {n: input_(n, Type(a.shape, NAMES_OF_DTYPES[str(a.dtype)])) for n, a in arrays.items()}
        metric.update(values["y"], values["p"], values.get("w"))
    layout = Layout()
    program = compile_program(trace, {}, trace.updates, layout)
    state = State(layout)
    bound = MACHINE.bind(program, state, {})
    for i, (y, p) in enumerate(batches):
        for label, array in ({"y": y, "p": p} | ({"w": weights[i]} if weights else {})).items():
            if label in program.inputs:
                bound.input(label)[...] = array
        MACHINE.run(bound)
    found = metric.result({n: state.view(w) for n, w in metric.state.items()})
    return found[""] if isinstance(found, dict) else found


OPTIMIZERS = {
    "SGD": [{"learning_rate": 0.1}, {"learning_rate": 0.1, "momentum": 0.9}, {"learning_rate": 0.1, "momentum": 0.9, "nesterov": True},
            {"learning_rate": 0.1, "weight_decay": 0.01}, {"learning_rate": 0.1, "clipnorm": 0.5}, {"learning_rate": 0.1, "clipvalue": 0.3},
            {"learning_rate": 0.1, "global_clipnorm": 0.7}],
    "Adam": [{"learning_rate": 0.02}, {"learning_rate": 0.02, "amsgrad": True, "beta_1": 0.8}, {"learning_rate": 0.02, "weight_decay": 0.004}],
    "RMSprop": [{"learning_rate": 0.02}, {"learning_rate": 0.02, "momentum": 0.5, "centered": True, "rho": 0.8}],
    "AdamW": [{"learning_rate": 0.02}, {"learning_rate": 0.02, "weight_decay": 0.1, "amsgrad": True}],
    "Adamax": [{"learning_rate": 0.02}, {"learning_rate": 0.02, "beta_1": 0.7, "weight_decay": 0.1}], "Nadam": [{"learning_rate": 0.02}],
    "ScheduleFreeAdamW": [{"learning_rate": 0.02}, {"learning_rate": 0.02, "warmup_steps": 5, "weight_decay": 0.1}],
    "Lamb": [{"learning_rate": 0.02}, {"learning_rate": 0.02, "weight_decay": 0.01}], "Lion": [{"learning_rate": 0.02}, {"beta_1": 0.5}],
    "Adagrad": [{"learning_rate": 0.1}, {"learning_rate": 0.1, "initial_accumulator_value": 0.0, "epsilon": 1e-3}],
    "Adadelta": [{"learning_rate": 1.0}, {"learning_rate": 0.5, "rho": 0.8}],
    "Adafactor": [{"learning_rate": 0.1}, {"learning_rate": 0.5, "relative_step": False, "clip_threshold": 0.5}],
    "Ftrl": [{"learning_rate": 0.1}, {"learning_rate": 0.1, "l1_regularization_strength": 0.1, "l2_regularization_strength": 0.1,
             "l2_shrinkage_regularization_strength": 0.2, "beta": 0.3}],
    "Muon": [{"learning_rate": 0.02}, {"learning_rate": 0.02, "nesterov": False, "rms_rate": None, "weight_decay": None, "ns_steps": 3}],
}  # fmt: skip


def twenty_steps(optimizer, starts, grads, constraint=None):
    """The weights after twenty steps on given gradients, through the training step's own code."""
    from layerctl.compile.step import Task, update
    from layerctl.graph.model import Model
    from layerctl.ops.reduce import reduce

    model = Model.of("m", {}, [], [])
    weights = [Weight(f"w{i}", a.shape, constraint=constraint) for i, a in enumerate(starts)]
    model._weights = weights
    task = Task(model, {}, optimizer)
    trace = Trace(training=True)
    with tracing(trace):
        given = [input_(f"g{i}", Type(a.shape)) for i, a in enumerate(starts)]
        loss = None
        for w, g in zip(weights, given, strict=True):
            part = reduce("sum", trace.read(w) * g)
            loss = part if loss is None else loss + part
        update(task, trace, loss)
    program = compile_program(trace, {}, trace.updates, task.layout)
    state = State(task.layout)
    for w, a in zip(weights, starts, strict=True):
        state.view(w)[...] = a
    if isinstance(optimizer.learning_rate, float):
        state.view(task.rate)[...] = optimizer.learning_rate
    for (_, name), slot in task.slots.items():
        state.view(slot)[...] = optimizer.slot_start(name)
    bound = MACHINE.bind(program, state, {})
    for step in grads:
        for i, g in enumerate(step):
            bound.input(f"g{i}")[...] = g
        MACHINE.run(bound)
    return [state.view(w).copy() for w in weights]


def keras_steps(optimizer, starts, grads, constraint=None):
    variables = [keras.Variable(a) for a in starts]
    for v in variables:
        v.constraint = constraint
    optimizer.build(variables)
    step = jax.jit(optimizer.stateless_apply)  # one compilation in place of one for each of its ops
    values, own = [v.value for v in variables], [v.value for v in optimizer.variables]
    for some in grads:
        values, own = step(own, list(some), values)
    return [np.asarray(v) for v in values]


def case():
    starts = [RNG.standard_normal(s).astype(np.float32) for s in ((3, 4), (5,), (2, 2, 2))]
    return starts, [[RNG.standard_normal(a.shape).astype(np.float32) for a in starts] for _ in range(20)]


EVERY_OPTIMIZER = [
    {"learning_rate": 0.02, "use_ema": True, "ema_momentum": 0.8}, {"learning_rate": 0.02, "use_ema": True, "ema_overwrite_frequency": 4},
    {"learning_rate": 0.02, "gradient_accumulation_steps": 3}, {"learning_rate": 0.02, "gradient_accumulation_steps": 2, "use_ema": True, "clipnorm": 0.5},
]  # fmt: skip


@pytest.mark.parametrize("name", list(catalogue("optimizers")))
def test_optimizers(name):
    for arguments in [*OPTIMIZERS[name], *EVERY_OPTIMIZER]:
        starts, grads = case()
        ours = twenty_steps(catalogue("optimizers").get(name)(**arguments), starts, grads)
        theirs = keras_steps(getattr(keras.optimizers, name)(**arguments), starts, grads)
        for a, b in zip(ours, theirs, strict=True):
            close(f"{name} {arguments}", a, b, 2e-5)


SCHEDULES = {
    "ExponentialDecay": [{"initial_learning_rate": 0.1, "decay_steps": 5, "decay_rate": 0.7},
                         {"initial_learning_rate": 0.1, "decay_steps": 5, "decay_rate": 0.7, "staircase": True}],
    "InverseTimeDecay": [{"initial_learning_rate": 0.1, "decay_steps": 5, "decay_rate": 0.7},
                         {"initial_learning_rate": 0.1, "decay_steps": 5, "decay_rate": 0.7, "staircase": True}],
    "PolynomialDecay": [{"initial_learning_rate": 0.1, "decay_steps": 7}, {"initial_learning_rate": 0.1, "decay_steps": 4, "power": 2.0, "cycle": True}],
    "PiecewiseConstantDecay": [{"boundaries": [4, 10], "values": [0.1, 0.05, 0.01]}],
    "CosineDecay": [{"initial_learning_rate": 0.1, "decay_steps": 9, "alpha": 0.1},
                    {"initial_learning_rate": 0.01, "decay_steps": 9, "warmup_target": 0.1, "warmup_steps": 4}],
    "CosineDecayRestarts": [{"initial_learning_rate": 0.1, "first_decay_steps": 6},
                            {"initial_learning_rate": 0.1, "first_decay_steps": 3, "t_mul": 1.0, "m_mul": 0.8},
                            {"initial_learning_rate": 0.1, "first_decay_steps": 3, "t_mul": 1.5, "alpha": 0.1}],
}  # fmt: skip


@pytest.mark.parametrize("name", list(catalogue("schedules")))
def test_schedules(name):
    for arguments in SCHEDULES[name]:
        ours = catalogue("schedules").get(name)(**arguments)
        theirs = getattr(keras.optimizers.schedules, name)(**arguments)
        for step in (0, 1, 4, 5, 11, 40):
            got = run(ours, np.array(step, np.float32))[0]
            assert float(got) == pytest.approx(float(theirs(step)), rel=2e-6)
        starts, grads = case()
        scheduled = twenty_steps(catalogue("optimizers").get("SGD")(learning_rate=ours), starts, grads)
        for a, b in zip(scheduled, keras_steps(keras.optimizers.SGD(learning_rate=theirs), starts, grads), strict=True):
            close(name, a, b, 2e-5)


@pytest.mark.parametrize("name", list(catalogue("regularizers")))
def test_regularizers(name):
    x = RNG.standard_normal((4, 3)).astype(np.float32)
    ours = catalogue("regularizers").get(name)(**({"l1": 0.1, "l2": 0.2} if name == "L1L2" else {}))
    close(name, run(ours, x)[0], np.asarray(keras_object(ours)(x)))


@pytest.mark.parametrize("arguments", [{}, {"side": "imag", "window": "hamming", "scaling": "spectrum", "periodic": True}, {"window": None, "scaling": None}])
def test_the_fourier_kernel(arguments):
    ours = np.asarray(catalogue("initializers").get("STFT")(**arguments)((32, 1, 17), 0))
    close("STFT", ours.astype(np.float32), np.asarray(keras.initializers.STFT(**arguments)((32, 1, 17))))


@pytest.mark.parametrize("name", [n for n in catalogue("initializers") if n != "STFT"])
def test_initializers_have_the_distribution_of_keras(name):
    shape = (60, 60) if name == "Identity" else (40, 30, 20)
    ours = catalogue("initializers").get(name)()
    x = np.asarray(ours(shape, 12345))
    theirs = np.asarray(getattr(keras.initializers, name)()(shape))
    spread = theirs.std()
    assert x.shape == shape and abs(x.mean() - theirs.mean()) <= 0.03 * max(spread, 1e-9) + 1e-9
    assert x.std() == pytest.approx(spread, rel=0.03, abs=1e-9)
    assert np.abs(x).max() == pytest.approx(np.abs(theirs).max(), rel=0.35, abs=1e-9)
    np.testing.assert_array_equal(x, ours(shape, 12345))
    if spread > 0 and name not in ("Identity",):
        assert not np.array_equal(x, ours(shape, 54321))


@pytest.mark.parametrize("name", ["GlorotNormal", "GlorotUniform", "HeNormal", "HeUniform", "LecunNormal", "LecunUniform", "VarianceScaling"])
@pytest.mark.parametrize("axes", [([0], [1, 2]), ([0, 2], [1]), ([-1], [])])
def test_fans_of_given_dimensions(name, axes):
    arguments = {"input_axes": axes[0], "output_axes": axes[1]}
    shape = (40, 30, 20)
    ours = catalogue("initializers").get(name)(**arguments)(shape, 7)
    theirs = np.asarray(getattr(keras.initializers, name)(seed=3, **arguments)(shape))
    assert ours.std() == pytest.approx(theirs.std(), rel=0.03)
    with pytest.raises(ValueError, match="axis 5 is outside"):
        catalogue("initializers").get(name)(input_axes=[5], output_axes=[0])(shape, 7)


def test_orthogonal_matrices_are():
    made = catalogue("initializers").get("Orthogonal")(gain=2.0)
    for shape in ((30, 20), (20, 30), (4, 5, 10)):
        m = np.asarray(made(shape, 7)).reshape(-1, shape[-1]) / 2
        product = m.T @ m if m.shape[0] >= m.shape[1] else m @ m.T
        np.testing.assert_allclose(product, np.eye(len(product)), atol=1e-12)


def test_every_entry_has_a_case():
    assert set(catalogue("losses")) == set(LOSSES)
    assert set(catalogue("metrics")) == set(METRICS)
    assert set(catalogue("optimizers")) == set(OPTIMIZERS)
    assert set(catalogue("schedules")) == set(SCHEDULES)


CONSTRAINTS = {
    "NonNeg": [{}], "MaxNorm": [{}, {"max_value": 0.5, "axis": [0, 1]}], "UnitNorm": [{}, {"axis": 1}],
    "MinMaxNorm": [{"min_value": 0.5}, {"min_value": 0.9, "max_value": 1.1, "rate": 0.3, "axis": 1}],
}  # fmt: skip


@pytest.mark.parametrize("name", list(catalogue("constraints")))
def test_constraints(name):
    w = RNG.standard_normal((4, 3)).astype(np.float32)
    for arguments in CONSTRAINTS[name]:
        ours, theirs = catalogue("constraints").get(name)(**arguments), getattr(keras.constraints, name)(**arguments)
        close(name, run(ours, w)[0], np.asarray(theirs(w)))
        starts, grads = case()
        theirs_now = keras_steps(keras.optimizers.Adam(0.1), starts[:1], [g[:1] for g in grads], theirs)
        ours_now = twenty_steps(catalogue("optimizers").get("Adam")(learning_rate=0.1), starts[:1], [g[:1] for g in grads], ours)
        close(f"{name} in training", ours_now[0], theirs_now[0], 2e-5)


def test_every_name_of_keras_is_understood():
    for kind, names in {
        "constraints": ["max_norm", "min_max_norm", "non_neg", "unit_norm"], "regularizers": ["l1", "l2", "l1_l2", "orthogonal_regularizer"],
    }.items():  # fmt: skip
        for name in names:
            assert catalogue(kind).get(name) is not None, name


def test_top_k_of_sorted_classes():
    ids = np.array([[2, 0, 1], [1, 2, 0], [0, 1, 2]], np.float32)
    y = np.array([0, 0, 2], np.int32)
    theirs = keras.metrics.SparseTopKCategoricalAccuracy(k=2, from_sorted_ids=True)
    theirs.update_state(y, ids)
    ours = catalogue("metrics").get("SparseTopKCategoricalAccuracy")(k=2, from_sorted_ids=True)
    assert measured(ours, [(y, ids)], None) == pytest.approx(float(theirs.result()))
