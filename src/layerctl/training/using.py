"""Using a model: rows from arrays, files and streams; predictions in the words of the data; gradients."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from layerctl.data.dataset import Dataset, load_for_evaluation
from layerctl.data.faults import Faults
from layerctl.data.pieces import pieces
from layerctl.diagnostics import LayerctlError, fail
from layerctl.ops.texts import packed
from layerctl.ops.value import DTYPES, ShapeError, Unknown, shown
from layerctl.predicting.ahead import ahead
from layerctl.predicting.answers import BATCH, CHUNK, PLAIN, Answers, Predictions, Wanted
from layerctl.spec.data import DataSpec, FeatureSpec
from layerctl.spec.features import ColumnFit, FeatureFit, FeatureSchema
from layerctl.training.beforehand import check_classes, class_number, match_targets, missing_target

if TYPE_CHECKING:
    from layerctl.api import Model
    from layerctl.graph.judging import Output


def rows_of(model: Model, x: Any) -> Dataset:
    """Arrays as rows to predict for: one array, a list in the inputs' order, or a dict by input.

    Raises:
        LayerctlError: for arrays that the model's inputs cannot take.
    """
    return dataset_of(model, x, None)


def dataset_of(model: Model, x: Any, y: Any, sample_weight: Any = None) -> Dataset:
    """Arrays as a data set, checked against the model's inputs. Weights are a number for each row, or for each step of each row."""
    if isinstance(x, Dataset):
        return x
    graph = model.graph
    inputs = _named(x, list(graph.inputs), "input")
    for name, port in graph.inputs.items():
        if name not in inputs:
            fail(
                "missing-input",
                f"the model's input '{name}' is not given",
                hint=f"its inputs are {', '.join(graph.inputs)}",
            )
        inputs[name] = _checked(name, inputs[name], port.shape, port.dtype)
    targets = {}
    if y is not None:
        for name, array in _named(y, graph.outputs, "output").items():
            array = np.asarray(array)
            kind = np.int32 if array.dtype.kind in "iub" else np.float32
            targets[name] = np.ascontiguousarray(array.astype(kind, copy=False))
    weights = None if sample_weight is None else _weights(sample_weight)
    n = len(next(iter(inputs.values())))
    for name, array in {**inputs, **targets, **({} if weights is None else {"sample_weight": weights})}.items():
        if len(array) != n:
            fail("wrong-rows", f"'{name}' has {len(array)} rows, the first input has {n}", hint="inputs and targets have a row for each row")
    rows = Dataset.of_arrays({k: inputs[k] for k in graph.inputs}, targets)
    return rows if weights is None else rows.with_targets(rows.targets, weights)


def _weights(given: Any) -> np.ndarray:
    weights = np.asarray(given)
    if weights.ndim not in (1, 2) or weights.dtype.kind not in "fiub":
        fail("wrong-dtype", f"sample_weight needs numbers of shape (rows) or (rows, steps), got {weights.dtype} {shown(weights.shape)}",
             hint="give each row a number of at least 0")  # fmt: skip
    weights = np.ascontiguousarray(weights.astype(np.float32, copy=False))
    if not (np.isfinite(weights) & (weights >= 0)).all():
        fail("bad-value", f"sample_weight has {weights[~(np.isfinite(weights) & (weights >= 0))][0]:g}", hint="give each row a number of at least 0")
    return weights


def _named(x: Any, names: list[str], what: str) -> dict[str, Any]:
    if isinstance(x, Mapping):
        for name in x:
            if name not in names:
                fail(f"unknown-{what}", f"the model has no {what} '{name}'", hint=f"it has {', '.join(names)}")
        return dict(x)
    if isinstance(x, (list, tuple)) and len(names) > 1:
        return dict(zip(names, x, strict=False))
    return {names[0]: x}


