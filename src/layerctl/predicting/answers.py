"""Predictions in the words of the data: a class's text and its probability, numbers in their own unit."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from layerctl.data.dataset import Dataset
from layerctl.spec.features import FeatureSchema

CHUNK = 4096
"""The most rows that are read, predicted and written at a time."""
BATCH = 256
"""The fewest rows that are predicted at once, if there are as many."""


@dataclass(frozen=True)
class Predictions:
    """One piece of a stream: the rows as they were read, and the columns that were predicted for them."""

    rows: list[Any]
    columns: dict[str, list[Any]]
    arrays: dict[str, np.ndarray]


@dataclass(frozen=True)
class Answers:
    """How a model's results are told: its outputs' names, and which of them are logits (their loss turns them into probabilities)."""

    schema: FeatureSchema
    outputs: tuple[str, ...]
    logits: tuple[str, ...]

    def stream(
        self, pieces: Iterable[tuple[Dataset, list[dict[str, Any]]]], predict: Callable[[Dataset], dict[str, np.ndarray]]
    ) -> Iterator[Predictions]:  # fmt: skip
        """Predictions for pieces of rows, in order. The first rows of a series, which no window ends at, have the prediction None."""
        for rows, raw in pieces:
            arrays = predict(rows) if len(rows) else {}
            ahead = [None] * (len(raw) - len(rows))
            yield Predictions(raw, {n: [*ahead, *c] for n, c in self.columns(arrays).items()}, arrays)

    def columns(self, arrays: Mapping[str, np.ndarray]) -> dict[str, list[Any]]:
        """A class's text and its probability, or values, for each row; several outputs have their names before them."""
        out: dict[str, list[Any]] = {}
        for name, array in arrays.items():
            head = f"{name}_" if len(arrays) > 1 else ""
            own = name if len(self.outputs) > 1 else None
            classes = self.schema.classes(own)
            flat = array.reshape(len(array), -1)
            if classes is not None and name in self.outputs and flat.shape[1] in (1, len(classes)):
                ids, p = _decided(flat, name in self.logits)
                out[f"{head}prediction"] = [classes[i] if i < len(classes) else str(i) for i in ids]
                out[f"{head}probability"] = [float(v) for v in p]
            elif flat.shape[1] == 1:
                values = flat[:, 0].astype(np.float64)
                if name in self.outputs:
                    values = self.schema.unscaled(values, own)
                out[f"{head}prediction"] = [float(v) for v in values]
            else:
                for j in range(flat.shape[1]):
                    out[f"{head}prediction_{j}"] = [float(v) for v in flat[:, j]]
        return out


def field(v: Any) -> str:
    """A value as it stands in a table."""
    return "" if v is None else f"{v:.9g}" if isinstance(v, float) else str(v)


def probabilities(flat: np.ndarray, logits: bool) -> np.ndarray:
    """Outputs (rows, 1 or classes) as float64 probabilities: logits through the function that their loss puts before them."""
    values = flat.astype(np.float64)
    if not logits:
        return values
    if values.shape[1] == 1:
        return 1.0 / (1.0 + np.exp(-values))
    e = np.exp(values - values.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)


def _decided(flat: np.ndarray, logits: bool) -> tuple[np.ndarray, np.ndarray]:
    """(class ids, their probabilities)."""
    values = probabilities(flat, logits)
    if values.shape[1] == 1:
        ids = (values[:, 0] > 0.5).astype(np.int64)
        return ids, np.where(ids == 1, values[:, 0], 1.0 - values[:, 0])
    ids = values.argmax(axis=1)
    return ids, values[np.arange(len(ids)), ids]
