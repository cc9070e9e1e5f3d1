"""What a model's outputs are worth on rows whose targets are known: as classes, as labels, or as numbers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from layerctl.predicting.answers import probabilities
from layerctl.predicting.telling import HALF, named_numbers, sigmoid

if TYPE_CHECKING:
    from layerctl.api import Model
    from layerctl.data.dataset import Dataset
    from layerctl.spec.features import FeatureSchema, TargetFit

BINS = 10
"""Intervals of probability for calibration."""


@dataclass(frozen=True)
class Classified:
    """A categorical output: `true` and `told` are class ids by what is judged, `shares` (judged, classes) the probabilities or scores.

    What is judged is a row, or each step of a sequence; `rows` says of which row it is. `honest` says that `shares` are probabilities. The last
    `strange` classes are none that the model can tell.
    """

    name: str
    classes: list[str]
    true: np.ndarray
    told: np.ndarray
    shares: np.ndarray
    rows: np.ndarray
    honest: bool
    strange: int = 0

    @property
    def confidence(self) -> np.ndarray:
        """What the model gave to the class that it told."""
        return self.shares[np.arange(len(self.told)), self.told]


    def joined(self, other: Classified, classes: Sequence[str]) -> Classified:
        """With rows of classes that the model cannot tell."""
        names = list(dict.fromkeys(classes))
        shares = np.concatenate([self.shares, other.shares])
        shares = np.concatenate([shares, np.zeros((len(shares), len(names)))], axis=1)
        true = np.array([len(self.classes) + names.index(c) for c in classes], np.int64)
        return Classified(
            self.name, [*self.classes, *names], np.concatenate([self.true, true]), np.concatenate([self.told, other.told]), shares,
            np.concatenate([self.rows, other.rows + len(self.rows)]), self.honest, len(names),
        )  # fmt: skip


@dataclass(frozen=True)
class Measured:
    """A numeric output in the target's own unit: `true` and `told` are (rows, numbers of a row).

    What an autoencoder gives back stays as the model scales it, so that numbers of different units can be added up. `columns` are those of an
    output of several, each in its own unit; none where a row's numbers are no columns, as of pictures.
    """

    name: str
    true: np.ndarray
    told: np.ndarray
    columns: tuple[Measured, ...] = ()


@dataclass(frozen=True)
class Labelled:
    """An output of labels that hold or not, each by itself: `true` and `told` are bool (rows, labels), `shares` the labels' probabilities or scores."""

    name: str
    labels: list[str]
    true: np.ndarray
    told: np.ndarray
    shares: np.ndarray
    honest: bool

    def one(self, j: int) -> Classified:
        """One label as two classes: that it does not hold, and that it does."""
        shares = np.stack([1.0 - self.shares[:, j], self.shares[:, j]], axis=1)
        names, told = [f"not {self.labels[j]}", self.labels[j]], self.told[:, j].astype(np.int64)
        return Classified(self.name, names, self.true[:, j].astype(np.int64), told, shares, np.arange(len(told)), self.honest)

    def pooled(self) -> Classified:
        """All labels of all rows together, as whether each holds."""
        p, true, told = self.shares.reshape(-1), self.true.reshape(-1).astype(np.int64), self.told.reshape(-1).astype(np.int64)
        return Classified(self.name, ["no", "a label"], true, told, np.stack([1.0 - p, p], axis=1), np.arange(len(p)) // len(self.labels), self.honest)


Judged = Classified | Labelled | Measured
"""What an output is judged as."""


def judged(model: Model, rows: Dataset, outputs: dict[str, np.ndarray]) -> list[Judged]:
    """Each output that has a target and can be compared with it."""
    from layerctl.training.beforehand import match_targets

    out: list[Judged] = []
    targets = match_targets(model.graph, rows.targets)
    for name, array in outputs.items():
        true = targets.get(name)
        found = _judged(model, name, np.asarray(true), array) if true is not None else None
        if found is not None:
            out.append(found)
    return out


def _judged(model: Model, name: str, true: np.ndarray, told: np.ndarray) -> Judged | None:
    own = name if len(model.graph.outputs) > 1 else None
    classes = model.schema.classes(own) if model.schema is not None else None
    loss = model.outputs[name].loss
    if true.dtype.kind in "iu" and (classes is not None or getattr(loss, "classes", False)):
        return _classified(name, classes, true, told, getattr(loss, "from_logits", False), getattr(loss, "ignore_class", None))
    if true.dtype.kind == "f" and true.reshape(len(true), -1).shape == told.reshape(len(told), -1).shape:
        flat = [a.reshape(len(a), -1).astype(np.float64) for a in (true, told)]
        target = model.schema.target(own) if model.schema is not None else None
        if target is not None and target.kind == "labels" and len(target.classes) == flat[1].shape[1]:
            return _labelled(name, target.classes, *flat, getattr(loss, "from_logits", False))
        if model.schema is None or target is None:
            return Measured(name, *flat)
        columns = _columns(model.schema, target, *flat)
        return Measured(name, *(np.asarray(model.schema.unscaled(a, own)) for a in flat), columns)
    return None


def _columns(schema: FeatureSchema, target: TargetFit, true: np.ndarray, told: np.ndarray) -> tuple[Measured, ...]:
    """The columns of several numbers, each in its own unit."""
    named = named_numbers(schema, target, true.shape[1]) or []
    if len(named) < 2 or (target.kind == "input" and len(named) != len(schema.features[target.column].columns)):
        return ()
    return tuple(Measured(n, *(a[:, j : j + 1] * spread + centre for a in (true, told))) for j, (n, centre, spread) in enumerate(named))


def _labelled(name: str, labels: list[str], true: np.ndarray, told: np.ndarray, logits: bool) -> Labelled:
    shares = np.nan_to_num(sigmoid(told) if logits else told, nan=0.0, posinf=0.0, neginf=0.0)
    honest = bool((shares >= -1e-6).all() and (shares <= 1 + 1e-6).all())
    return Labelled(name, list(labels), true > HALF, shares > HALF, shares, honest)


def _classified(name: str, classes: list[str] | None, true: np.ndarray, told: np.ndarray, logits: bool, ignored: int | None) -> Classified | None:
    """Sequences are judged step by step; targets that the loss ignores, or that are no class, are left out."""
    ids = true.reshape(-1).astype(np.int64)
    width = told.shape[-1] if told.size != ids.size else 1
    if told.size != ids.size * width or not ids.size:
        return None
    shares = probabilities(told.reshape(-1, width), logits)
    if width == 1:
        shares = np.concatenate([1.0 - shares, shares], axis=1)
    known = (ids >= 0) & (ids < shares.shape[1])
    if ignored is not None:
        known &= ids != ignored
    if not known.any():
        return None
    shares = np.nan_to_num(shares[known], nan=0.0, posinf=0.0, neginf=0.0)
    names = [classes[i] if classes is not None and i < len(classes) else str(i) for i in range(shares.shape[1])]
    honest = bool((shares >= -1e-6).all() and (abs(shares.sum(axis=1) - 1.0) < 1e-3).all())
    return Classified(name, names, ids[known], shares.argmax(axis=1), shares, np.flatnonzero(known) // (ids.size // len(true)), honest)


def tallies(c: Classified) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """By class: how often it was told rightly, told, and true."""
    n = len(c.classes)
    return np.bincount(c.true[c.true == c.told], minlength=n), np.bincount(c.told, minlength=n), np.bincount(c.true, minlength=n)


def confusion(c: Classified, kept: np.ndarray | None = None) -> np.ndarray:
    """Counts (true class, told class) of all classes, or among some, in their order: a square of all may be too large."""
    kept = np.arange(len(c.classes)) if kept is None else kept
    place = np.full(len(c.classes), -1)
    place[kept] = np.arange(len(kept))
    true, told = place[c.true], place[c.told]
    both, n = (true >= 0) & (told >= 0), len(kept)
    return np.bincount(true[both] * n + told[both], minlength=n * n).reshape(n, n)


def table_of_classes(c: Classified) -> list[tuple[float, float, float, int]]:
    """(precision, recall, F1, rows) of each class; NaN where nothing was told of it, or nothing is of it."""
    out = []
    for h, t, r in zip(*(a.tolist() for a in tallies(c)), strict=True):
        precision, recall = h / t if t else float("nan"), h / r if r else float("nan")
        out.append((precision, recall, 2 * h / (t + r) if t + r else float("nan"), int(r)))
    return out


@dataclass(frozen=True)
class Curve:
    """A class against the rest as its threshold falls; `area` is that under the line."""

    name: str
    x: np.ndarray
    y: np.ndarray
    area: float


def roc(c: Classified, of: int) -> Curve | None:
    """False positives against true positives; None where all rows or none are of the class. The area is by trapezia."""
    counted = _counted(c, of)
    if counted is None:
        return None
    hits, misses = counted
    x, y = np.append(0.0, misses / misses[-1]), np.append(0.0, hits / hits[-1])
    return Curve(c.classes[of], x, y, float(np.sum(np.diff(x) * (y[1:] + y[:-1]) / 2)))


def precision_recall(c: Classified, of: int) -> Curve | None:
    """Recall against precision; the area is the average precision, the sum of precision over the steps of recall."""
    counted = _counted(c, of)
    if counted is None:
        return None
    hits, misses = counted
    recall, precision = hits / hits[-1], hits / (hits + misses)
    area = float(np.sum(np.diff(np.append(0.0, recall)) * precision))
    return Curve(c.classes[of], np.append(0.0, recall), np.append(precision[0], precision), area)


def _counted(c: Classified, of: int) -> tuple[np.ndarray, np.ndarray] | None:
    """(rows of the class, other rows) at or above each threshold that occurs."""
    score, positive = c.shares[:, of], c.true == of
    if not positive.any() or positive.all():
        return None
    order = np.argsort(-score, kind="stable")
    last = np.append(np.flatnonzero(np.diff(score[order])), len(order) - 1)
    hits = np.cumsum(positive[order])[last].astype(float)
    return hits, last + 1.0 - hits


@dataclass(frozen=True)
class Calibration:
    """By interval of probability: how often the model was right there, what it said, how many rows; and the mean difference (ECE)."""

    said: np.ndarray
    right: np.ndarray
    rows: np.ndarray
    error: float


def calibration(c: Classified) -> Calibration:
    """Two classes: by the second's probability; several: by the told class's (expected calibration error, Naeini et al. 2015)."""
    if len(c.classes) == 2:
        said, right = c.shares[:, 1], c.true == 1
    else:
        said, right = c.confidence, c.true == c.told
    at = np.clip((said * BINS).astype(int), 0, BINS - 1)
    rows = np.bincount(at, minlength=BINS)
    full = np.maximum(rows, 1)
    mean_said, mean_right = np.bincount(at, said, BINS) / full, np.bincount(at, right.astype(float), BINS) / full
    return Calibration(mean_said, mean_right, rows, float(np.sum(rows * abs(mean_said - mean_right)) / max(len(said), 1)))


def loss_of_rows(found: Judged) -> np.ndarray:
    """How wrong each row is: minus the log of the true class's share (of labels its mean), or the squared difference."""
    if isinstance(found, Labelled):
        if not found.honest:
            return (found.true != found.told).mean(axis=1)
        return -np.log(np.clip(np.where(found.true, found.shares, 1.0 - found.shares), 1e-7, None)).mean(axis=1)
    if isinstance(found, Classified):
        share = found.shares[np.arange(len(found.true)), found.true]
        return -np.log(np.clip(share, 1e-7, None)) if found.honest else (found.true != found.told).astype(float)
    return np.mean((found.true - found.told) ** 2, axis=1)


def mean_loss(found: list[Judged]) -> float:
    """How wrong all outputs are, each measured by its own spread, so that outputs of different units can be added."""
    out = 0.0
    for f in found:
        spread = float(np.var(f.true)) or 1.0 if isinstance(f, Measured) else 1.0
        out += float(np.mean(loss_of_rows(f))) / spread
    return out


def worst(found: Judged, most: int) -> list[int]:
    """Numbers of what went wrong, the most confident mistakes (or the greatest differences) first."""
    if isinstance(found, Classified):
        wrong = np.flatnonzero(found.true != found.told)
        return wrong[np.argsort(-found.confidence[wrong], kind="stable")][:most].tolist()
    order = np.argsort(-np.nan_to_num(loss_of_rows(found)), kind="stable")
    if isinstance(found, Labelled):
        order = order[(found.true != found.told).any(axis=1)[order]]
    return order[:most].tolist()


def fit_of(m: Measured) -> dict[str, float]:
    """Mean absolute error, root of the mean squared error, and the share of variance explained."""
    difference = m.told - m.true
    spread = float(np.sum((m.true - m.true.mean(axis=0)) ** 2))
    squares = float(np.sum(difference**2))
    return {
        "mean absolute error": float(np.mean(abs(difference))), "root mean squared error": float(np.sqrt(np.mean(difference**2))),
        "R²": 1.0 - squares / spread if spread else float("nan"),
    }  # fmt: skip