def _checked(name: str, array: Any, shape: tuple[int | None, ...] | None, dtype: str) -> np.ndarray:
    array = np.asarray(array)
    if dtype == "u8":
        array = _texts(name, array)
    if array.dtype.kind not in "fiub":
        fail("wrong-dtype", f"the input '{name}' needs numbers, got {array.dtype}",
             hint="make it an array of numbers, or train with a `data` section, whose features do")  # fmt: skip
    wanted = np.dtype(DTYPES[dtype])
    if wanted.kind == "i" and array.dtype.kind == "f" and not np.array_equal(array, np.trunc(array)):
        fail("wrong-dtype", f"the input '{name}' needs whole numbers", hint="round them, or give them as int32")
    if wanted.kind == "i" and array.size and (array.max() > np.iinfo(wanted).max or array.min() < np.iinfo(wanted).min):
        fail("out-of-range", f"the input '{name}' has numbers beyond {wanted}", hint="ids that an Embedding takes count from 0")
    if shape is not None:
        fits = array.ndim == len(shape) + 1 and all(
            a is None or a == b for a, b in zip(shape, array.shape[1:], strict=True)
        )
        if not fits:
            fail("shape", f"the input '{name}' needs the shape {shown((None, *shape))}, got {array.shape}", hint="the first dimension is the rows'")
    return np.ascontiguousarray(array.astype(wanted, copy=False))


def _texts(name: str, array: np.ndarray) -> np.ndarray:
    """Texts as bytes."""
    if array.dtype.kind not in "USO" or any(not isinstance(t, (str, bytes)) for t in array.ravel().tolist()):
        fail("wrong-dtype", f"the input '{name}' needs texts, got {array.dtype}", hint="give an array of str or bytes")
    return packed(array)


def prepared(model: Model, rows: Dataset | None, *, training: bool = False) -> Dataset | None:
    """The rows with targets as the losses take them: class ids become rows of zeros with a one for losses of distributions; ids are checked.

    Rows of `training` are weighted by their class as `fit.class_weight` says.
    """
    if rows is None:
        return None
    targets = dict(match_targets(model.graph, rows.targets, model.spec.data_span("target")))
    if training:
        _check_inputs(model, rows)
    for name, judged in model.outputs.items():
        array = targets.get(name)
        if array is None and judged.loss is not None and training and model.spec.data is not None:
            raise LayerctlError(missing_target(model, name, targets))
        if array is None or judged.loss is None:
            continue
        shape = model.output_shapes[name]
        distribution = next((part.loss for part in judged.losses if part.loss.distributions and part.loss.target_classes(shape)), None)
        if distribution is not None and array.ndim < len(shape) and array.dtype.kind == "i":
            width = distribution.target_classes(shape) or 1
            _check_ids(model, name, array, width)
            targets[name] = np.ascontiguousarray(np.moveaxis(np.eye(width, dtype=np.float32)[array], -1, getattr(distribution, "axis", -1)))
        elif judged.loss.classes:
            _check_whole(name, array, judged)
            targets[name] = array = np.ascontiguousarray(array.astype(np.int32, copy=False))
            classes = judged.loss.target_classes(shape)
            if classes is not None:
                _check_ids(model, name, array, classes, getattr(judged.loss, "ignore_class", None))
        elif array.ndim == len(shape) and array.shape[-1] == 1 < shape[-1]:
            text = f"the output has {shape[-1]} numbers for a target of one"
            judged.refuse(name, judged.loss, ShapeError(text))
        elif array.dtype.kind == "i":
            targets[name] = np.ascontiguousarray(array.astype(np.float32, copy=False))
        _check_truths(name, targets[name], judged)
    weights = _class_weights(model, rows) if training else rows.weights
    same = all(targets[n] is rows.targets.get(n) for n in targets) and weights is rows.weights
    return rows if same else rows.with_targets(targets, weights)


def _check_ids(model: Model, name: str, ids: np.ndarray, width: int, ignored: int | None = None) -> None:
    bad = (ids < 0) | (ids >= width)
    if ignored is not None:
        bad &= ids != ignored
    if bad.any():
        at = int(np.argmax(bad.reshape(len(ids), -1).any(axis=1)))
        place = next((s.span for s in model.graph.steps if name in s.names), None)
        fail("label-out-of-range", f"the target of '{name}' has class {int(ids[bad][0])} in row {at}; the output has {width} classes (0 to {width - 1})", place,
             hint=f"classes take a unit each: {int(ids.max()) + 1} here; one unit is for a number, and mean_squared_error" if width == 1
             else "classes count from 0; `kind: category` in the target numbers labels of any kind" if ids[bad][0] < 0
             else f"give the last layer {int(ids.max()) + 1} units, or correct the labels")  # fmt: skip


