"""Predictions in the words of the data: a class's text and its probability, numbers in their own unit."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from layerctl.data.dataset import Dataset
from layerctl.data.pieces import Piece
from layerctl.data.table import Table
from layerctl.diagnostics import Source, Span, fail
from layerctl.predicting import telling
from layerctl.predicting.columns import Column, Numbers, Texts
from layerctl.spec.features import FeatureSchema

CHUNK = 16384
"""The most rows that are read, predicted and written at a time."""
BATCH = 256
"""The fewest rows that are predicted at once, if there are as many."""


WITH_PROBABILITIES = ("category", "labels")
"""Kinds of targets that have a probability for each class or label of a row."""


@dataclass(frozen=True)
class Wanted:
    """What is told of classes besides the one and its probability: with `every` each one's probability, with `top` the likeliest few instead.

    Labels are told with each one's probability anyway. With `arrays` nothing is told: the results alone are wanted.
    """

    every: bool = False
    top: int | None = None
    arrays: bool = False


PLAIN = Wanted()
Threshold = float | Mapping[str, float]
"""That of an output with two classes, or of an output's labels by their names."""


@dataclass(frozen=True, eq=False)
class Predictions:
    """One piece of a stream: the rows as they were read, the columns that were predicted for them, and the model's results.

    `table` has a row for each row of `told`; `arrays` only those that could be predicted: not the first of a series, nor bad ones.
    """

    table: Table
    told: dict[str, Column]
    arrays: dict[str, np.ndarray]

    @property
    def columns(self) -> dict[str, list[Any]]:
        """The columns as lists of texts and numbers; None where there is no prediction."""
        return {n: c.tolist() for n, c in self.told.items()}