def _check_whole(name: str, target: np.ndarray, judged: Output) -> None:
    """What a loss of classes takes are their numbers."""
    if target.dtype.kind == "f" and not np.array_equal(target, np.trunc(target)):
        value, kind = target[target != np.trunc(target)][0], type(judged.loss).__name__
        place = judged.places.get(id(judged.loss))
        fail("bad-label", f"the loss {kind} takes classes, but the target of '{name}' has numbers such as {value:g}", place,
             hint="numbers take one unit and `loss: mean_squared_error`; if each number is a class, say `kind: category` in the target")  # fmt: skip


def _check_inputs(model: Model, rows: Dataset) -> None:
    """What an Embedding reads directly are ids of its rows: others would be taken for the nearest."""
    for step in model.graph.steps:
        size = getattr(step.layer, "input_dim", None)
        given = rows.inputs.get(step.sources) if isinstance(step.sources, str) and size is not None else None
        if given is None or not given.size or given.dtype.kind not in "if":
            continue
        least, most = given.min(), given.max()
        if least < 0 or most >= size:
            fail("out-of-range", f"'{step.names[0]}' takes ids from 0 to {size - 1}, but those of '{step.sources}' are from {least:g} to {most:g}", step.span,
                 hint=f"write `input_dim: {int(most) + 1}`" if least >= 0 else "ids count from 0: `kind: category, encode: index` makes them")  # fmt: skip


def _check_truths(name: str, target: np.ndarray, judged: Output) -> None:
    """Binary crossentropies compare with numbers from 0 to 1."""
    loss = next((part.loss for part in judged.losses if type(part.loss).__name__ in ("BinaryCrossentropy", "BinaryFocalCrossentropy")), None)
    if loss is None or not target.size or (target.min() >= 0 and target.max() <= 1):
        return
    fail("bad-label", f"the loss {type(loss).__name__} takes targets from 0 to 1, but those of '{name}' are from {target.min():g} to {target.max():g}",
         judged.places.get(id(loss)),
         hint="classes take a unit each, `activation: softmax` and sparse_categorical_crossentropy; numbers take mean_squared_error")  # fmt: skip


def _class_weights(model: Model, rows: Dataset) -> np.ndarray | None:
    """Sample weights, float32 (rows) or (rows, steps), times those of the rows' classes.

    Raises:
        LayerctlError: for a target without classes, and for a name that is no class.
    """
    given = model.spec.fit.class_weight
    if given is None:
        return rows.weights
    target = next(iter(rows.targets.values()))
    classes = check_classes(model) or []
    ids = target if target.dtype.kind in "iu" else target.argmax(-1) if target.ndim > 1 and target.shape[-1] > 1 else target.reshape(-1).astype(np.int64)
    table = np.ones(max(len(classes), int(ids.max(initial=0)) + 1), np.float64)
    if given == "balanced":
        counted = ids[rows.weights > 0] if rows.weights is not None and rows.weights.shape == ids.shape else ids
        counts = np.bincount(counted.ravel(), minlength=len(table))
        table = np.where(counts > 0, counted.size / (len(table) * np.maximum(counts, 1)), 0.0)
    else:
        for key, weight in given.items():
            table[class_number(model, key, classes or list(map(str, range(len(table)))))] = weight
    own = table.astype(np.float32)[ids]
    if rows.weights is None:
        return own
    return own * rows.weights.reshape(*rows.weights.shape, *[1] * (own.ndim - rows.weights.ndim))


def evaluation_rows(model: Model, data: Any, y: Any, split: str, sample_weight: Any = None) -> Dataset:
    """The rows to judge by: a split of the data section, a file, or arrays, with targets as the losses take them."""
    out = prepared(model, rows_to_judge(model, data, y, split, sample_weight))
    assert out is not None
    return out


def rows_to_judge(model: Model, data: Any, y: Any, split: str, sample_weight: Any = None) -> Dataset:
    """The same with targets as the features made them: class ids are whole numbers."""
    if not any(o.loss or o.metrics for o in model.outputs.values()):
        fail(
            "missing-section",
            "there is nothing to evaluate by: the file has no loss and no metrics",
            model.spec.document.root.span,
            hint="add `compile: {loss: …, metrics: […]}` and train again",
        )
    if y is not None:
        rows = dataset_of(model, data, y, sample_weight)
    elif isinstance(data, Dataset):
        rows = data
    elif data is not None:
        if model.schema is None:
            fail(
                "missing-section",
                "a file can only be read by a model with a data section",
                model.spec.document.root.span,
                hint="give the rows as arrays from Python, or train with a `data` section",
            )
        rows = load_for_evaluation(data, model.schema, model.spec.data)
    else:
        rows = getattr(model.data, split)
        if rows is None or not len(rows):
            fail("no-rows", f"the data section splits off no {split} rows", model.spec.span(("data",)),
                 hint=f"add `split: {{{split}: 0.2}}`, or give a file of data")  # fmt: skip
    if not len(rows):
        fail("no-rows", "there are no rows to evaluate on", hint="give a file with rows, or a larger share for `test` in `split`")
    return rows


def predict_stream(
    model: Model, source: Any, *, input_format: str | None = None, batch_size: int | None = None, layers: tuple[str, ...] = (),
    wanted: Wanted = PLAIN, faults: Faults | None = None,
) -> Iterator[Predictions]:  # fmt: skip
    """Predictions for a file or a stream, piece by piece and in order, in bounded memory; `faults` says what becomes of bad rows.

    A model without a data section takes its inputs' numbers as they are: arrays of their names, or columns NAME_0, NAME_1, ...
    """
    answers = replace(answers_of(model), wanted=wanted)
    answers.check(layers)
    size = batch_size or batch_of_predictions(model)
    schema = model.schema or plain_schema(model)
    data = model.spec.data or DataSpec(source="-", features={n: FeatureSpec() for n in schema.features})

    def predict(rows: Dataset, arriving: bool) -> dict[str, np.ndarray]:
        fit = rows if model.schema is not None else dataset_of(model, dict(rows.inputs), None)
        return model.session(fit).predict(fit, size, layers, arriving)

    yield from answers.stream(ahead(pieces(source, schema, data.reading(), CHUNK, input_format, faults)), predict)


def plain_schema(model: Model) -> FeatureSchema:
    """What a model without a data section reads: each input's numbers, neither scaled nor encoded.

    Raises:
        LayerctlError: for inputs of texts or of open sizes, which no table holds.
    """
    features = {}
    for name, port in model.graph.inputs.items():
        if port.dtype == "u8" or port.shape is None or any(d is None for d in port.shape):
            fail("missing-section", f"the input '{name}' {shown((None, *(port.shape or ())))} cannot be read from a file without a data section",
                 port.span, hint="predict from Python with arrays, or add a data section")  # fmt: skip
        features[name] = FeatureFit("array", [int(d) for d in port.shape or ()], port.dtype, [ColumnFit(name, "number")])
    return FeatureSchema(features, {})


def batch_of_predictions(model: Model) -> int:
    """The most rows that are predicted at once, where nobody says."""
    return max(model.spec.fit.batch_size, BATCH)


def answers_of(model: Model) -> Answers:
    """How the model's results are told."""
    schema = model.schema or FeatureSchema({}, {})
    logits = [n for n, o in model.outputs.items() if getattr(o.loss, "from_logits", False)]
    return Answers(schema, tuple(model.graph.outputs), tuple(logits), model.thresholds, shapes=_shapes(model))


def _shapes(model: Model) -> dict[str, tuple[int, ...]]:
    """The shapes of the outputs of a row, as far as the file says them."""
    found = {n: tuple(s[1:]) for n, s in model.output_shapes.items()}
    return {n: tuple(map(int, s)) for n, s in found.items() if not any(isinstance(d, Unknown) or d is None for d in s)}


def gradients(model: Model, x: Any, y: Any) -> dict[str, np.ndarray]:
    """d loss / d weight for each trainable weight, the rows taken as one batch in training mode; zeros where the loss does not depend on it."""
    from layerctl.compile.step import trainable, weight_gradients
    from layerctl.training.session import batch_of

    rows = prepared(model, dataset_of(model, x, y), training=True)
    assert rows is not None
    session = model.session(rows)
    program, found = weight_gradients(session.task, batch_of(rows, len(rows)))
    bound = session.run_once(program, rows)
    made = {w.path: bound.output(w.path).copy() for w in found}
    return {w.path: made.get(w.path, np.zeros(w.shape, np.float32)) for w in trainable(session.task)}