@dataclass(frozen=True)
class Answers:
    """How a model's results are told.

    Attributes:
        outputs: the model's outputs, and `logits` those of them that are logits (their loss turns them into probabilities).
        thresholds: above which probability the second of two classes is predicted, or each label, where an output has thresholds of its own.
        shapes: of a row's results, where they are known.
    """

    schema: FeatureSchema
    outputs: tuple[str, ...]
    logits: tuple[str, ...]
    thresholds: Mapping[str, Threshold] = field(default_factory=dict)
    wanted: Wanted = PLAIN
    shapes: Mapping[str, tuple[int, ...]] = field(default_factory=dict)

    def stream(self, pieces: Iterable[Piece], predict: Callable[[Dataset, bool], dict[str, np.ndarray]]) -> Iterator[Predictions]:
        """Predictions for pieces of rows, in order; `predict` is told of rows and whether they are of a stream.

        The first rows of a series, which no window ends at, have no prediction.
        """
        for piece in pieces:
            arrays = predict(piece.rows, piece.arriving) if len(piece.rows) else self.nothing()
            told = self.columns(arrays, piece.rows.inputs) if not self.wanted.arrays else {}
            arrays = self.probabilities(arrays) if self.wanted.every else arrays
            if piece.places is not None:
                told = {n: c.spread(piece.places, len(piece.table)) for n, c in told.items()}
            if len(piece.table):
                yield Predictions(piece.table, told, arrays)

    def nothing(self) -> dict[str, np.ndarray]:
        """Results for no row; of what width, is not known of other layers than the outputs."""
        return {n: np.zeros((0, *self.shapes[n]), np.float32) for n in self.outputs if n in self.shapes}

    def columns(self, arrays: Mapping[str, np.ndarray], inputs: Mapping[str, np.ndarray] | None = None) -> dict[str, Column]:
        """A class's text and its probability, or values, for each row; several outputs have their names before them.

        `inputs` say how many steps a row of a sequence has.
        """
        out: dict[str, Column] = {}
        for name, array in arrays.items():
            head = f"{name}_" if len(arrays) > 1 else ""
            own = name if len(self.outputs) > 1 else None
            classes = self.schema.classes(own)
            flat = array.reshape(len(array), int(np.prod(array.shape[1:], dtype=np.int64)))
            bound = self.thresholds.get(name)
            single, labels = (None, bound) if isinstance(bound, Mapping) else (bound, None)
            special = None
            if name in self.outputs:
                special = telling.told(self.schema, own, array, name in self.logits, inputs, labels, self.wanted.top)
            if special is not None:
                out |= {f"{head}{n}": _column(c) for n, c in special.items()}
            elif classes is not None and name in self.outputs and flat.shape[1] in (1, len(classes)):
                out |= self._classes(head, classes, _of_classes(probabilities(flat, name in self.logits)), single)
            elif flat.shape[1] == 1:
                values = flat[:, 0].astype(np.float64)
                out[f"{head}prediction"] = Numbers(self.schema.unscaled(values, own) if name in self.outputs else values)
            else:
                out |= {f"{head}prediction_{j}": Numbers(np.ascontiguousarray(flat[:, j], np.float64)) for j in range(flat.shape[1])}
        return out

    def _classes(self, head: str, classes: list[str], p: np.ndarray, threshold: float | None) -> dict[str, Column]:
        """What is told of class probabilities (rows, classes)."""
        names = classes if len(classes) == p.shape[1] else [*classes, *map(str, range(len(classes), p.shape[1]))][: p.shape[1]]
        rows = np.arange(len(p))
        if self.wanted.top is not None:
            order = np.argsort(-p, axis=1, kind="stable")[:, : self.wanted.top]
            out: dict[str, Column] = {}
            for j in range(order.shape[1]):
                out[f"{head}prediction_{j + 1}"] = Texts(order[:, j], names)
                out[f"{head}probability_{j + 1}"] = Numbers(p[rows, order[:, j]])
            return out
        ids = decided(p, threshold)
        out = {f"{head}prediction": Texts(ids, names), f"{head}probability": Numbers(p[rows, ids])}
        if self.wanted.every:
            out |= {f"{head}probability_{c}": Numbers(np.ascontiguousarray(p[:, j])) for j, c in enumerate(names)}
        return out

    def probabilities(self, arrays: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Results with each class's or label's probability, float64 (rows, classes), for the outputs that have such; the others as they are."""
        out = dict(arrays)
        for name in self.outputs:
            target = self.schema.target(name if len(self.outputs) > 1 else None)
            if name in arrays and target is not None and target.kind in WITH_PROBABILITIES:
                flat = arrays[name].reshape(len(arrays[name]), int(np.prod(arrays[name].shape[1:], dtype=np.int64)))
                if target.kind == "labels":
                    out[name] = telling.sigmoid(flat.astype(np.float64)) if name in self.logits else flat.astype(np.float64)
                else:
                    out[name] = _of_classes(probabilities(flat, name in self.logits))
        return out

    def check(self, layers: Sequence[str] = ()) -> None:
        """Whether what is wanted can be told, of all outputs or of `layers` alone.

        Raises:
            LayerctlError: `bad-option` where no output has classes or labels.
        """
        kinds = {t.kind for t in self.schema.targets.values()}
        option = "--proba" if self.wanted.every else "--top"
        if not (self.wanted.every or self.wanted.top is not None):
            return
        if layers and not set(layers) & set(self.outputs):
            fail("bad-option", f"{option} tells of classes' probabilities, and --layer names no output", Span(Source(option)),
                 hint=f"leave {option} out, or name an output too: --layer {self.outputs[0]}")  # fmt: skip
        if kinds & set(WITH_PROBABILITIES):
            return
        if kinds & {"sequence", "next"}:
            fail("bad-option", f"{option} has a column for a class, and the model tells one for each step", Span(Source(option)),
                 hint="`--format npz` writes the numbers of each step as they are")  # fmt: skip
        fail("bad-option", f"{option} tells of classes' probabilities, and the model's targets have no classes", Span(Source(option)),
             hint=f"leave {option} out: numbers are predicted as they are")  # fmt: skip


def _column(found: np.ndarray | list[str]) -> Column:
    if isinstance(found, np.ndarray):
        return Numbers(found)
    known: dict[str, int] = {}
    codes = [known.setdefault(text, len(known)) for text in found]
    return Texts(np.array(codes, np.int64), list(known))


def probabilities(flat: np.ndarray, logits: bool) -> np.ndarray:
    """Outputs (rows, 1 or classes) as float64 probabilities: logits through the function that their loss puts before them."""
    values = flat.astype(np.float64)
    if not logits:
        return values
    if values.shape[1] == 1:
        return 1.0 / (1.0 + np.exp(-values))
    e = np.exp(values - values.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)


def _of_classes(p: np.ndarray) -> np.ndarray:
    """Probabilities (rows, classes): one number a row is that of the second of two classes."""
    return np.concatenate([1.0 - p, p], axis=1) if p.shape[1] == 1 else p


def decided(p: np.ndarray, threshold: float | None = None) -> np.ndarray:
    """The class of each row (int64): the likeliest, or of two classes the second where its probability is above the threshold."""
    if p.shape[1] == 2 and threshold is not None:
        return (p[:, 1] > threshold).astype(np.int64)
    return p.argmax(axis=1)
